"""The clock of the embedded stores: boot time anchored to the wall once, so that a step of the wall gains nobody anything.

The boot-time clock counts sleep and never steps. At start it is anchored to the wall, or to the last time the store
remembers if the wall lies before that. Where the two part by more than a second the clock says so, calendar windows
that must hold answer 503, and an operator may `accept` the wall's new time. All times are microseconds since the epoch.
"""

import time
from collections.abc import Callable

PARTED_US = 1_000_000
"""Clocks that differ by more than this are reported and not trusted for calendar windows."""


def boot_us() -> int:
    """Microseconds since some fixed moment, sleep included where the system can tell."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock) // 1000


def wall_us() -> int:
    """The wall clock."""
    return time.time_ns() // 1000


class AnchoredClock:
    """Monotone store time. `remembered_us` is the latest time the store ever answered with (0: none)."""

    def __init__(
        self, *, remembered_us: int = 0, boot: Callable[[], int] = boot_us, wall: Callable[[], int] = wall_us
    ) -> None:
        """Anchors now."""
        self._boot = boot
        self._wall = wall
        self._anchor_us = max(wall(), remembered_us) - boot()
        self._last_us = 0

    def now_us(self) -> int:
        """The store's time; never goes back, except by `accept`."""
        now = self._boot() + self._anchor_us
        self._last_us = max(self._last_us, now)
        return self._last_us

    def parted_us(self) -> int:
        """By how much the wall is ahead of the store's clock, if that is more than a second; else 0."""
        apart = self._wall() - (self._boot() + self._anchor_us)
        return apart if abs(apart) > PARTED_US else 0

    def not_before(self, remembered_us: int) -> None:
        """Go on from `remembered_us` at the earliest: a store remembered that time."""
        self._anchor_us = max(self._anchor_us, remembered_us - self._boot())

    def accept(self) -> int:
        """Take the wall's time from now on; answers by how much the clock moved."""
        moved = self._wall() - (self._boot() + self._anchor_us)
        self.shift(moved)
        return moved

    def shift(self, by_us: int) -> None:
        """Move by so much, back as well: only what an operator accepted, or an acceptance that could not be kept."""
        self._anchor_us += by_us
        self._last_us = self._boot() + self._anchor_us
