"""Which credential has a value for which dimension, and what follows: whom a limit refuses, and whom it cannot hold.

A caller without a value for what a limit counts by is refused, so a limit that counts by what only some credentials have
shuts the others out. A holder of a contract can delegate to keys that it makes itself, so whatever names the last holder
of a chain alone (`actor`, `caller`, `key`) it can have any number of; `agent` is every holder of the chain and cannot be
had anew. What is allowed but probably not meant is a warning.
"""

from collections.abc import Mapping
from typing import Final

from remit.config.coverage import covered, givers, is_priced
from remit.config.problems import Path, Problems
from remit.config.trust import ISSUERS
from remit.core.caller import CredentialKind
from remit.core.match import parse_tool_patterns
from remit.core.policy import Budget, Dimension, IssuerTrust, Limit, Mode, Policy, Risk, Tool

MAY_HAVE: Final[Mapping[CredentialKind, frozenset[Dimension]]] = {
    CredentialKind.CONTRACT: frozenset(Dimension),
    CredentialKind.API_KEY: frozenset(Dimension) - {Dimension.ISSUER, Dimension.CONTRACT},
    CredentialKind.NONE: frozenset({Dimension.CALLER, Dimension.TOOL, Dimension.TARGET, Dimension.ADDRESS}),
}
"""The dimensions that a credential can have a value for; `user`, `org` and `session` only if it names one."""

CONTRACTS_ONLY: Final = MAY_HAVE[CredentialKind.CONTRACT] - MAY_HAVE[CredentialKind.API_KEY]
"""What an API key never has."""

MINTED_BY_DELEGATING: Final = frozenset({Dimension.ACTOR, Dimension.CALLER, Dimension.KEY})
"""What names the last holder of a chain alone."""


def check_credentials(policy: Policy, problems: Problems) -> None:
    """Report what no credential can fulfil, and warn of callers whom a limit refuses, or who can escape it."""
    for tool in policy.tools.values():
        _check_anonymous(tool, problems)
    _warn_of_risks(policy, problems)
    given = parse_tool_patterns(pattern for issuer in policy.trust.values() for pattern in issuer.tools)
    for limit in policy.limits.values():
        concerned = covered(limit, policy.tools.values())
        _check_dimensions(limit, policy, problems)
        _warn_of_nameless(limit, [tool for tool in concerned if tool.anonymous], problems)
        _warn_of_keys(limit, problems)
        if policy.trust:
            _warn_of_labels(limit, problems)
        if Dimension.ACTOR in limit.per and any(given.match(tool.name) for tool in concerned):
            text = "holders of contracts can have any number of actors, by delegating: count per agent, which is all holders"
            problems.warn(("limits", limit.name, "per"), text)
    for issuer in policy.trust.values():
        _warn_of_orgs(issuer, policy, problems)


def _check_anonymous(tool: Tool, problems: Problems) -> None:
    path: Path = ("tools", tool.name, "anonymous")
    if tool.anonymous and is_priced(tool):
        problems.add(
            path, "a call that costs money needs a credential, since no budget holds the nameless: leave it out"
        )
    if tool.anonymous and tool.risk is Risk.HIGH:
        problems.add(path, "a high-risk tool needs a credential: leave it out")


def _warn_of_risks(policy: Policy, problems: Problems) -> None:
    risky = [tool for tool in policy.tools.values() if tool.risk is Risk.HIGH]
    giving = givers(policy, risky)
    for tool in risky:
        if not giving[tool.name]:
            why = "no issuer may give it" if policy.trust else "there is no `trust`"
            text = (
                f"no contract can allow it ({why}), so it can only be called with an API key that is bound to a key of its "
                "holder: make one, or nobody may call it"
            )
            problems.warn(("tools", tool.name, "risk"), text)


def _check_dimensions(limit: Limit, policy: Policy, problems: Problems) -> None:
    lacking = [dimension.value for dimension in limit.per if dimension in CONTRACTS_ONLY]
    if lacking and not policy.trust and not problems.is_broken("trust"):
        text = (
            f"only contracts have a value for `{lacking[0]}`, and none are accepted: add `trust`, or count by another"
        )
        problems.add(("limits", limit.name, "per"), text)


def _warn_of_nameless(limit: Limit, tools: list[Tool], problems: Problems) -> None:
    lacking = [each.value for each in limit.per if each not in MAY_HAVE[CredentialKind.NONE]]
    if not lacking or limit.agents or limit.mode is Mode.OBSERVE or isinstance(limit.rule, Budget):
        return
    for tool in tools:
        text = f"`{tool.name}` is anonymous, but callers without a credential have no {lacking[0]}: they are refused"
        problems.warn(("limits", limit.name, "per"), text)


def _warn_of_keys(limit: Limit, problems: Problems) -> None:
    lacking = [dimension.value for dimension in limit.per if dimension in CONTRACTS_ONLY]
    if lacking and not limit.agents and limit.mode is not Mode.OBSERVE:
        problems.warn(("limits", limit.name, "per"), f"callers with an API key have no {lacking[0]}: they are refused")


def _warn_of_labels(limit: Limit, problems: Problems) -> None:
    for index, agent in enumerate(limit.agents):
        if agent.startswith("agent:"):
            text = (
                "concerns API keys only, since what a contract calls its agent is a label: name a holder of contracts by "
                "`key:` and its thumbprint"
            )
            problems.warn(("limits", limit.name, "agents", index), text)


def _warn_of_orgs(issuer: IssuerTrust, policy: Policy, problems: Problems) -> None:
    """The roots of an issuer that may name no org have no value for what counts per org."""
    given = parse_tool_patterns(issuer.tools)
    tools = [tool for tool in policy.tools.values() if given.match(tool.name)]
    refusing = [limit.name for limit in policy.limits.values() if _counts_orgs(limit) and _concerned(limit, tools)]
    if refusing and not issuer.orgs:
        text = f"it may name no org, and `{refusing[0]}` counts per org, which refuses its contracts: add `orgs`"
        problems.warn((*ISSUERS, issuer.name), text)


def _counts_orgs(limit: Limit) -> bool:
    return Dimension.ORG in limit.per and not limit.agents and limit.mode is not Mode.OBSERVE


def _concerned(limit: Limit, tools: list[Tool]) -> list[Tool]:
    return [tool for tool in covered(limit, tools) if is_priced(tool) or not isinstance(limit.rule, Budget)]
