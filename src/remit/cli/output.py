"""What commands print: aligned tables, times in ISO 8601 UTC, money as people write it; nothing that a terminal obeys.

Names were cleaned when they entered the store. They are cleaned again here, since a store may have been written by
somebody else's hand.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from remit.audit.safe_text import clean
from remit.audit.times import duration, iso
from remit.core.sentences import describe_amount

MAX_CELL_CHARS: Final = 64
NOTHING: Final = "-"


def show(text: str, *, max_chars: int = MAX_CELL_CHARS) -> str:
    """`text` as a terminal may have it, at most so long; a dash for nothing."""
    return clean(text, max_chars=max_chars) or NOTHING


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[str] = ()) -> None:
    """Print rows under their headers in aligned columns; those named in `right` to the right, as figures are."""
    shown = [tuple(show(cell) for cell in row) for row in rows]
    lines = [tuple(headers), *shown]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    to_the_right = {column for column, header in enumerate(headers) if header in set(right)}
    for line in lines:
        cells = (
            cell.rjust(width) if column in to_the_right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    found = [(show(name), show(value, max_chars=400)) for name, value in pairs]
    width = max((len(name) for name, _ in found), default=0)
    for name, value in found:
        print(f"{name.ljust(width)}  {value}")


def as_json(value: Any) -> None:
    """Print `value` as JSON; everything but ASCII is escaped, so that nothing in it reaches the terminal as a command."""
    print(json.dumps(value, indent=2))


def moment(time_us: int) -> str:
    """`2026-11-21T21:43:07Z`."""
    return f"{iso(time_us)[:19]}Z"


def span(duration_us: int) -> str:
    """`2 days 3 hours`, in the two largest units."""
    return duration(duration_us) or "0 seconds"


def amounts(by_unit: Mapping[str, int]) -> str:
    """`0.35 USD, 1 call`: money first, zeros left out; a dash for nothing."""
    units = sorted(by_unit, key=lambda unit: (not unit.isupper(), unit))
    return ", ".join(describe_amount(by_unit[unit], unit) for unit in units if by_unit[unit]) or NOTHING


def count(number: int, noun: str) -> str:
    """`1 key`, `1,234 keys`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
