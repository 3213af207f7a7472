"""The port between the wire and whoever decides: one request, and the one way to answer it.

The data plane calls the handler once for every request whose head is beyond doubt, in the order of the connection, and
starts the next request of a connection only when the handler of the one before has returned. A head that can be read in
two ways never gets here. A handler needs nothing but this page, so the wire below it can be replaced.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

Header = tuple[bytes, bytes]


class RequestHead(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a client asked for, byte for byte as it was received and linted.

    `target` is the raw request-target: `/path?query`, `*` for OPTIONS, an authority for CONNECT; never an absolute URL.
    `headers` keep their order; names are lower-case, values have no white space around them. `host` is the value of the
    one Host field, which only HTTP/1.0 may leave out. `minor` is the x of HTTP/1.x. `keep_alive` is the client's wish.
    A body announces itself by `content_length` or by `chunked`, never by both. `upgrade` says that the client wants to
    speak something else (CONNECT, Upgrade, h2c): such a request has no body to read, and its connection ends with it.
    """

    method: str
    target: bytes
    headers: tuple[Header, ...]
    peer: str
    host: bytes | None
    minor: int
    keep_alive: bool
    content_length: int | None
    chunked: bool
    upgrade: bool
    expects_continue: bool


class Exchange(Protocol):
    """One request and the way to answer it, exactly once: `respond`, or `start`, `send` …, `finish`."""

    @property
    def head(self) -> RequestHead:
        """What was asked."""
        ...

    @property
    def gone(self) -> bool:
        """Whether the client closed its connection before the answer was complete."""
        ...

    async def body(self, max_bytes: int) -> bytes:
        """Read the whole body; without suspending if it is already here. A second call returns the same bytes.

        Sends `100 Continue` if the client waits for it. Raises BadRequest with status 413 as soon as the body is known
        to be longer than `max_bytes`, 400 when its framing is wrong, 408 when it does not arrive, 426 on an upgrade;
        raises ClientGone. After any of these the connection closes with the answer.
        """
        ...

    async def respond(self, status: int, headers: Sequence[Header], body: bytes = b"") -> None:
        """Answer in one write. Framing (content-length, connection, date) is added here; the body is left out for HEAD.

        Raises ClientGone, and InvariantBroken for an answer that cannot be written as HTTP.
        """
        ...

    async def start(self, status: int, headers: Sequence[Header], content_length: int | None = None) -> None:
        """Begin a streamed answer of `content_length` bytes, or of unknown length. Raises as `respond`."""
        ...

    async def send(self, data: bytes) -> None:
        """Send a part of the answer; waits while the client reads more slowly than we write. Raises ClientGone."""
        ...

    async def finish(self, trailers: Sequence[Header] = ()) -> None:
        """Complete a streamed answer; trailers are sent where its framing has a place for them. Raises ClientGone."""
        ...

    def abort(self) -> None:
        """Close the connection now, so that the client sees a cut answer and never a complete one."""
        ...

    def on_gone(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, should the client go before the answer is complete; at once if it already has."""
        ...


Handler = Callable[[Exchange], Awaitable[None]]
