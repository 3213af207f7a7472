"""What a contract claims, read once its signature is known to be good: each claim by itself.

Every function takes the claims of one contract and raises `ContractError` at the step that its failure is. They are small
and without order, so that `links` reads as the list of steps of the draft. Claims that are not known are ignored, as the
draft asks, except for two kinds: `nbf` and `aud`, by which whoever wrote them meant a restriction (RFC 7519 section 4.1),
and whatever begins with `remit_`, where a typing error would mean "unlimited".
"""

from dataclasses import dataclass
from typing import Final

from remit.contracts.anchors import is_uri
from remit.contracts.documents import is_jti
from remit.contracts.keys import PublicKey, read_public_jwk
from remit.core.constraint_reading import CAPABILITY_TYPE, Members, read_tools
from remit.core.constraints import ArgumentMap
from remit.core.contract_limit_reading import LIMITS_TYPE, read_limits
from remit.core.contract_limits import ContractLimits
from remit.core.contract_steps import ContractError, Step
from remit.core.match import is_identifier
from remit.core.reading import shown
from remit.core.strict_json import JsonValue
from remit.errors import UsageError

OUR_PREFIX: Final = "remit_"
IN_ANY_LINK: Final = ("remit_agent",)
IN_ROOTS_ONLY: Final = ("remit_org", "remit_user", "remit_account")


@dataclass(frozen=True, slots=True)
class Details:
    """The entries of `authorization_details` that mean something here: the capability, and those with our prefix."""

    capability: Members | None
    ours: tuple[Members, ...]


def read_whole(claims: Members, name: str, step: Step) -> int:
    """A whole number from 0 on, written as a JSON integer."""
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ContractError(step, f"its `{name}` must be a whole number from 0 on")
    return value


def read_jti(claims: Members) -> str:
    """The id of the contract."""
    jti = claims.get("jti")
    if not isinstance(jti, str) or not is_jti(jti):
        raise ContractError(
            Step.CLAIM_INVALID, "its `jti` must be 1 to 256 printable ASCII characters, in lower case if it is a UUID"
        )
    return jti


def read_root_iss(claims: Members) -> str:
    """Who signed a root: a URI."""
    iss = claims.get("iss")
    if not isinstance(iss, str) or not is_uri(iss):
        raise ContractError(Step.CLAIM_INVALID, "its `iss` must be a URI")
    return iss


def check_present(claims: Members, *names: str) -> None:
    """See that claims are there at all."""
    for name in names:
        if name not in claims:
            raise ContractError(Step.CLAIM_INVALID, f"it has no `{name}`")


def read_holder(claims: Members) -> PublicKey:
    """The key of the holder: `cnf` with a public `jwk`, and no other way to confirm who it is (RFC 7800)."""
    confirmation = claims.get("cnf")
    if not isinstance(confirmation, dict) or confirmation.keys() != {"jwk"}:
        raise ContractError(Step.HOLDER_KEY_INVALID, "its `cnf` must hold a `jwk`, and nothing else")
    try:
        return read_public_jwk(confirmation["jwk"])
    except UsageError as error:
        raise ContractError(Step.HOLDER_KEY_INVALID, str(error)) from None


def read_details(claims: Members) -> Details:
    """The entries of `authorization_details`; those of types that are nobody's here are ignored."""
    entries = claims.get("authorization_details")
    if not isinstance(entries, list):
        raise ContractError(Step.CAPABILITY_MALFORMED, "its `authorization_details` must be an array")
    capabilities: list[Members] = []
    ours: list[Members] = []
    for entry in entries:
        kind = entry.get("type") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(kind, str):
            raise ContractError(Step.CAPABILITY_MALFORMED, "each of its `authorization_details` must have a `type`")
        if kind == CAPABILITY_TYPE:
            capabilities.append(entry)
        elif kind.lower().startswith(OUR_PREFIX):
            ours.append(entry)
    if len(capabilities) > 1:
        raise ContractError(Step.CAPABILITY_MALFORMED, f"it has more than one entry `{CAPABILITY_TYPE}`")
    return Details(capabilities[0] if capabilities else None, tuple(ours))


def read_capability(details: Details, *, is_required: bool) -> dict[str, ArgumentMap] | None:
    """The tools of a link. None for a link without a capability, which only a link between root and leaf may be."""
    if details.capability is not None:
        return read_tools(details.capability)
    if is_required:
        raise ContractError(Step.CAPABILITY_MALFORMED, f"it has no entry `{CAPABILITY_TYPE}`")
    return None


def read_our_limits(details: Details, tools: dict[str, ArgumentMap]) -> ContractLimits | None:
    """The limits and hours of a link with these tools; None if it has none of its own."""
    for entry in details.ours:
        if entry["type"] != LIMITS_TYPE:
            raise ContractError(Step.LIMITS_MALFORMED, f"the entry {shown(str(entry['type']))} is not known here")
    if len(details.ours) > 1:
        raise ContractError(Step.LIMITS_MALFORMED, f"it has more than one entry `{LIMITS_TYPE}`")
    return read_limits(details.ours[0], tools) if details.ours else None


def check_our_claims(claims: Members, *, is_root: bool) -> None:
    """See that every claim with our prefix is known, is a name, and stands where it may."""
    for name in claims:
        if not name.startswith(OUR_PREFIX):
            continue
        if name in IN_ROOTS_ONLY and not is_root:
            raise ContractError(Step.CLAIM_INVALID, f"`{name}` may stand in a root only")
        if name not in IN_ROOTS_ONLY and name not in IN_ANY_LINK:
            raise ContractError(Step.CLAIM_INVALID, f"the claim {shown(name)} is not known here")
        value = claims[name]
        if not isinstance(value, str) or not is_identifier(value):
            raise ContractError(Step.CLAIM_INVALID, f"its `{name}` must be up to 128 of `A-Z a-z 0-9 . _ @ + -`")


def our_claim(claims: Members, name: str) -> str | None:
    """A claim that `check_our_claims` has judged."""
    value = claims.get(name)
    return value if isinstance(value, str) else None


def check_audience(claims: Members, audience: str) -> None:
    """See that a contract which says for whom it is (RFC 7519 section 4.1.3) is for this guard and for nobody else."""
    if "aud" not in claims:
        return
    named: JsonValue = claims["aud"]
    if isinstance(named, list) and len(named) == 1:
        named = named[0]
    if not audience or named != audience:
        raise ContractError(Step.AUDIENCE_MISMATCH, "its `aud` does not name this guard, and this guard alone")
