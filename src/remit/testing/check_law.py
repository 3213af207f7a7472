"""Checks: the store equals the reference interpreter, over random programs, answer by answer and figure by figure.

`core.ledger.interpreter` is the law. The reference is told the time that the store answered with, so that a store with
a clock of its own can be compared as well. The store's own housekeeping (sweeping, forgetting what is idle) must not show.
"""

from typing import Final

from remit.core.ledger import operations as ops
from remit.core.ledger.interpreter import apply
from remit.core.ledger.state import Ledger
from remit.ports import CellInfo, HoldInfo
from remit.stores.reading import cell_infos, hold_info
from remit.testing.bench import Bench, expect_equal
from remit.testing.programs import Program

SEEDS: Final = range(12)
STEPS: Final = 80
LOOK_EVERY: Final = 16


class Reference:
    """The interpreter, following a store step by step."""

    def __init__(self) -> None:
        """An empty ledger."""
        self.ledger = Ledger()

    def apply(self, batch: ops.Batch, now_us: int) -> ops.Outcome:
        """What the store should have answered at `now_us`."""
        outcome = apply(self.ledger, batch, now_us)
        self.ledger.clear_dirty()
        return outcome

    def cells(self, now_us: int) -> list[CellInfo]:
        """Cells that stand for anything."""
        found = cell_infos(self.ledger, "", len(self.ledger.cells), now_us)
        return [cell for cell in found if cell.used or cell.held or cell.over or cell.frozen]

    def holds(self) -> dict[str, HoldInfo]:
        """All holds by id."""
        return {id_: hold_info(row) for id_, row in self.ledger.holds.items()}


async def random_programs_have_the_outcomes_that_the_interpreter_says(bench: Bench, *, seed: int = 0) -> None:
    """Eighty batches with waits between them: calls, settlements, refunds, orders, repeats, stale plans; with odd seeds
    also a wall clock that is set, and sometimes accepted.
    """
    program, reference = Program(seed), Reference()
    for step in range(STEPS):
        bench.clock.advance(program.wait_us())
        if seed % 2:
            bench.clock.step_wall(program.wall_step_us())
            if program.accepts():
                await bench.store.accept_clock()
        now_us = bench.store.now_us()
        reference.ledger.clock_sure = bench.store.health().clock_parted_us == 0
        batch = program.batch(now_us, epoch=bench.store.epoch)
        expect_equal(await bench.store.apply(batch), reference.apply(batch, now_us), f"step {step} of seed {seed}")
        if step % LOOK_EVERY == LOOK_EVERY - 1 or step == STEPS - 1:
            expect_equal(await bench.cells(), reference.cells(now_us), f"cells after step {step} of seed {seed}")
            expect_equal(await bench.holds(), reference.holds(), f"holds after step {step} of seed {seed}")
