"""Calls and batches that come again (invariants C1, C2, F3): one dispatch, one charge, one answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.ledger import operations as ops
from remit.core.ledger.operations import FailureCode, HoldState
from remit.core.ledger.state import KEEP_ANSWERS_US, MAX_ANSWERS, HoldRow
from remit.testing.programs import Program
from tests.ledger.desk import DAY_US, HOUR_US, MINUTE_US, SECOND_US, T0_US, TTL_US, Desk, entry, hold, snapshot

BEGIN = ops.Begin("key", "body 1", HOUR_US)
CALL = hold(entry("c", 40, 4))


def begun(state: HoldState = HoldState.DISPATCHED) -> Desk:
    """A ledger where the call `first` has just begun under the key."""
    desk = Desk()
    desk.applied(BEGIN, hold(entry("c", 40, 4), state=state), id_="first")
    return desk


# C1
def test_a_repeat_gets_the_first_answer_and_is_charged_nothing() -> None:
    desk = begun()
    desk.applied(ops.Commit("first", {"USD": 3}, b"the answer"))
    before = desk.snapshot()
    for _ in range(3):
        assert desk.send(BEGIN, CALL) == ops.Replayed("first", b"the answer", T0_US)
    assert desk.snapshot() == before


# C1
def test_a_repeat_with_another_fingerprint_is_a_conflict_at_any_time() -> None:
    desk = begun()
    other = ops.Begin("key", "body 2", HOUR_US)
    assert desk.refused(other, CALL) == [FailureCode.MISMATCH]
    desk.applied(ops.Commit("first", answer=b"the answer"))
    assert desk.refused(other, CALL) == [FailureCode.MISMATCH]
    desk.applied(ops.Begin("another key", "body 2", HOUR_US), CALL)


# C1
def test_a_repeat_of_a_call_in_flight_waits_for_it() -> None:
    desk = begun(HoldState.RESERVED)
    assert desk.refused(BEGIN, CALL) == [FailureCode.IN_FLIGHT]
    desk.applied(ops.Dispatch("first"))
    assert desk.refused(BEGIN, CALL) == [FailureCode.IN_FLIGHT]


# C2
@pytest.mark.parametrize("swept", [True, False])
def test_a_call_whose_outcome_is_unknown_is_never_made_again_until_somebody_finds_out(swept: bool) -> None:
    desk = begun()
    desk.now_us += TTL_US
    if swept:
        desk.applied(ops.Expire())
    for _ in range(3):
        assert desk.refused(BEGIN, CALL) == [FailureCode.OUTCOME_UNKNOWN]
        desk.now_us += 40 * DAY_US
    desk.applied(ops.Resolve("first", ops.ResolveAs.RELEASED))
    desk.applied(BEGIN, CALL, id_="second")


# C2
def test_a_call_resolved_as_spent_replays_an_empty_answer() -> None:
    desk = begun()
    desk.applied(ops.Expire(hold="first"))
    desk.applied(ops.Resolve("first", ops.ResolveAs.SPENT))
    assert desk.send(BEGIN, CALL) == ops.Replayed("first", b"", T0_US)


def test_a_late_answer_of_a_call_that_was_given_up_is_kept_for_its_repeats() -> None:
    desk = begun()
    desk.applied(ops.Expire(hold="first"))
    desk.applied(ops.Commit("first", answer=b"after all"))
    assert desk.send(BEGIN, CALL) == ops.Replayed("first", b"after all", T0_US)


@pytest.mark.parametrize("last", [ops.Release("first", "refused"), ops.Expire(hold="first")])
def test_a_key_is_free_again_once_it_is_known_that_nothing_happened(last: ops.Operation) -> None:
    desk = begun(HoldState.RESERVED)
    desk.applied(last)
    desk.applied(BEGIN, CALL, id_="second")
    assert desk.refused(BEGIN, CALL) == [FailureCode.IN_FLIGHT]


def test_a_repeat_finds_its_key_free_although_nobody_swept_the_first_call() -> None:
    desk = begun(HoldState.RESERVED)
    for index in range(9):
        desk.applied(hold(entry("c", 99, 0), ttl_us=1), id_=f"due before {index}")
    desk.now_us += TTL_US
    desk.applied(BEGIN, CALL, id_="second")


# C1
def test_a_late_report_about_the_first_call_never_answers_for_the_second() -> None:
    desk = begun(HoldState.RESERVED)
    desk.applied(ops.Release("first", "refused"))
    desk.applied(BEGIN, CALL, id_="second")
    desk.applied(ops.Commit("first", answer=b"of the first"))
    assert desk.refused(BEGIN, CALL) == [FailureCode.IN_FLIGHT]
    desk.applied(ops.Commit("second", answer=b"of the second"))
    assert desk.send(BEGIN, CALL) == ops.Replayed("second", b"of the second", T0_US)


def test_an_answer_is_kept_until_its_time_and_then_forgotten() -> None:
    desk = begun()
    desk.applied(ops.Commit("first", {"USD": 1}, b"the answer"))
    desk.now_us += HOUR_US - 1
    assert isinstance(desk.send(BEGIN, CALL), ops.Replayed)
    desk.now_us += 1
    desk.applied(BEGIN, CALL, id_="second")


def test_a_replay_still_applies_what_is_always_applied_and_refuses_at_a_closed_gate() -> None:
    desk = begun()
    desk.applied(ops.Commit("first", answer=b"the answer"))
    replayed = desk.send(BEGIN, CALL, always=(ops.Once("jti", T0_US),), refuse=(ops.Count("denied", ops.Life()),))
    assert isinstance(replayed, ops.Replayed)
    assert set(desk.ledger.seen) == {"jti"}
    assert desk.figures("denied") == (0, 0, 0)
    desk.applied(ops.SetGate("g", ops.Rung.REVOKED))
    assert desk.refused(ops.Gate("g"), BEGIN, CALL) == [FailureCode.CLOSED]


def test_a_key_is_burnt_only_by_a_call_that_was_admitted() -> None:
    desk = Desk()
    assert desk.refused(BEGIN, hold(entry("c", 0, 1))) == [FailureCode.FULL]
    desk.applied(BEGIN, CALL)


def test_answered_keys_that_are_past_do_not_pile_up() -> None:
    desk = Desk()
    for index in range(2_000):
        desk.now_us += SECOND_US
        desk.applied(ops.Begin(f"key {index}", "f", MINUTE_US), hold(entry("c", 1, 1)), id_=f"h{index}")
        desk.applied(ops.Commit(f"h{index}", {"USD": 0}, b"done"))
    assert len(desk.ledger.begun) < 4 * MINUTE_US // SECOND_US


# F3
@given(seed=st.integers(0, 2**32), steps=st.integers(0, 30))
def test_a_batch_sent_again_gets_its_first_answer_before_anything_is_looked_at(seed: int, steps: int) -> None:
    program, desk = Program(seed), Desk()
    for index in range(steps):
        desk.now_us += min(program.wait_us(), SECOND_US)
        batch = program.batch(desk.now_us)
        always = {"always": batch.always, "refuse": batch.refuse, "valid_until_us": batch.valid_until_us}
        first = desk.send(*batch.admit, id_=f"sent {index}", **always)
        before = snapshot(desk.ledger, desk.now_us)
        if not isinstance(first, ops.Stale):
            assert desk.send(*batch.admit, id_=f"sent {index}", **always) is first
            assert desk.ledger.repeated
        assert snapshot(desk.ledger, desk.now_us) == before


# F3
def test_the_id_of_a_hold_is_remembered_for_good_and_other_answers_for_a_minute() -> None:
    desk = Desk()
    first = desk.applied(CALL, id_="hold")
    refused = desk.send(hold(entry("d", 0, 1)), id_="refused")
    desk.now_us += KEEP_ANSWERS_US - 1
    assert desk.send(hold(entry("d", 0, 1)), id_="refused") is refused
    desk.now_us += 1
    desk.applied(ops.Take("x", ops.Life(), 9))
    desk.applied(hold(entry("d", 1, 1)), id_="refused")
    desk.now_us += 400 * DAY_US
    assert desk.send(CALL, id_="hold") is first


def test_a_retried_id_is_looked_for_among_everything_the_store_remembers() -> None:
    desk = Desk()
    first = desk.applied(CALL, id_="hold")
    desk.applied(ops.Commit("hold"))
    kept: dict[str, HoldRow] = {"hold": desk.ledger.holds.pop("hold")}
    desk.ledger.fetch_hold = kept.get
    desk.now_us += DAY_US
    desk.applied(ops.Take("x", ops.Life(), 9))
    assert desk.send(CALL, id_="hold", retry=True) is first
    desk.applied(ops.Refund("hold", "r", {"USD": 4}))
    assert desk.figures("c") == (0, 0, 0)


def test_remembered_answers_are_bounded_in_number() -> None:
    desk = Desk()
    for index in range(MAX_ANSWERS + 500):
        desk.applied(ops.Count("n", ops.Life()), id_=f"b{index}")
    assert len(desk.ledger._answers) == MAX_ANSWERS
