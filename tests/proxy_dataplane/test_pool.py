"""The pool of connections to one upstream: reused while beyond doubt, bounded, fair, and never the cause of a repeat."""

import asyncio
from dataclasses import replace

import pytest

from remit.entrypoints.proxy.bounds import UpstreamLimits
from remit.entrypoints.proxy.upstream import Upstream
from remit.errors import UpstreamFailed
from tests.proxy_dataplane.wires import MILLISECOND_US, UpstreamEnd, calling, eventually, upstream_playing

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def ever_ok(end: UpstreamEnd) -> None:
    while await end.request():
        await end.say(OK)


async def get(upstream: Upstream) -> bytes:
    response = await upstream.call("GET", b"/", ())
    return b"".join([chunk async for chunk in response.chunks()])


async def test_a_connection_is_used_again_and_the_last_one_first() -> None:
    async def script(end: UpstreamEnd) -> None:
        while await end.request():
            await end.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % end.number)

    async with upstream_playing(script) as fake, calling(fake.port) as upstream:
        assert sorted(await asyncio.gather(get(upstream), get(upstream))) == [b"1", b"2"]
        last = await get(upstream)
        for _ in range(5):
            assert await get(upstream) == last
        assert fake.connections == upstream.idle_connections == 2


async def test_a_hundred_calls_at_once_share_a_few_connections_and_each_gets_its_own_answer() -> None:
    async def script(end: UpstreamEnd) -> None:
        while request := await end.request():
            body = request.split(b" ")[1]
            await end.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(body), body))
            await asyncio.sleep(0)
            await end.say(b"0\r\n\r\n")

    async def one(number: int) -> bool:
        response = await upstream.call("GET", b"/%d" % number, ())
        return b"".join([chunk async for chunk in response.chunks()]) == b"/%d" % number

    async with upstream_playing(script) as fake, calling(fake.port, UpstreamLimits(max_connections=7)) as upstream:
        assert all(await asyncio.gather(*map(one, range(100))))
        assert fake.connections == 7
        assert len(fake.log) == 100


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"x",
        OK + OK,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nx",
    ],
)
async def test_a_connection_left_in_doubt_is_not_used_again(answer: bytes) -> None:
    async def script(end: UpstreamEnd) -> None:
        while await end.request():
            await end.say(answer)

    async with upstream_playing(script) as fake, calling(fake.port) as upstream:
        assert [await get(upstream), await get(upstream)] == [b"ok", b"ok"]
        assert fake.connections == 2


async def test_bytes_that_come_while_idle_end_the_connection() -> None:
    said = asyncio.Event()

    async def script(end: UpstreamEnd) -> None:
        while await end.request():
            await end.say(OK)
            if end.number == 1:
                await said.wait()
                await end.say(OK)

    async with upstream_playing(script) as fake, calling(fake.port) as upstream:
        await get(upstream)
        assert upstream.idle_connections == 1
        said.set()
        await eventually(lambda: upstream.idle_connections == 0)
        assert await get(upstream) == b"ok"
        assert fake.connections == 2


async def test_a_connection_the_upstream_closed_is_replaced_without_a_failure() -> None:
    async def script(end: UpstreamEnd) -> None:
        await end.request()
        await end.say(OK)

    async with upstream_playing(script) as fake, calling(fake.port) as upstream:
        for _ in range(20):
            assert await get(upstream) == b"ok"
            await asyncio.sleep(0)
        await eventually(lambda: upstream.open_connections == 0)
        assert len(fake.log) == 20


async def test_a_close_that_the_loop_has_not_seen_yet_is_seen_before_the_call_is_sent() -> None:
    ends: list[UpstreamEnd] = []

    async def script(end: UpstreamEnd) -> None:
        ends.append(end)
        await ever_ok(end)

    async with upstream_playing(script) as fake, calling(fake.port) as upstream:
        await get(upstream)
        ends[0].shut()
        assert await get(upstream) == b"ok"  # no turn of the loop in between
        assert fake.connections == 2


async def test_an_idle_connection_is_closed_when_it_is_old() -> None:
    async with (
        upstream_playing(ever_ok) as fake,
        calling(fake.port, UpstreamLimits(idle_us=20 * MILLISECOND_US)) as upstream,
    ):
        await get(upstream)
        assert upstream.idle_connections == 1
        await eventually(lambda: upstream.open_connections == 0)
        await get(upstream)
        assert fake.connections == 2


async def test_no_more_connections_are_kept_idle_than_the_bound() -> None:
    async with upstream_playing(ever_ok) as fake, calling(fake.port, UpstreamLimits(max_idle=2)) as upstream:
        await asyncio.gather(*(get(upstream) for _ in range(10)))
        await eventually(lambda: upstream.open_connections == 2)


async def test_an_answer_closed_early_takes_its_connection_with_it() -> None:
    async def script(end: UpstreamEnd) -> None:
        await end.request()
        await end.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await end.request()

    async with upstream_playing(script) as fake, calling(fake.port) as upstream:
        response = await upstream.call("GET", b"/", ())
        response.close()
        response.close()
        await eventually(lambda: upstream.open_connections == 0)
        with pytest.raises(UpstreamFailed):
            await response.read_some()
        assert fake.connections == 1


async def test_a_cancelled_call_frees_its_place_and_never_reaches_another() -> None:
    async def script(end: UpstreamEnd) -> None:
        while request := await end.request():
            if b"/never" in request:
                await asyncio.Event().wait()
            await end.say(OK)

    async with upstream_playing(script) as fake, calling(fake.port, UpstreamLimits(max_connections=1)) as upstream:
        calls = [asyncio.ensure_future(upstream.call("GET", b"/never", ())) for _ in range(3)]
        await eventually(lambda: len(fake.log) == 1)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert await get(upstream) == b"ok"
        assert len(fake.log) == 2


async def test_too_many_waiting_calls_are_refused_at_once() -> None:
    go_on = asyncio.Event()

    async def script(end: UpstreamEnd) -> None:
        while await end.request():
            await go_on.wait()
            await end.say(OK)

    limits = UpstreamLimits(max_connections=1, max_waiting=2)
    async with upstream_playing(script) as fake, calling(fake.port, limits) as upstream:
        calls = [asyncio.ensure_future(get(upstream)) for _ in range(3)]
        await eventually(lambda: len(fake.log) == 1)
        with pytest.raises(UpstreamFailed, match="too many calls") as caught:
            await get(upstream)
        assert not caught.value.dispatched
        go_on.set()
        assert await asyncio.gather(*calls) == [b"ok"] * 3


async def test_an_upstream_that_answers_before_it_has_read_everything_is_not_used_again() -> None:
    async def script(end: UpstreamEnd) -> None:
        await end.reader.readuntil(b"\r\n\r\n")
        await end.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.Event().wait()

    async with upstream_playing(script) as fake, calling(fake.port) as upstream:
        response = await upstream.call("POST", b"/", (), b"x" * 50_000_000)
        assert response.status == 413
        await eventually(lambda: upstream.open_connections == 0)


async def test_a_slow_consumer_holds_back_the_upstream_and_not_our_memory() -> None:
    sent = 0

    async def script(end: UpstreamEnd) -> None:
        nonlocal sent
        await end.request()
        await end.say(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        for _ in range(500):
            await end.say(b"x" * 100_000)
            sent += 100_000

    limits = UpstreamLimits(buffer_bytes=64 * 1024)
    async with upstream_playing(script) as fake, calling(fake.port, limits) as upstream:
        response = await upstream.call("GET", b"/", ())
        await asyncio.sleep(0.1)
        assert response.buffered_bytes < 64 * 1024 + 256 * 1024
        assert sent < 20_000_000
        total = 0
        async for chunk in response.chunks():
            total += len(chunk)
        assert total == 50_000_000


async def test_a_closed_upstream_refuses_calls_and_fails_those_that_run() -> None:
    async def script(end: UpstreamEnd) -> None:
        await end.request()
        await asyncio.Event().wait()

    async with (
        upstream_playing(script) as fake,
        calling(fake.port, replace(UpstreamLimits(), max_connections=1)) as upstream,
    ):
        running = [asyncio.ensure_future(get(upstream)) for _ in range(2)]
        await eventually(lambda: len(fake.log) == 1)
        await upstream.close()
        outcomes = await asyncio.gather(*running, return_exceptions=True)
        assert [isinstance(error, UpstreamFailed) and error.dispatched for error in outcomes] == [True, False]
        with pytest.raises(UpstreamFailed, match="is closed"):
            await get(upstream)


async def test_a_retired_upstream_carries_its_last_calls_and_leaves_nothing_behind() -> None:
    go_on = asyncio.Event()

    async def script(end: UpstreamEnd) -> None:
        while request := await end.request():
            if b"/slow" in request:
                await go_on.wait()
            await end.say(OK)

    async with upstream_playing(script) as fake, calling(fake.port) as upstream:
        slow = asyncio.ensure_future(upstream.call("GET", b"/slow", ()))
        await eventually(lambda: len(fake.log) == 1)
        await get(upstream)
        assert upstream.idle_connections == 1
        upstream.retire()
        await eventually(lambda: upstream.open_connections == 1)
        assert await get(upstream) == b"ok"
        go_on.set()
        assert await (await slow).read_some() == b"ok"
        await eventually(lambda: upstream.open_connections == 0)
