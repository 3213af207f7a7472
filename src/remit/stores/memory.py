"""The ledger in memory: for tests, demos and runs that may forget. Loses everything with its process, by design.

One lock, one interpreter, nothing else: the shortest store there can be, and therefore the one that the others are
compared with. `apply` never suspends.
"""

import threading
from collections.abc import Sequence

from remit.audit.chain import Writer
from remit.audit.record import Body
from remit.core.ledger.operations import Batch, HoldState, Outcome
from remit.core.ledger.state import Ledger
from remit.ports import AuditEntry, AuditQuery, CellInfo, Health, HoldInfo
from remit.stores.clock import AnchoredClock
from remit.stores.embedded import Embedded, Forgetting
from remit.stores.reading import cell_infos, hold_info, select

KEEP_AUDIT = 100_000
KEEP_ENDED_HOLDS = 100_000
KEEP_CHECKPOINTS = 10_000
FORGET_EVERY = 100
FORGET_PER_TURN = 400
"""More cells than the batches since the last turn can have made, so that idle ones never pile up."""


class MemoryStore:
    """A `ports.Store` that keeps the newest 100 000 audit records and ended holds, and forgets idle cells."""

    immediate = True
    durable = False
    store_id = "memory"

    def __init__(self, *, clock: AnchoredClock | None = None) -> None:
        """An empty ledger."""
        self._clock = clock or AnchoredClock()
        self._lock = threading.Lock()
        self._documents: dict[str, dict[str, bytes]] = {}
        self._audit: list[AuditEntry] = []
        self._checkpoints: list[str] = []
        self._applied = 0
        self._forgetting = Forgetting()
        self.ledger = Ledger()
        self._embedded = Embedded(
            ledger=self.ledger, clock=self._clock, writer=Writer.start(self.store_id), keep=self._keep
        )

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
            outcome = self._embedded.step(batch)
            self._applied += 1
            if self._applied % FORGET_EVERY == 0:
                self._forget()
            self.ledger.clear_dirty()
            return outcome

    def _keep(self, *, seq: int, time_us: int, encoded: bytes, link: bytes, body: Body) -> None:
        self._audit.append(AuditEntry(writer=self.store_id, seq=seq, time_us=time_us, body=encoded, hash=link))
        if len(self._audit) > 2 * KEEP_AUDIT:
            del self._audit[:KEEP_AUDIT]

    def _forget(self) -> None:
        """Drop idle cells and paces, a few at a time, and the oldest ended holds beyond the number that is kept."""
        ledger = self.ledger
        self._forgetting.turn(ledger, self._clock.now_us(), limit=FORGET_PER_TURN)
        excess = len(ledger.holds) - len(ledger.live.live) - KEEP_ENDED_HOLDS
        if excess > 0:
            ended = (hold for hold, row in ledger.holds.items() if not row.live)
            for hold in [hold for hold, _ in zip(ended, range(excess), strict=False)]:
                del ledger.holds[hold]

    async def set_epoch(self, epoch: int, *, record: object | None = None) -> None:
        """From now on plans of another epoch are stale."""
        with self._lock:
            self.ledger.epoch = epoch
            self._embedded.record(record)

    async def put(self, kind: str, id: str, body: bytes | None, *, record: object | None = None) -> None:
        """Keep or forget a document."""
        with self._lock:
            if body is None:
                self._documents.get(kind, {}).pop(id, None)
            else:
                self._documents.setdefault(kind, {})[id] = body
            self._embedded.record(record)

    async def documents(self, kind: str) -> list[tuple[str, bytes]]:
        """All documents of a kind."""
        with self._lock:
            return sorted(self._documents.get(kind, {}).items())

    async def holds(self, *, states: Sequence[HoldState], limit: int = 1000) -> list[HoldInfo]:
        """Holds in those states, oldest first."""
        with self._lock:
            rows = sorted((r for r in self.ledger.holds.values() if r.state in states), key=lambda r: r.admitted_us)
            return [hold_info(row) for row in rows[:limit]]

    async def hold(self, id: str) -> HoldInfo | None:
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
            self._embedded.close_counts()
            return select(self._audit, query)

    async def heads(self) -> list[tuple[str, int, bytes]]:
        """Where the chain stands."""
        with self._lock:
            writer = self._embedded.writer
            return [(writer.writer, writer.seq, writer.head)]

    async def keep_checkpoint(self, text: str, time_us: int) -> None:
        """Keep one more signed checkpoint, and let go of the oldest beyond the number that is kept."""
        with self._lock:
            self._checkpoints = [*self._checkpoints[-KEEP_CHECKPOINTS + 1 :], text]

    async def checkpoints(self, *, limit: int = 1000) -> list[str]:
        """The newest checkpoints, oldest first."""
        with self._lock:
            return self._checkpoints[-limit:]

    async def accept_clock(self, *, record: object | None = None) -> int:
        """Take the wall's time."""
        with self._lock:
            moved = self._clock.accept()
            self._embedded.record(record)
            return moved

    def health(self) -> Health:
        """Always able to decide."""
        figures = {"cells": len(self.ledger.cells), "live_holds": len(self.ledger.live.live)}
        return Health(ok=True, clock_parted_us=self._clock.parted_us(), figures=figures)

    async def close(self) -> None:
        """Nothing to let go of."""
