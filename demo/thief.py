"""Scene 2: a thief has copied everything that crosses the wire, and nothing that stays where it is.

It has the whole chain of the payment executor and the proof of a payment that went through. What it does not have is the
private key: that never leaves its owner's file, so the thief cannot sign a proof for another request.
"""

import os
import time
from dataclasses import dataclass, field

from demo.cast import ISS, ORG
from demo.client import Client, Reply, playing
from demo.contracts import Held
from demo.holder import Holder, payment
from demo.stage import Stage
from remit.contracts import Asking, Billing, Issuer, PrivateKey, issue_root, new_private_key, read_unverified_chain
from remit.entrypoints.client import contract_signer

PATH = "/transfer"
PAYEE = "acct-2002"
THIEF = "acct-6660"
AMOUNT = 12.5
JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt of the thief, and how it was answered."""

    what: str
    status: int
    reason: str
    detail: str


@dataclass(slots=True)
class Theft:
    """What came of it: how the owner's own payment was answered, and each attempt of the thief."""

    paid: int = 0
    tried: list[Tried] = field(default_factory=list)


async def play(stage: Stage, owner: Held) -> Theft:
    """The owner pays once, and the thief tries what can be tried with a copy of that. Raises `DemoFailed`."""
    signer = contract_signer(owner.chain, owner.key)
    body = payment(AMOUNT, PAYEE)
    copied = signer.headers_for("POST", f"{stage.url}{PATH}", body)
    found = Theft()
    with playing("thief"), Client(stage.address) as client:
        found.paid = (await client.send("POST", PATH, body, copied | JSON)).status
        for what, sent, headers in attempts(stage, owner.chain, copied, body):
            found.tried.append(_tried(what, await client.send("POST", PATH, sent, headers | JSON)))
    return found


def attempts(stage: Stage, chain: str, copied: dict[str, str], body: bytes) -> list[tuple[str, bytes, dict[str, str]]]:
    """What the thief sends: in words, the body, and its headers."""
    mine = payment(AMOUNT, THIEF)
    key = new_private_key(os.urandom)
    return [
        ("the same request once more, its proof included", body, copied),
        ("the old proof, for a payment to the thief", mine, copied),
        ("the chain without a proof", mine, {"authorization": copied["authorization"]}),
        ("the chain as if it were an API key", mine, {"authorization": f"Bearer {chain}"}),
        ("the chain, and a proof by a key of the thief's own", mine, signed(stage, key, chain, mine)),
        ("a root of its own, in the issuer's name", mine, signed(stage, key, forged(key, chain), mine)),
    ]


def signed(stage: Stage, key: PrivateKey, chain: str, body: bytes) -> dict[str, str]:
    """The two headers, with a proof by whatever key the thief has."""
    return Holder("thief", key, chain).headers(stage.url, PATH, body)


def forged(key: PrivateKey, chain: str) -> str:
    """A root that says it is from the issuer, and names the issuer's key as that of `chain` does, signed by another."""
    kid = str(read_unverified_chain(chain).documents[0].unverified_header["kid"])
    return issue_root(
        Issuer(ISS, key, kid), holder=key.public, asking=Asking(tools={"payments.transfer": {}}),
        lifetime_s=3600, now_us=time.time_ns() // 1000, random_bytes=os.urandom, billing=Billing(org=ORG),
    )  # fmt: skip


def _tried(what: str, reply: Reply) -> Tried:
    members = reply.members
    return Tried(what, reply.status, str(members.get("reason", "")), str(members.get("detail", "")))
