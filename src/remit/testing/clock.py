"""A clock that a test moves by hand: the wall and the time since boot, apart if need be.

`FakeClock` gives `AnchoredClock` its two readings, so that a store's clock can be watched while time passes, while
somebody sets the wall to another time, and over a restart of the machine.
"""

from remit.stores.clock import AnchoredClock

START_US = 1_800_000_000_000_000
"""Where the wall stands at first: 2027-01-15 08:00:00 UTC."""

BOOTED_US = 5_000_000_000
"""How long the machine has been up by then."""


class FakeClock:
    """`boot` and `wall` in microseconds; neither moves by itself."""

    def __init__(self, *, wall_us: int = START_US, boot_us: int = BOOTED_US) -> None:
        """Both clocks stand still at these times."""
        self._wall_us = wall_us
        self._boot_us = boot_us

    def wall(self) -> int:
        """The wall clock: microseconds since the Unix epoch."""
        return self._wall_us

    def boot(self) -> int:
        """Microseconds since the machine started, sleep included."""
        return self._boot_us

    def advance(self, by_us: int) -> None:
        """Time passes: both clocks move on. Raises `ValueError` for a negative `by_us`, since time does not go back."""
        if by_us < 0:
            raise ValueError(f"time passes forwards only, not by {by_us}: use `step_wall` to set the wall back")
        self._boot_us += by_us
        self._wall_us += by_us

    def step_wall(self, by_us: int) -> None:
        """Somebody sets the wall clock, on or back; no time passes."""
        self._wall_us += by_us

    def reboot(self) -> None:
        """The machine starts again: the time since boot begins anew, the wall is as it was."""
        self._boot_us = 0

    def anchored(self, *, remembered_us: int = 0) -> AnchoredClock:
        """A store's clock on these readings, anchored now."""
        return AnchoredClock(remembered_us=remembered_us, boot=self.boot, wall=self.wall)
