"""An upstream's answer while it arrives: its head at once, its body as it comes, never more of it than a bounded buffer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from remit.entrypoints.proxy.connection import Header
from remit.errors import UpstreamFailed


class Source(Protocol):
    """What a response asks of the connection it arrives on."""

    def want(self) -> None:
        """Somebody waits for more of the body, or there is room for it again."""
        ...

    def give_up(self) -> None:
        """Nobody wants the rest; end the connection."""
        ...


class UpstreamResponse:
    """Status, headers (lower-case names, in order) and body of one answer. Close it, unless it was read to its end.

    `content_length` is what the upstream announced, if it did; for HEAD and 304 that is not what will come.
    """

    __slots__ = (
        "_buffered_bytes",
        "_error",
        "_pieces",
        "_source",
        "_started",
        "_waiter",
        "complete",
        "content_length",
        "headers",
        "status",
    )

    def __init__(self, source: Source, *, status: int, headers: tuple[Header, ...], content_length: int | None) -> None:
        self.status = status
        self.headers = headers
        self.content_length = content_length
        self.complete = False
        self._source = source
        self._pieces: list[bytes] = []
        self._buffered_bytes = 0
        self._started = False
        self._error: UpstreamFailed | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def whole(self) -> bytes | None:
        """The whole body if all of it is already here and none of it was read yet; otherwise None."""
        return self._join() if self.complete and not self._started else None

    async def read_some(self) -> bytes:
        """Return what has arrived, waiting until there is something; b"" after the end.

        Raises UpstreamFailed once what had arrived before the failure has been read.
        """
        self._started = True
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self.complete:
                return b""
            await self._wait()
        data = self._join()
        self._pieces.clear()
        self._buffered_bytes = 0
        if not self.complete and self._error is None:
            self._source.want()
        return data

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body piece by piece, as it arrives. Raises UpstreamFailed."""
        while data := await self.read_some():
            yield data

    def close(self) -> None:
        """Stop: an answer not yet complete takes its connection with it."""
        if not self.complete and self._error is None:
            self._pieces.clear()
            self._buffered_bytes = 0
            self.fail(UpstreamFailed("the answer was closed before its end", dispatched=True))
            self._source.give_up()

    # What the connection calls.

    @property
    def buffered_bytes(self) -> int:
        """So much has arrived and was not read yet."""
        return self._buffered_bytes

    def arrived(self, data: bytes) -> None:
        """More of the body."""
        if data:
            self._pieces.append(data)
            self._buffered_bytes += len(data)
            self._wake()

    def end(self) -> None:
        """The body is complete."""
        self.complete = True
        self._wake()

    def fail(self, error: UpstreamFailed) -> None:
        """The body will not be complete."""
        if not self.complete and self._error is None:
            self._error = error
            self._wake()

    def _join(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        self._source.want()
        try:
            await self._waiter
        finally:
            self._waiter = None
