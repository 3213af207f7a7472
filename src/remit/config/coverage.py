"""What only shows when tools and limits are seen together: money that nothing holds, names that mean nothing.

A priced tool must stand under an enforced budget that its callers cannot multiply: one that counts per user, org, account
or key, or for everybody together. A session or an agent is no such thing, because a caller can have as many as it likes.
What is allowed but probably not meant is a warning.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from remit.config.problems import Path, Problems
from remit.core.match import parse_tool_patterns
from remit.core.money import format_micros
from remit.core.policy import UNMINTABLE, Budget, Dimension, Limit, Mode, Policy, Risk, Tool, Units
from remit.core.reading import shown

ANONYMOUS_HAVE: Final = frozenset({Dimension.CALLER, Dimension.TOOL, Dimension.TARGET, Dimension.ADDRESS})
"""The dimensions that have a value for a caller without a credential."""

HOLDS_MONEY: Final = UNMINTABLE | {Dimension.TOOL}
"""A budget that counts by nothing else cannot be multiplied by a caller: there are as many tools as the policy names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the file names, whether or not it could be read; None where the whole section could not."""

    tools: frozenset[str] | None
    upstreams: frozenset[str] | None


def covers(limit: Limit, tool: str) -> bool:
    """Whether a limit concerns a tool for some caller."""
    return not limit.tools or parse_tool_patterns(limit.tools).match(tool)


def covered(limit: Limit, tools: Iterable[Tool]) -> list[Tool]:
    """Those of `tools` that a limit concerns for some caller."""
    patterns = parse_tool_patterns(limit.tools or ("*",))
    return [tool for tool in tools if patterns.match(tool.name)]


def holds_money(limit: Limit) -> bool:
    """Whether a limit is a budget that every caller stands under and none can multiply."""
    is_hard = isinstance(limit.rule, Budget) and limit.mode is Mode.ENFORCE
    return is_hard and not limit.agents and HOLDS_MONEY.issuperset(limit.per)


def check_names(policy: Policy, names: Names, problems: Problems) -> None:
    """Report tools, patterns and upstreams that are named but do not exist, and upstreams that nothing uses."""
    for tool in policy.tools.values():
        if names.upstreams is not None and tool.upstream not in names.upstreams:
            what = f"there is no upstream {shown(tool.upstream)}"
            _unknown(("tools", tool.name, "upstream"), what, tool.upstream, names.upstreams, problems)
    if names.tools is None:
        return
    for limit in policy.limits.values():
        _check_limit_names(limit, names.tools, problems)
    used = {tool.upstream for tool in policy.tools.values()}
    for name in policy.upstreams:
        if name not in used:
            problems.warn(("upstreams", name), "no tool uses it")


def _check_limit_names(limit: Limit, tools: frozenset[str], problems: Problems) -> None:
    for index, pattern in enumerate(limit.tools):
        matching = parse_tool_patterns([pattern])
        if not any(matching.match(tool) for tool in tools):
            what = f"no tool is called {shown(pattern)}"
            _unknown(("limits", limit.name, "tools", index), what, pattern, tools, problems)
    if not isinstance(limit.rule, Units):
        return
    for name in limit.rule.weights:
        path: Path = ("limits", limit.name, "weigh", name)
        if name not in tools:
            _unknown(path, f"no tool is called {shown(name)}", name, tools, problems)
        elif not covers(limit, name):
            problems.add(path, "the limit does not concern this tool: add it to `tools`, or leave it out here")


def _unknown(path: Path, what: str, name: str, known: frozenset[str], problems: Problems) -> None:
    problems.add(path, what + (problems.guess(name, known) or ": write one that the policy has"))


def check_money(policy: Policy, problems: Problems) -> None:
    """Report priced tools that no budget holds, and warn of budgets that can never be used."""
    limits, currency = policy.limits, policy.currency
    priced = [tool for tool in policy.tools.values() if tool.price is not None and tool.price.hold_micros > 0]
    held = {tool.name for limit in limits.values() if holds_money(limit) for tool in covered(limit, priced)}
    for tool in priced:
        if tool.name not in held:
            problems.add(("tools", tool.name, "price"), _unheld(tool, limits, currency))
    for limit in limits.values():
        if isinstance(limit.rule, Budget):
            _warn_of_budget(limit, limit.rule, priced, currency, problems)


def _unheld(tool: Tool, limits: Mapping[str, Limit], currency: str) -> str:
    near = [limit for limit in limits.values() if isinstance(limit.rule, Budget) and covers(limit, tool.name)]
    why = "; ".join(_why_not(limit) for limit in near[:3])
    return (
        f"calls cost money and no enforced budget holds their callers{f' ({why})' if why else ''}: "
        f"add a limit such as `org-money: {{budget: 100 {currency}/day, per: org}}`"
    )


def _why_not(limit: Limit) -> str:
    if limit.mode is not Mode.ENFORCE:
        return f"`{limit.name}` does not enforce"
    if limit.agents:
        return f"`{limit.name}` concerns some agents only"
    minted = next(dimension for dimension in limit.per if dimension not in HOLDS_MONEY)
    return f"`{limit.name}` counts per {minted.value}, and callers can have any number of those"


def _warn_of_budget(limit: Limit, rule: Budget, priced: list[Tool], currency: str, problems: Problems) -> None:
    path: Path = ("limits", limit.name)
    concerned = covered(limit, priced)
    if not concerned:
        problems.warn(path, "has no effect: none of the tools that it concerns costs anything")
    for tool in concerned:
        hold_micros = tool.price.hold_micros if tool.price is not None else 0
        if 0 < rule.max_micros < hold_micros and limit.mode is Mode.ENFORCE:
            cost = format_micros(hold_micros, currency)
            problems.warn((*path, "budget"), f"`{tool.name}` can never be called: it holds {cost}, which is more")


def check_callers(policy: Policy, problems: Problems) -> None:
    """Warn where callers or calls have no value for what a limit counts by, and where a promise is not kept yet."""
    for tool in policy.tools.values():
        path: Path = ("tools", tool.name)
        if tool.anonymous and tool.price is not None and tool.price.hold_micros > 0:
            text = "a call that costs money needs a credential, since no budget holds the nameless: leave it out"
            problems.add((*path, "anonymous"), text)
        if tool.risk is Risk.HIGH and tool.anonymous:
            problems.add((*path, "anonymous"), "a high-risk tool needs a credential: leave it out")
        elif tool.risk is Risk.HIGH:
            text = "stronger credentials are not supported yet: until they are, any API key for the tool may call it"
            problems.warn((*path, "risk"), text)
    for limit in policy.limits.values():
        concerned = covered(limit, policy.tools.values())
        _warn_of_nameless(limit, [tool for tool in concerned if tool.anonymous], problems)
        _warn_of_targets(limit, concerned, problems)
        _warn_of_weights(limit, concerned, problems)


def _warn_of_nameless(limit: Limit, tools: list[Tool], problems: Problems) -> None:
    lacking = [dimension.value for dimension in limit.per if dimension not in ANONYMOUS_HAVE]
    if not lacking or limit.agents or limit.mode is Mode.OBSERVE or isinstance(limit.rule, Budget):
        return
    for tool in tools:
        text = f"`{tool.name}` is anonymous, but callers without a credential have no {lacking[0]}: they are refused"
        problems.warn(("limits", limit.name, "per"), text)


def _warn_of_targets(limit: Limit, tools: list[Tool], problems: Problems) -> None:
    if Dimension.TARGET not in limit.per:
        return
    for tool in tools:
        if not tool.target:
            text = f"`{tool.name}` names no `target`: all its calls share one counter"
            problems.warn(("limits", limit.name, "per"), text)


def _warn_of_weights(limit: Limit, tools: list[Tool], problems: Problems) -> None:
    if not isinstance(limit.rule, Units) or limit.mode is not Mode.ENFORCE:
        return
    for tool in tools:
        weight = limit.rule.weights.get(tool.name, 1)
        if 0 < limit.rule.max < weight:
            text = f"`{tool.name}` can never be called: it weighs {weight}, which is more"
            problems.warn(("limits", limit.name, "units"), text)
