"""Time zones from the pinned `tzdata` package: the same answer on every machine.

`zoneinfo` prefers the tables of the operating system, so two gateways with different systems would disagree about when a
day begins. Here only the table that was installed with Remit counts. Names are looked up in that table's own list first,
so that a name from a policy or a contract can never become a path.
"""

from functools import lru_cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from remit.core.reading import shown
from remit.errors import UsageError

DEFAULT_ZONE: Final = "UTC"

_MAX_NAME_CHARS: Final = 64
_CACHED_ZONES: Final = 640  # a little more than there are


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return every IANA zone name of the pinned table, links such as `US/Eastern` included."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="ascii").split())


def check_zone(name: str) -> str:
    """Return `name` if it is a zone of the pinned table, else raise `UsageError`."""
    if len(name) > _MAX_NAME_CHARS or name not in zone_names():
        raise UsageError(f"{shown(name)} is not a time zone: write an IANA name such as `Europe/Berlin` or `UTC`")
    return name


@lru_cache(maxsize=_CACHED_ZONES)
def load_zone(name: str) -> ZoneInfo:
    """Return the rules of a zone. Raises `UsageError` when there is none of that name."""
    with files("tzdata").joinpath("zoneinfo", *check_zone(name).split("/")).open("rb") as table:
        return ZoneInfo.from_file(table, key=name)
