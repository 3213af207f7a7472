"""Limits and denials in plain English: one wording for denials, `remit why` and `remit policy explain`."""

from remit.core.decision import LimitUse
from remit.core.money import CURRENCY_DECIMALS, format_micros
from remit.core.reasons import REASONS, Reason

_NAMED_US = {
    1_000_000: "second",
    60_000_000: "minute",
    3_600_000_000: "hour",
    86_400_000_000: "day",
    604_800_000_000: "week",
}
_STEPS_US = ((86_400_000_000, "day"), (3_600_000_000, "hour"), (60_000_000, "minute"), (1_000_000, "second"))


def describe_duration(duration_us: int) -> str:
    """`an hour`-like words for a duration: the largest unit that divides it, or rounded up seconds."""
    for step_us, name in _STEPS_US:
        count, rest = divmod(duration_us, step_us)
        if count and not rest:
            return f"{count} {name}{'s' if count > 1 else ''}"
    if duration_us < 1_000_000:
        return f"{max(1, duration_us // 1000)} ms"
    return f"{-(-duration_us // 1_000_000)} seconds"


def describe_period(window_us: int) -> str:
    """`an hour`, `a day`, `90 minutes`; calendar months and years by their length."""
    if (name := _NAMED_US.get(window_us)) is not None:
        return f"{'an' if name == 'hour' else 'a'} {name}"
    days = window_us // 86_400_000_000
    if 28 <= days <= 31:
        return "a month"
    if days in (365, 366):
        return "a year"
    if window_us % 3_600_000_000 == 0 and window_us < 2 * 86_400_000_000 and window_us > 22 * 3_600_000_000:
        return "a day"
    return describe_duration(window_us)


def describe_per(per: tuple[str, ...]) -> str:
    """` for each agent and tool`, or nothing when everybody shares one counter."""
    if not per:
        return ""
    return " for each " + (per[0] if len(per) == 1 else ", ".join(per[:-1]) + " and " + per[-1])


def describe_amount(amount: int, unit: str) -> str:
    """`100 calls`, `0.35 USD`, `1 slot`."""
    if unit in CURRENCY_DECIMALS:
        return format_micros(amount, unit)
    if amount == 1 and unit.endswith("s"):
        unit = unit[:-1]
    return f"{amount:,} {unit}"


def describe_denial(reason: Reason, use: LimitUse | None, *, needed: int = 0) -> str:
    """Why a call was refused, in one or two sentences with the figures."""
    if use is None:
        return REASONS[reason].title + "."
    allowed = describe_amount(use.max, use.unit)
    where = describe_per(use.per)
    period = f" {describe_period(use.window_us)}" if use.window_us else ""
    match reason:
        case Reason.RATE_LIMITED:
            pace = f"{use.count:,} calls {describe_period(use.window_us)}"
            return f"`{use.limit}` allows {pace}{where}, at most {allowed} at once; this one came too soon."
        case Reason.TOO_MANY_IN_FLIGHT:
            return f"`{use.limit}` allows {use.max} at a time{where}; {use.held} are in flight."
        case Reason.BUDGET_EXHAUSTED:
            return _budget(use, allowed, period, where, needed)
        case Reason.BUDGET_FROZEN:
            return f"`{use.limit}`{where} was frozen because more was spent than the {allowed} it allows."
        case Reason.TOO_MANY_FAILURES:
            return f"`{use.limit}` stops after {use.max} failed calls{period}{where}; {use.used} failed."
        case Reason.CLOCK_UNSURE:
            return f"`{use.limit}` counts by the calendar, and the guard's clock jumped; it waits for the operator."
        case _:
            held = f" and {use.held} are in flight" if use.held else ""
            return f"`{use.limit}` allows {allowed}{period}{where}; {use.used:,} were used{held}."


def _budget(use: LimitUse, allowed: str, period: str, where: str, needed: int) -> str:
    spent, held = describe_amount(use.used, use.unit), describe_amount(use.held, use.unit)
    in_flight = f" and {held} is held for calls in flight" if use.held else ""
    return (
        f"`{use.limit}` allows {allowed}{period}{where}; {spent} is spent{in_flight}, "
        f"and this call may cost {describe_amount(needed, use.unit)}."
    )
