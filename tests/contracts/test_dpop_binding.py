"""What we add to DPoP: query and body are bound, and a proof is remembered by its key and id for as long as it is fresh."""

from dataclasses import replace

import pytest

from remit.contracts import (
    Algorithm,
    ProofError,
    ProofStep,
    base64url,
    check_body,
    make_dpop,
)
from remit.contracts.points import P256_ORDER
from tests.contracts.cast import NOW_S, NOW_US, chance, key
from tests.contracts.proving import CALL, CREDENTIAL, THIEF, check, forged, proof, refused
from tests.contracts.test_keys import halves, joined


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"body": b'{"amount":500}'}, ProofStep.BODY_MISMATCH),
        ({"body": b""}, ProofStep.BODY_MISMATCH),
        ({"query": b"dry=1&x=%41"}, ProofStep.QUERY_MISMATCH),
        ({"query": b"dry=0&x=A"}, ProofStep.QUERY_MISMATCH),
        ({"query": b""}, ProofStep.QUERY_MISMATCH),
    ],
)
def test_query_and_body_cannot_change_under_a_proof(changes: dict[str, bytes], step: ProofStep) -> None:
    call = replace(CALL, **changes)  # type: ignore[arg-type]  # bytes for fields of bytes
    assert refused(proof(), call=call) is step
    assert refused(proof(), call=call, must_bind_request=False) is step


@pytest.mark.parametrize(
    ("name", "step"), [("remit_htq", ProofStep.QUERY_MISMATCH), ("remit_htb", ProofStep.BODY_MISMATCH)]
)
def test_a_proof_that_does_not_bind_the_request_passes_only_where_that_is_enough(name: str, step: ProofStep) -> None:
    text = forged(lambda p: p.with_claims(**{name: ...}))
    assert refused(text) is step
    assert not check(text, must_bind_request=False).binds_request
    for value in (None, "", 5, "x" * 43):
        assert refused(forged(lambda p, value=value: p.with_claims(**{name: value}))) is step  # type: ignore[misc]  # bound now


def test_a_body_that_comes_later_is_checked_when_it_is_there() -> None:
    found = check(proof(), call=replace(CALL, body=None))
    check_body(found, CALL.body or b"")
    with pytest.raises(ProofError) as caught:
        check_body(found, b'{"amount":500}')
    assert caught.value.step is ProofStep.BODY_MISMATCH
    odd = check(forged(lambda p: p.with_claims(remit_htb=5)), call=replace(CALL, body=None))
    with pytest.raises(ProofError):
        check_body(odd, CALL.body or b"")


def test_a_body_that_was_bound_already_needs_no_second_look() -> None:
    check_body(check(proof()), b"anything")


@pytest.mark.parametrize("jti", ["", "x" * 257, 5, None, "é", "a\nb", ["x"]])
def test_the_id_of_a_proof_is_a_short_text(jti: object) -> None:
    assert refused(forged(lambda p: p.with_claims(jti=jti))) is ProofStep.CLAIM_INVALID


def test_an_id_of_a_megabyte_is_refused_by_its_size() -> None:
    assert refused(forged(lambda p: p.with_claims(jti="x" * 1_000_000))) is ProofStep.MALFORMED


def test_a_session_is_named_in_the_proof() -> None:
    assert check(proof(session="ses_abc")).session == "ses_abc"
    for session in ("", "x" * 129, 5, None, "a\nb"):
        text = forged(lambda p, session=session: p.with_claims(remit_sid=session))  # type: ignore[misc]  # bound now
        assert refused(text) is ProofStep.CLAIM_INVALID


def test_a_claim_of_ours_that_is_not_known_refuses_the_proof() -> None:
    assert refused(forged(lambda p: p.with_claims(remit_body="x"))) is ProofStep.CLAIM_INVALID


def test_claims_of_others_are_ignored() -> None:
    assert check(forged(lambda p: p.with_claims(sub="x", aud="y"))).jti


def test_a_proof_is_remembered_by_key_and_id_for_as_long_as_it_could_be_fresh() -> None:
    early = check(forged(lambda p: p.with_claims(iat=NOW_S + 30)))
    assert early.single_use.not_after_us == (NOW_S + 90) * 1_000_000
    late = check(forged(lambda p: p.with_claims(iat=NOW_S - 30, htu="https://API.example.com:443/transfer")))
    assert late.single_use.not_after_us == (NOW_S + 30) * 1_000_000
    assert late.single_use.key == early.single_use.key  # whatever else it says, the same id is the same proof


def test_proofs_of_different_keys_or_ids_are_remembered_apart() -> None:
    others = [
        check(proof(random_bytes=chance(2))),
        check(
            make_dpop(THIEF, CALL, credential=CREDENTIAL, now_us=NOW_US, random_bytes=chance(1)),
            thumbprint=THIEF.public.thumbprint,
        ),
    ]
    assert len({found.single_use.key for found in (check(proof()), *others)}) == 3


def test_the_twin_of_an_es256_proof_is_the_same_proof() -> None:
    holder = key("x", Algorithm.ES256)
    text = make_dpop(holder, CALL, credential=CREDENTIAL, now_us=NOW_US, random_bytes=chance(1))
    signing_input, _, signature = text.rpartition(".")
    r, s = halves(base64url.decode(signature.encode()))
    twin = f"{signing_input}.{base64url.encode(joined(r, P256_ORDER - s))}"
    first, second = (check(each, thumbprint=holder.public.thumbprint) for each in (text, twin))
    assert text != twin
    assert first.single_use == second.single_use
