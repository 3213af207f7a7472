"""Gates, hours, outcome counters and proofs: what is asked before anything is charged (invariants C3, E1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.ledger import operations as ops
from remit.core.ledger.operations import FailureCode, Rung
from tests.ledger.desk import DAY_US, MINUTE_US, SECOND_US, T0_US, Desk, entry, hold

OPEN_TO: dict[Rung, tuple[FailureCode | None, FailureCode | None]] = {
    Rung.OPEN: (None, None),
    Rung.THROTTLED: (None, None),
    Rung.CHALLENGED: (FailureCode.CHALLENGED, None),
    Rung.DENIED: (FailureCode.CLOSED, FailureCode.CLOSED),
    Rung.SUSPENDED: (FailureCode.CLOSED, FailureCode.CLOSED),
    Rung.REVOKED: (FailureCode.CLOSED, FailureCode.CLOSED),
}


@pytest.mark.parametrize("rung", list(Rung))
@pytest.mark.parametrize("presented", [0, 1])
def test_a_gate_lets_through_what_its_rung_allows(rung: Rung, presented: int) -> None:
    desk = Desk()
    desk.applied(ops.SetGate("g", rung, reason="because"))
    code = OPEN_TO[rung][presented]
    outcome = desk.send(ops.Gate("g", presented))
    if code is None:
        assert isinstance(outcome, ops.Applied)
    else:
        assert isinstance(outcome, ops.Refused)
        assert [(f.code, f.detail, f.retry_at_us) for f in outcome.failures] == [(code, "because", 0)]
    desk.applied(ops.Gate("another"))


def test_a_gate_opens_by_itself_at_its_time_and_says_so() -> None:
    desk = Desk()
    desk.applied(ops.SetGate("g", Rung.DENIED, until_us=T0_US + MINUTE_US))
    outcome = desk.send(ops.Gate("g"))
    assert isinstance(outcome, ops.Refused)
    assert outcome.failures[0].retry_at_us == T0_US + MINUTE_US
    desk.now_us += MINUTE_US
    desk.applied(ops.Gate("g"))


def test_a_gate_changes_only_for_who_has_seen_its_last_version() -> None:
    desk = Desk()
    desk.applied(ops.SetGate("g", Rung.DENIED, if_version=0))
    assert desk.refused(ops.SetGate("g", Rung.OPEN, if_version=0)) == [FailureCode.WRONG_VERSION]
    desk.applied(ops.SetGate("g", Rung.SUSPENDED, if_version=1))
    desk.send(ops.Within(()), refuse=(ops.SetGate("g", Rung.OPEN, if_version=1),))
    assert desk.ledger.gates["g"].rung is Rung.SUSPENDED
    desk.send(ops.Within(()), refuse=(ops.SetGate("g", Rung.OPEN, if_version=2),))
    desk.applied(ops.Gate("g"))


def test_hours_are_open_from_their_first_microsecond_until_before_their_last() -> None:
    desk = Desk()
    hours = ops.Within((ops.Span(T0_US + 5, T0_US + 9), ops.Span(T0_US + 20, T0_US + 21)), T0_US + 30)
    for after_us, opens_us in [(4, 5), (5, None), (8, None), (9, 20), (19, 20), (20, None), (21, 0), (29, 0)]:
        desk.now_us = T0_US + after_us
        outcome = desk.send(hours)
        if opens_us is None:
            assert isinstance(outcome, ops.Applied)
        else:
            assert isinstance(outcome, ops.Refused)
            assert outcome.failures[0].code is FailureCode.OUTSIDE
            assert outcome.failures[0].retry_at_us == (T0_US + opens_us if opens_us else 0)
    desk.now_us = T0_US + 30
    assert isinstance(desk.send(hours), ops.Stale)


def test_a_counter_of_outcomes_refuses_from_its_bound_on_until_they_have_left_the_window() -> None:
    desk = Desk()
    window = ops.Rolling(MINUTE_US)
    check = ops.Check("failures", window, 2)
    desk.applied(check)
    desk.hold("h", entry("c", 9, 1))
    desk.applied(ops.Commit("h", then=(ops.Count("failures", window), ops.Count("failures", window))))
    outcome = desk.send(check)
    assert isinstance(outcome, ops.Refused)
    desk.now_us = outcome.failures[0].retry_at_us - 1
    assert desk.refused(check) == [FailureCode.FULL]
    desk.now_us += 1
    desk.applied(check)


def test_a_watched_counter_says_what_it_would_have_refused() -> None:
    desk = Desk()
    desk.applied(ops.Count("failures", ops.Life(), 3))
    (view,) = desk.applied(ops.Check("failures", ops.Life(), 3, ops.OnFull.OBSERVE)).views
    assert (view.before, view.used, view.held, view.max, view.over) == (3, 3, 0, 3, True)


# C3
def test_a_proof_is_accepted_once_for_as_long_as_it_could_be_fresh() -> None:
    desk = Desk()
    until_us = T0_US + MINUTE_US
    desk.applied(ops.Once("jti", until_us))
    for after_us in (0, 1, MINUTE_US - 1, MINUTE_US):
        desk.now_us = T0_US + after_us
        assert desk.refused(ops.Once("jti", until_us)) == [FailureCode.REPLAYED]
        desk.applied(ops.Once(f"other {after_us}", until_us))
    desk.now_us += 1
    assert desk.refused(ops.Once("jti", until_us)) == [FailureCode.TOO_LATE]


# C3
def test_a_batch_that_is_refused_burns_no_proof_that_only_admission_would_have() -> None:
    desk = Desk()
    desk.refused(ops.Once("jti", T0_US), hold(entry("c", 0, 1)))
    desk.applied(ops.Once("jti", T0_US))


proofs = st.lists(st.tuples(st.integers(0, 5), st.integers(-3 * MINUTE_US, 3 * MINUTE_US)), min_size=1, max_size=60)


# C3, E1
@given(proofs)
def test_no_proof_is_accepted_twice_however_the_clock_is_moved(steps: list[tuple[int, int]]) -> None:
    desk = Desk()
    accepted: set[tuple[str, int]] = set()
    for which, moved_us in steps:
        desk.now_us += moved_us
        # A proof carries its own time: what it is good for does not depend on what our clock says today.
        not_after_us = T0_US + which * MINUTE_US // 2
        proof = (f"jti {which}", not_after_us)
        if isinstance(desk.send(ops.Once(*proof)), ops.Applied):
            assert proof not in accepted
            assert desk.now_us <= not_after_us
            accepted.add(proof)


def test_what_can_no_longer_come_again_is_forgotten() -> None:
    desk = Desk()
    for index in range(3_000):
        desk.now_us += SECOND_US
        desk.applied(ops.Once(f"jti {index}", desk.now_us + MINUTE_US))
    assert len(desk.ledger.seen) <= MINUTE_US // SECOND_US + 2


def test_a_key_whose_clock_went_ahead_is_not_stuck_for_as_long_as_that() -> None:
    desk = Desk()
    desk.applied(ops.Pace("p", SECOND_US, 1), ops.Take("c", ops.Rolling(MINUTE_US), 1))
    desk.now_us -= 1_000 * DAY_US
    assert desk.refused(ops.Pace("p", SECOND_US, 1)) == [FailureCode.FULL]
    desk.now_us += 61 * SECOND_US
    desk.applied(ops.Pace("p", SECOND_US, 1), ops.Take("c", ops.Rolling(MINUTE_US), 1))
