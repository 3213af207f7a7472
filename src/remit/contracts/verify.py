"""Verification of a chain: from its text to what it says, or to the step and the link at which it is refused.

    verified = verify_chain(text, anchors, now_us=now_us)
    verified.chain.leaf.refusal("payments.transfer", {"amount": 5})      # None: allowed

A pure function of the text, the anchors and the time: nothing is fetched, looked up or remembered. *Verified* means
genuine: every link was signed by who had to, and none is wider than the one before. It does not mean that the caller
holds the leaf (`dpop`, `tool_proof`), that a call is allowed (`Contract.refusal`), or that nothing was revoked or used up,
which the ledger knows.

Order and steps are those of section 7 of draft-niyikiza-oauth-attenuating-agent-tokens-01 with ours among them; the list
is `core.contract_steps.Step`. The cost is bounded by the size: by `Effort` for comparing constraints, and by one signature
for each link (for a root that names no `kid`, one for each key of its issuer, at most eight).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from remit.contracts import base64url
from remit.contracts.anchors import TrustAnchors, TrustedIssuer
from remit.contracts.bounds import BY_REFERENCE, IN_HEADERS, Bounds
from remit.contracts.documents import split_chain
from remit.contracts.jws import UnverifiedJws
from remit.contracts.keys import PublicKey
from remit.contracts.links import (
    Conditions,
    Link,
    check_child_signature,
    check_issuer,
    check_root_signature,
    read_child,
    read_root,
)
from remit.core.contract import Chain
from remit.core.contract_steps import ContractError, Effort, Step
from remit.core.schedule import SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedChain:
    """A chain that passed, and what proofs of possession are checked against.

    `ath` is the hash of the chain's whole text that a DPoP proof must name, `leaf_key` what a proof must be signed by.
    The verdict holds from `not_before_us` until `expires_us` (exclusive), as long as the anchors stay what they are.
    """

    chain: Chain
    ath: str
    leaf_key: PublicKey
    not_before_us: int
    expires_us: int
    plain_jwt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedChain:
    """A chain as it describes itself: sound in itself, but nobody has said that its root is to be trusted."""

    unverified: Chain
    leaf_key: PublicKey
    documents: tuple[UnverifiedJws, ...]


def verify_chain(chain: str, anchors: TrustAnchors, *, now_us: int, bounds: Bounds = IN_HEADERS) -> VerifiedChain:
    """Verify the contracts joined by `~` in `chain`. Raises `ContractError` naming the first step that fails."""
    documents = split_chain(chain, bounds)
    issuer = _trusted(documents[0], anchors)
    conditions = Conditions(
        bounds=bounds,
        effort=Effort(bounds.comparisons(len(chain))),
        now_us=now_us,
        anchors=anchors,
        plain_jwt=issuer.plain_jwt,
    )
    links = _read_links(documents, conditions, issuer)
    contracts = tuple(link.contract for link in links)
    starts_s = max(max(link.issued_s - bounds.issued_ahead_s, link.not_before_s) for link in contracts)
    verified = Chain(links=contracts, issuer=issuer.name, budget=issuer.budget)
    return VerifiedChain(
        chain=verified,
        ath=credential_hash(chain),
        leaf_key=links[-1].key,
        not_before_us=starts_s * SECOND_US,
        expires_us=verified.expires_us,
        plain_jwt=issuer.plain_jwt,
    )


def read_unverified_chain(chain: str, *, now_us: int | None = None) -> UnverifiedChain:
    """Read what a chain says of itself, for people and for holders who have no anchors.

    Every step but the trust in the root is taken, those of the clock only if `now_us` is given. Raises `ContractError`.
    """
    documents = split_chain(chain, BY_REFERENCE)
    effort = Effort(BY_REFERENCE.comparisons(len(chain)))
    conditions = Conditions(bounds=BY_REFERENCE, effort=effort, now_us=now_us, anchors=None, plain_jwt=True)
    links = _read_links(documents, conditions, None)
    unverified = Chain(links=tuple(link.contract for link in links), issuer="")
    return UnverifiedChain(unverified=unverified, leaf_key=links[-1].key, documents=tuple(documents))


def credential_hash(credential: str) -> str:
    """What a DPoP proof says as `ath`: base64url of the SHA-256 of the whole credential (RFC 9449 section 4.2)."""
    return base64url.encode(sha256(credential.encode()).digest())


def _trusted(root: UnverifiedJws, anchors: TrustAnchors) -> TrustedIssuer:
    try:
        return check_root_signature(root, anchors)
    except ContractError as error:
        raise error.at(0) from None


def _read_links(documents: Sequence[UnverifiedJws], conditions: Conditions, issuer: TrustedIssuer | None) -> list[Link]:
    links: list[Link] = []
    for place, document in enumerate(documents):
        try:
            links.append(_read_link(document, links, conditions, issuer))
        except ContractError as error:
            raise error.at(place) from None
    leaf = links[-1].contract
    if len(links) != leaf.depth + 1:  # step 5; steps 3c and 4d imply it
        raise ContractError(Step.DEPTH_INVALID, "its length is not what its leaf says")
    if leaf.tools is None:  # step 6a
        raise ContractError(Step.CAPABILITY_MALFORMED, "the leaf of a chain must have a capability", link=leaf.depth)
    return links


def _read_link(
    document: UnverifiedJws, above: Sequence[Link], conditions: Conditions, issuer: TrustedIssuer | None
) -> Link:
    if above:
        check_child_signature(document, above[-1].key, plain_jwt=conditions.plain_jwt)
        return read_child(document, above[-1], conditions)
    root = read_root(document, conditions)
    if issuer is not None:
        check_issuer(root.contract, issuer)
    return root
