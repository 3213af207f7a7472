"""How a hold comes to be: every entry is judged, and only if all of them have room is anything reserved."""

from remit.core.ledger.cells.window import WindowCell, locate, reset_us
from remit.core.ledger.charges import cell_of, hard_failure
from remit.core.ledger.operations import MAX_AMOUNT, FailureCode, Hold, HoldEntry, Life, OnFull, View
from remit.core.ledger.run import Run
from remit.core.ledger.state import HoldRow, Step
from remit.errors import InvariantBroken


def judge_hold(run: Run, hold: Hold) -> None:
    """Refuse where an entry's cell has no room, is frozen, or counts by a clock that is in doubt."""
    if run.places is not None:
        raise InvariantBroken(f"batch `{run.batch.id}` holds twice; put all entries into one hold")
    if run.batch.id in run.state.holds:
        run.fail(FailureCode.WRONG_STATE, detail=run.state.holds[run.batch.id].state.value)
    cells, now_us, steady_us, amounts = run.state.cells, run.now_us, run.steady_us, hold.amounts
    run.places = places = []
    for index, entry in enumerate(hold.entries):
        amount = entry.amount if amounts is None else amounts[index]
        place = locate(entry.window, now_us=now_us, steady_us=steady_us)
        places.append(place)
        cell = cells.get(entry.key)
        used, held = cell.figures(place[0], steady_us) if cell is not None else (0, 0)
        before = used + held
        full = before + amount > entry.max
        if full or cell is None or cell.frozen or amount < 0 or not run.state.clock_sure:
            code = _why_not(run, entry, cell, amount, before, full=full)
            if code is not None:
                _fail(run, entry, cell, code, index=index, amount=amount, used=used, held=held)
                continue
            if full and entry.on_full is OnFull.EXCEED:
                amount = within(entry, amount, before)
        reset = 0 if type(entry.window) is Life else reset_us(cell, entry.window, now_us=now_us, steady_us=steady_us)
        run.views.append(View(run.index, index, before, used, held + amount, entry.max, reset, full))
    run.pending.append((_hold, hold))


def _why_not(
    run: Run, entry: HoldEntry, cell: WindowCell | None, amount: int, before: int, *, full: bool
) -> FailureCode | None:
    if amount < 0 or (full and is_out_of_range(entry, amount, before)):
        return FailureCode.TOO_MUCH
    return hard_failure(run, entry, cell, full=full) if entry.on_full is OnFull.REFUSE else None


def _fail(
    run: Run,
    entry: HoldEntry,
    cell: WindowCell | None,
    code: FailureCode,
    *,
    index: int,
    amount: int,
    used: int,
    held: int,
) -> None:
    before, retry_us = used + held, 0
    if code is FailureCode.FULL and amount <= entry.max:
        need = before + amount - entry.max
        retry_us = reset_us(cell, entry.window, now_us=run.now_us, steady_us=run.steady_us, need=need)
    run.fail(code, retry_at_us=retry_us, entry=index)
    run.views.append(View(run.index, index, before, used, held, entry.max, retry_us))


def is_out_of_range(entry: HoldEntry, amount: int, before: int) -> bool:
    """Whether holding `amount` on top of `before` would leave the range of integers; what is soft goes to overage."""
    return amount > MAX_AMOUNT or (entry.on_full is OnFull.OBSERVE and before + amount > MAX_AMOUNT)


def within(entry: HoldEntry, amount: int, before: int) -> int:
    """The part of `amount` that a soft limit still has room for; the rest is overage from the start."""
    return min(amount, max(0, entry.max - before))


def _hold(run: Run, hold: Hold) -> None:
    state, batch_id, places = run.state, run.batch.id, run.places
    assert places is not None
    expires_us = run.now_us + hold.ttl_us
    amounts = list(hold.amounts) if hold.amounts is not None else [entry.amount for entry in hold.entries]
    dirty, over = state.dirty_cells, None
    for index, entry in enumerate(hold.entries):
        period, end_us = places[index]
        cell = state.cells.get(entry.key) or cell_of(state, entry.key, entry.window, run.now_us)
        amount = amounts[index]
        if entry.on_full is OnFull.EXCEED:
            amount = within(entry, amount, cell.taken(period, run.steady_us))
            if amount < amounts[index]:
                over = over or [0] * len(amounts)
                over[index] = cell.add_over(period, amounts[index] - amount, end_us)
                amounts[index] = amount + over[index]
        cell.add_held(period, amount, end_us)
        cell.enter(batch_id, expires_us)
        dirty.add(entry.key)
    periods, ends_us = [period for period, _ in places], [end_us for _, end_us in places]
    row = HoldRow(batch_id, hold.state, run.now_us, expires_us, hold.entries, periods, ends_us, amounts, over=over)
    row.begin_key = run.begin_key
    run.row = state.holds[batch_id] = row
    state.live.enter(batch_id, expires_us)
    state.dirty_holds.add(batch_id)
    state.steps.append(Step(batch_id, None, hold.state, {}, {}, (), late=False, now_us=run.now_us, what="hold"))
