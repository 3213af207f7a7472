"""Counting the work of a refusal instead of timing it: calls made and memory asked for.

A clock on a shared machine says little; these figures are the same everywhere.
"""

import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

from remit.errors import RemitError


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a refusal cost: functions called (Python's and C's), the most memory held at once, and what it said."""

    calls: int
    peak_bytes: int
    message: str


def refused(action: Callable[[], object]) -> Work:
    """Run `action`, which must raise one of Remit's errors, once counting calls and once tracing memory."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        message = _message(action)
    finally:
        sys.setprofile(before)
    tracemalloc.start()
    try:
        assert _message(action) == message
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return Work(calls=calls, peak_bytes=peak_bytes, message=message)


def _message(action: Callable[[], object]) -> str:
    try:
        action()
    except RemitError as error:
        return str(error)
    raise AssertionError("it was not refused")
