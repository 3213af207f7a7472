"""The processes of the demo: started together, watched, and stopped together however the demo ends.

Each child leads a process group of its own, so that Ctrl-C reaches only the demo, which then stops them in order: a
gateway that is asked to stop finishes what it has begun. What a child writes to standard error (and, unless it talks to
us, to standard output) goes to a log file in the build folder, whose end is shown when the child fails.
"""

import asyncio
import atexit
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
STOP_S = 40.0  # longer than a gateway may take to drain
TAIL_LINES = 15
TAIL_BYTES = 4000
MAX_LINE_BYTES = 1024 * 1024


class DemoFailed(Exception):
    """The demo cannot show what it claims; the text says why, for a person."""


class Child:
    """One running process. Made by `Children.start`."""

    def __init__(self, name: str, log: Path, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.returncode

    async def message(self, *, timeout_s: float) -> dict[str, Any] | None:
        """The next JSON line that it says, None when it has said its last. Raises `DemoFailed`."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                line = await self._process.stdout.readline()
            found = json.loads(line) if line else None
        except TimeoutError:
            raise self.failed(f"said nothing for {timeout_s:.0f} s") from None
        except ValueError:
            raise self.failed("said something that is not JSON") from None
        return found if found is None or isinstance(found, dict) else {}

    def failed(self, what: str) -> DemoFailed:
        """An error that tells `what`, and what the child itself said last."""
        return DemoFailed(f"the {self.name} {what}; the end of {shown(self.log)}:\n{tail(self.log)}")

    async def finished(self, *, timeout_s: float) -> None:
        """Wait until it has ended by itself. Raises `DemoFailed` if it does not, or ends badly."""
        try:
            code = await asyncio.wait_for(self._process.wait(), timeout_s)
        except TimeoutError:
            raise self.failed(f"did not end within {timeout_s:.0f} s") from None
        if code != 0:
            raise self.failed(f"ended with exit code {code}")

    async def stop(self) -> int:
        """Ask it to end, insist if it does not, and return its exit code."""
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_S)
        except TimeoutError:
            pass
        finally:
            self.kill()
        return await self._process.wait()

    def kill(self) -> None:
        """End it and whatever it has started, now."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                pass


class Children:
    """All processes of one demo; leaving the `async with` block stops them, the last one first."""

    def __init__(self, folder: Path) -> None:
        """Logs go to `folder`."""
        self._folder = folder
        self._all: list[Child] = []

    async def start(
        self, name: str, command: Sequence[str], *, settings: dict[str, Any] | None = None, talks: bool = False
    ) -> Child:
        """Start one. `settings` are written to its standard input; `talks`: its standard output is read by `message`."""
        log = self._folder / f"{name.replace(' ', '-').lower()}.log"
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "demo.tied", str(os.getpid()), *command),
                stdin=asyncio.subprocess.DEVNULL if settings is None else asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE if talks else file,
                stderr=file,
                cwd=ROOT,
                start_new_session=True,
                limit=MAX_LINE_BYTES,
            )
        child = Child(name, log, process)
        self._all.append(child)
        if process.stdin is not None:
            process.stdin.write(json.dumps(settings).encode() + b"\n")
            process.stdin.close()
        return child

    def first_ended(self) -> Child | None:
        """A child that has ended though nobody asked it to."""
        return next((child for child in self._all if child.exit_code is not None), None)

    async def stop(self, child: Child) -> int:
        """Stop one before the others and return its exit code."""
        self._all.remove(child)
        return await child.stop()

    def kill(self) -> None:
        """What is left to do when this process ends in a hurry."""
        for child in self._all:
            child.kill()

    async def __aenter__(self) -> Self:
        atexit.register(self.kill)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while self._all:
                await self._all[-1].stop()
                self._all.pop()
        finally:
            self.kill()
            atexit.unregister(self.kill)


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of the demo."""
    return [sys.executable, "-m", f"demo.{module}", *arguments]


def tail(log: Path) -> str:
    """The last lines of a log, indented."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()[-TAIL_LINES:]
    return "\n".join(f"    {line}" for line in lines or ["(nothing)"])


def shown(path: Path) -> str:
    """The path as a person would type it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
