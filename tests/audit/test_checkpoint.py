"""Checkpoints vouch for where the log stood, and only whoever has the key can make one."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_public_key

from remit.audit.checkpoint import (
    MAX_HEADS,
    Head,
    SigningKey,
    new_signing_key,
    public_key_from_pem,
    sign_checkpoint,
    signing_key_from_pem,
    verify_checkpoint,
)
from remit.errors import AuditBroken, InvariantBroken, UsageError
from tests.audit.samples import NOW_US

KEY = new_signing_key(lambda n: bytes(range(n)))
OTHER = new_signing_key(bytes)
HEADS = (Head("gw-2", 7, bytes([2] * 32)), Head("gw-1", 120, bytes([1] * 32)))


def signed(key: SigningKey = KEY) -> str:
    return sign_checkpoint(HEADS, store="store-1", time_us=NOW_US, key=key)


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def statement_of(text: str) -> bytes:
    part = text.split(".")[1]
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def with_statement(statement: bytes) -> str:
    """A checkpoint over any statement, signed by the right key: what a faulty or newer version might make."""
    head = f"remit-checkpoint-v1.{base64url(statement)}"
    return f"{head}.{base64url(KEY.sign(head.encode()))}"


def test_a_checkpoint_is_one_printable_line_and_reads_back_to_what_was_signed() -> None:
    text = signed()
    assert text.isprintable()
    assert text.isascii()
    checkpoint = verify_checkpoint(text, KEY.public)
    assert (checkpoint.store, checkpoint.time_us, checkpoint.key) == ("store-1", NOW_US, KEY.public.fingerprint)
    assert checkpoint.heads == tuple(sorted(HEADS))
    assert verify_checkpoint(f"  {text}\n", KEY.public) == checkpoint


def test_the_statement_is_canonical_json_that_anybody_can_read() -> None:
    statement = statement_of(signed())
    assert json.dumps(json.loads(statement), sort_keys=True, separators=(",", ":")).encode() == statement
    assert json.loads(statement)["heads"][0] == ["gw-1", 120, "01" * 32]


def test_the_signature_is_plain_ed25519_that_another_program_can_check() -> None:
    head, _, signature = signed().rpartition(".")
    key = load_pem_public_key(KEY.public.to_pem())
    key.verify(urlsafe_b64decode(signature + "=="), head.encode())  # type: ignore[union-attr,call-arg] # it is Ed25519


def test_every_changed_character_of_a_checkpoint_is_refused() -> None:
    text = signed()
    for place in range(len(text)):
        for other in "Ab.":
            if text[place] != other:
                with pytest.raises(AuditBroken):
                    verify_checkpoint(text[:place] + other + text[place + 1 :], KEY.public)


def test_a_checkpoint_of_another_key_is_refused_and_the_message_names_the_key_that_was_tried() -> None:
    with pytest.raises(AuditBroken, match=KEY.public.fingerprint):
        verify_checkpoint(signed(OTHER), KEY.public)


@pytest.mark.parametrize(
    "text", ["", "remit-checkpoint-v1", "remit-checkpoint-v2.e30.e30", "remit-checkpoint-v1.é.é", "x" * 3_000_000]
)
def test_what_is_no_checkpoint_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(AuditBroken):
        verify_checkpoint(text, KEY.public)


def test_two_spellings_of_one_signature_are_not_both_accepted() -> None:
    text = signed()
    with pytest.raises(AuditBroken):
        verify_checkpoint(f"{text}==", KEY.public)
    last = text[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = alphabet[alphabet.index(last) ^ 1]  # differs only in bits that base64 does not use here
    with pytest.raises(AuditBroken):
        verify_checkpoint(text[:-1] + twin, KEY.public)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"key": "0" * 32},
        {"heads": [["a", 0, "00" * 32]]},
        {"heads": [["a", 1, "00" * 31]]},
        {"heads": [["a", 1, "zz" * 32]]},
        {"heads": [["b", 1, "00" * 32], ["a", 1, "00" * 32]]},
        {"heads": [["a", 1, "00" * 32], ["a", 2, "00" * 32]]},
        {"time_us": -1},
        {"more": 1},
    ],
    ids=str,
)
def test_a_signed_statement_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    statement = {**json.loads(statement_of(signed())), **change}
    with pytest.raises(AuditBroken):
        verify_checkpoint(with_statement(json.dumps(statement, sort_keys=True).encode()), KEY.public)


def test_writers_that_have_written_nothing_are_left_out() -> None:
    text = sign_checkpoint([Head("new", 0, bytes(32)), *HEADS], store="s", time_us=0, key=KEY)
    assert [head.writer for head in verify_checkpoint(text, KEY.public).heads] == ["gw-1", "gw-2"]


def test_the_largest_checkpoint_is_read_and_a_larger_one_is_not_made() -> None:
    heads = [Head(f"{n:0128}", n + 1, bytes(32)) for n in range(MAX_HEADS)]
    text = sign_checkpoint(heads, store="s" * 256, time_us=0, key=KEY)
    assert len(verify_checkpoint(text, KEY.public).heads) == MAX_HEADS
    with pytest.raises(InvariantBroken):
        sign_checkpoint([*heads, Head("x", 1, bytes(32))], store="s", time_us=0, key=KEY)


def test_keys_survive_their_files() -> None:
    text = signed(signing_key_from_pem(KEY.to_pem()))
    assert verify_checkpoint(text, public_key_from_pem(KEY.public.to_pem())).store == "store-1"
    assert KEY.public.fingerprint != OTHER.public.fingerprint


def test_a_signing_key_never_shows_itself() -> None:
    assert repr(KEY) == "SigningKey()"
    assert KEY.to_pem().splitlines()[1].decode() not in f"{KEY!r}{KEY.public!r}"


def key_files() -> dict[str, bytes]:
    curve = generate_private_key(SECP256R1())
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

    ed25519 = Ed25519PrivateKey.from_private_bytes(bytes(32))
    return {
        "empty": b"",
        "no PEM": b"hello",
        "other curve": curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "encrypted": ed25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        "too long": KEY.to_pem() + b"\n" * 5000,
        "not ASCII": b"\xff" * 100,
    }


@pytest.mark.parametrize("name", key_files())
def test_a_file_that_is_not_the_right_key_is_refused_with_one_sentence(name: str) -> None:
    for read in (signing_key_from_pem, public_key_from_pem):
        with pytest.raises(UsageError, match="give the right file") as caught:
            read(key_files()[name])
        assert "\n" not in str(caught.value)
