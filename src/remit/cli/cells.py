"""What the key of a counter says, in words: its limit, whom it counts, in which period, up to what.

A key is made of length-prefixed parts (`core.cell_keys`): the tenant, the limit, its kind, its window, its unit, and its
dimensions as `name=value`.
"""

from dataclasses import asdict, dataclass
from typing import Any

from remit.core.cell_keys import cell_key
from remit.core.chain_charges import RESERVED_BUDGET_NAME
from remit.core.contract_limits import RESERVED_CELL_NAME
from remit.core.policy import Budget, Concurrent, Failures, Limit, Policy, Quota, Units
from remit.core.units import describe_duration

PARTS_BEFORE_VALUES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A counter as people know it. `values` are its dimensions, by name."""

    tenant: str
    limit: str
    kind: str
    window: str
    unit: str
    values: tuple[tuple[str, str], ...]
    max: int | None

    @property
    def counts(self) -> str:
        """Whom it counts: `agent risk-check, tool payments.transfer`, or everybody."""
        named = [f"{name} {value}" for name, value in self.values]
        if self.tenant != "-" and not any(name == "org" for name, _ in self.values):
            named.append(f"org {self.tenant}")
        return ", ".join(named) or "everybody"

    @property
    def period(self) -> str:
        """`any hour`, `day (Europe/Berlin)`, `in all`, or `at a time` for calls in flight."""
        name, _, rest = self.window.partition(" ")
        if name == "rolling" and rest.isascii() and rest.isdigit():
            return f"any {describe_duration(int(rest)).removeprefix('1 ')}"
        if self.window == "life":
            return "in all"
        if self.window == "-":
            return "at a time"
        return f"{name} ({rest})" if rest else name

    def is_full(self, counted: int) -> bool:
        """Whether nothing more fits, as far as the maximum is known."""
        return self.max is not None and counted >= self.max

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the dimensions as an object."""
        return asdict(self) | {"values": dict(self.values)}


def describe_cell(key: str, policy: Policy) -> Cell:
    """What `key` says; a key of another make is shown as the name of a limit."""
    parts = split_key(key)
    if len(parts) < PARTS_BEFORE_VALUES:
        return Cell(tenant="-", limit=key, kind="", window="", unit="", values=(), max=None)
    if parts[1] in (RESERVED_CELL_NAME, RESERVED_BUDGET_NAME):
        return _of_contract(parts)
    tenant, name, kind, window, unit, *values = parts
    limit = policy.limits.get(name)
    return Cell(
        tenant=tenant, limit=name, kind=kind, window=window, unit=unit, values=tuple(map(_named, values)),
        max=_maximum(limit, kind, unit, policy),
    )  # fmt: skip


def _of_contract(parts: list[str]) -> Cell:
    """A counter of a contract's limit, or of what an issuer's roots may spend: known by its lineage."""
    name, *rest = parts[1:] if parts[1] == RESERVED_BUDGET_NAME else parts[2:]
    kind, window, unit, lineage = (*rest, "", "", "", "")[:4]
    return Cell(tenant="-", limit=name, kind=kind, window=window, unit=unit, values=(("contract", lineage),), max=None)


def _named(part: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    return (name, value) if equals else ("value", part)


def split_key(key: str) -> list[str]:
    """The parts that `cell_key` joined; nothing if it did not make this key."""
    parts = []
    at = 0
    while at < len(key):
        digits, colon, _ = key[at : at + 18].partition(":")
        start = at + len(digits) + 1
        if not colon or not digits.isascii() or not digits.isdigit():
            return []
        end = start + int(digits)
        if end > len(key) or (end < len(key) and key[end] != ","):
            return []
        parts.append(key[start:end])
        at = end + 1
    return parts if cell_key(*parts) == key else []


def _maximum(limit: Limit | None, kind: str, unit: str, policy: Policy) -> int | None:
    """What the policy allows in this counter today, if the limit still is of its kind."""
    match limit.rule if limit is not None else None:
        case Quota(most, _) if kind == "quota":
            return most
        case Units(most, _, _) if kind == "units":
            return most
        case Budget(most, _) if kind == "budget" and unit == policy.currency:
            return most
        case Concurrent(most) if kind == "concurrent":
            return most
        case Failures(most, _) if kind == "failures":
            return most
        case _:
            return None
