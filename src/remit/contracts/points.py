"""Which encodings are public keys: judged by arithmetic of our own, before any library is asked.

The common libraries load any 32 bytes as an Ed25519 key. Among them are 14 encodings of points of small order, for which
anybody can make signatures that verify, and encodings of coordinates that are not reduced, which give one key several
names. Both are refused (RFC 8032 section 5.1.3; "Taming the many EdDSAs", 2020, section 4). For P-256 the coordinates
must be reduced and satisfy the curve's equation; its group has no small subgroup.

Whether an Ed25519 encoding is a point at all takes a modular square root, as much as verifying a signature. So it is
asked where keys are registered, and not for every link of a chain: a key that is no point verifies nothing anyway.
"""

from typing import Final

_P25519: Final = 2**255 - 19
_LOW_255_BITS: Final = 2**255 - 1  # the highest bit is the sign of x
_D25519: Final = -121665 * pow(121666, -1, _P25519) % _P25519

# The y-coordinates of the eight points whose order divides 8: order 4, the neutral element, order 2, and order 8 twice.
_EIGHTH_Y: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y: Final = frozenset({0, 1, _P25519 - 1, _EIGHTH_Y, _P25519 - _EIGHTH_Y})

_P256: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B256: Final = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B

P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order n of the group of P-256 (SEC 2): private keys, r and s lie between 1 and n-1."""


def is_sound_ed25519(encoded: bytes) -> bool:
    """Say whether 32 bytes are a reduced encoding of something else than a point of small order."""
    y = int.from_bytes(encoded, "little") & _LOW_255_BITS
    return len(encoded) == 32 and y < _P25519 and y not in _SMALL_ORDER_Y


def is_ed25519_point(encoded: bytes) -> bool:
    """Say whether a sound encoding is that of a point: whether x² = (y² - 1) / (dy² + 1) has a solution."""
    y_squared = (int.from_bytes(encoded, "little") & _LOW_255_BITS) ** 2 % _P25519
    product = (y_squared - 1) * (_D25519 * y_squared + 1) % _P25519
    return pow(product, (_P25519 - 1) // 2, _P25519) == 1


def is_p256_point(x: bytes, y: bytes) -> bool:
    """Say whether two big-endian coordinates of 32 bytes are reduced and lie on the curve y² = x³ - 3x + b."""
    if len(x) != 32 or len(y) != 32:
        return False
    across, up = int.from_bytes(x, "big"), int.from_bytes(y, "big")
    return max(across, up) < _P256 and (up * up - (across**3 - 3 * across + _B256)) % _P256 == 0
