"""What the operations act on: cells, holds, gates, and what was seen once.

`Ledger` is plain mutable data. The interpreter is the only code that changes it; it notes what it touched in the
`dirty_*` sets and every settled step in `steps`, so that a store can write exactly that, together with the audit
record, in one transaction.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

import msgspec

from remit.core.ledger.cells.window import LiveHolds, WindowCell
from remit.core.ledger.operations import Applied, HoldEntry, HoldState, Outcome, Rung

KEEP_ANSWERS_US = 60_000_000
MAX_ANSWERS = 4_096
FORGET_AT_ONCE = 2
LIVE = (HoldState.RESERVED, HoldState.DISPATCHED)


class GateRow(msgspec.Struct):
    """A gate's position. `version` grows with every change."""

    rung: Rung
    factor_permille: int
    until_us: int
    version: int
    reason: str


class BegunRow(msgspec.Struct):
    """An idempotency key: which call came first, and its answer once there is one."""

    fingerprint: str
    hold: str
    expires_us: int
    answer: bytes | None = None


class HoldRow(msgspec.Struct):
    """One hold. The lists run parallel to `entries`; `booked` is filled when it ends.

    `over` is the part above the maximum: of a soft limit from the admission on, of the others when it ends. While the
    hold lives, its cells hold `amounts` less `over`. `refunds` maps a refund's id to what it gave back; `first` is the answer that its admission got.
    """

    id: str
    state: HoldState
    admitted_us: int
    expires_us: int
    entries: tuple[HoldEntry, ...]
    periods: list[int]
    ends_us: list[int]
    amounts: list[int]
    booked: list[int] | None = None
    over: list[int] | None = None
    begin_key: str | None = None
    refunds: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    ended_us: int = 0
    evidence: str = ""
    first: Applied | None = None
    last: Applied | None = None

    @property
    def live(self) -> bool:
        """Whether it still holds anything."""
        return self.state in LIVE

    def per_unit(self, amounts: list[int]) -> dict[str, int]:
        """Unit → the largest of `amounts` over that unit's entries: what the call itself used."""
        found: dict[str, int] = {}
        for entry, amount in zip(self.entries, amounts, strict=True):
            found[entry.unit] = max(found.get(entry.unit, 0), amount)
        return found


class Step(msgspec.Struct, frozen=True):
    """A hold went from one state to another (`before` is None at its admission).

    `actuals` (unit → amount) is what it has come to cost, or what the refund with the id `refund` gave back.
    """

    hold: str
    before: HoldState | None
    after: HoldState
    actuals: dict[str, int]
    over: dict[str, int]
    frozen: tuple[str, ...]
    late: bool
    now_us: int
    what: str
    evidence: str = ""
    refund: str = ""


def _never(_: str) -> None:
    return None


@dataclass(slots=True)
class Ledger:
    """The whole state of one ledger. `fetch_hold` finds holds that are no longer kept in memory.

    `last_us` is the last time it was told, `moved_us` (never above 0) by how much the clock was ordered back in all;
    `seen_floor_us` is the latest `not_after_us` that was forgotten. `repeated` says that the last answer was a
    stored one, `torn` that a step was broken off half-way. A store that keeps a ledger on disk keeps these times, too,
    and calls `reindex` after it has filled the tables.
    """

    cells: dict[str, WindowCell] = field(default_factory=dict)
    paces: dict[str, int] = field(default_factory=dict)
    gates: dict[str, GateRow] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    begun: dict[str, BegunRow] = field(default_factory=dict)
    holds: dict[str, HoldRow] = field(default_factory=dict)
    epoch: int = 0
    clock_sure: bool = True
    last_us: int = 0
    moved_us: int = 0
    seen_floor_us: int = -1
    repeated: bool = False
    torn: bool = False
    fetch_hold: Callable[[str], HoldRow | None] = _never
    live: LiveHolds = field(default_factory=LiveHolds)
    steps: list[Step] = field(default_factory=list)
    dirty_cells: set[str] = field(default_factory=set)
    dirty_paces: set[str] = field(default_factory=set)
    dirty_gates: set[str] = field(default_factory=set)
    dirty_seen: set[str] = field(default_factory=set)
    dirty_begun: set[str] = field(default_factory=set)
    dirty_holds: set[str] = field(default_factory=set)
    _answers: OrderedDict[str, tuple[int, Outcome]] = field(default_factory=OrderedDict)
    _seen_by_time: list[tuple[int, str]] = field(default_factory=list)
    _begun_round: list[str] = field(default_factory=list)

    def hold(self, hold: str) -> HoldRow | None:
        """The hold with that id, from memory or from wherever the store keeps the ended ones."""
        row = self.holds.get(hold)
        if row is None and (row := self.fetch_hold(hold)) is not None:
            self.holds[hold] = row
        return row

    def steady_us(self, now_us: int) -> int:
        """Note the time and answer it less every step back: what paces and rolling windows go by.

        A clock that is ordered back (`accept`) would else hand out a window anew, or stop a pace for as long as the
        step was. What is held stays held as long as it would have been.
        """
        if now_us < self.last_us:
            self._step_back(now_us - self.last_us)
        self.last_us = now_us
        return now_us - self.moved_us

    def _step_back(self, moved_us: int) -> None:
        self.moved_us += moved_us
        for hold in list(self.live.live):
            row = self.holds[hold]
            row.expires_us += moved_us
            self.live.enter(hold, row.expires_us)
            self.dirty_holds.add(hold)
            for entry in row.entries:
                self.cells[entry.key].enter(hold, row.expires_us)

    def answered(self, batch: str, *, retry: bool) -> Outcome | None:
        """What the batch with that id was answered, if it was."""
        kept = self._answers.get(batch)
        if kept is not None:
            return kept[1]
        row = self.hold(batch) if retry else self.holds.get(batch)
        return row.first if row is not None else None

    def keep_answer(self, batch: str, outcome: Outcome, now_us: int) -> None:
        """Remember an answer for a minute; the number of them is bounded."""
        answers = self._answers
        answers[batch] = (now_us + KEEP_ANSWERS_US, outcome)
        while answers:
            oldest = next(iter(answers))
            if len(answers) <= MAX_ANSWERS and answers[oldest][0] > now_us:
                break
            del answers[oldest]

    def see(self, key: str, not_after_us: int, now_us: int) -> None:
        """Remember `key` until `not_after_us`; what is past is forgotten, a few at a time."""
        self.seen[key] = not_after_us
        self.dirty_seen.add(key)
        heappush(self._seen_by_time, (not_after_us, key))
        for _ in range(FORGET_AT_ONCE):
            if self._seen_by_time[0][0] >= now_us:
                break
            past_us, old = heappop(self._seen_by_time)
            if self.seen.get(old, now_us) < now_us:
                del self.seen[old]
                self.dirty_seen.add(old)
                self.seen_floor_us = max(self.seen_floor_us, past_us)

    def begin(self, key: str, row: BegunRow, now_us: int) -> None:
        """Remember an idempotency key. Answered ones that are past are forgotten, a few at a time, round and round."""
        self.begun[key] = row
        self.dirty_begun.add(key)
        if not self._begun_round:
            self._begun_round = list(self.begun)
        for _ in range(min(FORGET_AT_ONCE, len(self._begun_round))):
            old = self._begun_round.pop()
            if old in self.begun and self.begun[old].answer is not None and self.begun[old].expires_us <= now_us:
                self.forget_begun(old, self.begun[old].hold)

    def answer_begun(self, key: str, hold: str, answer: bytes, now_us: int) -> None:
        """The call that began with `key` as `hold` has its answer; past its time nobody needs it any more."""
        row = self.begun.get(key)
        if row is None or row.hold != hold:
            return
        if row.expires_us <= now_us:
            self.forget_begun(key, hold)
            return
        row.answer = answer
        self.dirty_begun.add(key)

    def forget_begun(self, key: str, hold: str) -> None:
        """The key is free again, if it is still `hold` that has it."""
        row = self.begun.get(key)
        if row is not None and row.hold == hold:
            del self.begun[key]
            self.dirty_begun.add(key)

    def reindex(self) -> None:
        """Rebuild what is derived from the tables: which holds live, where they stand, and what is past when."""
        self.live = LiveHolds()
        for cell in self.cells.values():
            cell.stand_empty()
        for row in self.holds.values():
            if row.live:
                self.live.enter(row.id, row.expires_us)
                for entry in row.entries:
                    self.cells[entry.key].enter(row.id, row.expires_us)
        self._seen_by_time = [(not_after_us, key) for key, not_after_us in self.seen.items()]
        heapify(self._seen_by_time)

    def clear_dirty(self) -> None:
        """Forget what was touched: the store has taken note."""
        self.steps.clear()
        self.dirty_cells.clear()
        self.dirty_paces.clear()
        self.dirty_gates.clear()
        self.dirty_seen.clear()
        self.dirty_begun.clear()
        self.dirty_holds.clear()
