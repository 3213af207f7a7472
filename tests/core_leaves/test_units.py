"""The short texts of a policy read as written down: rolling, calendar and life windows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.money import Money
from remit.core.reading import MAX_INTEGER
from remit.core.schedule import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Calendar, CalendarUnit
from remit.core.units import (
    MAX_DURATION_US,
    Budget,
    Life,
    Quota,
    Rate,
    Rolling,
    Window,
    describe_duration,
    describe_window,
    parse_budget,
    parse_duration,
    parse_quota,
    parse_rate,
)
from remit.errors import UsageError
from tests.core_leaves.work import refused

MEGABYTE = "1" * 1_000_000


@pytest.mark.parametrize(
    ("text", "duration_us"),
    [
        ("250ms", 250_000),
        ("30s", 30 * SECOND_US),
        ("10m", 10 * MINUTE_US),
        ("24h", DAY_US),
        ("30d", 30 * DAY_US),
        ("2w", 14 * DAY_US),
        ("400 days", 400 * DAY_US),
        ("1 hour", HOUR_US),
        ("90 minutes", 90 * MINUTE_US),
        ("3660 days", MAX_DURATION_US),
    ],
)
def test_a_duration_is_a_whole_number_and_a_unit(text: str, duration_us: int) -> None:
    assert parse_duration(text) == duration_us


@pytest.mark.parametrize(
    "text",
    ["", "30", "s", "0s", "-1s", "+1s", "1.5h", "1e3s", "1_0s", "1  s", " 1s", "1s ", "1S", "1M", "1 month", "1y", "1h30m", "٣s",
     "3661 days", "999999999999d", "9999999999999d", MEGABYTE, MEGABYTE + "s", "P1D"],
    ids=lambda text: f"{text[:12]!r}",
)  # fmt: skip
def test_a_duration_in_any_other_spelling_is_refused(text: str) -> None:
    work = refused(lambda: parse_duration(text))
    assert "duration" in work.message
    assert work.calls < 60
    assert work.peak_bytes < 20_000


@given(st.integers(1, MAX_DURATION_US // 1000))
def test_a_duration_said_in_words_reads_back(milliseconds: int) -> None:
    assert parse_duration(describe_duration(milliseconds * 1000)) == milliseconds * 1000


def test_a_duration_below_a_millisecond_can_still_be_said() -> None:
    assert describe_duration(1500) == "1500 microseconds"
    assert describe_duration(DAY_US) == "1 day"


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("60/minute", Rate(count=60, window_us=MINUTE_US)),
        ("5/second", Rate(count=5, window_us=SECOND_US)),
        ("1000/15m", Rate(count=1000, window_us=15 * MINUTE_US)),
        ("10/day", Rate(count=10, window_us=DAY_US)),
        ("1/week", Rate(count=1, window_us=7 * DAY_US)),
        ("0/hour", Rate(count=0, window_us=HOUR_US)),
    ],
)
def test_a_rate_is_a_count_in_a_length_of_time(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text",
    ["", "60", "60/", "/minute", "60 /minute", "60/ minute", "60/minutes/2", "60/month", "60/year", "60/life", "-1/minute", "1.5/minute",
     "1_000/minute", "1e3/minute", "60 per minute", f"{2**53}/minute", MEGABYTE, MEGABYTE + "/minute", "60/" + MEGABYTE],
    ids=lambda text: f"{text[:12]!r}",
)  # fmt: skip
def test_a_rate_in_any_other_spelling_is_refused(text: str) -> None:
    assert refused(lambda: parse_rate(text)).calls < 80


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("100/second", Rolling(SECOND_US)),
        ("100/minute", Rolling(MINUTE_US)),
        ("100/hour", Rolling(HOUR_US)),
        ("100/90m", Rolling(90 * MINUTE_US)),
        ("100/24h", Rolling(DAY_US)),
        ("100/30d", Rolling(30 * DAY_US)),
        ("100/day", Calendar(CalendarUnit.DAY, "Europe/Berlin")),
        ("100/week", Calendar(CalendarUnit.WEEK, "Europe/Berlin")),
        ("100/month", Calendar(CalendarUnit.MONTH, "Europe/Berlin")),
        ("100/year", Calendar(CalendarUnit.YEAR, "Europe/Berlin")),
        ("100", Life()),
    ],
)
def test_a_quota_is_rolling_or_by_the_calendar_or_for_life(text: str, window: Window) -> None:
    assert parse_quota(text, timezone="Europe/Berlin") == Quota(count=100, window=window)


def test_calendar_windows_are_in_utc_unless_the_limit_says_otherwise() -> None:
    assert parse_quota("1/day").window == Calendar(CalendarUnit.DAY, "UTC")
    with pytest.raises(UsageError, match="not a time zone"):
        parse_quota("1/day", timezone="Mars/Olympus")


@given(st.integers(0, MAX_INTEGER))
def test_a_count_may_be_anything_from_zero_to_the_largest_exact_integer(count: int) -> None:
    assert parse_quota(f"{count}/hour").count == count


@pytest.mark.parametrize(
    "text", ["", "x/day", "1/Day", "1/days/", "1/ day", "1/fortnight", "1/0s", "1//day", "-1", MEGABYTE]
)
def test_a_quota_in_any_other_spelling_is_refused(text: str) -> None:
    assert refused(lambda: parse_quota(text)).calls < 80


def test_a_budget_is_money_per_window_or_for_life() -> None:
    assert parse_budget("5 USD") == Budget(amount=Money(5_000_000, "USD"), window=Life())
    berlin = Calendar(CalendarUnit.DAY, "Europe/Berlin")
    assert parse_budget("50.25 EUR/day", timezone="Europe/Berlin") == Budget(
        amount=Money(50_250_000, "EUR"), window=berlin
    )
    assert parse_budget("0 USD/24h") == Budget(amount=Money(0, "USD"), window=Rolling(DAY_US))


@pytest.mark.parametrize(
    "text", ["", "5", "5/day", "USD/day", "5 USD/", "5 usd/day", "5 USD per day", "5 USD / day", "-5 USD", MEGABYTE]
)
def test_a_budget_in_any_other_spelling_is_refused(text: str) -> None:
    assert refused(lambda: parse_budget(text)).calls < 80


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (Rolling(HOUR_US), "in any hour"),
        (Rolling(90 * MINUTE_US), "in any 90 minutes"),
        (Rolling(10 * DAY_US), "in any 10 days"),
        (Calendar(CalendarUnit.MONTH, "Europe/Berlin"), "per month (Europe/Berlin)"),
        (Life(), "in all"),
    ],
)
def test_a_window_is_said_in_words(window: Window, words: str) -> None:
    assert describe_window(window) == words
