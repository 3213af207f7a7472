"""One timer for many deadlines: arming a timer per request costs more than the rest of its bookkeeping.

Whoever has deadlines writes them down as numbers of the loop's clock and is swept at a fixed interval, a quarter of the
shortest of its times; a deadline is met that much late at most.
"""

import asyncio
from collections.abc import Callable, Iterable

from remit.entrypoints.proxy.bounds import SECOND_US

LONGEST_INTERVAL_US = 500_000
SHORTEST_INTERVAL_US = 5_000


class Sweep:
    """Calls `tick(now)` again and again between `start` and `stop`; `now` is the loop's clock, in seconds."""

    __slots__ = ("_handle", "_interval_s", "_loop", "_tick")

    def __init__(self, tick: Callable[[float], None], *, times_us: Iterable[int]) -> None:
        quarter = min(times_us) // 4
        self._interval_s = seconds(max(SHORTEST_INTERVAL_US, min(quarter, LONGEST_INTERVAL_US)))
        self._tick = tick
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, on the running loop; nothing happens if it has begun."""
        if self._handle is None:
            self._loop = asyncio.get_running_loop()
            self._handle = self._loop.call_later(self._interval_s, self._run)

    def stop(self) -> None:
        """End; nothing happens if it has not begun."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _run(self) -> None:
        assert self._loop is not None
        self._handle = self._loop.call_later(self._interval_s, self._run)
        self._tick(self._loop.time())


def seconds(us: int) -> float:
    """Microseconds in the unit of the event loop's clock."""
    return us / SECOND_US
