"""A key for every JSON value, so that values which are equal in JSON are equal, and hashed alike, in Python.

Comparing a list of values with another one pair by pair takes quadratic time; with keys it is a question of two sets.
1, 1.0 and 1e0 have one key; true, 1 and "1" have three; objects have the same key whatever the order of their members.

A number with more than 15 significant digits and a fraction has none. Other readers hold such numbers as doubles, so that
500.00000000000000001 is 500 to them: a guard that told the two apart would let the second pass where 500 is excluded.
"""

from collections.abc import Hashable, Iterable
from typing import Final, TypeAlias

from remit.core.money import DECIMALS, MICROS_PER_UNIT
from remit.core.reading import shown
from remit.core.strict_json import ExactNumber, JsonValue, read_number
from remit.errors import BadRequest

ValueKey: TypeAlias = Hashable

MAX_SIGNIFICANT_DIGITS: Final = 15
"""Any decimal with so many digits survives being held as a double (C calls it DBL_DIG)."""

_TRUE: Final = ("boolean", True)
_FALSE: Final = ("boolean", False)


def value_key(value: JsonValue) -> ValueKey:
    """Return the key of `value`. Raises `BadRequest` for a number that not every reader holds exactly."""
    match value:
        case str() | None:
            return value
        case bool():
            return _TRUE if value else _FALSE
        case int():
            return value
        case ExactNumber():
            return number_key(value)
        case list():
            return ("array", tuple(map(value_key, value)))
        case dict():
            return ("object", frozenset((name, value_key(member)) for name, member in value.items()))


def number_key(number: ExactNumber) -> ValueKey:
    """Return the integer that `number` is, else its (coefficient, decimals). Raises `BadRequest` like `value_key`."""
    coefficient, decimals = number.scaled()
    if not decimals:
        return coefficient
    if abs(coefficient) >= 10**MAX_SIGNIFICANT_DIGITS:
        raise BadRequest(
            f"the number {shown(number.text)} has more than {MAX_SIGNIFICANT_DIGITS} significant digits: readers that "
            "hold it as a double would take it for another one"
        )
    return ("number", coefficient, decimals)


def value_keys(values: Iterable[JsonValue]) -> frozenset[ValueKey]:
    """Return the keys of all `values`. Raises `BadRequest` like `value_key`."""
    return frozenset(map(value_key, values))


def money_value(micros: int) -> int | ExactNumber:
    """Return the JSON number of whole units that `micros` are: what a constraint on an amount speaks about."""
    units, rest = divmod(micros, MICROS_PER_UNIT)
    return read_number(f"{units}.{rest:0{DECIMALS}d}") if rest else units
