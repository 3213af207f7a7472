"""The pieces that a `--tool` or a `--limit` is written in: words, numbers, text in quotes, and a few signs.

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
    "{": "only `--tools-json` takes JSON",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece: `kind` is `sign`, `quoted`, `word` or, after the last one, `end`."""

    kind: str
    text: str


class Scanner:
    """Goes through a text piece by piece. Raises `UsageError` for what is no piece, and where another one belongs."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_TEXT_CHARS:
            raise UsageError(
                f"{shown(text)} is too long: write at most {MAX_TEXT_CHARS} characters, or use `--tools-json`"
            )
        if not text.isprintable():
            raise UsageError(f"{shown(text)} holds a character that cannot be printed")
        self._text = text
        self._at = 0
        self._next_at = 0
        self.piece = Piece("end", "")
        self.advance()

    def advance(self) -> Piece:
        """Return the piece that is next, and go on to the one behind it."""
        found, self._at = self.piece, self._next_at
        match = _PIECE.match(self._text, self._at)
        if match is not None and match.lastgroup is not None:
            self.piece, self._next_at = Piece(match.lastgroup, match[match.lastgroup]), match.end()
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

    def expect(self, text: str, *, wanted: str = "") -> None:
        """Go on if the next piece is this sign or word; else `wanted` says what belongs there."""
        if not self.take(text):
            self.refuse(wanted or f"`{text}`")

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
        try:
            return read_number(self.advance().text)
        except BadRequest as error:
            raise UsageError(str(error)) from None

    def word(self, what: str) -> str:
        """Any word, which may be a number."""
        if self.piece.kind != "word":
            self.refuse(what)
        return self.advance().text

    def name(self, what: str) -> str:
        """A name: a word that begins like one, or text in quotes."""
        if self.piece.kind == "quoted":
            return self._quoted()
        if self.piece.kind != "word" or not is_plain_name(self.piece.text):
            self.refuse(what)
        return self.advance().text

    def value(self) -> JsonValue:
        """A number, `true`, `false`, `null`, text in quotes, or a word, which is text."""
        if self.piece.kind == "quoted":
            return self._quoted()
        if self.is_number():
            return self.number()
        text = self.word("a value")
        return _LITERALS.get(text, text)

    def values(self) -> list[JsonValue]:
        """Values between brackets, with commas between them."""
        self.expect("[", wanted="a list such as `[USD, EUR]`")
        if self.take("]"):
            return []
        found = [self.value()]
        while not self.take("]"):
            self.expect(",", wanted="`,` or `]`")
            found.append(self.value())
        return found

    def _quoted(self) -> str:
        text = self.advance().text
        try:
            value = read_json(text.encode("utf-8", "surrogatepass"), max_bytes=4 * MAX_TEXT_CHARS)
        except BadRequest as error:
            raise UsageError(f"{shown(text)} is no text in quotes as JSON has it: {error}") from None
        assert isinstance(value, str)
        return value


def is_plain_word(text: str) -> bool:
    """Say whether `text` may stand without quotes where a value is expected, and means itself there."""
    return _is_word(text) and _NUMBER.fullmatch(text) is None and text not in _LITERALS


def is_plain_name(text: str) -> bool:
    """Say whether `text` may stand without quotes where a name is expected."""
    return _is_word(text) and (text[0].isalpha() or text[0] == "_")


def _is_word(text: str) -> bool:
    match = _PIECE.fullmatch(text)
    return match is not None and match["word"] == text
