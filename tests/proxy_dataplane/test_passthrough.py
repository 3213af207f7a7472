"""Server and upstream client together, joined by the smallest handler that passes everything on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from remit.entrypoints.proxy.bounds import UpstreamLimits
from remit.entrypoints.proxy.connection import Exchange, Handler
from remit.entrypoints.proxy.framing import FRAMING_FIELDS
from remit.entrypoints.proxy.upstream import Upstream
from remit.errors import UpstreamFailed
from tests.proxy_dataplane.wires import (
    FakeUpstream,
    Listening,
    Script,
    UpstreamEnd,
    calling,
    connected,
    converse,
    eventually,
    listening,
    statuses,
    upstream_playing,
)

NOT_FORWARDED = FRAMING_FIELDS | {b"host", b"expect"}
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def passing_to(upstream: Upstream) -> Handler:
    async def handler(exchange: Exchange) -> None:
        head = exchange.head
        body = await exchange.body(1 << 26)
        sent = [field for field in head.headers if field[0] not in NOT_FORWARDED]
        try:
            response = await upstream.call(head.method, head.target, sent, body)
        except UpstreamFailed:
            await exchange.respond(502, ())
            return
        exchange.on_gone(response.close)
        headers = [field for field in response.headers if field[0] not in FRAMING_FIELDS]
        whole = response.whole
        if whole is not None and head.method != "HEAD":
            await exchange.respond(response.status, headers, whole)
            return
        await exchange.start(response.status, headers, response.content_length)
        try:
            async for chunk in response.chunks():
                await exchange.send(chunk)
            await exchange.finish()
        except UpstreamFailed:
            exchange.abort()

    return handler


@asynccontextmanager
async def passing(
    script: Script, limits: UpstreamLimits | None = None
) -> AsyncIterator[tuple[Listening, FakeUpstream]]:
    async with (
        upstream_playing(script) as fake,
        calling(fake.port, limits) as upstream,
        listening(passing_to(upstream)) as on,
    ):
        yield on, fake


async def test_bytes_are_passed_on_as_they_come() -> None:
    go_on = asyncio.Event()

    async def script(end: UpstreamEnd) -> None:
        await end.request()
        await end.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            await go_on.wait()
            go_on.clear()
            await end.say(b"5\r\nevent\r\n")
        await go_on.wait()
        await end.say(b"0\r\n\r\n")

    async with passing(script) as (on, _), connected(on.address) as peer:
        await peer.send(GET)
        assert b"transfer-encoding: chunked" in await peer.until(b"\r\n\r\n")  # before any of the body exists
        for _ in range(3):
            go_on.set()
            assert await peer.until(b"event\r\n") == b"5\r\nevent\r\n"
        go_on.set()
        assert await peer.until(b"\r\n\r\n") == b"0\r\n\r\n"


async def test_what_arrives_at_the_upstream_is_what_was_sent_with_one_framing() -> None:
    async def script(end: UpstreamEnd) -> None:
        while await end.request():
            await end.say(b"HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nok")

    async with passing(script) as (on, fake):
        received = await converse(
            on.address,
            b"POST /a%2fb//c;d?e=f%20g HTTP/1.1\r\nHost: x\r\nX-B: \xc3\xa9\r\nTransfer-Encoding: chunked\r\n"
            b"Expect: 100-continue\r\n\r\n3\r\nabc\r\n0\r\nX-C: trailer\r\n\r\n" + LAST,
        )
    assert fake.log[0] == (
        b"POST /a%%2fb//c;d?e=f%%20g HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nx-b: \xc3\xa9\r\ncontent-length: 3\r\n\r\nabc"
        % fake.port
    )
    assert statuses(received) == [201, 201]
    assert b"x-a: 1\r\nx-a: 2\r\n" in received


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
    ],
)
async def test_a_cut_answer_of_the_upstream_is_a_cut_answer_for_the_client(answer: bytes) -> None:
    seen = asyncio.Event()

    async def script(end: UpstreamEnd) -> None:
        await end.request()
        await end.say(answer)
        await seen.wait()

    async with passing(script) as (on, _), connected(on.address) as peer:
        await peer.send(GET)
        await peer.until(b"half")
        seen.set()
        assert b"0\r\n\r\n" not in await peer.rest()


async def test_a_client_that_leaves_ends_the_call_to_the_upstream() -> None:
    ended = asyncio.Event()

    async def script(end: UpstreamEnd) -> None:
        await end.request()
        await end.say(b"HTTP/1.1 200 OK\r\n\r\nsome")
        assert await end.reader.read() == b""
        ended.set()

    async with passing(script) as (on, _):
        async with connected(on.address) as peer:
            await peer.send(GET)
            await peer.until(b"some")
        async with asyncio.timeout(5):
            await ended.wait()
        await eventually(lambda: on.server.counts.running == 0)


async def test_a_client_that_reads_slowly_slows_the_upstream_through_both_buffers() -> None:
    sent = 0
    total = 60_000_000

    async def script(end: UpstreamEnd) -> None:
        nonlocal sent
        await end.request()
        await end.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        while sent < total:
            await end.say(b"x" * 100_000)
            sent += 100_000

    async with passing(script) as (on, _), connected(on.address) as peer:
        await peer.send(LAST)
        await peer.until(b"\r\n\r\n")
        await asyncio.sleep(0.15)  # nothing is read meanwhile, and what the kernel holds for two connections is bounded
        assert sent < total / 2
        assert on.server.counts.held_bytes < 1_000_000
        assert len(await peer.rest()) == total


async def test_many_clients_at_once_each_get_their_own_answers() -> None:
    async def script(end: UpstreamEnd) -> None:
        while request := await end.request():
            target = request.split(b" ")[1]
            await end.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target))

    async def client(number: int) -> bool:
        async with connected(on.address) as peer:
            for step in range(10):
                target = b"/%d/%d" % (number, step)
                await peer.send(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target)
                if not (await peer.answer()).endswith(b"\r\n\r\n" + target):
                    return False
        return True

    async with passing(script, UpstreamLimits(max_connections=8)) as (on, fake):
        assert all(await asyncio.gather(*map(client, range(50))))
        assert len(fake.log) == 500
        assert fake.connections <= 8


async def test_a_head_answer_keeps_the_length_and_has_no_body() -> None:
    async def script(end: UpstreamEnd) -> None:
        while await end.request():
            await end.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")

    async with passing(script) as (on, _):
        received = await converse(on.address, LAST.replace(b"GET", b"HEAD"))
    assert b"content-length: 5\r\n" in received
    assert received.endswith(b"\r\n\r\n")
