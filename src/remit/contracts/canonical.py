"""One text for one JSON value: the canonical form of RFC 8785, and a form in which no number changes.

Two parties that sign or compare a value must write it alike. RFC 8785 (JCS) sorts members by their UTF-16 code units,
escapes as little as possible, and writes every number as JavaScript would write the double nearest to it. A number that
is no double would become another number by that, and two different amounts one text; so it is refused here instead of
rounded. All others, 0.1 and 1e-7 among them, are written exactly as the RFC asks.

`encode_exactly` keeps numbers as they were written: a contract that is signed again must say what its parent said.
"""

import json
from collections.abc import Callable, Mapping
from typing import Final, assert_never

from remit.core.reading import MAX_INTEGER, shown
from remit.core.strict_json import ExactNumber, JsonValue, compare_numbers, read_number
from remit.errors import BadRequest, UsageError

MAX_DEPTH: Final = 100
_MAX_PLAIN_DIGITS: Final = 21  # ECMAScript writes longer integers with an exponent
_MIN_PLAIN_EXPONENT: Final = -6


def canonical_json(value: JsonValue) -> bytes:
    """Return the RFC 8785 text of `value`. Raises `UsageError` for a number that is not exactly a double, or no text."""
    return _encoded(value, _as_double)


def encode_exactly(value: JsonValue) -> bytes:
    """Return a text of `value` with sorted members and without spaces, every number as it was written."""
    return _encoded(value, lambda number: number.text)


def as_json(value: object, *, depth: int = 0) -> JsonValue:
    """Turn a Python value into what `strict_json` would have read: a float becomes the shortest decimal that means it.

    Raises `UsageError` for everything that JSON cannot say, NaN and infinity included.
    """
    if depth > MAX_DEPTH:
        raise UsageError(f"a value is nested deeper than {MAX_DEPTH} levels")
    match value:
        case None | bool() | str() | ExactNumber():
            return value
        case int() if abs(value) <= MAX_INTEGER:
            return value
        case float():
            return _number(repr(value))
        case list() | tuple():
            return [as_json(item, depth=depth + 1) for item in value]
        case Mapping():
            return {_name(name): as_json(member, depth=depth + 1) for name, member in value.items()}
        case _:
            raise UsageError(f"a value of type `{type(value).__name__}` cannot be written as JSON within 2^53-1")


def _number(text: str) -> int | ExactNumber:
    try:
        return read_number(text)
    except BadRequest as error:
        raise UsageError(str(error)) from None


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise UsageError("the names of members must be strings")
    return name


def _encoded(value: JsonValue, write: Callable[[ExactNumber], str]) -> bytes:
    try:
        return _text(value, write).encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError("a string holds half of a surrogate pair, so it is no text") from None


def _text(value: JsonValue, write: Callable[[ExactNumber], str]) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)  # escapes exactly what RFC 8785 section 3.2.2.2 names
        case ExactNumber():
            return write(value)
        case list():
            return f"[{','.join([_text(item, write) for item in value])}]"
        case dict():
            names = sorted(value, key=_code_units)
            members = [f"{json.dumps(name, ensure_ascii=False)}:{_text(value[name], write)}" for name in names]
            return f"{{{','.join(members)}}}"
        case _:
            assert_never(value)


def _code_units(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _as_double(number: ExactNumber) -> str:
    """Write a number as ECMAScript's Number::toString does, if the double nearest to it is that very number."""
    text = repr(float(number.text))  # the shortest decimal that means the double, as ECMAScript chooses it too
    mantissa, _, power = text.partition("e")
    if compare_numbers(read_number(text), number) != 0:
        raise UsageError(
            f"the number {shown(number.text)} is not exactly a double, so other readers would take it for another one"
        )
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.removeprefix("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(power or "0") - (len(whole + fraction) - len(digits)) if digits else 1
    digits = digits.rstrip("0") or "0"
    return sign + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    """Write 0.`digits` times 10^`point` (ECMA-262, Number::toString, steps 6 to 10)."""
    if len(digits) <= point <= _MAX_PLAIN_DIGITS:
        return digits.ljust(point, "0")
    if 0 < point <= _MAX_PLAIN_DIGITS:
        return f"{digits[:point]}.{digits[point:]}"
    if _MIN_PLAIN_EXPONENT < point <= 0:
        return f"0.{'0' * -point}{digits}"
    exponent = f"e{point - 1:+d}"
    return f"{digits[0]}.{digits[1:]}{exponent}" if len(digits) > 1 else digits + exponent
