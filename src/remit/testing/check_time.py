"""Checks: what the store makes of time. Paces, windows, gates, hours, proofs, and a wall clock that is set (invariants E)."""

from typing import Final

from remit.core.ledger import operations as ops
from remit.core.ledger.operations import FailureCode, Rung
from remit.testing.bench import DAY_US, MINUTE_US, SECOND_US, Bench, entry, expect, expect_equal, hold, periods


async def a_pace_is_exact_to_the_microsecond(bench: Bench) -> None:
    """A burst at once, then one unit each interval; a refusal names the first moment that would do."""
    pace = ops.Pace("p", 333_333, 3)
    for used in (1, 2, 3):
        (view,) = (await bench.applied(pace)).views
        expect_equal((view.before, view.used, view.max), (used - 1, used, 3), "view")
    (failure,) = await bench.refused(pace)
    expect_equal(failure.retry_at_us, bench.store.now_us() + 333_333, "when to come again")
    bench.clock.advance(333_332)
    expect_equal(await bench.codes(pace), [FailureCode.FULL], "a microsecond early")
    bench.clock.advance(1)
    await bench.applied(pace)
    expect_equal(await bench.codes(ops.Pace("p", 333_333, 3, 4)), [FailureCode.FULL], "more than the burst")


async def a_pace_that_may_wait_says_for_how_long(bench: Bench) -> None:
    """Callers queue up to `max_wait_us`, each behind the one before."""
    queue = ops.Pace("p", SECOND_US, 1, max_wait_us=2 * SECOND_US)
    waits = [(await bench.applied(queue)).views[0].wait_us for _ in range(3)]
    expect_equal(waits, [0, SECOND_US, 2 * SECOND_US], "waits")
    expect_equal(await bench.codes(queue), [FailureCode.FULL], "a longer wait")


async def a_throttled_gate_slows_every_pace_of_the_batch(bench: Bench) -> None:
    """By the lowest factor of its gates, and without a fresh burst."""
    gates = (ops.Gate("fast"), ops.Gate("slow"))
    await bench.applied(ops.SetGate("fast", Rung.THROTTLED, 500), ops.SetGate("slow", Rung.THROTTLED, 100))
    await bench.applied(ops.Pace("p", SECOND_US, 1))
    expect_equal(await bench.codes(*gates, ops.Pace("p", SECOND_US, 1)), [FailureCode.FULL], "a full bucket")
    bench.clock.advance(SECOND_US)
    await bench.applied(*gates, ops.Pace("p", SECOND_US, 1))
    bench.clock.advance(10 * SECOND_US - 1)
    expect_equal(await bench.codes(*gates, ops.Pace("p", SECOND_US, 1)), [FailureCode.FULL], "at a tenth")
    bench.clock.advance(1)
    await bench.applied(*gates, ops.Pace("p", SECOND_US, 1))


async def a_rolling_window_never_holds_more_than_its_maximum(bench: Bench) -> None:
    """In no stretch of its length; and it opens a sixtieth after that length at the latest."""
    take = ops.Take("c", ops.Rolling(MINUTE_US), 2)
    bench.clock.advance(999_999 - bench.store.now_us() % SECOND_US)
    await bench.applied(take)
    bench.clock.advance(30 * SECOND_US)
    await bench.applied(take)
    bench.clock.advance(30 * SECOND_US)
    (failure,) = await bench.refused(take)
    opens_us = failure.retry_at_us
    expect(0 < opens_us - bench.store.now_us() <= SECOND_US, "room comes within a sixtieth of the window")
    bench.clock.advance(opens_us - bench.store.now_us() - 1)
    expect_equal(await bench.codes(take), [FailureCode.FULL], "a microsecond early")
    bench.clock.advance(1)
    await bench.applied(take)
    expect_equal(await bench.codes(take), [FailureCode.FULL], "the second one still counts")


async def a_call_is_booked_in_the_period_it_began_in(bench: Bench) -> None:
    """A hold that is open at midnight settles yesterday."""
    yesterday = periods(bench.store.now_us())
    await bench.applied(hold(entry("c", 10, 8, window=yesterday), ttl_us=2 * DAY_US), id_="night")
    bench.clock.advance(yesterday.next.start_us - bench.store.now_us() - 1)
    (failure,) = await bench.refused(hold(entry("c", 10, 8, window=yesterday)))
    expect_equal(failure.retry_at_us, yesterday.next.start_us, "when there is room again")
    bench.clock.advance(1)
    today = periods(bench.store.now_us())
    await bench.applied(hold(entry("c", 10, 8, window=yesterday)), id_="planned yesterday")
    views = (await bench.applied(ops.Commit("night", {"USD": 9}))).views
    expect_equal([(view.used, view.held) for view in views], [(9, 0)], "yesterday")
    expect_equal(await bench.figures("c"), (0, 8, 0), "today")
    bench.clock.advance(yesterday.next.end_us - bench.store.now_us())
    outcome = await bench.send(hold(entry("c", 10, 1, window=yesterday)))
    expect(isinstance(outcome, ops.Stale), "a plan for yesterday and today is stale tomorrow")
    expect(today.current.start_us == yesterday.next.start_us, "the clock stands where this check believes it does")


async def a_proof_is_accepted_once_for_as_long_as_it_is_fresh(bench: Bench) -> None:
    """Also at its last microsecond; afterwards it is too late."""
    until_us = bench.store.now_us() + MINUTE_US
    await bench.applied(ops.Once("proof", until_us))
    for wait_us in (0, MINUTE_US - 1, 1):
        bench.clock.advance(wait_us)
        expect_equal(await bench.codes(ops.Once("proof", until_us)), [FailureCode.REPLAYED], "again")
        await bench.applied(ops.Once(f"another {wait_us}", until_us))
    bench.clock.advance(1)
    expect_equal(await bench.codes(ops.Once("proof", until_us)), [FailureCode.TOO_LATE], "too late")


async def hours_and_outcome_counters_are_conditions(bench: Bench) -> None:
    """A call comes in time, and stays out while its counter is too high."""
    now_us = bench.store.now_us()
    window = ops.Within((ops.Span(now_us + 5, now_us + 9),), now_us + 99)
    (failure,) = await bench.refused(window)
    expect_equal((failure.code, failure.retry_at_us), (FailureCode.OUTSIDE, now_us + 5), "before the hours")
    bench.clock.advance(5)
    await bench.applied(window, ops.Count("failures", ops.Rolling(MINUTE_US), 2))
    check = ops.Check("failures", ops.Rolling(MINUTE_US), 2)
    expect_equal(await bench.codes(check), [FailureCode.FULL], "two failures")
    await bench.applied(ops.Check("failures", ops.Rolling(MINUTE_US), 3))
    bench.clock.advance(62 * SECOND_US)
    await bench.applied(check)


async def a_gate_closes_by_its_rung_until_its_time(bench: Bench) -> None:
    """Changed only by those who have seen its last version."""
    now_us = bench.store.now_us()
    await bench.applied(ops.SetGate("g", Rung.CHALLENGED, reason="who are you", if_version=0))
    expect_equal(await bench.codes(ops.Gate("g")), [FailureCode.CHALLENGED], "without a binding")
    await bench.applied(ops.Gate("g", presented=1))
    stale = ops.SetGate("g", Rung.OPEN, if_version=0)
    expect_equal(await bench.codes(stale), [FailureCode.WRONG_VERSION], "an old version")
    await bench.applied(ops.SetGate("g", Rung.SUSPENDED, until_us=now_us + MINUTE_US, reason="review", if_version=1))
    (failure,) = await bench.refused(ops.Gate("g", presented=1))
    wanted = (FailureCode.CLOSED, "review", now_us + MINUTE_US)
    expect_equal((failure.code, failure.detail, failure.retry_at_us), wanted, "suspended")
    bench.clock.advance(MINUTE_US)
    await bench.applied(ops.Gate("g"))


async def a_wall_clock_that_is_set_gains_nobody_anything(bench: Bench) -> None:
    """Calendar windows that refuse stop until the clocks agree or an operator has accepted; all others go on as before."""
    today = periods(bench.store.now_us())
    calendar, life = entry("today", 5, 1, window=today), entry("life", 5, 1)
    await bench.applied(ops.Pace("p", MINUTE_US, 1), ops.Take("rolling", ops.Rolling(MINUTE_US), 1))
    for step_us in (-3 * DAY_US, 3 * DAY_US):
        before_us = bench.store.now_us()
        bench.clock.step_wall(step_us)
        expect_equal(bench.store.now_us(), before_us, "the store's time")
        expect_equal(bench.store.health().clock_parted_us, step_us, "how far the clocks are apart")
        expect_equal(await bench.codes(hold(calendar)), [FailureCode.CLOCK_UNSURE], "a calendar window that refuses")
        expect_equal(await bench.codes(ops.Pace("p", MINUTE_US, 1)), [FailureCode.FULL], "a pace")
        expect_equal(await bench.codes(ops.Take("rolling", ops.Rolling(MINUTE_US), 1)), [FailureCode.FULL], "a window")
        await bench.applied(hold(life))
        bench.clock.step_wall(-step_us)
        await bench.applied(hold(calendar))
    expect_equal(bench.store.health().clock_parted_us, 0, "when the clocks agree")


async def an_accepted_time_counts_from_then_on(bench: Bench) -> None:
    """Also one that lies before: what was full stays full, and is free again after as long as it would have been."""
    for step_us in (40 * DAY_US, -40 * DAY_US):
        pace, take = ops.Pace(f"p {step_us}", MINUTE_US, 1), ops.Take(f"c {step_us}", ops.Rolling(MINUTE_US), 1)
        await bench.applied(pace, take)
        await bench.applied(hold(entry(f"h {step_us}", 1), ttl_us=MINUTE_US), id_=f"h {step_us}")
        before_us = bench.store.now_us()
        bench.clock.step_wall(step_us)
        expect_equal(await bench.store.accept_clock(), step_us, "by how much the clock moved")
        expect_equal(bench.store.now_us(), before_us + step_us, "the store's time")
        await bench.applied(hold(entry("today", 9, 1, window=periods(bench.store.now_us()))))
        if step_us < 0:
            expect_equal(await bench.codes(pace, take), [FailureCode.FULL] * 2, "at once")
            bench.clock.advance(MINUTE_US - 1)
            await bench.applied(ops.Expire(99))
            expect_equal(await bench.figures(f"h {step_us}"), (0, 1, 0), "a hold, before its time")
            bench.clock.advance(2 * SECOND_US)
            await bench.applied(pace, take)
            await bench.applied(ops.Expire(99))
            expect_equal(await bench.figures(f"h {step_us}"), (1, 0, 0), "a hold, after its time")


async def a_proof_is_accepted_once_although_the_clock_went_on_and_back(bench: Bench) -> None:
    """What was forgotten while the clock was ahead is too late, not new."""
    until_us = bench.store.now_us() + MINUTE_US
    await bench.applied(ops.Once("proof", until_us))
    bench.clock.step_wall(DAY_US)
    await bench.store.accept_clock()
    for index in range(8):
        await bench.applied(ops.Once(f"later {index}", bench.store.now_us() + MINUTE_US))
    bench.clock.step_wall(-DAY_US)
    await bench.store.accept_clock()
    codes = await bench.codes(ops.Once("proof", until_us))
    expect(codes in ([FailureCode.TOO_LATE], [FailureCode.REPLAYED]), f"the proof comes again: {codes}")


CHECKS: Final = (
    a_pace_is_exact_to_the_microsecond,
    a_pace_that_may_wait_says_for_how_long,
    a_throttled_gate_slows_every_pace_of_the_batch,
    a_rolling_window_never_holds_more_than_its_maximum,
    a_call_is_booked_in_the_period_it_began_in,
    a_proof_is_accepted_once_for_as_long_as_it_is_fresh,
    hours_and_outcome_counters_are_conditions,
    a_gate_closes_by_its_rung_until_its_time,
    a_wall_clock_that_is_set_gains_nobody_anything,
    an_accepted_time_counts_from_then_on,
    a_proof_is_accepted_once_although_the_clock_went_on_and_back,
)
