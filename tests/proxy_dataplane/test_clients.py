"""Clients that leave, dawdle, flood or come in numbers: what each costs us is bounded, and the handler hears of it."""

import asyncio
import socket
from dataclasses import replace

import pytest

from remit.entrypoints.proxy.bounds import ServerLimits
from remit.entrypoints.proxy.connection import Exchange
from remit.errors import BadRequest, ClientGone
from tests.proxy_dataplane.wires import (
    BRISK,
    MILLISECOND_US,
    Peer,
    Recorder,
    connected,
    converse,
    eventually,
    listening,
    statuses,
)

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
SECOND_US = 1_000_000
A_READ_BYTES = 256 * 1024  # what an event loop takes from a socket at a time


class Watcher:
    """A handler that says when it has begun, goes on when told, and notes what happened to its client."""

    def __init__(self, *, streaming: bool = False) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.over = asyncio.Event()
        self.left = 0
        self.error: BaseException | None = None
        self._streaming = streaming

    async def __call__(self, exchange: Exchange) -> None:
        exchange.on_gone(self._gone)
        try:
            if self._streaming:
                await exchange.start(200, ())
                await exchange.send(b"first")
            self.begun.set()
            await self.go_on.wait()
            if self._streaming:
                await exchange.finish()
            else:
                await exchange.respond(200, (), b"")
        except ClientGone as error:
            self.error = error
            raise
        finally:
            self.over.set()

    def _gone(self) -> None:
        self.left += 1
        self.go_on.set()


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("reset", [False, True])
async def test_a_client_that_leaves_before_its_answer_is_complete_is_noticed_once(
    *, streaming: bool, reset: bool
) -> None:
    watcher = Watcher(streaming=streaming)
    async with listening(watcher) as on, connected(on.address) as peer:
        await peer.send(GET)
        await watcher.begun.wait()
        if reset:
            peer.reset()
        else:
            peer.writer.close()
        await watcher.over.wait()
        await eventually(lambda: on.server.counts.connections == 0)
    assert watcher.left == 1
    assert isinstance(watcher.error, ClientGone)


async def test_a_client_that_leaves_after_its_answer_is_of_no_interest() -> None:
    watcher = Watcher()
    watcher.go_on.set()
    async with listening(watcher) as on:
        async with connected(on.address) as peer:
            await peer.send(GET)
            await peer.answer()
        await eventually(lambda: on.server.counts.connections == 0)
    assert watcher.left == 0
    assert watcher.error is None


async def test_whoever_asks_late_hears_at_once_that_the_client_is_gone() -> None:
    heard: list[bool] = []
    begun, over = asyncio.Event(), asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        begun.set()
        while not exchange.gone:  # noqa: ASYNC110  what is tested is coming late, without having asked to be told
            await asyncio.sleep(0)
        exchange.on_gone(lambda: heard.append(exchange.gone))
        over.set()

    async with listening(handler) as on:
        async with connected(on.address) as peer:
            await peer.send(GET)
            await begun.wait()
        await over.wait()
    assert heard == [True]


async def test_an_answer_can_be_aborted_after_its_client_has_left(caplog: pytest.LogCaptureFixture) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, (), 10)
        await exchange.send(b"half")
        begun.set()
        await eventually(lambda: on.server.counts.held_bytes == 0 and exchange.gone)
        for _ in range(3):  # until the socket is closed as well
            await asyncio.sleep(0.001)
        exchange.abort()
        over.set()

    async with listening(handler) as on:
        async with connected(on.address) as peer:
            await peer.send(GET)
            await begun.wait()
        await over.wait()
        await eventually(lambda: on.server.counts.connections == 0)
    assert caplog.records == []


async def test_a_client_that_leaves_in_the_middle_of_its_body_ends_the_reading() -> None:
    errors: list[Exception] = []
    begun, over = asyncio.Event(), asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        begun.set()
        try:
            await exchange.body(100)
        except ClientGone as error:
            errors.append(error)
        over.set()

    async with listening(handler) as on:
        async with connected(on.address) as peer:
            await peer.send(POST + b"Content-Length: 9\r\n\r\nabc")
            await begun.wait()
        await over.wait()
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (POST + b"Content-Length: 101\r\n\r\n", 413),
        (POST + b"Content-Length: 101\r\nExpect: 100-continue\r\n\r\n", 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n65\r\n", 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n64\r\n" + b"x" * 100 + b"\r\n1\r\n", 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n", 408),
        (POST + b"Content-Length: 5\r\n\r\nabc", 408),
        (POST + b"X: y", 408),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 40_000, 431),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 40_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
        (b"GET /" + b"y" * 9_000, 414),
        (b"GET /" + b"y" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/1.1\n\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 90 + b"0\r\n" + b"X: y\r\n" * 2000, 431),
    ],
)
async def test_what_cannot_be_accepted_gets_its_status_and_the_connection_ends(
    request_bytes: bytes, status: int
) -> None:
    async with listening(Recorder(max_bytes=100), BRISK) as on:
        received = await converse(on.address, request_bytes)
    assert statuses(received) == [status]
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert b"x-should-retry: false" in head
    assert b'"status": %d' % status in body
    assert [(refusal.status, refusal.peer) for refusal in on.refusals] == [(status, "127.0.0.1")]


async def test_a_refused_client_that_goes_on_sending_still_gets_its_answer() -> None:
    async with listening(Recorder(max_bytes=100), replace(BRISK, linger_us=SECOND_US)) as on:
        received = await converse(on.address, POST + b"Content-Length: 300000\r\n\r\n" + b"x" * 300_000)
    assert statuses(received) == [413]


async def test_a_refused_client_that_never_stops_sending_is_cut() -> None:
    limits = replace(BRISK, linger_us=60 * SECOND_US, linger_bytes=100_000)
    async with listening(Recorder(max_bytes=100), limits) as on, connected(on.address) as peer:
        await peer.send(POST + b"Content-Length: 99999999\r\n\r\n")
        with pytest.raises(ConnectionError):
            await flood(peer)
        await eventually(lambda: on.server.counts.connections == 0)


async def flood(peer: Peer) -> None:
    while True:
        await peer.send(b"x" * 65536)


async def test_a_body_that_trickles_below_the_least_rate_is_given_up() -> None:
    limits = replace(BRISK, body_us=100 * MILLISECOND_US, min_body_rate_bytes=1_000_000)

    async with listening(Recorder(), limits) as on, connected(on.address) as peer:
        await peer.send(POST + b"Content-Length: 99999\r\n\r\n")
        received = asyncio.ensure_future(peer.rest())
        while not received.done():  # a byte every few milliseconds: never idle, never finished
            peer.writer.write(b"x")
            await asyncio.sleep(0.005)
    assert statuses(await received) == [408]


async def test_a_connection_that_says_nothing_is_closed_in_silence() -> None:
    async with listening(Recorder(), BRISK) as on:
        assert await converse(on.address, b"") == b""
        async with connected(on.address) as peer:
            await peer.send(GET)
            assert (await peer.answer()).startswith(b"HTTP/1.1 200")
            assert await peer.rest() == b""
    assert on.refusals == []


async def test_many_tiny_chunks_are_refused_before_they_cost_much() -> None:
    recorder = Recorder()
    async with listening(recorder, BRISK) as on:
        received = await converse(on.address, POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000)
    assert statuses(received) == [400]
    assert recorder.calls == 1
    assert recorder.seen == []


async def test_what_a_client_pipelines_while_it_waits_is_held_within_the_bound() -> None:
    watcher = Watcher()
    limits = ServerLimits(buffer_bytes=16 * 1024)
    async with listening(watcher, limits) as on, connected(on.address) as peer:
        await peer.send(GET)
        await watcher.begun.wait()
        peer.writer.write(GET * 400_000 + LAST)  # more than socket buffers take
        for _ in range(50):
            await asyncio.sleep(0.001)
            assert on.server.counts.held_bytes < limits.buffer_bytes + A_READ_BYTES
        assert peer.writer.transport.get_write_buffer_size() > 0
        watcher.go_on.set()
        await eventually(lambda: on.server.counts.requests > 100)
        peer.reset()


async def test_a_client_that_pipelines_and_never_reads_is_not_served_without_end() -> None:
    answer = b"x" * 1000

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(200, (), answer)

    limits = ServerLimits(buffer_bytes=16 * 1024, write_us=100 * MILLISECOND_US)
    async with listening(handler, limits) as on:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(on.address)
            client.setblocking(False)
            client.send(GET * 10_000)
            await eventually(lambda: on.server.counts.requests > 10)
            while on.server.counts.connections:  # until it is cut, for it takes nothing
                assert on.server.counts.held_bytes < 2 * limits.buffer_bytes + A_READ_BYTES
                await asyncio.sleep(0.001)
        assert on.server.counts.requests < 10_000


async def test_pipelined_answers_that_outgrow_the_buffer_all_arrive_when_they_are_read() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.respond(200, (), b"x" * 10_000)

    async with listening(handler, ServerLimits(buffer_bytes=16 * 1024)) as on:
        received = await converse(on.address, GET * 2_000 + LAST)
    assert statuses(received) == [200] * 2_001


async def test_a_slow_reader_holds_back_the_sender_and_not_our_memory() -> None:
    sent = 0
    most = 0
    chunk = b"x" * 32_768
    over = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        nonlocal sent, most
        await exchange.start(200, ())
        try:
            while True:
                await exchange.send(chunk)
                sent += len(chunk)
                most = max(most, on.server.counts.held_bytes)
        finally:
            over.set()

    limits = ServerLimits(write_us=200 * MILLISECOND_US)
    async with listening(handler, limits) as on:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(on.address)
        client.sendall(GET)
        await over.wait()  # it never reads, so it is cut after write_us
        client.close()
        await eventually(lambda: on.server.counts.connections == 0)
    assert most <= limits.buffer_bytes + 2 * len(chunk)
    assert 0 < sent < 8 * 1024 * 1024


async def test_a_connection_over_the_bound_is_told_so_and_closed() -> None:
    async with listening(Recorder(), ServerLimits(max_connections=1)) as on, connected(on.address) as first:
        await first.send(GET)
        await first.answer()
        received = await converse(on.address, b"")
        assert statuses(received) == [503]
        assert b"retry-after: 1" in received
        await first.send(GET)
        assert (await first.answer()).startswith(b"HTTP/1.1 200")


async def test_draining_ends_idle_connections_at_once_and_running_ones_with_their_answer() -> None:
    watcher = Watcher()
    async with listening(watcher) as on, connected(on.address) as idle, connected(on.address) as busy:
        await busy.send(GET)
        await watcher.begun.wait()
        drained = asyncio.ensure_future(on.server.drain(timeout_us=10 * SECOND_US))
        assert await idle.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            await converse(on.address, GET)
        assert on.server.counts.running == 1
        assert not drained.done()
        watcher.go_on.set()
        received = await busy.rest()
        busy.writer.close()
        assert await drained == 0
    assert statuses(received) == [200]
    assert b"connection: close" in received


async def test_what_outlives_the_drain_is_cut_and_cancelled() -> None:
    cancelled = asyncio.Event()
    begun = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with listening(handler) as on, connected(on.address) as peer:
        await peer.send(GET)
        await begun.wait()
        assert await on.server.drain(timeout_us=MILLISECOND_US) == 1
        assert cancelled.is_set()
        assert await peer.rest() == b""
        assert on.server.counts.connections == 0


async def test_an_uncaught_refusal_of_the_handler_reaches_the_client_as_its_status() -> None:
    async def handler(exchange: Exchange) -> None:
        raise BadRequest("no such thing", status=404)

    async with listening(handler) as on:
        received = await converse(on.address, b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert statuses(received) == [404]
    assert received.endswith(b"\r\n\r\n")


async def test_a_callback_that_fails_when_its_client_leaves_is_logged_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    def fail() -> None:
        over.set()
        raise ZeroDivisionError

    async def handler(exchange: Exchange) -> None:
        exchange.on_gone(fail)
        begun.set()
        await over.wait()

    async with listening(handler) as on:
        async with connected(on.address) as peer:
            await peer.send(GET)
            await begun.wait()
        await eventually(lambda: on.server.counts.connections == 0)
    assert [record.message for record in caplog.records] == [
        "what a request had asked for, should its client leave, failed"
    ]
