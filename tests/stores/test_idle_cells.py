"""Idle counters are forgotten as fast as new ones can be made, on every store."""

from pathlib import Path

import pytest

from remit.core.ledger import operations as ops
from remit.ports import Store
from remit.stores.memory import MemoryStore
from remit.stores.sqlite import SqliteStore
from remit.testing import FakeClock

HOUR_US = 3_600_000_000
AGENTS = 2_000


async def _call(store: Store, id_: str, key: str) -> None:
    entry = ops.HoldEntry(key, ops.Rolling(HOUR_US), "calls", 1, 10**9, at_commit=ops.AtCommit.KEEP)
    await store.apply(ops.Batch(id_, (ops.Hold(ops.HoldState.DISPATCHED, HOUR_US, (entry,)),)))
    await store.apply(ops.Batch(f"{id_}/commit", (ops.Commit(id_),)))


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_counters_of_agents_that_went_away_do_not_pile_up(kind: str, tmp_path: Path) -> None:
    clock = FakeClock()
    store: Store
    if kind == "memory":
        store = MemoryStore(clock=clock.anchored())
    else:
        store = await SqliteStore.open(tmp_path / "a.db", clock=clock.anchored())
    for number in range(AGENTS):
        await _call(store, f"a{number}", f"agent {number}")
    clock.advance(3 * HOUR_US)
    for number in range(AGENTS):
        await _call(store, f"b{number}", "the only one left")
    assert len(await store.cells(limit=AGENTS)) < AGENTS / 10
    await store.close()
