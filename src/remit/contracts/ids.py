"""Fresh ids: UUIDv7 (RFC 9562 section 5.7), made from the time and random bytes that the caller gives."""

from typing import Final

from remit.contracts.keys import RandomBytes

_LOW_12_BITS: Final = 2**12 - 1
_LOW_62_BITS: Final = 2**62 - 1
_LOW_48_BITS: Final = 2**48 - 1


def new_uuid(random_bytes: RandomBytes, *, now_us: int) -> str:
    """Return a UUIDv7 in lower case with hyphens: 48 bits of milliseconds, then 74 random bits."""
    chance = int.from_bytes(random_bytes(10), "big")
    stamp = (now_us // 1000) & _LOW_48_BITS
    number = stamp << 80 | 0x7 << 76 | (chance >> 62 & _LOW_12_BITS) << 64 | 0b10 << 62 | (chance & _LOW_62_BITS)
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
