"""Signed documents as text: one spelling each, and nothing in a header that is followed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.contracts import ContractError, Step, base64url
from remit.contracts.base64url import NotCanonical
from remit.contracts.jws import check_header, sign_jws, split_jws
from remit.core.strict_json import JsonValue
from tests.contracts.cast import key

HEADER: dict[str, JsonValue] = {"alg": "EdDSA", "typ": "aat+jwt"}


def compact(header: bytes = b'{"alg":"EdDSA"}', payload: bytes = b"{}", signature: bytes = b"\0" * 64) -> str:
    return ".".join(base64url.encode(part) for part in (header, payload, signature))


def step_of(text: str, *, max_bytes: int = 16_384) -> Step:
    with pytest.raises(ContractError) as caught:
        split_jws(text, max_bytes=max_bytes)
    return caught.value.step


@given(st.binary(max_size=200))
def test_base64url_gives_back_what_was_put_in(data: bytes) -> None:
    assert base64url.decode(base64url.encode(data).encode()) == data


@given(st.binary(max_size=40))
def test_a_text_that_decodes_is_the_only_one_that_means_it(text: bytes) -> None:
    try:
        data = base64url.decode(text)
    except NotCanonical:
        return
    assert base64url.encode(data).encode() == text


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA=",
        "AA==",
        "AB",
        "AAB",
        "A+AA",
        "A/AA",
        "AA AA",
        "AA\nAA",
        "AA\r\nAA",
        "\tAAAA",
        "AAAA ",
        "AA\0A",
        "ÀAAA",
    ],
)
def test_another_spelling_of_base64url_is_refused(text: str) -> None:
    with pytest.raises(NotCanonical):
        base64url.decode(text.encode())


def test_a_signed_document_comes_apart_into_what_was_signed() -> None:
    private = key("somebody")
    document = split_jws(sign_jws({"typ": "aat+jwt"}, b'{"jti":"1"}', private), max_bytes=1000)
    assert document.unverified_header == HEADER
    assert document.unverified_claims == {"jti": "1"}
    assert private.public.verifies(document.signature, document.signing_input)


@pytest.mark.parametrize(
    ("text", "step"),
    [
        pytest.param("", Step.MALFORMED, id="empty"),
        pytest.param("a.b", Step.MALFORMED, id="two parts"),
        pytest.param("a.b.c.d.e", Step.MALFORMED, id="five parts: JWE"),
        pytest.param(compact() + ".", Step.MALFORMED, id="four parts"),
        pytest.param(compact().replace(".", ".\u00e9", 1), Step.MALFORMED, id="not ASCII"),
        pytest.param(compact() + "=", Step.NON_CANONICAL, id="padding"),
        pytest.param(compact() + "\n", Step.NON_CANONICAL, id="line feed"),
        pytest.param(" " + compact(), Step.NON_CANONICAL, id="space"),
        pytest.param(compact(payload=b"[]"), Step.MALFORMED, id="payload is an array"),
        pytest.param(compact(header=b"null"), Step.MALFORMED, id="header is null"),
        pytest.param(compact(payload=b""), Step.MALFORMED, id="no payload"),
        pytest.param(compact(payload=b'{"a":1,"a":2}'), Step.MALFORMED, id="member twice"),
        pytest.param(compact(payload=b'{"cap":1,"\\u0063ap":2}'), Step.MALFORMED, id="member twice by escape"),
        pytest.param(compact(header=b'{"alg":"none","alg":"EdDSA"}'), Step.MALFORMED, id="alg twice"),
        pytest.param(compact(payload=b'{"a":{"b":1,"b":1}}'), Step.MALFORMED, id="member twice below"),
        pytest.param(compact(payload=b'{"a":NaN}'), Step.MALFORMED, id="NaN"),
        pytest.param(compact(payload=b'{"a":Infinity}'), Step.MALFORMED, id="infinity"),
        pytest.param(compact(payload=b'{"a":-0}'), Step.MALFORMED, id="minus zero"),
        pytest.param(compact(payload=b'{"a":1e400}'), Step.MALFORMED, id="beyond doubles"),
        pytest.param(compact(payload=b'{"a":9007199254740993}'), Step.MALFORMED, id="2^53+1"),
        pytest.param(compact(payload=b'{"a":%s}' % (b"9" * 400)), Step.MALFORMED, id="400 digits"),
        pytest.param(compact(payload=b'\xef\xbb\xbf{"a":1}'), Step.MALFORMED, id="byte order mark"),
        pytest.param(compact(payload='{"a":1}'.encode("utf-16")), Step.MALFORMED, id="UTF-16"),
        pytest.param(compact(payload=b'{"a":"\xff"}'), Step.MALFORMED, id="not UTF-8"),
        pytest.param(compact(payload=b'{"a":"\\ud800"}'), Step.MALFORMED, id="half a surrogate pair"),
        pytest.param(compact(payload=b'{"a":1} x'), Step.MALFORMED, id="trailing text"),
        pytest.param(compact(payload=b'{"a":1,}'), Step.MALFORMED, id="trailing comma"),
        pytest.param(compact(payload=b"[" * 3000), Step.MALFORMED, id="3,000 deep"),
        pytest.param(json.dumps({"payload": "", "signatures": []}), Step.MALFORMED, id="JSON serialisation"),
        pytest.param(compact(header=b'{"alg":"EdDSA","kid":"%s"}' % (b"x" * 2000)), Step.TOO_LARGE, id="long header"),
    ],
)
def test_a_document_that_two_readers_could_read_differently_is_refused(text: str, step: Step) -> None:
    assert step_of(text) is step


def test_a_document_is_measured_before_it_is_decoded() -> None:
    assert step_of("~" * 1001, max_bytes=1000) is Step.TOO_LARGE
    assert step_of("[" * 1_000_000) is Step.TOO_LARGE


def test_every_character_of_a_document_counts() -> None:
    text = sign_jws({"typ": "aat+jwt"}, b'{"jti":"1"}', key("somebody"))
    for place, char in enumerate(text):
        for other in "A=+/ .~":
            changed = text[:place] + other + text[place + 1 :]
            if other != char:
                assert not is_accepted(changed), place


def is_accepted(text: str) -> bool:
    try:
        document = split_jws(text, max_bytes=16_384)
    except ContractError:
        return False
    return key("somebody").public.verifies(document.signature, document.signing_input)


@pytest.mark.parametrize("name", ["jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "b64", "zip", "enc", "cty"])
def test_a_header_that_says_where_keys_or_meaning_come_from_is_refused(name: str) -> None:
    values: list[JsonValue] = [None, False, "DEF", {}, ["x"]]
    for value in values:
        with pytest.raises(ContractError) as caught:
            check_header({**HEADER, name: value})
        assert caught.value.step is Step.HEADER_REFUSED


@pytest.mark.parametrize(
    "alg",
    ["none", "None", "NONE", "nOnE", "", "HS256", "RS256", "ES384", "eddsa", "Ed25519", "es256", None, 5, ["EdDSA"]],
)
def test_any_other_algorithm_is_refused(alg: JsonValue) -> None:
    with pytest.raises(ContractError) as caught:
        check_header({"alg": alg})
    assert caught.value.step is Step.ALGORITHM_REFUSED


def test_a_header_without_an_algorithm_is_refused() -> None:
    with pytest.raises(ContractError) as caught:
        check_header({"typ": "aat+jwt"})
    assert caught.value.step is Step.ALGORITHM_REFUSED


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"crit": ["remit"]}, id="without its member"),
        pytest.param({"crit": [], "remit": 1}, id="empty"),
        pytest.param({"crit": "remit", "remit": 1}, id="text"),
        pytest.param({"crit": ["remit", "remit"], "remit": 1}, id="twice"),
        pytest.param({"crit": ["remit", "exp"], "remit": 1, "exp": 1}, id="another one"),
        pytest.param({"crit": ["b64"]}, id="b64"),
        pytest.param({"crit": ["alg"]}, id="a member of the standard"),
        pytest.param({"crit": [1], "remit": 1}, id="not a name"),
        pytest.param({"crit": None, "remit": 1}, id="null"),
        pytest.param({"crit": ["remit"], "remit": 2}, id="another version"),
        pytest.param({"crit": ["remit"], "remit": True}, id="true is not 1"),
        pytest.param({"crit": ["remit"], "remit": "1"}, id="text is not 1"),
        pytest.param({"remit": 2}, id="another version, not critical"),
    ],
)
def test_an_extension_that_is_not_understood_is_refused(changes: dict[str, JsonValue]) -> None:
    with pytest.raises(ContractError) as caught:
        check_header({**HEADER, **changes}, understood=frozenset({"remit"}))
    assert caught.value.step is Step.HEADER_REFUSED


def test_our_own_extension_is_understood_in_contracts_and_nowhere_else() -> None:
    header: dict[str, JsonValue] = {**HEADER, "crit": ["remit"], "remit": 1}
    check_header(header, understood=frozenset({"remit"}))
    with pytest.raises(ContractError):
        check_header(header)
