"""Proofs for tools in the same process: the tool, its arguments as canonical bytes, and for whom they are."""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from remit.contracts import (
    ProofError,
    ProofStep,
    ToolProof,
    as_json,
    base64url,
    make_tool_proof,
    verify_chain,
    verify_tool_proof,
)
from remit.contracts.jws import split_jws
from remit.core.strict_json import JsonValue
from remit.errors import CredentialError
from tests.contracts.cast import CHECK, ED25519, LEDGER, NOW_S, NOW_US, PAY, chain, chance, trusted
from tests.contracts.mutate import TEARS
from tests.contracts.plans import Plan, build, plans, signed

HOLDER = ED25519.holders[2]
VERIFIED = verify_chain(chain(), trusted(), now_us=NOW_US)
ARGUMENTS: dict[str, Any] = {"amount": 12.5, "currency": "USD"}


def proof(**changes: Any) -> str:
    settings = {
        "leaf_jti": VERIFIED.chain.leaf.jti,
        "tool": PAY,
        "arguments": ARGUMENTS,
        "audience": LEDGER,
        "now_us": NOW_US,
        "random_bytes": chance(1),
        **changes,
    }
    return make_tool_proof(HOLDER, **settings)


def check(text: str, arguments: Mapping[str, object] = ARGUMENTS, **changes: Any) -> ToolProof:
    given: dict[str, JsonValue] = {name: as_json(value) for name, value in arguments.items()}
    settings = {"tool": PAY, "arguments": given, "audience": LEDGER, "now_us": NOW_US, **changes}
    return verify_tool_proof(
        text, changes.pop("verified", VERIFIED), **{k: v for k, v in settings.items() if k != "verified"}
    )


def refused(text: str, **changes: Any) -> ProofStep:
    with pytest.raises(ProofError) as caught:
        check(text, **changes)
    return caught.value.step


def forged(change: Callable[[Plan], Plan]) -> str:
    document = split_jws(proof(), max_bytes=10_000)
    claims = json.loads(document.payload)
    changed = change(Plan(document.unverified_header, claims, HOLDER))
    if changed.payload is None:
        text = json.dumps(changed.claims, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        changed = replace(changed, payload=text.encode())
    return signed(changed)


def test_a_proof_passes_for_the_call_it_was_made_for() -> None:
    found = check(proof())
    assert found.thumbprint == HOLDER.public.thumbprint
    assert found.issued_us == NOW_US
    assert found.single_use.not_after_us == NOW_US + 60_000_000


def test_a_proof_is_canonical_json_with_the_claims_of_the_draft() -> None:
    document = split_jws(proof(), max_bytes=10_000)
    assert document.unverified_header == {"alg": "EdDSA", "typ": "aat-pop+jwt"}
    jti = document.unverified_claims["jti"]
    assert document.payload.decode() == (
        f'{{"aat_aud":"{LEDGER}","aat_id":"{VERIFIED.chain.leaf.jti}","aat_tool":"{PAY}",'
        f'"hta":{{"amount":12.5,"currency":"USD"}},"iat":{NOW_S},"jti":"{jti}"}}'
    )


def test_what_the_leaf_does_not_allow_is_refused_before_the_proof_is_looked_at() -> None:
    wrong: list[dict[str, Any]] = [
        {"arguments": {"amount": 101, "currency": "USD"}},
        {"tool": CHECK},
        {"arguments": {}},
    ]
    for changes in wrong:
        with pytest.raises(CredentialError) as caught:
            check("not a proof", **changes)
        assert caught.value.reason == "not_allowed"


@pytest.mark.parametrize(
    "arguments",
    [
        {"amount": 12.50, "currency": "USD"},
        {"currency": "USD", "amount": 12.5},
    ],
)
def test_equal_arguments_are_the_same_however_they_are_written(arguments: dict[str, Any]) -> None:
    assert check(proof(), arguments).jti


@pytest.mark.parametrize("arguments", [{"amount": 12.51, "currency": "USD"}, {"amount": 13, "currency": "USD"}])
def test_a_proof_is_for_these_arguments_only(arguments: dict[str, Any]) -> None:
    with pytest.raises(ProofError) as caught:
        check(proof(), arguments)
    assert caught.value.step is ProofStep.ARGUMENTS_MISMATCH


@pytest.mark.parametrize("name", ["jti", "iat", "aat_id", "aat_tool", "aat_aud", "hta"])
def test_every_claim_must_be_there(name: str) -> None:
    assert refused(forged(lambda p: p.with_claims(**{name: ...}))) is ProofStep.CLAIMS_MISSING


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (lambda p: p.with_header(typ="JWT"), ProofStep.TYPE_REFUSED),
        (lambda p: p.with_header(typ="aat+jwt"), ProofStep.TYPE_REFUSED),
        (lambda p: p.with_header(typ=...), ProofStep.TYPE_REFUSED),
        (lambda p: p.with_header(alg="none"), ProofStep.ALGORITHM_REFUSED),
        (lambda p: p.with_header(alg="ES256"), ProofStep.ALGORITHM_REFUSED),
        (lambda p: p.with_header(jwk=HOLDER.public.to_jwk()), ProofStep.HEADER_REFUSED),
        (lambda p: p.with_header(crit=["remit"], remit=1), ProofStep.HEADER_REFUSED),
        (lambda p: replace(p, key=ED25519.thief), ProofStep.SIGNATURE_INVALID),
        (lambda p: replace(p, key=ED25519.holders[1]), ProofStep.SIGNATURE_INVALID),
        (lambda p: p.with_claims(aat_id="x"), ProofStep.CONTRACT_MISMATCH),
        (lambda p: p.with_claims(aat_id=VERIFIED.chain.root.jti), ProofStep.CONTRACT_MISMATCH),
        (lambda p: p.with_claims(aat_aud="https://other.example"), ProofStep.AUDIENCE_MISMATCH),
        (lambda p: p.with_claims(aat_aud=LEDGER + "/"), ProofStep.AUDIENCE_MISMATCH),
        (lambda p: p.with_claims(aat_aud=[LEDGER]), ProofStep.AUDIENCE_MISMATCH),
        (lambda p: p.with_claims(aat_tool=CHECK), ProofStep.TOOL_MISMATCH),
        (lambda p: p.with_claims(aat_tool=PAY.upper()), ProofStep.TOOL_MISMATCH),
        (lambda p: p.with_claims(aat_tool="é"), ProofStep.TOOL_MISMATCH),
        (lambda p: p.with_claims(hta={"amount": 12.5}), ProofStep.ARGUMENTS_MISMATCH),
        (lambda p: p.with_claims(hta=[]), ProofStep.ARGUMENTS_MISMATCH),
        (lambda p: p.with_claims(hta=None), ProofStep.ARGUMENTS_MISMATCH),
        (lambda p: p.with_claims(iat=NOW_S - 31), ProofStep.NOT_FRESH),
        (lambda p: p.with_claims(iat=NOW_S + 31), ProofStep.NOT_FRESH),
        (lambda p: p.with_claims(iat=str(NOW_S)), ProofStep.CLAIM_INVALID),
        (lambda p: p.with_claims(jti=""), ProofStep.CLAIM_INVALID),
        (lambda p: p.with_claims(jti="C980F2A1-4A37-4E88-BB3C-9DEFD37C1A45"), ProofStep.CLAIM_INVALID),
    ],
)
def test_each_step_of_the_draft_refuses_what_it_is_for(change: Callable[[Plan], Plan], step: ProofStep) -> None:
    assert refused(forged(change)) is step


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text.replace('"hta"', ' "hta"'),
        lambda text: text.replace("12.5", "12.50"),
        lambda text: text.replace('"USD"', '"\\u0055SD"'),
        lambda text: text.replace('{"aat_aud"', '{"zzz":1,"aat_aud"'),
        lambda text: text + "\n",
        lambda text: text.replace('"hta":{', '"hta":{"amount":1,'),
        lambda text: text.replace("12.5", "12.500000000000000001"),
    ],
    ids=["space", "zero", "escape", "order", "line feed", "member twice", "no double"],
)
def test_a_payload_that_is_not_canonical_is_refused(rewrite: Callable[[str], str]) -> None:
    payload = rewrite(base64url.decode(proof().split(".")[1].encode()).decode()).encode()
    assert refused(forged(lambda p: replace(p, payload=payload))) is ProofStep.MALFORMED


def test_claims_of_others_are_ignored_where_they_are_canonical() -> None:
    assert check(forged(lambda p: p.with_claims(zzz={"b": 1, "a": [True, None]}))).jti


@pytest.mark.parametrize("text", ["", "a.b.c", "x" * 70_000, chain()], ids=["empty", "words", "long", "a chain"])
def test_what_is_no_signed_document_is_malformed(text: str) -> None:
    assert refused(text) is ProofStep.MALFORMED


def test_a_plain_type_is_accepted_from_issuers_configured_so() -> None:
    text = build([plan.with_header(typ="JWT") for plan in plans()])
    plain = verify_chain(text, trusted(plain_jwt=True), now_us=NOW_US)
    assert check(forged(lambda p: p.with_header(typ="JWT")), verified=plain).jti


def test_the_first_step_that_fails_decides() -> None:
    everything: list[tuple[Callable[[Plan], Plan], ProofStep]] = [
        (lambda p: p.with_header(alg="none"), ProofStep.ALGORITHM_REFUSED),
        (lambda p: replace(p, key=ED25519.thief), ProofStep.SIGNATURE_INVALID),
        (lambda p: p.with_claims(aat_id="x"), ProofStep.CONTRACT_MISMATCH),
        (lambda p: p.with_claims(aat_aud="x"), ProofStep.AUDIENCE_MISMATCH),
        (lambda p: p.with_claims(aat_tool="x"), ProofStep.TOOL_MISMATCH),
        (lambda p: p.with_claims(hta={}), ProofStep.ARGUMENTS_MISMATCH),
        (lambda p: p.with_claims(iat=0), ProofStep.NOT_FRESH),
    ]
    for first in range(len(everything)):

        def change(plan: Plan, first: int = first) -> Plan:
            for each, _ in reversed(everything[first:]):
                plan = each(plan)
            return plan

        assert refused(forged(change)) is everything[first][1]


@pytest.mark.parametrize("seed", range(4))
def test_no_torn_proof_passes_and_none_breaks_the_verifier(seed: int) -> None:
    hostile, sound = random.Random(seed), proof()
    for _ in range(150):
        text = sound
        while text == sound:
            text = hostile.choice(TEARS[:4])(text, hostile, ED25519)
        with pytest.raises(ProofError):
            check(text)
