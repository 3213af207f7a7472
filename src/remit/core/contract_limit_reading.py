"""From the JSON of a `remit_limits` entry to limits: whatever is not exactly a limit refuses the whole contract.

A typing error in a limit must not mean "unlimited". So no member is ignored, none has a default that allows more, and a
value has one spelling: counts are JSON integers, money is a string such as `"50.00"`, a length of time is an ISO 8601
duration of one unit (`PnD`, `PTnH`, `PTnM`, `PTnS`).
"""

import re
from collections.abc import Callable, Collection
from typing import Final, TypeVar

from remit.core.constraint_reading import Members
from remit.core.contract_limits import Cap, ContractLimit, ContractLimits, LimitRule, Meter, Schedule
from remit.core.contract_steps import ContractError, Step
from remit.core.match import is_identifier
from remit.core.money import ceil_div, check_currency, parse_amount
from remit.core.policy import Rate
from remit.core.reading import shown
from remit.core.schedule import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Calendar, CalendarUnit, OnlyWindow, parse_only
from remit.core.strict_json import JsonValue
from remit.core.units import MAX_DURATION_US, Life, Rolling, Window, parse_rate
from remit.core.zones import check_zone
from remit.errors import UsageError

LIMITS_TYPE: Final = "remit_limits"

MAX_LIMITS: Final = 32
MAX_WINDOWS: Final = 32
MAX_LEDGER_CHARS: Final = 256

SHORTEST_INTERVAL_US: Final = 100
"""A rate of 10,000 calls a second: above it, rounding the interval up to a microsecond would cost more than a percent."""

_DURATION: Final = re.compile(r"P(?:([1-9][0-9]{0,9})D|T([1-9][0-9]{0,9})([HMS]))")
_TIME_UNITS_US: Final = {"H": HOUR_US, "M": MINUTE_US, "S": SECOND_US}
_METERS: Final = {meter.value: meter for meter in Meter}
_CALENDARS: Final = {"day": CalendarUnit.DAY, "week": CalendarUnit.WEEK, "month": CalendarUnit.MONTH}
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_ENTRY_MEMBERS: Final = frozenset({"type", "ledger", "limits", "schedule"})
_CAP_MEMBERS: Final = frozenset({"id", "tools", "meter", "unit", "max", "per", "calendar", "timezone"})
_RATE_MEMBERS: Final = frozenset({"id", "tools", "meter", "rate", "burst"})

T = TypeVar("T")


def read_limits(entry: Members, tools: Collection[str]) -> ContractLimits:
    """Read an entry of a link that has these `tools`. Raises `ContractError` (`limits_malformed`)."""
    _check_members(entry, _ENTRY_MEMBERS, "the entry `remit_limits`")
    if "limits" not in entry and "schedule" not in entry:
        raise _malformed("the entry `remit_limits` holds neither `limits` nor a `schedule`")
    limits = _limits(entry["limits"], tools) if "limits" in entry else ()
    ledger = entry.get("ledger")
    if ("ledger" in entry or limits) and not _is_ledger(ledger):
        raise _malformed("`ledger` must name the one guard that counts the limits, such as `https://api.example.com`")
    return ContractLimits(
        ledger=ledger if isinstance(ledger, str) else None,
        limits=limits,
        schedule=_schedule(entry["schedule"]) if "schedule" in entry else None,
    )


def parse_iso_duration(text: str) -> int:
    """Return the microseconds of `PnD`, `PTnH`, `PTnM` or `PTnS`, at most 3660 days. Raises `UsageError`."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise UsageError(f"{shown(text)} is not a duration: write `PnD`, `PTnH`, `PTnM` or `PTnS`, such as `P1D`")
    days, count, unit = found.groups()
    duration_us: int = int(days) * DAY_US if days else int(count) * _TIME_UNITS_US[unit]
    if duration_us > MAX_DURATION_US:
        raise UsageError(f"{shown(text)} is too long: a duration is at most 3660 days")
    return duration_us


def _malformed(problem: str) -> ContractError:
    return ContractError(Step.LIMITS_MALFORMED, problem)


def _check_members(members: Members, known: frozenset[str], what: str) -> None:
    if unknown := members.keys() - known:
        raise _malformed(f"{what} has no member {shown(min(unknown))}")


def _is_ledger(ledger: JsonValue) -> bool:
    return isinstance(ledger, str) and 0 < len(ledger) <= MAX_LEDGER_CHARS and ledger.isascii() and ledger.isprintable()


def _limits(value: JsonValue, tools: Collection[str]) -> tuple[ContractLimit, ...]:
    if not isinstance(value, list) or not value:
        raise _malformed("`limits` must be an array that is not empty")
    if len(value) > MAX_LIMITS:
        raise _malformed(f"there are more than {MAX_LIMITS} limits")
    limits = tuple(_limit(item, tools) for item in value)
    ids = [limit.id for limit in limits]
    if len(set(ids)) != len(ids):
        raise _malformed("two limits have the same `id`")
    return limits


def _limit(value: JsonValue, tools: Collection[str]) -> ContractLimit:
    if not isinstance(value, dict):
        raise _malformed("a limit must be an object")
    name = value.get("id")
    if not isinstance(name, str) or not is_identifier(name):
        raise _malformed("a limit needs an `id` of up to 128 of `A-Z a-z 0-9 . _ @ + -`")
    what = f"the limit `{name}`"
    meter = _meter(value.get("meter"), what)
    _check_members(value, _RATE_MEMBERS if "rate" in value else _CAP_MEMBERS, what)
    unit = _unit(value, meter, what)
    rule = _rate(value, meter, what) if "rate" in value else _cap(value, meter, what)
    return ContractLimit(id=name, meter=meter, unit=unit, rule=rule, tools=_tools(value, tools, what))


def _meter(value: JsonValue, what: str) -> Meter:
    meter = _METERS.get(value) if isinstance(value, str) else None
    if meter is None:
        raise _malformed(f"{what} needs a `meter`: {', '.join(f'`{name}`' for name in _METERS)}")
    return meter


def _tools(members: Members, tools: Collection[str], what: str) -> frozenset[str] | None:
    if "tools" not in members:
        return None
    named = members["tools"]
    if not isinstance(named, list) or not named:
        raise _malformed(f"the `tools` of {what} must be an array that is not empty")
    found: set[str] = set()
    for tool in named:
        if not isinstance(tool, str) or tool not in tools:
            raise _malformed(f"{what} names a tool that the contract does not have")
        if tool in found:
            raise _malformed(f"{what} names the tool {shown(tool)} twice")
        found.add(tool)
    return frozenset(found)


def _unit(members: Members, meter: Meter, what: str) -> str:
    unit = members.get("unit")
    if meter is not Meter.COST:
        if "unit" in members:
            raise _malformed(f"{what} counts `{meter.value}`, which has no `unit`: leave it out")
        return meter.value
    if not isinstance(unit, str):
        raise _malformed(f"{what} counts cost, so it needs a currency as `unit`, such as `USD`")
    return _read(check_currency, unit, what)


def _cap(members: Members, meter: Meter, what: str) -> LimitRule:
    most = members.get("max")
    if meter is Meter.COST:
        if not isinstance(most, str):
            raise _malformed(f'{what} needs a `max` written as a string, such as `"50.00"`')
        return Cap(max=_read(parse_amount, most, what), window=_window(members, what))
    if not isinstance(most, int) or isinstance(most, bool) or most < 0:  # strict_json bounds integers to 2^53-1
        raise _malformed(f"{what} needs a `max`, a whole number from 0 to 2^53-1")
    return Cap(max=most, window=_window(members, what))


def _window(members: Members, what: str) -> Window:
    has_calendar, has_zone = "calendar" in members, "timezone" in members
    if has_calendar != has_zone:
        raise _malformed(f"{what} needs `calendar` and `timezone` together, or neither")
    if "per" not in members:
        return _calendar(members["calendar"], members["timezone"], what) if has_calendar else Life()
    per = members["per"]
    if has_calendar or not isinstance(per, str):
        raise _malformed(f"{what} has either `per`, a duration such as `P1D`, or a `calendar`")
    return Rolling(_read(parse_iso_duration, per, what))


def _calendar(unit: JsonValue, timezone: JsonValue, what: str) -> Calendar:
    if not isinstance(unit, str) or unit not in _CALENDARS:
        raise _malformed(f"the `calendar` of {what} must be `day`, `week` or `month`")
    if not isinstance(timezone, str):
        raise _malformed(f"the `timezone` of {what} must be an IANA name such as `Europe/Berlin`")
    return Calendar(_CALENDARS[unit], _read(check_zone, timezone, what))


def _rate(members: Members, meter: Meter, what: str) -> Rate:
    text, burst = members["rate"], members.get("burst")
    if meter is not Meter.CALLS or not isinstance(text, str):
        raise _malformed(f"{what} is a rate, so it counts `calls` and reads like `10/minute`")
    rate = _read(parse_rate, text, what)
    if "burst" in members and (not isinstance(burst, int) or isinstance(burst, bool) or burst < 1):
        raise _malformed(f"the `burst` of {what} must be a whole number from 1")
    if rate.count == 0:
        if "burst" in members:
            raise _malformed(f"{what} denies every call, so it has no `burst`")
        return Rate(count=0, per_us=rate.window_us, interval_us=rate.window_us, burst=0)
    if rate.count * SHORTEST_INTERVAL_US > rate.window_us:
        raise _malformed(f"{what} is above 10000 calls a second")
    interval_us = ceil_div(rate.window_us, rate.count)
    at_once = burst if isinstance(burst, int) else rate.count
    if at_once * interval_us > MAX_DURATION_US:
        raise _malformed(f"the `burst` of {what} would take more than ten years to refill")
    return Rate(count=rate.count, per_us=rate.window_us, interval_us=interval_us, burst=at_once)


def _schedule(value: JsonValue) -> Schedule:
    if not isinstance(value, dict) or value.keys() != {"timezone", "windows"}:
        raise _malformed("a `schedule` has a `timezone` and `windows`, and nothing else")
    timezone, windows = value["timezone"], value["windows"]
    if not isinstance(timezone, str) or not isinstance(windows, list) or len(windows) > MAX_WINDOWS:
        raise _malformed(f"a `schedule` has a `timezone`, an IANA name, and at most {MAX_WINDOWS} `windows`")
    zone = _read(check_zone, timezone, "the schedule")
    return Schedule(tuple(_opening(window, zone) for window in windows))


def _opening(value: JsonValue, zone: str) -> OnlyWindow:
    if not isinstance(value, dict) or value.keys() != {"days", "from", "to"}:
        raise _malformed("a window of the schedule has `days`, `from` and `to`, and nothing else")
    days, start, end = value["days"], value["from"], value["to"]
    if not isinstance(days, list) or not days or not all(isinstance(day, str) and day in _DAYS for day in days):
        raise _malformed("the `days` of a window are some of `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`")
    names = [day for day in days if isinstance(day, str)]
    if len(set(names)) != len(names):
        raise _malformed("a window of the schedule names a day twice")
    if not isinstance(start, str) or not isinstance(end, str):
        raise _malformed("`from` and `to` are times of day, such as `02:00`")
    return _read(parse_only, f"{','.join(names)} {start}-{end} {zone}", "the schedule")


def _read(parse: Callable[[str], T], text: str, what: str) -> T:
    try:
        return parse(text)
    except UsageError as error:
        raise _malformed(f"{what}: {error}") from None
