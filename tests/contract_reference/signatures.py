"""Keys and signatures for the reference verifier: JWKs (RFC 7517, 8037), thumbprints (RFC 7638, 9278), JWS (RFC 7515, 7518).

The signatures themselves are checked by `cryptography`. What that library lets pass is decided here with school arithmetic:
an Ed25519 key must be the canonical encoding of a point, and not one of the few whose order divides eight.
"""

import hashlib
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256

from tests.contract_reference.strict_text import Json, NotCanonicalError, decode_base64url, encode_base64url

ALGORITHMS: Final = ("EdDSA", "ES256")
NO_POINT: Final = "no point of its curve"
THUMBPRINT_URI: Final = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_SHAPES: Final = {("OKP", "Ed25519"): ("EdDSA", ("x",)), ("EC", "P-256"): ("ES256", ("x", "y"))}

_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
_P256: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_P256_B: Final = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class BadKeyError(Exception):
    """The JWK is not a public key that may sign."""


class Key:
    """A public key that was found sound; `alg` is the only algorithm that goes with it."""

    def __init__(self, jwk: Json) -> None:
        if not isinstance(jwk, dict) or set(jwk) & _PRIVATE:
            raise BadKeyError("no object, or a private member in it")
        kty, crv = jwk.get("kty"), jwk.get("crv")
        if not isinstance(kty, str) or not isinstance(crv, str) or (kty, crv) not in _SHAPES:
            raise BadKeyError("a kind of key that is not ours")
        self.alg, coordinates = _SHAPES[kty, crv]
        if kty == "OKP" and "y" in jwk:
            raise BadKeyError("a coordinate too many")
        self.public = {"crv": crv, "kty": kty}
        for name in coordinates:
            self.public[name] = _coordinate(jwk.get(name))
        _check_use(jwk, self.alg)
        self.raw = b"".join(decode_base64url(self.public[name]) for name in coordinates)
        problem = _ed25519_problem(self.raw) if self.alg == "EdDSA" else _p256_problem(self.raw)
        if problem:
            raise BadKeyError(problem)

    @property
    def thumbprint(self) -> str:
        """RFC 7638: the hash of the required members, in order, without spaces."""
        text = "{" + ",".join(f'"{name}":"{self.public[name]}"' for name in sorted(self.public)) + "}"
        return encode_base64url(hashlib.sha256(text.encode()).digest())

    @property
    def uri(self) -> str:
        """RFC 9278."""
        return THUMBPRINT_URI + self.thumbprint

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether the 64 bytes are a signature of this key."""
        if len(signature) != 64:
            return False
        try:
            if self.alg == "EdDSA":
                ed25519.Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
                return True
            r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
            if not (0 < r < _P256_ORDER and 0 < s < _P256_ORDER):
                return False
            _p256_public(self.raw).verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


def _coordinate(value: Json) -> str:
    try:
        if not isinstance(value, str) or len(decode_base64url(value)) != 32:
            raise BadKeyError("a coordinate that is not 32 bytes")
    except NotCanonicalError as error:
        raise BadKeyError("a coordinate that is not base64url") from error
    return value


def _check_use(jwk: dict[str, Json], alg: str) -> None:
    """RFC 7517 sections 4.2 to 4.4: a key that says it is for something else is for something else."""
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or jwk.get("alg", alg) != alg:
        raise BadKeyError("a key for another use or algorithm")
    if not isinstance(operations, list) or "verify" not in operations:
        raise BadKeyError("a key that may not verify")


@lru_cache(maxsize=4096)
def _p256_public(raw: bytes) -> ec.EllipticCurvePublicKey:
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]), ec.SECP256R1())
    return numbers.public_key()


@lru_cache(maxsize=4096)
def _p256_problem(raw: bytes) -> str | None:
    x, y = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    return None if x < _P256 and y < _P256 and (y * y - (x * x * x - 3 * x + _P256_B)) % _P256 == 0 else "not on P-256"


@lru_cache(maxsize=4096)
def _ed25519_problem(raw: bytes) -> str | None:
    """RFC 8032 section 5.1.3, and that eight times the point is not the neutral one."""
    packed = int.from_bytes(raw, "little")
    y, sign = packed % 2**255, packed >> 255
    if y >= _P:
        return "not the canonical encoding of a point"
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - square) % _P:
        return NO_POINT
    if x == 0 and sign:
        return "not the canonical encoding of a point"
    point = (_P - x if x % 2 != sign else x, y)
    for _ in range(3):
        point = _edwards_sum(point, point)
    return "a point that anybody could sign for" if point == (0, 1) else None


def _edwards_sum(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    (x1, y1), (x2, y2) = a, b
    product = _D * x1 * x2 * y1 * y2
    x3 = (x1 * y2 + x2 * y1) * pow(1 + product, -1, _P)
    y3 = (y1 * y2 + x1 * x2) * pow(1 - product, -1, _P)
    return x3 % _P, y3 % _P
