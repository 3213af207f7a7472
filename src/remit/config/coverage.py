"""What only shows when tools and limits are seen together: money that nothing holds, names that mean nothing.

A priced tool must stand under an enforced budget that its callers cannot multiply: one that counts per user, org, account
or issuer, or for everybody together. A session or an agent is no such thing, because a caller can have as many as it
likes. Callers cannot make API keys either, but holders of contracts make themselves keys, by delegating to them; so a
budget per key is enough only where no contract can allow the tool, or where each issuer that may give it has a budget of
its own. What is allowed but probably not meant is a warning.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from remit.config.phrases import join_and, quoted
from remit.config.problems import Path, Problems
from remit.core.match import parse_tool_patterns
from remit.core.money import format_micros
from remit.core.policy import UNMINTABLE, Budget, Dimension, IssuerTrust, Limit, Mode, Policy, Tool, Units
from remit.core.reading import shown

HOLDS_KEYS: Final = UNMINTABLE | {Dimension.TOOL}
"""A budget that counts by nothing else cannot be multiplied by who has an API key: a policy names its tools."""

HOLDS_ALL: Final = HOLDS_KEYS - {Dimension.KEY}
"""A budget that counts by nothing else cannot be multiplied by anybody, whatever the credential."""


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


def is_priced(tool: Tool) -> bool:
    """Whether budgets concern a tool."""
    return tool.price is not None and tool.price.hold_micros > 0


def givers(policy: Policy, tools: Iterable[Tool]) -> dict[str, list[IssuerTrust]]:
    """For each of `tools`, the issuers whose contracts may allow it."""
    patterns = [(issuer, parse_tool_patterns(issuer.tools)) for issuer in policy.trust.values()]
    return {tool.name: [issuer for issuer, given in patterns if given.match(tool.name)] for tool in tools}


def holds_money(limit: Limit, dimensions: frozenset[Dimension]) -> bool:
    """Whether a limit is a budget that everybody stands under, and that nobody can multiply who can make no `dimensions`."""
    is_hard = isinstance(limit.rule, Budget) and limit.mode is Mode.ENFORCE
    return is_hard and not limit.agents and dimensions.issuperset(limit.per)


def check_names(policy: Policy, names: Names, problems: Problems) -> None:
    """Report tools, patterns and upstreams that are named but do not exist, and upstreams that nothing uses."""
    for tool in policy.tools.values():
        if names.upstreams is not None and tool.upstream not in names.upstreams:
            what = f"there is no upstream {shown(tool.upstream)}"
            _unknown(("tools", tool.name, "upstream"), what, tool.upstream, names.upstreams, problems)
    if names.tools is None:
        return
    meant = _meant(names.tools)
    for limit in policy.limits.values():
        _check_patterns(("limits", limit.name, "tools"), limit.tools, names.tools, meant, problems)
        _check_weighed(limit, names.tools, problems)
    for issuer in policy.trust.values():
        _check_patterns(("trust", "issuers", issuer.name, "tools"), issuer.tools, names.tools, meant, problems)
    used = {tool.upstream for tool in policy.tools.values()}
    for name in policy.upstreams:
        if name not in used:
            problems.warn(("upstreams", name), "no tool uses it")


def _meant(tools: Iterable[str]) -> frozenset[str]:
    """Every pattern that some tool matches."""
    prefixes = {f"{tool[: at + 1]}*" for tool in tools for at, char in enumerate(tool) if char == "."}
    return frozenset({"*", *prefixes, *tools})


def _check_patterns(
    path: Path, patterns: Iterable[str], tools: frozenset[str], meant: frozenset[str], problems: Problems
) -> None:
    for index, pattern in enumerate(patterns):
        if pattern not in meant:
            _unknown((*path, index), f"no tool is called {shown(pattern)}", pattern, tools, problems)


def _check_weighed(limit: Limit, tools: frozenset[str], problems: Problems) -> None:
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
    priced = [tool for tool in policy.tools.values() if is_priced(tool)]
    held = _held(limits, priced, HOLDS_ALL)
    held_keys = _held(limits, priced, HOLDS_KEYS)
    giving = givers(policy, priced)
    for tool in priced:
        unbounded = [issuer.name for issuer in giving[tool.name] if issuer.budget is None]
        if tool.name not in held and (unbounded or tool.name not in held_keys):
            problems.add(("tools", tool.name, "price"), _unheld(tool, limits, currency, unbounded))
    for limit in limits.values():
        if isinstance(limit.rule, Budget):
            _warn_of_budget(limit, limit.rule, priced, currency, problems)


def _held(limits: Mapping[str, Limit], priced: list[Tool], dimensions: frozenset[Dimension]) -> set[str]:
    holding = [limit for limit in limits.values() if holds_money(limit, dimensions)]
    return {tool.name for limit in holding for tool in covered(limit, priced)}


def _unheld(tool: Tool, limits: Mapping[str, Limit], currency: str, unbounded: list[str]) -> str:
    near = [limit for limit in limits.values() if isinstance(limit.rule, Budget) and covers(limit, tool.name)]
    why = "; ".join(_why_not(limit, unbounded) for limit in near[:3])
    return (
        f"calls cost money and no enforced budget holds their callers{f' ({why})' if why else ''}: "
        f"add a limit such as `org-money: {{budget: 100 {currency}/day, per: org}}`"
    )


def _why_not(limit: Limit, unbounded: list[str]) -> str:
    if limit.mode is not Mode.ENFORCE:
        return f"`{limit.name}` does not enforce"
    if limit.agents:
        return f"`{limit.name}` concerns some agents only"
    minted = next((dimension for dimension in limit.per if dimension not in HOLDS_KEYS), None)
    if minted is not None:
        return f"`{limit.name}` counts per {minted.value}, and callers can have any number of those"
    issuers = f"{'issuer' if len(unbounded) == 1 else 'issuers'} {join_and(quoted(unbounded[:3]))}"
    return (
        f"`{limit.name}` counts per key, and holders of contracts can have any number of those, by delegating, which no "
        f"`budget` of the {issuers} bounds"
    )


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


def check_weights(policy: Policy, problems: Problems) -> None:
    """Warn of limits that count what calls do not have, and of calls that can never fit."""
    for limit in policy.limits.values():
        concerned = covered(limit, policy.tools.values())
        _warn_of_targets(limit, concerned, problems)
        _warn_of_weights(limit, concerned, problems)


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
