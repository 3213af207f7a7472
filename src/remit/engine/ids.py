"""Ids of decisions: they sort by time, are unguessable, and name decision, hold and audit record at once."""

import os
from collections.abc import Callable

_POOL_BYTES = 4096
_RANDOM_BYTES = 8


class DecisionIds:
    """`dec_` + 14 hex digits of microseconds + 4 of a counter + 16 random ones: 38 characters, in order of issue."""

    def __init__(self, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        """Random bytes are drawn a few kilobytes at a time."""
        self._random_bytes = random_bytes
        self._pool = ""
        self._at = 0
        self._last_us = 0
        self._count = 0

    def next(self, now_us: int) -> str:
        """A new id, greater than every one before."""
        if now_us > self._last_us:
            self._last_us, self._count = now_us, 0
        elif self._count < 0xFFFF:
            self._count += 1
        else:
            self._last_us, self._count = self._last_us + 1, 0
        if self._at >= len(self._pool):
            self._pool, self._at = self._random_bytes(_POOL_BYTES).hex(), 0
        self._at += 2 * _RANDOM_BYTES
        return f"dec_{self._last_us:014x}{self._count:04x}{self._pool[self._at - 2 * _RANDOM_BYTES : self._at]}"
