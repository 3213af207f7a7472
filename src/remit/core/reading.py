"""What every reader of outside text shares: the range of integers, plain digits, and how text is shown in errors.

Python's own `int()` and `str.isdigit()` accept signs, underscores, spaces and digits of other scripts, and take quadratic
time over long input. The readers here judge the length first and then accept ASCII digits only, so that hostile input
costs no more than a glance.
"""

from typing import Final

MAX_INTEGER: Final = 2**53 - 1
"""The largest integer Remit computes with: every store, script and JSON reader holds it exactly."""

_MAX_DIGITS: Final = 18
_MAX_SHOWN_CHARS: Final = 40
_CUT: Final = "..."


def shown(text: str | bytes) -> str:
    """Return `text` in backticks as an error may show it: at most 40 characters, everything unprintable escaped."""
    head = text[: _MAX_SHOWN_CHARS + 1]
    escaped = ascii(head if isinstance(head, str) else head.decode("latin-1"))[1:-1].replace("`", "'")
    if len(escaped) > _MAX_SHOWN_CHARS:
        escaped = escaped[: _MAX_SHOWN_CHARS - len(_CUT)] + _CUT
    return f"`{escaped}`"


def is_digits(text: str) -> bool:
    """Say whether `text` is one or more ASCII digits and nothing else."""
    return text.isascii() and text.isdigit()


def read_count(text: str) -> int | None:
    """Return the integer from 0 to `MAX_INTEGER` that `text` spells in plain digits (at most 18), or None."""
    if len(text) > _MAX_DIGITS or not is_digits(text):
        return None
    value = int(text)
    return value if value <= MAX_INTEGER else None
