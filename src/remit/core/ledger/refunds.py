"""Refunds: part of what a settled call cost comes back, out of overage first, and makes room again where it was booked."""

from remit.core.ledger.cells.window import KEEP_PERIODS_US
from remit.core.ledger.holds import are_amounts, cost_of, find, take_back
from remit.core.ledger.operations import FailureCode, Refund
from remit.core.ledger.run import Run
from remit.core.ledger.state import HoldRow, Step


def judge_refund(run: Run, op: Refund) -> None:
    """Give back part of what was booked: never more than was, once for each refund id, within 35 days."""
    row = find(run, op.hold, "refund")
    if row is None or op.refund in row.refunds or not are_amounts(run, op.amounts):
        return
    if run.now_us > row.ended_us + KEEP_PERIODS_US:
        run.fail(FailureCode.TOO_LATE)
        return
    left = row.per_unit(cost_of(row))
    if any(amount > left.get(unit, 0) for unit, amount in op.amounts.items()):
        run.fail(FailureCode.TOO_MUCH, detail=", ".join(f"{unit}: {amount}" for unit, amount in left.items()))
        return
    run.pending.append((_refund, (row, op)))


def _refund(run: Run, plan: tuple[HoldRow, Refund]) -> None:
    row, op = plan
    assert row.booked is not None
    assert row.over is not None
    for index, (entry, cost) in enumerate(zip(row.entries, cost_of(row), strict=True)):
        amount = min(op.amounts.get(entry.unit, 0), cost)
        if not amount:
            continue
        from_over = min(amount, row.over[index])
        cell = run.state.cells.get(entry.key)
        if cell is not None:
            take_back(cell, row, index, used=amount - from_over, over=from_over)
            run.state.dirty_cells.add(entry.key)
        row.over[index] -= from_over
        row.booked[index] -= amount - from_over
    row.refunds[op.refund] = op.amounts
    run.state.dirty_holds.add(row.id)
    run.state.steps.append(
        Step(
            row.id,
            row.state,
            row.state,
            op.amounts,
            {},
            (),
            late=False,
            now_us=run.now_us,
            what="refund",
            refund=op.refund,
        )
    )
