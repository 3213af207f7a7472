"""The command line's side of the control socket. Blocking: a command asks, waits and ends."""

import socket
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from remit.errors import (
    RemitError,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreUnavailable,
    UnknownItem,
    UsageError,
)

TIMEOUT_S = 60.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
_ERRORS: dict[str, type[RemitError]] = {
    kind.code: kind for kind in (UsageError, UnknownItem, StoreError, StoreUnavailable, StoreBusy, StoreCorrupt)
}


class ControlClient:
    """One connection to the owner of a store."""

    def __init__(self, path: Path) -> None:
        """Connects. Raises `ConnectionError` or `FileNotFoundError` if nobody listens."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT_S)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._reader = self._socket.makefile("rb")

    def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Ask for one command. Raises what the owner raised, with its own words."""
        self._socket.sendall(msgspec.json.encode({"command": command, "arguments": arguments}) + b"\n")
        line = self._reader.readline(MAX_ANSWER_BYTES)
        if not line.endswith(b"\n"):
            raise StoreUnavailable("the process that owns the store went away before it answered")
        answer: dict[str, Any] = msgspec.json.decode(line)
        if "error" in answer:
            raise _ERRORS.get(answer["code"], RemitError)(answer["error"])
        found: dict[str, Any] = answer["ok"]
        return found

    def close(self) -> None:
        """Hang up."""
        self._reader.close()
        self._socket.close()

    def __enter__(self) -> "ControlClient":
        """Closes itself at the end of a `with` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self.close()
