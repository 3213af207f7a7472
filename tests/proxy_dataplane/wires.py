"""What the tests talk to the data plane with: raw sockets that send exact bytes, and a server end that records them."""

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import httptools

from remit.entrypoints.proxy.bounds import ServerLimits, UpstreamLimits
from remit.entrypoints.proxy.connection import Exchange, Handler, Header
from remit.entrypoints.proxy.reception import Refusal
from remit.entrypoints.proxy.server import Server, serve
from remit.entrypoints.proxy.upstream import Upstream

MILLISECOND_US = 1_000
PATIENCE_S = 10
# Short enough for a test that waits for one of them, long enough for a busy machine not to meet them by chance.
BRISK = ServerLimits(
    header_us=150 * MILLISECOND_US,
    body_us=150 * MILLISECOND_US,
    keep_alive_us=150 * MILLISECOND_US,
    linger_us=10_000 * MILLISECOND_US,  # ends when the client closes, which ours do at once
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as somebody read it."""

    method: str
    target: bytes
    headers: tuple[Header, ...]
    body: bytes


@dataclass
class Listening:
    """A server under test and what it did."""

    server: Server
    refusals: list[Refusal]

    @property
    def address(self) -> tuple[str, int]:
        return self.server.address


@asynccontextmanager
async def listening(handler: Handler, limits: ServerLimits | None = None) -> AsyncIterator[Listening]:
    """A server on a free port."""
    refusals: list[Refusal] = []
    server = await serve(handler, host="127.0.0.1", port=0, limits=limits, on_refusal=refusals.append)
    try:
        yield Listening(server, refusals)
    finally:
        await server.close()


class Recorder:
    """A handler that reads the body, writes the request down and answers with its target."""

    def __init__(self, *, max_bytes: int = 1 << 20) -> None:
        self.seen: list[Seen] = []
        self.calls = 0
        self._max_bytes = max_bytes

    async def __call__(self, exchange: Exchange) -> None:
        self.calls += 1
        head = exchange.head
        body = await exchange.body(self._max_bytes)
        self.seen.append(Seen(head.method, head.target, head.headers, body))
        await exchange.respond(200, ((b"x-target", head.target),), b"ok")


class Peer:
    """A client socket that sends exactly what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def rest(self) -> bytes:
        """Everything until the server closes; what came before a reset, if it resets."""
        received = bytearray()
        async with asyncio.timeout(PATIENCE_S):
            try:
                while data := await self.reader.read(65536):
                    received += data
            except ConnectionError:
                pass
        return bytes(received)

    async def until(self, mark: bytes) -> bytes:
        """Everything up to and including `mark`."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readuntil(mark)

    async def answer(self) -> bytes:
        """One answer with a content-length; its head and body."""
        head = await self.until(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        async with asyncio.timeout(PATIENCE_S):
            return head + await self.reader.readexactly(int(length[1]) if length else 0)

    def reset(self) -> None:
        """Close without finishing."""
        cast(asyncio.Transport, self.writer.transport).abort()


@asynccontextmanager
async def connected(address: tuple[str, int]) -> AsyncIterator[Peer]:
    """A connection to `address`."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


async def converse(address: tuple[str, int], data: bytes, *, pieces: int | None = None) -> bytes:
    """Send `data`, whole or in pieces of a size, and return all that comes back until the server closes."""
    async with connected(address) as peer:
        step = pieces or max(1, len(data))
        for start in range(0, len(data), step):
            if peer.reader.at_eof():
                break
            try:
                await peer.send(data[start : start + step])
            except ConnectionError:
                break
            if pieces:
                await asyncio.sleep(0)
        return await peer.rest()


def statuses(received: bytes) -> list[int]:
    """The status of each answer in what a client received."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


def by_llhttp(stream: bytes) -> list[Seen]:
    """How llhttp in its strict mode reads a stream of requests: the complete ones, up to the first it refuses."""
    reading = _Reading()
    parser = httptools.HttpRequestParser(reading)
    reading.parser = parser
    try:
        parser.feed_data(stream)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        pass
    return reading.complete


class _Reading:
    parser: httptools.HttpRequestParser

    def __init__(self) -> None:
        self.complete: list[Seen] = []
        self._target = b""
        self._headers: list[Header] = []
        self._body = b""
        self._in_head = True

    def on_message_begin(self) -> None:
        self._target, self._headers, self._body, self._in_head = b"", [], b"", True

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            self._headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self._in_head = False

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self.parser.get_method().decode()
        self.complete.append(Seen(method, self._target, tuple(self._headers), self._body))


Script = Callable[["UpstreamEnd"], Awaitable[None]]


@dataclass
class UpstreamEnd:
    """One connection as a fake upstream has it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    log: list[bytes]

    async def request(self) -> bytes:
        """The next whole request, byte for byte; b"" when the client closed."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        length = re.search(rb"content-length: (\d+)", head)
        body = await self.reader.readexactly(int(length[1])) if length else b""
        self.log.append(head + body)
        return head + body

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def shut(self) -> None:
        """End the sending direction now, without a turn of the loop."""
        with self.writer.get_extra_info("socket").dup() as same:
            same.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close so that the other side sees a reset."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        cast(asyncio.Transport, self.writer.transport).abort()


@dataclass
class FakeUpstream:
    """A server that plays a script on every connection and keeps the bytes of every request."""

    port: int
    log: list[bytes] = field(default_factory=list)
    connections: int = 0


@asynccontextmanager
async def upstream_playing(script: Script) -> AsyncIterator[FakeUpstream]:
    """Such a server, on a free port; each connection closes when its script returns."""
    fake = FakeUpstream(0)
    running: set[asyncio.Task[None]] = set()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fake.connections += 1
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            await script(UpstreamEnd(reader, writer, fake.connections, fake.log))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            running.discard(task)
            writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        for task in tuple(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@asynccontextmanager
async def calling(port: int, limits: UpstreamLimits | None = None) -> AsyncIterator[Upstream]:
    """A client of the upstream on this port."""
    upstream = Upstream(scheme="http", host="127.0.0.1", port=port, limits=limits)
    try:
        yield upstream
    finally:
        await upstream.close()


async def eventually(condition: Callable[[], bool]) -> None:
    """Give the loop turns until something is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  what is waited for is state of the code under test, which has no event
            await asyncio.sleep(0.001)
