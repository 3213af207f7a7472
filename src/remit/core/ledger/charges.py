"""What is charged for good, whatever becomes of the call: paces, attempts, outcome counts, corrections."""

from remit.core.ledger.cells.pace import next_unit_us, pace, taken
from remit.core.ledger.cells.window import WindowCell, fresh_cell, locate, reset_us
from remit.core.ledger.operations import (
    MAX_AMOUNT,
    Adjust,
    Calendar,
    Count,
    FailureCode,
    HoldEntry,
    OnFull,
    Pace,
    Rung,
    Take,
    View,
    Window,
)
from remit.core.ledger.run import Run
from remit.core.ledger.state import Ledger


def is_frozen(state: Ledger, key: str, cell: WindowCell | None, now_us: int) -> bool:
    """Whether overage or an operator froze the cell; an operator may have done so before it was ever used."""
    if cell is not None:
        return cell.frozen
    row = state.gates.get(key)
    return row is not None and row.rung >= Rung.DENIED and row.until_us > now_us


def cell_of(state: Ledger, key: str, window: Window, now_us: int) -> WindowCell:
    """The cell with that key, made if need be."""
    cell = state.cells.get(key)
    if cell is None:
        cell = fresh_cell(window)
        cell.frozen = is_frozen(state, key, None, now_us)
        state.cells[key] = cell
    return cell


def hard_failure(run: Run, rule: HoldEntry | Take, cell: WindowCell | None, *, full: bool) -> FailureCode | None:
    """Why a rule that refuses has to refuse now, if it has to."""
    if is_frozen(run.state, rule.key, cell, run.now_us):
        return FailureCode.FROZEN
    if not run.state.clock_sure and type(rule.window) is Calendar:
        return FailureCode.CLOCK_UNSURE
    return FailureCode.FULL if full else None


def judge_pace(run: Run, op: Pace) -> None:
    """Refuse what comes too fast, or say how long it has to wait."""
    steady_us, interval_us, burst = run.steady_us, op.interval_us, op.burst
    arrival_us = run.state.paces.get(op.key, 0)
    after_us, wait_us, retry_us = pace(
        arrival_us,
        now_us=steady_us,
        interval_us=interval_us,
        burst=burst,
        n=op.n,
        max_wait_us=op.max_wait_us,
        factor_permille=run.factor_permille,
    )
    before = taken(arrival_us, now_us=steady_us, interval_us=interval_us, burst=burst)
    behind_us = run.now_us - steady_us
    if after_us is None:
        over = op.on_full is not OnFull.REFUSE
        retry_us = retry_us + behind_us if retry_us else 0
        if not over:
            run.fail(FailureCode.FULL, retry_at_us=retry_us)
        run.views.append(View(run.index, -1, before, before, 0, burst, retry_us, over))
        return
    used = taken(after_us, now_us=steady_us, interval_us=interval_us, burst=burst)
    more_us = next_unit_us(after_us, now_us=steady_us, interval_us=interval_us)
    more_us = more_us + behind_us if more_us else 0
    run.views.append(View(run.index, -1, before, used, 0, burst, more_us, wait_us=wait_us))
    run.pending.append((_set_pace, (op.key, after_us)))


def _set_pace(run: Run, change: tuple[str, int]) -> None:
    key, after_us = change
    run.state.paces[key] = after_us
    run.state.dirty_paces.add(key)


def judge_take(run: Run, take: Take) -> None:
    """Refuse an attempt too many."""
    now_us, steady_us = run.now_us, run.steady_us
    cell = run.state.cells.get(take.key)
    period, _ = locate(take.window, now_us=now_us, steady_us=steady_us)
    before = cell.taken(period, steady_us) if cell is not None else 0
    full = before + take.n > take.max
    need = before + take.n - take.max if full else 1
    reset = reset_us(cell, take.window, now_us=now_us, steady_us=steady_us, need=need)
    code = hard_failure(run, take, cell, full=full) if take.on_full is OnFull.REFUSE else None
    if code is not None:
        run.fail(code, retry_at_us=reset if code is FailureCode.FULL and take.n <= take.max else 0)
    run.views.append(View(run.index, -1, before, before + take.n, 0, take.max, reset, full and code is None))
    run.pending.append((book_attempt, take))


def judge_count(run: Run, count: Count) -> None:
    """An outcome is counted, never refused."""
    run.pending.append((book_count, count))


def book_count(run: Run, count: Count) -> None:
    """Feed an outcome counter; it cannot fail."""
    book(run, count.key, count.window, count.n)


def book_attempt(run: Run, take: Take) -> None:
    """Count the attempt."""
    book(run, take.key, take.window, take.n)


def book(run: Run, key: str, window: Window, amount: int) -> None:
    """Book `amount` now, for good."""
    period, end_us = locate(window, now_us=run.now_us, steady_us=run.steady_us)
    cell = cell_of(run.state, key, window, run.now_us)
    cell.taken(period, run.steady_us)
    cell.add_used(period, amount, end_us)
    run.state.dirty_cells.add(key)


def judge_adjust(run: Run, adjust: Adjust) -> None:
    """Refuse a correction that would leave the range of integers."""
    cell = run.state.cells.get(adjust.key)
    period, _ = locate(adjust.window, now_us=run.now_us, steady_us=run.steady_us)
    used, held = cell.figures(period, run.steady_us) if cell is not None else (0, 0)
    if not -MAX_AMOUNT <= used - adjust.delta <= MAX_AMOUNT - held:
        run.fail(FailureCode.TOO_MUCH, detail=f"booked: {used}, held: {held}")
    else:
        run.pending.append((_adjust, adjust))


def _adjust(run: Run, adjust: Adjust) -> None:
    book(run, adjust.key, adjust.window, -adjust.delta)
