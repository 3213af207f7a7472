"""The engines and callers that the rows are measured with."""

import itertools
import os
import time

from remit.contracts import (
    Algorithm,
    Asking,
    Billing,
    ChainCache,
    HttpCall,
    Issuer,
    PrivateKey,
    TrustAnchors,
    TrustedIssuer,
    derive,
    issue_root,
    make_dpop,
    named_by_thumbprint,
    new_private_key,
)
from remit.core import units
from remit.core.caller import Caller, CredentialKind
from remit.core.policy import Budget, Concurrent, Dimension, Failures, Limit, Policy, Price, Quota, Rate, Tool, Units
from remit.core.schedule import Calendar, CalendarUnit
from remit.engine.guard import Engine
from remit.ports import Store

D = Dimension
MANY = 10**9
HOUR = units.Rolling(3_600_000_000)
LEDGER = "https://api.example.com"
ISS = "https://issuer.example.com"


def eight_limits() -> dict[str, Limit]:
    """Eight limits of different kinds and dimensions."""
    limits = (
        Limit(name="pace", rule=Rate(MANY, 1_000_000, 1, MANY), per=(D.AGENT,)),
        Limit(name="transfers", rule=Quota(MANY, HOUR), per=(D.AGENT, D.TOOL)),
        Limit(name="user-day", rule=Quota(MANY, Calendar(CalendarUnit.DAY)), per=(D.USER,)),
        Limit(name="money-day", rule=Budget(MANY * 10**6, Calendar(CalendarUnit.DAY, "Europe/Berlin")), per=(D.USER,)),
        Limit(name="money-month", rule=Budget(MANY * 10**6, Calendar(CalendarUnit.MONTH)), per=(D.ORG,)),
        Limit(name="in-flight", rule=Concurrent(100_000), per=(D.KEY,)),
        Limit(name="failures", rule=Failures(MANY, HOUR), per=(D.CALLER,)),
        Limit(name="units", rule=Units(MANY, HOUR, {"pay": 4}), per=(D.ORG,)),
    )
    return {limit.name: limit for limit in limits}


def engine(store: Store) -> Engine:
    """An engine with one priced tool and eight limits."""
    tools = {"pay": Tool(name="pay", price=Price(hold_micros=350_000))}
    return Engine(store, Policy(digest="bench", currency="USD", tools=tools, limits=eight_limits()))


def key_caller(number: int = 0) -> Caller:
    """A caller with an API key."""
    return Caller(
        kind=CredentialKind.API_KEY, id=f"key{number:012d}", address="127.0.0.0/24", agent="agent", user="user",
        org="acme", tools=("*",),
    )  # fmt: skip


class Contracts:
    """A chain of three with limits in every link, verified once; and its holder's proofs."""

    def __init__(self) -> None:
        """Keys and documents are made once."""
        issuer = Issuer(ISS, new_private_key(os.urandom))
        keys: list[PrivateKey] = [new_private_key(os.urandom, Algorithm.ES256) for _ in range(3)]
        limit = {"id": "calls", "meter": "calls", "max": MANY}
        asking = Asking(tools={"pay": {}}, limits=[limit], ledger=LEDGER, max_depth=3)
        text = issue_root(
            issuer, holder=keys[0].public, asking=asking, lifetime_s=86_400, now_us=now_us(), random_bytes=os.urandom,
            billing=Billing(org="acme", user="user"),
        )  # fmt: skip
        for parent, child in itertools.pairwise(keys):
            narrower = Asking(limits=[limit], ledger=LEDGER)
            text = derive(text, parent, holder=child.public, asking=narrower, now_us=now_us(), random_bytes=os.urandom)
        self.text = text
        self.leaf = keys[-1]
        trusted = TrustedIssuer(name="acme", iss=ISS, keys=named_by_thumbprint([issuer.key.public]), orgs=("acme",))
        self.anchors = TrustAnchors(issuers=(trusted,), ledger=LEDGER)
        self.cache = ChainCache()
        self.call = HttpCall(method="POST", origin=LEDGER, path="/pay", body=b"{}")

    def proof(self) -> str:
        """A fresh proof for the one call that is measured."""
        return make_dpop(self.leaf, self.call, credential=self.text, now_us=now_us(), random_bytes=os.urandom)


def now_us() -> int:
    """The wall clock."""
    return time.time_ns() // 1000
