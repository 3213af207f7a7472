"""Pace: the generic cell rate algorithm (GCRA) on one integer, the theoretical arrival time in microseconds.

The interval is a whole number of microseconds, rounded up when the policy is read: never faster than asked for. An
empty bucket lets `burst` units pass at once; each unit moves the arrival time by what it costs, one interval, or more
while a gate throttles the caller. The bucket itself keeps its size, so that being throttled is never a fresh burst, and
a bucket too small for one throttled unit still lets that one through when it is empty. With `max_wait_us` a call that
comes a little early is told how long to wait instead of being refused (a leaky bucket that queues).
"""


def pace(
    arrival_us: int, *, now_us: int, interval_us: int, burst: int, n: int, max_wait_us: int, factor_permille: int = 1000
) -> tuple[int | None, int, int]:
    """Judge `n` units: `(new arrival or None when refused, wait_us, retry_at_us)`.

    `retry_at_us` is when the same call would pass, 0 if it never can (n above the burst).
    """
    start_us = arrival_us if arrival_us > now_us else now_us
    cost_us = n * interval_us
    bucket_us = burst * interval_us
    if cost_us > bucket_us:
        return None, 0, 0
    if factor_permille != 1000:
        cost_us = -(-cost_us * 1000 // max(factor_permille, 1))
        bucket_us = max(bucket_us, cost_us)
    after_us = start_us + cost_us
    wait_us = after_us - bucket_us - now_us
    if wait_us <= 0:
        return after_us, 0, now_us
    if wait_us <= max_wait_us:
        return after_us, wait_us, now_us
    return None, 0, now_us + wait_us - max_wait_us


def taken(arrival_us: int, *, now_us: int, interval_us: int, burst: int) -> int:
    """How many units of the burst are in use now, rounded up."""
    if arrival_us <= now_us or interval_us == 0:
        return 0
    return min(burst, -((now_us - arrival_us) // interval_us))


def next_unit_us(arrival_us: int, *, now_us: int, interval_us: int) -> int:
    """When one more unit of the burst comes back (0: all of it is there)."""
    if arrival_us <= now_us or interval_us == 0:
        return 0
    return now_us + ((arrival_us - now_us - 1) % interval_us) + 1
