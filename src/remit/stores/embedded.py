"""The reference interpreter with everything that must happen in the same step: what all embedded stores share.

An `Embedded` is one ledger in memory, its clock, the counts of alike refusals and the writer of its audit chain. Every
record is handed to `keep` in the order of the chain; a store that must survive writes them together with what the
interpreter noted as dirty. It is used by one thread at a time: whoever owns it serialises.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from remit.audit.chain import Writer
from remit.audit.record import Body
from remit.core.ledger.cells.window import PeriodCell
from remit.core.ledger.interpreter import apply
from remit.core.ledger.operations import FOREVER_US, Batch, Outcome
from remit.core.ledger.state import Ledger
from remit.stores.clock import AnchoredClock
from remit.stores.recording import Recording


class Keep(Protocol):
    """Takes each audit record as it is chained: `encoded` is its exact bytes, `link` its hash."""

    def __call__(self, *, seq: int, time_us: int, encoded: bytes, link: bytes, body: Body) -> None:
        """Keep it, in memory or for the next write."""
        ...


class Embedded:
    """One ledger in memory and what is said about it."""

    __slots__ = ("_keep", "clock", "ledger", "recording", "writer")

    def __init__(self, *, ledger: Ledger, clock: AnchoredClock, writer: Writer, keep: Keep) -> None:
        """`keep` is called within every step, before the step is answered."""
        self.ledger = ledger
        self.clock = clock
        self.writer = writer
        self.recording = Recording()
        self._keep = keep

    def step(self, batch: Batch) -> Outcome:
        """Apply one batch and chain its records. What it touched stays noted in the ledger's dirty sets.

        If this raises, memory may be half changed and must not be used any more.
        """
        ledger = self.ledger
        now_us = self.clock.now_us()
        ledger.clock_sure = self.clock.parted_us() == 0
        outcome = apply(ledger, batch, now_us)
        if ledger.repeated:
            self.recording.repeated(batch, outcome)
            return outcome
        for body in self.recording.bodies(batch, outcome, ledger.steps, now_us):
            self._chain(body, now_us)
        ledger.steps.clear()
        return outcome

    def record(self, body: object | None) -> None:
        """Chain a record that no batch carries: of a document, an epoch, the clock."""
        if body is not None:
            self._chain(body, self.clock.now_us())

    def close_counts(self) -> None:
        """Chain a record for every count of refusals that is still open."""
        now_us = self.clock.now_us()
        for body in self.recording.due(now_us, all_of_them=True):
            self._chain(body, now_us)

    def _chain(self, body: Any, now_us: int) -> None:
        seq, encoded, link = self.writer.append(time_us=now_us, body=body)
        self._keep(seq=seq, time_us=now_us, encoded=encoded, link=link, body=body)


class Forgetting:
    """Drops idle cells and paces a few at a time, going round and round; each turn costs no more than its `limit`."""

    __slots__ = ("_cells", "_paces")

    def __init__(self) -> None:
        """Starts at the beginning."""
        self._cells: list[str] = []
        self._paces: list[str] = []

    def turn(self, ledger: Ledger, now_us: int, *, limit: int) -> None:
        """Look at the next `limit` cells and as many paces; what is dropped is noted as dirty."""
        steady_us = now_us - ledger.moved_us
        for key in _next(self._cells, ledger.cells.keys, limit):
            cell = ledger.cells.get(key)
            if cell is not None and cell.forget(now_us if isinstance(cell, PeriodCell) else steady_us):
                del ledger.cells[key]
                ledger.dirty_cells.add(key)
        for key in _next(self._paces, ledger.paces.keys, limit):
            if ledger.paces.get(key, FOREVER_US) <= steady_us:
                del ledger.paces[key]
                ledger.dirty_paces.add(key)


def _next(queue: list[str], every: Callable[[], Any], limit: int) -> Iterator[str]:
    """The next `limit` keys of a round; a new round begins when the last one has ended."""
    if not queue:
        queue.extend(every())
    for _ in range(min(limit, len(queue))):
        yield queue.pop()
