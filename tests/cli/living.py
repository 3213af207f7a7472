"""A gateway that runs while commands are tried on it, in a thread of this process, with an upstream of its own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from remit.wiring import Service

SECONDS = 20
ANSWER = b"HTTP/1.1 200 OK\r\nx-cost: 0.30 USD\r\ncontent-length: 2\r\n\r\n{}"


class Gateway:
    """A running service; everything about it happens on its own event loop."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self.service = service
        self._loop = loop

    @property
    def url(self) -> str:
        return self.service.url

    def call(self, key: str, path: str = "/transfer") -> httpx.Response:
        """One call of an agent."""
        headers = {"authorization": f"Bearer {key}"}
        return httpx.post(f"{self.url}{path}", json={"to": "bob"}, headers=headers, timeout=SECONDS, trust_env=False)

    def do(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do something on the gateway's loop and wait for it."""

        async def run() -> None:
            await work()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(SECONDS)


async def charge_everybody(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An upstream that reads a request and says that it cost 0.30 USD, again and again."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(lengths[0].partition(b":")[2]) if lengths else 0)
            writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def _name_upstream(policy: Path, port: int) -> None:
    policy.write_text(policy.read_text().replace("127.0.0.1:9000", f"127.0.0.1:{port}"))


@contextmanager
def running_gateway(policy: Path) -> Iterator[Gateway]:
    """The gateway of a policy, for the length of a `with` block; the policy's port 9000 becomes a real one."""
    ready = threading.Event()
    found: list[Gateway] = []
    over: list[asyncio.Event] = []
    failed: list[BaseException] = []

    async def live() -> None:
        upstream = await asyncio.start_server(charge_everybody, "127.0.0.1", 0)
        _name_upstream(policy, upstream.sockets[0].getsockname()[1])
        service = Service(policy)
        await service.start()
        over.append(asyncio.Event())
        found.append(Gateway(service, asyncio.get_running_loop()))
        ready.set()
        await over[0].wait()
        await service.stop(timeout_us=1_000_000)
        upstream.close()

    def run() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:  # noqa: BLE001 - handed to the test, which raises it
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=run, name="gateway-under-test", daemon=True)
    thread.start()
    assert ready.wait(SECONDS), "the gateway did not start"
    if failed:
        raise failed[0]
    try:
        yield found[0]
    finally:
        found[0]._loop.call_soon_threadsafe(over[0].set)
        thread.join(SECONDS)
    if failed:
        raise failed[0]
