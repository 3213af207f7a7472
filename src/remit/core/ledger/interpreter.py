"""The law: what a batch does to a ledger. Pure, and the reference that every store must equal.

`apply` answers a repeated batch from memory, refuses a plan that no longer fits, sweeps a few due holds, then judges
every operation without changing anything. What an operation would change is noted in `pending` and carried out only if
all of `admit` passed. Gates stand first in a batch, so that the pace factor they yield is known to the paces.
"""

from collections.abc import Callable
from typing import Any

from remit.core.ledger import holds
from remit.core.ledger.cells.pace import pace, taken
from remit.core.ledger.cells.window import fresh_cell, locate, reset_us
from remit.core.ledger.operations import (
    Adjust,
    Applied,
    Batch,
    Begin,
    Calendar,
    Check,
    Commit,
    Count,
    Dispatch,
    Expire,
    Extend,
    FailureCode,
    Gate,
    Hold,
    HoldState,
    Once,
    OnFull,
    Operation,
    Outcome,
    Pace,
    Part,
    Refund,
    Refused,
    Release,
    Replayed,
    Resolve,
    Rung,
    SetGate,
    Stale,
    Take,
    View,
    Within,
)
from remit.core.ledger.run import Run
from remit.core.ledger.state import BegunRow, GateRow, HoldRow, Ledger, Step

SWEEP_PER_BATCH = 8


def apply(state: Ledger, batch: Batch, now_us: int) -> Outcome:
    """Carry out `batch` at `now_us` (the store's clock) as one step and answer it."""
    stored = state.answered(batch.id, retry=batch.retry)
    if stored is not None:
        return stored
    if (batch.epoch is not None and batch.epoch != state.epoch) or not (
        batch.valid_from_us <= now_us < batch.valid_until_us
    ):
        return Stale(now_us, state.epoch)
    _sweep_touched(state, batch, now_us)
    outcome = _decide(state, batch, now_us)
    state.keep_answer(batch.id, outcome, now_us)
    return outcome


def _decide(state: Ledger, batch: Batch, now_us: int) -> Outcome:
    run = Run(state, batch, now_us)
    if batch.always:
        _always(run)
    blocked = bool(run.failures)
    run.part = Part.ADMIT
    for index, operation in enumerate(batch.admit):
        run.index = index
        JUDGES[type(operation)](run, operation)
        if run.replay is not None:
            break
    if run.failures or blocked:
        _refuse(run)
        return Refused(tuple(run.failures), tuple(run.views), now_us)
    if run.replay is not None:
        return run.replay
    for change, *arguments in run.pending:
        change(run, *arguments)
    applied = Applied(tuple(run.views), now_us)
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
            for change, *arguments in run.pending:
                change(run, *arguments)
        run.pending.clear()
        run.views.clear()


def _refuse(run: Run) -> None:
    """The `refuse` list: signals of a refusal. None of them can fail."""
    for operation in run.batch.refuse:
        if type(operation) is Count:
            _add_count(run, operation)
        elif type(operation) is SetGate:
            _set_gate(run, operation)


def _sweep_touched(state: Ledger, batch: Batch, now_us: int) -> None:
    left = SWEEP_PER_BATCH
    for operation in batch.admit:
        if type(operation) is not Hold:
            continue
        for entry in operation.entries:
            cell = state.cells.get(entry.key)
            if cell is None or cell.next_due_us > now_us:
                continue
            for hold in cell.due(now_us, left):
                left -= 1
                holds.expire(state, state.holds[hold], now_us)
            if left <= 0:
                return


def _judge_gate(run: Run, gate: Gate) -> None:
    row = run.state.gates.get(gate.key)
    if row is None or row.until_us <= run.now_us or row.rung is Rung.OPEN:
        return
    if row.rung is Rung.THROTTLED:
        run.factor_permille = min(run.factor_permille, row.factor_permille)
    elif row.rung is not Rung.CHALLENGED:
        run.fail(FailureCode.CLOSED, retry_at_us=0, detail=row.reason or row.rung.name.lower())
    elif gate.presented < 1:
        run.fail(FailureCode.CHALLENGED, detail=row.reason)


def _judge_set_gate(run: Run, change: SetGate) -> None:
    row = run.state.gates.get(change.key)
    version = row.version if row is not None else 0
    if change.if_version is not None and change.if_version != version:
        run.fail(FailureCode.WRONG_VERSION, detail=f"version is {version}")
        return
    run.pending.append((_set_gate, change))


def _set_gate(run: Run, change: SetGate) -> None:
    cell = run.state.cells.get(change.key)
    if cell is not None:
        cell.frozen = change.rung >= Rung.DENIED
        run.state.dirty_cells.add(change.key)
        return
    row = run.state.gates.get(change.key)
    version = row.version + 1 if row is not None else 1
    run.state.gates[change.key] = GateRow(change.rung, change.factor_permille, change.until_us, version, change.reason)
    run.state.dirty_gates.add(change.key)


def _judge_within(run: Run, within: Within) -> None:
    now_us = run.now_us
    for span in within.spans:
        if span.start_us <= now_us < span.end_us:
            return
    opens_us = min((span.start_us for span in within.spans if span.start_us > now_us), default=0)
    run.fail(FailureCode.OUTSIDE, retry_at_us=opens_us)


def _judge_check(run: Run, check: Check) -> None:
    cell = run.state.cells.get(check.key)
    period, _ = locate(check.window, run.now_us)
    used = cell.figures(period, run.now_us)[0] if cell is not None else 0
    full = used >= check.below
    retry_us = reset_us(cell, check.window, run.now_us, used - check.below + 1)
    if full and check.on_full is OnFull.REFUSE:
        run.fail(FailureCode.FULL, retry_at_us=retry_us)
    run.views.append(View(run.index, -1, used, used, 0, check.below, retry_us, over=full))


def _judge_count(run: Run, count: Count) -> None:
    run.pending.append((_add_count, count))


def _add_count(run: Run, count: Count) -> None:
    add_count(run.state, count, run.now_us)


def add_count(state: Ledger, count: Count, now_us: int) -> None:
    """Feed an outcome counter; it cannot fail."""
    period, end_us = locate(count.window, now_us)
    cell = state.cells.get(count.key)
    if cell is None:
        cell = state.cells[count.key] = fresh_cell(count.window)
    cell.taken(period, now_us)
    cell.add_used(period, count.n, end_us)
    state.dirty_cells.add(count.key)


def _judge_once(run: Run, once: Once) -> None:
    if once.not_after_us < run.now_us:
        run.fail(FailureCode.TOO_LATE)
    elif run.state.seen.get(once.key, -1) >= run.now_us:
        run.fail(FailureCode.REPLAYED)
    else:
        run.pending.append((_see, once))


def _see(run: Run, once: Once) -> None:
    run.state.see(once.key, once.not_after_us, run.now_us)


def _judge_begin(run: Run, begin: Begin) -> None:
    row = run.state.begun.get(begin.key)
    if row is not None and row.answer is not None and row.expires_us <= run.now_us:
        row = None
    if row is None:
        run.pending.append((_begin, begin))
    elif row.fingerprint != begin.fingerprint:
        run.fail(FailureCode.MISMATCH, detail=row.hold)
    elif row.answer is not None:
        run.replay = Replayed(row.hold, row.answer, run.now_us)
    else:
        hold = run.state.hold(row.hold)
        in_flight = hold is not None and hold.live
        run.fail(FailureCode.IN_FLIGHT if in_flight else FailureCode.OUTCOME_UNKNOWN, detail=row.hold)


def _begin(run: Run, begin: Begin) -> None:
    run.begin_key = begin.key
    run.state.begun[begin.key] = BegunRow(begin.fingerprint, run.batch.id, run.now_us + begin.ttl_us)
    run.state.dirty_begun.add(begin.key)


def _judge_pace(run: Run, op: Pace) -> None:
    interval_us = op.interval_us if run.factor_permille == 1000 else _slower(op.interval_us, run.factor_permille)
    arrival_us = run.state.paces.get(op.key, 0)
    now_us = run.now_us
    after_us, wait_us, retry_us = pace(
        arrival_us, now_us=now_us, interval_us=interval_us, burst=op.burst, n=op.n, max_wait_us=op.max_wait_us
    )
    before = taken(arrival_us, now_us=now_us, interval_us=interval_us)
    if after_us is None:
        over = op.on_full is not OnFull.REFUSE
        if not over:
            run.fail(FailureCode.FULL, retry_at_us=retry_us)
        run.views.append(View(run.index, -1, before, before, 0, op.burst, retry_us, over))
        return
    used = taken(after_us, now_us=now_us, interval_us=interval_us)
    run.views.append(View(run.index, -1, before, used, 0, op.burst, now_us + interval_us, wait_us=wait_us))
    run.pending.append((_set_pace, op.key, after_us))


def _slower(interval_us: int, factor_permille: int) -> int:
    return -(-interval_us * 1000 // max(factor_permille, 1))


def _set_pace(run: Run, key: str, after_us: int) -> None:
    run.state.paces[key] = after_us
    run.state.dirty_paces.add(key)


def _judge_take(run: Run, take: Take) -> None:
    cell = run.state.cells.get(take.key)
    period, end_us = locate(take.window, run.now_us)
    before = cell.taken(period, run.now_us) if cell is not None else 0
    full = before + take.n > take.max
    retry_us = reset_us(cell, take.window, run.now_us, before + take.n - take.max) if full else end_us
    if full and take.on_full is OnFull.REFUSE:
        run.fail(FailureCode.FULL, retry_at_us=retry_us if take.n <= take.max else 0)
        run.views.append(View(run.index, -1, before, before, 0, take.max, retry_us))
        return
    run.views.append(View(run.index, -1, before, before + take.n, 0, take.max, retry_us, full))
    run.pending.append((_add_count, Count(take.key, take.window, take.n)))


def _judge_hold(run: Run, hold: Hold) -> None:
    state, now_us, index = run.state, run.now_us, run.index
    amounts = hold.amounts
    located: list[tuple[int, int]] = []
    for entry_index, entry in enumerate(hold.entries):
        amount = entry.amount if amounts is None else amounts[entry_index]
        cell = state.cells.get(entry.key)
        place = locate(entry.window, now_us)
        located.append(place)
        used, held = cell.figures(place[0], now_us) if cell is not None else (0, 0)
        before = used + held
        full = before + amount > entry.max
        if entry.on_full is OnFull.REFUSE and (code := _entry_failure(run, entry, cell, full=full)) is not None:
            retry_us = 0
            if code is FailureCode.FULL and amount <= entry.max:
                retry_us = reset_us(cell, entry.window, now_us, before + amount - entry.max)
            run.failures.append(run.failure(code, retry_us, entry_index))
            run.views.append(View(index, entry_index, before, used, held, entry.max, retry_us))
        else:
            reset = reset_us(cell, entry.window, now_us)
            run.views.append(View(index, entry_index, before, used, held + amount, entry.max, reset, full))
    run.pending.append((_hold, hold, located))


def _entry_failure(run: Run, entry: Any, cell: Any, *, full: bool) -> FailureCode | None:
    if cell is not None and cell.frozen:
        return FailureCode.FROZEN
    if not run.state.clock_sure and type(entry.window) is Calendar:
        return FailureCode.CLOCK_UNSURE
    return FailureCode.FULL if full else None


def _hold(run: Run, hold: Hold, located: list[tuple[int, int]]) -> None:
    state, batch_id = run.state, run.batch.id
    expires_us = run.now_us + hold.ttl_us
    amounts = list(hold.amounts) if hold.amounts is not None else [entry.amount for entry in hold.entries]
    cells, dirty = state.cells, state.dirty_cells
    for entry, (period, end_us), amount in zip(hold.entries, located, amounts, strict=True):
        cell = cells.get(entry.key)
        if cell is None:
            cell = cells[entry.key] = fresh_cell(entry.window)
        cell.add_held(period, amount, end_us)
        cell.enter(batch_id, expires_us)
        dirty.add(entry.key)
    periods, ends_us = [p for p, _ in located], [e for _, e in located]
    row = HoldRow(batch_id, hold.state, run.now_us, expires_us, hold.entries, periods, ends_us, amounts)
    row.begin_key = run.begin_key
    run.row = state.holds[batch_id] = row
    state.live.enter(batch_id, expires_us)
    state.dirty_holds.add(batch_id)
    state.steps.append(Step(batch_id, None, hold.state, {}, {}, (), late=False, now_us=run.now_us, what="hold"))


def _judge_adjust(run: Run, adjust: Adjust) -> None:
    run.pending.append((_add_count, Count(adjust.key, adjust.window, -adjust.delta)))


def _judge_expire(run: Run, op: Expire) -> None:
    run.pending.append((_expire, op))


def _expire(run: Run, op: Expire) -> None:
    state = run.state
    if op.hold is None:
        for hold in state.live.due(run.now_us, op.limit):
            holds.expire(state, state.holds[hold], run.now_us)
        return
    row = state.hold(op.hold)
    if row is not None and row.state in (HoldState.RESERVED, HoldState.DISPATCHED):
        holds.expire(state, row, run.now_us)
        for count in op.then:
            add_count(state, count, run.now_us)


JUDGES: dict[type[Operation], Callable[[Run, Any], None]] = {
    Gate: _judge_gate,
    SetGate: _judge_set_gate,
    Within: _judge_within,
    Check: _judge_check,
    Count: _judge_count,
    Once: _judge_once,
    Begin: _judge_begin,
    Pace: _judge_pace,
    Take: _judge_take,
    Hold: _judge_hold,
    Dispatch: holds.judge_dispatch,
    Extend: holds.judge_extend,
    Commit: holds.judge_commit,
    Release: holds.judge_release,
    Resolve: holds.judge_resolve,
    Refund: holds.judge_refund,
    Adjust: _judge_adjust,
    Expire: _judge_expire,
}
