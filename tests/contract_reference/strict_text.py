"""Reading text strictly, slowly and by hand: base64url without freedom, and JSON by recursive descent (RFC 8259).

Part of the reference verifier. Nothing here comes from the package: every rule is written a second time, from the documents
alone, so that a mistake in one of the two is seen. Numbers are doubles; a fraction or an exponent makes a `float`, so that
"an integer" means what was written as one. `-0` is refused, and so is what a double would take for zero.
"""

import base64
import math
import re
from decimal import Decimal
from typing import Final, TypeAlias, cast

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

MAX_INTEGER: Final = 2**53 - 1
MAX_NESTING: Final = 100

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f]+')
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPES: Final = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LITERALS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}


def as_plain(value: object) -> Json:
    """The same value, known to be plain JSON."""
    return cast(Json, value)


class NotCanonicalError(Exception):
    """The text is not the one spelling of its bytes."""


class NotJsonError(Exception):
    """The bytes are not a document that we read."""


def decode_base64url(text: str) -> bytes:
    """Decode; padding, foreign characters, lengths that cannot be and set spare bits are refused."""
    if not set(text) <= set(_ALPHABET) or len(text) % 4 == 1:
        raise NotCanonicalError("a character that is not of the alphabet, or one too many")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode_base64url(raw) != text:
        raise NotCanonicalError("spare bits are set")
    return raw


def encode_base64url(raw: bytes) -> str:
    """Encode without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_json(raw: bytes) -> Json:
    """Read one document: strict UTF-8 without a mark, no member twice, no lone surrogate, nothing after it."""
    try:
        text = raw.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise NotJsonError("not UTF-8") from error
    reader = _Reader(text)
    value = reader.value(0)
    reader.space()
    if reader.at < len(text):
        raise NotJsonError("something follows the document")
    return value


class Fractional(float):
    """A number that was written with a fraction or an exponent. It remembers how."""

    def __new__(cls, text: str) -> "Fractional":
        made = super().__new__(cls, text)
        made.text = text
        return made

    text: str

    @property
    def is_whole(self) -> bool:
        """Say whether an integer was written, if in a roundabout way."""
        return Decimal(self.text) == int(Decimal(self.text))

    @property
    def digits(self) -> int:
        """How many significant digits were written."""
        mantissa = re.split("[eE]", self.text.lstrip("-"))[0].replace(".", "")
        return len(mantissa.strip("0"))


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def space(self) -> None:
        while self.text.startswith((" ", "\t", "\r", "\n"), self.at):
            self.at += 1

    def take(self, wanted: str) -> None:
        if not self.text.startswith(wanted, self.at):
            raise NotJsonError(f"{wanted!r} is missing at {self.at}")
        self.at += len(wanted)

    def value(self, depth: int) -> Json:
        self.space()
        first = self.peek()
        if first in ("{", "[") and depth >= MAX_NESTING:
            raise NotJsonError("too deep")
        if first == "{":
            return self.members(depth)
        if first == "[":
            return self.elements(depth)
        if first == '"':
            return self.string()
        for word, meaning in _LITERALS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return meaning
        return self.number()

    def members(self, depth: int) -> dict[str, Json]:
        found: dict[str, Json] = {}
        self.take("{")
        self.space()
        while self.peek() != "}":
            if found:
                self.take(",")
                self.space()
            name = self.string()
            if name in found:
                raise NotJsonError(f"the member {name!r} is there twice")
            self.space()
            self.take(":")
            found[name] = self.value(depth + 1)
            self.space()
        self.take("}")
        return found

    def elements(self, depth: int) -> list[Json]:
        found: list[Json] = []
        self.take("[")
        self.space()
        while self.peek() != "]":
            if found:
                self.take(",")
            found.append(self.value(depth + 1))
            self.space()
        self.take("]")
        return found

    def string(self) -> str:
        self.take('"')
        found = ""
        while not self.text.startswith('"', self.at):
            plain = _PLAIN.match(self.text, self.at)
            if plain is not None:
                found += plain.group()
                self.at = plain.end()
            else:
                self.take("\\")  # whatever else stands here may not stand in a string: a control character, or the end
                found += self.escape()
        self.take('"')
        if _SURROGATE.search(found):
            raise NotJsonError("half of a surrogate pair")
        return found

    def escape(self) -> str:
        letter = self.peek()
        self.at += 1
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if letter != "u":
            raise NotJsonError("an escape that does not exist")
        unit = self.unit()
        if 0xD800 <= unit <= 0xDBFF and self.text.startswith("\\u", self.at):
            self.at += 2
            second = self.unit()
            if 0xDC00 <= second <= 0xDFFF:
                return chr(0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00))
            return chr(unit) + chr(second)
        return chr(unit)

    def unit(self) -> int:
        digits = self.text[self.at : self.at + 4]
        if len(digits) < 4 or not set(digits) <= set("0123456789abcdefABCDEF"):
            raise NotJsonError("an escape without four digits")
        self.at += 4
        return int(digits, 16)

    def number(self) -> int | float:
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            raise NotJsonError(f"nothing that is JSON at {self.at}")
        self.at = match.end()
        text = match.group()
        if len(text) > 400:
            raise NotJsonError("a number of absurd length")
        value = Fractional(text)
        if not math.isfinite(value) or abs(value) > MAX_INTEGER:
            raise NotJsonError("a number beyond 2**53 - 1")
        if not value and (text[0] == "-" or set(re.split("[eE]", text)[0]) & set("123456789")):
            raise NotJsonError("a zero below zero, or what only a double would take for zero")
        if match.group(1) or match.group(2):
            return value
        if abs(int(text)) > MAX_INTEGER:
            raise NotJsonError("a number beyond 2**53 - 1")
        return int(text)


def same(left: Json, right: Json) -> bool:
    """Equality in JSON: numbers by value, `true` is not 1, arrays in order, objects without order."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return set(left) == set(right) and all(same(left[name], right[name]) for name in left)
    return type(left) is type(right) and left == right


def holds(values: list[Json], value: Json) -> bool:
    """Say whether `value` is one of `values`."""
    return any(same(value, each) for each in values)
