"""How often and how much: the limits and the hours that one contract of a chain carries, as data.

Every link's limits bind: a call by the leaf is charged to the limits of every link that concern its tool. What a limit
counts in is keyed by the lineage of its link (`core.contract`), never by names that a holder could choose anew, and by
everything that makes it the same limit: id, kind, window and unit. Amounts are integers, money is micros of its currency.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

from remit.core.cell_keys import cell_key
from remit.core.ledger.operations import FOREVER_US
from remit.core.policy import Rate
from remit.core.schedule import Calendar, OnlyWindow, Openings, openings
from remit.core.units import Life, Rolling, Window

RESERVED_CELL_NAME: Final = "contract"
"""What stands in a cell's key where a policy's limits have their name. No limit of a policy may be called so."""


class Meter(StrEnum):
    """What a limit counts."""

    CALLS = "calls"
    COST = "cost"
    LLM_TOKENS = "llm_tokens"
    UNITS = "units"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most `max` in each `window`: micros for cost, else a count. 0 denies."""

    max: int
    window: Window


LimitRule: TypeAlias = Cap | Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractLimit:
    """One limit of a contract. `tools` are the tools that it counts, None for every tool of the link.

    `unit` is what the ledger counts in: the currency for cost, else the name of the meter. A `Rate` counts calls.
    """

    id: str
    meter: Meter
    unit: str
    rule: LimitRule
    tools: frozenset[str] | None = None

    def concerns(self, tool: str) -> bool:
        """Whether a call of `tool` is charged to it."""
        return self.tools is None or tool in self.tools

    @property
    def kind(self) -> str:
        """`rate` for a speed, `cap` for a maximum."""
        return "rate" if isinstance(self.rule, Rate) else "cap"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When calls are allowed: inside any of the windows. Without a window it never opens."""

    windows: tuple[OnlyWindow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractLimits:
    """The `remit_limits` entry of a link. `ledger` is the id of the one guard that may count for it."""

    ledger: str | None = None
    limits: tuple[ContractLimit, ...] = ()
    schedule: Schedule | None = None


def limit_cell(lineage: str, limit: ContractLimit) -> str:
    """The key of the cell that counts `limit` for the link whose counters have this lineage (`Chain.counters`)."""
    return cell_key("-", RESERVED_CELL_NAME, limit.id, limit.kind, _window_name(limit.rule), limit.unit, lineage)


def schedule_openings(schedule: Schedule, now_us: int) -> Openings:
    """When the schedule is open, as spans in order that do not overlap; complete up to `horizon_us`.

    Raises `UsageError` for times before 1970 or after 2249.
    """
    if not schedule.windows:
        return Openings(spans=(), horizon_us=FOREVER_US)
    found = [openings(window, now_us) for window in schedule.windows]
    spans = sorted(span for each in found for span in each.spans)
    merged: list[tuple[int, int]] = []
    for from_us, until_us in spans:
        if merged and from_us <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(until_us, merged[-1][1]))
        else:
            merged.append((from_us, until_us))
    return Openings(spans=tuple(merged), horizon_us=min(each.horizon_us for each in found))


def _window_name(rule: LimitRule) -> str:
    if isinstance(rule, Rate):
        return f"{rule.count} in {rule.per_us}"
    match rule.window:
        case Rolling(window_us):
            return f"rolling {window_us}"
        case Calendar(unit, timezone):
            return f"{unit.value} {timezone}"
        case Life():
            return "life"
        case _:
            assert_never(rule.window)
