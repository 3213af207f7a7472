"""API keys: made once, shown once, known afterwards only by a hash.

A key reads `remit_<key id>_<secret><checksum>` (`core.key_format`). The id may be shown and logged; it is what counters
go by, so that a rotated key keeps its history. The secret has 192 random bits, which is why one SHA-256 is enough to
keep it: there is nothing to guess. The checksum refuses what was mistyped or made up before anything is looked up.

A key has up to three secrets at a time: `rotate` adds one and lets the others live on for an overlap, so that programs
can be given the new text one after another. Records are values; every change returns a new one with `version` raised by
one, and the store that keeps them decides which change came first.
"""

from base64 import b32encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import Annotated, Final

import msgspec

from remit.core.key_format import (
    BASE62_ALPHABET,
    CHECKSUM_CHARS,
    KEY_CHARS,
    KEY_ID_ALPHABET,
    KEY_ID_CHARS,
    KEY_PREFIX,
    SECRET_CHARS,
    base62,
    checksum,
)
from remit.core.match import check_identifier, is_identifier, parse_tool_patterns
from remit.core.reading import MAX_INTEGER
from remit.core.reasons import Reason
from remit.errors import CredentialError, StoreCorrupt, UsageError

RandomBytes = Callable[[int], bytes]
"""`random_bytes(n)` gives n unpredictable bytes: `os.urandom`, or something repeatable in a test."""

MAX_SECRETS: Final = 3
MAX_TOOLS: Final = 256
MAX_LABEL_CHARS: Final = 128
MAX_RECORD_BYTES: Final = 64 * 1024
_FORMAT: Final = 1
_SECRET_BYTES: Final = 24
_ID_BYTES: Final = 10
_HASH_BYTES: Final = 32
_HASH_DOMAIN: Final = b"remit-api-key-v1\0"
_NO_HASH: Final = bytes(_HASH_BYTES)

_Time = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]


class KeySecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One secret of a key: the hash of it (32 bytes), and until when it is good (exclusive; None: as long as the key)."""

    hash: bytes
    created_us: _Time
    not_after_us: _Time | None = None

    def __repr__(self) -> str:
        return f"KeySecret(created_us={self.created_us}, not_after_us={self.not_after_us})"


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known about a key: for whom it was made, what it may call (`tools`: patterns), and until when it is good.

    `user` and `org` are who is billed; `label` is for people and decides nothing. `expires_us` is exclusive. `bound_to`
    is the thumbprint of a public key: such a key is worth nothing without a proof signed by its private half.
    """

    key_id: str
    agent: str
    tools: tuple[str, ...]
    secrets: tuple[KeySecret, ...]
    created_us: _Time
    user: str | None = None
    org: str | None = None
    tier: str | None = None
    label: str = ""
    expires_us: _Time | None = None
    revoked_us: _Time | None = None
    bound_to: str | None = None
    version: Annotated[int, msgspec.Meta(ge=1, le=MAX_INTEGER)] = 1
    format: int = _FORMAT

    @property
    def prefix(self) -> str:
        """What may be shown of the key: everything but its secret."""
        return f"{KEY_PREFIX}{self.key_id}"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key's text, to be shown this once, and the record to keep."""

    text: str = field(repr=False)
    record: KeyRecord


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """A key as a caller presented it: well-formed, and not yet known to be anybody's."""

    key_id: str
    secret: str = field(repr=False)


def new_key(
    random_bytes: RandomBytes,
    *,
    now_us: int,
    agent: str,
    tools: Sequence[str],
    user: str | None = None,
    org: str | None = None,
    tier: str | None = None,
    label: str = "",
    expires_us: int | None = None,
    bound_to: str | None = None,
) -> NewKey:
    """Make a key for `agent` that may call `tools`. Raises `UsageError` for names, patterns or times that cannot be."""
    key_id = b32encode(random_bytes(_ID_BYTES)).decode().lower()
    if expires_us is not None and expires_us <= now_us:
        raise UsageError("the key would have expired already; give a time of expiry that lies ahead")
    text, secret = _new_secret(random_bytes, key_id, now_us)
    record = KeyRecord(
        key_id=key_id,
        agent=agent,
        tools=tuple(tools),
        secrets=(secret,),
        created_us=now_us,
        user=user,
        org=org,
        tier=tier,
        label=label,
        expires_us=expires_us,
        bound_to=bound_to,
    )
    _check_names(record)
    return NewKey(text, record)


def parse(text: str) -> ParsedKey:
    """Read what a caller presented. Raises `CredentialError` (which never repeats it) unless form and checksum are right."""
    body, given = text[:-CHECKSUM_CHARS], text[-CHECKSUM_CHARS:]
    key_id, underscore, secret = body[len(KEY_PREFIX) :].partition("_")
    well_formed = (
        len(text) == KEY_CHARS
        and text.startswith(KEY_PREFIX)
        and len(key_id) == KEY_ID_CHARS
        and set(key_id) <= set(KEY_ID_ALPHABET)
        and underscore == "_"
        and len(secret) == SECRET_CHARS
        and set(secret + given) <= set(BASE62_ALPHABET)
    )
    if not well_formed:
        raise CredentialError(f"this is no API key: one is {KEY_CHARS} characters long and begins with `{KEY_PREFIX}`")
    if checksum(body) != given:
        raise CredentialError("the API key is mistyped: its checksum does not fit; copy all of it again")
    return ParsedKey(key_id, secret)


def matches(record: KeyRecord, parsed: ParsedKey, now_us: int) -> bool:
    """Whether `parsed` is a secret of this key that is good at `now_us`, and the key neither revoked nor expired."""
    good = _knows(record, parsed, now_us)
    return good and record.revoked_us is None and (record.expires_us is None or now_us < record.expires_us)


def authenticate(record: KeyRecord | None, parsed: ParsedKey, now_us: int) -> KeyRecord:
    """The record, if `parsed` opens it. `record` is what the store has under `parsed.key_id`, None if nothing.

    Raises `CredentialError` with the same words, after the same work, whether the id is unknown or the secret wrong;
    only who knows the secret is told that the key was revoked or has expired.
    """
    if record is None or record.key_id != parsed.key_id:
        compare_digest(_hash(parsed.key_id, parsed.secret), _NO_HASH)
        raise CredentialError("the API key is not known here; ask the operator for a valid one")
    if not _knows(record, parsed, now_us):
        raise CredentialError("the API key is not known here; ask the operator for a valid one")
    if record.revoked_us is not None:
        raise CredentialError(f"the API key `{record.prefix}` was revoked", reason=Reason.REVOKED.value)
    if not matches(record, parsed, now_us):
        raise CredentialError(f"the API key `{record.prefix}` has expired; ask the operator for a new one")
    return record


def rotate(record: KeyRecord, random_bytes: RandomBytes, *, now_us: int, overlap_us: int) -> NewKey:
    """A new secret under the same id; the others stay good until `now_us + overlap_us` at the most.

    An overlap of 0 ends them at once. Raises `UsageError` if the key is over, or would have a fourth live secret.
    """
    if record.revoked_us is not None:
        raise UsageError(f"the API key `{record.prefix}` was revoked; create another one")
    if record.expires_us is not None and now_us >= record.expires_us:
        raise UsageError(f"the API key `{record.prefix}` has expired; create another one")
    if not 0 <= overlap_us <= MAX_INTEGER - now_us:
        raise UsageError("the overlap of a rotation must not be negative, nor longer than time itself")
    ends_us = now_us + overlap_us
    kept = tuple(
        msgspec.structs.replace(secret, not_after_us=min(secret.not_after_us or ends_us, ends_us))
        for secret in record.secrets
        if overlap_us and _is_live(secret, now_us)
    )
    if len(kept) >= MAX_SECRETS:
        raise UsageError(
            f"the API key `{record.prefix}` has {MAX_SECRETS} live secrets already; wait for the end of an overlap, or"
            " rotate with an overlap of 0"
        )
    text, secret = _new_secret(random_bytes, record.key_id, now_us)
    return NewKey(text, msgspec.structs.replace(record, secrets=(secret, *kept), version=record.version + 1))


def revoke(record: KeyRecord, now_us: int) -> KeyRecord:
    """The key, ended for good. Revoking twice keeps the first time."""
    if record.revoked_us is not None:
        return record
    return msgspec.structs.replace(record, revoked_us=now_us, version=record.version + 1)


def encode(record: KeyRecord) -> bytes:
    """The record as JSON, for a store. Holds hashes, never a secret."""
    return _ENCODER.encode(record)


def decode(body: bytes) -> KeyRecord:
    """The record that `encode` wrote. Raises `StoreCorrupt` for anything else."""
    try:
        record = _DECODER.decode(body) if len(body) <= MAX_RECORD_BYTES else None
        if record is None or record.format != _FORMAT or not _is_whole(record):
            raise StoreCorrupt("a stored API key contradicts itself, or was written by a newer version of remit")
        _check_names(record)
    except (msgspec.DecodeError, UnicodeDecodeError, UsageError):
        raise StoreCorrupt("a stored API key cannot be read; restore the store from a backup") from None
    return record


_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_DECODER: Final = msgspec.json.Decoder(KeyRecord)


def _new_secret(random_bytes: RandomBytes, key_id: str, now_us: int) -> tuple[str, KeySecret]:
    """A fresh secret of `key_id`: the whole text, and what is kept of it."""
    secret = base62(int.from_bytes(random_bytes(_SECRET_BYTES), "big"), width=SECRET_CHARS)
    body = f"{KEY_PREFIX}{key_id}_{secret}"
    return body + checksum(body), KeySecret(hash=_hash(key_id, secret), created_us=now_us)


def _hash(key_id: str, secret: str) -> bytes:
    """Bound to the id, so that one record's hash is worth nothing in another."""
    return sha256(_HASH_DOMAIN + f"{key_id}_{secret}".encode()).digest()


def _knows(record: KeyRecord, parsed: ParsedKey, now_us: int) -> bool:
    """Whether the secret is one of the live ones. Every one is compared, in constant time, whichever fits."""
    presented = _hash(parsed.key_id, parsed.secret)
    found = False
    for secret in record.secrets:
        found |= compare_digest(presented, secret.hash) & _is_live(secret, now_us)
    return found and record.key_id == parsed.key_id


def _is_live(secret: KeySecret, now_us: int) -> bool:
    return secret.not_after_us is None or now_us < secret.not_after_us


def _check_names(record: KeyRecord) -> None:
    """Raises `UsageError` for the first name or pattern that is not allowed."""
    check_identifier(record.agent, what="agent")
    for what, name in (("user", record.user), ("org", record.org), ("tier", record.tier)):
        if name is not None:
            check_identifier(name, what=what)
    if not 0 < len(record.tools) <= MAX_TOOLS:
        raise UsageError(f"an API key names 1 to {MAX_TOOLS} tools that it may call, such as `payments.*`")
    parse_tool_patterns(record.tools)
    if len(record.label) > MAX_LABEL_CHARS or not record.label.isprintable():
        raise UsageError(f"the label must be printable and at most {MAX_LABEL_CHARS} characters long")


def _is_whole(record: KeyRecord) -> bool:
    hashes_fit = all(len(secret.hash) == _HASH_BYTES for secret in record.secrets)
    return is_identifier(record.key_id) and 0 < len(record.secrets) <= MAX_SECRETS and hashes_fit
