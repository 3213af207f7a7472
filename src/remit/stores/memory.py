"""The ledger in memory: for tests, demos and runs that may forget. Loses everything with its process, by design.

One lock, one interpreter, nothing else: the shortest store there can be, and therefore the one that the others are
compared with. `apply` never suspends.
"""

import threading
from collections.abc import Sequence
from typing import cast

from remit.audit.chain import Writer
from remit.audit.record import Body
from remit.core.ledger.interpreter import apply
from remit.core.ledger.operations import Batch, HoldState, Outcome
from remit.core.ledger.state import Ledger
from remit.ports import AuditEntry, AuditQuery, CellInfo, Health, HoldInfo
from remit.stores.clock import AnchoredClock
from remit.stores.reading import cell_infos, hold_info, select
from remit.stores.recording import Recording

KEEP_AUDIT = 100_000
KEEP_ENDED_HOLDS = 100_000
FORGET_EVERY = 1_000
FORGET_PER_TURN = 200


class MemoryStore:
    """A `ports.Store` that keeps the newest 100 000 audit records and ended holds, and forgets idle cells."""

    immediate = True
    durable = False

    def __init__(self, *, clock: AnchoredClock | None = None) -> None:
        """An empty ledger."""
        self._clock = clock or AnchoredClock()
        self._lock = threading.Lock()
        self._documents: dict[str, dict[str, bytes]] = {}
        self._recording = Recording()
        self._writer = Writer.begin("memory")
        self._audit: list[AuditEntry] = []
        self._applied = 0
        self._idle_cursor: list[str] = []
        self.ledger = Ledger()

    @property
    def epoch(self) -> int:
        """The version of the policy that plans must have been made under."""
        return self.ledger.epoch

    def now_us(self) -> int:
        """The store's clock."""
        return self._clock.now_us()

    async def apply(self, batch: Batch) -> Outcome:
        """One step under the lock."""
        return self.apply_now(batch)

    def apply_now(self, batch: Batch) -> Outcome:
        """The same for callers that are not asynchronous."""
        with self._lock:
            now_us = self._clock.now_us()
            self.ledger.clock_sure = self._clock.parted_us() == 0
            outcome = apply(self.ledger, batch, now_us)
            for body in self._recording.bodies(batch, outcome, self.ledger.steps, now_us):
                self._append(now_us, body)
            self.ledger.clear_dirty()
            self._applied += 1
            if self._applied % FORGET_EVERY == 0:
                self._forget(now_us)
            return outcome

    def _append(self, now_us: int, body: Body) -> None:
        self._writer, entry = self._writer.append(time_us=now_us, body=body)
        writer, seq, encoded, link = entry
        self._audit.append(AuditEntry(writer=writer, seq=seq, time_us=now_us, body=encoded, hash=link))
        if len(self._audit) > 2 * KEEP_AUDIT:
            del self._audit[:KEEP_AUDIT]

    def _forget(self, now_us: int) -> None:
        """Drop idle cells and paces, a few at a time, and the oldest ended holds beyond the number that is kept."""
        ledger = self.ledger
        if not self._idle_cursor:
            self._idle_cursor = list(ledger.cells)
        for key in self._idle_cursor[-FORGET_PER_TURN:]:
            cell = ledger.cells.get(key)
            if cell is not None and cell.forget(now_us):
                del ledger.cells[key]
        del self._idle_cursor[-FORGET_PER_TURN:]
        for key in [key for key, arrival_us in list(ledger.paces.items())[:FORGET_PER_TURN] if arrival_us <= now_us]:
            del ledger.paces[key]
        while len(ledger.holds) > KEEP_ENDED_HOLDS + len(ledger.live.live):
            oldest = next(hold for hold, row in ledger.holds.items() if not row.live)
            del ledger.holds[oldest]

    async def set_epoch(self, epoch: int, *, record: object | None = None) -> None:
        """From now on plans of another epoch are stale."""
        with self._lock:
            self.ledger.epoch = epoch
            self._note(record)

    async def put(self, kind: str, id: str, body: bytes | None, *, record: object | None = None) -> None:  # noqa: A002 - the port's name
        """Keep or forget a document."""
        with self._lock:
            if body is None:
                self._documents.get(kind, {}).pop(id, None)
            else:
                self._documents.setdefault(kind, {})[id] = body
            self._note(record)

    def _note(self, record: object | None) -> None:
        if record is not None:
            self._append(self._clock.now_us(), cast("Body", record))

    async def documents(self, kind: str) -> list[tuple[str, bytes]]:
        """All documents of a kind."""
        with self._lock:
            return sorted(self._documents.get(kind, {}).items())

    async def holds(self, *, states: Sequence[HoldState], limit: int = 1000) -> list[HoldInfo]:
        """Holds in those states, oldest first."""
        with self._lock:
            rows = sorted((r for r in self.ledger.holds.values() if r.state in states), key=lambda r: r.admitted_us)
            return [hold_info(row) for row in rows[:limit]]

    async def hold(self, id: str) -> HoldInfo | None:  # noqa: A002 - the port's name
        """One hold."""
        with self._lock:
            row = self.ledger.holds.get(id)
            return hold_info(row) if row is not None else None

    async def cells(self, prefix: str = "", *, limit: int = 1000) -> list[CellInfo]:
        """Cells by the start of their key."""
        with self._lock:
            return cell_infos(self.ledger, prefix, limit, self._clock.now_us())

    async def audit(self, query: AuditQuery) -> list[AuditEntry]:
        """Records that fit the query; open counts of refusals are closed first."""
        with self._lock:
            now_us = self._clock.now_us()
            for body in self._recording.due(now_us, all_of_them=True):
                self._append(now_us, body)
            return select(self._audit, query)

    async def accept_clock(self, *, record: object | None = None) -> int:
        """Take the wall's time."""
        with self._lock:
            moved = self._clock.accept()
            self._note(record)
            return moved

    def health(self) -> Health:
        """Always able to decide."""
        figures = {"cells": len(self.ledger.cells), "live_holds": len(self.ledger.live.live)}
        return Health(ok=True, clock_parted_us=self._clock.parted_us(), figures=figures)

    async def close(self) -> None:
        """Nothing to let go of."""
