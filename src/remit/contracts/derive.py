"""Making contracts: a root by an issuer, and from any contract that may be delegated a narrower one by its holder.

    root = issue_root(issuer_key, iss="https://issuer.example.com", holder=a.public, asking=Asking(tools=...), ...)
    chain = derive(root, a, holder=b.public, asking=Asking(tools=...), ...)

Both work offline and give back the text of the whole chain. Nothing comes out that verification would refuse: what was
made is verified by the same code before it is handed out, and whatever is wrong is said as a `UsageError`. A link's
limits need not be compared with those above it: every link's limits bind, so a child's can only take away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from remit.contracts import base64url
from remit.contracts.anchors import TrustAnchors, TrustedIssuer
from remit.contracts.bounds import BY_REFERENCE
from remit.contracts.canonical import as_json, encode_exactly
from remit.contracts.documents import SEPARATOR
from remit.contracts.ids import new_uuid
from remit.contracts.jws import CRITICAL, UnverifiedJws, sign_jws
from remit.contracts.key_sets import KeySet, NamedKey
from remit.contracts.keys import PrivateKey, PublicKey, RandomBytes, registered
from remit.contracts.links import TYP
from remit.contracts.verify import UnverifiedChain, read_unverified_chain, verify_chain
from remit.core.constraint_reading import CAPABILITY_TYPE, Members
from remit.core.contract import Contract
from remit.core.contract_limit_reading import LIMITS_TYPE
from remit.core.schedule import SECOND_US
from remit.core.strict_json import JsonValue
from remit.errors import CredentialError, UsageError

Tools = Mapping[str, Mapping[str, object]]
"""Tools, their arguments, and the constraint on each, as the draft writes them: `{"pay": {"amount": {"constraint_type": …}}}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What a contract is to allow. `tools` None: in a child, the same as its parent's.

    `limits` and `schedule` are written as in a `remit_limits` entry, `ledger` is the guard that counts them. `agent` is a
    label for people. `max_depth` is the deepest link that may come of it; None: as deep as the parent allows, in a root 0.
    `portable` leaves out the mark by which verifiers that do not know our limits refuse the contract.
    """

    tools: Tools | None = None
    limits: Sequence[Mapping[str, object]] = ()
    schedule: Mapping[str, object] | None = None
    ledger: str | None = None
    agent: str | None = None
    max_depth: int | None = None
    portable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Billing:
    """Who is billed, in a root only; `account` keys its counters, so that they go on when it is issued again."""

    org: str | None = None
    user: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs roots: the URI it calls itself by, its key, and the `kid` of that key (empty: its thumbprint)."""

    iss: str
    key: PrivateKey = field(repr=False)
    kid: str = ""


NOBODY: Final = Billing()


def issue_root(
    issuer: Issuer,
    *,
    holder: PublicKey,
    asking: Asking,
    lifetime_s: int,
    now_us: int,
    random_bytes: RandomBytes,
    billing: Billing = NOBODY,
) -> str:
    """Return a root for `holder`, signed by `issuer`, that is good from `now_us` for `lifetime_s` seconds.

    Raises `UsageError` for whatever verification would refuse.
    """
    if asking.tools is None:
        raise UsageError("a root must name its tools")
    issued_s = now_us // SECOND_US
    kid = issuer.kid or issuer.key.public.thumbprint
    claims: Members = {
        "jti": new_uuid(random_bytes, now_us=now_us),
        "iss": issuer.iss,
        "iat": issued_s,
        "exp": issued_s + lifetime_s,
        "cnf": _confirmation(holder),
        "del_depth": 0,
        "del_max_depth": asking.max_depth or 0,
        "authorization_details": _details(asking, as_json(asking.tools)),
        **_present(
            remit_agent=asking.agent,
            remit_org=billing.org,
            remit_user=billing.user,
            remit_account=billing.account,
        ),
    }
    root = sign_jws(_header(asking, {"kid": kid}), encode_exactly(claims), issuer.key)
    _check_root(root, issuer, kid, asking, billing, now_us)
    return root


def derive(
    parent: str,
    key: PrivateKey,
    *,
    holder: PublicKey,
    asking: Asking,
    now_us: int,
    random_bytes: RandomBytes,
    lifetime_s: int | None = None,
) -> str:
    """Return the chain `parent` with one more link, for `holder`, signed with the `key` of its present holder.

    `lifetime_s` is counted from now; None: as long as the parent. No issuer is asked. Raises `UsageError` for whatever
    verification would refuse: a wider tool or argument, a longer life, a chain that is at its deepest.
    """
    above = _read(parent, now_us)
    leaf, document = above.unverified.leaf, above.documents[-1]
    if key.public != above.leaf_key:
        raise UsageError("the key is not the one that the contract was made for: only its holder can derive from it")
    if leaf.depth >= leaf.max_depth:
        raise UsageError("the contract may not be delegated further: its issuer or a holder above set that depth")
    issued_s = max(now_us // SECOND_US, leaf.issued_s)
    tools = _parent_tools(document) if asking.tools is None else as_json(asking.tools)
    claims: Members = {
        "jti": new_uuid(random_bytes, now_us=now_us),
        "iss": key.public.thumbprint_uri,
        "iat": issued_s,
        "exp": leaf.expires_s if lifetime_s is None else issued_s + lifetime_s,
        "cnf": _confirmation(holder),
        "del_depth": leaf.depth + 1,
        "del_max_depth": _max_depth(asking, leaf),
        "par_hash": base64url.encode(sha256(document.signing_input).digest()),
        "authorization_details": _details(asking, tools),
        **_present(remit_agent=asking.agent),
    }
    chain = parent + SEPARATOR + sign_jws(_header(asking, {}), encode_exactly(claims), key)
    _read(chain, now_us)
    return chain


def _max_depth(asking: Asking, leaf: Contract) -> int:
    return leaf.max_depth if asking.max_depth is None else asking.max_depth


def _header(asking: Asking, more: Members) -> Members:
    """A contract with limits says so in a way that nobody may ignore, unless it is to be portable."""
    has_limits = bool(asking.limits) or asking.schedule is not None
    mark: Members = {"crit": [CRITICAL], CRITICAL: 1} if has_limits and not asking.portable else {}
    return {"typ": TYP, **mark, **more}


def _confirmation(holder: PublicKey) -> JsonValue:
    return as_json({"jwk": registered(holder).to_jwk()})


def _details(asking: Asking, tools: JsonValue) -> list[JsonValue]:
    details: list[JsonValue] = [{"type": CAPABILITY_TYPE, "tools": tools}]
    entry = _present(ledger=asking.ledger)
    if asking.limits:
        entry["limits"] = as_json(list(asking.limits))
    if asking.schedule is not None:
        entry["schedule"] = as_json(asking.schedule)
    if entry:
        details.append({"type": LIMITS_TYPE, **entry})
    return details


def _parent_tools(document: UnverifiedJws) -> JsonValue:
    """The tools as the parent wrote them, so that nothing about them can change on the way."""
    entries = document.unverified_claims["authorization_details"]
    found = [
        entry["tools"]
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and entry.get("type") == CAPABILITY_TYPE
    ]
    return found[0]


def _present(**members: str | None) -> Members:
    return {name: value for name, value in members.items() if value is not None}


def _read(chain: str, now_us: int) -> UnverifiedChain:
    try:
        return read_unverified_chain(chain, now_us=now_us)
    except CredentialError as error:
        raise UsageError(str(error)) from error


def _check_root(root: str, issuer: Issuer, kid: str, asking: Asking, billing: Billing, now_us: int) -> None:
    """Verify what was made by the issuer's own key, as a guard that trusts it for everything would."""
    keys = KeySet((NamedKey(kid, registered(issuer.key.public)),))
    trusted = TrustedIssuer(name="self", iss=issuer.iss, keys=keys, orgs=(billing.org,) if billing.org else ())
    anchors = TrustAnchors(issuers=(trusted,), ledger=asking.ledger or "")
    try:
        verify_chain(root, anchors, now_us=now_us, bounds=BY_REFERENCE)
    except CredentialError as error:
        raise UsageError(str(error)) from error
