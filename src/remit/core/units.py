"""The short texts of a policy, read once: durations, rates, quotas and budgets.

`60/minute`, `100/hour`, `10000/day`, `1000/15m`, `5 USD`, `50 USD/day`: a count or an amount, and after the slash the
window it is counted in. How a window is read:

- `/second`, `/minute`, `/hour` and any duration (`/90m`, `/24h`, `/30d`, `/400 days`) are *rolling*: any stretch of that
  length.
- `/day`, `/week`, `/month`, `/year` are *calendar* periods in the limit's time zone (UTC unless it says otherwise).
- No slash: for *life*, of the contract, the session or the limit.

A rate is a speed, so its window is always a length of time: there a day is 24 hours, and a month is refused. A count of
0 is allowed and denies everything.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from remit.core.money import Money, parse_money
from remit.core.reading import is_digits, read_count, shown
from remit.core.schedule import DAY_US, HOUR_US, MINUTE_US, SECOND_US, WEEK_US, Calendar, CalendarUnit
from remit.core.zones import DEFAULT_ZONE
from remit.errors import UsageError

MAX_DURATION_US: Final = 3660 * DAY_US
"""The longest duration that a policy may name: ten years and a bit."""

_MAX_TEXT_CHARS: Final = 64
_MAX_DURATION_DIGITS: Final = 12
_DURATION_UNITS: Final = (
    (("ms", "millisecond", "milliseconds"), 1_000),
    (("s", "second", "seconds"), SECOND_US),
    (("m", "minute", "minutes"), MINUTE_US),
    (("h", "hour", "hours"), HOUR_US),
    (("d", "day", "days"), DAY_US),
    (("w", "week", "weeks"), WEEK_US),
)
_ROLLING_NAMES: Final = {"second": SECOND_US, "minute": MINUTE_US, "hour": HOUR_US}
_RATE_NAMES: Final = {**_ROLLING_NAMES, "day": DAY_US, "week": WEEK_US}
_CALENDAR_NAMES: Final = ("day", "week", "month", "year")


@dataclass(frozen=True, slots=True)
class Rolling:
    """Any stretch of time of this length."""

    window_us: int


@dataclass(frozen=True, slots=True)
class Life:
    """All of the time that the counted thing exists."""


Window: TypeAlias = Rolling | Calendar | Life


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A speed: at most `count` in `window_us`, evenly refilled."""

    count: int
    window_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """At most `count` in each `window`."""

    count: int
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """At most `amount` in each `window`."""

    amount: Money
    window: Window


def parse_duration(text: str) -> int:
    """Return the microseconds of `250ms`, `30s`, `10m`, `24h`, `400 days` or `2w`: above 0, at most 3660 days.

    Whole numbers of one unit only. Months and years have no fixed length, so they are no durations. Raises `UsageError`.
    """
    digits = text[: len(text) - len(text.lstrip("0123456789"))] if len(text) <= _MAX_TEXT_CHARS else ""
    name = text[len(digits) :].removeprefix(" ")
    unit_us = next((unit_us for names, unit_us in _DURATION_UNITS if name in names), 0)
    if not unit_us or not is_digits(digits) or len(digits) > _MAX_DURATION_DIGITS:
        raise UsageError(f"{shown(text)} is not a duration: write a whole number and a unit, such as `30s` or `24h`")
    duration_us = int(digits) * unit_us
    if not 0 < duration_us <= MAX_DURATION_US:
        raise UsageError(f"{shown(text)} is out of range: a duration is above 0 and at most 3660 days")
    return duration_us


def parse_rate(text: str) -> Rate:
    """Read a speed such as `60/minute` or `1000/15m`. Raises `UsageError`."""
    count_text, window_text = _split(text)
    if window_text is None:
        raise UsageError(f"{shown(text)} is not a rate: write a count and a time, such as `60/minute`")
    if window_text in ("month", "year"):
        raise UsageError(f"{shown(text)} is not a rate: a {window_text} has no fixed length; use a quota or `/30d`")
    window_us = _RATE_NAMES.get(window_text) or _window_duration(window_text)
    return Rate(count=_count(count_text), window_us=window_us)


def parse_quota(text: str, *, timezone: str = DEFAULT_ZONE) -> Quota:
    """Read a count per window such as `100/hour`, `10000/day` or, for life, `500`. Raises `UsageError`."""
    count_text, window_text = _split(text)
    return Quota(count=_count(count_text), window=_window(window_text, timezone))


def parse_budget(text: str, *, timezone: str = DEFAULT_ZONE) -> Budget:
    """Read money per window such as `50 USD/day` or, for life, `5 USD`. Raises `UsageError`."""
    money_text, window_text = _split(text)
    return Budget(amount=parse_money(money_text), window=_window(window_text, timezone))


def describe_duration(duration_us: int) -> str:
    """Say a duration in the largest unit that divides it: `1 day`, `90 minutes`, `250 milliseconds`."""
    for names, unit_us in reversed(_DURATION_UNITS):
        count, rest = divmod(duration_us, unit_us)
        if count and not rest:
            return f"{count} {names[1] if count == 1 else names[2]}"
    return f"{duration_us} microseconds"


def describe_window(window: Window) -> str:
    """Say a window in words that follow a count: `in any 15 minutes`, `in any hour`, `per day (Europe/Berlin)`, `in all`."""
    match window:
        case Rolling(window_us):
            return f"in any {describe_duration(window_us).removeprefix('1 ')}"
        case Calendar(unit, timezone):
            return f"per {unit.value} ({timezone})"
        case Life():
            return "in all"
        case _:
            assert_never(window)


def _split(text: str) -> tuple[str, str | None]:
    if len(text) > _MAX_TEXT_CHARS:
        raise UsageError(f"{shown(text)} is too long: write an amount and a window, such as `100/hour`")
    amount, slash, window = text.partition("/")
    return amount, window if slash else None


def _count(text: str) -> int:
    count = read_count(text)
    if count is None:
        raise UsageError(f"{shown(text)} is not a count: write plain digits from 0 to 2^53-1")
    return count


def _window(text: str | None, timezone: str) -> Window:
    if text is None:
        return Life()
    if text in _CALENDAR_NAMES:
        return Calendar(CalendarUnit(text), timezone)
    return Rolling(_ROLLING_NAMES.get(text) or _window_duration(text))


def _window_duration(text: str) -> int:
    try:
        return parse_duration(text)
    except UsageError:
        raise UsageError(
            f"{shown(text)} is not a window: write `second`, `minute`, `hour`, `day`, `week`, `month`, `year` or a "
            "duration such as `90m`"
        ) from None
