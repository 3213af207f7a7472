"""Clients that break off anywhere, in front of an upstream that fails in every way: nothing is left behind or logged."""

import asyncio
import random

import pytest

from remit.entrypoints.proxy.bounds import UpstreamLimits
from tests.proxy_dataplane.test_passthrough import passing_to
from tests.proxy_dataplane.wires import (
    BRISK,
    MILLISECOND_US,
    UpstreamEnd,
    calling,
    connected,
    eventually,
    listening,
    upstream_playing,
)

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
SENT = [
    GET,
    GET * 3,
    POST + b"Content-Length: 5\r\n\r\nhello",
    POST + b"Content-Length: 5\r\n\r\nhe",
    POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    POST + b"Content-Length: 300000\r\n\r\n" + b"y" * 300_000,
    b"GARBAGE\r\n\r\n",
]
ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + b"x" * 900_000,
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
    b"garbage\r\n\r\n",
    b"",
]
CLIENTS_AT_ONCE = 30
ROUNDS = 10


class Erratic:
    """Chance decides what each side says, and how it ends."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    async def upstream(self, end: UpstreamEnd) -> None:
        while await end.request():
            answer = self._chance.choice(ANSWERS)
            for start in range(0, len(answer), step := self._chance.choice((10, 100_000, 1_000_000))):
                await end.say(answer[start : start + step])
                if start < 1000:
                    await asyncio.sleep(0)
            if answer not in ANSWERS[:3]:
                return end.reset() if self._chance.random() < 0.3 else None
        return None

    async def client(self, address: tuple[str, int]) -> None:
        async with connected(address) as peer:
            for _ in range(self._chance.randrange(1, 8)):
                data = self._chance.choice(SENT)
                await peer.send(data[: self._chance.randrange(len(data))] if self._chance.random() < 0.3 else data)
                end = self._chance.random()
                if end < 0.2:
                    return peer.reset()
                if end < 0.3:
                    return peer.writer.close()
                async with asyncio.timeout(self._chance.random() * 0.02):
                    await peer.reader.read(100_000)
        return None


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_way_of_breaking_off_leaves_anything_behind(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    erratic = Erratic(seed)
    limits = UpstreamLimits(max_connections=8, head_us=300 * MILLISECOND_US, idle_us=100 * MILLISECOND_US)
    async with upstream_playing(erratic.upstream) as fake, calling(fake.port, limits) as upstream:
        async with listening(passing_to(upstream), BRISK) as on:
            for _ in range(ROUNDS):
                clients = (erratic.client(on.address) for _ in range(CLIENTS_AT_ONCE))
                outcomes = await asyncio.gather(*clients, return_exceptions=True)
                expected = (ConnectionError, TimeoutError, RuntimeError)  # the last is uvloop's, for a closed socket
                assert [error for error in outcomes if error and not isinstance(error, expected)] == []
            await eventually(lambda: on.server.counts.connections == 0)
            assert on.server.counts.held_bytes == on.server.counts.running == 0
            assert on.server.counts.requests > 100
        await eventually(lambda: upstream.open_connections == 0)
    assert [record.getMessage() for record in caplog.records] == []
