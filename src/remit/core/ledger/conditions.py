"""What must be true for a call to be looked at any further: gates, hours, outcome counters, proofs, idempotency keys."""

from remit.core.ledger.cells.window import locate, reset_us
from remit.core.ledger.operations import (
    FOREVER_US,
    Begin,
    Calendar,
    Check,
    FailureCode,
    Gate,
    Once,
    OnFull,
    Replayed,
    Rung,
    SetGate,
    View,
    Within,
)
from remit.core.ledger.run import Run
from remit.core.ledger.state import BegunRow, GateRow


def judge_gate(run: Run, gate: Gate) -> None:
    """Refuse at a closed gate; a throttled one slows the paces of the batch."""
    row = run.state.gates.get(gate.key)
    if row is None or row.until_us <= run.now_us or row.rung is Rung.OPEN:
        return
    if row.rung is Rung.THROTTLED:
        run.factor_permille = min(run.factor_permille, row.factor_permille)
        return
    opens_us = row.until_us if row.until_us < FOREVER_US else 0
    if row.rung is not Rung.CHALLENGED:
        run.fail(FailureCode.CLOSED, retry_at_us=opens_us, detail=row.reason or row.rung.name.lower())
    elif gate.presented < 1:
        run.fail(FailureCode.CHALLENGED, retry_at_us=opens_us, detail=row.reason)


def judge_set_gate(run: Run, change: SetGate) -> None:
    """Refuse a change that was meant for another version of the gate."""
    version = _version(run, change.key)
    if change.if_version is not None and change.if_version != version:
        run.fail(FailureCode.WRONG_VERSION, detail=f"version is {version}")
    else:
        run.pending.append((set_gate, change))


def set_gate(run: Run, change: SetGate) -> None:
    """Move the gate; where a window cell has that key, freeze or thaw it (`is_frozen` looks at both)."""
    state = run.state
    version = _version(run, change.key) + 1
    state.gates[change.key] = GateRow(change.rung, change.factor_permille, change.until_us, version, change.reason)
    state.dirty_gates.add(change.key)
    cell = state.cells.get(change.key)
    if cell is not None:
        cell.frozen = change.rung >= Rung.DENIED
        state.dirty_cells.add(change.key)


def set_gate_if_current(run: Run, change: SetGate) -> None:
    """The same where nothing may fail: a change that was meant for another version is left out."""
    if change.if_version is None or change.if_version == _version(run, change.key):
        set_gate(run, change)


def _version(run: Run, key: str) -> int:
    row = run.state.gates.get(key)
    return row.version if row is not None else 0


def judge_within(run: Run, within: Within) -> None:
    """Refuse outside the hours."""
    now_us = run.now_us
    for span in within.spans:
        if span.start_us <= now_us < span.end_us:
            return
    opens_us = min((span.start_us for span in within.spans if span.start_us > now_us), default=0)
    run.fail(FailureCode.OUTSIDE, retry_at_us=opens_us)


def judge_check(run: Run, check: Check) -> None:
    """Refuse where a counter that outcomes feed stands too high."""
    now_us, steady_us = run.now_us, run.steady_us
    cell = run.state.cells.get(check.key)
    period, _ = locate(check.window, now_us=now_us, steady_us=steady_us)
    used = cell.figures(period, steady_us)[0] if cell is not None else 0
    full = used >= check.below
    need = used - check.below + 1 if full else 1
    retry_us = reset_us(cell, check.window, now_us=now_us, steady_us=steady_us, need=need)
    if check.on_full is OnFull.REFUSE:
        if not run.state.clock_sure and type(check.window) is Calendar:
            run.fail(FailureCode.CLOCK_UNSURE)
        elif full:
            run.fail(FailureCode.FULL, retry_at_us=retry_us)
    run.views.append(View(run.index, -1, used, used, 0, check.below, retry_us, over=full))


def judge_once(run: Run, once: Once) -> None:
    """Refuse what was seen before, and what is so old that it may have been seen and forgotten."""
    if once.not_after_us < run.now_us or once.not_after_us <= run.state.seen_floor_us:
        run.fail(FailureCode.TOO_LATE)
    elif run.state.seen.get(once.key, -1) >= run.now_us:
        run.fail(FailureCode.REPLAYED)
    else:
        run.pending.append((_see, once))


def _see(run: Run, once: Once) -> None:
    run.state.see(once.key, once.not_after_us, run.now_us)


def judge_begin(run: Run, begin: Begin) -> None:
    """The first call with this key goes on; a repeat gets the first one's answer, or a conflict."""
    row = run.state.begun.get(begin.key)
    if row is None or (row.answer is not None and row.expires_us <= run.now_us):
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
    run.state.begin(begin.key, BegunRow(begin.fingerprint, run.batch.id, run.now_us + begin.ttl_us), run.now_us)
