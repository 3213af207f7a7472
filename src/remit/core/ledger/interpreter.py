"""The law: what a batch does to a ledger. Pure, and the reference that every store must equal.

`apply` answers a repeated batch from memory, refuses a plan that no longer fits, sweeps a few due holds, then judges
every operation without changing anything. What an operation would change is noted in `pending` and carried out only if
all of `admit` passed. Gates stand first in a batch, so that the pace factor they yield is known to the paces, and
`Begin` stands before the hold, which remembers its key. The plan has merged what concerns one cell: two operations of
one batch are not judged against each other.
"""

from collections.abc import Callable, Iterable
from typing import Any

from remit.core.ledger import admission, charges, conditions, holds, refunds
from remit.core.ledger.operations import (
    Adjust,
    Applied,
    Batch,
    Begin,
    Check,
    Commit,
    Count,
    Dispatch,
    Expire,
    Extend,
    Gate,
    Hold,
    Once,
    Operation,
    Outcome,
    Pace,
    Part,
    Refund,
    Refused,
    Release,
    Resolve,
    SetGate,
    Stale,
    Take,
    View,
    Within,
)
from remit.core.ledger.run import Run
from remit.core.ledger.state import Ledger
from remit.errors import StoreUnavailable

SWEEP_PER_BATCH = 8


def apply(state: Ledger, batch: Batch, now_us: int) -> Outcome:
    """Carry out `batch` at `now_us` (the store's clock) as one step and answer it.

    Raises `StoreUnavailable` for ever after a step was broken off half-way (Ctrl-C, out of memory): such a ledger has to
    be read again from where it is kept.
    """
    if state.torn:
        raise StoreUnavailable("a step of the ledger was interrupted half-way: open the store again")
    stored = state.answered(batch.id, retry=batch.retry)
    state.repeated = stored is not None
    if stored is not None:
        return stored
    steady_us = state.steady_us(now_us)
    if (batch.epoch is not None and batch.epoch != state.epoch) or not (
        batch.valid_from_us <= now_us < batch.valid_until_us
    ):
        return Stale(now_us, state.epoch)
    run = Run(state, batch, now_us=now_us, steady_us=steady_us)
    _sweep_touched(run)
    outcome = _decide(run)
    state.keep_answer(batch.id, outcome, now_us)
    return outcome


def _decide(run: Run) -> Outcome:
    batch = run.batch
    if batch.always:
        _always(run)
    for index, operation in enumerate(batch.admit):
        run.index = index
        JUDGES[type(operation)](run, operation)
        if run.replay is not None:
            break
    if run.failures:
        _refuse(run)
        return Refused(tuple(run.failures), _unapplied(run.views), run.now_us)
    if run.replay is not None:
        return run.replay
    if run.pending:
        run.carry_out()
    applied = Applied(tuple(run.views), run.now_us)
    if run.row is not None:
        run.row.first = applied
    return applied


def _always(run: Run) -> None:
    """Each entry stands alone: one that fails refuses the batch, the others still apply."""
    run.part = Part.ALWAYS
    for index, operation in enumerate(run.batch.always):
        run.index = index
        failed = len(run.failures)
        JUDGES[type(operation)](run, operation)
        if len(run.failures) == failed:
            run.carry_out()
        run.pending.clear()
        run.views.clear()
    run.part = Part.ADMIT


def _refuse(run: Run) -> None:
    """The `refuse` list: signals of a refusal. None of them can fail."""
    run.pending.clear()
    for operation in run.batch.refuse:
        if type(operation) is Count:
            run.pending.append((charges.book_count, operation))
        elif type(operation) is SetGate:
            run.pending.append((conditions.set_gate_if_current, operation))
    if run.pending:
        run.carry_out()


def _unapplied(views: list[View]) -> tuple[View, ...]:
    """The views of a step that was not taken: after it everything is as before."""
    for place, view in enumerate(views):
        if view.used + view.held != view.before or view.wait_us:
            used = view.used if view.entry >= 0 else view.before
            held = view.before - used
            views[place] = View(view.index, view.entry, view.before, used, held, view.max, view.reset_us, view.over)
    return tuple(views)


def _sweep_touched(run: Run) -> None:
    """End up to eight due holds of the cells that the batch touches, so that nobody waits for a sweeper."""
    state, left = run.state, SWEEP_PER_BATCH
    if state.live.next_due_us > run.now_us:
        return
    state.torn = True
    for operation in run.batch.admit:
        if type(operation) is Begin and left:
            left -= _sweep_begun(run, operation)
        spared = operation.hold if type(operation) is Extend else ""
        for key in _room_wanted_in(state, operation):
            left -= _sweep_cell(run, key, left, spared=spared)
    state.torn = False


def _room_wanted_in(state: Ledger, operation: Operation) -> Iterable[str]:
    """The cells in which an operation wants room that due holds may still occupy."""
    if type(operation) is Hold:
        return [entry.key for entry in operation.entries]
    if type(operation) is Take:
        return (operation.key,)
    if type(operation) is Extend and (row := state.holds.get(operation.hold)) is not None and row.live:
        return [entry.key for entry in row.entries if operation.more.get(entry.unit)]
    return ()


def _sweep_cell(run: Run, key: str, limit: int, *, spared: str) -> int:
    """End due holds that stand in a cell, but not the one that is just being kept alive."""
    cell, ended = run.state.cells.get(key), 0
    if cell is None or limit <= 0:
        return 0
    for hold in cell.due(run.now_us, limit):
        if hold == spared:
            cell.enter(hold, run.state.holds[hold].expires_us)
        else:
            holds.expire(run, hold)
            ended += 1
    return ended


def _sweep_begun(run: Run, begin: Begin) -> int:
    """End the hold that has the idempotency key, if it is due."""
    row = run.state.begun.get(begin.key)
    first = run.state.holds.get(row.hold) if row is not None else None
    if first is None or not first.live or first.expires_us > run.now_us:
        return 0
    holds.expire(run, first.id)
    return 1


JUDGES: dict[type[Operation], Callable[[Run, Any], None]] = {
    Gate: conditions.judge_gate,
    SetGate: conditions.judge_set_gate,
    Within: conditions.judge_within,
    Check: conditions.judge_check,
    Count: charges.judge_count,
    Once: conditions.judge_once,
    Begin: conditions.judge_begin,
    Pace: charges.judge_pace,
    Take: charges.judge_take,
    Hold: admission.judge_hold,
    Dispatch: holds.judge_dispatch,
    Extend: holds.judge_extend,
    Commit: holds.judge_commit,
    Release: holds.judge_release,
    Resolve: holds.judge_resolve,
    Refund: refunds.judge_refund,
    Adjust: charges.judge_adjust,
    Expire: holds.judge_expire,
}
