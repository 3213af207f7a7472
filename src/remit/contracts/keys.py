"""Keys: Ed25519 and ES256, private and public, as JSON Web Keys (RFC 7517, 7518, 8037).

A key decides which algorithm it is used with: Ed25519 with `EdDSA`, P-256 with `ES256`. What the header of a document
says about its algorithm is only compared with that. A key is named by its thumbprint (RFC 7638), which covers what makes
up the key and nothing else.

Signatures are made and checked by `cryptography`; everything that its versions and their OpenSSL might see differently is
judged here first: the sizes, which points are keys (`points`), and for ES256 the form of a signature (64 bytes, r and s
between 1 and n-1; RFC 7518 section 3.4). Ed25519 signatures with s not below the group's order, and with an R that is not
reduced, are refused by OpenSSL itself. An ES256 signature (r, s) has a twin (r, n-s) that verifies too, so nothing may be
keyed by the bytes of a signature.
"""

import hashlib
import json
from collections.abc import Callable
from enum import StrEnum
from typing import Final, assert_never

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from remit.contracts import base64url
from remit.contracts.points import P256_ORDER, is_ed25519_point, is_p256_point, is_sound_ed25519
from remit.core.contract import HolderKey
from remit.core.strict_json import JsonValue, read_json
from remit.errors import BadRequest, UsageError

RandomBytes = Callable[[int], bytes]
"""`random_bytes(n)` gives n unpredictable bytes: `os.urandom`, or something repeatable in a test."""

THUMBPRINT_URI: Final = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"
"""What comes before a thumbprint where a key is named by a URI (RFC 9278)."""

MAX_KEY_BYTES: Final = 4096
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_PRIVATE_MEMBERS: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_ES256: Final = ec.ECDSA(hashes.SHA256())
_MAX_DRAWS: Final = 64  # a draw fails once in 2^32


class Algorithm(StrEnum):
    """What signs: the `alg` of a document's header."""

    EDDSA = "EdDSA"
    ES256 = "ES256"


_CURVES: Final = {("OKP", "Ed25519"): Algorithm.EDDSA, ("EC", "P-256"): Algorithm.ES256}


class PublicKey:
    """The half that verifies. Two are equal if they are the same key."""

    __slots__ = ("_loaded", "alg", "holder")

    def __init__(self, alg: Algorithm, holder: HolderKey) -> None:
        self.alg: Final = alg
        self.holder: Final = holder
        self._loaded: Ed25519PublicKey | ec.EllipticCurvePublicKey | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.holder == other.holder

    def __hash__(self) -> int:
        return hash(self.holder)

    def __repr__(self) -> str:
        return f"PublicKey({self.alg.value} {self.thumbprint})"

    @property
    def thumbprint(self) -> str:
        """Its name: 43 characters of base64url (RFC 7638, SHA-256)."""
        return self.holder.thumbprint

    @property
    def thumbprint_uri(self) -> str:
        """The thumbprint as a URI (RFC 9278): the `iss` of what the key's holder derives."""
        return THUMBPRINT_URI + self.thumbprint

    def to_jwk(self) -> dict[str, str]:
        """The public JWK: what makes up the key, and nothing else."""
        return self.holder.to_jwk()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether `signature` (64 bytes) is this key's over `message`."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        key = self._loaded or self._load()
        try:
            if isinstance(key, Ed25519PublicKey):
                key.verify(signature, message)
            else:
                r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
                if not (0 < r < P256_ORDER and 0 < s < P256_ORDER):
                    return False
                key.verify(encode_dss_signature(r, s), message, _ES256)
        except InvalidSignature:
            return False
        return True

    def _load(self) -> Ed25519PublicKey | ec.EllipticCurvePublicKey:
        x = base64url.decode(self.holder.x.encode())
        key: Ed25519PublicKey | ec.EllipticCurvePublicKey
        if self.alg is Algorithm.EDDSA:
            key = Ed25519PublicKey.from_public_bytes(x)
        else:
            point = b"\4" + x + base64url.decode(self.holder.y.encode())
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        self._loaded = key
        return key


class PrivateKey:
    """The half that signs. Whoever has it can derive from every contract it holds, and use them."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> None:
        self._key: Final = key
        self.public: Final = _public_half(key)

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.alg.value} {self.public.thumbprint})"

    def sign(self, message: bytes) -> bytes:
        """The signature of `message`, 64 bytes."""
        if isinstance(self._key, Ed25519PrivateKey):
            return self._key.sign(message)
        r, s = decode_dss_signature(self._key.sign(message, _ES256))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def to_jwk(self) -> dict[str, str]:
        """The private JWK, with `d`: for a file that only its owner can read."""
        if isinstance(self._key, Ed25519PrivateKey):
            secret = self._key.private_bytes_raw()
        else:
            secret = self._key.private_numbers().private_value.to_bytes(KEY_BYTES, "big")
        return {**self.public.to_jwk(), "d": base64url.encode(secret)}

    def to_json(self) -> bytes:
        """The private JWK as text, to be kept in a file."""
        return json.dumps(self.to_jwk(), sort_keys=True).encode() + b"\n"


def new_private_key(random_bytes: RandomBytes, alg: Algorithm = Algorithm.EDDSA) -> PrivateKey:
    """Make a key. `random_bytes` must be unpredictable (`os.urandom`): it is all that the key is made of."""
    match alg:
        case Algorithm.EDDSA:
            return PrivateKey(Ed25519PrivateKey.from_private_bytes(random_bytes(KEY_BYTES)))
        case Algorithm.ES256:
            for _ in range(_MAX_DRAWS):
                secret = int.from_bytes(random_bytes(KEY_BYTES), "big")
                if 0 < secret < P256_ORDER:
                    return PrivateKey(ec.derive_private_key(secret, ec.SECP256R1()))
            raise UsageError("the source of random bytes does not give random bytes; use `os.urandom`")
        case _:
            assert_never(alg)


def read_private_key(raw: bytes) -> PrivateKey:
    """Read a private JWK, as `PrivateKey.to_json` writes it. Raises `UsageError`, which never shows the key."""
    jwk = _read_object(raw, "the private key")
    secret = _coordinate(jwk, "d")
    public = read_public_jwk({name: member for name, member in jwk.items() if name != "d"}, is_for="sign")
    if public.alg is Algorithm.EDDSA:
        key = PrivateKey(Ed25519PrivateKey.from_private_bytes(secret))
    else:
        number = int.from_bytes(secret, "big")
        if not 0 < number < P256_ORDER:
            raise UsageError("the `d` of the private key is out of range: make a new key with `remit keygen`")
        key = PrivateKey(ec.derive_private_key(number, ec.SECP256R1()))
    if key.public != public:
        raise UsageError("the private key contradicts itself: its `d` does not belong to its public part")
    return key


def read_public_key(raw: bytes) -> PublicKey:
    """Read a public JWK from its text, and see that it is a point of its curve. Raises `UsageError`."""
    return registered(read_public_jwk(_read_object(raw, "the public key")))


def registered(key: PublicKey) -> PublicKey:
    """Return `key` if an Ed25519 key is a point at all: asked once, where a key is made known. Raises `UsageError`."""
    if key.alg is Algorithm.EDDSA and not is_ed25519_point(base64url.decode(key.holder.x.encode())):
        raise UsageError("the public key is not a point of its curve")
    return key


def read_public_jwk(jwk: JsonValue, *, is_for: str = "verify") -> PublicKey:
    """Return the key that a public JWK says, if it may be used to verify. Raises `UsageError`.

    Refused are private members, another use, operation or algorithm than signing with the key's own, coordinates that are
    not 32 bytes in canonical base64url, and what `points` refuses. Members that say nothing about use are ignored.
    """
    if not isinstance(jwk, dict):
        raise UsageError("a key must be a JWK, a JSON object")
    if any(name in jwk for name in _PRIVATE_MEMBERS):
        raise UsageError("the key holds a private member: only the public half may be shown to anybody")
    kty, crv = jwk.get("kty"), jwk.get("crv")
    alg = _CURVES.get((kty, crv)) if isinstance(kty, str) and isinstance(crv, str) else None
    if alg is None or not isinstance(kty, str) or not isinstance(crv, str):
        raise UsageError("the key must be Ed25519 (`OKP`, `Ed25519`) or P-256 (`EC`, `P-256`)")
    _check_use(jwk, alg, is_for)
    x = _coordinate(jwk, "x")
    y = _coordinate(jwk, "y") if alg is Algorithm.ES256 else b""
    if alg is Algorithm.EDDSA and "y" in jwk:
        raise UsageError("an Ed25519 key has no `y`")
    if not (is_sound_ed25519(x) if alg is Algorithm.EDDSA else is_p256_point(x, y)):
        raise UsageError(
            "the key is not a sound public key: its point has small order, is not reduced or lies elsewhere"
        )
    return PublicKey(alg, _holder(kty, crv, str(jwk["x"]), str(jwk["y"]) if y else ""))  # their only spelling


def _check_use(jwk: dict[str, JsonValue], alg: Algorithm, is_for: str) -> None:
    if jwk.get("use", "sig") != "sig":
        raise UsageError("the key is not meant for signatures: its `use` must be `sig`")
    if jwk.get("alg", alg.value) != alg.value:
        raise UsageError(f"the key is meant for another algorithm: its `alg` must be `{alg.value}`")
    operations = jwk.get("key_ops", [is_for])
    if (
        not isinstance(operations, list)
        or is_for not in operations
        or not all(isinstance(op, str) for op in operations)
    ):
        raise UsageError(f"the key is not meant for this: its `key_ops` must name `{is_for}`")


def _coordinate(jwk: dict[str, JsonValue], name: str) -> bytes:
    text = jwk.get(name)
    try:
        return base64url.decode_exactly(text if isinstance(text, str) else "", length=KEY_BYTES)
    except base64url.NotCanonical:
        raise UsageError(f"the `{name}` of the key must be {KEY_BYTES} bytes in base64url without padding") from None


def _holder(kty: str, crv: str, x: str, y: str) -> HolderKey:
    end = f',"y":"{y}"}}' if y else "}"
    text = f'{{"crv":"{crv}","kty":"{kty}","x":"{x}"{end}'  # RFC 7638: these members, sorted, without spaces
    return HolderKey(kty, crv, x, y, base64url.encode(hashlib.sha256(text.encode()).digest()))


def _public_half(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> PublicKey:
    if isinstance(key, Ed25519PrivateKey):
        x = base64url.encode(key.public_key().public_bytes_raw())
        return PublicKey(Algorithm.EDDSA, _holder("OKP", "Ed25519", x, ""))
    numbers = key.public_key().public_numbers()
    x, y = (base64url.encode(number.to_bytes(KEY_BYTES, "big")) for number in (numbers.x, numbers.y))
    return PublicKey(Algorithm.ES256, _holder("EC", "P-256", x, y))


def _read_object(raw: bytes, what: str) -> dict[str, JsonValue]:
    try:
        value = read_json(raw, max_bytes=MAX_KEY_BYTES)
    except BadRequest:
        value = None  # what is wrong is not said: the text may be a secret
    if not isinstance(value, dict):
        raise UsageError(f"{what} must be a JWK, one JSON object; is this the right file?")
    return value
