"""The suite that every store must pass: what `core.ledger` says, asked through `ports.Store` and nothing else.

A third party runs it on its own store by saying how to open one:

    class TestMyStore(StoreConformanceTests):
        async def open_store(self, clock: FakeClock, place: str) -> Store:
            return await MyStore.open(url_of(place), clock=clock.anchored())

or, without pytest, `await StoreConformance(open_store).run_all()`. `place` is a name: where it is new the store must be
empty, where it was used before (a check closes the store and opens it again) it must be what was left there. The clock
moves only when a check moves it. A store whose server keeps the time needs a server whose clock can be set.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from remit.ports import Store
from remit.testing import check_admission, check_holds, check_keeping, check_time
from remit.testing.bench import Bench, NotConforming, OpenStore
from remit.testing.check_law import SEEDS, random_programs_have_the_outcomes_that_the_interpreter_says
from remit.testing.clock import FakeClock

Check = Callable[[Bench], Awaitable[None]]


def checks() -> dict[str, Check]:
    """Every check by its name, which is the sentence that it checks."""
    plain = (*check_admission.CHECKS, *check_holds.CHECKS, *check_time.CHECKS, *check_keeping.CHECKS)
    found: dict[str, Check] = {check.__name__: check for check in plain}
    law = random_programs_have_the_outcomes_that_the_interpreter_says
    for seed in SEEDS:
        found[f"{law.__name__} (seed {seed})"] = partial(law, seed=seed)
    return found


class StoreConformance:
    """The checks, each run on a store of its own."""

    def __init__(self, open_store: OpenStore) -> None:
        """`open_store` opens the store at a place, going by a clock."""
        self._open_store = open_store

    async def run(self, name: str) -> None:
        """Run the check with that name. Raises `NotConforming` with the sentence that does not hold."""
        bench = await Bench.at(self._open_store, name)
        try:
            await checks()[name](bench)
        finally:
            await bench.store.close()

    async def run_all(self) -> int:
        """Run every check and answer how many there are. Raises `NotConforming` with all that do not hold."""
        wrong = []
        for name in checks():
            try:
                await self.run(name)
            except NotConforming as error:
                wrong.append(f"{name}: {error}")
        if wrong:
            raise NotConforming("\n".join(wrong))
        return len(checks())


class StoreConformanceTests:
    """The suite as a pytest class: subclass it with `open_store`, and every check becomes a test."""

    async def open_store(self, clock: FakeClock, place: str) -> Store:
        """Open the store that lives at `place`, going by `clock`."""
        raise NotImplementedError("say how your store is opened")

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """One test for each check (pytest calls this while it collects)."""
        if "check" in metafunc.fixturenames:
            metafunc.parametrize("check", list(checks()))

    def test_the_store_keeps_the_law(self, check: str) -> None:
        """Run one check on a store of its own."""
        asyncio.run(StoreConformance(self.open_store).run(check))
