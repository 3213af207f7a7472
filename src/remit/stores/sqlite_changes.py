"""What the file does not know yet: everything that batches touched since the last group of writes was put together.

The interpreter notes which cells, holds and other rows it touched; `Pending` adds documents, checkpoints and audit
records, and `take` turns all of it into one `Changes`: rows for a handful of prepared statements, each touched row once,
however many batches touched it. When the group is durable, `landed` lets go of what memory no longer needs: ended
holds and answered idempotency keys, which are found again in the file.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from remit.audit.chain import Writer
from remit.audit.record import Body
from remit.core.ledger.state import BegunRow, HoldRow, Ledger
from remit.stores.clock import AnchoredClock
from remit.stores.embedded import Embedded, Forgetting
from remit.stores.sqlite_rows import (
    Plans,
    begun_row,
    cell_row,
    gate_row,
    hold_row,
    mentions_of,
    refusals_body,
)
from remit.stores.sqlite_statements import (
    DROP_BEGUN,
    DROP_CELL,
    DROP_DOCUMENT,
    DROP_GATE,
    DROP_PACE,
    DROP_REFUSALS,
    DROP_SEEN,
    INSERT_AUDIT,
    INSERT_HOLD,
    PUT_BEGUN,
    PUT_CELL,
    PUT_CHECKPOINT,
    PUT_DOCUMENT,
    PUT_GATE,
    PUT_PACE,
    PUT_PLAN,
    PUT_REFUSALS,
    PUT_SEEN,
    SWEEP_BEGUN,
    UPDATE_HOLD,
    Row,
    Statement,
)

Work = tuple[Statement, list[Row]]

FORGET_PER_GROUP = 4
SWEPT_PER_GROUP = 50
FETCHED_AT_MOST = 1000
"""Rows that were only looked at leave memory with the next group of writes; so many of them are reason for one."""


class BegunRows(dict[str, BegunRow]):
    """Idempotency keys in memory: those of calls in flight, and whatever else is asked for, fetched from the file.

    A day of them would not fit, so an answered key is let go of once it is durable. `gone` are keys that were deleted
    here and are still in the file.
    """

    def __init__(self, fetch: Callable[[str], BegunRow | None]) -> None:
        """`fetch` finds a row in the file."""
        super().__init__()
        self._fetch = fetch
        self.gone: set[str] = set()
        self.fetched: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        """The row, from memory or from the file."""
        row = super().get(key)
        if row is None and key not in self.gone and (row := self._fetch(key)) is not None:
            self[key] = row
            self.fetched.add(key)
        return default if row is None else row

    def __setitem__(self, key: str, row: BegunRow) -> None:
        self.gone.discard(key)
        super().__setitem__(key, row)

    def __delitem__(self, key: str) -> None:
        self.gone.add(key)
        super().__delitem__(key)

    def let_go(self, written: set[str], dirty: set[str]) -> None:
        """The file is as memory is, but for `dirty`: keep what was `written` for calls in flight, nothing else."""
        fetched, self.fetched = self.fetched, set()
        for key in (written | fetched) - dirty:
            self.gone.discard(key)
            row = super().get(key)
            if row is not None and (row.answer is not None or key in fetched):
                super().__delitem__(key)


@dataclass(frozen=True, slots=True)
class Changes:
    """One group of writes. `head` is `(time_us, last_us, moved_us, seen_floor_us, epoch, writer, seq, hash)`.

    `statements` are carried out in order, each for all of its rows. The rest says what lands with it.
    """

    head: Row
    statements: list[Work]
    plans: list[bytes]
    holds: set[str]
    begun: set[str]


class Pending:
    """One ledger in memory and what of it the file lacks. Used by one thread at a time."""

    def __init__(
        self, *, ledger: Ledger, begun: BegunRows, clock: AnchoredClock, writer: Writer, writer_id: int, plans: Plans
    ) -> None:
        """`ledger` is as the file has it; `begun` is its table of idempotency keys."""
        self.embedded = Embedded(ledger=ledger, clock=clock, writer=writer, keep=self._keep)
        self.ledger = ledger
        self._begun = begun
        self._clock = clock
        self._writer_id = writer_id
        self._plans = plans
        self._forgetting = Forgetting()
        self._audit: list[Row] = []
        self._documents: dict[tuple[str, str], bytes | None] = {}
        self._others: list[Work] = []
        self._in_file = {row.id for row in ledger.holds.values()}
        self._fetched: set[str] = set()
        self._touched = False

    def _keep(self, *, seq: int, time_us: int, encoded: bytes, link: bytes, body: Body) -> None:
        self._audit.append((self._writer_id, seq, time_us, *mentions_of(body), encoded, link))

    def put_document(self, kind: str, id: str, body: bytes | None) -> None:
        """Keep a document, or forget it."""
        self._documents[kind, id] = body

    def put_checkpoint(self, text: str, time_us: int) -> None:
        """Keep a signed checkpoint."""
        self._others.append((PUT_CHECKPOINT, [(time_us, text)]))

    def put_first(self, statement: Statement, rows: list[Row]) -> None:
        """Have a statement carried out before all others."""
        self._others.insert(0, (statement, rows))

    def touch(self) -> None:
        """The head changed (the epoch, the clock), so that there is something to write."""
        self._touched = True

    def fetched(self, row: HoldRow) -> HoldRow:
        """Note that this hold came back from the file."""
        self._fetched.add(row.id)
        self._in_file.add(row.id)
        return row

    @property
    def touched(self) -> bool:
        """Whether there is anything to write."""
        ledger = self.ledger
        return bool(
            self._audit or self._touched or ledger.dirty_cells or ledger.dirty_paces or ledger.dirty_holds
            or ledger.dirty_gates or ledger.dirty_seen or ledger.dirty_begun or self._documents or self._others
            or self.embedded.recording.changed or len(self._fetched) + len(self._begun.fetched) > FETCHED_AT_MOST
        )  # fmt: skip

    def take(self) -> Changes:
        """Everything so far as one group of writes; from here on things count for the next one."""
        ledger = self.ledger
        now_us = self._clock.now_us()
        self._forgetting.turn(ledger, now_us, limit=FORGET_PER_GROUP + 2 * len(ledger.dirty_cells))
        holds, begun = ledger.dirty_holds, ledger.dirty_begun
        plans, hold_statements = self._hold_rows(holds)
        statements = [*self._others, *hold_statements]
        _split(statements, PUT_CELL, DROP_CELL, ledger.dirty_cells, ledger.cells, cell_row)
        _split(statements, PUT_PACE, DROP_PACE, ledger.dirty_paces, ledger.paces, _pair)
        _split(statements, PUT_GATE, DROP_GATE, ledger.dirty_gates, ledger.gates, gate_row)
        _split(statements, PUT_SEEN, DROP_SEEN, ledger.dirty_seen, ledger.seen, _pair)
        if begun:
            statements.append((SWEEP_BEGUN, [(now_us, SWEPT_PER_GROUP)]))
            _split(statements, PUT_BEGUN, DROP_BEGUN, begun, self._begun, begun_row)
        self._add_records(statements)
        writer, times = self.embedded.writer, (now_us, ledger.last_us, ledger.moved_us, ledger.seen_floor_us)
        head = (*times, ledger.epoch, self._writer_id, writer.seq, writer.head)
        self._start_anew()
        return Changes(head, statements, plans, holds, begun)

    def _hold_rows(self, dirty: Iterable[str]) -> tuple[list[bytes], list[Work]]:
        plans: dict[bytes, Row] = {}
        inserts: list[Row] = []
        updates: list[Row] = []
        for id_ in dirty:
            row = self.ledger.holds[id_]
            digest = self._plans.hash_of(row.entries)
            if id_ in self._in_file:
                updates.append(hold_row(row, digest))
                continue
            inserts.append(hold_row(row, digest))
            if digest not in plans and (plan := self._plans.row(row.entries)) is not None:
                plans[digest] = plan
        found = [(PUT_PLAN, list(plans.values())), (INSERT_HOLD, inserts), (UPDATE_HOLD, updates)]
        return list(plans), [(statement, rows) for statement, rows in found if rows]

    def _add_records(self, statements: list[Work]) -> None:
        if self._documents:
            gone = [place for place, body in self._documents.items() if body is None]
            kept = [(*place, body) for place, body in self._documents.items() if body is not None]
            statements += [(DROP_DOCUMENT, gone), (PUT_DOCUMENT, kept)]
        closed, grown = self.embedded.recording.take_changes()
        if closed:
            statements.append((DROP_REFUSALS, [()]))
        if grown:
            statements.append((PUT_REFUSALS, [(*key, refusals_body(refusals)) for key, refusals in grown]))
        if self._audit:
            statements.append((INSERT_AUDIT, self._audit))

    def _start_anew(self) -> None:
        ledger = self.ledger
        ledger.dirty_cells, ledger.dirty_paces, ledger.dirty_gates = set(), set(), set()
        ledger.dirty_seen, ledger.dirty_begun, ledger.dirty_holds = set(), set(), set()
        self._audit, self._documents, self._others, self._touched = [], {}, [], False

    def landed(self, changes: Changes) -> None:
        """`changes` are durable: forget what can be found in the file from now on."""
        ledger = self.ledger
        for digest in changes.plans:
            self._plans.landed(digest)
        self._in_file |= changes.holds
        fetched, self._fetched = self._fetched, set()
        for id_ in changes.holds | fetched:
            row = ledger.holds.get(id_)
            if row is not None and not row.live and id_ not in ledger.dirty_holds:
                del ledger.holds[id_]
                self._in_file.discard(id_)
        self._begun.let_go(changes.begun, ledger.dirty_begun)


def _pair(key: str, value: Any) -> Row:
    return key, value


def _split(
    statements: list[Work],
    put: Statement,
    drop: Statement,
    dirty: Iterable[str],
    table: dict[str, Any],
    as_row: Callable[[str, Any], Row],
) -> None:
    """Rows that are there are put, the others dropped."""
    puts: list[Row] = []
    drops: list[Row] = []
    for key in dirty:
        value = table.get(key)
        if value is None:
            drops.append((key,))
        else:
            puts.append(as_row(key, value))
    if puts:
        statements.append((put, puts))
    if drops:
        statements.append((drop, drops))
