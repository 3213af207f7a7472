"""The same batches, the same answers and the same ledger as in memory, also when memory is lost again and again."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core.ledger import operations as ops
from remit.core.ledger.operations import HoldState, ResolveAs
from remit.ports import Store
from remit.stores.memory import MemoryStore
from remit.stores.sqlite import SqliteStore
from tests.stores.sqlite_calls import SECOND_US, T0_US, Hands, Told, entry, rebuilt, verified

HOLDS = ("h0", "h1", "h2", "h3")
DAY = ops.Calendar(ops.Span(0, T0_US + 40 * SECOND_US), ops.Span(T0_US + 40 * SECOND_US, T0_US + 10**12))
WINDOWS = (ops.Life(), ops.Rolling(60 * SECOND_US), DAY)
MODES = tuple(ops.OnFull)


@dataclass(frozen=True)
class Pass:
    """Time goes by."""

    us: int


class Lose:
    """What is in memory is lost and read from the file again."""


hold_names = st.sampled_from(HOLDS)
amounts = st.integers(0, 9)
unit_amounts = st.dictionaries(st.sampled_from(["USD", "calls"]), amounts, max_size=2)


@st.composite
def _entries(draw: Any) -> tuple[ops.HoldEntry, ...]:
    places = draw(st.lists(st.integers(0, 4), unique=True, min_size=1, max_size=3))
    return tuple(
        entry(
            15,
            draw(amounts),
            key=f"cell{place}",
            window=WINDOWS[place % 3],
            unit="USD" if place % 2 else "calls",
            on_full=MODES[place % 3],
            at_commit=draw(st.sampled_from(ops.AtCommit)),
            at_expiry=draw(st.sampled_from(ops.AtExpiry)),
        )
        for place in places
    )


admissions = st.builds(
    lambda state, ttl_s, entries, begin: (*begin, ops.Hold(state, ttl_s * SECOND_US, entries)),
    st.sampled_from([HoldState.RESERVED, HoldState.DISPATCHED]),
    st.integers(1, 60),
    _entries(),
    st.lists(
        st.builds(ops.Begin, st.sampled_from(["k0", "k1"]), st.sampled_from(["f0", "f1"]), st.just(30 * SECOND_US)),
        max_size=1,
    ),
)
single = st.one_of(
    st.builds(ops.Commit, hold_names, unit_amounts, st.none() | st.just(b"answer")),
    st.builds(ops.Release, hold_names, st.just("refused")),
    st.builds(ops.Dispatch, hold_names),
    st.builds(ops.Extend, hold_names, st.just(50 * SECOND_US), unit_amounts),
    st.builds(ops.Resolve, hold_names, st.sampled_from(ResolveAs), unit_amounts),
    st.builds(ops.Refund, hold_names, st.sampled_from(["r0", "r1"]), unit_amounts),
    st.builds(ops.Expire, st.just(3)),
    st.builds(ops.Pace, st.sampled_from(["p0", "p1"]), st.just(3 * SECOND_US), st.just(2)),
    st.builds(ops.Take, st.sampled_from(["t0", "t1"]), st.just(WINDOWS[1]), st.just(3)),
    st.builds(ops.Once, st.sampled_from(["j0", "j1", "j2"]), st.just(T0_US + 90 * SECOND_US)),
    st.builds(
        ops.SetGate, st.sampled_from(["g0", "cell1", "cell2"]), st.sampled_from([ops.Rung.OPEN, ops.Rung.DENIED])
    ),
    st.builds(ops.Gate, st.just("g0")),
    st.builds(ops.Adjust, st.sampled_from(["t0", "cell1"]), st.just(WINDOWS[1]), amounts, st.just("more")),
).map(lambda operation: (operation,))
steps = st.lists(
    st.one_of(admissions, admissions, single, single, st.builds(Pass, st.integers(0, 20 * SECOND_US)), st.builds(Lose)),
    min_size=5,
    max_size=40,
)


async def _state(store: Store) -> object:
    # Each store forgets idle cells in its own time; whether such a cell is frozen is kept with the gates.
    cells = [cell for cell in await store.cells() if cell.used or cell.held or cell.over]
    holds = sorted(await store.holds(states=list(HoldState)), key=lambda hold: hold.id)
    return cells, holds


async def _compare(path: Path, plan: list[Any]) -> None:
    hands = Hands()
    memory, sqlite = MemoryStore(clock=hands.clock()), await SqliteStore.open(path, clock=hands.clock())
    names = iter(HOLDS)
    for number, step in enumerate(plan):
        if isinstance(step, Pass):
            hands.pass_us(step.us)
        elif isinstance(step, Lose):
            sqlite._commit.broken(RuntimeError("lost on purpose"))
            await rebuilt(sqlite)
        else:
            id_ = next(names, f"b{number}") if isinstance(step[-1], ops.Hold) else f"b{number}"
            batch = ops.Batch(id_, step, record=Told(id_ if isinstance(step[-1], ops.Hold) else ""))
            assert await sqlite.apply(batch) == await memory.apply(batch)
            assert await _state(sqlite) == await _state(memory)
    await verified(sqlite)
    await sqlite.close()


@settings(max_examples=60)
@given(steps)
def test_sqlite_answers_like_memory_and_keeps_the_same_ledger(plan: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_compare(Path(directory) / "a.db", plan))
