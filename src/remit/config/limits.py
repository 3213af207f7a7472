"""Limits of a policy: one rule each, by whom or what it counts, and whom it concerns.

A field that would have no effect is an error: what is accepted is enforced. A maximum of zero is allowed and denies.
"""

from functools import partial
from typing import Final

from remit.config.problems import Path, Problems
from remit.config.schema import LimitShape
from remit.config.tools import wrong_currency
from remit.core import units
from remit.core.contract_limits import RESERVED_CELL_NAME
from remit.core.match import check_identifier, is_identifier, parse_tool_patterns
from remit.core.money import ceil_div
from remit.core.policy import Budget, Concurrent, Dimension, Failures, Limit, Mode, Only, Quota, Rate, Rule, Units
from remit.core.reading import shown
from remit.core.schedule import SECOND_US, Calendar, parse_only
from remit.core.units import MAX_DURATION_US, Window, parse_duration
from remit.core.zones import DEFAULT_ZONE, check_zone
from remit.errors import UsageError

KINDS: Final = ("rate", "quota", "units", "budget", "concurrent", "failures", "only")
RESERVED_NAMES: Final = frozenset(
    {"gate", "idempotency", "key", "session", RESERVED_CELL_NAME, "issuer-budget", "issuer_budget"}
)
"""Names that Remit's own cells have, and those that could be mistaken for the budget of an issuer."""

SHORTEST_INTERVAL_US: Final = 100
"""10,000 calls a second: above it, rounding the interval up to a microsecond would cost more than a percent."""

LONGEST_WAIT_US: Final = 60 * SECOND_US
MAX_COUNT: Final = 10**15 - 1
"""The largest integer that a structured header field can say (RFC 9651 §3.3.1)."""

_BELONGS: Final = {
    "burst": ("rate",),
    "max_wait": ("rate",),
    "weigh": ("units",),
    "warn_at": ("quota", "units", "budget"),
    "timezone": ("quota", "units", "budget", "failures"),
    "per": ("rate", "quota", "units", "budget", "concurrent", "failures"),
}
"""Fields that mean something for some kinds only."""


def read_limit(name: str, shape: LimitShape, currency: str | None, problems: Problems) -> Limit | None:
    """The limit of that name, or None when something in it was reported."""
    path: Path = ("limits", name)
    problems.read(path, partial(check_identifier, what="limit"), name)
    if name in RESERVED_NAMES:
        problems.report(path, f"`limits.{name}` has a name that Remit uses itself: choose another")
    kind = _kind(path, shape, problems)
    if kind is None:
        return None
    _check_fields(path, shape, kind, problems)
    rule = _rule((*path, kind), kind, shape, currency, problems)
    problems.check_distinct((*path, "per"), shape.per)
    _read_patterns((*path, "tools"), shape.tools, problems)
    _read_agents((*path, "agents"), shape.agents, problems)
    levels = _levels((*path, "warn_at"), shape.warn_at, problems)
    if rule is None or problems.is_broken(*path):
        return None
    return Limit(
        name=name,
        rule=rule,
        per=tuple(Dimension(dimension) for dimension in shape.per),
        tools=tuple(shape.tools),
        agents=tuple(shape.agents),
        mode=Mode(shape.mode),
        warn_at_permille=levels,
    )


def _kind(path: Path, shape: LimitShape, problems: Problems) -> str | None:
    kinds = [kind for kind in KINDS if kind in shape.model_fields_set]
    if not kinds:
        problems.add(path, f"says nothing to limit: add one of {', '.join(f'`{kind}`' for kind in KINDS)}")
    for extra in kinds[1:]:
        text = f"a limit has one rule and this one has `{kinds[0]}` already: make it a limit of its own"
        problems.add((*path, extra), text)
    return kinds[0] if len(kinds) == 1 else None


def _check_fields(path: Path, shape: LimitShape, kind: str, problems: Problems) -> None:
    for field, kinds in _BELONGS.items():
        if field in shape.model_fields_set and kind not in kinds:
            names = " or ".join(f"`{name}`" for name in kinds)
            problems.add((*path, field), f"has no effect on `{kind}`: it goes with {names}, leave it out here")
    if kind == "only" and shape.mode != "enforce":
        problems.add((*path, "mode"), "hours can only be enforced: leave `mode` out")


def _rule(path: Path, kind: str, shape: LimitShape, currency: str | None, problems: Problems) -> Rule | None:
    match kind:
        case "rate":
            return _rate(path, shape, problems)
        case "concurrent":
            return Concurrent(max=shape.concurrent or 0)
        case "only":
            window = problems.read(path, parse_only, shape.only or "")
            return Only(window) if window is not None else None
        case "budget":
            return _budget(path, shape, currency, problems)
        case _:
            return _counted(path, kind, shape, problems)


def _rate(path: Path, shape: LimitShape, problems: Problems) -> Rate | None:
    rate = problems.read(path, units.parse_rate, shape.rate or "")
    max_wait_us = _max_wait(path, shape, problems)
    if rate is None or max_wait_us is None:
        return None
    if rate.count * SHORTEST_INTERVAL_US > rate.window_us:
        problems.add(path, f"{shown(shape.rate or '')} is above 10000/second: make it slower, or use a `quota`")
        return None
    if rate.count == 0:
        if shape.burst is not None:
            problems.add((*path[:-1], "burst"), "the rate denies every call, so there is no burst: leave it out")
        return Rate(count=0, per_us=rate.window_us, interval_us=rate.window_us, burst=0, max_wait_us=0)
    interval_us = ceil_div(rate.window_us, rate.count)
    burst = shape.burst if shape.burst is not None else rate.count
    if burst * interval_us > MAX_DURATION_US:
        problems.add((*path[:-1], "burst"), f"`{burst}` calls at that rate take more than ten years: make it smaller")
        return None
    return Rate(count=rate.count, per_us=rate.window_us, interval_us=interval_us, burst=burst, max_wait_us=max_wait_us)


def _max_wait(path: Path, shape: LimitShape, problems: Problems) -> int | None:
    if shape.max_wait is None:
        return 0
    at = (*path[:-1], "max_wait")
    wait_us = problems.read(at, parse_duration, shape.max_wait)
    if wait_us is not None and wait_us > LONGEST_WAIT_US:
        problems.add(at, f"{shown(shape.max_wait)} is too long: a call waits at most 60s")
        return None
    return wait_us


def _timezone(path: Path, shape: LimitShape, problems: Problems) -> str | None:
    if shape.timezone is None:
        return DEFAULT_ZONE
    return problems.read((*path[:-1], "timezone"), check_zone, shape.timezone)


def _check_calendar(path: Path, shape: LimitShape, window: Window, problems: Problems) -> None:
    if shape.timezone is not None and not isinstance(window, Calendar):
        text = "has no effect: only `/day`, `/week`, `/month` and `/year` begin somewhere, leave it out"
        problems.add((*path[:-1], "timezone"), text)


def _budget(path: Path, shape: LimitShape, currency: str | None, problems: Problems) -> Budget | None:
    zone = _timezone(path, shape, problems)
    budget = problems.read(path, partial(units.parse_budget, timezone=zone or DEFAULT_ZONE), shape.budget or "")
    if budget is None:
        return None
    _check_calendar(path, shape, budget.window, problems)
    if currency is not None and budget.amount.currency != currency:
        problems.add(path, wrong_currency(budget.amount.currency, currency))
        return None
    return Budget(max_micros=budget.amount.micros, window=budget.window)


def _counted(path: Path, kind: str, shape: LimitShape, problems: Problems) -> Quota | Units | Failures | None:
    zone = _timezone(path, shape, problems)
    quota = problems.read(path, partial(units.parse_quota, timezone=zone or DEFAULT_ZONE), getattr(shape, kind) or "")
    if quota is None:
        return None
    _check_calendar(path, shape, quota.window, problems)
    if quota.count > MAX_COUNT:
        problems.add(path, f"`{quota.count}` is too large: the most is {MAX_COUNT}")
        return None
    if kind == "quota":
        return Quota(max=quota.count, window=quota.window)
    if kind == "failures":
        return Failures(max=quota.count, window=quota.window)
    return Units(max=quota.count, window=quota.window, weights=dict(shape.weigh))


def _read_patterns(path: Path, patterns: list[str], problems: Problems) -> None:
    problems.check_distinct(path, patterns)
    for index, pattern in enumerate(patterns):
        problems.read((*path, index), lambda text: parse_tool_patterns([text]), pattern)


def _read_agents(path: Path, agents: list[str], problems: Problems) -> None:
    problems.check_distinct(path, agents)
    for index, agent in enumerate(agents):
        problems.read((*path, index), _check_agent, agent)


def _check_agent(text: str) -> str:
    kind, colon, name = text.partition(":")
    if not colon or kind not in ("key", "agent"):
        raise UsageError(
            f"{shown(text)} is no verified identity: write `key:` and the id of a key or the thumbprint of a holder, or "
            "`agent:` and the agent that API keys are made for"
        )
    if not is_identifier(name):
        raise UsageError(f"{shown(name)} is not a name: write up to 128 of `A-Z a-z 0-9 . _ @ + -` after `{kind}:`")
    return text


def _levels(path: Path, texts: list[str], problems: Problems) -> tuple[int, ...]:
    problems.check_distinct(path, texts)
    levels = [problems.read((*path, index), _parse_permille, text) for index, text in enumerate(texts)]
    return tuple(sorted(level for level in levels if level is not None))


def _parse_permille(text: str) -> int:
    """Read `80%` or `99.5%`; the answer is in thousandths."""
    whole, point, tenth = text.removesuffix("%").partition(".")
    digits = f"{whole}{tenth or '0'}"
    is_number = digits.isascii() and digits.isdigit() and 0 < len(whole) <= 3 and len(tenth) == len(point)
    if not text.endswith("%") or not is_number or not 0 < int(digits) <= 1000:
        raise UsageError(f"{shown(text)} is not a level: write a percentage from `0.1%` to `100%`, such as `80%`")
    return int(digits)
