"""The calls, proofs and forgeries that the tests of DPoP share."""

from collections.abc import Callable
from typing import Any

import pytest

from remit.contracts import HttpCall, HttpProof, ProofError, ProofStep, credential_hash, make_dpop, verify_dpop
from remit.contracts.jws import split_jws
from tests.contracts.cast import ED25519, NOW_US, chain, chance
from tests.contracts.plans import Plan, signed

HOLDER, THIEF = ED25519.holders[2], ED25519.thief
CREDENTIAL = chain()
CALL = HttpCall(
    method="POST", origin="https://api.example.com", path="/transfer", query=b"dry=0&x=%41", body=b'{"amount":5}'
)


def proof(call: HttpCall = CALL, **more: Any) -> str:
    settings = {"credential": CREDENTIAL, "now_us": NOW_US, "random_bytes": chance(1), **more}
    return make_dpop(HOLDER, call, **settings)


def plan(text: str | None = None) -> Plan:
    document = split_jws(text or proof(), max_bytes=10_000)
    return Plan(document.unverified_header, document.unverified_claims, HOLDER)


def check(*texts: str, call: HttpCall = CALL, **more: Any) -> HttpProof:
    settings = {
        "ath": credential_hash(CREDENTIAL),
        "thumbprint": HOLDER.public.thumbprint,
        "now_us": NOW_US,
        "must_bind_request": True,
        **more,
    }
    return verify_dpop(list(texts), call, **settings)


def refused(*texts: str, call: HttpCall = CALL, **more: Any) -> ProofStep:
    with pytest.raises(ProofError) as caught:
        check(*texts, call=call, **more)
    assert caught.value.reason == "invalid_credential"
    return caught.value.step


def forged(change: Callable[[Plan], Plan]) -> str:
    return signed(change(plan()))
