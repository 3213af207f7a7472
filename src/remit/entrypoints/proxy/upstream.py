"""The upstream client: one fixed address, a pool of connections to it, and an exact answer to "did anything leave?".

A call that fails is never repeated here. What its failure means for money depends on whether a byte of it may have
reached the upstream, so every UpstreamFailed says that: `dispatched=False` only where it is proven (no name, no
connection, no TLS, no free connection in time), True in every other case.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence

from remit.entrypoints.proxy.bounds import UpstreamLimits
from remit.entrypoints.proxy.connection import Header
from remit.entrypoints.proxy.framing import write_request
from remit.entrypoints.proxy.link import Link, LinkTimes
from remit.entrypoints.proxy.response import UpstreamResponse
from remit.entrypoints.proxy.sweep import Sweep, seconds
from remit.errors import UpstreamFailed

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Upstream:
    """The way to one upstream. Calls may run concurrently; all of them on the loop of the first.

    `tls` replaces the default context, which verifies certificates against the system's store.
    """

    def __init__(
        self,
        *,
        scheme: str,
        host: str,
        port: int,
        limits: UpstreamLimits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._limits = limits or UpstreamLimits()
        self._address = (host, port)
        self._tls = None if scheme == "http" else tls or ssl.create_default_context()
        literal = f"[{host}]" if ":" in host else host
        self._authority = literal if port == _DEFAULT_PORTS.get(scheme) else f"{literal}:{port}"
        self._host_line = b"host: " + self._authority.encode()
        self._times = LinkTimes.of(self._limits)
        self._links: set[Link] = set()
        self._idle: list[Link] = []
        self._connecting = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self._retired = False
        self._sweep = Sweep(self._look_at_deadlines, times_us=self._times_us())

    @property
    def authority(self) -> str:
        """What the Host field of every request says: host, and the port unless it is the scheme's own."""
        return self._authority

    @property
    def open_connections(self) -> int:
        """Connections open or being opened."""
        return len(self._links) + self._connecting

    @property
    def idle_connections(self) -> int:
        """Connections open that carry no call."""
        return len(self._idle)

    async def call(self, method: str, target: bytes, headers: Sequence[Header], body: bytes = b"") -> UpstreamResponse:
        """Send one request and return its answer as soon as its head is here.

        Host and content-length are added; `headers` must not have them, nor other framing. Raises UpstreamFailed.
        """
        request = write_request(method, target, headers, host=self._host_line, body=body)
        link = self._take_idle() or await self._acquire()
        answer = link.send(request, is_head=method == "HEAD")
        try:
            return await answer
        except asyncio.CancelledError:
            link.forget(answer)
            raise

    def retire(self) -> None:
        """Keep no connection open between calls from now on, so that nothing is left when the last call ends."""
        self._retired = True
        for link in tuple(self._idle):
            link.give_up()

    async def close(self) -> None:
        """Close every connection; calls still running fail. Nothing can be called afterwards."""
        self._closed = True
        self._sweep.stop()
        for link in tuple(self._links):
            link.give_up()
        while self._waiting:
            self._wake_one()
        await asyncio.sleep(0)

    # The pool.

    async def _acquire(self) -> Link:
        self._sweep.start()
        deadline = asyncio.get_running_loop().time() + seconds(self._limits.queue_us)
        first = True
        while not self._closed:
            link = self._take_idle()
            if link is not None:
                return link
            if self.open_connections < self._limits.max_connections:
                return await self._connect()
            await self._wait_in_line(deadline, in_front=not first)
            first = False
        raise self._not_sent("is closed")

    def _take_idle(self) -> Link | None:
        while self._idle:
            link = self._idle.pop()
            if link.usable():
                return link
            link.give_up()
        return None

    async def _connect(self) -> Link:
        loop = asyncio.get_running_loop()
        host, port = self._address
        self._connecting += 1
        try:
            async with asyncio.timeout(seconds(self._limits.connect_us)):
                _, link = await loop.create_connection(
                    lambda: Link(self, name=self._authority, limits=self._limits, times=self._times, loop=loop),
                    host,
                    port,
                    ssl=self._tls,
                )
        except TimeoutError as error:
            raise self._not_sent("could not be connected to in time", timeout=True) from error
        except (OSError, UnicodeError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or str(error)
            raise self._not_sent(f"could not be connected to: {reason}") from error
        finally:
            self._connecting -= 1
            self._wake_one()
        if self._closed or not link.open:
            link.give_up()
            raise self._not_sent("closed the connection before the call")
        self._links.add(link)
        return link

    async def _wait_in_line(self, deadline: float, *, in_front: bool) -> None:
        if len(self._waiting) >= self._limits.max_waiting:
            raise self._not_sent("has too many calls waiting for a connection")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if in_front:
            self._waiting.appendleft(turn)
        else:
            self._waiting.append(turn)
        try:
            async with asyncio.timeout_at(deadline):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._wake_one()  # woken and leaving all the same: the turn is somebody else's
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise self._not_sent("had no free connection in time", timeout=True) from error
            raise

    def free(self, link: Link) -> None:
        if self._closed or self._retired or len(self._idle) >= self._limits.max_idle:
            link.give_up()
        else:
            self._idle.append(link)
            if self._waiting:
                self._wake_one()

    def lost(self, link: Link) -> None:
        self._links.discard(link)
        if link in self._idle:
            self._idle.remove(link)
        if self._retired and not self._links:
            self._sweep.stop()
        self._wake_one()

    def _wake_one(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _look_at_deadlines(self, now: float) -> None:
        for link in tuple(self._links):
            link.sweep(now)

    def _not_sent(self, why: str, *, timeout: bool = False) -> UpstreamFailed:
        return UpstreamFailed(f"upstream `{self._authority}` {why}", dispatched=False, timeout=timeout)

    def _times_us(self) -> tuple[int, ...]:
        limits = self._limits
        return (limits.head_us, limits.read_us, limits.idle_us, limits.total_us or limits.head_us)
