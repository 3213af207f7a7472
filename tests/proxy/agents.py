"""Agents with keys: chains A→B→C as the tests need them, and an httpx auth that proves possession for each request."""

import os
import time
from collections.abc import Generator
from dataclasses import dataclass, field

import httpx

from remit.contracts import (
    Algorithm,
    Asking,
    Billing,
    HttpCall,
    Issuer,
    PrivateKey,
    TrustAnchors,
    derive,
    issue_root,
    make_dpop,
    named_by_thumbprint,
    new_private_key,
)
from remit.contracts.anchors import TrustedIssuer
from remit.core.money import Money

ISS = "https://issuer.acme.example"
LEDGER = "https://gateway.test"
PAY_ANY: dict[str, dict[str, object]] = {"pay": {}, "report": {}}
ISSUER = Issuer(ISS, new_private_key(os.urandom))


def anchors(*, budget: Money | None = None) -> TrustAnchors:
    """The tests' one issuer is trusted."""
    keys = named_by_thumbprint([ISSUER.key.public])
    issuer = TrustedIssuer(name="acme", iss=ISS, keys=keys, orgs=("acme",), budget=budget)
    return TrustAnchors(issuers=(issuer,), ledger=LEDGER)


def new_key() -> PrivateKey:
    return new_private_key(os.urandom, Algorithm.ES256)


def now_us() -> int:
    return time.time_ns() // 1000


def calls(limit: int, *, tool: str = "pay", name: str = "transfers") -> dict[str, object]:
    """A limit on calls for the contract's whole life."""
    return {"id": name, "tools": [tool], "meter": "calls", "max": limit}


@dataclass
class Agent(httpx.Auth):
    """An agent: its key, its chain, and the proofs that it makes."""

    name: str
    key: PrivateKey = field(default_factory=new_key)
    chain: str = ""
    by_name: str = ""
    session: str | None = None
    nonce: str | None = None

    requires_request_body = True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["authorization"] = f"DPoP {self.by_name or self.chain}"
        request.headers["dpop"] = self.proof(request)
        yield request

    def proof(self, request: httpx.Request, *, ath: str | None = None) -> str:
        url = request.url
        call = HttpCall(
            method=request.method, origin=f"{url.scheme}://{url.netloc.decode()}", path=url.raw_path.partition(b"?")[0].decode(),
            query=url.query, body=request.content,
        )  # fmt: skip
        return make_dpop(
            self.key, call, credential=ath or self.chain, now_us=now_us(), random_bytes=os.urandom,
            nonce=self.nonce, session=self.session,
        )  # fmt: skip

    def delegate(self, name: str, *limits: dict[str, object], key: PrivateKey | None = None) -> "Agent":
        """A new agent with a contract derived from this one's."""
        child = Agent(name, key or new_key())
        child.chain = derive(
            self.chain, self.key, holder=child.key.public, now_us=now_us(), random_bytes=os.urandom,
            asking=Asking(limits=limits, agent=name, ledger=LEDGER if limits else None),
        )  # fmt: skip
        return child


def root_agent(
    *limits: dict[str, object], account: str | None = None, schedule: dict[str, object] | None = None
) -> Agent:
    """An orchestrator with a root contract."""
    agent = Agent("orchestrator")
    asking = Asking(
        tools=PAY_ANY, limits=limits, schedule=schedule, agent=agent.name, max_depth=5,
        ledger=LEDGER if limits or schedule else None,
    )  # fmt: skip
    agent.chain = issue_root(
        ISSUER, holder=agent.key.public, asking=asking, lifetime_s=3600, now_us=now_us(), random_bytes=os.urandom,
        billing=Billing(org="acme", user="ann", account=account),
    )  # fmt: skip
    return agent
