"""One request on a connection, and the one answer it gets: the port's `Exchange` over HTTP/1.1.

The exchange knows the framing of both directions and the order of steps; the connection below it (`Wire`) knows bytes,
buffers and deadlines. Whether the connection lives on is decided once, when the head of the answer is written: it does
if the client wants that, the server is not draining, and the request's body is already here in full, read or not.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol

from remit.entrypoints.proxy.bodies import BodyReader, ChunkedBody, SizedBody
from remit.entrypoints.proxy.connection import Header, RequestHead
from remit.entrypoints.proxy.framing import write_head, write_trailers
from remit.errors import BadRequest, ClientGone, InvariantBroken

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_NO_CONTENT, _NOT_MODIFIED = 204, 304


class Wire(Protocol):
    """What an exchange asks of the connection it came on."""

    @property
    def ends(self) -> bool:
        """Whether this connection takes no request after this one, whatever the client wishes."""
        ...

    @property
    def writable(self) -> bool:
        """Whether less than the high-water mark waits to be sent."""
        ...

    def date_line(self) -> bytes:
        """The Date field of now."""
        ...

    def take(self, at_most: int) -> bytes:
        """The bytes received and not used yet, up to a number; they are the caller's now."""
        ...

    def give_back(self, rest: bytes) -> None:
        """Bytes taken that belong to the next request."""
        ...

    async def more(self, *, received_bytes: int) -> None:
        """Wait until there is something to take. Raises ClientGone, and BadRequest 408 when it takes too long."""
        ...

    def write(self, data: bytes) -> None:
        """Send now."""
        ...

    def queue(self, data: bytes) -> None:
        """Send soon, together with what is queued in the same turn of the loop."""
        ...

    async def drained(self) -> None:
        """Wait until `writable`. Raises ClientGone."""
        ...

    def answered(self, *, close: bool) -> None:
        """The answer is complete: send what is queued."""
        ...

    def cut(self, *, reset: bool) -> None:
        """End the connection, with a reset where its plain end could be taken for the end of the answer."""
        ...


class _State(Enum):
    UNANSWERED = 0
    STARTED = 1
    DONE = 2


# An attribute of an Enum is looked up slowly, and these are looked up several times a request.
_UNANSWERED, _STARTED, _DONE = _State.UNANSWERED, _State.STARTED, _State.DONE


class WireExchange:
    """See `connection.Exchange`, which this is."""

    __slots__ = (
        "_bodiless",
        "_callback",
        "_chunked",
        "_close",
        "_missing",
        "_payload",
        "_reader",
        "_state",
        "_wire",
        "gone",
        "head",
    )

    def __init__(self, wire: Wire, head: RequestHead) -> None:
        self.head = head
        self.gone = False
        self._wire = wire
        self._reader: BodyReader | None = None
        if head.chunked:
            self._reader = ChunkedBody()
        elif head.content_length or head.upgrade:
            self._reader = SizedBody(head.content_length or 0)
        self._payload: bytes | None = None
        self._state = _UNANSWERED
        self._close = not head.keep_alive
        self._chunked = False
        self._bodiless = False
        self._missing: int | None = None  # bytes still to send of a streamed answer that announced its length
        self._callback: Callable[[], None] | None = None

    @property
    def answered(self) -> bool:
        """Whether the answer is complete, or was aborted."""
        return self._state is _DONE

    @property
    def started(self) -> bool:
        """Whether any of the answer may be on its way."""
        return self._state is not _UNANSWERED

    async def body(self, max_bytes: int) -> bytes:
        payload = self._payload
        if payload is None:
            self._expect_state(_UNANSWERED)
            reader = self._reader
            try:
                payload = b"" if reader is None else await self._read(reader, max_bytes)
            except BaseException:
                self._close = True  # nobody knows any more where the next request begins
                raise
            self._payload = payload
        if len(payload) > max_bytes:
            raise _too_long(max_bytes)
        return payload

    async def _read(self, reader: BodyReader, max_bytes: int) -> bytes:
        wire = self._wire
        if self.head.upgrade:
            raise BadRequest("a request for another protocol has no body to read", status=426)
        if reader.announced > max_bytes:
            raise _too_long(max_bytes)
        data = wire.take(reader.wants_bytes)
        if self.head.expects_continue and not data:
            wire.write(CONTINUE)
        collected = bytearray()
        while True:
            piece = reader.feed(data)
            if reader.announced > max_bytes:
                raise _too_long(max_bytes)
            if reader.complete:
                wire.give_back(reader.rest)
                return bytes(collected + piece) if collected else piece
            collected += piece
            await wire.more(received_bytes=len(collected))
            data = wire.take(reader.wants_bytes)

    async def respond(self, status: int, headers: Sequence[Header], body: bytes = b"") -> None:
        self._expect_state(_UNANSWERED)
        bodiless = status in (_NO_CONTENT, _NOT_MODIFIED)
        if bodiless and body:
            raise InvariantBroken(f"an answer with status {status} was given a body; please report this")
        close = self._must_close()
        length = None if bodiless else len(body)
        head = write_head(status, headers, date=self._wire.date_line(), content_length=length, close=close)
        self._state = _DONE
        self._wire.write(head if bodiless or self.head.method == "HEAD" else head + body)
        self._wire.answered(close=close)

    async def start(self, status: int, headers: Sequence[Header], content_length: int | None = None) -> None:
        self._expect_state(_UNANSWERED)
        self._bodiless = status in (_NO_CONTENT, _NOT_MODIFIED) or self.head.method == "HEAD"
        unsized = content_length is None and not self._bodiless
        self._chunked = unsized and self.head.minor == 1
        self._close = self._must_close() or (unsized and not self._chunked)
        self._missing = content_length
        head = write_head(
            status,
            headers,
            date=self._wire.date_line(),
            content_length=None if status == _NO_CONTENT else content_length,
            chunked=self._chunked,
            close=self._close,
        )
        self._state = _STARTED
        self._wire.queue(head)

    async def send(self, data: bytes) -> None:
        self._expect_state(_STARTED)
        if not data or self._bodiless:
            return
        if self._missing is not None:
            self._missing -= len(data)
            if self._missing < 0:
                self.abort()
                raise InvariantBroken("more was sent than the answer's content-length; please report this")
        self._wire.queue(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        if not self._wire.writable:
            await self._wire.drained()

    async def finish(self, trailers: Sequence[Header] = ()) -> None:
        self._expect_state(_STARTED)
        if self._missing and not self._bodiless:
            self.abort()
            raise InvariantBroken("less was sent than the answer's content-length; please report this")
        if self._chunked:
            self._wire.queue(write_trailers(trailers))
        self._state = _DONE
        self._wire.answered(close=self._close)

    def abort(self) -> None:
        if self._state is not _DONE:
            streaming = self._state is _STARTED
            self._state = _DONE
            self._wire.cut(reset=streaming and not self._chunked)

    def on_gone(self, callback: Callable[[], None]) -> None:
        if self.gone:
            callback()
        else:
            self._callback = callback

    def client_left(self) -> None:
        """The connection says that the client is gone; of no interest once the answer is complete."""
        if self.gone or self.answered:
            return
        self.gone = True
        if self._callback is not None:
            self._callback()

    def _expect_state(self, state: _State) -> None:
        if self.gone:
            raise ClientGone("the client closed its connection before its answer was complete")
        if self._state is not state:
            raise InvariantBroken("an answer was started twice, or continued before its start; please report this")

    def _must_close(self) -> bool:
        return self._close or self._wire.ends or not self._skip_body()

    def _skip_body(self) -> bool:
        """Whether the request's body is behind us: read, absent, or here in full and now skipped."""
        if self._reader is None:
            return True
        if not self._reader.complete:
            try:
                self._reader.feed(self._wire.take(self._reader.wants_bytes))
            except BadRequest:
                return False
            self._wire.give_back(self._reader.rest)
        return self._reader.complete


def _too_long(max_bytes: int) -> BadRequest:
    return BadRequest(f"the body is longer than {max_bytes} bytes; send a smaller one", status=413)
