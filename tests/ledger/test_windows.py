"""Windows over time (invariants E3, E1): rolling ones by brute force over all intervals, calendar ones at their edges."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.ledger import operations as ops
from remit.core.ledger.interpreter import apply
from remit.core.ledger.operations import FailureCode
from remit.core.ledger.state import Ledger
from tests.ledger.desk import DAY_US, HOUR_US, SECOND_US, T0_US, Desk, entry, hold, periods

widths = st.sampled_from([1, 59, 60, 61, 1_000, 59_999, 60_000, 7_777_777, HOUR_US])
gaps = st.lists(st.fractions(0, 2, max_denominator=240), min_size=1, max_size=60)

Charge = Callable[[Desk, ops.Rolling, int, int], bool]


def by_attempt(desk: Desk, window: ops.Rolling, most: int, amount: int) -> bool:
    """Count for good."""
    return isinstance(desk.send(ops.Take("c", window, most, amount)), ops.Applied)


def by_call(desk: Desk, window: ops.Rolling, most: int, amount: int) -> bool:
    """Hold and commit at once."""
    id_ = f"h{desk.now_us}-{len(desk.ledger.holds)}"
    if isinstance(desk.send(hold(entry("c", most, amount, window=window)), id_=id_), ops.Refused):
        return False
    desk.applied(ops.Commit(id_))
    return True


def by_slow_call(desk: Desk, window: ops.Rolling, most: int, amount: int) -> bool:
    """Hold, and commit only when a later call comes."""
    id_ = f"h{desk.now_us}-{len(desk.ledger.holds)}"
    if isinstance(desk.send(hold(entry("c", most, amount, window=window), ttl_us=9 * HOUR_US), id_=id_), ops.Refused):
        return False
    for row in [row for row in desk.ledger.holds.values() if row.live and row.admitted_us < desk.now_us]:
        desk.applied(ops.Commit(row.id))
    return True


def most_in_any_interval(admitted: list[tuple[int, int]], width_us: int) -> int:
    """The largest sum over all intervals `[t, t + width_us]`: enough to look at those that begin with an admission."""
    return max((sum(n for at, n in admitted if start <= at <= start + width_us) for start, _ in admitted), default=0)


# E3
@pytest.mark.parametrize("charge", [by_attempt, by_call, by_slow_call])
@given(
    width_us=widths, waits=gaps, most=st.integers(1, 6), amounts=st.lists(st.integers(1, 3), min_size=60, max_size=60)
)
def test_no_interval_of_a_rolling_windows_length_holds_more_than_the_maximum(
    charge: Charge, width_us: int, waits: list[float], most: int, amounts: list[int]
) -> None:
    desk = Desk()
    window = ops.Rolling(width_us)
    admitted: list[tuple[int, int]] = []
    for wait, amount in zip(waits, amounts, strict=False):
        desk.now_us += int(wait * width_us)
        if charge(desk, window, most, amount):
            admitted.append((desk.now_us, amount))
    assert most_in_any_interval(admitted, width_us) <= most


# E3
@given(width_us=widths, offset_us=st.integers(0, HOUR_US))
def test_a_full_rolling_window_is_open_again_a_sixtieth_after_its_length_at_the_latest(
    width_us: int, offset_us: int
) -> None:
    desk = Desk()
    desk.now_us += offset_us
    window = ops.Rolling(width_us)
    began_us = desk.now_us
    desk.applied(ops.Take("c", window, 1))
    outcome = desk.send(ops.Take("c", window, 1))
    assert isinstance(outcome, ops.Refused)
    opens_us = outcome.failures[0].retry_at_us
    assert width_us < opens_us - began_us <= 61 * window.bucket_us
    desk.now_us = opens_us - 1
    assert desk.refused(ops.Take("c", window, 1)) == [FailureCode.FULL]
    desk.now_us = opens_us
    desk.applied(ops.Take("c", window, 1))


# E3
@given(waits=gaps, amounts=st.lists(st.integers(1, 4), min_size=60, max_size=60), need=st.integers(1, 9))
def test_the_time_at_which_room_comes_is_the_time_at_which_it_comes(
    waits: list[float], amounts: list[int], need: int
) -> None:
    desk = Desk()
    window = ops.Rolling(60 * SECOND_US)
    for wait, amount in zip(waits, amounts, strict=False):
        desk.now_us += int(wait * 20 * SECOND_US)
        desk.send(ops.Take("c", window, 9, amount))
    outcome = desk.send(ops.Take("c", window, 9, need))
    if isinstance(outcome, ops.Refused):
        desk.now_us = outcome.failures[0].retry_at_us - 1
        assert desk.refused(ops.Take("c", window, 9, need)) == [FailureCode.FULL]
        desk.now_us += 1
        desk.applied(ops.Take("c", window, 9, need))


def test_a_call_longer_than_its_rolling_window_is_held_until_it_ends_and_booked_when_it_began() -> None:
    desk = Desk()
    window = ops.Rolling(60 * SECOND_US)
    desk.applied(hold(entry("c", 5, 5, window=window), ttl_us=HOUR_US), id_="long")
    desk.now_us += 10 * 60 * SECOND_US
    outcome = desk.send(hold(entry("c", 5, 1, window=window)))
    assert isinstance(outcome, ops.Refused)
    assert outcome.failures[0].retry_at_us == 0
    desk.applied(ops.Commit("long"))
    desk.hold("next", entry("c", 5, 5, window=window))


def test_a_late_commit_within_the_rolling_window_counts_at_its_admission() -> None:
    desk = Desk()
    window = ops.Rolling(60 * SECOND_US)
    desk.hold("h", entry("c", 5, 5, window=window))
    desk.now_us += 50 * SECOND_US
    desk.applied(ops.Commit("h"))
    desk.now_us += 10 * SECOND_US
    assert desk.figures("c") == (5, 0, 0)
    desk.now_us += SECOND_US
    assert desk.figures("c") == (0, 0, 0)


# E1
@given(back_us=st.integers(1, 4 * DAY_US), waits=gaps, width_us=st.sampled_from([60 * SECOND_US, HOUR_US]))
def test_a_clock_ordered_back_reopens_no_rolling_window_and_keeps_none_shut(
    back_us: int, waits: list[float], width_us: int
) -> None:
    desk = Desk()
    window = ops.Rolling(width_us)
    elapsed_us, admitted = 0, []
    for index, wait in enumerate(waits):
        step_us = int(wait * width_us)
        elapsed_us += step_us
        desk.now_us += step_us - (back_us if index == len(waits) // 2 else 0)
        if by_attempt(desk, window, 2, 1):
            admitted.append((elapsed_us, 1))
    assert most_in_any_interval(admitted, width_us) <= 2
    outcome = desk.send(ops.Take("c", window, 2, 2))
    if isinstance(outcome, ops.Refused):
        assert desk.now_us < outcome.failures[0].retry_at_us <= desk.now_us + width_us + window.bucket_us
        desk.now_us = outcome.failures[0].retry_at_us
        desk.applied(ops.Take("c", window, 2, 2))


# E1
def test_a_clock_ordered_back_revives_no_hold_and_lets_none_live_longer() -> None:
    desk = Desk()
    desk.applied(hold(entry("c", 9, 1), ttl_us=10 * SECOND_US), id_="ended")
    desk.now_us += 10 * SECOND_US
    desk.applied(ops.Expire())
    desk.applied(hold(entry("c", 9, 1), ttl_us=10 * SECOND_US), id_="live")
    desk.now_us -= DAY_US
    desk.applied(ops.Expire())
    assert [row.live for row in desk.ledger.holds.values()] == [False, True]
    desk.now_us += 10 * SECOND_US - 1
    desk.applied(ops.Expire())
    assert desk.row("live").live
    desk.now_us += 1
    desk.hold("next", entry("c", 9, 7))
    assert not desk.row("live").live


# E3
def test_a_plan_whose_calendar_periods_have_both_ended_is_stale() -> None:
    desk = Desk()
    today = periods(desk.now_us, every_us=DAY_US)
    charge = hold(entry("c", 5, 1, window=today))
    from_us, until_us = ops.validity(charge)
    assert (from_us, until_us) == (today.current.start_us, today.next.end_us)
    for now_us, fits in [(from_us - 1, False), (from_us, True), (until_us - 1, True), (until_us, False)]:
        outcome = apply(Ledger(), ops.Batch("b", (charge,), valid_from_us=from_us, valid_until_us=until_us), now_us)
        assert isinstance(outcome, ops.Applied if fits else ops.Stale)


def test_a_stale_plan_changes_nothing_and_its_id_may_be_used_again() -> None:
    desk = Desk()
    desk.ledger.epoch = 7
    before = desk.snapshot()
    assert desk.send(hold(entry("c", 5, 1)), id_="b", epoch=6, always=(ops.Count("n", ops.Life()),)) == ops.Stale(
        T0_US, 7
    )
    assert desk.send(hold(entry("c", 5, 1)), id_="b", valid_until_us=T0_US) == ops.Stale(T0_US, 7)
    assert desk.snapshot() == before
    desk.applied(hold(entry("c", 5, 1)), id_="b", epoch=7)


# E3
def test_a_calendar_period_starts_empty_once_and_the_next_period_is_charged_from_its_first_microsecond() -> None:
    desk = Desk()
    planned = periods(desk.now_us, every_us=DAY_US)
    desk.now_us = planned.next.start_us - 1
    desk.hold("before", entry("c", 5, 5, window=planned))
    full = desk.send(hold(entry("c", 5, 1, window=planned)))
    assert isinstance(full, ops.Refused)
    assert full.failures[0].retry_at_us == planned.next.start_us
    desk.now_us += 1
    desk.hold("after", entry("c", 5, 5, window=planned))
    assert desk.refused(hold(entry("c", 5, 1, window=planned))) == [FailureCode.FULL]


# E1
@pytest.mark.parametrize("window", [periods(T0_US, every_us=DAY_US), ops.Rolling(DAY_US), ops.Life()])
def test_hard_calendar_windows_refuse_while_the_clock_is_in_doubt_and_others_do_not(window: ops.Window) -> None:
    desk = Desk()
    desk.applied(hold(entry("c", 5, 1, window=window)), ops.Take("taken", window, 5))
    desk.ledger.clock_sure = False
    hard: list[ops.Operation] = [
        hold(entry("c", 5, 1, window=window)),
        hold(entry("new", 5, 1, window=window)),
        ops.Take("taken", window, 5),
        ops.Check("c", window, 5),
    ]
    soft = ops.OnFull.EXCEED
    for operation in hard:
        if isinstance(window, ops.Calendar):
            assert desk.refused(operation) == [FailureCode.CLOCK_UNSURE]
        else:
            desk.applied(operation)
    desk.applied(hold(entry("soft", 5, 1, window=window, on_full=soft)), ops.Check("c", window, 0, soft))


def test_a_hold_is_settled_although_the_clock_is_in_doubt() -> None:
    desk = Desk()
    desk.hold("h", entry("c", 5, 5, window=periods(desk.now_us, every_us=DAY_US)))
    desk.ledger.clock_sure = False
    desk.applied(ops.Commit("h", {"USD": 2}))
    assert desk.figures("c", desk.row("h").periods[0]) == (2, 0, 0)
