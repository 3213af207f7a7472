"""One connection to an upstream: writes a request, reads its answer, and knows whether it can be used again.

It carries one call at a time. Anything that leaves doubt about where an answer ended (bytes nobody asked for, an answer
before its request was written, an end without a close) ends the connection with that answer. What an upstream says is
read as strictly as what a client says: it may be hostile, too.
"""

import asyncio
import select
import ssl
from dataclasses import dataclass
from typing import Protocol, Self, cast

from remit.entrypoints.proxy.bodies import BodyReader, ChunkedBody, SizedBody, UnsizedBody
from remit.entrypoints.proxy.bounds import UpstreamLimits
from remit.entrypoints.proxy.framing import END_OF_HEAD, Malformed
from remit.entrypoints.proxy.heads import ResponseHead, ResponseReader
from remit.entrypoints.proxy.response import UpstreamResponse
from remit.entrypoints.proxy.sweep import seconds
from remit.errors import UpstreamFailed

NEVER = float("inf")


class Pool(Protocol):
    """What a link tells the pool it belongs to."""

    def free(self, link: "Link") -> None:
        """Its call is over and it can carry another."""
        ...

    def lost(self, link: "Link") -> None:
        """It is closed. Told once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTimes:
    """The times of UpstreamLimits that a link minds, in seconds of the loop's clock."""

    head_s: float
    read_s: float
    idle_s: float
    total_s: float

    @classmethod
    def of(cls, limits: UpstreamLimits) -> Self:
        """Converted once, since every call needs some of them."""
        return cls(
            head_s=seconds(limits.head_us),
            read_s=seconds(limits.read_us),
            idle_s=seconds(limits.idle_us),
            total_s=NEVER if limits.total_us is None else seconds(limits.total_us),
        )


class Link(asyncio.Protocol):
    """The protocol object of one connection to an upstream; the `Source` of its response."""

    _transport: asyncio.Transport

    def __init__(
        self, pool: Pool, *, name: str, limits: UpstreamLimits, times: LinkTimes, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._pool = pool
        self._name = name
        self._limits = limits
        self._times = times
        self._loop = loop
        self._heads = ResponseReader(limits=limits)
        self._poll = select.poll()
        self._head: asyncio.Future[UpstreamResponse] | None = None
        self._response: UpstreamResponse | None = None
        self._reader: BodyReader | None = None
        self._head_request = False
        self._keep = True
        self._buffer = b""
        self._checked = 0
        self._interim = 0
        self._paused = False
        self._deadline = NEVER
        self._total_deadline = NEVER
        self.idle_since = 0.0
        self.open = False

    # The one call.

    def send(self, request: bytes, *, is_head: bool) -> "asyncio.Future[UpstreamResponse]":
        """Send a whole request; the future gets its answer as soon as its head is here, or UpstreamFailed."""
        now = self._loop.time()
        head: asyncio.Future[UpstreamResponse] = self._loop.create_future()
        self._head = head
        self._head_request = is_head
        self._interim = 0
        self._deadline = now + self._times.head_s
        self._total_deadline = now + self._times.total_s
        self._transport.write(request)
        return head

    def forget(self, head: "asyncio.Future[UpstreamResponse]") -> None:
        """Whoever waited for this answer does not any more."""
        if head.done() and not head.cancelled() and head.exception() is None:
            head.result().close()  # by now this link may carry another call, so only that answer is closed
        elif not head.done() or head.cancelled():
            self._transport.abort()

    def usable(self) -> bool:
        """Whether an idle link may carry another call: young, open, and with nothing to read, be it bytes or an end."""
        if self._loop.time() - self.idle_since > self._times.idle_s or self._transport.is_closing():
            return False
        return not self._poll.poll(0)

    def want(self) -> None:
        if self._response is not None:
            self._deadline = self._loop.time() + self._times.read_s
            if self._paused:
                self._paused = False
                self._transport.resume_reading()

    def give_up(self) -> None:
        self._transport.abort()

    def sweep(self, now: float) -> None:
        """Look at the deadlines of this link."""
        if self._head is None and self._response is None:
            if now - self.idle_since > self._times.idle_s:
                self._transport.close()
        elif now >= self._deadline or now >= self._total_deadline:
            self._fail("did not answer in time" if self._response is None else "stopped in its answer", timeout=True)

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has the methods and not the class
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self.idle_since = self._loop.time()
        self.open = True

    def data_received(self, data: bytes) -> None:
        try:
            if self._response is not None:
                self._read_body(self._response, data)
            elif self._head is not None and not self._head.done():
                self._read_head(self._head, self._buffer + data)
            else:
                self._transport.abort()  # nobody asked
        except Malformed as problem:
            self._fail(f"sent an answer that cannot be read: {problem}")

    def eof_received(self) -> None:
        ends_here = self._reader is not None and self._reader.ends_at_close()
        if self._response is not None and ends_here and _closed_properly(self._transport):
            self._finish(self._response)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._fail("closed the connection before its answer was complete")
        self._pool.lost(self)

    # Reading an answer.

    def _read_head(self, head: "asyncio.Future[UpstreamResponse]", data: bytes) -> None:
        while True:
            end = data.find(END_OF_HEAD, self._checked - 3 if self._checked > 3 else 0)
            if end > self._limits.max_head_bytes or (end < 0 and len(data) > self._limits.max_head_bytes):
                raise Malformed("its head is too long")
            if end < 0:
                self._buffer = data
                self._checked = len(data)
                return
            said = self._heads.read(data[:end])
            self._buffer, self._checked = b"", 0
            data = data[end + 4 :]
            if said.status >= 200:
                break
            self._interim += 1
            if self._interim > self._limits.max_interim or said.status == 101:
                raise Malformed("it switches protocols or does not come to an answer")
        self._begin(head, said, data)

    def _begin(self, head: "asyncio.Future[UpstreamResponse]", said: ResponseHead, data: bytes) -> None:
        response = UpstreamResponse(self, status=said.status, headers=said.headers, content_length=said.content_length)
        self._keep = said.keep_alive
        self._head = None
        head.set_result(response)  # read by its caller in a later turn of the loop
        self._response = response
        self._reader = reader = self._body_of(said)
        if reader is None or reader.complete:
            self._finish(response, rest=data)
        elif len(data) == said.content_length:
            response.arrived(data)  # the common case: all of it came with the head
            self._finish(response)
        else:
            self.want()
            if data:
                self._read_body(response, data)

    def _body_of(self, said: ResponseHead) -> BodyReader | None:
        if self._head_request or said.status in (204, 304):
            return None
        if said.chunked:
            return ChunkedBody(lenient=True)
        if said.content_length is not None:
            return SizedBody(said.content_length)
        self._keep = False
        return UnsizedBody()

    def _read_body(self, response: UpstreamResponse, data: bytes) -> None:
        reader = self._reader
        assert reader is not None
        response.arrived(reader.feed(data))
        if reader.complete:
            self._finish(response, rest=reader.rest)
        elif response.buffered_bytes >= self._limits.buffer_bytes:
            self._paused = True
            self._deadline = NEVER
            self._transport.pause_reading()
        else:
            self._deadline = self._loop.time() + self._times.read_s

    def _finish(self, response: UpstreamResponse, *, rest: bytes = b"") -> None:
        self._response = None
        self._reader = None
        self._deadline = self._total_deadline = NEVER
        response.end()
        if rest or not self._keep or self._transport.is_closing() or self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self.idle_since = self._loop.time()
            self._pool.free(self)

    def _fail(self, why: str, *, timeout: bool = False) -> None:
        error = UpstreamFailed(f"upstream `{self._name}` {why}", dispatched=True, timeout=timeout)
        if self._head is not None and not self._head.done():
            self._head.set_exception(error)
        self._head = None
        if self._response is not None:
            self._response.fail(error)
            self._response = None
        self._deadline = self._total_deadline = NEVER
        self._transport.abort()


def _closed_properly(transport: asyncio.Transport) -> bool:
    """Whether the end of this connection was meant: over TLS anybody can end TCP, but not say so (RFC 9112 §9.8)."""
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if tls is None:
        return True
    try:
        return not tls.read(1)
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:
        return False
