"""Checkpoints: where every writer's chain stood, signed, in one line that is kept where the log's owner cannot reach.

Whoever may write to the store could cut off the newest records, put back an old copy, or compute a whole chain anew.
None of that survives a comparison with a checkpoint that lies elsewhere: a mailbox, another machine, a printout. The
line reads `remit-checkpoint-v1.<statement>.<signature>`, both parts base64url without padding. The statement is
canonical JSON (the store's id, the time, the key's fingerprint, and per writer the number and hash of its last record);
the Ed25519 signature (RFC 8032) covers the ASCII text `remit-checkpoint-v1.<statement>`, so that standard tools can
check it too.

Keys come and go as bytes (PEM); reading and writing files, with their permissions, is the caller's.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated, Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from remit.audit.chain import HASH_BYTES
from remit.audit.record import MAX_INTEGER
from remit.errors import AuditBroken, InvariantBroken, UsageError

PREFIX: Final = "remit-checkpoint-v1"
MAX_HEADS: Final = 4096
"""So many writers fit into one checkpoint."""

MAX_CHECKPOINT_CHARS: Final = 2 * 1024 * 1024
MAX_KEY_FILE_BYTES: Final = 4096
_FORMAT: Final = 1


class Head(NamedTuple):
    """The last record of one writer: its number and its hash (32 bytes)."""

    writer: str
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What was signed: at `time_us` the log of store `store` ended, for each writer, at `heads` (sorted by writer)."""

    store: str
    time_us: int
    heads: tuple[Head, ...]
    key: str


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The half that verifies; whoever keeps the checkpoints keeps it with them."""

    _key: Ed25519PublicKey = field(repr=False)
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        raw = self._key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        object.__setattr__(self, "fingerprint", hashlib.sha256(raw).hexdigest()[:32])

    def to_pem(self) -> bytes:
        """SubjectPublicKeyInfo in PEM, as `openssl pkey -pubin` reads it."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def accepts(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` is this key's over `message`."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The half that signs; its owner can vouch for a false log, so it does not belong beside the store's backups."""

    _key: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The half to hand out."""
        return PublicKey(self._key.public_key())

    def to_pem(self) -> bytes:
        """PKCS#8 in PEM, unencrypted: for a file that only its owner can read."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature, 64 bytes."""
        return self._key.sign(message)


def new_signing_key(random_bytes: Callable[[int], bytes]) -> SigningKey:
    """A fresh key; `random_bytes(n)` must give n unpredictable bytes (`secrets.token_bytes`)."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(random_bytes(32)))


def signing_key_from_pem(pem: bytes) -> SigningKey:
    """The key that `SigningKey.to_pem` wrote. Raises `UsageError`."""
    try:
        key = load_pem_private_key(pem[: MAX_KEY_FILE_BYTES + 1], password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey) or len(pem) > MAX_KEY_FILE_BYTES:
        raise UsageError(
            "the checkpoint key is not an unencrypted Ed25519 private key in PEM form; give the right file"
        )
    return SigningKey(key)


def public_key_from_pem(pem: bytes) -> PublicKey:
    """The key that `PublicKey.to_pem` wrote. Raises `UsageError`."""
    try:
        key = load_pem_public_key(pem[: MAX_KEY_FILE_BYTES + 1])
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey) or len(pem) > MAX_KEY_FILE_BYTES:
        raise UsageError("the checkpoint key is not an Ed25519 public key in PEM form; give the right file")
    return PublicKey(key)


def sign_checkpoint(heads: Iterable[Head], *, store: str, time_us: int, key: SigningKey) -> str:
    """The line that says where every writer of store `store` stands; those that have written nothing are left out."""
    written = tuple(sorted((head.writer, head.seq, head.hash.hex()) for head in heads if head.seq))
    if len(written) > MAX_HEADS:
        raise InvariantBroken(f"a checkpoint covers at most {MAX_HEADS} writers, not {len(written)}")
    statement = _Statement(store=store, time_us=time_us, heads=written, key=key.public.fingerprint, format=_FORMAT)
    signed = f"{PREFIX}.{_base64url(_ENCODER.encode(statement))}"
    return f"{signed}.{_base64url(key.sign(signed.encode()))}"


def verify_checkpoint(text: str, key: PublicKey) -> Checkpoint:
    """What `text` vouches for. Raises `AuditBroken` if it is malformed or `key` did not sign it."""
    if len(text) > MAX_CHECKPOINT_CHARS:
        raise AuditBroken(f"the checkpoint is longer than {MAX_CHECKPOINT_CHARS} characters; no checkpoint is")
    parts = text.strip().split(".")
    if len(parts) != 3 or parts[0] != PREFIX:
        raise AuditBroken(f"this is no checkpoint; a checkpoint is one line that begins with `{PREFIX}.`")
    statement, signature = _from_base64url(parts[1]), _from_base64url(parts[2])
    if not key.accepts(signature, f"{PREFIX}.{parts[1]}".encode()):
        raise AuditBroken(f"key `{key.fingerprint}` did not sign this checkpoint; use the key that was kept with it")
    return _read(statement, key)


class _Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    store: Annotated[str, msgspec.Meta(max_length=256)]
    time_us: Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]
    heads: Annotated[tuple[tuple[str, int, str], ...], msgspec.Meta(max_length=MAX_HEADS)]
    key: str
    format: int


_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_DECODER: Final = msgspec.json.Decoder(_Statement)


def _read(encoded: bytes, key: PublicKey) -> Checkpoint:
    """The checkpoint in a statement whose signature is good."""
    try:
        statement = _DECODER.decode(encoded)
        heads = tuple(Head(writer, seq, bytes.fromhex(digest)) for writer, seq, digest in statement.heads)
    except (msgspec.DecodeError, ValueError):
        raise AuditBroken("the checkpoint is signed, but cannot be read; was it made by a newer version?") from None
    writers = [head.writer for head in heads]
    sound = all(head.seq > 0 and len(head.hash) == HASH_BYTES for head in heads) and writers == sorted(set(writers))
    if statement.format != _FORMAT or statement.key != key.fingerprint or not sound:
        raise AuditBroken("the checkpoint is signed, but contradicts itself; it was not made by `remit audit`")
    return Checkpoint(store=statement.store, time_us=statement.time_us, heads=heads, key=statement.key)


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_base64url(text: str) -> bytes:
    """Strict: one text for one value."""
    try:
        data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        data = b""
    if _base64url(data) != text:
        raise AuditBroken("the checkpoint was damaged in transit; copy its whole line")
    return data
