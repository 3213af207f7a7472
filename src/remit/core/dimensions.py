"""By whom and what a limit counts: the values that a call has for each dimension, and whether a limit concerns it at all."""

from remit.core.caller import Caller, CredentialKind
from remit.core.contract import Chain
from remit.core.match import parse_tool_patterns
from remit.core.policy import Dimension, Limit, Tool


def concerns(limit: Limit, caller: Caller, tool: Tool) -> bool:
    """Whether `limit` applies to this caller's calls of this tool."""
    if limit.tools and not parse_tool_patterns(limit.tools).match(tool.name):
        return False
    if not limit.agents:
        return True
    if caller.chain is not None:  # any holder above the caller; the names in contracts are labels and decide nothing
        return any(f"key:{holder}" in limit.agents for holder in caller.chain.holders)
    return f"key:{caller.id}" in limit.agents or (caller.agent is not None and f"agent:{caller.agent}" in limit.agents)


def dimension_values(dimension: Dimension, caller: Caller, tool: Tool, target: str) -> tuple[str, ...]:
    """The values of `dimension` for this call, none if it has none. Only verified identity is looked at.

    A contract chain has an agent for each of its holders, so that a call is charged to every one of them.
    """
    match dimension:
        case Dimension.TOOL:
            return (tool.name,)
        case Dimension.TARGET:
            return (target,)
        case Dimension.ADDRESS:
            return (caller.address,)
        case Dimension.CALLER:
            return (caller.id,)
        case Dimension.SESSION if caller.session is not None:
            return (caller.session.id,)
        case Dimension.USER:
            return _one(caller.user)
        case Dimension.ORG:
            return _one(caller.org)
        case _ if caller.chain is not None:
            return _chain_values(dimension, caller.chain)
        case Dimension.AGENT | Dimension.ACTOR:
            return _one(caller.agent)
        case Dimension.ACCOUNT | Dimension.KEY:
            return () if caller.kind is CredentialKind.NONE else (caller.id,)
        case _:
            return ()


def _one(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def _chain_values(dimension: Dimension, chain: Chain) -> tuple[str, ...]:
    match dimension:
        case Dimension.AGENT:
            return chain.holders
        case Dimension.ACTOR | Dimension.KEY:
            return (chain.leaf.holder.thumbprint,)
        case Dimension.ACCOUNT:
            return (chain.root.account or chain.lineages[0],)
        case Dimension.ISSUER:
            return (chain.root.iss,)
        case Dimension.CONTRACT:
            return chain.lineages
        case Dimension.SESSION:
            return (chain.lineages[0],)
        case _:
            return ()
