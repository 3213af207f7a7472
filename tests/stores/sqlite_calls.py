"""Calls on an SQLite ledger for the tests: a clock moved by hand, short batches with records, and crash copies."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from remit.audit.record import Body, CallerSeen, Decision
from remit.audit.record import Outcome as Decided
from remit.audit.refusal import Refusal
from remit.audit.settlements import is_settlement, settlement_of
from remit.audit.verify import Report, verify
from remit.core.ledger import operations as ops
from remit.core.ledger.operations import HoldState
from remit.core.ledger.state import Step
from remit.ports import AuditEntry, AuditQuery, Store
from remit.stores.clock import AnchoredClock
from remit.stores.sqlite import SqliteStore

T0_US = 1_800_000_000_000_000
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
DAY_US = 86_400 * SECOND_US
KEY = "5:money"
CALLER = CallerSeen(kind="api_key", id="abcdefghijklmnop", agent="tester")


class Hands:
    """What a clock goes by, moved by hand."""

    def __init__(self) -> None:
        self.boot_us = 5_000_000_000
        self.wall_us = T0_US

    def pass_us(self, by_us: int) -> None:
        """Let time pass."""
        self.boot_us += by_us
        self.wall_us += by_us

    def clock(self) -> AnchoredClock:
        """A clock that goes by these hands."""
        return AnchoredClock(boot=lambda: self.boot_us, wall=lambda: self.wall_us)


class Told:
    """The draft of a decision, as the engine makes it; settlements of the steps if there is no decision to make."""

    def __init__(self, id_: str = "", *, reason: str = "quota_exhausted") -> None:
        self.id = id_
        self.reason = reason

    def complete(self, outcome: ops.Outcome, steps: Sequence[Step]) -> Sequence[Body | Refusal]:
        """One decision, or one settlement for each hold that ended."""
        if not self.id:
            return [settlement_of(step, status=200) for step in steps if is_settlement(step)]
        if isinstance(outcome, ops.Stale | ops.Replayed):
            return ()
        allowed = isinstance(outcome, ops.Applied)
        verdict = Decided.ALLOW if allowed else Decided.DENY
        reason, hold = ("", self.id) if allowed else (self.reason, "")
        decision = Decision(id=self.id, outcome=verdict, reason=reason, tool="pay", caller=CALLER, hold=hold)
        return (decision if allowed else Refusal.of(decision),)


class Ids:
    """`d0001`, `d0002`, …: ids in order."""

    def __init__(self, start: str = "d") -> None:
        self._start = start
        self._numbers = count(1)

    def __call__(self) -> str:
        return f"{self._start}{next(self._numbers):06d}"


def entry(most: int, amount: int = 1, *, key: str = KEY, **more: Any) -> ops.HoldEntry:
    """An entry over a life, counted in `USD` unless told otherwise."""
    return ops.HoldEntry(**{"key": key, "window": ops.Life(), "unit": "USD", "amount": amount, "max": most, **more})


def admission(id_: str, *entries: ops.HoldEntry, state: HoldState = HoldState.DISPATCHED, **more: Any) -> ops.Batch:
    """A call that holds these entries for a minute."""
    return ops.Batch(id_, (ops.Hold(state, MINUTE_US, entries),), record=Told(id_), **more)


def commit(hold: str, amount: int | None = None, **more: Any) -> ops.Batch:
    """The end of a call that did cost `amount` USD (None: what was held)."""
    actuals = {} if amount is None else {"USD": amount}
    return ops.Batch(f"{hold}/commit", (ops.Commit(hold, actuals, **more),), record=Told())


async def admitted(store: Store, batch: ops.Batch) -> ops.Applied:
    """Apply a batch that must be admitted."""
    outcome = await store.apply(batch)
    assert isinstance(outcome, ops.Applied), outcome
    return outcome


async def refused(store: Store, batch: ops.Batch) -> list[ops.FailureCode]:
    """Apply a batch that must be refused, and answer why."""
    outcome = await store.apply(batch)
    assert isinstance(outcome, ops.Refused), outcome
    return [failure.code for failure in outcome.failures]


async def figures(store: Store, key: str = KEY) -> tuple[int, int]:
    """`(used, held)` of a cell."""
    found = {cell.key: (cell.used, cell.held) for cell in await store.cells(key)}
    return found[key]


async def log_of(store: Store) -> list[AuditEntry]:
    """The whole audit log."""
    found: list[AuditEntry] = []
    while page := await store.audit(AuditQuery(after=found[-1].seq if found else 0)):
        found += page
    return found


async def verified(store: Store) -> Report:
    """The audit log, which must verify."""
    report = verify([(entry.writer, entry.seq, entry.body, entry.hash) for entry in await log_of(store)])
    assert report.ok, report.sentence()
    return report


def crash_copy(path: Path, to: Path) -> Path:
    """The files as a machine that lost its power would find them; not the lock file, which would know of later writes."""
    to.mkdir()
    for name in (path.name, f"{path.name}-wal"):
        if (path.parent / name).exists():
            shutil.copyfile(path.parent / name, to / name)
    return to / path.name


def edit(path: Path, sql: str, *values: object) -> None:
    """Change a closed ledger file from outside."""
    db = sqlite3.connect(path)
    try:
        db.execute(sql, values)
        db.commit()
    finally:
        db.close()


def ask(path: Path, sql: str, *values: object) -> list[Any]:
    """Look into a ledger file from outside."""
    db = sqlite3.connect(path)
    try:
        return db.execute(sql, values).fetchall()
    finally:
        db.close()


async def rebuilt(store: SqliteStore) -> None:
    """Wait until the ledger was loaded again after a failure."""
    task = store._commit._rebuilding
    assert task is not None
    await task


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until `condition` holds."""
    for _ in range(10**6):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")
