"""Checks: the life of a hold, as the table in docs/internals/ledger.md has it (invariants B), and repeated calls (C)."""

from typing import Final

from remit.core.ledger import operations as ops
from remit.core.ledger.operations import AtCommit, AtExpiry, FailureCode, HoldState, OnFull
from remit.testing.bench import DAY_US, MINUTE_US, TTL_US, Bench, entry, expect_equal, hold

R, D, S, L, E, A = (
    HoldState.RESERVED,
    HoldState.DISPATCHED,
    HoldState.SETTLED,
    HoldState.RELEASED,
    HoldState.EXPIRED,
    HoldState.ASSUMED_SPENT,
)
WAYS: Final[dict[HoldState, tuple[str, ...]]] = {
    R: (),
    D: ("dispatch",),
    S: ("dispatch", "commit"),
    L: ("release",),
    E: ("expire",),
    A: ("dispatch", "expire"),
}
AFTER: Final[dict[str, dict[HoldState, tuple[HoldState, int, int]]]] = {
    "dispatch": {R: (D, 0, 4), D: (D, 0, 4)},
    "extend": {R: (R, 0, 5), D: (D, 0, 5)},
    "commit": {D: (S, 2, 0), A: (S, 2, 0), L: (S, 2, 0), E: (S, 2, 0), S: (S, 2, 0)},
    "release": {R: (L, 0, 0), D: (L, 0, 0), L: (L, 0, 0)},
    "resolve as spent": {A: (S, 3, 0), S: (S, 2, 0)},
    "resolve as released": {A: (L, 0, 0), L: (L, 0, 0)},
    "refund": {S: (S, 1, 0)},
    "expire": {R: (E, 0, 0), D: (A, 4, 0), S: (S, 2, 0), L: (L, 0, 0), E: (E, 0, 0), A: (A, 4, 0)},
}
"""Step → state it is taken in → (state after, used, held); every other pair is refused."""


def _steps(hold_id: str) -> dict[str, ops.Operation]:
    return {
        "dispatch": ops.Dispatch(hold_id),
        "extend": ops.Extend(hold_id, TTL_US, {"USD": 1}),
        "commit": ops.Commit(hold_id, {"USD": 2}),
        "release": ops.Release(hold_id, "the connection was refused"),
        "resolve as spent": ops.Resolve(hold_id, ops.ResolveAs.SPENT, {"USD": 3}),
        "resolve as released": ops.Resolve(hold_id, ops.ResolveAs.RELEASED),
        "refund": ops.Refund(hold_id, "refund", {"USD": 1}),
        "expire": ops.Expire(hold=hold_id),
    }


async def every_step_in_every_state_does_what_the_table_says(bench: Bench) -> None:
    """Permitted, or a repeat without effect, or refused: and nothing else."""
    for step, after in AFTER.items():
        for state, way in WAYS.items():
            name = f"{step} in {state.value}"
            await bench.applied(hold(entry(name, 10, 4), state=R), id_=name)
            for earlier in way:
                await bench.applied(_steps(name)[earlier])
            before = await bench.figures(name)
            outcome = await bench.send(_steps(name)[step])
            info = await bench.hold_info(name)
            if state in after:
                wanted_state, used, held = after[state]
                expect_equal(type(outcome), ops.Applied, name)
                expect_equal((info.state, await bench.figures(name)), (wanted_state, (used, held, 0)), name)
            else:
                codes = [failure.code for failure in getattr(outcome, "failures", ())]
                expect_equal(codes, [FailureCode.WRONG_STATE], name)
                expect_equal((info.state, await bench.figures(name)), (state, before), name)


async def a_hold_nobody_knows_is_refused_unless_the_commit_says_where_to_book(bench: Bench) -> None:
    """A late report about a forgotten call is never lost."""
    for step, operation in _steps("nobody").items():
        expect_equal(await bench.codes(operation), [FailureCode.UNKNOWN_HOLD], step)
    await bench.applied(ops.Commit("nobody", {"USD": 7}, entries=(entry("c", 5, 1),)))
    expect_equal(await bench.figures("c"), (5, 0, 2), "figures")
    expect_equal((await bench.hold_info("nobody")).state, S, "state")


async def a_repeated_commit_answers_as_the_first_one_did(bench: Bench) -> None:
    """And counts no outcome twice."""
    await bench.applied(hold(entry("c", 9, 4)), id_="h")
    first = await bench.applied(ops.Commit("h", {"USD": 3}, then=(ops.Count("failures", ops.Life()),)))
    await bench.applied(hold(entry("c", 9, 5)))
    again = await bench.applied(ops.Commit("h", {"USD": 8}, then=(ops.Count("failures", ops.Life()),)))
    expect_equal(again.views, first.views, "views")
    expect_equal((await bench.figures("c"), await bench.figures("failures")), ((3, 5, 0), (1, 0, 0)), "figures")


async def what_a_commit_leaves_is_usable_at_once_and_only_once(bench: Bench) -> None:
    """The remainder of a settled hold belongs to everybody."""
    await bench.applied(hold(entry("c", 10, 10)), id_="h")
    expect_equal(await bench.codes(hold(entry("c", 10, 1))), [FailureCode.FULL], "while it is held")
    await bench.applied(ops.Commit("h", {"USD": 4}))
    await bench.applied(hold(entry("c", 10, 6)))
    expect_equal(await bench.codes(hold(entry("c", 10, 1))), [FailureCode.FULL], "afterwards")


async def overage_is_booked_in_full_and_freezes_the_cell_that_refuses(bench: Bench) -> None:
    """Until an operator thaws it. Where the cost still fits, nothing freezes."""
    await bench.applied(hold(entry("leaf", 5, 4), entry("root", 50, 4)), id_="h")
    await bench.applied(ops.Commit("h", {"USD": 9}))
    expect_equal((await bench.figures("leaf"), await bench.figures("root")), ((5, 0, 4), (9, 0, 0)), "figures")
    expect_equal({cell.key for cell in await bench.cells() if cell.frozen}, {"leaf"}, "frozen cells")
    expect_equal(await bench.codes(hold(entry("leaf", 99, 0))), [FailureCode.FROZEN], "a call there")
    await bench.applied(hold(entry("root", 50)))
    await bench.applied(ops.SetGate("leaf", ops.Rung.OPEN))
    await bench.applied(hold(entry("leaf", 99)))


async def observed_and_soft_limits_refuse_nothing_and_freeze_nothing(bench: Bench) -> None:
    """An observed cell counts past its maximum; a soft one books the part above it as overage from the hold on."""
    entries = (entry("seen", 5, 4, on_full=OnFull.OBSERVE), entry("soft", 5, 4, on_full=OnFull.EXCEED))
    await bench.applied(hold(*entries), id_="first")
    views = (await bench.applied(hold(*entries), id_="second")).views
    expect_equal([view.over for view in views], [True, True], "views")
    expect_equal((await bench.figures("seen"), await bench.figures("soft")), ((0, 8, 0), (0, 5, 3)), "while held")
    await bench.applied(ops.Release("first", "nothing was sent"))
    await bench.applied(ops.Commit("second", {"USD": 7}))
    expect_equal((await bench.figures("seen"), await bench.figures("soft")), ((7, 0, 0), (5, 0, 2)), "in the end")
    expect_equal([cell.key for cell in await bench.cells() if cell.frozen], [], "frozen cells")


async def due_holds_end_by_what_was_sent(bench: Bench) -> None:
    """Never sent: everything back. Sent: money assumed spent, slots and deposits free, and no timer changes that."""
    slot = entry("slots", 2, 1, unit="slots", at_commit=AtCommit.ZERO, at_expiry=AtExpiry.FREE)
    parts = (entry("money", 9, 4), entry("deposit", 9, 4, at_expiry=AtExpiry.RETURN), slot)
    await bench.applied(hold(*parts, state=R), id_="unsent")
    await bench.applied(hold(*parts), id_="sent")
    expect_equal(await bench.codes(hold(slot)), [FailureCode.FULL], "a third slot")
    bench.clock.advance(TTL_US)
    await bench.applied(ops.Expire(10))
    states = [(await bench.hold_info(id_)).state for id_ in ("unsent", "sent")]
    expect_equal(states, [E, A], "states")
    figures = [await bench.figures(key) for key in ("money", "deposit", "slots")]
    expect_equal(figures, [(4, 0, 0), (0, 0, 0), (0, 0, 0)], "figures")
    bench.clock.advance(400 * DAY_US)
    await bench.applied(ops.Expire(10))
    expect_equal(await bench.codes(hold(entry("money", 9, 6))), [FailureCode.FULL], "a year later")


async def a_batch_sweeps_up_to_eight_due_holds_of_its_cells_the_earliest_first(bench: Bench) -> None:
    """So that nobody waits for a sweeper, and nobody pays for a thousand at once."""
    for index in range(12):
        await bench.applied(hold(entry("c", 12), state=R, ttl_us=TTL_US - index), id_=f"due {index:02}")
    await bench.applied(hold(entry("other", 1), state=R, ttl_us=1), id_="elsewhere")
    bench.clock.advance(TTL_US)
    await bench.applied(hold(entry("c", 12, 8)))
    ended = sorted(info.id for info in (await bench.holds()).values() if info.state is E)
    expect_equal(ended, [f"due {index:02}" for index in range(4, 12)], "swept holds")
    await bench.applied(ops.Expire(2))
    expect_equal((await bench.hold_info("elsewhere")).state, E, "the earliest of all")
    expect_equal((await bench.hold_info("due 03")).state, E, "the next")
    expect_equal((await bench.hold_info("due 02")).state, R, "the one after that")


async def a_hold_that_is_kept_alive_is_not_swept_and_grows_only_where_there_is_room(bench: Bench) -> None:
    """A long stream extends its hold while it runs."""
    await bench.applied(hold(entry("a", 10, 4), entry("b", 6, 4)), id_="h")
    for _ in range(3):
        bench.clock.advance(TTL_US - 1)
        await bench.applied(ops.Extend("h", TTL_US))
        await bench.applied(ops.Expire(10))
    expect_equal(await bench.codes(ops.Extend("h", TTL_US, {"USD": 3})), [FailureCode.FULL], "too much more")
    await bench.applied(ops.Extend("h", TTL_US, {"USD": 2}))
    expect_equal((await bench.figures("a"), await bench.figures("b")), ((0, 6, 0), (0, 6, 0)), "figures")
    bench.clock.advance(TTL_US)
    await bench.applied(ops.Expire(10))
    expect_equal((await bench.hold_info("h")).state, A, "when nobody keeps it alive")


async def a_refund_gives_back_once_by_its_id_and_never_more_than_was_booked(bench: Bench) -> None:
    """Out of overage first, for thirty-five days."""
    await bench.applied(hold(entry("c", 5, 5)), id_="h")
    await bench.applied(ops.Commit("h", {"USD": 8}))
    for _ in range(2):
        await bench.applied(ops.Refund("h", "r1", {"USD": 4}))
    expect_equal(await bench.figures("c"), (4, 0, 0), "figures")
    expect_equal(await bench.codes(ops.Refund("h", "r2", {"USD": 5})), [FailureCode.TOO_MUCH], "more than is left")
    bench.clock.advance(35 * DAY_US)
    await bench.applied(ops.Refund("h", "r3", {"USD": 1}))
    bench.clock.advance(1)
    expect_equal(await bench.codes(ops.Refund("h", "r4", {"USD": 1})), [FailureCode.TOO_LATE], "too late")


async def a_repeated_call_gets_the_first_answer_or_a_conflict(bench: Bench) -> None:
    """One dispatch and one charge for one idempotency key, for as long as its answer is kept."""
    begin, charge = ops.Begin("key", "body", MINUTE_US), hold(entry("c", 90, 4))
    await bench.applied(begin, charge, id_="first")
    expect_equal(await bench.codes(begin, charge), [FailureCode.IN_FLIGHT], "while it is in flight")
    other = ops.Begin("key", "another body", MINUTE_US)
    expect_equal(await bench.codes(other, charge), [FailureCode.MISMATCH], "with another body")
    await bench.applied(ops.Expire(hold="first"))
    expect_equal(await bench.codes(begin, charge), [FailureCode.OUTCOME_UNKNOWN], "when nobody knows")
    await bench.applied(ops.Commit("first", {"USD": 3}, b"\x00the answer\xff"))
    replayed = ops.Replayed("first", b"\x00the answer\xff", bench.store.now_us())
    expect_equal(await bench.send(begin, charge), replayed, "when it is known")
    expect_equal(await bench.figures("c"), (3, 0, 0), "figures")
    bench.clock.advance(MINUTE_US)
    await bench.applied(begin, charge, id_="second")


async def a_key_is_free_once_it_is_known_that_nothing_happened(bench: Bench) -> None:
    """A release frees it, a late report about the first call never answers for the second."""
    begin, charge = ops.Begin("key", "body", MINUTE_US), hold(entry("c", 90, 4))
    await bench.applied(begin, charge, id_="first")
    await bench.applied(ops.Release("first", "the connection was refused"))
    await bench.applied(begin, charge, id_="second")
    await bench.applied(ops.Commit("first", answer=b"of the first"))
    expect_equal(await bench.codes(begin, charge), [FailureCode.IN_FLIGHT], "the second is in flight")
    await bench.applied(ops.Commit("second", answer=b"of the second"))
    replayed = ops.Replayed("second", b"of the second", bench.store.now_us())
    expect_equal(await bench.send(begin, charge), replayed, "the second is known")


CHECKS: Final = (
    every_step_in_every_state_does_what_the_table_says,
    a_hold_nobody_knows_is_refused_unless_the_commit_says_where_to_book,
    a_repeated_commit_answers_as_the_first_one_did,
    what_a_commit_leaves_is_usable_at_once_and_only_once,
    overage_is_booked_in_full_and_freezes_the_cell_that_refuses,
    observed_and_soft_limits_refuse_nothing_and_freeze_nothing,
    due_holds_end_by_what_was_sent,
    a_batch_sweeps_up_to_eight_due_holds_of_its_cells_the_earliest_first,
    a_hold_that_is_kept_alive_is_not_swept_and_grows_only_where_there_is_room,
    a_refund_gives_back_once_by_its_id_and_never_more_than_was_booked,
    a_repeated_call_gets_the_first_answer_or_a_conflict,
    a_key_is_free_once_it_is_known_that_nothing_happened,
)
