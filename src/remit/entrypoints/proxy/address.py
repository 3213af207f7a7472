"""Where a request comes from: the socket's peer, or what a trusted proxy says, and the prefix anonymous callers share."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from remit.entrypoints.proxy.connection import RequestHead
from remit.errors import BadRequest

PREFIX_V4 = 24
PREFIX_V6 = 56
MAX_FORWARDED = 32


def _normal(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=4096)
def address_prefix(text: str) -> str:
    """`203.0.113.0/24` or `2001:db8::/56`: one household or office, so that nobody gets more by rotating addresses."""
    address = _normal(text)
    bits = PREFIX_V4 if isinstance(address, IPv4Address) else PREFIX_V6
    return str(ip_network((address, bits), strict=False))


class Addresses:
    """Reads client addresses; `trusted` are the networks whose X-Forwarded-For counts."""

    def __init__(self, trusted: Sequence[str]) -> None:
        """Raises `ValueError` for what is no network; the policy was checked before."""
        self._trusted = [ip_network(text) for text in trusted]

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)

    def client(self, head: RequestHead) -> str:
        """The client's address: counted from the right, the first that is not a trusted proxy."""
        if not self._trusted:
            return head.peer
        address = _normal(head.peer)
        if not self._is_trusted(address):
            return str(address)
        listed = b",".join(value for name, value in head.headers if name == b"x-forwarded-for")
        hops = [hop.strip().decode("latin-1") for hop in listed.split(b",")] if listed else []
        if len(hops) > MAX_FORWARDED:
            raise BadRequest(f"X-Forwarded-For names more than {MAX_FORWARDED} hops")
        for hop in reversed(hops):
            try:
                address = _normal(hop)
            except ValueError:
                raise BadRequest("X-Forwarded-For holds something that is not an address") from None
            if not self._is_trusted(address):
                break
        return str(address)
