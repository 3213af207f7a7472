"""The reference verifier of contract chains: slow, plain, and written from the documents alone.

It follows the draft's section 7 and the page on contracts from top to bottom, and answers with a `Verdict`: the chain is
good, or the step and the link that refuse it. It exists to disagree with the package: where the two differ, one of them has
read the documents wrongly. Where the draft is silent the narrower reading is taken, and said so beside it.

It sets no bound on the work of comparing constraints: such a bound is each verifier's own (`too_costly`).
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from tests.contract_reference.chain_text import MAX_DEPTH, Link, Refusal, read_chain
from tests.contract_reference.limits import is_identifier, limits_are_sound
from tests.contract_reference.narrowing import (
    MAX_CONSTRAINT_DEPTH,
    Constraint,
    constraint_problem,
    depth_of,
    is_exact,
    narrows,
    passes,
)
from tests.contract_reference.signatures import ALGORITHMS, BadKeyError, Key
from tests.contract_reference.strict_text import Json
from tests.contract_reference.trust import Anchors, Trusted, digest

CAPABILITY: Final = "attenuating_agent_token"
LIMITS: Final = "remit_limits"

MAX_LIFETIME_S: Final = 90 * 86400
MAX_AHEAD_S: Final = 30
MAX_NAME_BYTES: Final = 256
MAX_TOOLS: Final = 256
MAX_ARGUMENTS: Final = 64

# What may stand in a header without meaning that somebody else's rules apply to the document.
FOREIGN_HEADERS: Final = frozenset({"jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "b64", "zip", "enc", "cty"})
_UUID: Final = re.compile(r"(urn:uuid:|\{)?[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}\}?", re.IGNORECASE)
_PROPER_UUID: Final = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
_JTI: Final = re.compile(r"[ -~]{1,256}")
_OURS: Final = frozenset({"remit_agent", "remit_org", "remit_user", "remit_account"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a chain: the step and the link that refuse it, or the links of a good one."""

    step: str | None
    link: int | None
    why: str = ""
    links: tuple[Link, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether the chain is good."""
        return self.step is None

    @property
    def leaf(self) -> Link | None:
        """The last link of a good chain."""
        return self.links[-1] if self.links else None


def verify(chain: str, anchors: Anchors, *, now_us: int, in_headers: bool = False) -> Verdict:
    """Verify contracts joined by `~`, root first."""
    try:
        links = read_chain(chain, in_headers=in_headers)
        issuer = _verify_root(links[0], anchors, now_us)
        for parent, child in itertools.pairwise(links):
            _verify_child(parent, child, anchors, issuer, now_us)
        _verify_leaf(links)
    except Refusal as refusal:
        return Verdict(refusal.step, refusal.link, refusal.why)
    return Verdict(None, None, links=tuple(links))


def refuses_call(verdict: Verdict, tool: str, arguments: dict[str, Json]) -> str | None:
    """Section 7, step 6b: why the leaf does not allow this call, None if it does."""
    return "no good chain" if verdict.leaf is None else link_refuses_call(verdict.leaf, tool, arguments)


def link_refuses_call(link: Link, tool: str, arguments: dict[str, Json]) -> str | None:
    """What one link says to a call, as if it were the leaf."""
    if link.tools is None or tool not in link.tools:
        return "no such tool"
    constraints = link.tools[tool]
    if not constraints:
        return None
    if set(arguments) != set(constraints):
        return "an argument too many or too few"
    wrong = [name for name, value in arguments.items() if not _satisfies(constraints[name], value)]
    return f"{wrong[0]} violates its constraint" if wrong else None


def _satisfies(constraint: Constraint, value: Json) -> bool:
    """A number that a double cannot tell from another is not compared with anything; where anything goes, it goes, too."""
    return constraint["constraint_type"] == "wildcard" or (is_exact(value) and passes(constraint, value))


def _verify_root(root: Link, anchors: Anchors, now_us: int) -> Trusted:
    alg = _check_header(root)
    issuer = anchors.issuer(root.claims.get("iss"))
    if issuer is None:
        raise root.refuse("issuer_unknown", "nobody trusts this `iss`")
    _check_type(root, issuer)
    keys = issuer.candidates(root.header.get("kid"))
    if not keys:
        raise root.refuse("key_unknown", "the issuer has no such key")
    fitting = [key for key in keys if key.alg == alg]
    if not fitting:
        raise root.refuse("algorithm_refused", "not the algorithm of the key")
    if not any(key.verifies(root.signature, root.signed) for key in fitting):
        raise root.refuse("signature_invalid", "not signed by the issuer")
    if not _is_integer(root.claims.get("del_depth")) or root.claims["del_depth"] != 0:
        raise root.refuse("depth_invalid", "a root is not at 0")
    if "par_hash" in root.claims:
        raise root.refuse("par_hash_mismatch", "a root has no parent")
    _check_times(root, None, now_us)
    if not _is_integer(root.claims.get("del_max_depth")) or root.number("del_max_depth") > MAX_DEPTH:
        raise root.refuse("depth_invalid", "deeper than any root may allow")
    _check_jti(root)
    root.holder = _holder_of(root)
    _check_capability(root)
    _check_restrictions(root, anchors, now_us)
    _check_our_claims(root)
    _check_limits(root, anchors)
    _check_issuer(root, issuer)
    return issuer


def _verify_child(parent: Link, child: Link, anchors: Anchors, issuer: Trusted, now_us: int) -> None:
    holder = cast(Key, parent.holder)
    alg = _check_header(child)
    _check_type(child, issuer)
    if alg != holder.alg:
        raise child.refuse("algorithm_refused", "not the algorithm of the parent's holder")
    if not holder.verifies(child.signature, child.signed):
        raise child.refuse("signature_invalid", "not signed by the parent's holder")
    _check_jti(child)
    child.holder = _holder_of(child)
    _check_presence(child)
    if child.claims.get("iss") != holder.uri:
        raise child.refuse("issuer_mismatch", "`iss` is not the thumbprint of the parent's holder")
    _check_depth(child, parent)
    _check_times(child, parent, now_us)
    _check_capability(child)
    _check_narrowing(parent, child)
    if child.claims.get("par_hash") != digest(parent.signed):
        raise child.refuse("par_hash_mismatch", "another parent")
    _check_restrictions(child, anchors, now_us)
    _check_our_claims(child)
    _check_limits(child, anchors)


def _verify_leaf(links: Sequence[Link]) -> None:
    leaf = links[-1]
    if len(links) != leaf.number("del_depth") + 1:
        raise leaf.refuse("depth_invalid", "links are missing")
    if leaf.tools is None:
        raise leaf.refuse("capability_malformed", "a leaf without a capability")


def _check_header(link: Link) -> str:
    """Everything in the header but `typ`; `crit` may name `remit` alone (RFC 7515 section 4.1.11)."""
    header = link.header
    if set(header) & FOREIGN_HEADERS or not isinstance(header.get("kid", ""), str):
        raise link.refuse("header_refused", "a member that we do not obey")
    if "crit" in header and header["crit"] != ["remit"]:
        raise link.refuse("header_refused", "`crit` names what we do not know, or nothing")
    if ("crit" in header and "remit" not in header) or not _is_one(header.get("remit", 1)):
        raise link.refuse("header_refused", "another version of `remit`, or none")
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in ALGORITHMS:
        raise link.refuse("algorithm_refused", "not on the list")
    return alg


def _check_type(link: Link, issuer: Trusted) -> None:
    """Exactly as we write it: other spellings of the media type are the wider reading."""
    if link.header.get("typ") not in ("aat+jwt", *(["JWT"] if issuer.plain_jwt else [])):
        raise link.refuse("type_refused", "not a contract by its `typ`")


def _is_integer(value: Json) -> bool:
    """An integer from 0 on, written as one: no fraction, no exponent."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_one(value: Json) -> bool:
    return _is_integer(value) and value == 1


def _check_jti(link: Link) -> None:
    """Steps 3j and 4b1. Printable ASCII of a bounded length is the narrower reading."""
    jti = cast(str, link.claims["jti"])
    if not _JTI.fullmatch(jti) or (_UUID.fullmatch(jti) and not _PROPER_UUID.fullmatch(jti)):
        raise link.refuse(
            "claim_invalid", "`jti` is empty, too long or not ASCII, or a UUID that is not written as one"
        )


def _check_presence(child: Link) -> None:
    """Steps 4b3 to 4b5; a claim that is checked more closely later is refused by the name of that check."""
    if not isinstance(child.claims.get("authorization_details"), list):
        raise child.refuse("capability_malformed", "no list of details")
    if not all(_is_integer(child.claims.get(name)) for name in ("del_depth", "del_max_depth")):
        raise child.refuse("depth_invalid", "no integers")
    for name in ("iss", "iat", "exp", "par_hash"):
        if name not in child.claims:
            raise child.refuse("claim_invalid", f"no `{name}`")


def _check_our_claims(link: Link) -> None:
    """`remit_agent` anywhere, the others in a root; each a name; no other that begins like ours."""
    ours = {name for name in link.claims if name.startswith("remit_")}
    allowed = _OURS if link.index == 0 else {"remit_agent"}
    if not ours <= allowed or not all(is_identifier(link.claims[name]) for name in ours):
        raise link.refuse("claim_invalid", "a claim of ours that is unknown, malformed or misplaced")


def _check_restrictions(link: Link, anchors: Anchors, now_us: int) -> None:
    """Claims of JWT that the draft does not have (RFC 7519 section 4.1): where they are there, they restrict."""
    if not _is_integer(link.claims.get("nbf", 0)) or cast(int, link.claims.get("nbf", 0)) * 1_000_000 > now_us:
        raise link.refuse("times_invalid", "not yet")
    audience = link.claims.get("aud")
    if "aud" in link.claims and (not anchors.audience or audience not in (anchors.audience, [anchors.audience])):
        raise link.refuse("audience_mismatch", "made for somebody else")


def _holder_of(link: Link) -> Key:
    """One key, public and sound, and nothing else that could name another (RFC 7800 section 3.1, read narrowly)."""
    cnf = link.claims.get("cnf")
    if not isinstance(cnf, dict) or set(cnf) != {"jwk"}:
        raise link.refuse("holder_key_invalid", "not one key")
    try:
        return Key(cnf["jwk"])
    except BadKeyError as error:
        raise link.refuse("holder_key_invalid", str(error)) from error


def _check_depth(child: Link, parent: Link) -> None:
    """Steps 4d to 4g, 4m."""
    depth, ceiling = child.number("del_depth"), child.number("del_max_depth")
    highest = parent.number("del_max_depth")
    if (
        depth != parent.number("del_depth") + 1
        or depth > highest
        or depth > MAX_DEPTH
        or ceiling > highest
        or depth > ceiling
    ):
        raise child.refuse("depth_invalid", "not one deeper, or deeper than allowed")


def _check_times(link: Link, parent: Link | None, now_us: int) -> None:
    """Steps 3e to 3h, 4h to 4l."""
    if not _is_integer(link.claims.get("exp")):
        raise link.refuse("times_invalid", "`exp` is no integer")
    if link.number("exp") * 1_000_000 <= now_us:
        raise link.refuse("expired", "over")
    if not _is_integer(link.claims.get("iat")):
        raise link.refuse("times_invalid", "`iat` is no integer")
    issued, expires = link.number("iat"), link.number("exp")
    if expires <= issued or issued * 1_000_000 > now_us + MAX_AHEAD_S * 1_000_000:
        raise link.refuse("times_invalid", "ends before it begins, or begins too far ahead")
    if expires > issued + MAX_LIFETIME_S:
        raise link.refuse("times_invalid", "longer than 90 days")
    if parent is not None and (expires > parent.number("exp") or issued < parent.number("iat")):
        raise link.refuse("times_invalid", "longer than its parent")


def _check_capability(link: Link) -> None:
    """Steps 3m, 3n, 4n, 4o. Members that nobody defined are refused: they may have been meant to restrict."""
    details = link.claims.get("authorization_details")
    if not isinstance(details, list):
        raise link.refuse("capability_malformed", "no list of details")
    if not all(isinstance(entry, dict) and isinstance(entry.get("type"), str) for entry in details):
        raise link.refuse("capability_malformed", "an entry without a type")
    entries = [entry for entry in cast(list[dict[str, Json]], details) if entry["type"] == CAPABILITY]
    if len(entries) > 1 or (link.index == 0 and not entries):
        raise link.refuse("capability_malformed", "not one capability")
    if entries:
        link.tools = _tools_of(link, entries[0])


def _is_name(name: str) -> bool:
    return 0 < len(name.encode()) <= MAX_NAME_BYTES


def _tools_of(link: Link, entry: dict[str, Json]) -> dict[str, dict[str, Constraint]]:
    tools = entry.get("tools")
    if set(entry) != {"type", "tools"} or not isinstance(tools, dict) or len(tools) > MAX_TOOLS:
        raise link.refuse("capability_malformed", "no `tools`, too many, or something else")
    for name, constraints in tools.items():
        if not _is_name(name) or not isinstance(constraints, dict) or len(constraints) > MAX_ARGUMENTS:
            raise link.refuse("capability_malformed", "a tool's name or arguments")
        if not all(len(argument.encode()) <= MAX_NAME_BYTES for argument in constraints):
            raise link.refuse("capability_malformed", "an argument's name")
        for constraint in constraints.values():
            problem = constraint_problem(constraint)
            if depth_of(constraint) > MAX_CONSTRAINT_DEPTH:
                problem = problem or "constraint_too_deep"
            if problem:
                raise link.refuse(problem, f"a constraint of `{name}`")
    return cast("dict[str, dict[str, Constraint]]", tools)


def _check_narrowing(parent: Link, child: Link) -> None:
    """Step 4p. A link without a capability allows nothing, and so does everything below it."""
    for tool, constraints in (child.tools or {}).items():
        if parent.tools is None or tool not in parent.tools:
            raise child.refuse("not_narrower", f"`{tool}` is not its parent's")
        wide = parent.tools[tool]
        if wide and set(wide) != set(constraints):
            raise child.refuse("not_narrower", f"other arguments of `{tool}`")
        if not all(narrows(wide[name], constraints[name]) for name in wide):
            raise child.refuse("not_narrower", f"a wider argument of `{tool}`")


def _check_limits(link: Link, anchors: Anchors) -> None:
    details = cast(list[dict[str, Json]], link.claims["authorization_details"])
    entries = [entry for entry in details if entry["type"] == LIMITS]
    if any(cast(str, entry["type"]).lower().startswith("remit_") and entry["type"] != LIMITS for entry in details):
        raise link.refuse("limits_malformed", "an entry that begins like ours, and is none")
    if len(entries) > 1 or any(not limits_are_sound(entry, link.tools or {}) for entry in entries):
        raise link.refuse("limits_malformed", "limits that could mean less than they say")
    if any(not anchors.ledger or entry["ledger"] != anchors.ledger for entry in entries):
        raise link.refuse("ledger_mismatch", "counted by another guard")


def _check_issuer(root: Link, issuer: Trusted) -> None:
    org = root.claims.get("remit_org")
    if org is not None and org not in issuer.orgs:
        raise root.refuse("issuer_exceeded", "an org that is not the issuer's")
    if root.number("exp") - root.number("iat") > issuer.lifetime_s:
        raise root.refuse("issuer_exceeded", "longer than the issuer may")
    if not all(issuer.may_name(tool) for tool in root.tools or {}):
        raise root.refuse("issuer_exceeded", "a tool that is not the issuer's")
