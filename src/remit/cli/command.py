"""What a command is made of: its words, its arguments, what it does. Importing one costs next to nothing.

Whatever a command needs beyond argparse it imports when it runs, so that `remit --version` and a mistyped flag answer at
once.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from remit.errors import UsageError

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: `words` after `remit`, `help` in a line, an `example` as it is typed.

    `about` says the rest; `arguments` adds what it takes to a parser, and `run` does it and returns the exit code.
    """

    words: str
    help: str
    example: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    about: str = ""


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are ours: one sentence, and no page of usage before it."""

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`."""
        raise UsageError(f"{message}; `{self.prog} --help` shows how")


def parser_of(command: Command) -> Parser:
    """The parser of one command, with everything that its `--help` says."""
    parser = Parser(
        prog=f"remit {command.words}",
        description=f"{command.help[0].upper()}{command.help[1:]}.{f' {command.about}' if command.about else ''}",
        epilog=f"example:\n  {command.example}",
        formatter_class=_Help,
        allow_abbrev=False,
    )
    command.arguments(parser)
    return parser


class _Help(argparse.RawDescriptionHelpFormatter):
    """Wraps the description, which is prose, and leaves the example alone."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=100)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("example:"):
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)  # noqa: SLF001 - argparse has no public way


def no_arguments(parser: argparse.ArgumentParser) -> None:
    """For commands that take none."""


def add_store(parser: argparse.ArgumentParser) -> None:
    """How a command finds its store."""
    group = parser.add_argument_group("which store")
    group.add_argument(
        "--policy",
        metavar="FILE",
        help="the policy whose store it is; else $REMIT_POLICY, ./policy.yaml or ./remit.yaml",
    )
    group.add_argument("--store", metavar="URL", help="the store itself, such as sqlite:///remit.db")


def add_json(parser: argparse.ArgumentParser) -> None:
    """For commands whose answer programs read, too."""
    parser.add_argument("--json", action="store_true", help="as JSON: times in microseconds, money in millionths")


def duration(text: str) -> int:
    """A duration argument, in microseconds."""
    from remit.core.units import parse_duration

    return _read(parse_duration, text)


def listen_address(text: str) -> str:
    """An address to listen on."""
    from remit.config.places import parse_listen

    return _read(parse_listen, text)


def positive(text: str) -> int:
    """A whole number above 0."""
    from remit.core.reading import read_count, shown

    count = read_count(text)
    if not count:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not a number: write plain digits, above 0")
    return count


def _read(parse: Callable[[str], Value], text: str) -> Value:
    try:
        return parse(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
