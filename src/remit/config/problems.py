"""What is wrong with a policy, collected: every problem of a file in one go, each with its path and its line.

An operator who fixes a file wants the whole list, so nothing here stops at the first mistake. A path is where a value
stands in the file (`("limits", "transfers", "quota")`); a value that is wrong makes its path *broken*, and what depends
on it is not complained about a second time.
"""

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from remit.core.reading import shown
from remit.errors import PolicyError, UsageError

Path: TypeAlias = tuple[str | int, ...]
Value = TypeVar("Value")

MAX_PROBLEMS: Final = 100
"""More than these are counted, not listed."""

_MAX_PART_CHARS: Final = 128
_MAX_GUESSES: Final = 30
_MAX_GUESSED_AMONG: Final = 500


def spell_path(path: Path) -> str:
    """Write a path in backticks as one would say it: `limits.spread.per[1]`; long or unprintable names are cut."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{_spell_name(part)}" for part in path]
    return f"`{''.join(parts).removeprefix('.')}`"


def _spell_name(name: str) -> str:
    if len(name) <= _MAX_PART_CHARS and name.isascii() and name.isprintable() and "`" not in name:
        return name
    return shown(name)[1:-1]


class Problems:
    """The problems and warnings of one file. `lines` says on which line a path stands."""

    def __init__(self, lines: Mapping[Path, int], *, source: str) -> None:
        self._lines = lines
        self._source = source
        self._problems: list[tuple[int, str]] = []
        self._warnings: list[tuple[int, str]] = []
        self._broken: set[Path] = set()
        self._guesses_left = _MAX_GUESSES

    def add(self, path: Path, text: str) -> None:
        """Report that the value at `path` is wrong: "`path`: text"."""
        self.report(path, f"{spell_path(path)}: {text}")

    def report(self, path: Path, sentence: str) -> None:
        """Report a problem in a sentence of its own."""
        self._problems.append((self.line(path), sentence))
        self._broken.update(path[:length] for length in range(1, len(path) + 1))

    def report_lines(self, problems: list[tuple[int, str]]) -> None:
        """Take over problems that were found while reading the file."""
        self._problems.extend(problems)

    def warn(self, path: Path, text: str) -> None:
        """Say what is allowed but probably not meant: "`path`: text"."""
        self._warnings.append((self.line(path), f"{spell_path(path)}: {text}"))

    def read(self, path: Path, parse: Callable[[str], Value], text: str) -> Value | None:
        """Return what `parse` makes of a text; None, and a problem, when it refuses."""
        try:
            return parse(text)
        except UsageError as error:
            self.add(path, str(error))
            return None

    def check_distinct(self, path: Path, items: Sequence[str | int]) -> None:
        """Report every item of a list that stands in it already."""
        seen: set[str | int] = set()
        for index, item in enumerate(items):
            if item in seen:
                self.add((*path, index), f"{shown(str(item))} stands twice: leave one out")
            seen.add(item)

    def guess(self, name: str, known: Collection[str]) -> str:
        """What may have been meant by a name that is not known: `; did you mean …?`, or nothing.

        Guessing is slow, so only short names are guessed, among not too many, and only for the first few in a file.
        """
        if len(name) > _MAX_PART_CHARS or len(known) > _MAX_GUESSED_AMONG or self._guesses_left <= 0:
            return ""
        self._guesses_left -= 1
        close = difflib.get_close_matches(name, known, n=1)
        return f"; did you mean `{close[0]}`?" if close else ""

    def is_broken(self, *path: str | int) -> bool:
        """Whether something was reported at or below `path`."""
        return path in self._broken

    def line(self, path: Path) -> int:
        """The line of `path`, or of the nearest thing round it; 0 if nothing is known."""
        for length in range(len(path), -1, -1):
            if (line := self._lines.get(path[:length])) is not None:
                return line
        return 0

    @property
    def warnings(self) -> tuple[tuple[int, str], ...]:
        """Every warning with its line, in the order of the file."""
        return tuple(_in_order(self._warnings))

    def raise_if_any(self) -> None:
        """Raise `PolicyError` with everything reported, in the order of the file."""
        if self._problems:
            raise PolicyError(_capped(_in_order(self._problems)), source=self._source)


def _in_order(found: list[tuple[int, str]]) -> list[tuple[int, str]]:
    return sorted(dict.fromkeys(found), key=lambda problem: problem[0])


def _capped(problems: list[tuple[int, str]]) -> list[tuple[int, str]]:
    more = len(problems) - MAX_PROBLEMS
    if more <= 0:
        return problems
    return [*problems[:MAX_PROBLEMS], (0, f"and {more} more problems")]


def policy_error(problems: list[tuple[int, str]], *, source: str) -> PolicyError:
    """The error for problems that were found before there were any paths."""
    return PolicyError(_capped(_in_order(problems)), source=source)
