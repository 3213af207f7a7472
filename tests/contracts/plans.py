"""A chain taken apart into what can be changed, and put together again with every signature made anew.

A *plan* is a link before it is signed. Changing one claim of a link and signing all of them again, with each `par_hash`
made to fit, gives a chain that is wrong in that one claim and in nothing else.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from remit.contracts import PrivateKey, base64url
from tests.contracts.cast import ED25519, Cast, chain

Members = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """A link before it is signed. `payload` and `head` replace the text of claims and header where they are given."""

    header: Members
    claims: Members
    key: PrivateKey
    payload: bytes | None = None
    head: bytes | None = None
    fits_parent: bool = True
    signature: Callable[[bytes], bytes] | None = field(default=None)

    def with_claims(self, **changes: object) -> "Plan":
        """With other claims; `...` leaves one out."""
        claims = {name: value for name, value in {**self.claims, **changes}.items() if value is not ...}
        return replace(self, claims=claims)

    def with_header(self, **changes: object) -> "Plan":
        """With other header members; `...` leaves one out."""
        header = {name: value for name, value in {**self.header, **changes}.items() if value is not ...}
        return replace(self, header=header)


def plans(cast: Cast = ED25519, *, links: int = 3, text: str | None = None) -> list[Plan]:
    """The links of a sound chain."""
    texts = (text or chain(cast, links=links)).split("~")
    return [
        Plan(decoded(part.split(".")[0]), decoded(part.split(".")[1]), signer)
        for part, signer in zip(texts, cast.signers, strict=False)
    ]


def build(links: Sequence[Plan]) -> str:
    """Sign every link; each names the parent that stands before it."""
    texts: list[str] = []
    for plan in links:
        claims = dict(plan.claims)
        if texts and plan.fits_parent and "par_hash" in claims:
            claims["par_hash"] = parent_hash(texts[-1])
        texts.append(signed(replace(plan, claims=claims)))
    return "~".join(texts)


def signed(plan: Plan) -> str:
    """One link as text."""
    head = plan.head if plan.head is not None else compact(plan.header)
    payload = plan.payload if plan.payload is not None else compact(plan.claims)
    signing_input = f"{base64url.encode(head)}.{base64url.encode(payload)}"
    sign = plan.signature or plan.key.sign
    return f"{signing_input}.{base64url.encode(sign(signing_input.encode()))}"


def parent_hash(text: str) -> str:
    """What a child of the contract `text` says as `par_hash`."""
    return base64url.encode(sha256(text.rpartition(".")[0].encode()).digest())


def changed(
    link: int,
    change: Callable[[Plan], Plan],
    *,
    cast: Cast = ED25519,
    links: int = 3,
    base: Iterable[Plan] | None = None,
) -> str:
    """A sound chain but for one change to one link."""
    all_links = list(base) if base is not None else plans(cast, links=links)
    all_links[link] = change(all_links[link])
    return build(all_links)


def with_tools(plan: Plan, tools: object) -> Plan:
    """The link with other tools."""
    details = [
        {**entry, "tools": tools} if entry["type"] == "attenuating_agent_token" else entry
        for entry in plan.claims["authorization_details"]
    ]
    return plan.with_claims(authorization_details=details)


def with_limits(plan: Plan, entry: Members | None) -> Plan:
    """The link with another `remit_limits` entry, or without one."""
    details = [each for each in plan.claims["authorization_details"] if each["type"] != "remit_limits"]
    if entry is not None:
        details.append({"type": "remit_limits", **entry})
    return plan.with_claims(authorization_details=details)


def compact(value: object) -> bytes:
    """JSON as Python writes it, without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def decoded(part: str) -> Members:
    """The JSON of one part of a signed document."""
    members: Members = json.loads(base64url.decode(part.encode()))
    return members
