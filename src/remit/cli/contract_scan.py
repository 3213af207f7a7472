"""The pieces that a `--tool` or a `--limit` is written in: words, numbers, text in quotes, JSON, and a few signs.

A word is made of few characters on purpose. What looks like shell, like a pattern or like another notation (`USD|EUR`,
`payments.*`, `'bob'`) would be taken for plain text by a guard, so it is refused here with what to write instead.
"""

import re
from dataclasses import dataclass
from typing import Final, NoReturn

from remit.core.reading import shown
from remit.core.strict_json import JsonValue, read_json, read_number
from remit.errors import BadRequest, UsageError

MAX_TEXT_CHARS: Final = 8192

_PIECE: Final = re.compile(
    r' *(?:(?P<sign><=|>=|!=|[<>=(),\[\]])|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<word>[A-Za-z0-9_.@:/+-]+))'
)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LITERALS: Final[dict[str, JsonValue]] = {"true": True, "false": False, "null": None}
_HINTS: Final = {
    "*": "a contract knows no patterns: name each tool, and name an argument alone if it may be anything",
    "|": "write `in [USD, EUR]` for one of several values",
    "'": 'put text in double quotes: "bob"',
    '"': "a quote is not closed",
    "{": "a JSON object may only stand in a list, as in `in [{...}]`",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece: `kind` is `sign`, `quoted`, `word` or, after the last one, `end`."""

    kind: str
    text: str


class Scanner:
    """Goes through a text piece by piece. Raises `UsageError` for what is no piece, and where `expect` is disappointed."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_TEXT_CHARS:
            raise UsageError(f"{shown(text)} is too long: write at most {MAX_TEXT_CHARS} characters, or use a JSON file")
        if not text.isprintable():
            raise UsageError(f"{shown(text)} holds a character that cannot be printed")
        self._text = text
        self._at = 0
        self._next_at = 0
        self.piece = Piece("end", "")
        self.advance()

    def advance(self) -> Piece:
        """Return the piece that is next, and go on to the one behind it."""
        found = self.piece
        self._at = self._next_at
        match = _PIECE.match(self._text, self._at)
        if match is not None and match.lastgroup is not None:
            self.piece = Piece(match.lastgroup, match[match.lastgroup])
            self._next_at = match.end()
        elif not (rest := self._text[self._at :].lstrip(" ")):
            self.piece = Piece("end", "")
        else:
            hint = f": {_HINTS[rest[0]]}" if rest[0] in _HINTS else ""
            raise UsageError(f"{shown(rest)} cannot stand in {shown(self._text)}{hint}")
        return found

    def at(self, *texts: str) -> bool:
        """Say whether the next piece is one of these signs or words."""
        return self.piece.kind in ("sign", "word") and self.piece.text in texts

    def take(self, text: str) -> bool:
        """Go on if the next piece is this sign or word, and say whether it was."""
        if not self.at(text):
            return False
        self.advance()
        return True

    def expect(self, text: str, *, instead: str) -> None:
        """Go on if the next piece is this sign or word; else `instead` says what belongs there."""
        if not self.take(text):
            self.refuse(instead)

    def refuse(self, wanted: str) -> NoReturn:
        """Raise `UsageError`: something else than `wanted` is next."""
        found = "the end" if self.piece.kind == "end" else shown(self._text[self._at :].lstrip(" "))
        raise UsageError(f"in {shown(self._text)}, {wanted} was expected and {found} was found")

    def is_number(self) -> bool:
        """Say whether the next piece is a number."""
        return self.piece.kind == "word" and _NUMBER.fullmatch(self.piece.text) is not None

    def number(self) -> JsonValue:
        """A number, as it was written."""
        if not self.is_number():
            self.refuse("a number")
        return _read_number(self.advance().text)

    def name(self, what: str) -> str:
        """A name: a word that is no number, or text in quotes."""
        if self.piece.kind == "quoted":
            return _read_quoted(self.advance().text)
        if self.piece.kind != "word" or not (self.piece.text[0].isalpha() or self.piece.text[0] == "_"):
            self.refuse(what)
        return self.advance().text

    def value(self) -> JsonValue:
        """A number, `true`, `false`, `null`, text in quotes, or a word, which is text."""
        if self.piece.kind == "quoted":
            return _read_quoted(self.advance().text)
        if self.piece.kind != "word":
            self.refuse("a value")
        text = self.piece.text
        if self.is_number():
            return self.number()
        self.advance()
        return _LITERALS.get(text, text)

    def values(self) -> list[JsonValue]:
        """Values between brackets, with commas between them; each may be JSON, too."""
        if not self.at("["):
            self.refuse("a list such as `[USD, EUR]`")
        found: list[JsonValue] = []
        self._after_bracket()
        if self.take("]"):
            return found
        while True:
            found.append(self._json() if self._is_json() else self.value())
            if self.take("]"):
                return found
            if not self.at(","):
                self.refuse("`,` or `]`")
            self._after_bracket()

    def _after_bracket(self) -> None:
        """Go on behind a bracket or a comma of a list, where the next piece may be JSON and so no piece of ours."""
        self._at = self._next_at
        if self._is_json():
            self.piece = Piece("json", "")
        else:
            self.advance()

    def _is_json(self) -> bool:
        return self._text[self._at :].lstrip(" ")[:1] in ("{", "[")

    def _json(self) -> JsonValue:
        """One JSON array or object that begins here."""
        start = self._at + len(self._text[self._at :]) - len(self._text[self._at :].lstrip(" "))
        end = _end_of_json(self._text, start)
        try:
            value = read_json(self._text[start:end].encode("utf-8", "surrogatepass"), max_bytes=4 * MAX_TEXT_CHARS)
        except BadRequest as error:
            raise UsageError(f"{shown(self._text[start:end])} is no JSON: {error}") from None
        self._at = self._next_at = end
        self.piece = Piece("end", "")
        self.advance()
        return value


def is_plain_word(text: str) -> bool:
    """Say whether `text` may stand without quotes where a value is expected, and means itself there."""
    match = _PIECE.fullmatch(text)
    is_word = match is not None and match.lastgroup == "word" and match["word"] == text
    return is_word and _NUMBER.fullmatch(text) is None and text not in _LITERALS


def is_plain_name(text: str) -> bool:
    """Say whether `text` may stand without quotes where a name is expected."""
    match = _PIECE.fullmatch(text)
    is_word = match is not None and match.lastgroup == "word" and match["word"] == text
    return is_word and (text[0].isalpha() or text[0] == "_")


def _end_of_json(text: str, start: int) -> int:
    """Where the array or object that begins at `start` ends, by its brackets; strings are passed over whole."""
    depth, at = 0, start
    while at < len(text):
        if text[at] == '"':
            match = re.compile(r'"(?:[^"\\]|\\.)*"').match(text, at)
            if match is None:
                break
            at = match.end()
            continue
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(text[at], 0)
        at += 1
        if depth == 0:
            return at
    raise UsageError(f"{shown(text[start:])} is no JSON: a bracket or a quote is not closed")


def _read_quoted(text: str) -> str:
    try:
        value = read_json(text.encode("utf-8", "surrogatepass"), max_bytes=4 * MAX_TEXT_CHARS)
    except BadRequest as error:
        raise UsageError(f"{shown(text)} is no text in quotes as JSON has it: {error}") from None
    assert isinstance(value, str)
    return value


def _read_number(text: str) -> JsonValue:
    try:
        return read_number(text)
    except BadRequest as error:
        raise UsageError(str(error)) from None
