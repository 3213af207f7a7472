"""`remit why` is read by somebody who never saw the policy: whole sentences, the numbers, and what to do."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.audit import record as rec
from remit.audit.times import duration, iso, utc
from remit.audit.words import LimitText, explain, one_line
from remit.core.reasons import REASONS, Reason
from tests.audit.samples import ALLOWED, COMMITTED, NOW_US, REFUSED, RISK_CHECK, recorded, records

TRANSFERS = LimitText("transfers", "transfers allows 100 calls an hour for each agent and tool")


def settled(**changes: object) -> rec.Record:
    return recorded(msgspec.structs.replace(COMMITTED, **changes), seq=2)


def test_a_refused_call_is_told_from_beginning_to_end() -> None:
    assert explain(recorded(REFUSED, seq=12), limits=[TRANSFERS]) == (
        "At 2026-11-21 21:43:07 UTC (2026-11-21T21:43:07.123456Z) agent `risk-check` (API key `abcdefghijklmnop`, user "
        "`anna`, org `acme`, tier `basic`) called `payments.transfer` for `acct-9` (POST /transfer).\n"
        "Its arguments were amount = `500`, currency = `EUR`.\n"
        "It was refused: the quota of this period is used (`quota_exhausted`).\n"
        "transfers allows 100 calls an hour for each agent and tool; 100 were already used. There is room again at "
        "2026-11-21 22:00:00 UTC, 16 minutes 53 seconds after the call.\n"
        "What to do: Wait for the next period if it is near; otherwise stop.\n"
        "The call was not made, so it cost nothing.\n"
        "In the audit log: decision `dec_00064c2d5e0a4f00001122334455667788`, record 12 of writer `gw-1`, policy `3f2a`."
    )


def test_without_todays_policy_the_words_of_that_day_are_used() -> None:
    body = msgspec.structs.replace(REFUSED, detail="`transfers` allows 100 calls an hour; 100 were used.", reset_us=0)
    assert "\n`transfers` allows 100 calls an hour; 100 were used.\n" in explain(recorded(body))
    bare = msgspec.structs.replace(REFUSED, reset_us=0)
    assert "\n`transfers` allows 100 calls for each agent and tool; 100 were already used.\n" in explain(recorded(bare))


def test_money_is_told_in_its_currency_with_what_is_held_beside_it() -> None:
    body = msgspec.structs.replace(
        REFUSED,
        reason="budget_exhausted",
        limit="day-money",
        per="user",
        unit="USD",
        used=49_800_000,
        held=350_000,
        max=50_000_000,
        reset_us=0,
    )
    told = explain(recorded(body), limits=[LimitText("day-money", "day-money allows 50 USD a day for each user")])
    assert "day-money allows 50 USD a day for each user; 49.80 USD was already spent, and 0.35 USD held by" in told
    assert "50.15 USD of 50.00 USD" in one_line(recorded(body))


def test_an_allowed_call_says_what_it_held_and_what_it_cost() -> None:
    told = explain(recorded(ALLOWED), [settled()])
    assert "It was allowed. While it ran it held 1 call and 0.35 USD." in told
    assert "The service behind it answered 200 after 12 milliseconds. It cost 1 call and 0.25 USD." in told
    assert "The other 0.10 USD became free again." in told


def test_a_call_that_nobody_settled_yet_says_what_is_still_held() -> None:
    assert "It has not been settled yet; still held for it: 1 call and 0.35 USD." in explain(recorded(ALLOWED))


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (
            rec.SettledHow.ASSUMED_SPENT,
            "Nobody knows what became of the call (reset). Until somebody finds out it counts",
        ),
        (rec.SettledHow.RELEASED, "Nothing happened behind it (reset), so everything that it held was given back."),
        (rec.SettledHow.EXPIRED, "The call never left (reset), so everything that it held was given back."),
        (rec.SettledHow.RESOLVED, "`uid 0` found out what became of it (reset); it cost 1 call and 0.25 USD."),
        (rec.SettledHow.REFUNDED, "Refunded later: 1 call and 0.25 USD (reset)."),
        (
            rec.SettledHow.LATE,
            "That was reported after its hold had ended (reset); it cost 1 call and 0.25 USD all the",
        ),
    ],
)
def test_every_end_of_a_hold_has_a_sentence(how: rec.SettledHow, sentence: str) -> None:
    assert sentence in explain(recorded(ALLOWED), [settled(how=how, evidence="reset", by="uid 0")])
    assert how.value in one_line(settled(how=how))


def test_overage_is_never_passed_over_in_silence() -> None:
    told = explain(recorded(ALLOWED), [settled(overage={"USD": 50_000})])
    assert "Over the cap, recorded in full, and a reason to freeze the budget: 0.05 USD." in told


def test_settlements_of_other_calls_are_passed_over() -> None:
    assert "not been settled" in explain(recorded(ALLOWED), [settled(decision="dec_other"), recorded(REFUSED)])


def test_a_chain_is_told_from_its_root_to_the_agent_that_called() -> None:
    chain = (rec.Link(holder="k1", agent="planner"), rec.Link(holder="k2"))
    told = explain(recorded(msgspec.structs.replace(REFUSED, chain=chain, hop=1)))
    assert "It came with a chain of 2 contracts, from `planner` (key `k1`) to key `k2`." in told
    assert "The limit belongs to contract 1 of 2 in the chain." in told


def test_limits_that_failed_beside_or_only_watched_are_named() -> None:
    failing = (rec.LimitSeen(name="transfers"), rec.LimitSeen(name="day-money"))
    told = explain(recorded(msgspec.structs.replace(REFUSED, failing=failing, would_refuse=("spread",))))
    assert "These limits had no room either: `day-money`." in told
    assert "Had they been enforced, these limits would have refused it: `spread`." in told


def test_an_anonymous_and_a_local_caller_are_called_what_they_are() -> None:
    anonymous = rec.CallerSeen(kind="none", id="192.0.2.0/24")
    told = explain(recorded(msgspec.structs.replace(REFUSED, caller=anonymous)))
    assert "an anonymous caller (address `192.0.2.0/24`) called" in told
    local = rec.CallerSeen(kind="local", id="local", agent="nightly")
    assert "agent `nightly` (in this process) called" in explain(
        recorded(msgspec.structs.replace(REFUSED, caller=local))
    )


def test_counted_refusals_say_how_many_and_between_which_decisions() -> None:
    body = rec.Refusals(
        count=50_232,
        caller=RISK_CHECK,
        reason="rate_limited",
        limit="pace",
        tool="payments.transfer",
        first_decision="dec_1",
        last_decision="dec_9",
        first_us=NOW_US,
        last_us=NOW_US + 900_000,
    )
    told = explain(recorded(body))
    assert "50,232 more calls of `payments.transfer` by agent `risk-check`" in told
    assert "were refused by the limit `pace`: too fast (`rate_limited`)." in told
    assert "the first is decision `dec_1`, the last `dec_9`" in told
    assert "refused 50232 times" in one_line(recorded(body))


@pytest.mark.parametrize("action", rec.AdminAction)
def test_every_change_by_an_operator_says_who_did_what(action: rec.AdminAction) -> None:
    body = rec.Admin(action=action, by="uid 0", subject="abc", detail="why")
    assert explain(recorded(body)).startswith("At 2026-11-21 21:43:07 UTC (2026-11-21T21:43:07.123456Z) `uid 0` ")
    assert f"{action.value}  abc  by uid 0  why" in one_line(recorded(body))


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_told_with_its_title_and_its_advice(reason: Reason) -> None:
    told = explain(recorded(msgspec.structs.replace(REFUSED, reason=reason.value)))
    assert f"What to do: {REASONS[reason].help}\n" in told
    assert REASONS[reason].title[1:] in told


def test_a_reason_of_a_newer_version_is_admitted_to_be_unknown() -> None:
    told = explain(recorded(msgspec.structs.replace(REFUSED, reason="novel")))
    assert "for a reason that this version does not know (`novel`)" in told


@given(records, st.lists(records, max_size=2))
def test_any_record_at_all_can_be_told(record: rec.Record, others: list[rec.Record]) -> None:
    assert all(line and line.isprintable() for line in explain(record, others).split("\n"))
    assert one_line(record).isprintable()


@pytest.mark.parametrize(
    ("span_us", "text"),
    [
        (0, "0 milliseconds"),
        (999_999, "999 milliseconds"),
        (1_000_000, "1 second"),
        (61_000_000, "1 minute 1 second"),
        (7_200_000_000, "2 hours"),
        (90_061_000_000, "1 day 1 hour"),
        (2**53 - 1, "104249 days 23 hours"),
    ],
)
def test_a_span_of_time_is_told_in_its_two_largest_units(span_us: int, text: str) -> None:
    assert duration(span_us) == text


def test_times_outside_the_calendar_do_not_stop_the_telling() -> None:
    assert (utc(-1), iso(0)) == ("1970-01-01 00:00:00 UTC", "1970-01-01T00:00:00.000000Z")
    assert utc(2**62) == "9999-12-31 23:59:59 UTC"
