"""Limits and hours as they are written on a line."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.cli.contract_limit_grammar import format_limit, format_schedule, parse_limit, parse_schedule
from remit.core.constraint_reading import Members
from remit.core.contract_limit_reading import LIMITS_TYPE, read_limits
from remit.core.contract_limits import ContractLimit
from remit.errors import UsageError

TOOLS = ("payments.transfer", "risk.validate", "odd tool")


def read(text: str) -> ContractLimit:
    entry: Members = {"type": LIMITS_TYPE, "ledger": "https://x.example", "limits": [parse_limit(text)]}
    return read_limits(entry, TOOLS).limits[0]


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("transfers: 100 calls of payments.transfer", {"meter": "calls", "max": 100, "tools": ["payments.transfer"]}),
        ("transfers:1 call", {"meter": "calls", "max": 1}),
        ("transfers: 0 calls", {"meter": "calls", "max": 0}),
        ("transfers: 50 USD per 1d", {"meter": "cost", "unit": "USD", "max": "50", "per": "P1D"}),
        ("transfers: 0.50 EUR", {"meter": "cost", "unit": "EUR", "max": "0.50"}),
        ("transfers: 5 calls per hour", {"meter": "calls", "max": 5, "per": "PT1H"}),
        ("transfers: 5 calls per 90m", {"meter": "calls", "max": 5, "per": "PT90M"}),
        ("transfers: 5 calls per 36h", {"meter": "calls", "max": 5, "per": "PT36H"}),
        ("transfers: 5 calls per 30s", {"meter": "calls", "max": 5, "per": "PT30S"}),
        ("transfers: 5 calls per day", {"meter": "calls", "max": 5, "calendar": "day", "timezone": "UTC"}),
        (
            "transfers: 5 calls per month Europe/Berlin of risk.validate",
            {"meter": "calls", "max": 5, "calendar": "month", "timezone": "Europe/Berlin", "tools": ["risk.validate"]},
        ),
        ("transfers: 10/minute", {"meter": "calls", "rate": "10/minute"}),
        ("transfers: 10/minute burst 3", {"meter": "calls", "rate": "10/minute", "burst": 3}),
        (
            'transfers: 10/90s of risk.validate, "odd tool"',
            {"meter": "calls", "rate": "10/90s", "tools": ["risk.validate", "odd tool"]},
        ),
        (
            "transfers: 5000 llm_tokens per week",
            {"meter": "llm_tokens", "max": 5000, "calendar": "week", "timezone": "UTC"},
        ),
        ("transfers: 7 units", {"meter": "units", "max": 7}),
        ("transfers: 1024 bytes", {"meter": "bytes", "max": 1024}),
    ],
)
def test_each_notation_means_its_limit_and_is_one_that_guards_read(text: str, limit: dict[str, Any]) -> None:
    assert parse_limit(text) == {"id": "transfers", **limit}
    assert read(format_limit(read(text))) == read(text)


amounts = st.sampled_from(
    ["0 calls", "7 calls", "9007199254740991 units", "1 bytes", "3 llm_tokens", "0.35 USD", "50 JPY"]
)
windows = st.sampled_from(
    [
        "",
        " per 1s",
        " per 90m",
        " per 25h",
        " per 7d",
        " per hour",
        " per day Asia/Tokyo",
        " per week UTC",
        " per month",
    ]
)
rates = st.builds(
    lambda count, window, burst: f"{count}/{window}{burst}",
    st.integers(1, 1000), st.sampled_from(["second", "minute", "hour", "day", "250ms", "90m", "2w"]),
    st.sampled_from(["", " burst 1", " burst 50"]),
)  # fmt: skip
of = st.sampled_from(["", " of risk.validate", ' of payments.transfer, "odd tool"'])


@given(st.builds(lambda rule, of: f"l: {rule}{of}", st.builds(str.__add__, amounts, windows) | rates, of))
def test_every_limit_reads_back_from_what_is_shown(text: str) -> None:
    try:
        limit = read(text)
    except UsageError:
        assert "250ms" in text
        return
    assert read(format_limit(limit)) == limit


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("100 calls", "write a name first"),
        ("", "write a name first"),
        ("two words: 1 call", "is not a name"),
        (": 1 call", "is not a name"),
        ("l:", "an amount such as"),
        ("l: 100", "what is counted"),
        ("l: 100 apples", "`apples` cannot be counted"),
        ("l: 100 usd", "`usd` cannot be counted"),
        ("l: USD 100", "cannot be counted"),
        ("l: -1 calls", "is not a count"),
        ("l: 1.5 calls", "is not a count"),
        ("l: 1e3 calls", "is not a count"),
        ("l: 9007199254740992 calls", "is not a count"),
        ("l: 1.2345678 USD", "is not an amount"),
        ("l: $5", "cannot stand"),
        ("l: 5 calls per", "a time such as"),
        ("l: 5 calls per year", "`day`, `week` or `month`"),
        ("l: 5 calls per 250ms", "is too fine"),
        ("l: 5 calls per 1M", "is not a window"),
        ("l: 5 calls per day Berlin", "is not a time zone"),
        ("l: 5 calls per 1d Europe/Berlin", "`of` and a tool, or the end"),
        ("l: 5 calls of", "the name of a tool"),
        ("l: 5 calls of a b", "the end was expected"),
        ("l: 5 calls of payments.*", "a contract knows no patterns"),
        ("l: 10/fortnight", "is not a window"),
        ("l: 10/month", "is not a rate"),
        ("l: 10/minute burst", "how many calls may come at once"),
        ("l: 10/minute burst x", "is not a count"),
        ("l: 10/minute per day", "`of` and a tool, or the end"),
        ("l: \x1b[2J", "cannot be printed"),
    ],
)
def test_a_limit_that_could_mean_something_else_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_limit(text)
    assert said in str(caught.value)


def test_hours_are_those_that_a_contract_has() -> None:
    texts = ["mon-fri 02:00-04:00 Europe/Berlin", "22:00-06:00 Europe/Berlin"]
    schedule = parse_schedule(texts)
    assert schedule["timezone"] == "Europe/Berlin"
    found = read_limits({"type": LIMITS_TYPE, "schedule": schedule}, TOOLS).schedule
    assert found is not None
    assert format_schedule(found) == ["mon,tue,wed,thu,fri 02:00-04:00 Europe/Berlin", "22:00-06:00 Europe/Berlin"]
    assert parse_schedule(format_schedule(found)) == schedule


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["02:00-04:00 UTC", "02:00-04:00 Europe/Berlin"], "one time zone"),
        (["2-4 UTC"], "is not a time of day"),
        (["02:00-02:00 UTC"], "never open"),
        (["02:00-04:00"], "is not a window"),
        (["mo 02:00-04:00 UTC"], "are not days"),
        (["02:00-04:00 Berlin"], "is not a time zone"),
    ],
)
def test_hours_that_cannot_be_are_refused(texts: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_schedule(texts)
