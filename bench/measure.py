"""Measuring in turns: A B A B …, the median of each, and the median of the ratios pair by pair."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison. `ours` and `peer` are medians in `unit`; `ratio` is the median of ours / peer, pair by pair."""

    name: str
    ours: float
    peer: float
    ratio: float
    unit: str
    note: str


def timed_us(work: Callable[[], object], times: int) -> float:
    """Microseconds for one of `times` runs of `work`."""
    started = time.perf_counter_ns()
    for _ in range(times):
        work()
    return (time.perf_counter_ns() - started) / times / 1000


def compare(
    name: str, ours: Callable[[], float], peer: Callable[[], float], *, unit: str, note: str, rounds: int = ROUNDS
) -> Row:
    """Take both figures in turns, after one warm-up of each."""
    ours(), peer()
    pairs = [(ours(), peer()) for _ in range(rounds)]
    return Row(
        name=name,
        ours=statistics.median(a for a, _ in pairs),
        peer=statistics.median(b for _, b in pairs),
        ratio=statistics.median(a / b for a, b in pairs),
        unit=unit,
        note=note,
    )
