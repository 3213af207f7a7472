"""The life of a hold (invariants B): the whole table, every state by every step, then each sentence about it."""

import pytest

from remit.core.ledger import operations as ops
from remit.core.ledger.operations import AtCommit, AtExpiry, FailureCode, HoldState, OnFull
from remit.core.ledger.state import Step
from tests.ledger.desk import DAY_US, SECOND_US, TTL_US, Desk, entry, hold

UNKNOWN = "unknown"
STATES = [*HoldState, UNKNOWN]
PART = entry("c", 10, 4)


def in_state(state: HoldState | str) -> Desk:
    """A ledger whose hold `h` (4 of 10) came to that state by the shortest way."""
    desk = Desk()
    if state == UNKNOWN:
        return desk
    desk.hold("h", PART, state=HoldState.RESERVED)
    if state in (HoldState.DISPATCHED, HoldState.SETTLED, HoldState.ASSUMED_SPENT):
        desk.applied(ops.Dispatch("h"))
    last: dict[HoldState | str, ops.Operation] = {
        HoldState.SETTLED: ops.Commit("h", {"USD": 3}),
        HoldState.RELEASED: ops.Release("h", "connection refused"),
        HoldState.EXPIRED: ops.Expire(hold="h"),
        HoldState.ASSUMED_SPENT: ops.Expire(hold="h"),
    }
    if state in last:
        desk.applied(last[state])
    assert desk.row("h").state is state
    return desk


STEPS: dict[str, ops.Operation] = {
    "dispatch": ops.Dispatch("h"),
    "extend": ops.Extend("h", 2 * TTL_US, {"USD": 1}),
    "commit": ops.Commit("h", {"USD": 2}),
    "commit with entries": ops.Commit("h", {"USD": 2}, entries=(PART,)),
    "release": ops.Release("h", "connection refused"),
    "resolve as spent": ops.Resolve("h", ops.ResolveAs.SPENT, {"USD": 1}),
    "resolve as released": ops.Resolve("h", ops.ResolveAs.RELEASED),
    "refund": ops.Refund("h", "r1", {"USD": 1}),
    "expire": ops.Expire(hold="h"),
}

S, R, D, A, E, L = (
    HoldState.SETTLED,
    HoldState.RESERVED,
    HoldState.DISPATCHED,
    HoldState.ASSUMED_SPENT,
    HoldState.EXPIRED,
    HoldState.RELEASED,
)
# The table of docs/internals/ledger.md, written a second time: step → state it is taken in → (state after, used, held).
# What is missing here is a repeat (see REPEATS) or refused.
TABLE: dict[str, dict[HoldState | str, tuple[HoldState, int, int]]] = {
    "dispatch": {R: (D, 0, 4)},
    "extend": {R: (R, 0, 5), D: (D, 0, 5)},
    "commit": {D: (S, 2, 0), A: (S, 2, 0), L: (S, 2, 0), E: (S, 2, 0)},
    "commit with entries": {D: (S, 2, 0), A: (S, 2, 0), L: (S, 2, 0), E: (S, 2, 0), UNKNOWN: (S, 2, 0)},
    "release": {R: (L, 0, 0), D: (L, 0, 0)},
    "resolve as spent": {A: (S, 1, 0)},
    "resolve as released": {A: (L, 0, 0)},
    "refund": {S: (S, 2, 0)},
    "expire": {R: (E, 0, 0), D: (A, 4, 0)},
}
REPEATS: dict[str, set[HoldState]] = {
    "dispatch": {D},
    "commit": {S},
    "commit with entries": {S},
    "release": {L},
    "resolve as spent": {S},
    "resolve as released": {L},
    "expire": {S, L, E, A},
}


# B1, B2
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("step", STEPS)
def test_every_step_in_every_state_is_permitted_or_a_repeat_or_refused(step: str, state: HoldState | str) -> None:
    desk = in_state(state)
    before = desk.snapshot()
    if state in TABLE[step]:
        after, used, held = TABLE[step][state]
        desk.applied(STEPS[step])
        assert desk.row("h").state is after
        assert desk.figures("c") == (used, held, 0)
    elif state in REPEATS.get(step, ()):
        desk.applied(STEPS[step])
        assert desk.snapshot() == before
    else:
        wanted = FailureCode.UNKNOWN_HOLD if state == UNKNOWN else FailureCode.WRONG_STATE
        assert desk.refused(STEPS[step]) == [wanted]
        assert desk.snapshot() == before


# B2
@pytest.mark.parametrize("step", [step for step in TABLE if step not in ("extend", "refund", "expire")])
def test_a_repeated_step_returns_the_first_answer_and_changes_nothing(step: str) -> None:
    for state in TABLE[step]:
        desk = in_state(state)
        first = desk.applied(STEPS[step])
        before = desk.snapshot()
        desk.now_us += SECOND_US
        again = desk.applied(STEPS[step])
        assert again.views == first.views
        assert desk.snapshot() == before


def test_a_repeated_commit_keeps_its_first_answer_whatever_it_says_now() -> None:
    desk = in_state(HoldState.DISPATCHED)
    first = desk.applied(ops.Commit("h", {"USD": 3}, then=(ops.Count("n", ops.Life()),)))
    desk.hold("other", entry("c", 10, 5))
    again = desk.applied(ops.Commit("h", {"USD": 9}, then=(ops.Count("n", ops.Life()),)))
    assert again.views == first.views
    assert desk.figures("c") == (3, 5, 0)
    assert desk.figures("n") == (1, 0, 0)


def test_an_operator_is_told_when_a_hold_was_settled_before_it_could_be_released() -> None:
    desk = in_state(HoldState.SETTLED)
    assert desk.refused(ops.Resolve("h", ops.ResolveAs.RELEASED)) == [FailureCode.WRONG_STATE]


# B2
def test_the_remainder_of_a_settled_hold_is_usable_at_once_and_never_twice() -> None:
    desk = Desk()
    desk.hold("h", entry("c", 10, 10))
    assert desk.refused(hold(entry("c", 10, 1))) == [FailureCode.FULL]
    desk.applied(ops.Commit("h", {"USD": 4}))
    desk.hold("rest", entry("c", 10, 6))
    desk.applied(ops.Commit("h", {"USD": 0}))
    assert desk.refused(hold(entry("c", 10, 1))) == [FailureCode.FULL]


# B1
def test_no_timer_ever_hands_out_the_money_of_a_call_that_left() -> None:
    desk = Desk()
    desk.hold("h", entry("c", 10, 10))
    for _ in range(5):
        desk.now_us += 400 * DAY_US
        desk.applied(ops.Expire())
        assert desk.refused(hold(entry("c", 10, 1))) == [FailureCode.FULL]
    assert desk.row("h").state is HoldState.ASSUMED_SPENT


# B1
def test_a_call_that_never_left_gives_everything_back_when_it_expires() -> None:
    desk = Desk()
    desk.hold("h", entry("c", 10, 10), entry("d", 5, 1, at_commit=AtCommit.KEEP), state=HoldState.RESERVED)
    desk.now_us += TTL_US
    desk.applied(ops.Expire())
    assert desk.figures("c") == desk.figures("d") == (0, 0, 0)


def test_an_expired_call_frees_its_slot_and_returns_its_deposit_but_keeps_its_money_spent() -> None:
    desk = Desk()
    slot = entry("slots", 1, 1, unit="slots", at_commit=AtCommit.ZERO, at_expiry=AtExpiry.FREE)
    deposit = entry("deposit", 9, 9, unit="deposit", at_expiry=AtExpiry.RETURN)
    desk.hold("h", entry("money", 10, 10), slot, deposit)
    desk.now_us += TTL_US
    desk.applied(ops.Expire())
    assert [desk.figures(key)[0] for key in ("money", "slots", "deposit")] == [10, 0, 0]


# A1
def test_a_late_commit_takes_back_a_returned_deposit_only_where_there_is_room() -> None:
    desk = Desk()
    deposit = entry("deposit", 9, 9, at_expiry=AtExpiry.RETURN)
    desk.hold("h", deposit)
    desk.applied(ops.Expire(hold="h"))
    desk.hold("other", entry("deposit", 9, 5))
    desk.applied(ops.Commit("h"))
    assert desk.figures("deposit") == (4, 5, 5)


# B3
@pytest.mark.parametrize("state", [HoldState.RELEASED, HoldState.EXPIRED, UNKNOWN])
def test_a_late_commit_takes_what_room_there_is_and_the_rest_is_overage(state: HoldState | str) -> None:
    desk = in_state(state)
    desk.hold("other", entry("c", 10, 7))
    desk.applied(ops.Commit("h", {"USD": 5}, entries=(PART,)))
    assert desk.figures("c") == (3, 7, 2)
    assert desk.refused(hold(entry("c", 99, 0))) == [FailureCode.FROZEN]


# B3
def test_a_late_commit_of_an_assumed_spent_hold_corrects_it_in_both_directions() -> None:
    for actual, wanted in [(1, (1, 0, 0)), (4, (4, 0, 0)), (9, (9, 0, 0)), (12, (10, 0, 2))]:
        desk = in_state(HoldState.ASSUMED_SPENT)
        desk.applied(ops.Commit("h", {"USD": actual}))
        assert desk.figures("c") == wanted


# B3
def test_a_commit_above_its_hold_that_still_fits_freezes_nothing() -> None:
    desk = Desk()
    desk.hold("h", entry("leaf", 5, 4), entry("root", 100, 4))
    desk.applied(ops.Commit("h", {"USD": 6}))
    assert desk.figures("leaf") == (5, 0, 1)
    assert desk.figures("root") == (6, 0, 0)
    assert desk.refused(hold(entry("leaf", 5, 0))) == [FailureCode.FROZEN]
    desk.hold("next", entry("root", 100, 4))


def test_an_operator_thaws_a_frozen_cell_and_can_freeze_one_before_it_is_used() -> None:
    desk = Desk()
    desk.applied(ops.SetGate("c", ops.Rung.DENIED, reason="under review"))
    assert desk.refused(hold(entry("c", 5, 1))) == [FailureCode.FROZEN]
    desk.hold("watched", entry("c", 5, 1, on_full=OnFull.OBSERVE))
    assert desk.refused(hold(entry("c", 5, 1))) == [FailureCode.FROZEN]
    desk.applied(ops.SetGate("c", ops.Rung.OPEN, if_version=1))
    desk.hold("h", entry("c", 5, 1))
    assert desk.refused(ops.SetGate("c", ops.Rung.DENIED, if_version=1)) == [FailureCode.WRONG_VERSION]


def test_a_cell_frozen_before_it_was_used_opens_at_the_time_it_was_given() -> None:
    desk = Desk()
    desk.applied(ops.SetGate("c", ops.Rung.DENIED, until_us=desk.now_us + SECOND_US))
    desk.now_us += SECOND_US - 1
    assert desk.refused(hold(entry("c", 5, 1))) == [FailureCode.FROZEN]
    desk.now_us += 1
    desk.hold("h", entry("c", 5, 1))


def test_a_frozen_cell_refuses_attempts_too() -> None:
    desk = Desk()
    desk.applied(ops.Take("c", ops.Life(), 5))
    desk.applied(ops.SetGate("c", ops.Rung.SUSPENDED))
    assert desk.refused(ops.Take("c", ops.Life(), 5)) == [FailureCode.FROZEN]
    desk.applied(ops.Take("c", ops.Life(), 5, on_full=OnFull.OBSERVE))


# B3
@pytest.mark.parametrize("on_full", [OnFull.OBSERVE, OnFull.EXCEED])
def test_only_cells_that_refuse_are_ever_frozen_by_overage(on_full: OnFull) -> None:
    desk = Desk()
    desk.hold("h", entry("c", 5, 4, on_full=on_full))
    desk.applied(ops.Commit("h", {"USD": 9}))
    assert not desk.ledger.cells["c"].frozen
    assert desk.figures("c") == ((9, 0, 0) if on_full is OnFull.OBSERVE else (5, 0, 4))


def test_an_observed_limit_counts_past_its_maximum_and_says_so() -> None:
    desk = Desk()
    watched = entry("c", 5, 4, on_full=OnFull.OBSERVE)
    assert [view.over for view in desk.hold("h1", watched).views] == [False]
    assert [view.over for view in desk.hold("h2", watched).views] == [True]
    assert desk.figures("c") == (0, 8, 0)


def test_a_soft_limit_books_the_part_above_it_as_overage_from_the_hold_on() -> None:
    desk = Desk()
    soft = entry("c", 10, 6, on_full=OnFull.EXCEED)
    desk.hold("within", soft)
    desk.hold("partly", soft)
    assert desk.figures("c") == (0, 10, 2)
    desk.hold("beyond", soft)
    assert desk.figures("c") == (0, 10, 8)
    desk.applied(ops.Release("beyond", "nothing was sent"))
    assert desk.figures("c") == (0, 10, 2)
    desk.applied(ops.Commit("within", {"USD": 6}))
    assert desk.figures("c") == (6, 4, 2)
    desk.applied(ops.Commit("partly", {"USD": 3}))
    assert desk.figures("c") == (9, 0, 0)


def test_a_soft_limit_of_nothing_books_everything_as_overage() -> None:
    desk = Desk()
    desk.hold("h", entry("c", 0, 6, on_full=OnFull.EXCEED))
    assert desk.figures("c") == (0, 0, 6)
    desk.applied(ops.Commit("h", {"USD": 2}))
    assert desk.figures("c") == (0, 0, 2)


def test_a_soft_limit_that_is_extended_beyond_itself_goes_on_as_overage() -> None:
    desk = Desk()
    desk.hold("h", entry("c", 10, 6, on_full=OnFull.EXCEED))
    desk.applied(ops.Extend("h", TTL_US, {"USD": 7}))
    assert desk.figures("c") == (0, 10, 3)
    desk.applied(ops.Release("h", "nothing was sent"))
    assert desk.figures("c") == (0, 0, 0)


def test_two_steps_of_one_hold_in_one_batch_are_refused() -> None:
    desk = in_state(HoldState.DISPATCHED)
    before = desk.snapshot()
    assert desk.refused(ops.Commit("h", {"USD": 4}), ops.Release("h", "no")) == [FailureCode.WRONG_STATE]
    assert desk.refused(ops.Expire(hold="h"), ops.Commit("h", {"USD": 4})) == [FailureCode.WRONG_STATE]
    assert desk.snapshot() == before


def test_one_batch_settles_several_holds_and_names_each() -> None:
    desk = Desk()
    desk.hold("a", entry("x", 9, 1), entry("y", 9, 2))
    desk.hold("b", entry("y", 9, 3))
    both = desk.applied(ops.Commit("a"), ops.Commit("b"))
    assert [(view.index, view.entry) for view in both.views] == [(0, 0), (0, 1), (1, 0)]
    again = desk.applied(ops.Commit("b"))
    assert [(view.used, view.held) for view in again.views] == [(5, 0)]


def test_a_hold_id_is_used_for_one_hold_only() -> None:
    desk = Desk()
    desk.applied(ops.Commit("h", {"USD": 3}, entries=(PART,)))
    assert desk.refused(hold(PART), id_="h") == [FailureCode.WRONG_STATE]
    assert desk.figures("c") == (3, 0, 0)


def test_a_refund_gives_back_once_for_each_id_and_never_more_than_was_booked() -> None:
    desk = in_state(HoldState.SETTLED)
    desk.applied(ops.Refund("h", "r1", {"USD": 1}))
    desk.applied(ops.Refund("h", "r1", {"USD": 1}))
    assert desk.figures("c") == (2, 0, 0)
    assert desk.refused(ops.Refund("h", "r2", {"USD": 3})) == [FailureCode.TOO_MUCH]
    assert desk.refused(ops.Refund("h", "r2", {"EUR": 1})) == [FailureCode.TOO_MUCH]
    assert desk.refused(ops.Refund("h", "r2", {"USD": -1})) == [FailureCode.TOO_MUCH]
    desk.applied(ops.Refund("h", "r3", {"USD": 2}))
    assert desk.figures("c") == (0, 0, 0)
    desk.hold("next", entry("c", 10, 10))


def test_a_refund_comes_out_of_overage_first() -> None:
    desk = Desk()
    desk.hold("h", entry("c", 5, 5))
    desk.applied(ops.Commit("h", {"USD": 9}))
    desk.applied(ops.Refund("h", "r1", {"USD": 3}))
    assert desk.figures("c") == (5, 0, 1)
    desk.applied(ops.Refund("h", "r2", {"USD": 3}))
    assert desk.figures("c") == (3, 0, 0)
    assert desk.refused(ops.Refund("h", "r3", {"USD": 4})) == [FailureCode.TOO_MUCH]


@pytest.mark.parametrize(("after_us", "late"), [(35 * DAY_US, False), (35 * DAY_US + 1, True)])
def test_a_refund_is_possible_for_thirty_five_days(after_us: int, late: bool) -> None:
    desk = in_state(HoldState.SETTLED)
    desk.now_us += after_us
    outcome = desk.send(ops.Refund("h", "r1", {"USD": 1}))
    assert isinstance(outcome, ops.Refused) is late


def steps_of(desk: Desk, *admit: ops.Operation) -> list[Step]:
    """The steps that one batch was noted with."""
    desk.ledger.clear_dirty()
    desk.applied(*admit)
    return list(desk.ledger.steps)


def test_every_step_is_noted_with_what_it_did() -> None:
    desk = Desk()
    (held,) = steps_of(desk, hold(entry("c", 5, 5)))
    assert (held.before, held.after, held.what) == (None, HoldState.DISPATCHED, "hold")
    (settled,) = steps_of(desk, ops.Commit(held.hold, {"USD": 9}))
    assert (settled.before, settled.after, settled.late) == (HoldState.DISPATCHED, HoldState.SETTLED, False)
    assert (settled.actuals, settled.over, settled.frozen) == ({"USD": 9}, {"USD": 4}, ("c",))
    (refunded,) = steps_of(desk, ops.Refund(held.hold, "r1", {"USD": 6}))
    assert (refunded.what, refunded.refund, refunded.actuals) == ("refund", "r1", {"USD": 6})
    assert steps_of(desk, ops.Commit(held.hold, {"USD": 9})) == []
