"""Pace: the generic cell rate algorithm (GCRA) on one integer, the theoretical arrival time in microseconds.

The interval is a whole number of microseconds, rounded up when the policy is read: never faster than asked for. An
empty bucket lets `burst` units pass at once; each unit moves the arrival time by one interval. With `max_wait_us` a
call that comes a little early is told how long to wait instead of being refused (a leaky bucket that queues).
"""


def pace(
    arrival_us: int, *, now_us: int, interval_us: int, burst: int, n: int, max_wait_us: int
) -> tuple[int | None, int, int]:
    """Judge `n` units: `(new arrival or None when refused, wait_us, retry_at_us)`.

    `retry_at_us` is when the same call would pass, 0 if it never can (n above the burst).
    """
    start_us = arrival_us if arrival_us > now_us else now_us
    after_us = start_us + n * interval_us
    earliest_us = after_us - burst * interval_us
    wait_us = earliest_us - now_us
    if wait_us <= 0:
        return after_us, 0, now_us
    if n > burst:
        return None, 0, 0
    if wait_us <= max_wait_us:
        return after_us, wait_us, now_us
    return None, 0, earliest_us - max_wait_us


def taken(arrival_us: int, *, now_us: int, interval_us: int) -> int:
    """How many units of the burst are in use now, rounded up."""
    return 0 if arrival_us <= now_us else -(-(arrival_us - now_us) // interval_us)
