"""What is printed: plain text of at most 80 columns, and one line of progress that moves where there is a terminal.

No colours and no control characters but the carriage return, so there is nothing that NO_COLOR would have to take away.
Where the output is no terminal, progress is a line each second.
"""

import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

WIDTH = 79
EVERY_S = 1.0


class Screen:
    """Writes to one stream, standard output unless it is told otherwise."""

    def __init__(self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stdout
        self._clock = clock
        self._moving = self._stream.isatty()
        self._shown = ""
        self._last = -EVERY_S

    def say(self, text: str = "", *, indent: str = "") -> None:
        """One paragraph, wrapped; its further lines are indented like its first."""
        self.lines(wrapped(text, WIDTH - len(indent)), indent=indent)

    def title(self, text: str) -> None:
        self.say()
        self.lines([text, "-" * min(len(text), WIDTH)])

    def lines(self, lines: Iterable[str], *, indent: str = "") -> None:
        """Lines as they are, however long: what a command has printed, and what is to be copied."""
        self._settle()
        self._write("".join(f"{indent}{line}".rstrip() + "\n" for line in lines))

    def hang(self, text: str, *, indent: str, below: int) -> None:
        """One line that somebody else has laid out; what does not fit goes on so many columns to the right."""
        width = WIDTH - len(indent)
        body = text.lstrip(" ")
        lead = " " * (len(text) - len(body))
        first, *more = textwrap.wrap(
            body, width, initial_indent=lead, subsequent_indent=" " * below, drop_whitespace=True,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        self.lines([first, *more], indent=indent)

    def quote(self, text: str) -> None:
        """What somebody else has said, wrapped anew and indented. Its indented lines continue the ones before."""
        for paragraph in text.replace("\n  ", " ").splitlines():
            self.say(paragraph, indent="    ")

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Names, and what there is to say to each, wrapped in its column."""
        found = list(facts)
        width = max(len(name) for name, _ in found) + 4
        for name, text in found:
            first, *more = wrapped(text, WIDTH - width)
            self.lines([f"  {name:<{width - 4}}  {first}", *(" " * width + line for line in more)])

    def rows(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """A table of names, figures (to the right) and remarks, which are wrapped in their column."""
        name_width = max(len(name) for name, _, _ in rows)
        figure_width = max(len(figure) for _, figure, _ in rows)
        room = WIDTH - name_width - figure_width - 6
        for name, figure, remark in rows:
            first, *more = wrapped(remark, room)
            self.lines([f"  {name:<{name_width}}  {figure:>{figure_width}}  {first}"])
            self.lines([" " * (name_width + figure_width + 6) + line for line in more])

    def progress(self, text: str, *, last: bool = False) -> None:
        """How far it is: replaces the line before on a terminal, else a line of its own each second."""
        now = self._clock()
        if self._moving:
            self._write(f"\r{text[:WIDTH]:<{len(self._shown)}}")
            self._shown = text[:WIDTH]
        elif last or now - self._last >= EVERY_S:
            self._last = now
            self._write(f"{text}\n")

    def _settle(self) -> None:
        """Let the line of progress stand."""
        if self._shown:
            self._write("\n")
            self._shown = ""

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def wrapped(text: str, width: int) -> list[str]:
    """At least one line; names with a dash in them stay whole, and so does what cannot be broken."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
