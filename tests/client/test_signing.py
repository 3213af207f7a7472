"""The headers of one request: good for exactly that request, and telling nobody anything."""

import os
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.contracts import (
    ContractError,
    HttpCall,
    HttpProof,
    ProofError,
    chain_name,
    credential_hash,
    verify_dpop,
)
from remit.entrypoints.client import Signer, contract_signer, key_signer
from remit.entrypoints.client.signing import CHAINS_PATH, MAX_ORIGINS, UPLOAD_ABOVE_CHARS
from remit.errors import UsageError
from tests.contracts.cast import ED25519, ES256, MIXED, NOW_US, chain, chance

CHAIN = chain()
HOLDER = ED25519.holders[2]
URL = "https://api.example.com/transfer?dry=1&x=%41"
SECRETS = (HOLDER.to_jwk()["d"], CHAIN)


def signer(credential: str = CHAIN, **more: Any) -> Signer:
    return Signer(credential, HOLDER, now_us=lambda: NOW_US, random_bytes=os.urandom, **more)


def checked(
    headers: dict[str, str], method: str, url: str, body: bytes, *, credential: str = CHAIN, **more: Any
) -> HttpProof:
    parts = urlsplit(url)
    call = HttpCall(
        method=method, origin=f"{parts.scheme}://{parts.netloc}", path=parts.path or "/", query=parts.query.encode(),
        body=body,
    )  # fmt: skip
    settings = {"now_us": NOW_US, "must_bind_request": True, "thumbprint": HOLDER.public.thumbprint, **more}
    return verify_dpop([headers["dpop"]], call, ath=credential_hash(credential), **settings)


methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"])
hosts = st.sampled_from(["api.example.com", "127.0.0.1:8080", "[::1]:9000", "localhost", "api.example.com:443"])
paths = st.text("abz09-._~%41/", max_size=12).map(lambda text: "/" + text.replace("%", "%41"))
queries = st.text("ab=&%2B+/?:;,", max_size=12).map(lambda text: text.replace("%", "%2B"))
requests = st.tuples(
    methods, st.builds(lambda host, path, query: f"https://{host}{path}?{query}", hosts, paths, queries), st.binary(max_size=20)
)  # fmt: skip


@given(requests)
def test_what_is_signed_is_accepted_for_that_request(request: tuple[str, str, bytes]) -> None:
    method, url, body = request
    headers = signer().headers_for(method, url, body)
    assert headers["authorization"] == f"DPoP {CHAIN}"
    assert checked(headers, method, url, body).binds_request


@given(requests, requests)
def test_what_is_signed_for_one_request_is_refused_for_another(
    one: tuple[str, str, bytes], other: tuple[str, str, bytes]
) -> None:
    headers = signer().headers_for(*one)
    same = one[0] == other[0] and one[2] == other[2] and _same_target(one[1], other[1])
    if not same:
        with pytest.raises(ProofError):
            checked(headers, *other)


def _same_target(one: str, other: str) -> bool:
    from remit.contracts.uris import normalise_target

    (left, _, left_query), (right, _, right_query) = one.partition("?"), other.partition("?")
    return left_query == right_query and normalise_target(left) == normalise_target(right)


def test_every_proof_is_a_new_one() -> None:
    made = signer()
    proofs = {checked(made.headers_for("GET", URL), "GET", URL, b"").jti for _ in range(10)}
    assert len(proofs) == 10


def test_a_text_body_is_signed_as_utf_8_and_no_body_as_an_empty_one() -> None:
    checked(signer().headers_for("post", URL, "übrig"), "POST", URL, "übrig".encode())
    checked(signer().headers_for("GET", URL), "GET", URL, b"")


def test_user_information_and_fragments_are_not_part_of_what_is_signed() -> None:
    headers = signer().headers_for("GET", "https://anna:secret@API.example.com:443/transfer?dry=1&x=%41#top")
    checked(headers, "GET", URL, b"")


@pytest.mark.parametrize("cast", [ED25519, ES256, MIXED], ids=["ed25519", "es256", "mixed"])
def test_a_contract_signer_takes_the_holders_key_in_every_form(cast: Any) -> None:
    text, holder = chain(cast), cast.holders[2]
    for key in (holder, holder.to_json(), holder.to_json().decode()):
        assert contract_signer(f"{text}\n", key).headers_for("GET", URL)["authorization"] == f"DPoP {text}"


def test_another_key_than_the_holders_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(UsageError, match="not the one that the contract was made for") as caught:
        contract_signer(CHAIN, ED25519.thief)
    assert HOLDER.public.thumbprint in str(caught.value)
    with pytest.raises(UsageError, match="must be a JWK"):
        contract_signer(CHAIN, "not a key")


@pytest.mark.parametrize("text", ["", "x", "a.b.c", CHAIN[:-9], CHAIN.replace("~", "~~"), "~".join([CHAIN] * 9)])
def test_what_is_no_chain_is_refused_before_anything_is_sent(text: str) -> None:
    with pytest.raises(ContractError):
        contract_signer(text, HOLDER)


def test_an_api_key_that_is_bound_is_signed_for_in_the_same_way() -> None:
    headers = key_signer("remit_k7f3_secret\n", HOLDER).headers_for("POST", URL, b"{}")
    assert headers["authorization"] == "DPoP remit_k7f3_secret"


@pytest.mark.parametrize("text", ["", "two words", "line\nbreak", "ключ", "\x00"])
def test_a_credential_that_is_no_header_value_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        signer(text)


@pytest.mark.parametrize(
    "url",
    [
        "", "api.example.com/x", "/transfer", "ftp://api.example.com/", "https://", "https:///x", "https://a b/", "https://[::1/",
        "https://api.example.com/ä", "https://api.example.com/\r\nx: y", "https://api.example.com/a b", "javascript:alert(1)",
        "https://api.example.com/%zz", "https://api.example.com:99999999/", 'https://api.example.com/"',
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_signed_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        signer().headers_for("GET", url)


def test_no_secret_is_shown_by_a_signer_or_its_complaints() -> None:
    made = signer()
    with pytest.raises(UsageError) as caught:
        made.headers_for("GET", "no url")
    assert all(secret not in f"{made!r} {vars(made).keys()} {caught.value}" for secret in SECRETS)


def test_a_nonce_is_used_from_then_on_at_the_guard_that_gave_it_and_nowhere_else() -> None:
    made = signer()
    asked = {"dpop-nonce": "n-1", "www-authenticate": 'DPoP error="use_dpop_nonce", algs="EdDSA ES256"'}
    assert made.learn(URL, 401, asked)
    checked(made.headers_for("GET", URL), "GET", URL, b"", nonces=["n-1"])
    assert not made.learn(URL, 200, {"dpop-nonce": "n-2"})
    checked(made.headers_for("GET", URL), "GET", URL, b"", nonces=["n-2"])
    with pytest.raises(ProofError):
        checked(made.headers_for("GET", "https://b.example/"), "GET", "https://b.example/", b"", nonces=["n-2"])


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (401, {}),
        (401, {"dpop-nonce": "n"}),
        (401, {"www-authenticate": 'DPoP error="use_dpop_nonce"'}),
        (401, {"dpop-nonce": "n" * 300, "www-authenticate": 'DPoP error="use_dpop_nonce"'}),
        (401, {"dpop-nonce": "ñ", "www-authenticate": 'DPoP error="use_dpop_nonce"'}),
        (401, {"dpop-nonce": "a\tb", "www-authenticate": 'DPoP error="use_dpop_nonce"'}),
        (403, {"dpop-nonce": "n", "www-authenticate": 'DPoP error="use_dpop_nonce"'}),
        (200, {"dpop-nonce": "n"}),
    ],
)
def test_only_a_401_that_asks_for_a_nonce_and_gives_one_is_worth_a_second_try(
    status: int, headers: dict[str, str]
) -> None:
    assert not signer().learn(URL, status, headers)


def test_nonces_of_endless_guards_do_not_fill_the_memory() -> None:
    made = signer()
    for number in range(MAX_ORIGINS * 3):
        made.learn(f"https://g{number}.example/", 200, {"dpop-nonce": "n"})
    assert len(made._nonces) == MAX_ORIGINS


def test_a_credential_for_one_guard_is_not_shown_to_another() -> None:
    made = signer(origin="https://API.example.com:443")
    assert made.covers(URL)
    assert not made.covers("https://api.example.com.evil.example/transfer")
    assert not made.covers("http://api.example.com/transfer")
    assert not made.covers("https://api.example.com:8443/transfer")
    assert signer().covers("https://anywhere.example/")


def test_the_session_of_the_calls_stands_in_the_proof() -> None:
    assert checked(signer(session="ses_1").headers_for("GET", URL), "GET", URL, b"").session == "ses_1"


def test_a_long_chain_is_uploaded_once_and_named_afterwards() -> None:
    long = "x" * (UPLOAD_ABOVE_CHARS + 1)
    made = signer(long, may_upload=True)
    upload = made.upload_for(URL)
    assert upload is not None
    assert upload.url == f"https://api.example.com{CHAINS_PATH}"
    assert "authorization" not in upload.headers
    checked(upload.headers, "POST", upload.url, upload.body, credential=long)
    assert made.headers_for("GET", URL)["authorization"] == f"DPoP {long}"
    made.uploaded(URL, 201)
    assert made.upload_for(URL) is None
    headers = made.headers_for("GET", URL)
    assert headers["authorization"] == f"DPoP {chain_name(long)}"
    checked(headers, "GET", URL, b"", credential=long)
    assert made.upload_for("https://other.example/") is not None


def test_a_chain_that_a_guard_does_not_keep_travels_with_every_request() -> None:
    long = "x" * (UPLOAD_ABOVE_CHARS + 1)
    made = signer(long, may_upload=True)
    made.uploaded(URL, 503)
    assert made.upload_for(URL) is not None
    made.uploaded(URL, 404)
    assert made.upload_for(URL) is None
    assert made.headers_for("GET", URL)["authorization"] == f"DPoP {long}"


def test_a_chain_that_a_guard_has_forgotten_is_uploaded_again() -> None:
    made = signer("x" * (UPLOAD_ABOVE_CHARS + 1), may_upload=True)
    made.uploaded(URL, 201)
    made.learn(URL, 401, {})
    assert made.upload_for(URL) is not None


def test_a_short_chain_and_an_api_key_are_never_uploaded() -> None:
    assert contract_signer(CHAIN, HOLDER).upload_for(URL) is None
    assert signer("x" * 10_000).upload_for(URL) is None


def test_the_time_and_the_chance_of_a_proof_are_given_from_outside() -> None:
    made = [Signer(CHAIN, HOLDER, now_us=lambda: NOW_US, random_bytes=chance(1)) for _ in range(2)]
    first, second = (each.headers_for("GET", URL) for each in made)
    assert first == second
    assert checked(first, "GET", URL, b"").issued_us == NOW_US
