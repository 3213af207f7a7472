"""A store on the bench: one empty store, the clock it goes by, and short ways to say what a check wants to say.

Everything goes through `ports.Store`, so that a check sees what any caller sees. What a check finds wrong it says by
`expect`, whose exception names the sentence that does not hold.
"""

from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeVar

from remit.core.ledger import operations as ops
from remit.core.ledger.operations import HoldState
from remit.ports import AuditEntry, AuditQuery, CellInfo, HoldInfo, Store
from remit.testing.clock import FakeClock

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
DAY_US = 86_400 * SECOND_US
TTL_US = 30 * SECOND_US

OpenStore = Callable[[FakeClock, str], Awaitable[Store]]
"""Opens the store that lives at the named place: empty when the place is new, as it was left when it is not."""

T = TypeVar("T")


class NotConforming(AssertionError):
    """A store does not do what `remit.core.ledger` says."""


def expect(holds: bool, sentence: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise `NotConforming` unless it holds."""
    if not holds:
        raise NotConforming(sentence)


def expect_equal(got: object, wanted: object, what: str) -> None:
    """Raise `NotConforming` unless both are equal."""
    if got != wanted:
        raise NotConforming(f"{what}: got {got!r}, wanted {wanted!r}")


def entry(key: str, most: int, amount: int = 1, **more: object) -> ops.HoldEntry:
    """An entry over a life, counted in `USD` unless `more` (fields of `HoldEntry`) says otherwise."""
    fields: dict[str, object] = {"window": ops.Life(), "unit": "USD", "key": key, "amount": amount, "max": most, **more}
    return ops.HoldEntry(**fields)  # type: ignore[arg-type] # checks name the fields, and a wrong one fails at once


def hold(*entries: ops.HoldEntry, state: HoldState = HoldState.DISPATCHED, ttl_us: int = TTL_US) -> ops.Hold:
    """A hold of these entries, dispatched at once."""
    return ops.Hold(state, ttl_us, entries)


def periods(now_us: int, *, every_us: int = DAY_US) -> ops.Calendar:
    """The calendar period that holds `now_us` and the next one, for periods of one length."""
    start_us = now_us - now_us % every_us
    middle_us = start_us + every_us
    return ops.Calendar(ops.Span(start_us, middle_us), ops.Span(middle_us, middle_us + every_us))


class Bench:
    """One store under test. `clock` is what its time comes from."""

    def __init__(self, store: Store, clock: FakeClock, reopen: Callable[[], Awaitable[Store]]) -> None:
        """`reopen` opens the same place again once the store is closed."""
        self.store = store
        self.clock = clock
        self._reopen = reopen
        self._ids = count()

    @classmethod
    async def at(cls, open_store: OpenStore, place: str) -> "Bench":
        """A bench with the store of a new place."""
        clock = FakeClock()
        return cls(await open_store(clock, place), clock, lambda: open_store(clock, place))

    async def restart(self) -> None:
        """Close the store and open its place again."""
        await self.store.close()
        self.store = await self._reopen()

    async def send(self, *admit: ops.Operation, id_: str | None = None, **more: object) -> ops.Outcome:
        """Apply one batch; `more` are further fields of `Batch`."""
        name = id_ if id_ is not None else f"b{next(self._ids)}"
        if "valid_until_us" not in more:
            more["valid_from_us"], more["valid_until_us"] = ops.validity(*admit)
        return await self.store.apply(ops.Batch(name, admit, **more))  # type: ignore[arg-type] # as for `entry`

    async def applied(self, *admit: ops.Operation, id_: str | None = None, **more: object) -> ops.Applied:
        """Apply one batch that must be admitted."""
        return _one_of(await self.send(*admit, id_=id_, **more), ops.Applied)

    async def refused(self, *admit: ops.Operation, id_: str | None = None, **more: object) -> tuple[ops.Failure, ...]:
        """Apply one batch that must be refused, and answer why."""
        return _one_of(await self.send(*admit, id_=id_, **more), ops.Refused).failures

    async def codes(self, *admit: ops.Operation, id_: str | None = None, **more: object) -> list[ops.FailureCode]:
        """The same, only the codes."""
        return [failure.code for failure in await self.refused(*admit, id_=id_, **more)]

    async def figures(self, key: str) -> tuple[int, int, int]:
        """`(used, held, over)` of a cell; zeros if the store does not know it."""
        cell = next((cell for cell in await self.store.cells(key) if cell.key == key), None)
        return (cell.used, cell.held, cell.over) if cell is not None else (0, 0, 0)

    async def hold_info(self, id_: str) -> HoldInfo:
        """The hold with that id, which must be known."""
        info = await self.store.hold(id_)
        if info is None:
            raise NotConforming(f"hold `{id_}` is not known")
        return info

    async def cells(self) -> list[CellInfo]:
        """All cells that stand for anything; idle ones may be forgotten at any time."""
        return [c for c in await self.store.cells() if c.used or c.held or c.over or c.frozen]

    async def holds(self) -> dict[str, HoldInfo]:
        """All holds by id."""
        return {info.id: info for info in await self.store.holds(states=list(HoldState), limit=10_000)}

    async def audit(self, **query: object) -> list[AuditEntry]:
        """The audit records that fit the fields of an `AuditQuery`."""
        return await self.store.audit(AuditQuery(**query))  # type: ignore[arg-type] # as for `entry`


def _one_of(outcome: ops.Outcome, kind: type[T]) -> T:
    if not isinstance(outcome, kind):
        raise NotConforming(f"wanted {kind.__name__}, got {outcome!r}")
    return outcome
