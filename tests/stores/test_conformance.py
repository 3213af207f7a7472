"""Our own stores pass the suite that is shipped, and the suite notices a store that does not keep the law."""

import asyncio
import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core.ledger import operations as ops
from remit.ports import CellInfo, Store
from remit.stores.memory import MemoryStore
from remit.stores.sqlite import SqliteStore
from remit.testing import FakeClock, NotConforming, StoreConformance, StoreConformanceTests, checks
from remit.testing.bench import Bench, OpenStore
from remit.testing.check_law import random_programs_have_the_outcomes_that_the_interpreter_says


async def in_memory(clock: FakeClock, place: str) -> Store:
    return MemoryStore(clock=clock.anchored())


class TestMemory(StoreConformanceTests):
    async def open_store(self, clock: FakeClock, place: str) -> Store:
        return await in_memory(clock, place)


class TestSqlite(StoreConformanceTests):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    async def open_store(self, clock: FakeClock, place: str) -> Store:
        name = hashlib.sha256(place.encode()).hexdigest()[:16]
        return await SqliteStore.open(self.folder / f"{name}.db", clock=clock.anchored())


class Generous(MemoryStore):
    """Admits one more than there is room for."""

    async def apply(self, batch: ops.Batch) -> ops.Outcome:
        outcome = await super().apply(batch)
        if isinstance(outcome, ops.Refused) and outcome.failures[0].code is ops.FailureCode.FULL:
            return ops.Applied(outcome.views, outcome.now_us)
        return outcome


class Forgetful(MemoryStore):
    """Loses an audit record now and then."""

    async def audit(self, query: object) -> list[object]:  # type: ignore[override] # broken on purpose
        return []


class Secretive(MemoryStore):
    """Hides what is frozen."""

    async def cells(self, prefix: str = "", *, limit: int = 1000) -> list[CellInfo]:
        return [cell for cell in await super().cells(prefix, limit=limit) if not cell.frozen]


@pytest.mark.parametrize(
    ("kind", "noticed_by"),
    [
        (Generous, "every_window_fills_exactly"),
        (Forgetful, "every_decision_and_settlement_is_recorded_with_its_step"),
        (Secretive, "overage_is_booked_in_full_and_freezes_the_cell_that_refuses"),
    ],
)
def test_the_suite_notices_a_store_that_does_not_keep_the_law(kind: type[MemoryStore], noticed_by: str) -> None:
    async def open_store(clock: FakeClock, place: str) -> Store:
        return kind(clock=clock.anchored())

    with pytest.raises(NotConforming, match=noticed_by):
        asyncio.run(StoreConformance(open_store).run_all())


def test_the_suite_runs_without_pytest_and_says_how_many_checks_there_were() -> None:
    assert asyncio.run(StoreConformance(in_memory).run_all()) == len(checks()) > 40


# The suite's own seeds are always the same; here each run looks at others.
@given(seed=st.integers(0, 2**32))
@settings(max_examples=20)
def test_memory_equals_the_interpreter_in_programs_that_nobody_has_seen_before(seed: int) -> None:
    asyncio.run(follow(in_memory, seed))


@given(seed=st.integers(0, 2**32))
@settings(max_examples=8)
def test_sqlite_equals_the_interpreter_in_programs_that_nobody_has_seen_before(seed: int) -> None:
    with TemporaryDirectory() as folder:

        async def on_disk(clock: FakeClock, place: str) -> Store:
            return await SqliteStore.open(Path(folder) / "ledger.db", clock=clock.anchored())

        asyncio.run(follow(on_disk, seed))


async def follow(open_store: OpenStore, seed: int) -> None:
    bench = await Bench.at(open_store, "here")
    try:
        await random_programs_have_the_outcomes_that_the_interpreter_says(bench, seed=seed)
    finally:
        await bench.store.close()
