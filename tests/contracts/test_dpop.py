"""Proofs over HTTP: each check of RFC 9449 section 4.3, in its order, and what we add for query and body."""

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from remit.contracts import (
    Freshness,
    HttpCall,
    ProofError,
    ProofStep,
    base64url,
    credential_hash,
    make_dpop,
)
from remit.contracts.jws import split_jws
from remit.errors import CredentialError, UsageError
from tests.contracts.cast import ED25519, ES256, ISS, NOW_S, NOW_US, chance
from tests.contracts.mutate import TEARS, leave_a_claim_out, write_a_claim, write_a_header, write_a_member_twice
from tests.contracts.plans import Plan, signed
from tests.contracts.proving import CALL, CREDENTIAL, HOLDER, THIEF, check, forged, plan, proof, refused
from tests.contracts.test_keys import SMALL_ORDER


@pytest.mark.parametrize("holder", [HOLDER, ES256.holders[0]], ids=["Ed25519", "ES256"])
def test_a_proof_passes_for_the_call_it_was_made_for(holder: Any) -> None:
    text = make_dpop(holder, CALL, credential=CREDENTIAL, now_us=NOW_US, random_bytes=chance(1))
    found = check(text, thumbprint=holder.public.thumbprint)
    assert found.thumbprint == holder.public.thumbprint
    assert found.binds_request
    assert found.body_hash is None
    assert found.session is None
    assert found.issued_us == NOW_US


def test_a_proof_looks_as_the_rfc_says() -> None:
    document = split_jws(proof(nonce="n-1", session="ses_1"), max_bytes=10_000)
    assert document.unverified_header == {"alg": "EdDSA", "typ": "dpop+jwt", "jwk": HOLDER.public.to_jwk()}
    claims = document.unverified_claims
    assert set(claims) == {"jti", "htm", "htu", "iat", "ath", "nonce", "remit_htq", "remit_htb", "remit_sid"}
    assert (claims["htm"], claims["htu"], claims["iat"]) == ("POST", "https://api.example.com/transfer", NOW_S)
    assert claims["ath"] == base64url.encode(hashlib.sha256(CREDENTIAL.encode()).digest())
    assert claims["remit_htq"] == base64url.encode(hashlib.sha256(CALL.query).digest())
    assert claims["remit_htb"] == base64url.encode(hashlib.sha256(CALL.body or b"").digest())


def test_the_hash_of_the_credential_is_that_of_the_rfc() -> None:
    # RFC 9449 section 7.1
    assert (
        credential_hash("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU") == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    )


def test_the_proof_of_the_rfc_passes_but_for_what_we_ask_beyond_it() -> None:
    # RFC 9449 section 7.1
    text = (
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJ"
        "oRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19."
        "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWR"
        "yZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9."
        "2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
    )
    call = HttpCall(method="GET", origin="https://resource.example.org", path="/protectedresource")
    settings = {
        "ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo",
        "thumbprint": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
        "now_us": 1_562_262_618_000_000,
    }
    found = check(text, call=call, **settings, must_bind_request=False)
    assert found.jti == "e1j3V_bKic8-LAEB"
    assert not found.binds_request
    assert refused(text, call=call, **settings) is ProofStep.QUERY_MISMATCH


@pytest.mark.parametrize("texts", [[], [proof(), proof()], [proof(), "x"]], ids=["none", "twice", "two"])
def test_a_request_carries_exactly_one_proof(texts: list[str]) -> None:
    assert refused(*texts) is ProofStep.MISSING


@pytest.mark.parametrize(
    "text",
    ["", "x", "a.b.c", proof() + "=", f"{proof()},{proof()}", "[" * 9000, proof().replace(".", "..", 1), CREDENTIAL],
    ids=["empty", "word", "three words", "padded", "list", "long", "four parts", "the chain"],
)
def test_what_is_no_signed_document_is_malformed(text: str) -> None:
    assert refused(text) is ProofStep.MALFORMED


@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat", "ath"])
def test_each_claim_that_the_rfc_requires_must_be_there(name: str) -> None:
    assert refused(forged(lambda p: p.with_claims(**{name: ...}))) is ProofStep.CLAIMS_MISSING


@pytest.mark.parametrize("typ", [..., "JWT", "aat+jwt", "DPOP+JWT", "application/dpop+jwt", "dpop", None, 5])
def test_another_type_of_document_is_no_proof(typ: object) -> None:
    assert refused(forged(lambda p: p.with_header(typ=typ))) is ProofStep.TYPE_REFUSED


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "ES384", "eddsa", ..., None, "ES256"])
def test_the_algorithm_is_that_of_the_key(alg: object) -> None:
    assert refused(forged(lambda p: p.with_header(alg=alg))) is ProofStep.ALGORITHM_REFUSED


@pytest.mark.parametrize("name", ["jku", "x5u", "x5c", "b64", "zip", "enc"])
def test_a_header_that_points_elsewhere_is_refused(name: str) -> None:
    assert refused(forged(lambda p: p.with_header(**{name: "x"}))) is ProofStep.HEADER_REFUSED


def test_an_extension_of_contracts_is_none_of_proofs() -> None:
    assert refused(forged(lambda p: p.with_header(crit=["remit"], remit=1))) is ProofStep.HEADER_REFUSED


@pytest.mark.parametrize(
    "jwk",
    [
        ...,
        None,
        "x",
        {"kty": "oct", "k": "c2VjcmV0"},
        HOLDER.to_jwk(),
        {**HOLDER.public.to_jwk(), "use": "enc"},
        {**ES256.thief.public.to_jwk(), "x": ES256.thief.public.to_jwk()["y"]},
        *({"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(encoded)} for encoded in SMALL_ORDER),
    ],
)
def test_the_key_of_a_proof_is_a_sound_public_key(jwk: object) -> None:
    assert refused(forged(lambda p: p.with_header(jwk=jwk))) is ProofStep.KEY_REFUSED


def test_a_kid_does_not_stand_for_the_key() -> None:
    assert refused(forged(lambda p: p.with_header(jwk=..., kid=HOLDER.public.thumbprint))) is ProofStep.KEY_REFUSED


def test_a_proof_signed_by_another_key_than_its_own_is_refused() -> None:
    assert refused(forged(lambda p: replace(p, key=THIEF))) is ProofStep.SIGNATURE_INVALID


def test_a_thief_who_has_the_chain_but_not_the_key_gets_nothing() -> None:
    text = make_dpop(THIEF, CALL, credential=CREDENTIAL, now_us=NOW_US, random_bytes=chance(1))
    assert refused(text) is ProofStep.HOLDER_BINDING_FAILED


def test_the_key_of_a_holder_above_is_not_that_of_the_leaf() -> None:
    text = make_dpop(ED25519.holders[0], CALL, credential=CREDENTIAL, now_us=NOW_US, random_bytes=chance(1))
    assert refused(text) is ProofStep.HOLDER_BINDING_FAILED


@pytest.mark.parametrize("method", ["GET", "post", "PUT", "POST ", ""])
def test_a_proof_is_for_one_method(method: str) -> None:
    assert refused(forged(lambda p: p.with_claims(htm=method))) is ProofStep.METHOD_MISMATCH
    assert refused(proof(), call=replace(CALL, method=method)) is ProofStep.METHOD_MISMATCH


@pytest.mark.parametrize(
    "htu",
    [
        "https://api.example.com/transfer",
        "HTTPS://API.Example.COM/transfer",
        "https://api.example.com:443/transfer",
        "https://api.example.com:/transfer",
        "https://api.example.com/%74ransfer",
        "https://api.example.com/a/../transfer",
        "https://api.example.com/./transfer",
    ],
)
def test_another_spelling_of_the_same_target_is_the_same(htu: str) -> None:
    assert check(forged(lambda p: p.with_claims(htu=htu))).jti == plan().claims["jti"]


@pytest.mark.parametrize(
    "htu",
    [
        "http://api.example.com/transfer",
        "https://api.example.com:8443/transfer",
        "https://api.example.com:0443/transfer",
        "https://api.example.com./transfer",
        "https://user@api.example.com/transfer",
        "https://other.example.com/transfer",
        "https://api.example.com.evil.example/transfer",
        "https://api.example.com/transfer/",
        "https://api.example.com//transfer",
        "https://api.example.com/Transfer",
        "https://api.example.com/transfer?dry=0",
        "https://api.example.com/transfer#x",
        "https://api.example.com/transfer%2f",
        "https://api.example.com/trans\u0000fer",
        "https://api.example.com",
        "/transfer",
        "transfer",
        "",
        None,
        5,
        ["https://api.example.com/transfer"],
    ],
)
def test_a_proof_is_for_one_target(htu: object) -> None:
    assert refused(forged(lambda p: p.with_claims(htu=htu))) is ProofStep.TARGET_MISMATCH


def test_the_target_is_the_configured_origin_whatever_the_request_says() -> None:
    evil = replace(CALL, origin="https://evil.example")
    assert refused(proof(evil)) is ProofStep.TARGET_MISMATCH


def test_the_target_of_the_request_is_normalised_as_well() -> None:
    call = replace(CALL, path="/a%2Fb/%7euser")
    assert check(proof(replace(call, path="/a%2fb/~user")), call=call).binds_request


@pytest.mark.parametrize("offset_s", [-30, -29, 0, 29, 30])
def test_a_proof_is_good_for_thirty_seconds_to_both_sides(offset_s: int) -> None:
    assert check(forged(lambda p: p.with_claims(iat=NOW_S + offset_s))).issued_us == (NOW_S + offset_s) * 1_000_000


@pytest.mark.parametrize(
    ("iat", "step"),
    [
        (NOW_S - 31, ProofStep.NOT_FRESH),
        (NOW_S + 31, ProofStep.NOT_FRESH),
        (NOW_S - 600, ProofStep.NOT_FRESH),
        (0, ProofStep.NOT_FRESH),
        (2**53 - 1, ProofStep.NOT_FRESH),
        (-1, ProofStep.CLAIM_INVALID),
        (NOW_S + 0.5, ProofStep.CLAIM_INVALID),
        (float(NOW_S), ProofStep.CLAIM_INVALID),
        (str(NOW_S), ProofStep.CLAIM_INVALID),
        (True, ProofStep.CLAIM_INVALID),
        (None, ProofStep.CLAIM_INVALID),
        ([NOW_S], ProofStep.CLAIM_INVALID),
    ],
)
def test_a_proof_of_another_time_is_refused(iat: object, step: ProofStep) -> None:
    assert refused(forged(lambda p: p.with_claims(iat=iat))) is step


@pytest.mark.parametrize("text", [b"NaN", b"1e400", b"-0"])
def test_a_time_that_is_no_number_everywhere_is_malformed(text: bytes) -> None:
    payload = json.dumps({**plan().claims, "iat": 0}).encode().replace(b'"iat": 0', b'"iat": ' + text)
    assert refused(forged(lambda p: replace(p, payload=payload))) is ProofStep.MALFORMED


def test_freshness_cannot_be_widened_beyond_a_minute() -> None:
    for changes in ({"window_us": 61_000_000}, {"skew_us": 61_000_000}, {"window_us": 0}, {"skew_us": -1}):
        with pytest.raises(UsageError, match="60 s"):
            Freshness(**changes)


@pytest.mark.parametrize(
    "ath",
    [
        credential_hash(CREDENTIAL.rpartition("~")[0]),
        credential_hash(CREDENTIAL.rpartition("~")[2]),
        hashlib.sha256(CREDENTIAL.encode()).hexdigest(),
        credential_hash(CREDENTIAL) + "=",
        "",
        "é",
        None,
        5,
    ],
    ids=["parent", "leaf alone", "hex", "padded", "empty", "not ASCII", "null", "number"],
)
def test_a_proof_is_for_the_whole_chain_and_no_other(ath: object) -> None:
    assert refused(forged(lambda p: p.with_claims(ath=ath))) is ProofStep.CREDENTIAL_MISMATCH


def test_a_nonce_that_is_asked_for_must_be_one_of_ours() -> None:
    assert check(proof(nonce="now"), nonces=["before", "now"]).jti
    for text in (proof(), proof(nonce="stale"), forged(lambda p: p.with_claims(nonce=5)), proof(nonce="x" * 300)):
        with pytest.raises(ProofError) as caught:
            check(text, nonces=["now", "é"])
        assert caught.value.step is ProofStep.NONCE_REQUIRED
        assert caught.value.oauth_error == "use_dpop_nonce"


def test_a_nonce_that_nobody_asked_for_does_no_harm() -> None:
    assert check(proof(nonce="whatever")).jti


def test_the_first_check_that_fails_decides() -> None:
    everything: list[tuple[Callable[[Plan], Plan], ProofStep]] = [
        (lambda p: p.with_claims(jti=...), ProofStep.CLAIMS_MISSING),
        (lambda p: p.with_header(typ="x"), ProofStep.TYPE_REFUSED),
        (lambda p: p.with_header(alg="none"), ProofStep.ALGORITHM_REFUSED),
        (lambda p: p.with_header(jwk=None), ProofStep.KEY_REFUSED),
        (lambda p: replace(p, key=THIEF), ProofStep.SIGNATURE_INVALID),
        (lambda p: p.with_claims(htm="x"), ProofStep.METHOD_MISMATCH),
        (lambda p: p.with_claims(htu="x"), ProofStep.TARGET_MISMATCH),
        (lambda p: p.with_claims(nonce="x"), ProofStep.NONCE_REQUIRED),
        (lambda p: p.with_claims(iat=0), ProofStep.NOT_FRESH),
        (lambda p: p.with_claims(ath="x"), ProofStep.CREDENTIAL_MISMATCH),
        (lambda p: p.with_claims(remit_htq="x"), ProofStep.QUERY_MISMATCH),
        (lambda p: p.with_claims(remit_htb="x"), ProofStep.BODY_MISMATCH),
        (lambda p: p.with_claims(remit_sid=""), ProofStep.CLAIM_INVALID),
    ]
    for first in range(len(everything)):
        changed = plan(proof(nonce="now"))
        for change, _ in reversed(everything[first:]):
            changed = change(changed)
        assert refused(signed(changed), nonces=["now"]) is everything[first][1]


def test_a_contract_is_no_proof_and_a_proof_is_no_contract() -> None:
    assert refused(CREDENTIAL.split("~")[2]) in (ProofStep.CLAIMS_MISSING, ProofStep.TYPE_REFUSED)
    dressed = forged(lambda p: p.with_header(typ="aat+jwt").with_claims(iss=ISS))
    assert refused(dressed) is ProofStep.TYPE_REFUSED


def test_a_proof_for_a_call_whose_body_is_unknown_cannot_be_made() -> None:
    with pytest.raises(UsageError, match="body"):
        proof(replace(CALL, body=None))


def test_a_proof_can_be_made_for_any_credential() -> None:
    text = make_dpop(HOLDER, CALL, credential="remit_abc", now_us=NOW_US, random_bytes=chance(1))
    assert check(text, ath=credential_hash("remit_abc")).jti
    with pytest.raises(CredentialError):
        check(text)


@pytest.mark.parametrize("seed", range(4))
def test_no_hostile_proof_passes_and_none_breaks_the_verifier(seed: int) -> None:
    hostile, sound = random.Random(seed), proof(session="ses_1")
    passed = 0
    for number in range(250):
        text = sound
        if number % 2:
            while text == sound:
                text = hostile.choice(TEARS[:4])(text, hostile, ED25519)
        else:
            change = hostile.choice((write_a_claim, write_a_header, leave_a_claim_out, write_a_member_twice))
            text = signed(change(plan(sound), hostile, ED25519))
        try:
            found = check(text)
        except ProofError:
            continue
        passed += 1
        assert number % 2 == 0, text
        assert found.thumbprint == HOLDER.public.thumbprint
    assert passed > 0  # claims of others are ignored, so some forgeries are sound
