"""What a policy says of credentials, in sentences: whose contracts are accepted, what they may allow, how proofs must be.

An operator who reads them aloud says what each issuer could do at worst.
"""

from collections.abc import Iterator

from remit.config.credentials import MINTED_BY_DELEGATING
from remit.config.phrases import join_and, join_or, quoted
from remit.core.policy import Dimension, IssuerTrust, Limit, Policy
from remit.core.sentences import describe_duration


def explain_credentials(policy: Policy) -> Iterator[list[str]]:
    """A list of sentences for API keys, one for each issuer, one for the limits of contracts, one for proofs."""
    yield ["API keys: each for the tools that it was made for."]
    if not policy.trust:
        yield ["Contracts: none are accepted, because the policy trusts no issuer."]
    for issuer in policy.trust.values():
        yield explain_issuer(issuer)
    if policy.trust:
        yield [_ledger(policy.ledger)]
    yield _proofs(policy)


def explain_issuer(issuer: IssuerTrust) -> list[str]:
    """One issuer in sentences: who it is, what its contracts may allow, for how long, for whom and for how much."""
    tools = "every tool" if "*" in issuer.tools else join_and(quoted(issuer.tools))
    orgs = join_or(quoted(issuer.orgs))
    what = f"they may allow {tools}, for at most {describe_duration(issuer.lifetime_us)}"
    sentences = [
        f"Contracts of `{issuer.name}`, which signs as `{issuer.iss}`: {what}.",
        f"They may bill the org {orgs}." if orgs else "They may bill no org.",
    ]
    if issuer.budget is None:
        sentences.append("No budget of its own bounds what is spent under them.")
    else:
        shared = f"Everything under one root, or under the roots of one account, may spend {issuer.budget} in all"
        sentences.append(f"{shared}; how many there are is up to the issuer.")
    if issuer.plain_jwt:
        sentences.append("They may have the type `JWT`, as well as `aat+jwt`.")
    return sentences


def _ledger(ledger: str) -> str:
    if not ledger:
        return "Limits of contracts: not counted here, so contracts that carry any are refused."
    return f"Limits of contracts: counted here where they name `{ledger}`; contracts whose limits name another guard are refused."


def _proofs(policy: Policy) -> list[str]:
    bound = "an API key that is bound to a key of its holder"
    said = (
        f"Proofs: {f'a contract, or {bound},' if policy.trust else bound} is accepted with a proof that was made for this very "
        f"call, at most {describe_duration(policy.proof.window_us)} ago, and each proof once."
    )
    return [said, "It must repeat a nonce that the gateway gave." if policy.proof.nonces else ""]


def explain_risk() -> str:
    """What a high-risk tool asks of its callers."""
    return "It is high-risk: it is called with a contract, or with an API key that is bound to a key of its holder."


def explain_chains(limit: Limit) -> list[str]:
    """How a limit counts the calls under contracts, where that is not what its words say already."""
    sentences = []
    if Dimension.AGENT in limit.per:
        sentences.append("A call under a contract counts for every holder of its chain.")
    if Dimension.CONTRACT in limit.per:
        sentences.append("A call counts for every contract of its chain.")
    if Dimension.SESSION in limit.per:
        sentences.append("All calls under one root are one session, unless they name another.")
    if minted := [f"{each.value}s" for each in limit.per if each in MINTED_BY_DELEGATING]:
        sentences.append(f"Holders of contracts can have any number of {join_and(minted)}, by delegating.")
    return sentences
