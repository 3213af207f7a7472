"""What the text of an API key looks like, so that code which must never show one can recognise it.

A key reads `remit_<key id>_<secret><checksum>`: a prefix that secret scanners can search for, an id that may be shown
anywhere, a secret of 196 bits' room (192 are random) and a CRC32 over everything before it. The checksum lets a reader
(and a scanner) tell a mistyped or made-up key from a real one without asking a store. `identity.api_keys` makes and
reads keys; the audit log only asks `KEY_LIKE_PATTERN` what it has to mask.
"""

import re
import zlib
from typing import Final

KEY_PREFIX = "remit_"
"""How every key begins."""

KEY_ID_CHARS = 16
KEY_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
"""Base32 of RFC 4648 in lower case: 80 random bits in 16 characters."""

SECRET_CHARS = 33
BASE62_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECKSUM_CHARS = 6
"""A CRC32 in base62, most significant digit first, padded with `0`."""

KEY_CHARS = len(KEY_PREFIX) + KEY_ID_CHARS + 1 + SECRET_CHARS + CHECKSUM_CHARS
"""Every key is exactly this long."""

KEY_PATTERN = r"\bremit_[a-z2-7]{16}_[0-9A-Za-z]{39}\b"
"""The regular expression for secret scanners (gitleaks, detect-secrets, GitHub custom patterns): whole keys only."""

KEY_LIKE_PATTERN = r"remit(?:_|%5f)(?:[0-9a-z]{16}(?:_|%5f)[0-9a-z]+|[0-9a-z_]{36,})"
"""What masking goes by, without regard to case: also cut, mistyped and percent-encoded keys. A bare key id is no match."""


_KEY_LIKE: Final = re.compile(KEY_LIKE_PATTERN, re.IGNORECASE)


def looks_like_key(text: str) -> bool:
    """Whether a key, or enough of one to be worth hiding, stands anywhere in `text`."""
    return _KEY_LIKE.search(text) is not None


def base62(number: int, *, width: int) -> str:
    """`number` (>= 0) in base62, padded on the left with `0` to `width` digits."""
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = BASE62_ALPHABET[digit] + digits
    return digits.rjust(width, "0")


def checksum(text: str) -> str:
    """The six characters that end a key whose other characters are `text` (ASCII)."""
    return base62(zlib.crc32(text.encode("ascii")), width=CHECKSUM_CHARS)
