"""A small HTTP/1.1 client: one kept connection, one call at a time, JSON both ways. What the polite agents use."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from demo.children import DemoFailed
from remit.entrypoints.client import Signer

TIMEOUT_S = 15.0
MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. Header names are lower case; `members` is its JSON body."""

    status: int
    headers: dict[str, str]
    members: dict[str, Any]


@contextmanager
def playing(scene: str) -> Iterator[None]:
    """Whatever a scene does over the network: what goes wrong there is told as the end of it. Raises `DemoFailed`."""
    try:
        yield
    except (ConnectionError, TimeoutError) as error:
        raise DemoFailed(f"the {scene} scene broke off: {error}") from error


class Client:
    """Calls one server as one agent. Raises `ConnectionError` or `TimeoutError` when there is no proper answer."""

    def __init__(self, address: tuple[str, int], credential: str | Signer = "") -> None:
        """An API key is sent as `Authorization: Bearer`; a signer makes the headers of each request anew."""
        self._address = address
        self._credential = credential
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(
        self, method: str, path: str, members: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """Send one request, with `members` as JSON, and read its answer."""
        if members is None:
            return await self.send(method, path, b"", headers or {})
        body = json.dumps(members).encode()
        return await self.send(method, path, body, {"content-type": "application/json", **(headers or {})})

    async def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        """Send one request and read its answer. A call that fails is not repeated: it might have happened."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                reader, writer = await self._connected()
                writer.write(self._request(method, path, body, headers))
                await writer.drain()
                return await self._read(reader)
        except (OSError, TimeoutError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise TimeoutError(f"`{method} {path}` had no answer in {TIMEOUT_S:.0f} s") from error
            raise ConnectionError(f"`{method} {path}` had no proper answer: {error}") from error

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            host, port = self._address
            self._streams = await asyncio.open_connection(host, port, limit=MAX_HEAD_BYTES)
        return self._streams

    def _request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        host = f"{self._address[0]}:{self._address[1]}"
        fields = {"host": host, **headers}
        if isinstance(self._credential, Signer):
            fields |= self._credential.headers_for(method, f"http://{host}{path}", body)
        elif self._credential:
            fields["authorization"] = f"Bearer {self._credential}"
        if method != "GET":
            fields["content-length"] = str(len(body))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def _read(self, reader: asyncio.StreamReader) -> Reply:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers["content-length"]) if "content-length" in headers else 0
        if "transfer-encoding" in headers or length > MAX_BODY_BYTES:
            raise ValueError("its body is not of a stated, moderate length")
        body = await reader.readexactly(length)
        if headers.get("connection", "").lower() == "close":
            self.close()
        members = json.loads(body) if body else {}
        return Reply(int(first.split(" ")[1]), headers, members if isinstance(members, dict) else {"": members})

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
