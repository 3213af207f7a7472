"""The server: listens, keeps count of its connections, ends them in order.

`serve` is the whole interface. Draining is what a deployment needs (stop listening, let running requests end, close what
is idle), and is bounded: what still runs after the time given is cut and cancelled.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import socket
from types import TracebackType
from typing import Self

from remit.entrypoints.proxy.bounds import ServerLimits
from remit.entrypoints.proxy.client import ClientConnection
from remit.entrypoints.proxy.connection import Handler
from remit.entrypoints.proxy.reception import Reception, Refusal, Times
from remit.entrypoints.proxy.sweep import Sweep, seconds
from remit.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCounts:
    """What a server has now (`connections`, `running`, `held_bytes` in buffers) and has seen since its start."""

    connections: int
    running: int
    held_bytes: int
    accepted: int
    requests: int
    refused: int


class Server:
    """A listening server; made by `serve`. As a context manager it closes at once on exit, without draining."""

    def __init__(self, reception: Reception, listener: asyncio.Server) -> None:
        self._reception = reception
        self._listener = listener
        host, port = listener.sockets[0].getsockname()[:2]
        self._address = (str(host), int(port))
        limits = reception.limits
        self._sweep = Sweep(
            self._look_at_deadlines,
            times_us=(limits.header_us, limits.body_us, limits.write_us, limits.keep_alive_us, limits.linger_us),
        )
        self._sweep.start()

    @property
    def sockets(self) -> Sequence[socket]:
        """The sockets it listens on; empty once it drains."""
        return self._listener.sockets

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the first socket, with the port the system chose if 0 was asked for."""
        return self._address

    @property
    def counts(self) -> ServerCounts:
        """A snapshot."""
        reception = self._reception
        return ServerCounts(
            connections=len(reception.connections),
            running=sum(connection.busy for connection in reception.connections),
            held_bytes=sum(connection.held_bytes for connection in reception.connections),
            accepted=reception.accepted,
            requests=reception.requests,
            refused=reception.refused,
        )

    async def drain(self, *, timeout_us: int) -> int:
        """Stop listening, close idle connections, let running requests end; then cut the rest and return how many it cut."""
        reception = self._reception
        reception.draining = True
        self._listener.close()
        for connection in tuple(reception.connections):
            connection.retire()
        try:
            async with asyncio.timeout(seconds(timeout_us)):
                await self._empty()
            return 0
        except TimeoutError:
            return await self._cut()
        finally:
            self._sweep.stop()

    async def close(self) -> None:
        """End everything now."""
        await self.drain(timeout_us=0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _empty(self) -> None:
        while self._reception.connections:
            await self._reception.emptied.wait()

    async def _cut(self) -> int:
        running = [connection.abandon() for connection in tuple(self._reception.connections)]
        tasks = [task for task in running if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._empty()
        return len(tasks)

    def _look_at_deadlines(self, now: float) -> None:
        for connection in tuple(self._reception.connections):
            connection.sweep(now)


async def serve(
    handler: Handler,
    *,
    host: str,
    port: int,
    limits: ServerLimits | None = None,
    on_refusal: Callable[[Refusal], None] | None = None,
    backlog: int = 1024,
    reuse_port: bool = False,
) -> Server:
    """Listen on `host` and `port` (0: any free one) and call `handler` for every request.

    `on_refusal` hears of every message that was refused before or instead of being handled; it must not raise or block.
    Raises UsageError if the address cannot be listened on.
    """
    loop = asyncio.get_running_loop()
    bounds = limits or ServerLimits()
    reception = Reception(handler, bounds, loop, Times.of(bounds), on_refusal)
    try:
        listener = await loop.create_server(
            lambda: ClientConnection(reception), host, port, backlog=backlog, reuse_port=reuse_port or None
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"cannot listen on `{host}:{port}`: {reason}; free it or choose another address") from error
    return Server(reception, listener)
