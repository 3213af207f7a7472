"""The steps of verification, link by link, in the order of the draft's section 7; the first that fails decides.

The numbers in the comments are those of the draft's algorithm. What is ours and not the draft's comes after its steps for
the same link: `nbf` and `aud` where a contract has them, names, limits, and that this guard is the one that counts them.
A link's claims are looked at only after its signature: until then, all that is used of them is the `iss` by which the
issuer's keys are found.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NoReturn

from remit.contracts import base64url, claims
from remit.contracts.anchors import TrustAnchors, TrustedIssuer
from remit.contracts.bounds import Bounds
from remit.contracts.jws import CRITICAL, UnverifiedJws, check_header
from remit.contracts.keys import PublicKey
from remit.core.attenuate import check_narrower
from remit.core.constraint_reading import Members
from remit.core.constraints import ArgumentMap
from remit.core.contract import Contract
from remit.core.contract_limits import ContractLimits
from remit.core.contract_steps import ContractError, Effort, Step
from remit.core.schedule import SECOND_US
from remit.core.strict_json import JsonValue

TYP: Final = "aat+jwt"
PLAIN_TYP: Final = "JWT"

_UNDERSTOOD: Final = frozenset({CRITICAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a link is verified by. `now_us` None leaves the clock out, `anchors` None whom the operator trusts."""

    bounds: Bounds
    effort: Effort
    now_us: int | None
    anchors: TrustAnchors | None
    plain_jwt: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A link that passed every step: what it says, its holder's key, and the hash that its children name it by."""

    contract: Contract
    key: PublicKey
    hash: str


def check_root_signature(document: UnverifiedJws, anchors: TrustAnchors) -> TrustedIssuer:
    """Steps 3a and 3b: a key of a trusted issuer, used with its own algorithm, signed the root. Returns that issuer.

    Whose keys those are is found by the `iss` that the root says; the signature then proves that it said the truth.
    """
    alg = check_header(document.unverified_header, understood=_UNDERSTOOD)
    iss = document.unverified_claims.get("iss")
    issuer = anchors.issuer(iss) if isinstance(iss, str) else None
    if issuer is None:
        _refuse(Step.ISSUER_UNKNOWN, "its `iss` is none of the issuers that the policy trusts")
    _check_type(document, plain_jwt=issuer.plain_jwt)
    candidates = issuer.keys.candidates(_kid(document))
    if not candidates:
        _refuse(Step.KEY_UNKNOWN, "its `kid` is not one of the issuer's keys")
    fitting = [key for key in candidates if key.alg is alg]
    if not fitting:
        _refuse(Step.ALGORITHM_REFUSED, "its `alg` is not that of the issuer's key")
    if not any(key.verifies(document.signature, document.signing_input) for key in fitting):
        _refuse(Step.SIGNATURE_INVALID, "its signature is not the issuer's")
    return issuer


def check_child_signature(document: UnverifiedJws, parent: PublicKey, *, plain_jwt: bool) -> None:
    """Steps 4a and 4b: the parent's holder signed the child. A `kid` says nothing here: there is one key."""
    alg = check_header(document.unverified_header, understood=_UNDERSTOOD)
    _check_type(document, plain_jwt=plain_jwt)
    _kid(document)
    if alg is not parent.alg:
        _refuse(Step.ALGORITHM_REFUSED, "its `alg` is not that of its parent's `cnf` key")
    if not parent.verifies(document.signature, document.signing_input):
        _refuse(Step.SIGNATURE_INVALID, "its signature is not that of its parent's holder")


def read_root(document: UnverifiedJws, conditions: Conditions) -> Link:
    """Steps 3c to 3n, then ours. The signature has been checked, or is left out on purpose."""
    said = document.unverified_claims
    depth = claims.read_whole(said, "del_depth", Step.DEPTH_INVALID)  # 3c
    if depth != 0:
        _refuse(Step.DEPTH_INVALID, "its `del_depth` must be 0: the chain does not begin with its root")
    if "par_hash" in said:  # 3d
        _refuse(Step.PAR_HASH_MISMATCH, "a root has no `par_hash`")
    expires_s = _expiry(said, conditions)  # 3e
    issued_s = _issue(said, conditions)  # 3f
    if expires_s <= issued_s:  # 3g
        _refuse(Step.TIMES_INVALID, "its `exp` is not after its `iat`")
    if expires_s - issued_s > conditions.bounds.max_lifetime_s:  # 3h
        _refuse(Step.TIMES_INVALID, f"it lives longer than {conditions.bounds.max_lifetime_s} seconds")
    max_depth = claims.read_whole(said, "del_max_depth", Step.DEPTH_INVALID)  # 3i
    if max_depth > conditions.bounds.max_depth:
        _refuse(Step.DEPTH_INVALID, f"its `del_max_depth` is above {conditions.bounds.max_depth}")
    jti = claims.read_jti(said)  # 3j
    iss = claims.read_root_iss(said)  # 3k
    key = claims.read_holder(said)  # 3l
    details = claims.read_details(said)  # 3m
    tools = claims.read_capability(details, is_required=True)  # 3m, 3n
    not_before_s, limits = _ours(said, details, tools, conditions, is_root=True)
    contract = Contract(
        jti=jti,
        iss=iss,
        issued_s=issued_s,
        expires_s=expires_s,
        not_before_s=not_before_s,
        holder=key.holder,
        depth=0,
        max_depth=max_depth,
        tools=tools,
        agent=claims.our_claim(said, "remit_agent"),
        org=claims.our_claim(said, "remit_org"),
        user=claims.our_claim(said, "remit_user"),
        account=claims.our_claim(said, "remit_account"),
        limits=limits,
    )
    return Link(contract, key, _hash(document))


def read_child(document: UnverifiedJws, parent: Link, conditions: Conditions) -> Link:
    """Steps 4b1 to 4q, then ours. The signature has been checked."""
    said = document.unverified_claims
    jti = claims.read_jti(said)  # 4b1
    key = claims.read_holder(said)  # 4b2
    if not isinstance(said.get("authorization_details"), list):  # 4b3
        _refuse(Step.CAPABILITY_MALFORMED, "its `authorization_details` must be an array")
    depth = claims.read_whole(said, "del_depth", Step.DEPTH_INVALID)  # 4b4
    max_depth = claims.read_whole(said, "del_max_depth", Step.DEPTH_INVALID)
    claims.check_present(said, "iss", "iat", "exp", "par_hash")  # 4b5
    if said["iss"] != parent.key.thumbprint_uri:  # 4c
        _refuse(Step.ISSUER_MISMATCH, "its `iss` is not the thumbprint of its parent's holder")
    _check_depths(depth, max_depth, parent.contract, conditions)  # 4d to 4g
    issued_s, expires_s = _child_times(said, parent.contract, conditions)  # 4h to 4l
    if depth > max_depth:  # 4m
        _refuse(Step.DEPTH_INVALID, "its `del_depth` is above its own `del_max_depth`")
    details = claims.read_details(said)  # 4n
    tools = claims.read_capability(details, is_required=False)  # 4o
    check_narrower(child=tools or {}, parent=parent.contract.tools or {}, effort=conditions.effort)  # 4p
    if said["par_hash"] != parent.hash:  # 4q
        _refuse(Step.PAR_HASH_MISMATCH, "its `par_hash` is not the hash of its parent")
    not_before_s, limits = _ours(said, details, tools, conditions, is_root=False)
    contract = Contract(
        jti=jti,
        iss=parent.key.thumbprint_uri,
        issued_s=issued_s,
        expires_s=expires_s,
        not_before_s=not_before_s,
        holder=key.holder,
        depth=depth,
        max_depth=max_depth,
        tools=tools,
        parent_hash=parent.hash,
        agent=claims.our_claim(said, "remit_agent"),
        limits=limits,
    )
    return Link(contract, key, _hash(document))


def check_issuer(root: Contract, issuer: TrustedIssuer) -> None:
    """See that a root stays within what the policy lets its issuer say: org, tools, lifetime."""
    if root.org is not None and root.org not in issuer.orgs:
        _refuse(Step.ISSUER_EXCEEDED, f"its issuer `{issuer.name}` may not speak for the org `{root.org}`")
    if any(not issuer.patterns.match(tool) for tool in root.tools or ()):
        _refuse(Step.ISSUER_EXCEEDED, f"it names a tool that its issuer `{issuer.name}` may not give")
    if root.expires_s - root.issued_s > issuer.lifetime_s:
        _refuse(Step.ISSUER_EXCEEDED, f"it lives longer than its issuer `{issuer.name}` may let it")


def _refuse(step: Step, problem: str) -> NoReturn:
    raise ContractError(step, problem)


def _hash(document: UnverifiedJws) -> str:
    """What a child says as `par_hash`: of the signing input, so that it does not depend on the signature's form."""
    return base64url.encode(sha256(document.signing_input).digest())


def _check_type(document: UnverifiedJws, *, plain_jwt: bool) -> None:
    typ = document.unverified_header.get("typ")
    if typ != TYP and not (plain_jwt and typ == PLAIN_TYP):
        _refuse(Step.TYPE_REFUSED, f"its `typ` must be `{TYP}`")


def _kid(document: UnverifiedJws) -> str | None:
    kid: JsonValue = document.unverified_header.get("kid")
    if "kid" in document.unverified_header and not isinstance(kid, str):
        _refuse(Step.HEADER_REFUSED, "its `kid` must be a string")
    return kid if isinstance(kid, str) else None


def _expiry(said: Members, conditions: Conditions) -> int:
    expires_s = claims.read_whole(said, "exp", Step.TIMES_INVALID)
    if conditions.now_us is not None and expires_s * SECOND_US <= conditions.now_us:
        _refuse(Step.EXPIRED, "it has expired")
    return expires_s


def _issue(said: Members, conditions: Conditions) -> int:
    issued_s = claims.read_whole(said, "iat", Step.TIMES_INVALID)
    if conditions.now_us is not None and (issued_s - conditions.bounds.issued_ahead_s) * SECOND_US > conditions.now_us:
        _refuse(Step.TIMES_INVALID, f"its `iat` is more than {conditions.bounds.issued_ahead_s} seconds in the future")
    return issued_s


def _check_depths(depth: int, max_depth: int, parent: Contract, conditions: Conditions) -> None:
    if depth != parent.depth + 1:  # 4d
        _refuse(Step.DEPTH_INVALID, "its `del_depth` must be one more than its parent's")
    if depth > parent.max_depth or depth > conditions.bounds.max_depth:  # 4e, 4f
        _refuse(Step.DEPTH_INVALID, "its parent may not be delegated further")
    if max_depth > parent.max_depth:  # 4g
        _refuse(Step.DEPTH_INVALID, "its `del_max_depth` is above its parent's")


def _child_times(said: Members, parent: Contract, conditions: Conditions) -> tuple[int, int]:
    if claims.read_whole(said, "exp", Step.TIMES_INVALID) > parent.expires_s:  # 4h
        _refuse(Step.TIMES_INVALID, "it would outlive its parent")
    expires_s = _expiry(said, conditions)  # 4i
    if claims.read_whole(said, "iat", Step.TIMES_INVALID) < parent.issued_s:  # 4j
        _refuse(Step.TIMES_INVALID, "its `iat` is before its parent's")
    issued_s = _issue(said, conditions)  # 4k
    if expires_s <= issued_s:  # 4l
        _refuse(Step.TIMES_INVALID, "its `exp` is not after its `iat`")
    return issued_s, expires_s


def _ours(
    said: Members,
    details: claims.Details,
    tools: dict[str, ArgumentMap] | None,
    conditions: Conditions,
    *,
    is_root: bool,
) -> tuple[int, ContractLimits | None]:
    """What the draft does not ask: return from when it is valid (seconds, 0: from the start), and its limits."""
    not_before_s = claims.read_whole(said, "nbf", Step.TIMES_INVALID) if "nbf" in said else 0
    if conditions.now_us is not None and not_before_s * SECOND_US > conditions.now_us:
        _refuse(Step.TIMES_INVALID, "its `nbf` is still to come")
    if conditions.anchors is not None:
        claims.check_audience(said, conditions.anchors.audience)
    claims.check_our_claims(said, is_root=is_root)
    limits = claims.read_our_limits(details, tools or {})
    if limits is not None and limits.ledger is not None:
        _check_ledger(limits.ledger, conditions)
    return not_before_s, limits


def _check_ledger(ledger: str, conditions: Conditions) -> None:
    """Two guards that count apart would grant a limit twice, so it names the one that does."""
    if conditions.anchors is not None and ledger != conditions.anchors.ledger:
        _refuse(Step.LEDGER_MISMATCH, "its limits are counted by another guard than this one")
