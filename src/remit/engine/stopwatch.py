"""What the guard adds: the CPU time of its own steps, with every wait left out.

`Stopwatch.run` drives a coroutine and adds up the thread's CPU time of each of its steps, so that neither the queue nor
the disk nor other tasks count. `Histogram` keeps the results in a fixed number of buckets, each 5 % wider than the last.
"""

import math
import time
from collections.abc import Awaitable, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")

BUCKETS = 400
_GROWTH = 1.05
_LOG_GROWTH = math.log(_GROWTH)


class _Timed(Generic[T]):
    """An awaitable that charges every step of another one to a stopwatch."""

    __slots__ = ("_watch", "_work")

    def __init__(self, watch: "Stopwatch", work: Awaitable[T]) -> None:
        self._watch = watch
        self._work = work

    def __await__(self) -> Generator[Any, Any, T]:
        inner = self._work.__await__()
        clock, watch = time.thread_time_ns, self._watch
        sent: Any = None
        error: BaseException | None = None
        while True:
            started = clock()
            try:
                waiting = inner.send(sent) if error is None else inner.throw(error)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return] # a generator's value is untyped
            finally:
                watch.spent_ns += clock() - started
            try:
                sent, error = (yield waiting), None
            except BaseException as raised:  # noqa: BLE001 - whatever it is belongs to the work, which gets it
                sent, error = None, raised


class Stopwatch:
    """Adds up CPU time in nanoseconds."""

    __slots__ = ("_started", "spent_ns")

    def __init__(self) -> None:
        """At zero, stopped."""
        self.spent_ns = 0
        self._started = 0

    def start(self) -> None:
        """Count from here."""
        self._started = time.thread_time_ns()

    def stop(self) -> None:
        """Count until here."""
        self.spent_ns += time.thread_time_ns() - self._started

    def run(self, work: Awaitable[T]) -> Awaitable[T]:
        """`work`, with its steps counted and its waits left out."""
        return _Timed(self, work)


class Histogram:
    """Counts durations (ns) in growing buckets; quantiles are exact to 5 %."""

    def __init__(self) -> None:
        """Empty."""
        self._counts = [0] * BUCKETS
        self.count = 0

    def add(self, duration_ns: int) -> None:
        """One more."""
        bucket = int(math.log(max(duration_ns, 1)) / _LOG_GROWTH)
        self._counts[min(bucket, BUCKETS - 1)] += 1
        self.count += 1

    def quantile_us(self, permille: int) -> int:
        """The duration (us, rounded up) below which `permille` of a thousand lie; 0 if there is none."""
        left = -(-self.count * permille // 1000)
        for bucket, count in enumerate(self._counts):
            left -= count
            if left <= 0 and self.count:
                return -(-int(_GROWTH ** (bucket + 1)) // 1000)
        return 0
