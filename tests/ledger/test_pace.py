"""Pace: exact to the microsecond against an integer model of a bucket that drips (invariants E3)."""

from hypothesis import given
from hypothesis import strategies as st

from remit.core.ledger import operations as ops
from remit.core.ledger.operations import FailureCode, OnFull
from tests.ledger.desk import DAY_US, HOUR_US, SECOND_US, Desk

intervals = st.sampled_from([1, 3, 999, 1_000, 333_333, SECOND_US, HOUR_US])
calls = st.lists(st.tuples(st.fractions(0, 4, max_denominator=1000), st.integers(1, 4)), min_size=1, max_size=60)


class Bucket:
    """Room for `burst` units, counted in microseconds of dripping: full at first, one unit more each interval."""

    def __init__(self, interval_us: int, burst: int, max_wait_us: int = 0) -> None:
        self.interval_us = interval_us
        self.size_us = burst * interval_us
        self.level_us = self.size_us
        self.debt_us = max_wait_us

    def drip(self, by_us: int) -> None:
        """Time passes."""
        self.level_us = min(self.size_us, self.level_us + by_us)

    def draw(self, n: int) -> int | None:
        """Take n units: how long to wait for them, None if that is too long or can never be."""
        cost_us = n * self.interval_us
        if cost_us > self.size_us or cost_us - self.level_us > self.debt_us:
            return None
        self.level_us -= cost_us
        return max(0, -self.level_us)


# E3
@given(interval_us=intervals, burst=st.integers(0, 5), calls=calls, queue=st.integers(0, 3))
def test_a_pace_admits_exactly_what_a_dripping_bucket_does(
    interval_us: int, burst: int, calls: list[tuple[float, int]], queue: int
) -> None:
    desk = Desk()
    bucket = Bucket(interval_us, burst, queue * interval_us)
    for wait, n in calls:
        desk.now_us += int(wait * interval_us)
        bucket.drip(int(wait * interval_us))
        outcome = desk.send(ops.Pace("p", interval_us, burst, n, queue * interval_us))
        wait_us = bucket.draw(n)
        if wait_us is None:
            assert isinstance(outcome, ops.Refused)
            assert [failure.code for failure in outcome.failures] == [FailureCode.FULL]
        else:
            assert isinstance(outcome, ops.Applied)
            assert outcome.views[0].wait_us == wait_us
        assert outcome.views[0].used == min(burst, -((bucket.level_us - bucket.size_us) // interval_us))


# E3
@given(interval_us=intervals, burst=st.integers(1, 5), calls=calls, n=st.integers(1, 6))
def test_a_refused_pace_says_the_first_microsecond_at_which_it_would_pass(
    interval_us: int, burst: int, calls: list[tuple[float, int]], n: int
) -> None:
    desk = Desk()
    for wait, units in calls:
        desk.now_us += int(wait * interval_us)
        desk.send(ops.Pace("p", interval_us, burst, units))
    outcome = desk.send(ops.Pace("p", interval_us, burst, n))
    if isinstance(outcome, ops.Refused):
        at_us = outcome.failures[0].retry_at_us
        assert (at_us == 0) == (n > burst)
        if at_us:
            desk.now_us = at_us - 1
            assert desk.refused(ops.Pace("p", interval_us, burst, n)) == [FailureCode.FULL]
            desk.now_us = at_us
            desk.applied(ops.Pace("p", interval_us, burst, n))


@given(interval_us=intervals, burst=st.integers(1, 4), calls=calls)
def test_a_view_of_a_pace_says_when_the_next_unit_comes_back(
    interval_us: int, burst: int, calls: list[tuple[float, int]]
) -> None:
    desk = Desk()
    for wait, n in calls:
        desk.now_us += int(wait * interval_us)
        desk.send(ops.Pace("p", interval_us, burst, n))
    outcome = desk.send(ops.Pace("p", interval_us, burst))
    if isinstance(outcome, ops.Applied):
        view = outcome.views[0]
        for at_us, used in [(view.reset_us - 1, view.used), (view.reset_us, view.used - 1)]:
            desk.now_us = at_us
            probe = desk.send(ops.Pace("p", interval_us, burst, burst + 1))
            assert isinstance(probe, ops.Refused)
            assert probe.views[0].before == used


def test_a_pace_of_nothing_admits_nothing() -> None:
    desk = Desk()
    assert desk.refused(ops.Pace("p", SECOND_US, 0)) == [FailureCode.FULL]
    desk.now_us += DAY_US
    assert desk.refused(ops.Pace("p", SECOND_US, 0)) == [FailureCode.FULL]


def test_refused_calls_never_push_a_pace_back() -> None:
    desk = Desk()
    desk.applied(ops.Pace("p", SECOND_US, 1))
    for _ in range(50):
        assert desk.refused(ops.Pace("p", SECOND_US, 1)) == [FailureCode.FULL]
    desk.now_us += SECOND_US
    desk.applied(ops.Pace("p", SECOND_US, 1))


def test_an_observed_pace_says_what_it_would_have_refused() -> None:
    desk = Desk()
    watched = ops.Pace("p", SECOND_US, 1, on_full=OnFull.OBSERVE)
    assert [desk.applied(watched).views[0].over for _ in range(3)] == [False, True, True]


@given(factor=st.integers(1, 999), burst=st.integers(1, 6), full=st.booleans(), seconds=st.integers(1, 400))
def test_a_throttled_pace_runs_at_its_factor_and_is_never_a_fresh_burst(
    factor: int, burst: int, full: bool, seconds: int
) -> None:
    desk = Desk()
    pace = ops.Pace("p", SECOND_US, burst)
    while full and isinstance(desk.send(pace), ops.Applied):
        pass
    desk.applied(ops.SetGate("g", ops.Rung.THROTTLED, factor))
    admitted = 0
    for _ in range(4 * seconds):
        desk.now_us += SECOND_US // 4
        admitted += isinstance(desk.send(ops.Gate("g"), pace), ops.Applied)
    assert admitted * 1000 <= factor * (seconds + (0 if full else burst)) + 1000
    if not full:
        assert admitted >= 1


def test_a_throttle_that_is_lifted_leaves_the_pace_as_it_would_have_been() -> None:
    desk = Desk()
    pace = ops.Pace("p", SECOND_US, 4)
    desk.applied(ops.SetGate("g", ops.Rung.THROTTLED, 500, desk.now_us + 10 * SECOND_US))
    for _ in range(2):
        desk.applied(ops.Gate("g"), pace)
    assert desk.refused(ops.Gate("g"), pace) == [FailureCode.FULL]
    desk.now_us += 10 * SECOND_US
    for _ in range(4):
        desk.applied(ops.Gate("g"), pace)
    assert desk.refused(ops.Gate("g"), pace) == [FailureCode.FULL]


def test_of_several_gates_the_slowest_sets_the_pace() -> None:
    desk = Desk()
    desk.applied(ops.SetGate("fast", ops.Rung.THROTTLED, 500), ops.SetGate("slow", ops.Rung.THROTTLED, 100))
    gates = (ops.Gate("fast"), ops.Gate("slow"))
    desk.applied(*gates, ops.Pace("p", SECOND_US, 1), ops.Pace("q", 2 * SECOND_US, 1))
    desk.now_us += 10 * SECOND_US - 1
    assert desk.refused(*gates, ops.Pace("p", SECOND_US, 1), ops.Pace("q", 2 * SECOND_US, 1)) == [FailureCode.FULL] * 2
    desk.now_us += 1
    desk.applied(*gates, ops.Pace("p", SECOND_US, 1))


# E1
@given(back_us=st.integers(1, 4 * DAY_US), burst=st.integers(1, 4), before=calls, after=calls)
def test_a_clock_ordered_back_neither_fills_a_bucket_nor_stops_it(
    back_us: int, burst: int, before: list[tuple[float, int]], after: list[tuple[float, int]]
) -> None:
    desk = Desk()
    bucket = Bucket(SECOND_US, burst)
    for index, (wait, n) in enumerate([*before, *after]):
        passed_us = int(wait * SECOND_US)
        desk.now_us += passed_us - (back_us if index == len(before) else 0)
        # The time between the last step and the order to go back is lost: nobody can tell how long it was.
        bucket.drip(passed_us if index != len(before) else max(0, passed_us - back_us))
        outcome = desk.send(ops.Pace("p", SECOND_US, burst, n))
        assert isinstance(outcome, ops.Applied) == (bucket.draw(n) is not None)
        retry_us = outcome.failures[0].retry_at_us if isinstance(outcome, ops.Refused) else 0
        assert retry_us == 0 or desk.now_us < retry_us <= desk.now_us + burst * SECOND_US
