"""LOG-08 and LOG-09: whatever text a caller sends, one record stays one line, and no secret gets into it."""

import json
import unicodedata
from base64 import b64encode, urlsafe_b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.audit import record as rec
from remit.audit.encoding import decode, encode
from remit.audit.safe_text import clean, holds_secret, may_hold_secret
from remit.audit.words import explain, one_line
from remit.identity.api_keys import new_key
from tests.audit.samples import REFUSED, hostile_text, recorded, records, strings_in

HOSTILE = {
    "line feed": "a\nb",
    "carriage return": "a\rb",
    "forged record": 'x"}}\n{"body":{"kind":"admin","action":"key_created","by":"root"},"seq":2}',
    "json break-out": '","outcome":"allow","x":"',
    "backslash": 'a\\"b\\u0000',
    "ANSI colour": "\x1b[31mred\x1b[0m",
    "ANSI title": "\x1b]0;owned\x07",
    "C1 control": "\x9b2J",
    "NUL": "a\0b",
    "DEL": "a\x7fb",
    "bidi override": "\u202egpj.exe",
    "bidi isolate": "\u2066\u2069",
    "zero width": "pay\u200bments",
    "line separator": "a\u2028b\u2029c",
    "next line": "a\x85b",
    "byte order mark": "\ufeffa",
    "lone surrogate": "\ud800",
    "unicode tags": "\U000e0041",
    "private use": "\ue000",
    "megabyte": "A" * 1_000_000,
    "megabyte of escapes": "\x1b" * 1_000_000,
    "script": "<script>alert(1)</script>",
    "format string": "%s%n{0}{{x}}",
}


def refused_with(text: str) -> rec.Record:
    """A refusal in which every string that comes from outside is `text`."""
    caller = rec.CallerSeen(kind=text, id=text, agent=text, user=text, org=text, tier=text, session=text)
    body = msgspec.structs.replace(
        REFUSED,
        reason=text,
        tool=text,
        caller=caller,
        target=text,
        method=text,
        path=text,
        arguments={text: text},
        limit=text,
        per=text,
        unit=text,
        would_refuse=(text,),
        detail=text,
    )
    return recorded(body)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_one_record_stays_one_printable_line_whatever_its_strings_hold(text: str) -> None:
    line = encode(refused_with(text))
    assert line.decode().isprintable()
    assert len(line) < 20_000
    assert decode(line).seq == 1
    decoded = decode(line).body
    assert isinstance(decoded, rec.Decision)
    assert decoded.outcome is rec.Outcome.DENY


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_words_for_a_record_that_somebody_else_wrote_are_printable_too(text: str) -> None:
    record = refused_with(text)  # straight from hostile hands, never cleaned by encoding
    assert one_line(record).isprintable()
    told = explain(record).split("\n")
    assert all(line.isprintable() for line in told)
    assert len(told) <= 10


def test_unprintable_characters_are_written_out_instead_of_dropped() -> None:
    assert clean("a\x1b[31m\n\u202eb", max_chars=100) == "a<U+001B>[31m<U+000A><U+202E>b"


@given(hostile_text, st.integers(32, 200))
def test_clean_text_is_printable_and_within_its_bound(text: str, max_chars: int) -> None:
    cleaned = clean(text, max_chars=max_chars)
    assert len(cleaned) <= max_chars
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn") for char in cleaned)


def canary(n: int) -> bytes:
    return bytes((n * 37 + at * 11) % 256 for at in range(64))


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


KEY = new_key(lambda n: canary(5)[:n], now_us=0, agent="a", tools=["*"]).text
SECRET = KEY[-39:]
JWT = ".".join(map(base64url, (b'{"alg":"EdDSA","typ":"aat+jwt"}', b'{"jti":"1","exp":5}', canary(2))))
SPACED_JWT = ".".join(map(base64url, (b'{ "alg":"ES256" }', canary(7), canary(8))))
OPAQUE = canary(3).hex()[:40]

SECRETS = {
    "api key": (KEY, SECRET),
    "api key inside text": (f"the key was {KEY}, sorry", SECRET),
    "api key in capitals": (KEY.upper(), SECRET.upper()),
    "api key without its end": (KEY[:-8], SECRET[:-8]),
    "api key with a mistyped id": (KEY.replace(KEY[6:9], "xy", 1), SECRET),
    "api key percent-encoded": (KEY.replace("_", "%5F"), SECRET),
    "api key in a path": (f"/transfer/{KEY}/x", SECRET),
    "api key at the cut": ("x" * 110 + KEY, SECRET[:8]),
    "bearer credential": (f"Bearer {OPAQUE}", OPAQUE),
    "bearer in lower case": (f"bearer   {OPAQUE}", OPAQUE),
    "bearer with an encoded space": (f"Bearer%20{OPAQUE}", OPAQUE),
    "basic credential": (
        f"Basic {b64encode(b'anna:hunter2hunter2').decode()}",
        b64encode(b"anna:hunter").decode()[:12],
    ),
    "dpop credential": (f"DPoP {JWT}", JWT.split(".")[2]),
    "digest credential": (f'Digest username="anna", nonce="1", response="{OPAQUE}"', OPAQUE),
    "authorization field": (f"Authorization: ApiKey {OPAQUE}", OPAQUE),
    "authorization in JSON": (f'{{"authorization": "{OPAQUE}"}}', OPAQUE),
    "cookie": (f"Cookie: a=1; sid={OPAQUE}", OPAQUE),
    "jwt": (JWT, JWT.split(".")[2]),
    "jwt whose payload matters": (JWT, JWT.split(".")[1]),
    "jwt with spaces in its header": (SPACED_JWT, SPACED_JWT.split(".")[2]),
    "contract chain": (f"{JWT}~{JWT}~{JWT}", JWT.split(".")[2]),
    "query": (f"/x?access_token={OPAQUE}&a=1", OPAQUE),
    "query key": (f"/x?api_key={OPAQUE}", OPAQUE),
    "idempotency key": (f"Idempotency-Key: {OPAQUE}", OPAQUE),
    "password in JSON": ('{"password": "correct horse battery"}', "horse"),
    "password with an escaped quote": ('{"password": "correct \\" horse"}', "horse"),
    "private key": (f"-----BEGIN PRIVATE KEY-----\n{b64encode(canary(4)).decode()}", b64encode(canary(4)).decode()),
    "provider key": (f"sk-proj-{OPAQUE}", OPAQUE),
}


@pytest.mark.parametrize(("text", "secret"), SECRETS.values(), ids=SECRETS)
def test_a_secret_enters_no_record_whichever_string_it_hides_in(text: str, secret: str) -> None:
    assert holds_secret(text)
    line = encode(refused_with(text)).decode()
    assert secret.lower() not in line.lower()
    assert not any(map(holds_secret, strings_in(json.loads(line))))


@pytest.mark.parametrize(("text", "secret"), SECRETS.values(), ids=SECRETS)
def test_a_secret_stays_hidden_wherever_the_text_is_cut(text: str, secret: str) -> None:
    for padding in range(130):
        cleaned = clean("!" * padding + " " + text, max_chars=128)
        assert secret[:4].lower() not in cleaned.lower()


@pytest.mark.parametrize(("text", "secret"), SECRETS.values(), ids=SECRETS)
def test_words_hide_the_secrets_of_a_record_that_somebody_else_wrote(text: str, secret: str) -> None:
    record = refused_with(text)
    assert secret.lower() not in f"{explain(record)}{one_line(record)}".lower()


@pytest.mark.parametrize(
    "text",
    [
        "risk-check",
        "basic",
        "api_key",
        "llm_tokens",
        "remit_abcdefghijklmnop",
        "remit_decisions_total",
        "POST /v1/chat/completions",
        "the credential is missing or not valid",
        "dec_00064c2d5e0a4f00001122334455667788",
        "eyes.example.com",
        "`transfers` allows 100 calls an hour for each agent and tool; 100 were used.",
        "upstream reset the connection after 1,024 bytes",
    ],
)
def test_honest_text_is_left_as_it_is(text: str) -> None:
    assert clean(text, max_chars=200) == text
    assert not holds_secret(text)


@pytest.mark.parametrize("name", ["password", "Authorization", "x-api-key", "access_token", "clientSecret", "Cookie"])
def test_an_argument_with_the_name_of_a_secret_is_masked_whatever_it_looks_like(name: str) -> None:
    body = decode(encode(recorded(msgspec.structs.replace(REFUSED, arguments={name: "correct", "to": "anna"})))).body
    assert isinstance(body, rec.Decision)
    assert body.arguments == {name: "[masked]", "to": "anna"}


def test_a_masked_key_still_says_which_key_it_was() -> None:
    assert clean(f"got {KEY}", max_chars=128) == f"got {KEY[:22]}_[masked]"


@given(st.sampled_from(sorted(SECRETS)), hostile_text, hostile_text)
def test_the_quick_look_never_overlooks_what_the_full_search_finds(name: str, before: str, after: str) -> None:
    text = f"{before} {SECRETS[name][0]} {after}"
    if text.isascii() and text.isprintable() and holds_secret(text):
        assert may_hold_secret(text)


@given(records)
def test_no_string_of_any_record_holds_a_secret(record: rec.Record) -> None:
    assert not any(map(holds_secret, strings_in(json.loads(encode(record)))))
