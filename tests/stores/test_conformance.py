"""Our own stores pass the suite that is shipped, and the suite notices a store that does not keep the law."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from remit.core.ledger import operations as ops
from remit.ports import CellInfo, Store
from remit.stores.memory import MemoryStore
from remit.stores.sqlite import SqliteStore
from remit.testing import FakeClock, NotConforming, StoreConformance, StoreConformanceTests, checks


class TestMemory(StoreConformanceTests):
    async def open_store(self, clock: FakeClock, place: str) -> Store:
        return MemoryStore(clock=clock.anchored())


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
    async def open_store(clock: FakeClock, place: str) -> Store:
        return MemoryStore(clock=clock.anchored())

    assert asyncio.run(StoreConformance(open_store).run_all()) == len(checks()) > 40
