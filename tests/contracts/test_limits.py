"""Limits and hours of a contract: each is exactly one, or the contract is refused; and what each counts in."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from remit.contracts import as_json
from remit.core.contract import account_lineage, child_lineage, root_lineage
from remit.core.contract_limit_reading import MAX_LIMITS, parse_iso_duration, read_limits
from remit.core.contract_limits import Cap, ContractLimit, ContractLimits, Meter, limit_cell, schedule_openings
from remit.core.contract_steps import ContractError, Step
from remit.core.policy import Rate
from remit.core.schedule import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Calendar, CalendarUnit
from remit.core.units import Life, Rolling
from remit.errors import UsageError

TOOLS = ("pay", "check")
CALLS: dict[str, Any] = {"id": "calls", "meter": "calls", "max": 100}
MONEY: dict[str, Any] = {"id": "money", "meter": "cost", "unit": "USD", "max": "50.00"}
PACE: dict[str, Any] = {"id": "pace", "meter": "calls", "rate": "10/minute"}
NIGHT: dict[str, Any] = {"days": ["mon", "tue"], "from": "02:00", "to": "04:00"}


def read(*limits: dict[str, Any], **entry: Any) -> ContractLimits:
    whole = {"type": "remit_limits", "ledger": "https://api.example.com", **entry}
    if limits:
        whole["limits"] = list(limits)
    members = as_json({name: value for name, value in whole.items() if value is not ...})
    assert isinstance(members, dict)
    return read_limits(members, TOOLS)


def only(limit: dict[str, Any]) -> ContractLimit:
    (found,) = read(limit).limits
    return found


@pytest.mark.parametrize(
    ("limit", "rule", "unit"),
    [
        (CALLS, Cap(max=100, window=Life()), "calls"),
        ({**CALLS, "max": 0}, Cap(max=0, window=Life()), "calls"),
        ({**CALLS, "max": 2**53 - 1}, Cap(max=2**53 - 1, window=Life()), "calls"),
        ({**CALLS, "per": "P1D"}, Cap(max=100, window=Rolling(DAY_US)), "calls"),
        ({**CALLS, "per": "PT90M"}, Cap(max=100, window=Rolling(90 * MINUTE_US)), "calls"),
        ({**CALLS, "meter": "llm_tokens", "per": "PT6H"}, Cap(max=100, window=Rolling(6 * HOUR_US)), "llm_tokens"),
        ({**CALLS, "meter": "units"}, Cap(max=100, window=Life()), "units"),
        ({**CALLS, "meter": "bytes", "per": "PT5S"}, Cap(max=100, window=Rolling(5 * SECOND_US)), "bytes"),
        (MONEY, Cap(max=50_000_000, window=Life()), "USD"),
        ({**MONEY, "max": "0.000001"}, Cap(max=1, window=Life()), "USD"),
        (
            {**MONEY, "calendar": "month", "timezone": "Europe/Berlin"},
            Cap(max=50_000_000, window=Calendar(CalendarUnit.MONTH, "Europe/Berlin")),
            "USD",
        ),
        (PACE, Rate(count=10, per_us=MINUTE_US, interval_us=6 * SECOND_US, burst=10), "calls"),
        ({**PACE, "burst": 3}, Rate(count=10, per_us=MINUTE_US, interval_us=6 * SECOND_US, burst=3), "calls"),
        ({**PACE, "rate": "0/minute"}, Rate(count=0, per_us=MINUTE_US, interval_us=MINUTE_US, burst=0), "calls"),
        ({**PACE, "rate": "7/1s"}, Rate(count=7, per_us=SECOND_US, interval_us=142_858, burst=7), "calls"),
    ],
)
def test_a_limit_says_what_is_counted_and_how_much_there_is(limit: dict[str, Any], rule: Cap | Rate, unit: str) -> None:
    found = only(limit)
    assert (found.rule, found.unit, found.id) == (rule, unit, limit["id"])


def without(limit: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in limit.items() if key != name}


# Each of these, ignored or guessed at, would mean "unlimited", or more than was meant.
TYPOS: dict[str, dict[str, Any]] = {
    "no id": without(CALLS, "id"),
    "empty id": {**CALLS, "id": ""},
    "id with a colon": {**CALLS, "id": "a:b"},
    "id of another script": {**CALLS, "id": "с"},
    "id is a number": {**CALLS, "id": 7},
    "no meter": without(CALLS, "meter"),
    "unknown meter": {**CALLS, "meter": "call"},
    "meter in capitals": {**CALLS, "meter": "CALLS"},
    "meter is null": {**CALLS, "meter": None},
    "unknown member": {**CALLS, "maximum": 5},
    "member in capitals": {**CALLS, "Max": 5},
    "no max": without(CALLS, "max"),
    "max is text": {**CALLS, "max": "5"},
    "max is a fraction": {**CALLS, "max": 5.5},
    "max is 5.0": {**CALLS, "max": 5.0},
    "max is negative": {**CALLS, "max": -1},
    "max is true": {**CALLS, "max": True},
    "max is null": {**CALLS, "max": None},
    "max is a list": {**CALLS, "max": [5]},
    "unit of calls": {**CALLS, "unit": "calls"},
    "no currency": without(MONEY, "unit"),
    "unknown currency": {**MONEY, "unit": "XXX"},
    "currency in lower case": {**MONEY, "unit": "usd"},
    "currency is null": {**MONEY, "unit": None},
    "money is a number": {**MONEY, "max": 50},
    "money is a fraction": {**MONEY, "max": 50.5},
    "money is negative": {**MONEY, "max": "-1"},
    "money with a sign": {**MONEY, "max": "+1"},
    "money with a comma": {**MONEY, "max": "1,000"},
    "money with an exponent": {**MONEY, "max": "1E3"},
    "money is NaN": {**MONEY, "max": "NaN"},
    "money too fine": {**MONEY, "max": "0.0000001"},
    "money beyond 2^53-1": {**MONEY, "max": "9007199254.740992"},
    "money is empty": {**MONEY, "max": ""},
    "per of nothing": {**CALLS, "per": "P0D"},
    "per with a zero before": {**CALLS, "per": "P01D"},
    "per in months": {**CALLS, "per": "P1M"},
    "per in weeks": {**CALLS, "per": "P1W"},
    "per of two units": {**CALLS, "per": "P1DT1H"},
    "per with a fraction": {**CALLS, "per": "PT1.5H"},
    "per in our own notation": {**CALLS, "per": "24h"},
    "per in lower case": {**CALLS, "per": "p1d"},
    "per is a number": {**CALLS, "per": 86400},
    "per is null": {**CALLS, "per": None},
    "per of eleven years": {**CALLS, "per": "P4000D"},
    "per and calendar": {**CALLS, "per": "P1D", "calendar": "day", "timezone": "UTC"},
    "calendar without zone": {**CALLS, "calendar": "day"},
    "zone without calendar": {**CALLS, "timezone": "UTC"},
    "zone beside per": {**CALLS, "per": "P1D", "timezone": "UTC"},
    "calendar of years": {**CALLS, "calendar": "year", "timezone": "UTC"},
    "calendar is null": {**CALLS, "calendar": None, "timezone": "UTC"},
    "unknown zone": {**CALLS, "calendar": "day", "timezone": "Europe/Nowhere"},
    "zone is a path": {**CALLS, "calendar": "day", "timezone": "../UTC"},
    "zone is null": {**CALLS, "calendar": "day", "timezone": None},
    "rate and max": {**PACE, "max": 5},
    "rate and per": {**PACE, "per": "P1D"},
    "rate of money": {**PACE, "meter": "cost", "unit": "USD"},
    "rate of llm tokens": {**PACE, "meter": "llm_tokens"},
    "rate is a number": {**PACE, "rate": 10},
    "rate without window": {**PACE, "rate": "10"},
    "rate of a month": {**PACE, "rate": "10/month"},
    "rate is negative": {**PACE, "rate": "-1/minute"},
    "rate beyond 10000 a second": {**PACE, "rate": "10001/second"},
    "burst of nothing": {**PACE, "burst": 0},
    "burst is negative": {**PACE, "burst": -1},
    "burst is text": {**PACE, "burst": "3"},
    "burst is true": {**PACE, "burst": True},
    "burst is null": {**PACE, "burst": None},
    "burst of years": {**PACE, "rate": "1/day", "burst": 10_000},
    "burst without rate": {**CALLS, "burst": 3},
    "burst of a rate of nothing": {**PACE, "rate": "0/minute", "burst": 3},
    "tools is empty": {**CALLS, "tools": []},
    "tools is text": {**CALLS, "tools": "pay"},
    "tools is null": {**CALLS, "tools": None},
    "a tool that the link lacks": {**CALLS, "tools": ["refund"]},
    "a pattern of tools": {**CALLS, "tools": ["pay*"]},
    "a tool twice": {**CALLS, "tools": ["pay", "pay"]},
    "a tool is a number": {**CALLS, "tools": [1]},
}


@pytest.mark.parametrize("limit", TYPOS.values(), ids=TYPOS.keys())
def test_a_typing_error_in_a_limit_refuses_the_contract(limit: dict[str, Any]) -> None:
    with pytest.raises(ContractError) as caught:
        read(CALLS | {"id": "sound"}, limit)
    assert caught.value.step is Step.LIMITS_MALFORMED


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"limits": []}, id="no limits in it"),
        pytest.param({"limits": {}}, id="limits is an object"),
        pytest.param({"limits": None}, id="limits is null"),
        pytest.param({"limits": [1]}, id="a limit is a number"),
        pytest.param({}, id="nothing in it"),
        pytest.param({"limits": [CALLS], "limit": 1}, id="unknown member"),
        pytest.param({"limits": [CALLS], "ledger": ...}, id="no ledger"),
        pytest.param({"limits": [CALLS], "ledger": ""}, id="empty ledger"),
        pytest.param({"limits": [CALLS], "ledger": None}, id="ledger is null"),
        pytest.param({"limits": [CALLS], "ledger": ["a"]}, id="ledger is a list"),
        pytest.param({"limits": [CALLS], "ledger": "x" * 257}, id="long ledger"),
        pytest.param({"limits": [CALLS], "ledger": "a\nb"}, id="line feed in ledger"),
        pytest.param({"limits": [CALLS, CALLS]}, id="one id twice"),
        pytest.param({"limits": [{**CALLS, "id": str(n)} for n in range(MAX_LIMITS + 1)]}, id="33 limits"),
        pytest.param({"schedule": None}, id="schedule is null"),
        pytest.param({"schedule": {"timezone": "UTC"}}, id="no windows"),
        pytest.param({"schedule": {"windows": []}}, id="no zone"),
        pytest.param({"schedule": {"timezone": "UTC", "windows": [], "days": []}}, id="unknown member of schedule"),
        pytest.param({"schedule": {"timezone": "Mars/Base", "windows": []}}, id="unknown zone"),
        pytest.param({"schedule": {"timezone": "UTC", "windows": NIGHT}}, id="windows is an object"),
        pytest.param({"schedule": {"timezone": "UTC", "windows": [NIGHT] * 33}}, id="33 windows"),
    ],
)
def test_an_entry_that_is_not_exactly_one_refuses_the_contract(entry: dict[str, Any]) -> None:
    with pytest.raises(ContractError) as caught:
        read(**entry)
    assert caught.value.step is Step.LIMITS_MALFORMED


@pytest.mark.parametrize(
    "window",
    [
        {**NIGHT, "to": "02:00"},
        {**NIGHT, "from": "24:00"},
        {**NIGHT, "to": "24:01"},
        {**NIGHT, "from": "2:00"},
        {**NIGHT, "from": "02:60"},
        {**NIGHT, "from": "02:00:00"},
        {**NIGHT, "from": "02:00-03:00"},
        {**NIGHT, "from": "02:00 UTC"},
        {**NIGHT, "from": ""},
        {**NIGHT, "from": 2},
        {**NIGHT, "to": None},
        {**NIGHT, "days": []},
        {**NIGHT, "days": ["mon", "mon"]},
        {**NIGHT, "days": ["Mon"]},
        {**NIGHT, "days": ["mon-fri"]},
        {**NIGHT, "days": "mon"},
        {**NIGHT, "days": [0]},
        {**NIGHT, "day": ["mon"]},
        {"from": "02:00", "to": "04:00"},
        "mon 02:00-04:00",
    ],
    ids=str,
)
def test_a_typing_error_in_the_hours_refuses_the_contract(window: object) -> None:
    with pytest.raises(ContractError) as caught:
        read(schedule={"timezone": "UTC", "windows": [window]})
    assert caught.value.step is Step.LIMITS_MALFORMED


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def is_open(windows: list[dict[str, Any]], text: str, *, zone: str = "UTC") -> bool:
    schedule = read(schedule={"timezone": zone, "windows": windows}).schedule
    assert schedule is not None
    now_us = at(text)
    return any(start <= now_us < end for start, end in schedule_openings(schedule, now_us).spans)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-01-04T02:00", True),  # a Monday
        ("2027-01-04T03:59", True),
        ("2027-01-04T04:00", False),
        ("2027-01-05T02:30", True),
        ("2027-01-06T02:30", False),
    ],
)
def test_hours_are_open_on_their_days_only(text: str, expected: bool) -> None:
    assert is_open([NIGHT], text) is expected


def test_hours_over_midnight_belong_to_the_day_they_start() -> None:
    late = {"days": ["sun"], "from": "22:00", "to": "02:00"}
    assert is_open([late], "2027-01-04T01:59")
    assert not is_open([late], "2027-01-03T01:59")


def test_any_of_several_windows_is_enough_and_none_never_opens() -> None:
    noon = {"days": ["wed"], "from": "12:00", "to": "13:00"}
    assert is_open([NIGHT, noon], "2027-01-06T12:30")
    assert not is_open([], "2027-01-06T12:30")


def test_windows_that_overlap_are_one_span() -> None:
    schedule = read(
        schedule={"timezone": "UTC", "windows": [NIGHT, {**NIGHT, "from": "03:00", "to": "05:00"}]}
    ).schedule
    assert schedule is not None
    spans = schedule_openings(schedule, at("2027-01-04T02:30")).spans
    assert spans[0] == (at("2027-01-04T02:00"), at("2027-01-04T05:00"))
    assert all(first[1] < second[0] for first, second in itertools.pairwise(spans))


def test_a_schedule_needs_no_ledger_because_it_counts_nothing() -> None:
    assert read(schedule={"timezone": "UTC", "windows": [NIGHT]}, ledger=...).ledger is None


def test_a_limit_concerns_the_tools_that_it_names() -> None:
    assert only({**CALLS, "tools": ["pay"]}).concerns("pay")
    assert not only({**CALLS, "tools": ["pay"]}).concerns("check")
    assert only(CALLS).concerns("check")


def test_a_cell_is_another_one_for_anything_that_makes_another_limit() -> None:
    limits = [
        only(limit)
        for limit in (
            CALLS,
            {**CALLS, "id": "other"},
            {**CALLS, "per": "P1D"},
            {**CALLS, "calendar": "day", "timezone": "UTC"},
            {**CALLS, "calendar": "day", "timezone": "Europe/Berlin"},
            {**CALLS, "meter": "units"},
            MONEY,
            {**MONEY, "unit": "EUR"},
            PACE,
            {**PACE, "rate": "11/minute"},
        )
    ]
    cells = {limit_cell(lineage, limit) for lineage in ("one", "two") for limit in limits}
    assert len(cells) == 2 * len(limits)


def test_a_cell_is_the_same_for_the_same_limit_with_another_maximum() -> None:
    assert limit_cell("one", only(CALLS)) == limit_cell("one", only({**CALLS, "max": 7}))
    assert limit_cell("one", only({**CALLS, "per": "P1D"})) == limit_cell("one", only({**CALLS, "per": "PT24H"}))


def test_lineages_of_different_links_never_meet() -> None:
    found = {
        root_lineage("a", "bc"),
        root_lineage("ab", "c"),
        account_lineage("a", "bc"),
        child_lineage("a", "bc"),
        child_lineage(root_lineage("a", "b"), "c"),
        child_lineage(root_lineage("a", "c"), "b"),
    }
    assert len(found) == 6
    assert all(len(lineage) == 43 for lineage in found)


@pytest.mark.parametrize(
    ("text", "duration_us"), [("P30D", 30 * DAY_US), ("PT1H", HOUR_US), ("PT5M", 5 * MINUTE_US), ("PT1S", SECOND_US)]
)
def test_a_duration_of_one_unit_is_read(text: str, duration_us: int) -> None:
    assert parse_iso_duration(text) == duration_us


def test_a_duration_of_absurd_length_is_refused_at_a_glance() -> None:
    with pytest.raises(UsageError):
        parse_iso_duration("P" + "9" * 100_000 + "D")


def test_every_meter_has_a_limit_that_counts_it() -> None:
    counted = {only({**(MONEY if meter is Meter.COST else CALLS), "meter": meter.value}).meter for meter in Meter}
    assert counted == set(Meter)
