"""How one trusted issuer differs from another of the same name: field by field, looser or stricter.

Roots are judged anew at every verification, so what becomes stricter refuses contracts that were signed before it did. An
issuer is known to the ledger by its `iss`: under another one, everything that its contracts count starts at zero.
"""

from collections.abc import Iterator

from remit.config.limit_changes import Effect, order_effect, set_effect
from remit.config.phrases import join_and, quoted
from remit.core.match import parse_tool_patterns
from remit.core.policy import IssuerTrust, Policy
from remit.core.sentences import describe_duration


def explain_added_issuer(issuer: IssuerTrust) -> str:
    """A sentence for an issuer that is new."""
    lifetime = describe_duration(issuer.lifetime_us)
    return f"issuer `{issuer.name}` is added: its contracts may allow {_names(issuer.tools)}, for at most {lifetime}; looser."


def explain_removed_issuer(issuer: IssuerTrust) -> str:
    """A sentence for an issuer that is gone."""
    return f"issuer `{issuer.name}` is removed: contracts of `{issuer.iss}` are refused; stricter."


def explain_changed_issuer(before: IssuerTrust, after: IssuerTrust, old: Policy, new: Policy) -> Iterator[str]:
    """A sentence for each field of an issuer that both policies have."""
    what = f"issuer `{after.name}`: its"
    if before.iss != after.iss:
        yield (
            f"{what} `iss` changes from `{before.iss}` to `{after.iss}`: contracts of the former are refused, and what those "
            "of the latter count starts at zero."
        )
    if before.jwks_file != after.jwks_file:
        yield f"{what} `jwks_file` changes from `{before.jwks_file}` to `{after.jwks_file}`."
    if before.tools != after.tools:
        effect = set_effect(
            *(_covered(issuer, {*old.tools, *new.tools}) for issuer in (before, after)), more=Effect.LOOSER
        )
        yield f"{what} `tools` change from {_names(before.tools)} to {_names(after.tools)}; {effect.value}."
    if before.orgs != after.orgs:
        effect = set_effect(before.orgs, after.orgs, more=Effect.LOOSER)
        yield f"{what} `orgs` change from {_names(before.orgs)} to {_names(after.orgs)}; {effect.value}."
    if before.lifetime_us != after.lifetime_us:
        words = f"{describe_duration(before.lifetime_us)} to {describe_duration(after.lifetime_us)}"
        yield f"{what} `lifetime` changes from {words}; {order_effect(before.lifetime_us, after.lifetime_us).value}."
    if before.budget != after.budget:
        yield f"{what} `budget` changes from {before.budget or 'none'} to {after.budget or 'none'}; {_budget(before, after)}."
    if before.plain_jwt != after.plain_jwt:
        yield f"{what} `plain_jwt` changes to `{str(after.plain_jwt).lower()}`; {'looser' if after.plain_jwt else 'stricter'}."


def _budget(before: IssuerTrust, after: IssuerTrust) -> str:
    """The effect, and what becomes of the counters: they are kept as long as a budget in one currency is counted."""
    if after.budget is None:
        return Effect.LOOSER.value
    if before.budget is None:
        return f"{Effect.STRICTER.value}; its counters start at zero"
    if before.budget.currency != after.budget.currency:
        return "its counters start at zero"
    return f"{order_effect(before.budget.micros, after.budget.micros).value}; its counters are kept"


def _covered(issuer: IssuerTrust, tools: set[str]) -> set[str]:
    patterns = parse_tool_patterns(issuer.tools)
    return {tool for tool in tools if patterns.match(tool)}


def _names(names: tuple[str, ...]) -> str:
    return join_and(quoted(names)) or "none"
