"""Base64url without padding (RFC 7515 section 2), with one text for each value.

Common decoders skip what they do not know, accept padding, the standard alphabet and bits that mean nothing; then one
signed document has many spellings, and whatever is keyed or hashed by its text can be made anew. Here a text is decoded
only if encoding the result gives the same text again.
"""

from binascii import a2b_base64, b2a_base64
from typing import Final

_PADDING: Final = (b"", None, b"==", b"=")
_TO_STANDARD: Final = bytes.maketrans(b"-_+/=", b"+/???")
_FROM_STANDARD: Final = bytes.maketrans(b"+/", b"-_")


class NotCanonical(ValueError):
    """The text is not the base64url encoding of any value."""


def encode(data: bytes) -> str:
    """Return the base64url text of `data`."""
    return _text(data).decode("ascii")


def decode(text: bytes) -> bytes:
    """Return what `text` is the encoding of. Raises `NotCanonical`."""
    padding = _PADDING[len(text) % 4]
    if padding is None:
        raise NotCanonical
    try:
        data = a2b_base64(text.translate(_TO_STANDARD) + padding)
    except ValueError:
        raise NotCanonical from None
    if _text(data) != text:
        raise NotCanonical
    return data


def decode_exactly(text: str, *, length: int) -> bytes:
    """Return the `length` bytes that `text` encodes. Raises `NotCanonical`."""
    if len(text) != (length * 4 + 2) // 3 or not text.isascii():
        raise NotCanonical
    return decode(text.encode("ascii"))


def _text(data: bytes) -> bytes:
    return b2a_base64(data, newline=False).translate(_FROM_STANDARD).rstrip(b"=")
