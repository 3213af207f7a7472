"""Requests that are in order: what the handler is told, and what the client gets for each way of answering."""

import asyncio
import logging

import pytest

from remit.entrypoints.proxy.connection import Exchange, Header, RequestHead
from remit.entrypoints.proxy.server import serve
from remit.errors import BadRequest, InvariantBroken, UsageError
from tests.proxy_dataplane.wires import BRISK, Recorder, connected, converse, listening, statuses

GET = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
UNLIMITED = 1 << 20


async def test_the_handler_sees_the_head_byte_for_byte() -> None:
    heads: list[RequestHead] = []

    async def handler(exchange: Exchange) -> None:
        heads.append(exchange.head)
        await exchange.respond(204, ())

    async with listening(handler) as on:
        data = (
            b"POST /a%2Fb;c?d=[e]&d=f HTTP/1.1\r\nHost: api.example:8080\r\nX-Twice: 1\r\nx-twice: \t2 \xc3\xa9\t\r\n"
            b"Content-Length: 2\r\nConnection: Close\r\n\r\n{}"
        )
        await converse(on.address, data)
    (head,) = heads
    assert head == RequestHead(
        method="POST",
        target=b"/a%2Fb;c?d=[e]&d=f",
        headers=(
            (b"host", b"api.example:8080"),
            (b"x-twice", b"1"),
            (b"x-twice", b"2 \xc3\xa9"),
            (b"content-length", b"2"),
            (b"connection", b"Close"),
        ),
        peer="127.0.0.1",
        host=b"api.example:8080",
        minor=1,
        keep_alive=False,
        content_length=2,
        chunked=False,
        upgrade=False,
        expects_continue=False,
    )


async def test_a_whole_answer_has_its_length_its_date_and_its_headers_in_order() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.respond(402, ((b"b", b"1"), (b"a", b"2")), b"pay")

    async with listening(handler) as on:
        received = await converse(on.address, LAST)
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[:3] == [b"HTTP/1.1 402 Payment Required", b"b: 1", b"a: 2"]
    assert lines[3].startswith(b"date: ")
    assert lines[4:] == [b"content-length: 3", b"connection: close"]
    assert body == b"pay"


async def test_a_date_given_by_the_handler_is_kept_and_not_doubled() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.respond(200, ((b"date", b"Thu, 01 Jan 1970 00:00:00 GMT"),), b"")

    async with listening(handler) as on:
        received = await converse(on.address, LAST)
    assert received.count(b"date: ") == 1
    assert b"1970" in received


@pytest.mark.parametrize("pieces", [None, 1])
async def test_pipelined_requests_are_handled_one_after_the_other_in_order(pieces: int | None) -> None:
    running = 0
    order: list[bytes] = []

    async def handler(exchange: Exchange) -> None:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        order.append(exchange.head.target + b" " + await exchange.body(UNLIMITED))
        await exchange.respond(200, (), b"")
        await asyncio.sleep(0)
        running -= 1

    posts = b"".join(b"POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%d" % (n, n) for n in range(5))
    async with listening(handler) as on:
        received = await converse(on.address, posts + LAST, pieces=pieces)
    assert order == [b"/%d %d" % (n, n) for n in range(5)] + [b"/last "]
    assert statuses(received) == [200] * 6


async def test_a_chunked_body_arrives_whole_and_its_trailers_are_dropped() -> None:
    recorder = Recorder()
    data = (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
        b"3\r\nabc\r\n00A\r\n0123456789\r\n0\r\nAuthorization: Bearer evil\r\nContent-Length: 7\r\n\r\n"
    )
    async with listening(recorder) as on:
        received = await converse(on.address, data + LAST)
    assert [seen.body for seen in recorder.seen] == [b"abc0123456789", b""]
    assert all(name != b"authorization" for seen in recorder.seen for name, _ in seen.headers)
    assert statuses(received) == [200, 200]


async def test_a_body_that_is_here_is_read_without_suspending() -> None:
    steps: list[object] = []

    async def handler(exchange: Exchange) -> None:
        try:
            steps.append(exchange.body(UNLIMITED).__await__().__next__())
        except StopIteration as end:
            steps.append(end.value)
        await exchange.respond(200, (), b"")

    async with listening(handler) as on:
        await converse(on.address, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + LAST)
    assert steps == [b"abc", b""]


async def test_the_body_can_be_read_again_within_the_bound_of_each_call() -> None:
    async def handler(exchange: Exchange) -> None:
        assert await exchange.body(3) == await exchange.body(4) == b"abc"
        with pytest.raises(BadRequest) as caught:
            await exchange.body(2)
        await exchange.respond(200, (), b"%d" % caught.value.status)

    async with listening(handler) as on:
        received = await converse(on.address, b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc")
    assert received.endswith(b"413")


async def test_a_body_nobody_reads_is_skipped_when_it_is_here_and_ends_the_connection_when_not() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.respond(401, (), b"")

    post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
    chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with listening(handler, BRISK) as on:
        for whole, cut in [(post + b"12345", post + b"123"), (chunked + b"1\r\na\r\n0\r\n\r\n", chunked + b"9\r\na")]:
            assert statuses(await converse(on.address, whole + LAST)) == [401, 401]
            received = await converse(on.address, cut)
            assert statuses(received) == [401]
            assert b"connection: close" in received


async def test_a_streamed_answer_of_unknown_length_is_chunked_and_carries_trailers() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, ((b"trailer", b"remit-budget"),))
        await exchange.send(b"one")
        await exchange.send(b"")
        await exchange.send(b"two" * 6)
        await exchange.finish(((b"remit-budget", b"cost=1"),))

    async with listening(handler) as on:
        received = await converse(on.address, LAST)
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert b"content-length" not in head
    assert body == b"3\r\none\r\n12\r\n" + b"two" * 6 + b"\r\n0\r\nremit-budget: cost=1\r\n\r\n"


async def test_a_streamed_answer_of_known_length_is_plain_and_keeps_the_connection() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, (), 6)
        await exchange.send(b"one")
        await exchange.send(b"two")
        await exchange.finish(((b"dropped", b"1"),))

    async with listening(handler) as on, connected(on.address) as peer:
        for _ in range(2):
            await peer.send(GET)
            answer = await peer.answer()
            assert answer.endswith(b"\r\n\r\nonetwo")
            assert b"connection" not in answer


async def test_an_answer_to_http_1_0_is_never_chunked_and_ends_with_the_connection() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, ())
        await exchange.send(b"one")
        await exchange.finish()

    async with listening(handler) as on:
        received = await converse(on.address, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert b"chunked" not in received
    assert b"connection: close" in received
    assert received.endswith(b"\r\n\r\none")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 200), (b"GET", 204), (b"GET", 304)])
async def test_answers_that_have_no_body_get_none(method: bytes, status: int, *, streamed: bool) -> None:
    async def handler(exchange: Exchange) -> None:
        body = b"12345" if method == b"HEAD" else b""
        if not streamed:
            await exchange.respond(status, (), body)
        else:
            await exchange.start(status, (), 5)
            await exchange.send(b"12345")
            await exchange.finish()

    async with listening(handler) as on:
        received = await converse(on.address, method + b" / HTTP/1.1\r\nHost: x\r\n\r\n" + LAST.replace(b"GET", method))
    assert statuses(received) == [status, status]
    assert b"12345" not in received
    assert (b"content-length: 5" in received) == (method == b"HEAD" or (status == 304 and streamed))


async def test_expect_100_continue_is_answered_only_when_the_body_is_wanted() -> None:
    recorder = Recorder()
    expecting = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n"
    async with listening(recorder) as on, connected(on.address) as peer:
        await peer.send(expecting)
        assert await peer.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await peer.send(b"abc")
        assert (await peer.answer()).startswith(b"HTTP/1.1 200")
        await peer.send(expecting + b"abc")  # the body came with the head: nobody waits for us
        assert (await peer.answer()).startswith(b"HTTP/1.1 200")
    assert [seen.body for seen in recorder.seen] == [b"abc", b"abc"]


async def test_a_refusal_without_reading_the_expected_body_ends_the_connection() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.respond(401, (), b"")

    async with listening(handler) as on:
        received = await converse(
            on.address, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
    assert statuses(received) == [401]
    assert b"connection: close" in received


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n",
    ],
)
async def test_an_upgrade_is_the_last_request_of_its_connection_and_has_no_body(request_bytes: bytes) -> None:
    caught: list[int] = []

    async def handler(exchange: Exchange) -> None:
        assert exchange.head.upgrade
        try:
            await exchange.body(UNLIMITED)
        except BadRequest as error:
            caught.append(error.status)
        await exchange.respond(426, ((b"upgrade", b"HTTP/1.1"),), b"")

    async with listening(handler) as on:
        received = await converse(on.address, request_bytes + GET)
    assert caught == [426]
    assert statuses(received) == [426]
    assert b"connection: close" in received


async def test_a_handler_that_fails_gives_500_without_a_word_and_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(exchange: Exchange) -> None:
        if exchange.head.target == b"/forgets":
            return
        raise ZeroDivisionError("secret")

    with caplog.at_level(logging.ERROR):
        async with listening(handler) as on:
            for target in (b"/fails", b"/forgets"):
                received = await converse(on.address, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n" + GET)
                head, _, body = received.partition(b"\r\n\r\n")
                assert statuses(received) == [500]
                assert body == b""
                assert b"connection: close" in head
    assert len(caplog.records) == 2


@pytest.mark.parametrize("length", [None, 10])
async def test_a_handler_that_fails_in_the_middle_cuts_its_answer(length: int | None) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, (), length)
        await exchange.send(b"half")
        await asyncio.sleep(0)
        raise BadRequest("too late")

    async with listening(handler) as on:
        received = await converse(on.address, GET)
    assert statuses(received) in ([200], [])  # a reset may take away what the client had not read yet
    assert not received.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "headers",
    [
        ((b"x", b"a\r\nset-cookie: b"),),
        ((b"x", b"a\nb"),),
        ((b"x", b"a\rb"),),
        ((b"x", b"a\0b"),),
        ((b"x\r\ny", b"a"),),
        ((b"content-length", b"0"),),
        ((b"transfer-encoding", b"chunked"),),
        ((b"connection", b"close"),),
    ],
)
async def test_no_header_of_the_handler_can_break_or_contradict_the_framing(headers: tuple[Header, ...]) -> None:
    async def handler(exchange: Exchange) -> None:
        with pytest.raises(InvariantBroken):
            await exchange.respond(200, headers, b"")
        with pytest.raises(InvariantBroken):
            await exchange.start(200, headers)
        await exchange.start(200, ())
        with pytest.raises(InvariantBroken):
            await exchange.finish(headers)
        await exchange.finish()

    async with listening(handler) as on:
        received = await converse(on.address, LAST)
    assert statuses(received) == [200]
    assert b"set-cookie" not in received


async def test_an_answer_out_of_order_is_a_defect_and_is_not_sent() -> None:
    async def handler(exchange: Exchange) -> None:
        with pytest.raises(InvariantBroken):
            await exchange.send(b"early")
        with pytest.raises(InvariantBroken):
            await exchange.respond(204, (), b"body")
        await exchange.respond(200, (), b"once")
        with pytest.raises(InvariantBroken):
            await exchange.respond(200, (), b"twice")
        with pytest.raises(InvariantBroken):
            await exchange.finish()
        exchange.abort()  # nothing to cut any more

    async with listening(handler) as on:
        received = await converse(on.address, LAST)
    assert statuses(received) == [200]
    assert received.endswith(b"once")


@pytest.mark.parametrize("parts", [[b"12345", b"6"], [b"1234"]])
async def test_an_answer_of_another_length_than_announced_is_cut(parts: list[bytes]) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.start(200, (), 5)
        for part in parts:
            await exchange.send(part)
        await exchange.finish()

    async def handler(exchange: Exchange) -> None:
        with pytest.raises(InvariantBroken):
            await answer(exchange)
        with pytest.raises(InvariantBroken):
            await exchange.send(b"more")

    async with listening(handler) as on:
        received = await converse(on.address, GET)
    assert b"6" not in received.partition(b"\r\n\r\n")[2]


async def test_an_address_that_cannot_be_listened_on_is_one_sentence() -> None:
    async with listening(Recorder()) as on:
        host, port = on.address
        with pytest.raises(UsageError, match=f"cannot listen on `{host}:{port}`: .+; free it or choose another"):
            await serve(Recorder(), host=host, port=port)
