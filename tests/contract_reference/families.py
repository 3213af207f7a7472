"""Chains as issuers and holders really make them: random roots and what is derived from them, by the package's own functions.

The anchors are always the same two issuers: `acme`, held short by its operator, and `partner`, who writes `typ: JWT` and has a
key by the same name as one of acme's. Every key is made of its name.
"""

import base64
import json
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final, cast

from remit.contracts import Asking, Billing, Issuer, derive, issue_root
from tests.contract_reference.forge import Case, Draft, Loose, Signer, signer
from tests.contract_reference.strict_text import Json, as_plain
from tests.contract_reference.universe import Node, constraint, narrower

NOW_S: Final = 1_790_000_000
NOW_US: Final = NOW_S * 1_000_000
LEDGER: Final = "https://gateway.test"
ISS: Final = "https://issuer.acme.example"
PARTNER_ISS: Final = "https://partner.example/issuer"
LIFETIME_S: Final = 30 * 86400

ACME_KEYS: Final = (("acme-1", "EdDSA"), ("acme-2", "ES256"))
TOOLS: Final = ("payments.transfer", "payments.refund", "risk.validate", "a")
FREE_TOOLS: Final = (*TOOLS, "https://tools.example/read?x=1", "überweisung", "Payments.Transfer", " ")
ACME_TOOLS: Final = ("payments.*", "risk.validate", "a")
ARGUMENTS: Final = ("amount", "to", "é", "")

Tools = dict[str, dict[str, Node]]


def anchors() -> dict[str, Json]:
    """The anchors as vectors carry them."""
    acme = [{**signer(name, alg).public, "kid": name} for name, alg in ACME_KEYS]
    partner = [{**signer("partner-1", "ES256").public, "kid": "acme-1"}]
    return {
        "ledger": LEDGER,
        "issuers": [
            {
                "name": "acme",
                "iss": ISS,
                "jwks": {"keys": as_plain(acme)},
                "orgs": ["acme", "acme-eu"],
                "tools": list(ACME_TOOLS),
                "lifetime_s": LIFETIME_S,
            },
            {
                "name": "partner",
                "iss": PARTNER_ISS,
                "jwks": {"keys": as_plain(partner)},
                "plain_jwt": True,
            },
        ],
    }


@dataclass(slots=True)
class Family:
    """A chain that was issued and derived, with the keys of everybody in it."""

    chain: str
    signers: list[Signer]
    holders: list[Signer] = field(default_factory=list)

    def case(self) -> Case:
        """The same chain as drafts that can be changed and signed again."""
        drafts = [
            _draft(text, by, holder)
            for text, by, holder in zip(self.chain.split("~"), self.signers, self.holders, strict=True)
        ]
        return Case(drafts, anchors(), NOW_US)


def _draft(text: str, by: Signer, holder: Signer) -> Draft:
    header, claims = (
        cast("dict[str, Loose]", json.loads(base64.urlsafe_b64decode(part + "=="))) for part in text.split(".")[:2]
    )
    return Draft(header, claims, by, holder)


def holder_key(rng: Random) -> Signer:
    """One of a dozen agents' keys; ES256 more often, since it signs faster."""
    if rng.random() < 0.25:
        return signer(f"agent-{rng.randrange(4)}", "EdDSA")
    return signer(f"agent-{rng.randrange(8)}", "ES256")


def family(rng: Random, depth: int | None = None) -> Family:
    """A root and what was derived from it; `depth` is how many times."""
    deepest = rng.choice((0, 1, 1, 2, 2, 3, 4)) if depth is None else depth
    by, iss, kid = _issuer(rng)
    holder = holder_key(rng)
    tools = _some_tools(rng, TOOLS if iss == ISS else FREE_TOOLS)
    asking = Asking(
        tools=tools, agent=rng.choice((None, "orchestrator")), max_depth=min(8, deepest + rng.randrange(3)),
        portable=rng.random() < 0.3,
    )  # fmt: skip
    billing = Billing(
        org=rng.choice((None, "acme")) if iss == ISS else None,
        user=rng.choice((None, "ann")),
        account=rng.choice((None, "ann-1")),
    )
    chain = issue_root(
        Issuer(iss, by.ours(), kid), holder=holder.ours().public, asking=_with_limits(rng, tools, asking), lifetime_s=rng.randrange(60, LIFETIME_S),
        now_us=NOW_US - rng.randrange(30) * 1_000_000, random_bytes=rng.randbytes, billing=billing,
    )  # fmt: skip
    made = Family(chain, [by], [holder])
    for level in range(deepest):
        tools = extend(rng, made, tools, remaining=deepest - level - 1)
    return made


def _issuer(rng: Random) -> tuple[Signer, str, str]:
    if rng.random() < 0.15:
        return signer("partner-1", "ES256"), PARTNER_ISS, "acme-1"
    name, alg = rng.choice(ACME_KEYS)
    return signer(name, alg), ISS, name


def extend(rng: Random, made: Family, tools: Tools, *, remaining: int) -> Tools:
    """Derive once more, for another holder; return what the new leaf may do."""
    holder = holder_key(rng)
    narrow = narrower_tools(rng, tools)
    asking = Asking(
        tools=None if narrow == tools and rng.random() < 0.5 else narrow,
        agent=rng.choice((None, "risk-check", "payment-executor")),
        portable=rng.random() < 0.3,
    )
    made.chain = derive(
        made.chain, made.holders[-1].ours(), holder=holder.ours().public, asking=_with_limits(rng, narrow, asking), now_us=NOW_US,
        random_bytes=rng.randbytes, lifetime_s=rng.choice((None, 30)),
    )  # fmt: skip
    made.signers.append(made.holders[-1])
    made.holders.append(holder)
    return narrow


def _some_tools(rng: Random, among: tuple[str, ...]) -> Tools:
    return {
        tool: {name: constraint(rng) for name in rng.sample(ARGUMENTS, rng.choice((0, 1, 1, 2, 3)))}
        for tool in rng.sample(among, rng.randrange(1, 4))
    }


def narrower_tools(rng: Random, tools: Tools) -> Tools:
    """Fewer tools, narrower arguments; arguments of their own where the parent had none."""
    kept = rng.sample(list(tools), rng.randrange(1, len(tools) + 1)) if tools and rng.random() < 0.5 else list(tools)
    narrow = {tool: {name: narrower(rng, node) for name, node in tools[tool].items()} for tool in kept}
    for arguments in narrow.values():
        if not arguments and rng.random() < 0.3:
            arguments["amount"] = constraint(rng)
    return narrow


def _with_limits(rng: Random, tools: Tools, asking: Asking) -> Asking:
    if not tools or rng.random() < 0.5:
        return asking
    limits = rng.sample(sound_limits(rng.choice(list(tools))), rng.randrange(3))
    schedule = rng.choice((None, None, SCHEDULE))
    return replace(asking, limits=limits, schedule=schedule, ledger=LEDGER if limits or schedule else None)


SCHEDULE: Final[dict[str, object]] = {
    "timezone": "Europe/Berlin",
    "windows": [
        {"days": ["mon", "tue"], "from": "02:00", "to": "04:00"},
        {"days": ["sun"], "from": "22:00", "to": "03:30"},
    ],
}


def sound_limits(tool: str) -> list[dict[str, object]]:
    """One limit of each kind."""
    return [
        {"id": "transfers", "tools": [tool], "meter": "calls", "max": 100},
        {"id": "pace", "meter": "calls", "rate": "10/minute", "burst": 3},
        {"id": "money", "meter": "cost", "unit": "USD", "max": "50.00", "per": "P1D"},
        {
            "id": "day-money",
            "meter": "cost",
            "unit": "EUR",
            "max": "0.000001",
            "calendar": "day",
            "timezone": "Asia/Tokyo",
        },
        {"id": "words", "meter": "llm_tokens", "max": 100000, "per": "PT90M"},
        {"id": "weight", "meter": "units", "max": 0, "per": "PT30S"},
        {"id": "volume", "meter": "bytes", "max": 1000000, "per": "PT2H"},
    ]
