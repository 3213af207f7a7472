"""Checks: how a batch is judged. All or nothing, exact to the last unit, with true figures (invariants A, F)."""

import asyncio
from typing import Final

from remit.core.ledger import operations as ops
from remit.core.ledger.operations import FailureCode, OnFull, Part
from remit.testing.bench import DAY_US, MINUTE_US, Bench, entry, expect, expect_equal, hold, periods


async def every_window_fills_exactly(bench: Bench) -> None:
    """Forty callers at once, room for seven: seven get in, whatever the window."""
    windows: dict[str, ops.Window] = {
        "rolling": ops.Rolling(MINUTE_US),
        "calendar": periods(bench.store.now_us()),
        "life": ops.Life(),
    }
    for name, window in windows.items():
        sent = [bench.send(hold(entry(name, 14, 2, window=window)), id_=f"{name} {i}") for i in range(40)]
        outcomes = await asyncio.gather(*sent)
        expect_equal(sum(isinstance(one, ops.Applied) for one in outcomes), 7, f"admissions into the {name} window")
        expect_equal(await bench.figures(name), (0, 14, 0), f"figures of the {name} window")


async def every_entry_must_have_room(bench: Bench) -> None:
    """One level without room refuses the call at every level, and all that refuse are named."""
    entries = (entry("leaf", 5, 3), entry("calls", 0, 1, unit="calls"), entry("root", 2, 3))
    failures = await bench.refused(hold(*entries))
    expect_equal([(f.entry, f.code) for f in failures], [(1, FailureCode.FULL), (2, FailureCode.FULL)], "failures")
    expect_equal(await bench.cells(), [], "cells after a refusal")


async def a_refused_batch_leaves_nothing_behind(bench: Bench) -> None:
    """Whatever stood before the failing entry in its batch is as it was, and can still be done."""
    now_us = bench.store.now_us()
    parts: tuple[ops.Operation, ...] = (
        ops.Begin("key", "fingerprint", DAY_US),
        ops.Once("proof", now_us + MINUTE_US),
        ops.Pace("pace", MINUTE_US, 1),
        ops.Take("attempts", ops.Life(), 1),
        ops.SetGate("gate", ops.Rung.REVOKED),
        ops.Count("outcomes", ops.Life()),
    )
    before = (await bench.cells(), await bench.holds())
    await bench.refused(*parts, hold(entry("a", 1), entry("b", 0)), id_="refused")
    expect_equal((await bench.cells(), await bench.holds()), before, "the ledger after a refusal")
    await bench.applied(ops.Gate("gate"))
    await bench.applied(*parts, hold(entry("a", 1)), id_="admitted")


async def the_always_list_acts_on_refusals_too_and_the_refuse_list_only_then(bench: Bench) -> None:
    """Attempts are counted whatever is decided, signals of a refusal only where there was one."""
    always, refuse = (ops.Take("attempts", ops.Life(), 9),), (ops.Count("denied", ops.Life()),)
    await bench.applied(hold(entry("c", 1)), always=always, refuse=refuse)
    expect_equal((await bench.figures("attempts"), await bench.figures("denied")), ((1, 0, 0), (0, 0, 0)), "admitted")
    await bench.refused(hold(entry("c", 1)), always=always, refuse=refuse)
    expect_equal((await bench.figures("attempts"), await bench.figures("denied")), ((2, 0, 0), (1, 0, 0)), "refused")


async def an_always_entry_that_fails_refuses_the_batch_alone(bench: Bench) -> None:
    """Its neighbours still apply; nothing of `admit` does."""
    always = (ops.Take("full", ops.Life(), 0), ops.Take("attempts", ops.Life(), 9))
    failures = await bench.refused(hold(entry("c", 1)), always=always)
    expect_equal([(f.part, f.index, f.code) for f in failures], [(Part.ALWAYS, 0, FailureCode.FULL)], "failures")
    expect_equal(await bench.figures("attempts"), (1, 0, 0), "the entry beside it")
    expect_equal(await bench.figures("c"), (0, 0, 0), "the hold")


async def a_batch_that_comes_again_gets_its_first_answer(bench: Bench) -> None:
    """A lost reply is harmless: nothing is judged, charged or recorded a second time."""
    first = await bench.applied(hold(entry("c", 3, 2)), id_="admitted")
    no = await bench.send(hold(entry("c", 3, 2)), id_="refused")
    count = len(await bench.audit())
    for retry in (False, True):
        expect_equal(await bench.send(hold(entry("c", 3, 2)), id_="admitted", retry=retry), first, "admitted again")
        expect_equal(await bench.send(hold(entry("c", 3, 2)), id_="refused", retry=retry), no, "refused again")
    await bench.applied(ops.Commit("admitted", {"USD": 1}), id_="commit")
    await bench.applied(ops.Commit("admitted", {"USD": 3}), id_="commit")
    expect_equal(await bench.figures("c"), (1, 0, 0), "figures")
    expect_equal(len(await bench.audit()), count + 1, "audit records")
    bench.clock.advance(40 * DAY_US)
    await bench.applied(ops.Count("n", ops.Life()))
    expect_equal(await bench.send(hold(entry("c", 3, 2)), id_="admitted", retry=True), first, "admitted, much later")


async def a_plan_of_another_epoch_or_time_is_stale(bench: Bench) -> None:
    """Nothing applies, and the id may be used again by the next plan."""
    await bench.store.set_epoch(3)
    now_us, charge = bench.store.now_us(), hold(entry("c", 5))
    always = (ops.Count("n", ops.Life()),)
    expect_equal(bench.store.epoch, 3, "epoch")
    expect_equal(await bench.send(charge, id_="b", epoch=2, always=always), ops.Stale(now_us, 3), "an old epoch")
    expect_equal(await bench.send(charge, id_="b", valid_until_us=now_us), ops.Stale(now_us, 3), "a plan of yesterday")
    tomorrow = await bench.send(charge, id_="b", valid_from_us=now_us + 1, valid_until_us=now_us + 2)
    expect_equal(tomorrow, ops.Stale(now_us, 3), "a plan of tomorrow")
    expect_equal(await bench.cells(), [], "cells")
    await bench.applied(charge, id_="b", epoch=3)


async def views_tell_the_figures_before_and_after(bench: Bench) -> None:
    """Of an admitted batch what it made of the cells, of a refused one what they still are."""
    charge = (ops.Take("t", ops.Life(), 5, 2), hold(entry("c", 5, 3), entry("w", 2, 3, on_full=OnFull.OBSERVE)))
    views = (await bench.applied(*charge)).views
    expect_equal(views[0], ops.View(0, -1, 0, 2, 0, 5, 0), "view of an attempt")
    expect_equal(
        views[1:], (ops.View(1, 0, 0, 0, 3, 5, 0), ops.View(1, 1, 0, 0, 3, 2, 0, over=True)), "views of a hold"
    )
    outcome = await bench.send(*charge)
    expect(isinstance(outcome, ops.Refused), "five hold only one of three")
    expect_equal(
        [(v.before, v.used, v.held) for v in getattr(outcome, "views", ())], [(2, 2, 0), (3, 0, 3), (3, 0, 3)], "views"
    )


async def integers_are_kept_exactly_up_to_the_largest(bench: Bench) -> None:
    """2^53-1 survives every round trip, and nothing larger or negative gets in."""
    top = ops.MAX_AMOUNT
    await bench.applied(hold(entry("c", top, top - 1)), id_="big")
    await bench.applied(ops.Commit("big", {"USD": top}))
    expect_equal(await bench.figures("c"), (top, 0, 0), "figures")
    for amount in (-1, top + 1):
        expect_equal(await bench.codes(hold(entry("d", top, amount))), [FailureCode.TOO_MUCH], f"holding {amount}")
    expect_equal(await bench.codes(hold(entry("c", top, 1))), [FailureCode.FULL], "one more")


async def a_correction_moves_the_room_of_its_period_only(bench: Bench) -> None:
    """An adjustment raises today, not tomorrow."""
    today = periods(bench.store.now_us())
    await bench.applied(ops.Adjust("c", today, 5, "a good customer"))
    await bench.applied(hold(entry("c", 10, 15, window=today)))
    expect_equal(await bench.codes(hold(entry("c", 10, 1, window=today))), [FailureCode.FULL], "today")
    bench.clock.advance(DAY_US)
    tomorrow = periods(bench.store.now_us())
    expect_equal(await bench.codes(hold(entry("c", 10, 11, window=tomorrow))), [FailureCode.FULL], "tomorrow")


CHECKS: Final = (
    every_window_fills_exactly,
    every_entry_must_have_room,
    a_refused_batch_leaves_nothing_behind,
    the_always_list_acts_on_refusals_too_and_the_refuse_list_only_then,
    an_always_entry_that_fails_refuses_the_batch_alone,
    a_batch_that_comes_again_gets_its_first_answer,
    a_plan_of_another_epoch_or_time_is_stale,
    views_tell_the_figures_before_and_after,
    integers_are_kept_exactly_up_to_the_largest,
    a_correction_moves_the_room_of_its_period_only,
)
