"""What the connections of one server share: its handler, its bounds, its counts, and who is there."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, Self

from remit.entrypoints.proxy.bounds import ServerLimits
from remit.entrypoints.proxy.connection import Handler
from remit.entrypoints.proxy.framing import DateLine
from remit.entrypoints.proxy.sweep import seconds


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that never became a request: who sent it, what it was answered, and why, in words without its bytes."""

    peer: str
    status: int
    detail: str


class Guest(Protocol):
    """What the server does with a connection."""

    @property
    def busy(self) -> bool:
        """Whether a request of this connection is being handled."""
        ...

    @property
    def held_bytes(self) -> int:
        """So much is buffered for it, received and not used yet, or not sent yet."""
        ...

    def sweep(self, now: float) -> None:
        """Look at the deadlines of this connection."""
        ...

    def retire(self) -> None:
        """Close if no request is here or on its way; otherwise the connection ends with its answer."""
        ...

    def abandon(self) -> asyncio.Task[None] | None:
        """Close at once, whatever is going on; returns what still runs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The times of ServerLimits in seconds of the loop's clock."""

    header_s: float
    body_s: float
    write_s: float
    keep_alive_s: float
    linger_s: float

    @classmethod
    def of(cls, limits: ServerLimits) -> Self:
        """Converted once, since every request needs some of them."""
        return cls(
            header_s=seconds(limits.header_us),
            body_s=seconds(limits.body_us),
            write_s=seconds(limits.write_us),
            keep_alive_s=seconds(limits.keep_alive_us),
            linger_s=seconds(limits.linger_us),
        )


@dataclass(slots=True)
class Reception:
    """What all connections of one server share."""

    handler: Handler
    limits: ServerLimits
    loop: asyncio.AbstractEventLoop
    times: Times
    on_refusal: Callable[[Refusal], None] | None = None
    date: DateLine = field(default_factory=DateLine)
    connections: set[Guest] = field(default_factory=set)
    emptied: asyncio.Event = field(default_factory=asyncio.Event)
    draining: bool = False
    accepted: int = 0
    requests: int = 0
    refused: int = 0

    def leave(self, connection: Guest) -> None:
        """This connection is closed and nothing of it runs any more."""
        self.connections.discard(connection)
        if not self.connections:
            self.emptied.set()


def peer_address(name: object) -> str:
    """The address in a socket's peer name; an IPv4 address mapped into IPv6 is written as IPv4."""
    if not isinstance(name, tuple):
        return ""
    address = str(name[0])
    return address.removeprefix("::ffff:") if "." in address else address
