"""What is prepared once for a caller and a tool, and shared by all their calls until a period ends.

A `Template` is the prepared operations of the ledger, each with the `Bound` that it stands for. `prepare` makes it,
`decide` fills in what varies from call to call: amounts and ids.
"""

from dataclasses import dataclass

from remit.core import schedule, units
from remit.core.caller import Caller
from remit.core.ledger import operations as ops
from remit.core.policy import Policy, Tool
from remit.core.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Which limit an operation (or an entry of the hold) stands for, and how it is to be reported.

    `hop` is the link of the contract chain that carries it (0: the root), None for limits of the policy.
    """

    limit: str
    kind: str
    unit: str
    per: tuple[str, ...]
    window_us: int
    reason: Reason
    count: int = 0
    own: bool = True
    warn_at_permille: tuple[int, ...] = ()
    hop: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The prepared operations. `operation_bounds` and `entry_bounds` run parallel to `admit` and the hold's entries.

    `on_failure` are the counters that a failed call feeds. It fits from `valid_from_us` until `valid_until_us`.
    """

    tool: Tool
    caller: Caller
    currency: str
    admit: tuple[ops.Operation, ...]
    operation_bounds: tuple[Bound | None, ...]
    entry_bounds: tuple[Bound, ...]
    entries: tuple[ops.HoldEntry, ...]
    ttl_us: int
    on_failure: tuple[ops.Count, ...]
    hold_micros: int
    valid_from_us: int
    valid_until_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticDenial:
    """A refusal that no counter is needed for."""

    reason: Reason
    detail: str
    limit: str = ""
    hop: int | None = None


@dataclass(slots=True)
class Builder:
    """What is being put together: gates first, then checks, then the entries of the hold, each with its bound."""

    policy: Policy
    caller: Caller
    tool: Tool
    target: str
    now_us: int
    gates: list[tuple[ops.Operation, Bound | None]]
    checks: list[tuple[ops.Operation, Bound | None]]
    entries: list[tuple[ops.HoldEntry, Bound]]
    on_failure: list[ops.Count]


def window_of(window: units.Window, now_us: int) -> tuple[ops.Window, int]:
    """The window as the ledger counts it, and its nominal length (0: a life)."""
    if isinstance(window, units.Rolling):
        return ops.Rolling(window.window_us), window.window_us
    if isinstance(window, schedule.Calendar):
        current, following = schedule.period_pair(window, now_us)
        spans = ops.Span(current.start_us, current.end_us), ops.Span(following.start_us, following.end_us)
        return ops.Calendar(*spans), current.end_us - current.start_us
    return ops.Life(), 0


def window_name(window: units.Window) -> str:
    """How a window is named in a cell's key."""
    if isinstance(window, units.Rolling):
        return f"rolling {window.window_us}"
    if isinstance(window, schedule.Calendar):
        return f"{window.unit.value} {window.timezone}"
    return "life"
