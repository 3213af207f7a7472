"""What Remit asks of the world, on one page. Adapters implement these; nothing else crosses the boundary.

A `Store` applies batches atomically and durably, tells the time, keeps small documents (keys, sessions) and answers
questions about holds and the audit log. An `Observer` hears what happened and can change nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from remit.core.ledger.operations import Batch, HoldState, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldInfo:
    """A hold as people see it. `amounts` maps unit → held, `booked` and `over` unit → what it ended with."""

    id: str
    state: HoldState
    admitted_us: int
    expires_us: int
    ended_us: int
    amounts: dict[str, int]
    booked: dict[str, int]
    over: dict[str, int]
    cells: tuple[str, ...]
    evidence: str = ""
    tool: str = ""
    caller: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellInfo:
    """A window cell as an auditor sees it, in the period that is current now."""

    key: str
    used: int
    held: int
    over: int
    frozen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One chained audit record: `body` is its exact bytes, `hash` its link."""

    writer: str
    seq: int
    time_us: int
    body: bytes
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which records to read: `ids` are decision or hold ids they mention; `after` is the last seq already seen."""

    writer: str | None = None
    after: int = 0
    limit: int = 1000
    ids: tuple[str, ...] = ()
    newest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the store can decide, and why not."""

    ok: bool
    detail: str = ""
    clock_parted_us: int = 0
    figures: dict[str, int] = field(default_factory=dict)


class Store(Protocol):
    """Where the ledger lives. Every method raises `StoreUnavailable` when it cannot be sure of its answer.

    `immediate` says that `apply` never suspends, so that a blocking caller may drive it by hand. `durable` says that
    what was answered survives the process. `store_id` names this ledger and no other, in checkpoints for instance.
    """

    @property
    def immediate(self) -> bool:
        """Whether `apply` never suspends."""
        ...

    @property
    def durable(self) -> bool:
        """Whether what was answered survives the process."""
        ...

    @property
    def epoch(self) -> int:
        """The version of the policy that plans must have been made under."""
        ...

    @property
    def store_id(self) -> str:
        """The name of this one store, which its checkpoints carry."""
        ...

    def now_us(self) -> int:
        """The store's clock: the only clock that decides anything."""
        ...

    async def apply(self, batch: Batch) -> Outcome:
        """Apply `batch` in one atomic step, durably, and answer it (core.ledger.interpreter is the law)."""
        ...

    async def set_epoch(self, epoch: int, *, record: object | None = None) -> None:
        """Plans made under another epoch are stale from now on."""
        ...

    async def put(self, kind: str, id: str, body: bytes | None, *, record: object | None = None) -> None:
        """Keep a small document durably (None: forget it), with its audit record, in one step."""
        ...

    async def documents(self, kind: str) -> list[tuple[str, bytes]]:
        """Every document of that kind, by id."""
        ...

    async def holds(self, *, states: Sequence[HoldState], limit: int = 1000) -> list[HoldInfo]:
        """Holds in those states, oldest first."""
        ...

    async def hold(self, id: str) -> HoldInfo | None:
        """One hold."""
        ...

    async def cells(self, prefix: str = "", *, limit: int = 1000) -> list[CellInfo]:
        """Window cells whose key starts with `prefix`."""
        ...

    async def audit(self, query: AuditQuery) -> list[AuditEntry]:
        """Audit records in order of writer and seq."""
        ...

    async def heads(self) -> list[tuple[str, int, bytes]]:
        """`(writer, seq, hash)` of the last durable record of every writer: what a checkpoint signs."""
        ...

    async def keep_checkpoint(self, text: str, time_us: int) -> None:
        """Keep a signed checkpoint beside the log, durably."""
        ...

    async def checkpoints(self, *, limit: int = 1000) -> list[str]:
        """The newest `limit` checkpoints that were kept, oldest first."""
        ...

    async def accept_clock(self, *, record: object | None = None) -> int:
        """Take the wall clock as it is now; answers by how much the store's clock moved (us)."""
        ...

    def health(self) -> Health:
        """How the store is."""
        ...

    async def close(self) -> None:
        """Settle what is pending and let go of the file, socket or server."""
        ...


class Observer(Protocol):
    """Hears of events; must return at once and may not raise."""

    def observe(self, event: object) -> None:
        """Take note of `event`, one of `engine.events`."""
        ...
