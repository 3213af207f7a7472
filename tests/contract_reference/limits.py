"""The `remit_limits` entry, read a second time from the page on contracts: each typo would mean "unlimited", so each refuses."""

import re
import zoneinfo
from collections.abc import Collection
from decimal import Decimal
from functools import lru_cache
from typing import Final, cast

from tests.contract_reference.strict_text import MAX_INTEGER, Json

MAX_LIMITS: Final = 32
MAX_WINDOWS: Final = 32

_METERS: Final = ("calls", "cost", "llm_tokens", "units", "bytes")
_MEMBERS: Final = frozenset({"id", "tools", "meter", "max", "unit", "per", "calendar", "timezone", "rate", "burst"})
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9._@+-]{1,128}")
_AMOUNT: Final = re.compile(r"[0-9]+(\.[0-9]{1,6})?")
_PERIOD: Final = re.compile(r"P[1-9][0-9]*D|PT[1-9][0-9]*[HMS]")
_RATE: Final = re.compile(r"[0-9]+/(second|minute|hour|day|week)")
_HOUR: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")

# ISO 4217: what money is counted in. Metals, funds and test codes are not among them.
_CODES: Final = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC
CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK
JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR
MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES: Final = frozenset(_CODES.split())


def is_identifier(value: Json) -> bool:
    """A name that people give: 1 to 128 of the letters, digits and a few signs."""
    return isinstance(value, str) and _IDENTIFIER.fullmatch(value) is not None


def limits_are_sound(entry: dict[str, Json], tools: Collection[str]) -> bool:
    """Say whether the entry of a link with these tools means exactly one thing. Its `ledger` is compared elsewhere."""
    if (
        not set(entry) <= {"type", "ledger", "limits", "schedule"}
        or not entry.get("ledger")
        or not isinstance(entry["ledger"], str)
    ):
        return False
    limits = entry.get("limits", [])
    if not isinstance(limits, list) or len(limits) > MAX_LIMITS or ("limits" in entry and not limits):
        return False
    if not limits and "schedule" not in entry:
        return False
    if not all(isinstance(limit, dict) and _limit_is_sound(limit, tools) for limit in limits):
        return False
    names = [cast(dict[str, Json], limit)["id"] for limit in limits]
    return len(set(cast(list[str], names))) == len(names) and (
        "schedule" not in entry or _schedule_is_sound(entry["schedule"])
    )


def _limit_is_sound(limit: dict[str, Json], tools: Collection[str]) -> bool:
    if not set(limit) <= _MEMBERS or not is_identifier(limit.get("id")) or not _is_one_of(_METERS, limit.get("meter")):
        return False
    if "tools" in limit and not _tools_are_sound(limit["tools"], tools):
        return False
    if (limit["meter"] == "cost") != ("unit" in limit) or not _is_currency(limit.get("unit", "USD")):
        return False
    return _rate_is_sound(limit) if "rate" in limit else _count_is_sound(limit)


def _tools_are_sound(named: Json, tools: Collection[str]) -> bool:
    if not isinstance(named, list) or not named:
        return False
    known = [tool for tool in named if isinstance(tool, str) and tool in tools]
    return len(known) == len(named) == len(set(known))


def _rate_is_sound(limit: dict[str, Json]) -> bool:
    if {"max", "per", "calendar", "timezone"} & set(limit) or limit["meter"] != "calls":
        return False
    return _matches(_RATE, limit["rate"]) and ("burst" not in limit or _is_count(limit["burst"], least=1))


def _count_is_sound(limit: dict[str, Json]) -> bool:
    if "burst" in limit or "max" not in limit or {"per", "calendar"} <= set(limit):
        return False
    if "per" in limit and not _matches(_PERIOD, limit["per"]):
        return False
    if ("calendar" in limit) != ("timezone" in limit):
        return False
    if "calendar" in limit and (
        not _is_one_of(("day", "week", "month"), limit["calendar"]) or not _is_zone(limit["timezone"])
    ):
        return False
    return _is_amount(limit["max"]) if limit["meter"] == "cost" else _is_count(limit["max"], least=0)


def _is_count(value: Json, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= MAX_INTEGER


def _is_amount(value: Json) -> bool:
    return _matches(_AMOUNT, value) and Decimal(cast(str, value)) * 10**6 <= MAX_INTEGER


def _is_one_of(words: tuple[str, ...], value: Json) -> bool:
    return isinstance(value, str) and value in words


def _is_currency(value: Json) -> bool:
    return isinstance(value, str) and value in CURRENCIES


def _matches(form: re.Pattern[str], value: Json) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _is_zone(value: Json) -> bool:
    return isinstance(value, str) and value in _zones()


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _schedule_is_sound(value: Json) -> bool:
    if not isinstance(value, dict) or set(value) != {"timezone", "windows"} or not _is_zone(value["timezone"]):
        return False
    windows = value["windows"]
    return (
        isinstance(windows, list)
        and len(windows) <= MAX_WINDOWS
        and all(_window_is_sound(window) for window in windows)
    )


def _window_is_sound(value: Json) -> bool:
    if not isinstance(value, dict) or set(value) != {"days", "from", "to"}:
        return False
    days = value["days"]
    if not isinstance(days, list) or not days or not all(isinstance(day, str) and day in _DAYS for day in days):
        return False
    if len(set(cast(list[str], days))) != len(days):
        return False
    return (
        _matches(_HOUR, value["from"])
        and (value["to"] == "24:00" or _matches(_HOUR, value["to"]))
        and value["from"] != value["to"]
    )
