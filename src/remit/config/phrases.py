"""The parts of the sentences about a limit: who may do what, how often, and what becomes of a call beyond it."""

from collections.abc import Sequence

from remit.core.policy import (
    Budget,
    Concurrent,
    Dimension,
    Failures,
    Limit,
    Mode,
    Only,
    Quota,
    Rate,
    Rule,
    Units,
)
from remit.core.reasons import Reason
from remit.core.schedule import Calendar
from remit.core.units import Life, Rolling, Window

_WHAT_IS_CALLED = (Dimension.TOOL, Dimension.TARGET)


def join_and(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return _join(parts, "and")


def join_or(parts: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return _join(parts, "or")


def _join(parts: Sequence[str], word: str) -> str:
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}" if len(parts) > 1 else "".join(parts)


def quoted(names: Sequence[str]) -> list[str]:
    """Each name in backticks."""
    return [f"`{name}`" for name in names]


def say_who(limit: Limit) -> str:
    """Whose calls are counted together: `each agent`, `each pair of user and org`, `all callers together`."""
    who = [dimension.value for dimension in limit.per if dimension not in _WHAT_IS_CALLED]
    match len(who):
        case 0:
            return "all callers together"
        case 1:
            return f"each {who[0]}"
        case 2:
            return f"each pair of {join_and(who)}"
        case _:
            return f"each combination of {join_and(who)}"


def say_tools(limit: Limit) -> str:
    """The tools that a limit concerns: `pay`, `pay and ask`, `all tools`."""
    return "all tools" if limit.tools in ((), ("*",)) else join_and(quoted(limit.tools))


def say_what(limit: Limit) -> str:
    """Which calls are counted together: one tool, all tools, each of some tools, with one target or any."""
    if len(limit.tools) == 1 and not limit.tools[0].endswith("*"):
        what = say_tools(limit)
    elif Dimension.TOOL in limit.per:
        what = f"each tool of {join_and(quoted(limit.tools))}" if limit.tools else "each tool"
    else:
        what = f"{say_tools(limit)} together"
    return f"{what} with any one target" if Dimension.TARGET in limit.per else what


def say_times(count: int) -> str:
    """`once`, `100 times`."""
    return "once" if count == 1 else f"{count:,} times"


def say_calls(count: int) -> str:
    """`1 call`, `100 calls`."""
    return "1 call" if count == 1 else f"{count:,} calls"


def say_beyond(limit: Limit, call: str, reason: Reason, *, until: str) -> str:
    """What becomes of a call beyond the limit, as its mode says; `until` says when that ends."""
    match limit.mode:
        case Mode.ENFORCE:
            return f"{call} is refused with `{reason.value}`{f' {until}' if until else ''}"
        case Mode.OBSERVE:
            return f"{call} passes and is only reported, as what `{reason.value}` would refuse"
        case Mode.SOFT:
            return f"{call} passes and is booked as overage"


def until_room(window: Window) -> str:
    """When a full window has room again."""
    match window:
        case Rolling():
            return "until the oldest has left the window"
        case Calendar(unit, _):
            return f"until the next {unit.value} begins"
        case Life():
            return "for good"


def refuses_with(rule: Rule) -> Reason:
    """The reason that a caller is told when a rule refuses."""
    match rule:
        case Rate():
            return Reason.RATE_LIMITED
        case Quota(_, window) | Units(_, window):
            # Without a period it never comes back, so it has a reason of its own.
            return Reason.LIFETIME_QUOTA_EXHAUSTED if isinstance(window, Life) else Reason.QUOTA_EXHAUSTED
        case Budget():
            return Reason.BUDGET_EXHAUSTED
        case Concurrent():
            return Reason.TOO_MANY_IN_FLIGHT
        case Failures():
            return Reason.TOO_MANY_FAILURES
        case Only():
            return Reason.OUTSIDE_SCHEDULE
