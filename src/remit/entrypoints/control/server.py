"""The owner's side of the control socket."""

import asyncio
import contextlib
import logging
import os
import socket
import struct
from pathlib import Path
from typing import Any

import msgspec

from remit.engine.operator import Operator
from remit.errors import RemitError, UsageError

MAX_LINE_BYTES = 1024 * 1024
IDLE_S = 300.0

_log = logging.getLogger("remit.control")


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """One command, as it is written on the wire."""

    command: str
    arguments: dict[str, Any] = {}


class ControlServer:
    """Serves an `Operator` on a Unix socket until it is closed."""

    def __init__(self, operator: Operator, path: Path) -> None:
        """Nothing listens until `start`."""
        self._operator = operator
        self._path = path
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. A socket left behind by a process that is gone is replaced: its owner no longer owns the store."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, str(self._path), limit=MAX_LINE_BYTES)
        except OSError as error:
            raise UsageError(f"cannot listen on the control socket `{self._path}`: {error.strerror}") from error
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._server = None
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        by = _peer(writer.get_extra_info("socket"))
        try:
            while line := await asyncio.wait_for(reader.readline(), IDLE_S):
                writer.write(await self._answer(line, by) + b"\n")
                await writer.drain()
        except (ConnectionError, TimeoutError, ValueError):
            pass
        finally:
            writer.close()

    async def _answer(self, line: bytes, by: str) -> bytes:
        try:
            asked = msgspec.json.decode(line, type=Asked)
            return msgspec.json.encode({"ok": await self._operator.do(asked.command, asked.arguments, by=by)})
        except RemitError as error:
            return msgspec.json.encode({"error": str(error), "code": error.code})
        except (msgspec.DecodeError, ValueError, TypeError) as error:
            return msgspec.json.encode({"error": f"the command cannot be read: {error}", "code": "usage"})
        except Exception:  # noqa: BLE001 - the operator gets one sentence, the log the rest
            _log.exception("a control command failed")
            return msgspec.json.encode({"error": "the command failed; the gateway's log says why", "code": "error"})


def _peer(connection: socket.socket | None) -> str:
    """Who is at the other end: its user id where the system tells."""
    option = getattr(socket, "SO_PEERCRED", None)
    if connection is None or option is None:
        return "operator"
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return f"operator uid {uid}"
