"""The demo as a newcomer starts it: a process of its own, watched from outside."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.tidy.tree import ROOT

PATIENCE_S = 100.0


class Running:
    """One started demo. What it has printed so far is in `said`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def said(self) -> str:
        return "".join(self._lines)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, text: str) -> None:
        """Until it has printed `text`."""
        self._wait(lambda: text in self.said)
        assert text in self.said, self.said

    def _wait(self, is_there: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: is_there() or not self._reader.is_alive(), PATIENCE_S)

    def end(self, number: signal.Signals | None = None) -> int:
        """Its exit code, after a signal if one is given."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code


@contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[Running]:
    """`python -m demo --build FOLDER …`, killed at the end if it is still there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "demo", "--build", str(folder), *arguments],
        cwd=ROOT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    running = Running(process)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        running.end()


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and theirs (Linux)."""
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text(encoding="ascii").split()
    ]
    return children + [grandchild for child in children for grandchild in descendants(child)]


def wait_until_gone(pid: int) -> None:
    """Until a process that is not our child has ended. Raises `TimeoutError`."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not select.select([handle], [], [], PATIENCE_S)[0]:
            raise TimeoutError(f"process {pid} is still there")
    finally:
        os.close(handle)


def figures(folder: Path) -> dict[str, Any]:
    """What the demo wrote for programs."""
    found: dict[str, Any] = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    return found
