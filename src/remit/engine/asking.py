"""Arguments of operator commands as they come over the control socket: plain JSON values, read strictly.

A wrong value is a `UsageError` that names the argument, whoever sent it: the command line never does, another program
may.
"""

from collections.abc import Mapping
from typing import Any

from remit.core.reading import MAX_INTEGER, shown
from remit.errors import UsageError

Arguments = Mapping[str, Any]


def text(arguments: Arguments, name: str) -> str:
    """Text that must be there."""
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise UsageError(f"`{name}` is missing: give it as text")
    return value


def maybe_text(arguments: Arguments, name: str) -> str | None:
    """Text, or None where nothing (or an empty text) was given."""
    value = arguments.get(name)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"`{name}` must be text")
    return value or None


def texts(arguments: Arguments, name: str) -> tuple[str, ...]:
    """A list of texts; empty if there is none."""
    value = arguments.get(name, ())
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"`{name}` must be a list of texts")
    return tuple(value)


def whole(arguments: Arguments, name: str, *, default: int = 0) -> int:
    """A whole number from 0 to 2^53-1."""
    value = arguments.get(name, default)
    if type(value) is not int or not 0 <= value <= MAX_INTEGER:
        raise UsageError(f"`{name}` must be a whole number from 0 to 2^53-1, not {shown(str(value))}")
    return value


def maybe_whole(arguments: Arguments, name: str) -> int | None:
    """A whole number, or None where nothing was given."""
    return None if arguments.get(name) is None else whole(arguments, name)


def flag(arguments: Arguments, name: str) -> bool:
    """True, false, or not given, which is false."""
    value = arguments.get(name, False)
    if not isinstance(value, bool):
        raise UsageError(f"`{name}` must be true or false")
    return value
