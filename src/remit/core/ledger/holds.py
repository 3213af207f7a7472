"""The life of a hold after its admission: dispatch, extend, commit, release, expire, resolve (refunds: `refunds`).

Each step happens once. A repeated step answers what the first one answered and changes nothing; a step that the
table does not permit fails. What was held is always there to be spent, so a commit at or below its hold fits by
construction; above it, what room there is is booked and the rest is overage, which freezes a refusing cell. A hold that
is due stays what it is until it is swept: nothing was freed before.
"""

from remit.core.ledger.admission import is_out_of_range, within
from remit.core.ledger.cells.window import WindowCell, locate
from remit.core.ledger.charges import book_count, cell_of
from remit.core.ledger.operations import (
    MAX_AMOUNT,
    Applied,
    AtCommit,
    AtExpiry,
    Commit,
    Dispatch,
    Expire,
    Extend,
    FailureCode,
    HoldEntry,
    HoldState,
    OnFull,
    Release,
    Resolve,
    ResolveAs,
    View,
)
from remit.core.ledger.run import Run
from remit.core.ledger.state import HoldRow, Ledger, Step

PERMITTED: dict[str, frozenset[HoldState]] = {
    "dispatch": frozenset({HoldState.RESERVED}),
    "extend": frozenset({HoldState.RESERVED, HoldState.DISPATCHED}),
    "commit": frozenset({HoldState.DISPATCHED, HoldState.ASSUMED_SPENT, HoldState.RELEASED, HoldState.EXPIRED}),
    "release": frozenset({HoldState.RESERVED, HoldState.DISPATCHED}),
    "resolve": frozenset({HoldState.ASSUMED_SPENT}),
    "refund": frozenset({HoldState.SETTLED}),
}
"""From which states each step may be taken; every other pair is refused or is a repeat."""

REPEATED: dict[str, frozenset[HoldState]] = {
    "dispatch": frozenset({HoldState.DISPATCHED}),
    "commit": frozenset({HoldState.SETTLED}),
    "release": frozenset({HoldState.RELEASED}),
}
"""In which states a step is taken for a repeat of itself (a `Resolve` in the state that it asks for)."""


def find(run: Run, hold: str, step: str) -> HoldRow | None:
    """The hold if `step` may be taken now; otherwise notes the failure, or the first answer of a repeat."""
    row = run.state.hold(hold)
    if row is None:
        run.fail(FailureCode.UNKNOWN_HOLD)
    elif run.pending and any(type(plan) is tuple and plan[0] is row for _, plan in run.pending):
        run.fail(FailureCode.WRONG_STATE, detail="another operation of this batch changes it")
    elif row.state in PERMITTED[step]:
        return row
    elif row.state in REPEATED.get(step, ()):
        run.views.extend(row.last.views if row.last is not None else ())
    else:
        run.fail(FailureCode.WRONG_STATE, detail=row.state.value)
    return None


def are_amounts(run: Run, amounts: dict[str, int]) -> bool:
    """Whether all of them are amounts at all; notes the failure."""
    for unit, amount in amounts.items():
        if not 0 <= amount <= MAX_AMOUNT:
            run.fail(FailureCode.TOO_MUCH, detail=f"{unit}: {amount}")
            return False
    return True


def judge_dispatch(run: Run, op: Dispatch) -> None:
    """reserved → dispatched."""
    if (row := find(run, op.hold, "dispatch")) is not None:
        run.pending.append((_dispatch, (row,)))


def _dispatch(run: Run, plan: tuple[HoldRow]) -> None:
    (row,) = plan
    row.state = HoldState.DISPATCHED
    row.last = Applied((), run.now_us)
    run.state.dirty_holds.add(row.id)
    _note(run.state, row, HoldState.RESERVED, run.now_us, what="dispatch")


def judge_extend(run: Run, op: Extend) -> None:
    """Keep it alive longer and, if there is room in every cell, hold more."""
    row = find(run, op.hold, "extend")
    if row is None or not are_amounts(run, op.more):
        return
    for index, entry in enumerate(row.entries):
        more = op.more.get(entry.unit, 0)
        if not more:
            continue
        cell = run.state.cells[entry.key]
        used, held = cell.figures(row.periods[index], run.steady_us)
        before = used + held
        full = before + more > entry.max
        if full and is_out_of_range(entry, more, before):
            run.fail(FailureCode.TOO_MUCH, entry=index)
        elif entry.on_full is OnFull.REFUSE and (full or cell.frozen):
            run.fail(FailureCode.FROZEN if cell.frozen else FailureCode.FULL, entry=index)
        elif full and entry.on_full is OnFull.EXCEED:
            more = within(entry, more, before)
        run.views.append(View(run.index, index, before, used, held + more, entry.max, 0, full))
    run.pending.append((_extend, (row, op)))


def _extend(run: Run, plan: tuple[HoldRow, Extend]) -> None:
    row, op = plan
    state = run.state
    row.expires_us = max(row.expires_us, run.now_us + op.ttl_us)
    state.live.enter(row.id, row.expires_us)
    for index, entry in enumerate(row.entries):
        cell = state.cells[entry.key]
        cell.enter(row.id, row.expires_us)
        if more := op.more.get(entry.unit, 0):
            _hold_more(run, row, index, more)
            state.dirty_cells.add(entry.key)
    state.dirty_holds.add(row.id)


def _hold_more(run: Run, row: HoldRow, index: int, more: int) -> None:
    entry, period, end_us = row.entries[index], row.periods[index], row.ends_us[index]
    cell = run.state.cells[entry.key]
    fits = more
    if entry.on_full is OnFull.EXCEED:
        fits = within(entry, more, cell.taken(period, run.steady_us))
    if fits < more:
        row.over = row.over or [0] * len(row.entries)
        over = cell.add_over(period, more - fits, end_us)
        row.over[index] += over
        more = fits + over
    cell.add_held(period, fits, end_us)
    row.amounts[index] += more


def judge_commit(run: Run, op: Commit) -> None:
    """Book the actual. A hold that was let go, or that nobody remembers, is booked late."""
    if op.entries and run.state.hold(op.hold) is None:
        if are_amounts(run, op.actuals):
            run.pending.append((_commit_unknown, (op, run.index)))
    elif (row := find(run, op.hold, "commit")) is not None and are_amounts(run, op.actuals):
        run.pending.append((_commit, (row, op, run.index)))


def _commit_unknown(run: Run, plan: tuple[Commit, int]) -> None:
    op, index = plan
    places = [locate(entry.window, now_us=run.now_us, steady_us=run.steady_us) for entry in op.entries]
    row = HoldRow(
        op.hold,
        HoldState.EXPIRED,
        run.now_us,
        run.now_us,
        op.entries,
        [period for period, _ in places],
        [end_us for _, end_us in places],
        [entry.amount for entry in op.entries],
    )
    run.state.holds[op.hold] = row
    _commit(run, (row, op, index))


def _commit(run: Run, plan: tuple[HoldRow, Commit, int]) -> None:
    row, op, index = plan
    late = row.state is not HoldState.DISPATCHED
    if row.begin_key is not None:
        run.state.answer_begun(row.begin_key, row.id, op.answer if op.answer is not None else b"", run.now_us)
    _end(run, row, HoldState.SETTLED, _actuals(row, op.actuals), what="commit", late=late)
    _answer(run, row, index)
    for count in op.then:
        book_count(run, count)


def _actuals(row: HoldRow, actuals: dict[str, int]) -> list[int]:
    return [_actual(entry, held, actuals) for entry, held in zip(row.entries, row.amounts, strict=True)]


def _actual(entry: HoldEntry, held: int, actuals: dict[str, int]) -> int:
    if entry.at_commit is AtCommit.ACTUAL:
        return actuals.get(entry.unit, held)
    return held if entry.at_commit is AtCommit.KEEP else 0


def judge_release(run: Run, op: Release) -> None:
    """It is known that nothing happened: free everything."""
    if (row := find(run, op.hold, "release")) is not None:
        run.pending.append((_release, (row, op, run.index)))


def _release(run: Run, plan: tuple[HoldRow, Release, int]) -> None:
    row, op, index = plan
    row.evidence = op.evidence
    _free(run, row, HoldState.RELEASED, what="release")
    _answer(run, row, index)


def judge_resolve(run: Run, op: Resolve) -> None:
    """An assumed-spent hold gets its true outcome."""
    row = run.state.hold(op.hold)
    wanted = HoldState.SETTLED if op.outcome is ResolveAs.SPENT else HoldState.RELEASED
    if row is not None and row.state is wanted:
        run.views.extend(row.last.views if row.last is not None else ())
    elif (row := find(run, op.hold, "resolve")) is not None and are_amounts(run, op.actuals):
        run.pending.append((_resolve, (row, op, run.index)))


def _resolve(run: Run, plan: tuple[HoldRow, Resolve, int]) -> None:
    row, op, index = plan
    if op.outcome is ResolveAs.SPENT:
        if row.begin_key is not None:
            run.state.answer_begun(row.begin_key, row.id, b"", run.now_us)
        _end(run, row, HoldState.SETTLED, _actuals(row, op.actuals), what="resolve", late=True)
    else:
        _free(run, row, HoldState.RELEASED, what="resolve", late=True)
    _answer(run, row, index)


def judge_expire(run: Run, op: Expire) -> None:
    """Sweep what is due; or end the named hold, which must be one that is known."""
    if op.hold is None:
        run.pending.append((_sweep, op))
    elif (row := run.state.hold(op.hold)) is None:
        run.fail(FailureCode.UNKNOWN_HOLD)
    elif row.live and find(run, op.hold, "extend") is not None:
        run.pending.append((_expire, (row, op)))


def _sweep(run: Run, op: Expire) -> None:
    for hold in run.state.live.due(run.now_us, op.limit):
        expire(run, hold)


def _expire(run: Run, plan: tuple[HoldRow, Expire]) -> None:
    row, op = plan
    expire(run, row.id)
    for count in op.then:
        book_count(run, count)


def expire(run: Run, hold: str) -> None:
    """A due hold: one that never left frees everything, one that did is assumed to have been spent in full."""
    row = run.state.holds[hold]
    if row.state is HoldState.RESERVED:
        _free(run, row, HoldState.EXPIRED, what="expire")
        return
    amounts = [
        amount if entry.at_expiry is AtExpiry.SPEND else 0
        for entry, amount in zip(row.entries, row.amounts, strict=True)
    ]
    _end(run, row, HoldState.ASSUMED_SPENT, amounts, what="expire")


def _free(run: Run, row: HoldRow, after: HoldState, *, what: str, late: bool = False) -> None:
    """Nothing came of it: its idempotency key and everything it held are free again."""
    if row.begin_key is not None:
        run.state.forget_begun(row.begin_key, row.id)
    _end(run, row, after, [0] * len(row.entries), what=what, late=late)


def _end(run: Run, row: HoldRow, after: HoldState, amounts: list[int], *, what: str, late: bool = False) -> None:
    """Leave `row`'s present state for `after`, with `amounts` booked in its cells."""
    state, before, live = run.state, row.state, row.live
    booked: list[int] = []
    over: list[int] = []
    frozen: list[str] = []
    for index, entry in enumerate(row.entries):
        amount, period, end_us = amounts[index], row.periods[index], row.ends_us[index]
        cell = state.cells.get(entry.key) or cell_of(state, entry.key, entry.window, run.now_us)
        stands = _let_go(cell, row, index) if live else _take_out(run, cell, row, index)
        fits = amount
        if amount > stands:
            most = MAX_AMOUNT if entry.on_full is OnFull.OBSERVE else entry.max
            fits = min(amount, max(stands, most - cell.taken(period, run.steady_us)))
        if fits:
            cell.add_used(period, fits, end_us)
        if fits < amount:
            amount = fits + cell.add_over(period, amount - fits, end_us)
            if entry.on_full is OnFull.REFUSE:
                cell.frozen = True
                frozen.append(entry.key)
        booked.append(fits)
        over.append(amount - fits)
        state.dirty_cells.add(entry.key)
    state.live.leave(row.id)
    row.state, row.booked, row.over, row.ended_us = after, booked, over, run.now_us
    state.dirty_holds.add(row.id)
    _note(state, row, before, run.now_us, what=what, late=late, frozen=tuple(frozen))


def _let_go(cell: WindowCell, row: HoldRow, index: int) -> int:
    """Take what a live hold holds out of its cell, and answer how much that was (overage left out)."""
    stands, period, end_us = row.amounts[index], row.periods[index], row.ends_us[index]
    if row.over is not None and (over := row.over[index]):
        cell.add_over(period, -over, end_us)
        stands -= over
    cell.add_held(period, -stands, end_us)
    cell.leave(row.id)
    return stands


def _take_out(run: Run, cell: WindowCell, row: HoldRow, index: int) -> int:
    """The same for what an ended hold has booked (nothing, if nobody remembers the hold)."""
    if row.booked is None or row.over is None:
        return 0
    cell.taken(row.periods[index], run.steady_us)
    take_back(cell, row, index, used=row.booked[index], over=row.over[index])
    return row.booked[index]


def take_back(cell: WindowCell, row: HoldRow, index: int, *, used: int, over: int) -> None:
    """Undo bookings as far as the cell still remembers their period."""
    period, end_us = row.periods[index], row.ends_us[index]
    if used and cell.reaches(period):
        cell.add_used(period, -used, end_us)
    if over and cell.over(period):
        cell.add_over(period, -over, end_us)


def _note(
    state: Ledger,
    row: HoldRow,
    before: HoldState,
    now_us: int,
    *,
    what: str,
    late: bool = False,
    frozen: tuple[str, ...] = (),
) -> None:
    over = row.over if row.over is not None and any(row.over) else None
    overage = {unit: amount for unit, amount in row.per_unit(over).items() if amount} if over is not None else {}
    actuals = row.per_unit(cost_of(row) if over is not None else row.booked) if row.booked is not None else {}
    state.steps.append(
        Step(row.id, before, row.state, actuals, overage, frozen, late, now_us, what, evidence=row.evidence)
    )


def _answer(run: Run, row: HoldRow, index: int) -> None:
    """Say how the hold's cells stand now, and keep the answer for a repeat of the step."""
    views = []
    for entry_index, entry in enumerate(row.entries):
        used, held = run.state.cells[entry.key].figures(row.periods[entry_index], run.steady_us)
        views.append(View(index, entry_index, used + held, used, held, entry.max, 0))
    run.views.extend(views)
    row.last = Applied(tuple(views), run.now_us)


def cost_of(row: HoldRow) -> list[int]:
    """What an ended hold came to cost, entry by entry."""
    assert row.booked is not None
    assert row.over is not None
    return [booked + over for booked, over in zip(row.booked, row.over, strict=True)]
