"""Views: true figures from before and after the step, of admitted and of refused batches alike; and bounded memory."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remit.core.ledger import operations as ops
from remit.core.ledger.cells.window import KEEP_PERIODS_US, PeriodCell, RollingCell
from remit.core.ledger.interpreter import apply
from remit.core.ledger.state import Ledger
from remit.testing.programs import Program
from tests.ledger.desk import DAY_US, MINUTE_US, SECOND_US, T0_US, TTL_US, Desk, entry, hold, periods, snapshot


def figures(ledger: Ledger, key: str, window: ops.Window, now_us: int) -> tuple[int, int]:
    """`(used, held)` in the window of now."""
    cell = ledger.cells.get(key)
    period = 0
    if isinstance(window, ops.Calendar):
        period = window.current.start_us if now_us < window.current.end_us else window.next.start_us
    return cell.figures(period, ledger.steady_us(now_us)) if cell is not None else (0, 0)


@given(seed=st.integers(0, 2**32), steps=st.integers(1, 40))
def test_views_carry_the_figures_of_before_and_after_the_step(seed: int, steps: int) -> None:
    program, ledger, now_us = Program(seed), Ledger(), T0_US
    for step in range(steps):
        now_us += program.wait_us()
        admit = tuple(op for op in program.batch(now_us).admit if isinstance(op, ops.Hold | ops.Take | ops.Within))
        apply(ledger, ops.Batch(f"sweep {step}", (ops.Expire(1_000),)), now_us)
        flat = [(i, e, one) for i, op in enumerate(admit) for e, one in enumerate(getattr(op, "entries", (op,)))]
        charged = {(i, e if isinstance(admit[i], ops.Hold) else -1): one for i, e, one in flat}
        before = {p: figures(ledger, c.key, c.window, now_us) for p, c in charged.items() if hasattr(c, "window")}
        outcome = apply(ledger, ops.Batch(f"views {step}", admit), now_us)
        assert isinstance(outcome, ops.Applied | ops.Refused)
        assert {(view.index, view.entry) for view in outcome.views} == set(before)
        for view in outcome.views:
            rule = charged[view.index, view.entry]
            assert view.before == sum(before[view.index, view.entry])
            assert (view.used, view.held) == figures(ledger, rule.key, rule.window, now_us)
            assert view.max == rule.max


def test_a_view_says_when_more_room_comes_by_itself() -> None:
    desk = Desk()
    today, window = periods(desk.now_us, every_us=DAY_US), ops.Rolling(MINUTE_US)
    desk.applied(ops.Take("rolling", window, 9))
    charges = (ops.Take("rolling", window, 9), ops.Take("today", today, 9), ops.Take("life", ops.Life(), 9))
    resets = [view.reset_us for view in desk.applied(*charges).views]
    assert resets == [T0_US + 61 * SECOND_US, today.current.end_us, 0]
    entries = (entry("rolling", 9, window=window), entry("today", 9, window=today), entry("life", 9))
    assert [view.reset_us for view in desk.applied(hold(*entries)).views] == resets


def test_a_refused_pace_or_wait_is_not_counted_in_its_view() -> None:
    desk = Desk()
    pace = ops.Pace("p", SECOND_US, 2, max_wait_us=9 * SECOND_US)
    for _ in range(3):
        desk.applied(pace)
    outcome = desk.send(pace, ops.Within(()))
    assert isinstance(outcome, ops.Refused)
    (view,) = outcome.views
    assert (view.before, view.used, view.wait_us) == (2, 2, 0)


def test_a_refusal_names_every_failing_entry_in_the_order_of_the_batch() -> None:
    desk = Desk()
    desk.applied(ops.SetGate("g", ops.Rung.REVOKED))
    outcome = desk.send(ops.Gate("g"), ops.Take("a", ops.Life(), 0), hold(entry("b", 5), entry("c", 0), entry("d", 0)))
    assert isinstance(outcome, ops.Refused)
    assert [(f.index, f.entry) for f in outcome.failures] == [(0, -1), (1, -1), (2, 1), (2, 2)]


def test_what_can_never_fit_names_no_time_to_try_again() -> None:
    desk = Desk()
    window = ops.Rolling(MINUTE_US)
    desk.applied(ops.Take("c", window, 5, 5))
    for charge in (ops.Take("c", window, 5, 6), hold(entry("c", 5, 6, window=window))):
        outcome = desk.send(charge)
        assert isinstance(outcome, ops.Refused)
        assert outcome.failures[0].retry_at_us == 0


def test_a_rolling_cell_keeps_at_most_its_buckets() -> None:
    desk = Desk()
    window = ops.Rolling(MINUTE_US)
    for _ in range(500):
        desk.now_us += SECOND_US // 3
        desk.applied(ops.Take("c", window, 10_000))
    cell = desk.ledger.cells["c"]
    assert isinstance(cell, RollingCell)
    assert len(cell.buckets) <= ops.ROLLING_BUCKETS + 1
    desk.now_us += 2 * MINUTE_US
    assert cell.forget(desk.now_us)


def test_ended_periods_are_kept_as_long_as_a_hold_or_a_refund_can_reach_them() -> None:
    desk = Desk()
    today = periods(desk.now_us, every_us=DAY_US)
    desk.applied(hold(entry("c", 9, 1, window=today), ttl_us=90 * DAY_US), id_="long")
    cell = desk.ledger.cells["c"]
    assert isinstance(cell, PeriodCell)
    desk.now_us = today.current.end_us + KEEP_PERIODS_US + 1
    assert not cell.forget(desk.now_us)
    desk.applied(ops.Commit("long"))
    assert cell.periods
    assert cell.forget(desk.now_us)
    assert not cell.periods


def test_an_idle_cell_that_overage_froze_is_not_forgotten() -> None:
    desk = Desk()
    window = ops.Rolling(MINUTE_US)
    desk.hold("h", entry("c", 1, 1, window=window))
    desk.applied(ops.Commit("h", {"USD": 2}))
    assert not desk.ledger.cells["c"].forget(desk.now_us + DAY_US)


def test_a_thousand_due_holds_are_looked_for_once_and_not_by_every_batch() -> None:
    desk = Desk()
    desk.applied(ops.Count("c", ops.Life()))
    for index in range(1_000):
        desk.hold(f"h{index}", entry("c", 2_000))
    desk.now_us += TTL_US
    cell = desk.ledger.cells["c"]
    looked = 0

    class Watched(dict[str, int]):
        def items(self):  # type: ignore[no-untyped-def] # counts the searches through everything that is held
            nonlocal looked
            looked += 1
            return super().items()

    cell.live = Watched(cell.live)
    for _ in range(2 * 1_000 // 8):
        desk.applied(hold(entry("c", 9_000, 0), ttl_us=DAY_US))
    assert not any(row.live and row.expires_us <= desk.now_us for row in desk.ledger.holds.values())
    assert looked <= 4


def test_the_interpreter_forgets_nothing_that_an_index_was_rebuilt_from() -> None:
    program, ledger, now_us = Program(7), Ledger(), T0_US
    for _ in range(200):
        now_us += program.wait_us() // 7
        apply(ledger, program.batch(now_us), now_us)
    standing = {key: dict(cell.live) for key, cell in ledger.cells.items()}
    live = dict(ledger.live.live)
    assert live
    for cell in ledger.cells.values():
        cell.enter("somebody who left long ago", now_us)
    ledger.reindex()
    assert ledger.live.live == live
    assert {key: cell.live for key, cell in ledger.cells.items()} == standing


def _kept(ledger: Ledger, now_us: int) -> dict[str, Any]:
    """What is written down: all but the indexes, which are rebuilt."""
    state = snapshot(ledger, now_us)
    return {**state, "cells": {key: (inside, frozen) for key, (inside, frozen, _) in state["cells"].items()}}


# F1
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 40))
def test_everything_that_a_step_changes_is_noted_for_whoever_writes_it_down(seed: int, steps: int) -> None:
    program, ledger, now_us = Program(seed), Ledger(), T0_US
    for _ in range(steps):
        now_us += program.wait_us() - (DAY_US if now_us % 97 == 0 else 0)
        before = _kept(ledger, now_us)
        apply(ledger, program.batch(now_us), now_us)
        after = _kept(ledger, now_us)
        for table in ("cells", "paces", "gates", "seen", "begun", "holds"):
            keys = before[table].keys() | after[table].keys()
            changed = {key for key in keys if before[table].get(key) != after[table].get(key)}
            assert changed <= getattr(ledger, f"dirty_{table}"), table
        ended = {
            hold for hold, row in after["holds"].items() if row["state"] != before["holds"].get(hold, row)["state"]
        }
        assert ended <= {step.hold for step in ledger.steps}
        ledger.clear_dirty()
        assert not any(getattr(ledger, f"dirty_{table}") for table in before if hasattr(ledger, f"dirty_{table}"))
