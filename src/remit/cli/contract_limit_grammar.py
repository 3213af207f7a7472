"""How a limit and the hours of a contract are written on a line.

    transfers: 100 calls of payments.transfer     for the contract's whole life
    money: 50 USD per 1d                          in any 24 hours; `per hour`, `per 90m`, `per 30d`
    today: 20 calls per day Europe/Berlin         by the calendar: day, week or month, in UTC unless it says otherwise
    pace: 10/minute burst 3 of payments.transfer  a speed
    mon-fri 02:00-04:00 Europe/Berlin             hours (`--schedule`); the days may be left out

What is counted: `calls`, money by its currency, `units`, `llm_tokens` or `bytes`; `of` names tools, all of the contract if it is
left out. What is made is the JSON of the entry `remit_limits`.
"""

from collections.abc import Sequence
from typing import Final, assert_never

from remit.cli.contract_scan import Scanner, is_plain_name
from remit.core.constraint_reading import Members
from remit.core.contract_limits import Cap, ContractLimit, Meter, Schedule
from remit.core.match import check_identifier
from remit.core.money import CURRENCY_DECIMALS, format_micros, parse_amount
from remit.core.policy import Rate
from remit.core.reading import read_count, shown
from remit.core.schedule import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Calendar, CalendarUnit, OnlyWindow, parse_only
from remit.core.units import Life, Rolling, Window, parse_quota, parse_rate
from remit.core.zones import DEFAULT_ZONE
from remit.errors import UsageError

DAY_NAMES: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_METERS: Final = {
    "call": Meter.CALLS,
    "calls": Meter.CALLS,
    "units": Meter.UNITS,
    "llm_tokens": Meter.LLM_TOKENS,
    "bytes": Meter.BYTES,
}
_CALENDARS: Final = (CalendarUnit.DAY, CalendarUnit.WEEK, CalendarUnit.MONTH)
_LENGTHS: Final = (
    (DAY_US, "P", "D", "d"),
    (HOUR_US, "PT", "H", "h"),
    (MINUTE_US, "PT", "M", "m"),
    (SECOND_US, "PT", "S", "s"),
)

_RATE_NAMES: Final = {SECOND_US: "second", MINUTE_US: "minute", HOUR_US: "hour", DAY_US: "day"}
"""Behind a slash these are lengths of time; behind `per` a day is one of the calendar."""


def parse_limit(text: str) -> Members:
    """Read one limit, such as `money: 50 USD per 1d`. Raises `UsageError`."""
    name, colon, rest = text.partition(":")
    if not colon:
        raise UsageError(f"{shown(text)} is no limit: write a name first, as in `transfers: 100 calls`")
    check_identifier(name.strip(" "), what="limit")
    scanner = Scanner(rest.strip(" "))
    amount = scanner.word("an amount such as `100 calls`, `50 USD` or `10/minute`")
    limit: Members = {"id": name.strip(" ")}
    limit |= _rate(amount, scanner) if "/" in amount else _cap(amount, scanner)
    if scanner.take("of"):
        tools = [scanner.name("the name of a tool")]
        while scanner.take(","):
            tools.append(scanner.name("the name of a tool"))
        limit["tools"] = list(tools)
    if scanner.piece.kind != "end":
        scanner.refuse("`of` and a tool, or the end" if "tools" not in limit else "the end")
    return limit


def parse_schedule(texts: Sequence[str]) -> Members:
    """Read the hours of a contract, from a text for each window. Raises `UsageError`."""
    windows = [parse_only(text) for text in texts]
    zones = {window.timezone for window in windows}
    if len(zones) != 1:
        raise UsageError("the hours of one contract are in one time zone")
    return {"timezone": zones.pop(), "windows": [_window_members(window) for window in windows]}


def format_limit(limit: ContractLimit) -> str:
    """Write a limit as `parse_limit` reads it."""
    of = ""
    if limit.tools is not None:
        of = f" of {', '.join(_tool_text(tool) for tool in sorted(limit.tools))}"
    return f"{limit.id}: {_rule_text(limit)}{of}"


def format_window(window: OnlyWindow) -> str:
    """Write one window of the hours as `--schedule` reads it."""
    members = _window_members(window)
    days = "" if len(set(window.days)) == len(DAY_NAMES) else f"{','.join(DAY_NAMES[day] for day in window.days)} "
    return f"{days}{members['from']}-{members['to']} {window.timezone}"


def format_schedule(schedule: Schedule) -> list[str]:
    """Write the hours of a contract, a text for each window."""
    return [format_window(window) for window in schedule.windows]


def _rate(text: str, scanner: Scanner) -> Members:
    parse_rate(text)
    limit: Members = {"meter": Meter.CALLS.value, "rate": text}
    if scanner.take("burst"):
        limit["burst"] = _count(scanner.word("how many calls may come at once"))
    return limit


def _cap(amount: str, scanner: Scanner) -> Members:
    unit = scanner.word("what is counted: `calls`, a currency such as `USD`, `units`, `llm_tokens` or `bytes`")
    limit: Members
    if unit in CURRENCY_DECIMALS:
        parse_amount(amount)
        limit = {"meter": Meter.COST.value, "unit": unit, "max": amount}
    elif unit in _METERS:
        limit = {"meter": _METERS[unit].value, "max": _count(amount)}
    else:
        raise UsageError(
            f"{shown(unit)} cannot be counted: write `calls`, a currency such as `USD`, `units`, `llm_tokens` or `bytes`"
        )
    return limit | _per(scanner) if scanner.take("per") else limit


def _count(text: str) -> int:
    count = read_count(text)
    if count is None:
        raise UsageError(f"{shown(text)} is not a count: write plain digits from 0 to 2^53-1")
    return count


def _per(scanner: Scanner) -> Members:
    """The window: a length of time, or a calendar period with a zone."""
    text = scanner.word("a time such as `hour`, `1d` or `month`")
    window = parse_quota(f"0/{text}").window
    match window:
        case Calendar(unit, _):
            if unit not in _CALENDARS:
                raise UsageError(
                    "a limit of a contract counts by the `day`, `week` or `month`, or in a time such as `30d`"
                )
            zone = scanner.advance().text if scanner.piece.kind == "word" and not scanner.at("of") else DEFAULT_ZONE
            return {"calendar": unit.value, "timezone": Calendar(unit, zone).timezone}
        case Rolling(window_us):
            return {"per": _iso_duration(window_us, text)}
        case Life():
            raise AssertionError("a text behind a slash is a window")
        case _:
            assert_never(window)


def _iso_duration(window_us: int, text: str) -> str:
    for unit_us, before, after, _ in _LENGTHS:
        if window_us % unit_us == 0:
            return f"{before}{window_us // unit_us}{after}"
    raise UsageError(f"{shown(text)} is too fine: the time of a limit is whole seconds")


def _rule_text(limit: ContractLimit) -> str:
    rule = limit.rule
    match rule:
        case Rate(count=count, per_us=per_us, burst=burst):
            at_once = f" burst {burst}" if burst not in (count, 0) else ""
            return f"{count}/{_RATE_NAMES.get(per_us) or _length_text(per_us)}{at_once}"
        case Cap(max=most, window=window):
            amount = format_micros(most, limit.unit) if limit.meter is Meter.COST else f"{most} {limit.unit}"
            return f"{amount}{_window_text(window)}"
        case _:
            assert_never(rule)


def _window_text(window: Window) -> str:
    match window:
        case Life():
            return ""
        case Rolling(window_us):
            return f" per {_length_text(window_us)}"
        case Calendar(unit, timezone):
            return f" per {unit.value} {timezone}"
        case _:
            assert_never(window)


def _length_text(length_us: int) -> str:
    for unit_us, _, _, letter in _LENGTHS:
        if length_us % unit_us == 0:
            return f"{length_us // unit_us}{letter}"
    return f"{length_us // 1000}ms"


def _tool_text(tool: str) -> str:
    from remit.cli.contract_grammar import json_text

    return tool if is_plain_name(tool) else json_text(tool)


def _window_members(window: OnlyWindow) -> Members:
    return {
        "days": [DAY_NAMES[day] for day in sorted(set(window.days))],
        "from": _time_text(window.from_minute),
        "to": _time_text(window.until_minute),
    }


def _time_text(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
