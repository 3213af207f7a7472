"""The upstream client: what is sent byte for byte, what is made of answers good and bad, and what each failure proves."""

import asyncio
import socket
from contextlib import ExitStack
from dataclasses import replace

import pytest

from remit.entrypoints.proxy.bounds import UpstreamLimits
from remit.entrypoints.proxy.connection import Header
from remit.entrypoints.proxy.response import UpstreamResponse
from remit.errors import InvariantBroken, UpstreamFailed
from tests.proxy_dataplane.wires import MILLISECOND_US, UpstreamEnd, calling, eventually, upstream_playing

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TINY = UpstreamLimits(
    head_us=50 * MILLISECOND_US,
    read_us=50 * MILLISECOND_US,
    connect_us=50 * MILLISECOND_US,
    queue_us=50 * MILLISECOND_US,
)


async def read_on(response: UpstreamResponse) -> None:
    while await response.read_some():
        pass


async def ever_ok(end: UpstreamEnd) -> None:
    while await end.request():
        await end.say(OK)


def saying(answer: bytes) -> "_Saying":
    return _Saying(answer)


class _Saying:
    """A script: reads one request, says something, closes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    async def __call__(self, end: UpstreamEnd) -> None:
        await end.request()
        await end.say(self._answer)


async def test_the_request_is_written_byte_for_byte_as_given() -> None:
    async with upstream_playing(ever_ok) as fake, calling(fake.port) as upstream:
        await upstream.call("GET", b"/a%2F?b", ((b"x", b"1"), (b"a", b"\xc3\xa9")))
        await upstream.call("POST", b"/b", ((b"content-type", b"a/b"),), b"body")
        await upstream.call("DELETE", b"/c", ())
        await upstream.call("PUT", b"/d", ())
    host = b"host: 127.0.0.1:%d\r\n" % fake.port
    assert fake.log == [
        b"GET /a%2F?b HTTP/1.1\r\n" + host + b"x: 1\r\na: \xc3\xa9\r\n\r\n",
        b"POST /b HTTP/1.1\r\n" + host + b"content-type: a/b\r\ncontent-length: 4\r\n\r\nbody",
        b"DELETE /c HTTP/1.1\r\n" + host + b"\r\n",
        b"PUT /d HTTP/1.1\r\n" + host + b"content-length: 0\r\n\r\n",
    ]
    assert fake.connections == 1


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", b"/a b", ()),
        ("GET", b"/\r\nx: y", ()),
        ("GET", b"", ()),
        ("GET /x", b"/", ()),
        ("get", b"/", ()),
        ("GET", b"/", ((b"x", b"a\r\nb: c"),)),
        ("GET", b"/", ((b"host", b"other"),)),
        ("GET", b"/", ((b"content-length", b"1"),)),
        ("GET", b"/", ((b"transfer-encoding", b"chunked"),)),
    ],
)
async def test_nothing_given_can_break_the_request_or_its_framing(
    method: str, target: bytes, headers: tuple[Header, ...]
) -> None:
    async with upstream_playing(ever_ok) as fake, calling(fake.port) as upstream:
        with pytest.raises(InvariantBroken):
            await upstream.call(method, target, headers)
        assert fake.connections == 0


@pytest.mark.parametrize(
    ("method", "answer", "status", "body"),
    [
        ("GET", OK, 200, b"ok"),
        ("GET", b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
        (
            "GET",
            b"HTTP/1.1 404 Not \xe9\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n1 \r\n!\r\n0\r\nX: y\r\n\r\n",
            404,
            b"ok!",
        ),
        ("GET", b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
        ("GET", b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
        ("GET", b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok"),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, b""),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, b""),
    ],
)
@pytest.mark.parametrize("byte_by_byte", [False, True])
async def test_a_good_answer_is_read_whatever_its_framing(
    method: str, answer: bytes, status: int, body: bytes, *, byte_by_byte: bool
) -> None:
    async def script(end: UpstreamEnd) -> None:
        await end.request()
        for start in range(len(answer)) if byte_by_byte else (0,):
            await end.say(answer[start : start + 1] if byte_by_byte else answer)
            await asyncio.sleep(0)

    async with upstream_playing(script) as fake, calling(fake.port) as upstream:
        response = await upstream.call(method, b"/", ())
        assert response.status == status
        assert b"".join([chunk async for chunk in response.chunks()]) == body
        assert await response.read_some() == b""


async def test_headers_of_an_answer_keep_their_order_and_lose_their_case() -> None:
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-B: \t2 \r\nset-cookie: b=2\r\nContent-Length: 0\r\n\r\n"
    async with upstream_playing(saying(answer)) as fake, calling(fake.port) as upstream:
        response = await upstream.call("GET", b"/", ())
    assert response.headers == (
        (b"set-cookie", b"a=1"),
        (b"x-b", b"2"),
        (b"set-cookie", b"b=2"),
        (b"content-length", b"0"),
    )
    assert response.content_length == 0
    assert response.whole == b""


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 0200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + OK,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
        b"<html>",
        b"\x16\x03\x01",
    ],
)
async def test_an_answer_that_cannot_be_read_is_a_failure_after_dispatch(answer: bytes) -> None:
    async with upstream_playing(saying(answer)) as fake, calling(fake.port) as upstream:
        with pytest.raises(UpstreamFailed) as caught:
            await upstream.call("POST", b"/", (), b"x")
        assert caught.value.dispatched
        assert not caught.value.timeout
        await eventually(lambda: upstream.open_connections == 0)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n5\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
    ],
)
@pytest.mark.parametrize("reset", [False, True])
async def test_a_body_cut_short_is_a_failure_once_what_came_has_been_read(answer: bytes, *, reset: bool) -> None:
    read = asyncio.Event()

    async def script(end: UpstreamEnd) -> None:
        await end.request()
        await end.say(answer)
        await read.wait()
        if reset:
            end.reset()

    async with upstream_playing(script) as fake, calling(fake.port) as upstream:
        response = await upstream.call("GET", b"/", ())
        received = b""
        while len(received) < 4:
            received += await response.read_some()
        read.set()
        with pytest.raises(UpstreamFailed) as caught:
            await read_on(response)
        assert received.startswith(b"half")
        assert response.whole is None
        assert caught.value.dispatched
        await eventually(lambda: upstream.open_connections == 0)


async def test_a_bad_chunk_is_a_failure_and_its_connection_is_gone() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nnonsense\r\n"
    async with upstream_playing(saying(answer)) as fake, calling(fake.port) as upstream:
        response = await upstream.call("GET", b"/", ())
        with pytest.raises(UpstreamFailed, match="cannot be read") as caught:
            await read_on(response)
        assert caught.value.dispatched
        await eventually(lambda: upstream.open_connections == 0)


async def test_a_close_without_length_after_a_reset_is_not_taken_for_the_end() -> None:
    sent = asyncio.Event()

    async def script(end: UpstreamEnd) -> None:
        await end.request()
        await end.say(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await sent.wait()
        end.reset()

    async with upstream_playing(script) as fake, calling(fake.port) as upstream:
        response = await upstream.call("GET", b"/", ())
        assert await response.read_some() == b"half"
        sent.set()
        with pytest.raises(UpstreamFailed):
            await response.read_some()


async def test_a_refused_connection_and_an_unknown_name_prove_that_nothing_was_sent() -> None:
    async with upstream_playing(ever_ok) as fake:
        port = fake.port
    async with calling(port) as upstream:
        with pytest.raises(UpstreamFailed, match=f"`127.0.0.1:{port}` could not be connected to: .+") as caught:
            await upstream.call("GET", b"/", ())
        assert not caught.value.dispatched
        assert upstream.open_connections == 0


async def test_a_reset_before_the_answer_proves_nothing() -> None:
    async def script(end: UpstreamEnd) -> None:
        await end.request()
        end.reset()

    async with upstream_playing(script) as fake, calling(fake.port) as upstream:
        with pytest.raises(UpstreamFailed) as caught:
            await upstream.call("GET", b"/", ())
        assert caught.value.dispatched
    assert len(fake.log) == 1


async def test_no_free_connection_in_time_proves_that_nothing_was_sent() -> None:
    async def script(end: UpstreamEnd) -> None:
        await end.request()
        await asyncio.Event().wait()

    limits = UpstreamLimits(max_connections=1, queue_us=20 * MILLISECOND_US)
    async with upstream_playing(script) as fake, calling(fake.port, limits) as upstream:
        slow = asyncio.ensure_future(upstream.call("GET", b"/", ()))
        await eventually(lambda: len(fake.log) == 1)
        with pytest.raises(UpstreamFailed, match="no free connection") as caught:
            await upstream.call("GET", b"/", ())
        slow.cancel()
    assert (caught.value.dispatched, caught.value.timeout) == (False, True)
    assert len(fake.log) == 1


async def test_an_answer_that_does_not_come_or_stops_is_a_timeout_after_dispatch() -> None:
    async def script(end: UpstreamEnd) -> None:
        if b"/body" in await end.request():
            await end.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await asyncio.Event().wait()

    limits = UpstreamLimits(head_us=100 * MILLISECOND_US, read_us=30 * MILLISECOND_US)
    async with upstream_playing(script) as fake, calling(fake.port, limits) as upstream:
        with pytest.raises(UpstreamFailed, match="did not answer in time") as head:
            await upstream.call("GET", b"/head", ())
        response = await upstream.call("GET", b"/body", ())
        assert await response.read_some() == b"half"
        with pytest.raises(UpstreamFailed, match="stopped") as body:
            await response.read_some()
    assert [(error.value.dispatched, error.value.timeout) for error in (head, body)] == [(True, True), (True, True)]


async def test_the_total_time_bounds_an_answer_that_keeps_trickling() -> None:
    async def script(end: UpstreamEnd) -> None:
        await end.request()
        await end.say(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await end.say(b"x")
            await asyncio.sleep(0.005)

    limits = replace(UpstreamLimits(), total_us=60 * MILLISECOND_US)
    async with upstream_playing(script) as fake, calling(fake.port, limits) as upstream:
        response = await upstream.call("GET", b"/", ())
        with pytest.raises(UpstreamFailed) as caught:
            async for _ in response.chunks():
                pass
    assert caught.value.timeout
    assert caught.value.dispatched


async def test_an_upstream_that_cannot_be_connected_to_in_time_got_nothing() -> None:
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(4):  # nobody accepts, so these fill the backlog and the next one hangs
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        async with calling(address[1], UpstreamLimits(connect_us=50 * MILLISECOND_US)) as upstream:
            with pytest.raises(UpstreamFailed, match="could not be connected to in time") as caught:
                await upstream.call("GET", b"/", ())
    assert not caught.value.dispatched
    assert caught.value.timeout
