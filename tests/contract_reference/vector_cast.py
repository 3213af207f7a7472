"""Who plays in the published vectors: an issuer, three agents, a thief; one sound chain of three; and words to change it with.

A vector is made by saying what is different from the sound chain. Everything, keys and ES256 signatures included, comes out the
same each time, so the files change only when somebody changes what they say.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from tests.contract_reference.forge import Case, Draft, Loose, Signer, as_loose, copy_json, signer
from tests.contract_reference.mutate_text import entry_of
from tests.contract_reference.strict_text import Json, as_plain

NOW_S: Final = 1_800_000_000
LEDGER: Final = "https://api.example.com"
ISS: Final = "https://issuer.acme.example"
OTHER_ISS: Final = "https://issuer.other.example"
CAPABILITY: Final = "attenuating_agent_token"
SECONDS_OF_90_DAYS: Final = 90 * 86400

Change = Callable[[Case], object]
Node = dict[str, Loose]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call under a good chain. `arguments` is JSON text, since how a number is written may matter."""

    tool: str
    arguments: str
    allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """A chain and what must become of it; no step: it is good."""

    name: str
    note: str
    chain: str
    anchors: str
    now_s: int
    in_headers: bool
    step: str | None
    link: int | None
    calls: tuple[Call, ...]

    def as_json(self) -> dict[str, Json]:
        """How it is published."""
        expected: dict[str, Json] = {"valid": self.step is None}
        if self.step is not None:
            expected |= {"step": self.step, "link": self.link}
        if self.calls:
            calls = [{"tool": call.tool, "arguments": call.arguments, "allowed": call.allowed} for call in self.calls]
            expected["calls"] = as_plain(calls)
        return {
            "name": self.name, "note": self.note, "anchors": self.anchors, "now": self.now_s, "in_headers": self.in_headers,
            "chain": self.chain, "expected": expected,
        }  # fmt: skip


def issuer_key(number: int = 1) -> Signer:
    """The keys of the issuer: the first is Ed25519, the second ES256, the third nobody trusts."""
    return signer(f"issuer-{number}", "ES256" if number == 2 else "EdDSA")


def agent(name: str, alg: str = "EdDSA") -> Signer:
    """The key of an agent: `orchestrator`, `risk-check` (ES256), `executor`, `thief`."""
    return signer(name, "ES256" if name == "risk-check" else alg)


def anchors() -> dict[str, dict[str, Json]]:
    """Every set of anchors that a vector names."""
    keys: list[Json] = [as_plain({"kid": f"issuer-{number}", **issuer_key(number).public}) for number in (1, 2)]
    acme: dict[str, Json] = {
        "name": "acme", "iss": ISS, "jwks": {"keys": keys}, "orgs": ["acme"],
        "tools": ["payments.*", "risk.validate", "search"], "lifetime_s": SECONDS_OF_90_DAYS, "plain_jwt": False,
    }  # fmt: skip
    other_key: Json = as_plain({"kid": "issuer-1", **signer("other-1", "ES256").public})
    other: dict[str, Json] = {"name": "other", "iss": OTHER_ISS, "jwks": {"keys": [other_key]}, "tools": ["*"]}
    usual: dict[str, Json] = {"ledger": LEDGER, "audience": "", "issuers": [acme]}
    return {
        "acme": usual,
        "two issuers": {**usual, "issuers": [acme, other]},
        "plain jwt": {**usual, "issuers": [{**acme, "plain_jwt": True}]},
        "every tool": {**usual, "issuers": [{**acme, "tools": ["*"]}]},
        "one hour": {**usual, "issuers": [{**acme, "lifetime_s": 3600}]},
        "no orgs": {**usual, "issuers": [{**acme, "orgs": []}]},
        "second key only": {**usual, "issuers": [{**acme, "jwks": {"keys": keys[1:]}}]},
        "with audience": {**usual, "audience": LEDGER},
        "no ledger": {**usual, "ledger": ""},
    }


ROOT_TOOLS: Final[dict[str, Loose]] = {
    "payments.transfer": {
        "amount": {"constraint_type": "range", "min": 0, "max": 500},
        "currency": {"constraint_type": "one_of", "values": ["USD", "EUR"]},
        "to": {"constraint_type": "wildcard"},
    },
    "risk.validate": {},
    "search": {"query": {"constraint_type": "not_one_of", "excluded": ["secrets"]}},
}
CHILD_TOOLS: Final[dict[str, Loose]] = {
    "payments.transfer": {
        "amount": {"constraint_type": "range", "min": 0, "max": 200},
        "currency": {"constraint_type": "exact", "value": "USD"},
        "to": {"constraint_type": "one_of", "values": ["acct-7", "acct-8"]},
    },
    "risk.validate": {},
}
LEAF_TOOLS: Final[dict[str, Loose]] = {
    "payments.transfer": {
        "amount": {"constraint_type": "range", "min": 0, "min_inclusive": False, "max": 100},
        "currency": {"constraint_type": "exact", "value": "USD"},
        "to": {"constraint_type": "exact", "value": "acct-7"},
    }
}


def capability(tools: dict[str, Loose]) -> Loose:
    """The entry that says what may be called."""
    return {"type": CAPABILITY, "tools": copy_json(tools)}


def limits(*entries: dict[str, Loose], **more: Loose) -> Loose:
    """The entry that says how often and how much."""
    return {"type": "remit_limits", "ledger": LEDGER, "limits": list(entries), **more}


def _draft(depth: int, by: Signer, holder: Signer, tools: dict[str, Loose], **more: Loose) -> Draft:
    """`jti` is a UUIDv7 that ends in the depth."""
    claims: dict[str, Loose] = {
        "jti": f"01957a3f-4e23-7b01-a9d1-00000000000{depth}",
        "iss": ISS,
        "iat": NOW_S - 60 + depth,
        "exp": NOW_S + 3600 - depth,
        "del_depth": depth,
        "del_max_depth": 3,
        "cnf": {"jwk": as_loose(dict(holder.public))},
        "authorization_details": [capability(tools)],
        **more,
    }
    header: dict[str, Loose] = {"alg": by.alg, "typ": "aat+jwt"}
    if depth == 0:
        header["kid"] = by.name
    else:
        claims["par_hash"] = ""  # filled in when the chain is put together
    return Draft(header, claims, by, holder)


def trio(*, anchors_named: str = "acme") -> Case:
    """Issuer → orchestrator → risk-check → executor, each narrower. Sound."""
    people = [issuer_key(), agent("orchestrator"), agent("risk-check"), agent("executor")]
    names: list[dict[str, Loose]] = [
        {"remit_agent": "orchestrator", "remit_org": "acme", "remit_user": "ann", "remit_account": "ann-2027"},
        {"remit_agent": "risk-check"},
        {"remit_agent": "executor"},
    ]
    drafts = [
        _draft(depth, people[depth], people[depth + 1], tools, **names[depth])
        for depth, tools in enumerate((ROOT_TOOLS, CHILD_TOOLS, LEAF_TOOLS))
    ]
    return Case(drafts, anchors()[anchors_named], NOW_S * 1_000_000)


def vector(
    name: str, note: str, *changes: Change, step: str | None = None, link: int | None = None, links: int = 3,
    anchors_named: str = "acme", now_s: int = NOW_S, in_headers: bool = False, calls: Sequence[Call] = (),
) -> Vector:  # fmt: skip
    """The sound chain, cut to so many links, with these changes made to it in order."""
    case = trio(anchors_named=anchors_named)
    case.drafts = case.drafts[:links]
    for change in changes:
        change(case)
    return Vector(
        name=name, note=note, chain=case.chain(), anchors=anchors_named, now_s=now_s, in_headers=in_headers, step=step,
        link=link, calls=tuple(calls),
    )  # fmt: skip


def claim(link: int, name: str, value: Loose) -> Change:
    """Set a claim, and keep it so."""

    def change(case: Case) -> None:
        case.drafts[link].claims[name] = value
        case.drafts[link].fixed.add(name)

    return change


def without(link: int, name: str) -> Change:
    """Leave a claim out."""
    return lambda case: case.drafts[link].claims.pop(name)


def header(link: int, name: str, value: Loose) -> Change:
    """Set a member of the header."""
    return lambda case: case.drafts[link].header.update({name: value})


def headless(link: int, name: str) -> Change:
    """Leave a member of the header out."""
    return lambda case: case.drafts[link].header.pop(name)


def tools(link: int, value: Loose) -> Change:
    """Set what a link allows."""

    def change(case: Case) -> None:
        entry = entry_of(case.drafts[link])
        assert entry is not None
        entry["tools"] = value

    return change


def argument(link: int, name: str, constraint: Loose, tool: str = "payments.transfer") -> Change:
    """Set the constraint of one argument."""

    def change(case: Case) -> None:
        entry = entry_of(case.drafts[link])
        assert entry is not None
        cast("dict[str, dict[str, Loose]]", entry["tools"])[tool][name] = constraint

    return change


def details(link: int, *entries: Loose) -> Change:
    """Set the whole list of `authorization_details`."""
    return claim(link, "authorization_details", list(entries))


def detail(link: int, entry: Loose) -> Change:
    """Add one entry to it."""
    return lambda case: cast("list[Loose]", case.drafts[link].claims["authorization_details"]).append(entry)


def signed_by(link: int, key: Signer) -> Change:
    """Another key signs; what the link says stays as it was."""

    def change(case: Case) -> None:
        draft = case.drafts[link]
        if link:
            claim(link, "iss", draft.signer.uri)(case)
        draft.signer = key

    return change


def held_by(link: int, key: Signer) -> Change:
    """Another holder, who also signs what follows."""

    def change(case: Case) -> None:
        case.drafts[link].holder = key
        case.drafts[link].claims["cnf"] = {"jwk": as_loose(dict(key.public))}
        if link + 1 < len(case.drafts):
            case.drafts[link + 1].signer = key
            case.drafts[link + 1].header["alg"] = key.alg

    return change


def payload(link: int, spell: Callable[[str], bytes]) -> Change:
    """Spell the claims otherwise, then sign what was spelled."""
    return lambda case: setattr(case.drafts[link], "claims_bytes", spell)


def header_text(link: int, spell: Callable[[str], bytes]) -> Change:
    """Spell the header otherwise, then sign what was spelled."""
    return lambda case: setattr(case.drafts[link], "header_bytes", spell)


def signature(link: int, bend: Callable[[bytes, bytes], bytes]) -> Change:
    """Bend the signature; `bend` gets it and what was signed."""
    return lambda case: setattr(case.drafts[link], "signature", bend)


def compact(link: int, respell: Callable[[str], str]) -> Change:
    """Respell a finished link, as somebody on the way would."""
    return lambda case: setattr(case.drafts[link], "compact", respell)


def rearranged(order: Callable[[list[str]], list[str]]) -> Change:
    """Show the finished links in another order, or others."""
    return lambda case: setattr(case, "rearrange", order)


def joined(respell: Callable[[str], str]) -> Change:
    """Respell the text of the whole chain."""
    return lambda case: setattr(case, "joined", respell)
