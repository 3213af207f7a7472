"""The life of a hold after its admission: dispatch, extend, commit, release, expire, resolve, refund.

Each step happens once. A repeated step answers what the first one answered and changes nothing; a step that the
table does not permit fails. What was held is always there to be spent, so a commit at or below its hold fits by
construction; above it, what room there is is booked and the rest is overage, which freezes a refusing cell.
"""

from remit.core.ledger.cells.window import KEEP_PERIODS_US, fresh_cell, locate
from remit.core.ledger.operations import (
    Applied,
    AtCommit,
    AtExpiry,
    Commit,
    Count,
    Dispatch,
    Extend,
    FailureCode,
    HoldEntry,
    HoldState,
    OnFull,
    Refund,
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
    "resolve": frozenset({HoldState.SETTLED, HoldState.RELEASED}),
}
"""In which states a step is taken for a repeat of itself."""


def _find(run: Run, hold: str, step: str) -> HoldRow | None:
    """The hold if `step` may be taken now; otherwise notes the failure, or the first answer of a repeat."""
    row = run.state.hold(hold)
    if row is None:
        run.fail(FailureCode.UNKNOWN_HOLD)
    elif row.state in PERMITTED[step]:
        return row
    elif row.state in REPEATED.get(step, ()):
        run.views.extend(row.last.views if row.last is not None else ())
    else:
        run.fail(FailureCode.WRONG_STATE, detail=row.state.value)
    return None


def judge_dispatch(run: Run, op: Dispatch) -> None:
    """reserved → dispatched."""
    if (row := _find(run, op.hold, "dispatch")) is not None:
        run.pending.append((_dispatch, row))


def _dispatch(run: Run, row: HoldRow) -> None:
    row.state = HoldState.DISPATCHED
    row.last = Applied((), run.now_us)
    run.state.dirty_holds.add(row.id)
    _note(run.state, row, HoldState.RESERVED, run.now_us, what="dispatch")


def judge_extend(run: Run, op: Extend) -> None:
    """Keep it alive longer and, if there is room in every cell, hold more."""
    row = _find(run, op.hold, "extend")
    if row is None:
        return
    for index, entry in enumerate(row.entries):
        more = op.more.get(entry.unit, 0)
        cell = run.state.cells.get(entry.key)
        if not more or cell is None:
            continue
        used, held = cell.figures(row.periods[index], run.now_us)
        if entry.on_full is OnFull.REFUSE and (cell.frozen or used + held + more > entry.max):
            code = FailureCode.FROZEN if cell.frozen else FailureCode.FULL
            run.failures.append(run.failure(code, entry=index))
        run.views.append(View(run.index, index, used + held, used, held + more, entry.max, 0))
    run.pending.append((_extend, row, op))


def _extend(run: Run, row: HoldRow, op: Extend) -> None:
    state = run.state
    row.expires_us = max(row.expires_us, run.now_us + op.ttl_us)
    state.live.enter(row.id, row.expires_us)
    for index, entry in enumerate(row.entries):
        cell = state.cells[entry.key]
        cell.enter(row.id, row.expires_us)
        if more := op.more.get(entry.unit, 0):
            cell.add_held(row.periods[index], more, row.ends_us[index])
            row.amounts[index] += more
            state.dirty_cells.add(entry.key)
    state.dirty_holds.add(row.id)


def judge_commit(run: Run, op: Commit) -> None:
    """Book the actual. A hold that was let go, or that nobody remembers, is booked late."""
    if op.entries and run.state.hold(op.hold) is None:
        run.pending.append((_commit_unknown, op))
    elif (row := _find(run, op.hold, "commit")) is not None:
        run.pending.append((_commit, row, op))


def _commit_unknown(run: Run, op: Commit) -> None:
    places = [locate(entry.window, run.now_us) for entry in op.entries]
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
    _commit(run, row, op)


def _commit(run: Run, row: HoldRow, op: Commit) -> None:
    before = row.state
    late = before is not HoldState.DISPATCHED
    amounts = [_actual(entry, row.amounts[i], op.actuals) for i, entry in enumerate(row.entries)]
    if row.begin_key is not None and (begun := run.state.begun.get(row.begin_key)) is not None:
        begun.answer = op.answer if op.answer is not None else b""
        run.state.dirty_begun.add(row.begin_key)
    _end(run.state, row, HoldState.SETTLED, amounts, run.now_us, what="commit", late=late)
    run.views.extend(_views(run, row))
    row.last = Applied(tuple(run.views), run.now_us)
    _count_outcomes(run, op.then)


def _actual(entry: HoldEntry, held: int, actuals: dict[str, int]) -> int:
    if entry.at_commit is AtCommit.ACTUAL:
        return actuals.get(entry.unit, held)
    return held if entry.at_commit is AtCommit.KEEP else 0


def _count_outcomes(run: Run, counts: tuple[Count, ...]) -> None:
    for count in counts:
        period, end_us = locate(count.window, run.now_us)
        cell = run.state.cells.setdefault(count.key, fresh_cell(count.window))
        cell.taken(period, run.now_us)
        cell.add_used(period, count.n, end_us)
        run.state.dirty_cells.add(count.key)


def judge_release(run: Run, op: Release) -> None:
    """It is known that nothing happened: free everything."""
    if (row := _find(run, op.hold, "release")) is not None:
        run.pending.append((_release, row, op))


def _release(run: Run, row: HoldRow, op: Release) -> None:
    row.evidence = op.evidence
    _forget_begun(run.state, row)
    _end(run.state, row, HoldState.RELEASED, [0] * len(row.entries), run.now_us, what="release")
    run.views.extend(_views(run, row))
    row.last = Applied(tuple(run.views), run.now_us)


def judge_resolve(run: Run, op: Resolve) -> None:
    """An assumed-spent hold gets its true outcome."""
    if (row := _find(run, op.hold, "resolve")) is not None:
        run.pending.append((_resolve, row, op))


def _resolve(run: Run, row: HoldRow, op: Resolve) -> None:
    if op.outcome is ResolveAs.SPENT:
        amounts = [_actual(entry, row.amounts[i], op.actuals) for i, entry in enumerate(row.entries)]
        _end(run.state, row, HoldState.SETTLED, amounts, run.now_us, what="resolve", late=True)
        if row.begin_key is not None and (begun := run.state.begun.get(row.begin_key)) is not None:
            begun.answer = b""
            run.state.dirty_begun.add(row.begin_key)
    else:
        _forget_begun(run.state, row)
        _end(run.state, row, HoldState.RELEASED, [0] * len(row.entries), run.now_us, what="resolve", late=True)
    run.views.extend(_views(run, row))
    row.last = Applied(tuple(run.views), run.now_us)


def expire(state: Ledger, row: HoldRow, now_us: int) -> None:
    """A due hold: one that never left frees everything, one that did is assumed to have been spent in full."""
    if row.state is HoldState.RESERVED:
        _forget_begun(state, row)
        _end(state, row, HoldState.EXPIRED, [0] * len(row.entries), now_us, what="expire")
        return
    amounts = [
        amount if entry.at_expiry is AtExpiry.SPEND else 0
        for entry, amount in zip(row.entries, row.amounts, strict=True)
    ]
    _end(state, row, HoldState.ASSUMED_SPENT, amounts, now_us, what="expire")


def _end(
    state: Ledger, row: HoldRow, after: HoldState, amounts: list[int], now_us: int, *, what: str, late: bool = False
) -> None:
    """Leave `row`'s present state for `after`, with `amounts` booked in its cells."""
    before, frozen = row.state, []
    promised = before in (HoldState.RESERVED, HoldState.DISPATCHED, HoldState.ASSUMED_SPENT)
    booked, over = [], []
    for index, entry in enumerate(row.entries):
        cell = state.cells.get(entry.key)
        if cell is None:
            cell = state.cells[entry.key] = fresh_cell(entry.window)
        period, end_us = row.periods[index], row.ends_us[index]
        if row.live:
            cell.add_held(period, -row.amounts[index], end_us)
            cell.leave(row.id)
        elif row.booked is not None and row.over is not None:
            cell.add_used(period, -row.booked[index], end_us)
            cell.add_over(period, -row.over[index], end_us)
        fits = _fits(entry, amounts[index], entry.max - cell.taken(period, now_us), row.amounts[index] * promised)
        cell.add_used(period, fits, end_us)
        cell.add_over(period, amounts[index] - fits, end_us)
        if fits < amounts[index] and entry.on_full is OnFull.REFUSE:
            cell.frozen = True
            frozen.append(entry.key)
        booked.append(fits)
        over.append(amounts[index] - fits)
        state.dirty_cells.add(entry.key)
    state.live.leave(row.id)
    row.state, row.booked, row.over, row.ended_us = after, booked, over, now_us
    state.dirty_holds.add(row.id)
    _note(state, row, before, now_us, what=what, late=late, frozen=tuple(frozen))


def _fits(entry: HoldEntry, amount: int, room: int, promised: int) -> int:
    """How much of `amount` is booked as spent; the rest is overage."""
    if entry.on_full is OnFull.OBSERVE:
        return amount
    if entry.on_full is OnFull.EXCEED:
        return min(amount, max(0, room))
    return min(amount, max(promised, room))


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
    totals = [b + o for b, o in zip(row.booked, row.over, strict=True)] if row.booked and row.over else []
    actuals = row.per_unit(totals) if totals else {}
    over = {unit: n for unit, n in row.per_unit(row.over).items() if n} if row.over else {}
    state.steps.append(
        Step(row.id, before, row.state, actuals, over, frozen, late, now_us, what, evidence=row.evidence)
    )


def _views(run: Run, row: HoldRow) -> list[View]:
    found = []
    for index, entry in enumerate(row.entries):
        used, held = run.state.cells[entry.key].figures(row.periods[index], run.now_us)
        found.append(View(run.index, index, used + held, used, held, entry.max, 0))
    return found


def _forget_begun(state: Ledger, row: HoldRow) -> None:
    if row.begin_key is not None and state.begun.pop(row.begin_key, None) is not None:
        state.dirty_begun.add(row.begin_key)


def judge_refund(run: Run, op: Refund) -> None:
    """Give back part of what was booked: never more than was, once for each refund id, within 35 days."""
    row = _find(run, op.hold, "refund")
    if row is None or op.refund in row.refunds:
        return
    assert row.booked is not None
    assert row.over is not None
    if run.now_us > row.ended_us + KEEP_PERIODS_US:
        run.fail(FailureCode.TOO_LATE)
        return
    left = row.per_unit([b + o for b, o in zip(row.booked, row.over, strict=True)])
    if any(amount < 0 or amount > left.get(unit, 0) for unit, amount in op.amounts.items()):
        run.fail(FailureCode.TOO_MUCH, detail=", ".join(f"{unit}: {amount}" for unit, amount in left.items()))
        return
    run.pending.append((_refund, row, op))


def _refund(run: Run, row: HoldRow, op: Refund) -> None:
    assert row.booked is not None
    assert row.over is not None
    for index, entry in enumerate(row.entries):
        amount = min(op.amounts.get(entry.unit, 0), row.booked[index] + row.over[index])
        from_over = min(amount, row.over[index])
        cell = run.state.cells.get(entry.key)
        if cell is not None and cell.reaches(row.periods[index]):
            cell.add_over(row.periods[index], -from_over, row.ends_us[index])
            cell.add_used(row.periods[index], from_over - amount, row.ends_us[index])
        row.over[index] -= from_over
        row.booked[index] -= amount - from_over
        run.state.dirty_cells.add(entry.key)
    row.refunds[op.refund] = op.amounts
    run.state.dirty_holds.add(row.id)
    _note(run.state, row, HoldState.SETTLED, run.now_us, what="refund")
