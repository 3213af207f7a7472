"""No money is authorised past a hard cap (invariants A). The machine in test_machine.py walks at random; here each
sentence stands alone."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.ledger import operations as ops
from remit.core.ledger.interpreter import apply
from remit.core.ledger.operations import FailureCode, HoldState, OnFull
from remit.core.ledger.state import Ledger
from remit.errors import StoreUnavailable
from remit.testing.programs import Program, entries_at
from tests.ledger.desk import DAY_US, HOUR_US, SECOND_US, T0_US, Desk, entry, hold, periods, snapshot

CHARGING = st.sampled_from([ops.Rolling(HOUR_US), periods(T0_US, every_us=DAY_US), ops.Life()])
seeds = st.integers(0, 2**32)


def grown(seed: int, steps: int) -> tuple[Program, Ledger, int]:
    """A ledger after a random program, the program, and the time it has become."""
    program, ledger, now_us = Program(seed), Ledger(), T0_US
    for _ in range(steps):
        now_us += program.wait_us()
        apply(ledger, program.batch(now_us), now_us)
    return program, ledger, now_us


# A1, A5
@given(window=CHARGING, cap=st.integers(0, 30), cost=st.integers(1, 4), settle=st.booleans())
def test_an_exact_fill_admits_as_many_calls_as_fit_and_not_one_more(
    window: ops.Window, cap: int, cost: int, settle: bool
) -> None:
    desk = Desk()
    admitted = 0
    for attempt in range(3 * cap + 3):
        outcome = desk.send(hold(entry("c", cap, cost, window=window)), id_=f"h{attempt}")
        if isinstance(outcome, ops.Applied):
            admitted += 1
            if settle:
                desk.applied(ops.Commit(f"h{attempt}"))
    assert admitted == cap // cost


# A1
def test_a_lowered_cap_admits_nothing_until_what_is_booked_and_held_fits() -> None:
    desk = Desk()
    desk.hold("first", entry("c", 10, 6))
    desk.hold("second", entry("c", 10, 3))
    assert desk.refused(hold(entry("c", 5, 0))) == [FailureCode.FULL]
    desk.applied(ops.Release("second", "nothing was sent"))
    assert desk.refused(hold(entry("c", 5, 0))) == [FailureCode.FULL]
    desk.applied(ops.Commit("first", {"USD": 4}))
    assert desk.refused(hold(entry("c", 5, 2))) == [FailureCode.FULL]
    desk.hold("third", entry("c", 5, 1))


# A1
def test_a_period_that_begins_leaves_open_holds_in_the_period_they_began_in() -> None:
    desk = Desk()
    yesterday = periods(desk.now_us, every_us=DAY_US)
    desk.hold("night", entry("c", 10, 8, window=yesterday))
    desk.now_us = yesterday.next.start_us
    today = periods(desk.now_us, every_us=DAY_US)
    desk.hold("morning", entry("c", 10, 9, window=today))
    desk.applied(ops.Commit("night", {"USD": 12}))
    assert desk.figures("c", yesterday.current.start_us) == (10, 0, 2)
    assert desk.figures("c", today.current.start_us) == (0, 9, 0)


# A2
@given(
    needs=st.lists(st.integers(0, 6), min_size=2, max_size=4), rooms=st.lists(st.integers(0, 6), min_size=4, max_size=4)
)
def test_a_call_is_admitted_only_if_every_unit_and_level_has_room(needs: list[int], rooms: list[int]) -> None:
    desk = Desk()
    entries = [
        entry(f"c{i}", room, need, unit=f"u{i}") for i, (need, room) in enumerate(zip(needs, rooms, strict=False))
    ]
    outcome = desk.send(hold(*entries), id_="h")
    short = [i for i, (need, room) in enumerate(zip(needs, rooms, strict=False)) if need > room]
    held = {e.key: desk.figures(e.key)[1] for e in entries}
    if short:
        assert isinstance(outcome, ops.Refused)
        assert [failure.entry for failure in outcome.failures] == short
        assert set(held.values()) == {0}
    else:
        assert isinstance(outcome, ops.Applied)
        assert list(held.values()) == needs


# A3
@given(seed=seeds, steps=st.integers(0, 40))
def test_a_refused_batch_leaves_every_cell_and_hold_as_it_was(seed: int, steps: int) -> None:
    program, ledger, now_us = grown(seed, steps)
    batch = program.batch(now_us)
    apply(ledger, ops.Batch("sweep", (ops.Expire(1_000),)), now_us)
    before = snapshot(ledger, now_us)
    outcome = apply(ledger, ops.Batch("refused", (*batch.admit, ops.Within(()))), now_us)
    assert isinstance(outcome, ops.Refused | ops.Replayed)
    assert snapshot(ledger, now_us) == before


# A3
def test_only_the_always_and_refuse_lists_act_on_a_refusal() -> None:
    desk = Desk()
    outcome = desk.send(
        ops.Take("attempts", ops.Life(), 9),
        hold(entry("c", 0, 1)),
        always=(ops.Once("jti", T0_US + SECOND_US), ops.Take("tries", ops.Life(), 9)),
        refuse=(ops.Count("denied", ops.Life()), ops.SetGate("g", ops.Rung.THROTTLED)),
    )
    assert isinstance(outcome, ops.Refused)
    assert desk.figures("attempts") == (0, 0, 0)
    assert desk.figures("tries") == (1, 0, 0)
    assert desk.figures("denied") == (1, 0, 0)
    assert set(desk.ledger.seen) == {"jti"}
    assert desk.ledger.gates["g"].rung is ops.Rung.THROTTLED


def test_an_admitted_batch_leaves_its_refuse_list_alone() -> None:
    desk = Desk()
    desk.applied(hold(entry("c", 1, 1)), refuse=(ops.Count("denied", ops.Life()),))
    assert desk.figures("denied") == (0, 0, 0)


def test_an_always_entry_that_fails_refuses_the_batch_and_the_others_still_apply() -> None:
    desk = Desk()
    always = (ops.Take("full", ops.Life(), 0), ops.Take("tries", ops.Life(), 9))
    outcome = desk.send(hold(entry("c", 1, 1)), always=always)
    assert isinstance(outcome, ops.Refused)
    assert [(f.part, f.index, f.code) for f in outcome.failures] == [(ops.Part.ALWAYS, 0, FailureCode.FULL)]
    assert desk.figures("tries") == (1, 0, 0)
    assert desk.figures("c") == (0, 0, 0)
    assert [view.max for view in outcome.views] == [1]


class Brittle(dict[str, object]):
    """A table that breaks at the n-th write."""

    def __init__(self, of: dict[str, object], writes: list[int]) -> None:
        super().__init__(of)
        self._writes = writes

    def __setitem__(self, key: str, value: object) -> None:
        self._writes[0] -= 1
        if self._writes[0] < 0:
            raise MemoryError
        super().__setitem__(key, value)


# A4
@given(seed=seeds, steps=st.integers(0, 30), after=st.integers(0, 12))
def test_a_step_that_breaks_half_way_is_never_built_upon(seed: int, steps: int, after: int) -> None:
    program, ledger, now_us = grown(seed, steps)
    writes = [after]
    for name in ("cells", "paces", "gates", "seen", "begun", "holds"):
        setattr(ledger, name, Brittle(getattr(ledger, name), writes))
    try:
        for _ in range(20):
            apply(ledger, program.batch(now_us), now_us)
    except MemoryError:
        with pytest.raises(StoreUnavailable):
            apply(ledger, ops.Batch("next", (hold(entry("c", 1, 1)),)), now_us)
        with pytest.raises(StoreUnavailable):
            apply(ledger, ops.Batch("batch-1", ()), now_us)


# A4
@given(seed=seeds, steps=st.integers(0, 40))
def test_a_batch_that_cannot_be_judged_changes_nothing_and_stops_nobody(seed: int, steps: int) -> None:
    _, ledger, now_us = grown(seed, steps)
    apply(ledger, ops.Batch("sweep", (ops.Expire(1_000),)), now_us)
    before = snapshot(ledger, now_us)
    nonsense: ops.Operation = ops.Hold(HoldState.RESERVED, 1, (entry("c", 1, 1),), ())
    with pytest.raises(IndexError):
        apply(ledger, ops.Batch("odd", (ops.Count("n", ops.Life()), nonsense)), now_us)
    assert snapshot(ledger, now_us) == before
    assert isinstance(apply(ledger, ops.Batch("even", ()), now_us), ops.Applied)


# A7
@given(seed=seeds, steps=st.integers(0, 40), small=st.integers(0, 12), more=st.integers(0, 12), which=st.integers(0, 7))
def test_what_is_refused_is_also_refused_in_a_larger_amount(
    seed: int, steps: int, small: int, more: int, which: int
) -> None:
    outcomes = []
    for amount in (small, small + more):
        _, ledger, now_us = grown(seed, steps)
        batch = ops.Batch("probe", (ops.Hold(HoldState.RESERVED, SECOND_US, (entries_at(now_us)[which],), (amount,)),))
        outcomes.append(isinstance(apply(ledger, batch, now_us), ops.Refused))
    assert outcomes in ([False, False], [False, True], [True, True])


# A9
@pytest.mark.parametrize("amount", [-1, -(2**53), ops.MAX_AMOUNT + 1, 2**64])
@pytest.mark.parametrize("on_full", list(OnFull))
def test_an_amount_out_of_range_is_refused_in_every_mode(amount: int, on_full: OnFull) -> None:
    desk = Desk()
    desk.hold("h", entry("c", ops.MAX_AMOUNT, 5, on_full=on_full))
    before = desk.snapshot()
    assert desk.refused(hold(entry("c", ops.MAX_AMOUNT, amount, on_full=on_full))) == [FailureCode.TOO_MUCH]
    assert desk.refused(ops.Extend("h", 1, {"USD": amount})) == [FailureCode.TOO_MUCH]
    assert desk.refused(ops.Commit("h", {"USD": amount})) == [FailureCode.TOO_MUCH]
    desk.hold("unknown", entry("d", 9, 5, on_full=on_full))
    desk.applied(ops.Expire(hold="unknown"))
    assert desk.refused(ops.Resolve("unknown", ops.ResolveAs.SPENT, {"USD": amount})) == [FailureCode.TOO_MUCH]
    assert desk.refused(ops.Commit("nobody", {"USD": amount}, entries=(entry("c", 9, 1),))) == [FailureCode.TOO_MUCH]
    assert desk.snapshot()["cells"]["c"] == before["cells"]["c"]
    assert desk.figures("d") == (5, 0, 0)


# A9
def test_counters_never_leave_the_range_of_integers() -> None:
    desk = Desk()
    for index, on_full in enumerate(OnFull):
        top = entry(f"c{index}", ops.MAX_AMOUNT, 7, on_full=on_full)
        for attempt in range(5):
            desk.hold(f"{on_full}{attempt}", top)
            desk.applied(ops.Commit(f"{on_full}{attempt}", {"USD": ops.MAX_AMOUNT}))
            desk.applied(ops.SetGate(top.key, ops.Rung.OPEN))
            used, held, over = desk.figures(top.key)
            assert 0 <= used + held <= ops.MAX_AMOUNT
            assert 0 <= over <= ops.MAX_AMOUNT
            if used == ops.MAX_AMOUNT:
                break


# A9
@given(delta=st.sampled_from([-ops.MAX_AMOUNT, ops.MAX_AMOUNT, 1, -1]), times=st.integers(1, 4))
def test_no_correction_leaves_the_range_of_integers(delta: int, times: int) -> None:
    desk = Desk()
    desk.hold("h", entry("c", 9, 5))
    for _ in range(times):
        desk.send(ops.Adjust("c", ops.Life(), delta, "asked for"))
    used, held, _ = desk.figures("c")
    assert -ops.MAX_AMOUNT <= used <= used + held <= ops.MAX_AMOUNT


def test_a_correction_may_use_the_whole_range_of_integers() -> None:
    desk = Desk()
    desk.applied(ops.Adjust("c", ops.Life(), ops.MAX_AMOUNT, "as much as there is"))
    assert desk.figures("c") == (-ops.MAX_AMOUNT, 0, 0)
    assert desk.refused(ops.Adjust("c", ops.Life(), 1, "one more")) == [FailureCode.TOO_MUCH]


def test_a_correction_makes_room_for_the_present_period_only() -> None:
    desk = Desk()
    today = periods(desk.now_us, every_us=DAY_US)
    desk.applied(ops.Adjust("c", today, 5, "a good customer"))
    desk.hold("h", entry("c", 10, 15, window=today))
    assert desk.refused(hold(entry("c", 10, 1, window=today))) == [FailureCode.FULL]
    desk.now_us = today.next.start_us
    assert desk.refused(hold(entry("c", 10, 11, window=periods(desk.now_us, every_us=DAY_US)))) == [FailureCode.FULL]


# A1, A5
@given(random=st.randoms(use_true_random=False), cap=st.integers(1, 12))
def test_whatever_order_calls_come_and_end_in_the_cap_holds_at_every_instant(random: Random, cap: int) -> None:
    desk = Desk()
    live: list[str] = []
    for step in range(40):
        if live and random.random() < 0.5:
            id_ = live.pop(random.randrange(len(live)))
            ends: list[ops.Operation] = [ops.Commit(id_, {"USD": 1}), ops.Release(id_, "no"), ops.Expire(hold=id_)]
            desk.applied(random.choice(ends))
        elif isinstance(desk.send(hold(entry("c", cap, random.randint(1, 3))), id_=f"h{step}"), ops.Applied):
            live.append(f"h{step}")
        used, held, over = desk.figures("c")
        assert used + held <= cap
        assert over == 0
