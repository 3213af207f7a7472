"""A JSON reader for text that somebody hostile may have written.

Two readers that understand one document differently are a hole: a duplicate member is read first by one and last by the
other, `1e400` is infinity here and an error there. So whatever is not read alike everywhere is refused: duplicate members
(also when one is spelt with escapes), `NaN` and `Infinity`, `-0`, integers beyond 2^53-1, lone surrogates, a byte order
mark, other encodings than UTF-8, trailing text. No number ever becomes a float: one with a fraction or an exponent is
kept exactly. Nesting is measured before anything recurses, so that the work is bounded by the size alone.

Equality is JSON's, given by `json_equal`: 1, 1.0 and 1e0 are equal, true and 1 are not, members have no order. Do not
compare decoded values with `==`: Python holds True and 1 for equal.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

from remit.core.reading import MAX_INTEGER, shown
from remit.errors import BadRequest

MAX_DEPTH: Final = 32
"""Arrays and objects inside one another; deeper documents are refused."""

_MAX_NUMBER_CHARS: Final = 40
_MAX_EXPONENT: Final = 20
_MAX_INTEGER_CHARS: Final = 17  # a sign and 16 digits
_SAFE_DIGITS: Final = 15  # so many cannot exceed 2^53-1
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_TO_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE_PAIR: Final = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_SURROGATE_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_TOO_DEEP: Final = f"the JSON is nested deeper than {MAX_DEPTH} levels or its brackets do not match"


@dataclass(frozen=True, slots=True, eq=False)
class ExactNumber:
    """A JSON number written with a fraction or an exponent, kept as its `text`; only this module makes them.

    Two are equal if their values are: 1.50, 1.5 and 15e-1. Compare with integers through `compare_numbers`.
    """

    text: str

    def scaled(self) -> tuple[int, int]:
        """Return (coefficient, decimals): the value is coefficient / 10^decimals, with the fewest decimals possible."""
        mantissa, _, power = self.text.lower().partition("e")
        whole, _, fraction = mantissa.partition(".")
        coefficient, decimals = int(whole + fraction), len(fraction) - int(power or "0")
        if decimals < 0:
            return coefficient * 10**-decimals, 0
        while decimals and coefficient % 10 == 0:  # at most 60 rounds: 40 characters and an exponent of 20
            coefficient //= 10
            decimals -= 1
        return coefficient, decimals

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExactNumber) and self.scaled() == other.scaled()

    def __hash__(self) -> int:
        return hash(self.scaled())


JsonValue: TypeAlias = "bool | int | str | ExactNumber | list[JsonValue] | dict[str, JsonValue] | None"


def read_json(raw: bytes, *, max_bytes: int) -> JsonValue:
    """Decode one JSON document (RFC 8259, read as strictly as the module says).

    Raises `BadRequest` with one line: status 413 when longer than `max_bytes`, else 400.
    """
    if len(raw) > max_bytes:
        raise BadRequest(f"the JSON is longer than {max_bytes} bytes", status=413)
    if raw.startswith(_BYTE_ORDER_MARK):
        raise BadRequest("the JSON starts with a byte order mark: send plain UTF-8")
    excess = _brackets_below_max_depth(raw)
    if len(excess) > MAX_DEPTH:  # a short rest is left for the decoder: it says more exactly what is wrong
        raise BadRequest(_TOO_DEEP)
    value = _decode(raw)
    if excess:
        raise BadRequest(_TOO_DEEP)
    if _has_lone_surrogate(raw):
        raise BadRequest("a JSON string holds half of a surrogate pair")
    return value


def json_equal(left: JsonValue, right: JsonValue) -> bool:
    """Say whether two decoded values are equal in JSON: numbers by value, booleans never equal to numbers."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | ExactNumber) and isinstance(right, int | ExactNumber):
        return compare_numbers(left, right) == 0
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(json_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(json_equal(value, right[name]) for name, value in left.items())
    return type(left) is type(right) and left == right


def compare_numbers(left: int | ExactNumber, right: int | ExactNumber) -> int:
    """Compare by value, exactly: below 0 if `left` is less, 0 if equal, above 0 if it is greater."""
    left_coefficient, left_decimals = (left, 0) if isinstance(left, int) else left.scaled()
    right_coefficient, right_decimals = (right, 0) if isinstance(right, int) else right.scaled()
    decimals = max(left_decimals, right_decimals)
    left_scaled: int = left_coefficient * 10 ** (decimals - left_decimals)
    right_scaled: int = right_coefficient * 10 ** (decimals - right_decimals)
    return left_scaled - right_scaled


def read_number(text: str) -> int | ExactNumber:
    """Read one JSON number that stands by itself, as strictly as inside a document. Raises `BadRequest`."""
    if len(text) > _MAX_NUMBER_CHARS:
        _refuse_number(text)
    try:
        value, end = _decode_prefix(text)
    except json.JSONDecodeError:
        _refuse_number(text)
    if end != len(text) or isinstance(value, bool) or not isinstance(value, int | ExactNumber):
        _refuse_number(text)
    return value


def _decode_prefix(text: str) -> tuple[JsonValue, int]:
    decoded: tuple[JsonValue, int] = _DECODER.raw_decode(text)
    return decoded


def _decode(raw: bytes) -> JsonValue:
    try:
        value: JsonValue = _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRequest(f"the JSON is not valid UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        problem = error.msg.removesuffix(" starting at").removesuffix(" at").rstrip(": ").lower()
        raise BadRequest(f"the JSON is malformed at character {error.pos}: {problem}") from None
    return value


def _brackets_below_max_depth(raw: bytes) -> bytes:
    """Return the brackets left after peeling 32 layers off: none if and only if they match and are no deeper than that.

    Each round removes exactly the innermost pairs, in time linear in what is left, and stops when there are none.
    """
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return b""
    outside_strings = raw.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    brackets = b"".join(outside_strings).translate(_TO_SQUARE, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        peeled = brackets.replace(b"[]", b"")
        if len(peeled) in (0, len(brackets)):
            return peeled
        brackets = peeled
    return brackets


def _members(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise BadRequest(f"the JSON member {shown(name)} appears twice in one object")
    return members


def _integer(text: str) -> int:
    if len(text) <= _SAFE_DIGITS and text != "-0":
        return int(text)
    if len(text) > _MAX_INTEGER_CHARS or text == "-0" or abs(int(text)) > MAX_INTEGER:
        _refuse_number(text)
    return int(text)


def _exact(text: str) -> ExactNumber:
    """Bound a number before anything computes with it. The usual short fraction needs no arithmetic here."""
    if len(text) > _MAX_NUMBER_CHARS:
        _refuse_number(text)
    number = ExactNumber(text)
    is_short = 0 < text.find(".") <= _SAFE_DIGITS and "e" not in text and "E" not in text
    if not (is_short and text.strip("-0.")) and not _is_in_range(number):
        _refuse_number(text)
    return number


def _is_in_range(number: ExactNumber) -> bool:
    power = number.text.lower().partition("e")[2]
    if abs(int(power or "0")) > _MAX_EXPONENT:
        return False
    coefficient, decimals = number.scaled()
    is_minus_zero = coefficient == 0 and number.text.startswith("-")
    return not is_minus_zero and abs(coefficient) <= MAX_INTEGER * 10**decimals


def _refuse_number(text: str) -> NoReturn:
    raise BadRequest(f"the JSON number {shown(text)} is refused: numbers must be exact, within 2^53-1 and not `-0`")


def _has_lone_surrogate(raw: bytes) -> bool:
    """Find halves of surrogate pairs. Only escapes can spell them: the UTF-8 decoder refuses them as bytes."""
    if b"\\ud" not in raw and b"\\uD" not in raw:
        return False
    escapes = raw.replace(b"\\\\", b"_")  # an escaped backslash starts no escape, and parts what it stands between
    return _SURROGATE_HALF.search(_SURROGATE_PAIR.sub(b"_", escapes)) is not None


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_exact, parse_constant=_refuse_number
)
