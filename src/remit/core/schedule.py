"""Calendar arithmetic: which period an instant lies in, and when a daily window is open, in any time zone.

Time is an integer of microseconds since 1970 UTC, and every answer is a half-open range of such instants. A calendar
period begins at the *first* instant whose local date (or hour, or minute) has reached it, and ends where the next one
begins. So periods tile time: there is one reset per period, whether the day has 23 hours or 25, whether midnight does not
exist or comes twice; a day that a zone skipped altogether has no period. A daily window (`only`), in contrast, follows the
clock on the wall: an hour that is skipped never opens, an hour that is repeated opens twice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import Enum
from typing import Final

from remit.core.reading import is_digits, shown
from remit.core.zones import DEFAULT_ZONE, check_zone, load_zone
from remit.errors import UsageError

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
WEEK_US: Final = 7 * DAY_US

MAX_NOW_US: Final = 8_835_955_200_000_000
"""Calendars work until 2250-01-01: one year more would leave the integers that every store holds exactly."""

OPENINGS_LOOK_BACK_US: Final = 2 * DAY_US
OPENINGS_LOOK_AHEAD_US: Final = 10 * DAY_US

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WALL_EPOCH: Final = _EPOCH.replace(tzinfo=None)
_ONE_US: Final = timedelta(microseconds=1)
_ONE_DAY: Final = timedelta(days=1)
_PROBE_US: Final = 6 * HOUR_US
_MINUTES_PER_DAY: Final = 24 * 60
_MAX_TEXT_CHARS: Final = 120
_DAY_NAMES: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class CalendarUnit(Enum):
    """What a calendar period may be. Weeks start on Monday (ISO 8601)."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Periods of one unit in one IANA time zone. Raises `UsageError` when the zone does not exist."""

    unit: CalendarUnit
    timezone: str = DEFAULT_ZONE

    def __post_init__(self) -> None:
        check_zone(self.timezone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The instants from `start_us` up to, not including, `end_us`."""

    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyWindow:
    """A daily window on the wall clock: from one minute of the day until another, on the days it starts on.

    `days` are 0 (Monday) to 6. A window whose end is not after its start runs into the next day and belongs to the day it
    starts. Raises `UsageError` when it would never open or the zone does not exist.
    """

    from_minute: int
    until_minute: int
    timezone: str = DEFAULT_ZONE
    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)

    def __post_init__(self) -> None:
        check_zone(self.timezone)
        if not (0 <= self.from_minute < _MINUTES_PER_DAY and 0 <= self.until_minute <= _MINUTES_PER_DAY):
            raise UsageError("a window must lie between 00:00 and 24:00")
        if self.from_minute == self.until_minute:
            raise UsageError("a window that ends when it starts is never open: write `00:00-24:00` for the whole day")
        if not self.days or not set(self.days) <= set(range(len(_DAY_NAMES))):
            raise UsageError("a window needs at least one day of the week")

    @property
    def length(self) -> timedelta:
        """How long it is open by the wall clock."""
        return timedelta(minutes=(self.until_minute - self.from_minute - 1) % _MINUTES_PER_DAY + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Openings:
    """Half-open (from_us, until_us) spans in order, the open one first; complete up to `horizon_us`, where they are cut."""

    spans: tuple[tuple[int, int], ...]
    horizon_us: int


def period_at(calendar: Calendar, now_us: int) -> Period:
    """Return the period of `calendar` that holds `now_us`. Raises `UsageError` for times before 1970 or after 2249."""
    check_now(now_us)
    return _period(calendar, now_us)


def period_pair(calendar: Calendar, now_us: int) -> tuple[Period, Period]:
    """Return the period that holds `now_us` and the one after it, which begins where the first ends."""
    current = period_at(calendar, now_us)
    return current, _period(calendar, current.end_us)


def parse_only(text: str) -> OnlyWindow:
    """Read `02:00-04:00 Europe/Berlin`, or with days before it: `mon-fri 22:00-06:00 UTC`, `sat,sun 00:00-24:00 UTC`.

    Raises `UsageError`.
    """
    parts = text.split(" ") if len(text) <= _MAX_TEXT_CHARS else []
    if len(parts) not in (2, 3):
        raise UsageError(
            f"{shown(text)} is not a window: write hours and a zone, such as `mon-fri 02:00-04:00 Europe/Berlin`"
        )
    *days, hours, timezone = parts
    from_text, dash, until_text = hours.partition("-")
    if not dash:
        raise UsageError(f"{shown(hours)} is not a range of hours: write `02:00-04:00`")
    return OnlyWindow(
        from_minute=_minute_of_day(from_text),
        until_minute=_minute_of_day(until_text),
        timezone=timezone,
        days=_days(days[0]) if days else (0, 1, 2, 3, 4, 5, 6),
    )


def describe_only(window: OnlyWindow) -> str:
    """Say a window in words: `02:00 to 04:00 Europe/Berlin on mon, tue`."""
    hours = " to ".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in (window.from_minute, window.until_minute))
    days = ", ".join(name for day, name in enumerate(_DAY_NAMES) if day in window.days)
    return f"{hours} {window.timezone} " + ("every day" if len(set(window.days)) == len(_DAY_NAMES) else f"on {days}")


def openings(window: OnlyWindow, now_us: int) -> Openings:
    """Return when `window` is open: the span that holds `now_us`, if any, and those of at least the next 8 days.

    A span may be cut at two days back or at the horizon. The answer changes once per UTC day. Raises `UsageError` for
    times before 1970 or after 2249.
    """
    check_now(now_us)
    today_us = now_us - now_us % DAY_US
    base_us = max(0, today_us - OPENINGS_LOOK_BACK_US)
    horizon_us = today_us + OPENINGS_LOOK_AHEAD_US
    zone = load_zone(window.timezone)
    merged: list[tuple[int, int]] = []
    for from_us, until_us in _open_spans(window, zone, base_us, horizon_us):
        if merged and merged[-1][1] == from_us:
            merged[-1] = (merged[-1][0], until_us)
        else:
            merged.append((from_us, until_us))
    return Openings(spans=tuple(span for span in merged if span[1] > now_us), horizon_us=horizon_us)


def check_now(now_us: int) -> None:
    """Raise `UsageError` when a clock says a time for which there is no calendar."""
    if not 0 <= now_us < MAX_NOW_US:
        raise UsageError("the clock is out of range: calendars work from 1970 to 2249")


def _period(calendar: Calendar, now_us: int) -> Period:
    zone = load_zone(calendar.timezone)
    match calendar.unit:
        case CalendarUnit.MINUTE:
            return _grid_period(zone, MINUTE_US, now_us)
        case CalendarUnit.HOUR:
            return _grid_period(zone, HOUR_US, now_us)
        case CalendarUnit.DAY | CalendarUnit.WEEK | CalendarUnit.MONTH | CalendarUnit.YEAR:
            today = _local(zone, now_us).date()
            return _dated_period(zone, calendar.unit, _first_day(calendar.unit, today), now_us)


def _local(zone: tzinfo, at_us: int) -> datetime:
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone)


def _offset_us(zone: tzinfo, at_us: int) -> int:
    return _as_us(_local(zone, at_us).utcoffset())


def _as_us(offset: timedelta | None) -> int:
    return 0 if offset is None else offset // _ONE_US


def _wall_us(wall: datetime) -> int:
    """Return a wall-clock time as if it were UTC."""
    return (wall - _WALL_EPOCH) // _ONE_US


def _first_true_us(is_true: Callable[[int], bool], low_us: int, high_us: int) -> int:
    """Return the first instant after `low_us` where `is_true`, given that it is true at `high_us` and changes once."""
    while high_us - low_us > 1:
        middle_us = (low_us + high_us) // 2
        low_us, high_us = (low_us, middle_us) if is_true(middle_us) else (middle_us, high_us)
    return high_us


def _grid_period(zone: tzinfo, unit_us: int, now_us: int) -> Period:
    """The local hour or minute. Where a zone shifts by a part of one, the shift begins a new, shorter period."""
    offset_us = _offset_us(zone, now_us)

    def is_on_grid(at_us: int) -> bool:
        return (_offset_us(zone, at_us) - offset_us) % unit_us == 0

    start_us = now_us - (now_us + offset_us) % unit_us
    end_us = start_us + unit_us
    if not is_on_grid(start_us):
        start_us = _first_true_us(is_on_grid, start_us, now_us)
    if not is_on_grid(end_us - 1):
        end_us = _first_true_us(lambda at_us: not is_on_grid(at_us), now_us, end_us - 1)
    return Period(start_us=max(0, start_us), end_us=end_us)


def _dated_period(zone: tzinfo, unit: CalendarUnit, first: date, now_us: int) -> Period:
    start_us = _begin_us(zone, first)
    while True:  # at most a few rounds: only a repeated hour before midnight, or a skipped day, needs a second one
        first = _next_first_day(unit, first)
        end_us = _begin_us(zone, first)
        if now_us < end_us:
            return Period(start_us=max(0, start_us), end_us=end_us)
        start_us = end_us


def _begin_us(zone: tzinfo, day: date) -> int:
    """Return the first instant whose local date is `day` or later.

    PEP 495: where a shift makes midnight ambiguous or skips it, `fold=0` reads it by the old offset and `fold=1` by the
    new one. The first of two midnights is the one by the old offset. A skipped one is replaced by the shift itself,
    which lies between the two readings.
    """
    midnight = datetime.combine(day, time.min)
    midnight_us = _wall_us(midnight)
    by_old_us = midnight_us - _as_us(midnight.replace(tzinfo=zone, fold=0).utcoffset())
    by_new_us = midnight_us - _as_us(midnight.replace(tzinfo=zone, fold=1).utcoffset())
    if by_old_us <= by_new_us:
        return by_old_us
    return _first_true_us(lambda at_us: at_us + _offset_us(zone, at_us) >= midnight_us, by_new_us - 1, by_old_us)


def _first_day(unit: CalendarUnit, day: date) -> date:
    match unit:
        case CalendarUnit.WEEK:
            return day - timedelta(days=day.weekday())
        case CalendarUnit.MONTH:
            return day.replace(day=1)
        case CalendarUnit.YEAR:
            return day.replace(month=1, day=1)
        case _:
            return day


def _next_first_day(unit: CalendarUnit, first: date) -> date:
    match unit:
        case CalendarUnit.WEEK:
            return first + timedelta(days=7)
        case CalendarUnit.MONTH:
            return _first_day(unit, first + timedelta(days=31))
        case CalendarUnit.YEAR:
            return first.replace(year=first.year + 1)
        case _:
            return first + _ONE_DAY


def _minute_of_day(text: str) -> int:
    hours, colon, minutes = text.partition(":")
    is_time = colon and len(hours) == 2 and len(minutes) == 2 and is_digits(hours + minutes)
    if not is_time or int(minutes) > 59 or int(hours) * 60 + int(minutes) > _MINUTES_PER_DAY:
        raise UsageError(f"{shown(text)} is not a time of day: write `02:00`, from `00:00` to `24:00`")
    return int(hours) * 60 + int(minutes)


def _days(text: str) -> tuple[int, ...]:
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in _DAY_NAMES or (dash and last not in _DAY_NAMES):
            raise UsageError(f"{shown(text)} are not days: write `mon`, `mon,wed` or `mon-fri`")
        start = _DAY_NAMES.index(first)
        count = (_DAY_NAMES.index(last) - start) % len(_DAY_NAMES) if dash else 0
        days.update((start + step) % len(_DAY_NAMES) for step in range(count + 1))
    return tuple(sorted(days))


def _open_spans(window: OnlyWindow, zone: tzinfo, base_us: int, horizon_us: int) -> Iterator[tuple[int, int]]:
    """Yield the spans in order, one stretch of constant offset after the other: inside one the wall clock is linear."""
    for start_us, end_us, offset_us in _stretches(zone, base_us, horizon_us):
        day = (_WALL_EPOCH + timedelta(microseconds=start_us + offset_us)).date() - _ONE_DAY
        last = (_WALL_EPOCH + timedelta(microseconds=end_us + offset_us)).date()
        while day <= last:
            opens = datetime.combine(day, time.min) + timedelta(minutes=window.from_minute)
            from_us = max(start_us, _wall_us(opens) - offset_us)
            until_us = min(end_us, _wall_us(opens + window.length) - offset_us)
            if from_us < until_us and day.weekday() in window.days:
                yield from_us, until_us
            day += _ONE_DAY


def _stretches(zone: tzinfo, base_us: int, horizon_us: int) -> Iterator[tuple[int, int, int]]:
    """Cut a range where the zone's offset changes: (start_us, end_us, offset_us), offsets probed every six hours."""
    start_us, offset_us = base_us, _offset_us(zone, base_us)
    for probe_us in range(base_us, horizon_us, _PROBE_US):
        change_us = _change_us(zone, probe_us, probe_us + _PROBE_US)
        if change_us is not None:
            yield start_us, change_us, offset_us
            start_us, offset_us = change_us, _offset_us(zone, change_us)
    yield start_us, horizon_us, offset_us


def _change_us(zone: tzinfo, low_us: int, high_us: int) -> int | None:
    before_us = _offset_us(zone, low_us)
    if _offset_us(zone, high_us) == before_us:
        return None
    return _first_true_us(lambda at_us: _offset_us(zone, at_us) != before_us, low_us, high_us)
