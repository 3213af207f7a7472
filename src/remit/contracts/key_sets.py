"""The public keys of an issuer: a JWK set (RFC 7517 section 5) as it lies in a file of the operator.

Keys are rotated by overlap: the set holds the old key and the new one until nothing signed by the old one is left. A
document names its key by `kid`; a key without one is known by its thumbprint. The set is read strictly: a key that would
be skipped, or found under the name of another, is an error of whoever wrote the file and is reported as one.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from remit.contracts.keys import PublicKey, read_public_jwk, registered
from remit.core.reading import shown
from remit.core.strict_json import JsonValue, read_json
from remit.errors import BadRequest, UsageError

MAX_KEYS: Final = 8
"""So many keys has one issuer at most; a document that names none is tried with those of its algorithm."""

MAX_SET_BYTES: Final = 64 * 1024
MAX_KID_CHARS: Final = 256


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A public key and the `kid` that documents call it by."""

    kid: str
    key: PublicKey


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one issuer, in the order of the file. Raises `UsageError` when two have one name, or are one key."""

    keys: tuple[NamedKey, ...]
    _by_kid: dict[str, PublicKey] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < len(self.keys) <= MAX_KEYS:
            raise UsageError(f"a set of keys has 1 to {MAX_KEYS} keys, not {len(self.keys)}")
        by_kid = {named.kid: named.key for named in self.keys}
        if len(by_kid) != len(self.keys):
            raise UsageError("two keys of the set have the same `kid`: give each a name of its own")
        if len({named.key for named in self.keys}) != len(self.keys):
            raise UsageError("the set holds one key twice")
        object.__setattr__(self, "_by_kid", by_kid)

    def candidates(self, kid: str | None) -> tuple[PublicKey, ...]:
        """The keys that may have signed a document which says `kid`; all of them if it says nothing."""
        if kid is None:
            return tuple(named.key for named in self.keys)
        key = self._by_kid.get(kid)
        return () if key is None else (key,)

    def to_json(self) -> bytes:
        """The JWK set as text, as it is published."""
        keys = [
            {**named.key.to_jwk(), "kid": named.kid, "use": "sig", "alg": named.key.alg.value} for named in self.keys
        ]
        return json.dumps({"keys": keys}, indent=2).encode() + b"\n"


def named_by_thumbprint(keys: Iterable[PublicKey]) -> KeySet:
    """The set of these keys, each named by its thumbprint."""
    return KeySet(tuple(NamedKey(key.thumbprint, key) for key in keys))


def read_key_set(raw: bytes) -> KeySet:
    """Read a JWK set. Raises `UsageError` saying which key is wrong."""
    try:
        document = read_json(raw, max_bytes=MAX_SET_BYTES)
    except BadRequest as error:
        raise UsageError(f"the set of keys cannot be read: {error}") from None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise UsageError("a set of keys is a JSON object with an array `keys`")
    if len(keys) > MAX_KEYS:
        raise UsageError(f"a set of keys has 1 to {MAX_KEYS} keys, not {len(keys)}")
    return KeySet(tuple(_named(place, jwk) for place, jwk in enumerate(keys, start=1)))


def is_kid(kid: JsonValue) -> bool:
    """Say whether `kid` can be the name of a key: up to 256 printable ASCII characters."""
    return isinstance(kid, str) and 0 < len(kid) <= MAX_KID_CHARS and kid.isascii() and kid.isprintable()


def _named(place: int, jwk: JsonValue) -> NamedKey:
    try:
        key = registered(read_public_jwk(jwk))
    except UsageError as error:
        raise UsageError(f"key {place} of the set is refused: {error}") from None
    kid = jwk.get("kid", key.thumbprint) if isinstance(jwk, dict) else key.thumbprint
    if not isinstance(kid, str) or not is_kid(kid):
        raise UsageError(
            f"the `kid` {shown(str(kid))} of key {place} must be up to {MAX_KID_CHARS} printable characters"
        )
    return NamedKey(kid, key)
