"""One client connection: bytes in, requests one after the other, bytes out.

The connection collects a head within its bounds, hands it to the handler in a task of its own, and looks at what follows
only when that handler has returned; what a client pipelines meanwhile waits in a bounded buffer, and beyond it in the
client. After a refusal the rest of what the client sends is read and dropped for a moment, since closing on unread bytes
would reset the connection and take the answer with it (RFC 9112 §9.6).
"""

import asyncio
import logging
import struct
import time
from socket import SO_LINGER, SOL_SOCKET
from typing import cast

from remit.entrypoints.proxy.connection import RequestHead
from remit.entrypoints.proxy.exchange import WireExchange
from remit.entrypoints.proxy.framing import (
    CRLF,
    END_OF_HEAD,
    Malformed,
    is_clean_so_far,
    write_refusal,
)
from remit.entrypoints.proxy.heads import RequestReader
from remit.entrypoints.proxy.reception import Reception, Refusal, peer_address
from remit.errors import BadRequest, ClientGone

OUR_FAULT = 500
NEVER = float("inf")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

_log = logging.getLogger(__name__)


class ClientConnection(asyncio.Protocol):
    """The protocol object of one accepted socket; the `Wire` of its exchanges."""

    _transport: asyncio.Transport
    _heads: RequestReader

    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._limits = reception.limits
        self._times = reception.times
        self._loop = reception.loop
        self._peer = ""
        self._buffer = b""
        self._at = 0  # where in the buffer the bytes begin that were not used yet
        self._checked = 0  # so many of them are clean and hold no end of a head
        self._skipped_line = False
        self._paused = False
        self._held_back = False
        self._exchange: WireExchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._reader: asyncio.Future[None] | None = None
        self._body_since: float | None = None  # since when this request's body has been waited for
        self._read_deadline = NEVER
        self._drainer: asyncio.Future[None] | None = None
        self.writable = True
        self._queued: list[bytes] = []
        self._queued_bytes = 0
        self._unsent = 0
        self._unsent_since = 0.0
        self._left = False  # the client has closed its side, so nobody waits for what we would send
        self._lost = False
        self._closing = False
        self._linger_bytes = 0

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has the methods and not the class
        self._peer = peer_address(transport.get_extra_info("peername"))
        self._heads = RequestReader(peer=self._peer, limits=self._limits)
        reception = self._reception
        reception.connections.add(self)
        reception.emptied.clear()
        reception.accepted += 1
        self._transport.set_write_buffer_limits(high=self._limits.buffer_bytes)
        self._read_deadline = self._loop.time() + self._times.header_s
        if len(reception.connections) > self._limits.max_connections:
            self._refuse(BadRequest("too many connections are open here; try again in a moment", status=503))
            transport.close()  # without lingering: what is over the bound is not kept open

    def data_received(self, data: bytes) -> None:
        if self._closing:
            self._linger_bytes -= len(data)
            if self._linger_bytes < 0:
                self._transport.abort()
            return
        self._buffer = self._buffer[self._at :] + data if self._buffer else data
        self._at = 0
        if self._exchange is None and self.writable:
            self._next_request()
            return
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
        if len(self._buffer) >= self._limits.buffer_bytes and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        self._client_left()  # the loop closes the transport after this, flushing what is still unsent

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._read_deadline = NEVER
        self._client_left()
        if self._task is None:
            self._reception.leave(self)

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self._unsent = 0
        if self._drainer is not None and not self._drainer.done():
            self._drainer.set_result(None)
        elif self._held_back:
            self._go_on()

    # From bytes to requests.

    def _next_request(self) -> None:
        try:
            head = self._take_head()
        except Malformed as problem:
            self._refuse(problem)
            return
        if head is not None:
            self._reception.requests += 1
            self._read_deadline = NEVER
            self._body_since = None
            self._exchange = WireExchange(self, head)
            self._task = self._loop.create_task(self._run(self._exchange))

    def _take_head(self) -> RequestHead | None:
        buffer, at = self._buffer, self._at
        if buffer.startswith(CRLF, at) and not self._skipped_line:
            self._skipped_line = True  # RFC 9112 §2.2: one empty line before a request is forgiven
            self._use(at + 2)
            self._checked = 0
            buffer, at = self._buffer, self._at
        end = buffer.find(END_OF_HEAD, at + self._checked - 3 if self._checked > 3 else at)
        if end < 0 or end - at > self._limits.max_head_bytes:
            self._check_beginning(buffer[at:])
            return None
        raw = buffer[at:end]
        self._use(end + 4)
        self._checked = 0
        self._skipped_line = False
        return self._heads.read(raw)

    def _use(self, up_to: int) -> None:
        """Count the buffer as used up to there. Moving what is left would cost a client's pipeline its square."""
        self._at = up_to
        if up_to >= len(self._buffer):
            self._buffer = b""
            self._at = 0

    def _check_beginning(self, buffer: bytes) -> None:
        """Refuse what cannot become a head any more, without waiting for its end."""
        limits = self._limits
        if len(buffer) > limits.max_head_bytes:
            raise Malformed(f"the request head is longer than {limits.max_head_bytes} bytes; shorten it", status=431)
        if not is_clean_so_far(buffer[self._checked :]) or buffer.startswith(CRLF):
            raise Malformed("the request head has a control character or a bare line break; remove it")
        if len(buffer) > limits.max_line_bytes and buffer.find(CRLF, 0, limits.max_line_bytes + 2) < 0:
            raise Malformed(f"the request line is longer than {limits.max_line_bytes} bytes; shorten it", status=414)
        if self._checked == 0 and buffer:
            self._read_deadline = self._loop.time() + self._times.header_s
        self._checked = len(buffer) - buffer.endswith(b"\r")

    async def _run(self, exchange: WireExchange) -> None:
        problem: BadRequest | None = None
        try:
            await self._reception.handler(exchange)
            if not exchange.answered and not exchange.gone:
                _log.error("a request was left without a complete answer")
                problem = _our_fault()
        except ClientGone:
            pass
        except BadRequest as error:
            problem = error
        except Exception:  # noqa: BLE001  whatever it is, its client gets an answer and the server lives on
            _log.exception("a request could not be handled")
            problem = _our_fault()
        finally:
            self._after(exchange, problem)

    def _after(self, exchange: WireExchange, problem: BadRequest | None) -> None:
        self._task = None
        self._exchange = None
        if self._lost:
            self._reception.leave(self)
        elif self._closing or self._left:
            return
        elif not exchange.started:
            self._refuse(problem or _our_fault(), bodiless=exchange.head.method == "HEAD")
        elif problem is not None or not exchange.answered:
            exchange.abort()
            self._close()
        elif self.ends:
            self._close()
        else:
            self._go_on()

    def _go_on(self) -> None:
        self._held_back = not self.writable
        if self._held_back:
            return  # the client does not take its answers, so it gets no more of them until it does
        self._read_deadline = self._loop.time() + self._times.keep_alive_s
        self._resume()
        if self._buffer:
            self._next_request()

    # The Wire of an exchange.

    @property
    def ends(self) -> bool:
        return self._reception.draining

    def date_line(self) -> bytes:
        return self._reception.date.at(time.time())

    def take(self, at_most: int) -> bytes:
        buffer, at = self._buffer, self._at
        self._use(at + at_most)
        return buffer[at : at + at_most] if at or at_most < len(buffer) else buffer

    def give_back(self, rest: bytes) -> None:
        if rest:
            self._buffer = rest + self._buffer[self._at :]
            self._at = 0

    async def more(self, *, received_bytes: int) -> None:
        now = self._loop.time()
        patience = self._times.body_s
        if self._body_since is None:
            self._body_since = now
        self._check_here()
        if now - self._body_since > patience + received_bytes / self._limits.min_body_rate_bytes:
            raise _too_slow()
        self._reader = self._loop.create_future()
        self._read_deadline = now + patience
        self._resume()
        try:
            await self._reader
        finally:
            self._reader = None
            self._read_deadline = NEVER

    def write(self, data: bytes) -> None:
        self._flush()
        self._transport.write(data)

    def queue(self, data: bytes) -> None:
        if not self._queued:
            self._loop.call_soon(self._flush)
        self._queued.append(data)
        self._queued_bytes += len(data)
        if self._queued_bytes >= self._limits.buffer_bytes:
            self._flush()

    def _flush(self) -> None:
        if self._queued:
            data = b"".join(self._queued)
            self._queued.clear()
            self._queued_bytes = 0
            if not self._left:
                self._transport.write(data)

    async def drained(self) -> None:
        self._check_here()
        self._drainer = self._loop.create_future()
        try:
            await self._drainer
        finally:
            self._drainer = None

    def answered(self, *, close: bool) -> None:
        self._flush()
        if close:
            self._close()

    def cut(self, *, reset: bool) -> None:
        self._flush()
        self._closing = True
        if self._left:
            self._transport.abort()
        elif reset:
            self._transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()
        else:
            self._transport.close()

    def _check_here(self) -> None:
        if self._left:
            raise ClientGone("the client closed its connection before its answer was complete")

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    # The end of a connection.

    @property
    def busy(self) -> bool:
        return self._task is not None

    def retire(self) -> None:
        if self._exchange is None and not self._buffer and not self._closing:
            self._closing = True
            self._transport.close()

    def abandon(self) -> "asyncio.Task[None] | None":
        self._closing = True
        self._transport.abort()
        self._client_left()  # at once: nothing may be written to a transport that is going away
        return self._task

    @property
    def held_bytes(self) -> int:
        return len(self._buffer) - self._at + self._queued_bytes + self._transport.get_write_buffer_size()

    def sweep(self, now: float) -> None:
        if self._lost:
            return
        unsent = self._transport.get_write_buffer_size()
        if now >= self._read_deadline:
            self._read_too_late(unsent)
        if unsent == 0 or self._unsent == 0 or unsent < self._unsent:
            self._unsent_since = now
        elif now - self._unsent_since > self._times.write_s:
            self.abandon()
        self._unsent = unsent

    def _read_too_late(self, unsent: int) -> None:
        if self._closing:
            if not unsent:
                self.abandon()
        elif self._reader is not None:
            if not self._reader.done():
                self._reader.set_exception(_too_slow())
        elif self._buffer:
            self._refuse(BadRequest("the request head did not arrive in time; send it faster", status=408))
        else:
            self._transport.close()

    def _refuse(self, problem: BadRequest, *, bodiless: bool = False) -> None:
        self.write(write_refusal(problem, date=self.date_line(), bodiless=bodiless))
        self._close()
        if problem.status == OUR_FAULT:
            return
        reception = self._reception
        reception.refused += 1
        if reception.on_refusal is not None:
            reception.on_refusal(Refusal(self._peer, problem.status, str(problem)))

    def _close(self) -> None:
        """Say that nothing more will come, then read what the client still sends until it closes too, for a while."""
        if self._closing:
            return
        self._closing = True
        self._buffer = b""
        self._at = 0
        self._linger_bytes = self._limits.linger_bytes
        self._read_deadline = self._loop.time() + self._times.linger_s
        self._resume()
        try:
            if self._transport.can_write_eof() and not self._transport.is_closing():
                self._transport.write_eof()
        except OSError:  # the client has reset the connection, and the loop has not told us yet
            self.abandon()

    def _client_left(self) -> None:
        if self._left:
            return
        self._left = True
        for waiting in (self._reader, self._drainer):
            if waiting is not None and not waiting.done():
                waiting.set_exception(ClientGone("the client closed its connection before its answer was complete"))
        if self._exchange is not None:
            try:
                self._exchange.client_left()
            except Exception:  # noqa: BLE001  it runs between two callbacks of the loop, and both must go on
                _log.exception("what a request had asked for, should its client leave, failed")


def _too_slow() -> BadRequest:
    return BadRequest("the body did not arrive in time; send it faster", status=408)


def _our_fault() -> BadRequest:
    return BadRequest("", status=OUR_FAULT)
