"""Times and durations as a person reads them; the only place where microseconds become text."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_US: Final = 253_402_300_799_999_999
"""The last microsecond of the year 9999, where calendars end."""

_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def iso(time_us: int) -> str:
    """`2026-11-21T21:43:07.123456Z` (RFC 3339)."""
    return f"{_moment(time_us).isoformat(timespec='microseconds').removesuffix('+00:00')}Z"


def utc(time_us: int) -> str:
    """`2026-11-21 21:43:07 UTC`."""
    return f"{_moment(time_us):%Y-%m-%d %H:%M:%S} UTC"


def duration(span_us: int) -> str:
    """The two largest units of a span: `2 days 3 hours`, `16 minutes 53 seconds`, `120 milliseconds`."""
    if span_us < 1_000_000:
        return f"{max(0, span_us) // 1000} milliseconds"
    seconds = span_us // 1_000_000
    parts: list[str] = []
    for size, name in _UNITS:
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 "))


def _moment(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=min(max(0, time_us), _LATEST_US))
