"""The people of the contract tests: an issuer, three agents and a thief, their keys, and a guard that trusts the issuer.

Everything is made from one seed and one moment, so that a failing case can be made again.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from remit.contracts import (
    Algorithm,
    Asking,
    Billing,
    Issuer,
    KeySet,
    NamedKey,
    PrivateKey,
    TrustAnchors,
    TrustedIssuer,
    derive,
    issue_root,
    new_private_key,
)

NOW_S: Final = 1_800_000_000
NOW_US: Final = NOW_S * 1_000_000
ISS: Final = "https://issuer.acme.example"
LEDGER: Final = "https://api.example.com"
KID: Final = "2027-01"

PAY: Final = "payments.transfer"
CHECK: Final = "risk.validate"

TOOLS: Final[Mapping[str, Mapping[str, object]]] = {
    PAY: {
        "amount": {"constraint_type": "range", "max": 500},
        "currency": {"constraint_type": "one_of", "values": ["USD", "EUR"]},
    },
    CHECK: {},
}
NARROW_TOOLS: Final[Mapping[str, Mapping[str, object]]] = {
    PAY: {
        "amount": {"constraint_type": "range", "max": 100},
        "currency": {"constraint_type": "exact", "value": "USD"},
    }
}
LIMITS: Final[tuple[Mapping[str, object], ...]] = (
    {"id": "transfers", "tools": [PAY], "meter": "calls", "max": 100},
    {"id": "pace", "meter": "calls", "rate": "10/minute", "burst": 3},
    {"id": "money", "meter": "cost", "unit": "USD", "max": "50.00", "per": "P1D"},
)


def chance(seed: int | str) -> Callable[[int], bytes]:
    """A source of bytes that gives the same ones again for the same seed."""
    return random.Random(seed).randbytes


def key(name: str, alg: Algorithm = Algorithm.EDDSA) -> PrivateKey:
    """The key of somebody: always the same for the same name."""
    return new_private_key(chance(f"{name} {alg}"), alg)


@dataclass(frozen=True, slots=True)
class Cast:
    """Whose key is whose. `holders` are those of the links, the root's first."""

    issuer: PrivateKey
    holders: tuple[PrivateKey, ...]
    thief: PrivateKey

    @property
    def signers(self) -> tuple[PrivateKey, ...]:
        """Who signs each link: the issuer, then each holder but the last."""
        return (self.issuer, *self.holders)


ED25519: Final = Cast(key("issuer"), tuple(key(name) for name in "abc"), key("thief"))
ES256: Final = Cast(
    key("issuer", Algorithm.ES256),
    tuple(key(name, Algorithm.ES256) for name in "abc"),
    key("thief", Algorithm.ES256),
)
MIXED: Final = Cast(ED25519.issuer, (ES256.holders[0], ED25519.holders[1], ES256.holders[2]), ED25519.thief)


def trusted(cast: Cast = ED25519, **changes: object) -> TrustAnchors:
    """A guard that trusts the issuer; `changes` are to the issuer's entry."""
    settings: dict[str, object] = {
        "name": "acme",
        "iss": ISS,
        "keys": KeySet((NamedKey(KID, cast.issuer.public),)),
        "orgs": ("acme",),
    }
    issuer = TrustedIssuer(**{**settings, **changes})  # type: ignore[arg-type]  # each test names the fields it changes
    return TrustAnchors(issuers=(issuer,), ledger=LEDGER, audience=LEDGER)


def root(cast: Cast = ED25519, *, seed: str = "root", lifetime_s: int = 3600, **asking: object) -> str:
    """A root for the first holder, with limits."""
    wish = {"tools": TOOLS, "limits": LIMITS, "ledger": LEDGER, "max_depth": 3, "agent": "orchestrator", **asking}
    return issue_root(
        Issuer(ISS, cast.issuer, KID),
        holder=cast.holders[0].public,
        asking=Asking(**wish),  # type: ignore[arg-type]  # as above
        lifetime_s=lifetime_s,
        now_us=NOW_US,
        random_bytes=chance(seed),
        billing=Billing(org="acme", user="u-1"),
    )


def child(parent: str, cast: Cast = ED25519, *, link: int = 1, seed: str = "child", **asking: object) -> str:
    """The chain with one more link, from the holder above `link` to the one of it."""
    return derive(
        parent,
        cast.holders[link - 1],
        holder=cast.holders[link].public,
        asking=Asking(**asking),  # type: ignore[arg-type]  # as above
        now_us=NOW_US,
        random_bytes=chance(f"{seed} {link}"),
    )


def chain(cast: Cast = ED25519, *, links: int = 3) -> str:
    """A sound chain of one to three links: A, who lets B check and pay less, who lets C pay."""
    text = root(cast)
    if links > 1:
        text = child(text, cast, link=1, agent="risk-check")
    if links > 2:
        limits = ({"id": "few", "meter": "calls", "max": 3},)
        text = child(text, cast, link=2, agent="payer", tools=NARROW_TOOLS, limits=limits, ledger=LEDGER)
    return text
