"""Typed arguments: what a request says, as a value that limits and constraints can compare exactly.

An argument comes either as text (from a path, a query or a header) or as a decoded JSON value, and the policy gives its
type. The type decides what is accepted, and nothing is converted from one type into another: `"5"` in a JSON body is a
string and no number. Equal numbers become equal values, so that `5`, `5.0` and `5e0` are one target and one fingerprint.
"""

from enum import Enum
from typing import Final, TypeAlias, assert_never

from remit.core.money import parse_amount, parse_money_json
from remit.core.strict_json import ExactNumber, JsonValue, read_number
from remit.errors import BadRequest, UsageError

MAX_STRING_CHARS: Final = 4096

ArgumentValue: TypeAlias = int | str | bool | ExactNumber


class ArgumentType(Enum):
    """What an argument may be.

    `number` is exact, an `int` where it is whole; `integer` lies within +-(2^53-1); `money` is an amount of whole currency
    units that becomes micros.
    """

    NUMBER = "number"
    INTEGER = "integer"
    STRING = "string"
    BOOLEAN = "boolean"
    MONEY = "money"


def read_text_argument(kind: ArgumentType, text: str, *, name: str) -> ArgumentValue:
    """Read an argument given as text, already percent-decoded. Raises `BadRequest` naming the argument."""
    match kind:
        case ArgumentType.STRING:
            return _bounded(text, name)
        case ArgumentType.BOOLEAN:
            return _boolean(text, name)
        case ArgumentType.MONEY:
            return _micros(text, name)
        case ArgumentType.NUMBER | ArgumentType.INTEGER:
            try:
                number = read_number(text)
            except BadRequest:
                raise _refusal(kind, name) from None
            return _number(kind, number, name)
        case _:
            assert_never(kind)


def read_json_argument(kind: ArgumentType, value: JsonValue, *, name: str) -> ArgumentValue:
    """Read an argument given as a JSON value that `strict_json` decoded. Raises `BadRequest` naming the argument.

    Money may be a JSON number or a string holding a plain decimal, the usual way to keep it exact on the way.
    """
    match kind, value:
        case ArgumentType.STRING, str():
            return _bounded(value, name)
        case ArgumentType.BOOLEAN, bool():
            return value
        case _, bool():
            raise _refusal(kind, name)
        case ArgumentType.MONEY, int() | str() | ExactNumber():
            return _micros(value, name)
        case ArgumentType.NUMBER | ArgumentType.INTEGER, int() | ExactNumber():
            return _number(kind, value, name)
        case _:
            raise _refusal(kind, name)


def _number(kind: ArgumentType, number: int | ExactNumber, name: str) -> ArgumentValue:
    if isinstance(number, int):
        return number
    if kind is ArgumentType.INTEGER:
        raise _refusal(kind, name)
    coefficient, decimals = number.scaled()
    return number if decimals else coefficient


def _micros(value: int | str | ExactNumber, name: str) -> int:
    try:
        return parse_amount(value) if isinstance(value, str) else parse_money_json(value)
    except UsageError:
        raise _refusal(ArgumentType.MONEY, name) from None


def _boolean(text: str, name: str) -> bool:
    if text not in ("true", "false"):
        raise _refusal(ArgumentType.BOOLEAN, name)
    return text == "true"


def _bounded(text: str, name: str) -> str:
    if len(text) > MAX_STRING_CHARS:
        raise BadRequest(f"the argument `{name}` is longer than {MAX_STRING_CHARS} characters")
    return text


_EXPECTED: Final = {
    ArgumentType.NUMBER: "a number",
    ArgumentType.INTEGER: "a whole number within 2^53-1",
    ArgumentType.STRING: "a string",
    ArgumentType.BOOLEAN: "true or false",
    ArgumentType.MONEY: "an amount that is not negative and has at most six decimals",
}


def _refusal(kind: ArgumentType, name: str) -> BadRequest:
    return BadRequest(f"the argument `{name}` must be {_EXPECTED[kind]}")
