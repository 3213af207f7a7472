"""What a call did cost, read from the upstream's answer as the policy says.

An actual that is missing, malformed or in another currency charges the hold: what cannot be read is never free.
"""

import logging
from collections.abc import Iterable

from remit.core.money import MICROS_PER_UNIT
from remit.core.policy import ActualSource, Price
from remit.core.reading import MAX_INTEGER, is_digits
from remit.core.strict_json import ExactNumber, JsonValue, read_json, read_number
from remit.entrypoints.proxy.connection import Header
from remit.errors import BadRequest

_log = logging.getLogger("remit.gateway")

MAX_WHOLE_DIGITS = 15
MAX_METERED_BYTES = 4 * 1024 * 1024
"""Answers up to this size are read for a cost in their body; a longer one charges the hold."""


def cost_from_head(price: Price, status: int, headers: Iterable[Header], currency: str) -> int | None:
    """The cost in micros if status and headers already tell, None if only the body can."""
    if status in price.free_on:
        return 0
    if price.actual is ActualSource.HOLD:
        return price.hold_micros
    if price.actual is ActualSource.BODY:
        return None
    name = price.actual_name.lower().encode("ascii")
    values = [value for other, value in headers if other == name]
    return _or_hold(price, _read_text(values[0], currency) if len(values) == 1 else None)


def _read_text(value: bytes, currency: str) -> int | None:
    try:
        number, _, named = value.decode("ascii").strip().partition(" ")
        if named and named != currency:
            return None
        if is_digits(number.partition(".")[0]) and len(number.partition(".")[0]) > MAX_WHOLE_DIGITS:
            return MAX_INTEGER
        return _micros(read_number(number))
    except (BadRequest, UnicodeDecodeError):
        return None


def _micros(number: int | ExactNumber) -> int | None:
    """Whole units as micros, rounded up once; None for what is no cost, and the most there is for what is more than that."""
    coefficient, decimals = (number, 0) if isinstance(number, int) else number.scaled()
    micros = -(-coefficient * MICROS_PER_UNIT // 10**decimals)
    return min(micros, MAX_INTEGER) if micros >= 0 else None


def cost_from_body(price: Price, body: bytes | None, currency: str) -> int:
    """The cost in micros that a member of the JSON body says; None (too long, or cut) charges the hold."""
    value = _member(price.actual_name, body) if body is not None else None
    micros: int | None = None
    if isinstance(value, str) and value.isascii():
        micros = _read_text(value.encode("ascii"), currency)
    elif isinstance(value, int | ExactNumber) and not isinstance(value, bool):
        micros = _micros(value)
    return _or_hold(price, micros)


def _or_hold(price: Price, micros: int | None) -> int:
    if micros is None:
        _log.warning("the actual cost in %s `%s` cannot be read: the hold is charged", price.actual, price.actual_name)
        return price.hold_micros
    return micros


def _member(path: str, body: bytes) -> JsonValue:
    try:
        value = read_json(body, max_bytes=MAX_METERED_BYTES)
    except BadRequest:
        return None
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value
