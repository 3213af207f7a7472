"""A gateway between its start and its end, and the signals that it is told by.

SIGTERM or Ctrl-C: no new connections, running calls end, every call is settled. A second one cuts the calls that still
run (they are settled all the same), a third ends the process at once. SIGHUP: the policy file is read again; if it is
wrong, the log says so and the running policy stays.
"""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from remit.errors import RemitError
from remit.stores.opening import SQLITE
from remit.wiring import Service

_log = logging.getLogger("remit.gateway")
HAND_OVER_S = 0.0005
"""How soon a busy event loop lets the thread that commits go on: with the default of 5 ms a commit waits for the loop."""

_STOP = (signal.SIGTERM, signal.SIGINT)


def serve(service: Service) -> int:
    """Run a service until a signal ends it, on the faster event loop where there is one; returns the exit code."""
    sys.setswitchinterval(HAND_OVER_S)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_Running(service).run())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The faster event loop where there is one."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


class _Running:
    """A service between its start and its end, and the signals that it is told by."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._told = 0
        self._cut_calls = 0
        self._stop = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Serve until told to stop, then drain and settle."""
        loop = asyncio.get_running_loop()
        await self._service.start()
        for number in _STOP:
            loop.add_signal_handler(number, self._told_to_stop, loop)
        loop.add_signal_handler(signal.SIGHUP, self._start, self._reload)
        try:
            print(f"remit gateway listening on {self._service.url} ({self._names()})", flush=True)
        except OSError:
            _log.info("listening on %s; stdout is closed", self._service.url)
        await self._stop.wait()
        _log.info("stopping: running calls may end, new ones are not taken; a second signal cuts them")
        cut = await self._service.stop() + self._cut_calls
        if cut:
            _log.warning("%d running calls were cut; `remit holds` shows what is not known about them", cut)
        _log.info("stopped; every other call is settled" if cut else "stopped; every call is settled")
        return 0

    def _names(self) -> str:
        store = self._service.policy.store
        if store.startswith(SQLITE):
            path = Path(store.removeprefix(SQLITE))
            with contextlib.suppress(ValueError):
                path = path.relative_to(Path.cwd())
            store = str(path)
        else:
            store = "in memory"
        return f"policy {self._service.path}, store {store}"

    def _told_to_stop(self, loop: asyncio.AbstractEventLoop) -> None:
        self._told += 1
        self._stop.set()
        if self._told == 2:
            self._start(self._cut)
            for number in _STOP:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)

    async def _cut(self) -> None:
        """End the running calls now; `stop`, which waits for them, goes on by itself and settles them."""
        self._cut_calls += await self._service.server.drain(timeout_us=0)

    def _start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.ensure_future(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload(self) -> None:
        async with self._reloading:
            try:
                warnings = await self._service.reload(by="SIGHUP")
            except RemitError as error:
                _log.error("the policy was not reloaded and the one before goes on: %s", error)
                return
            for line, text in warnings:
                _log.warning("%s:%d: %s", self._service.path, line, text)
            _log.info("reloaded %s (policy %s)", self._service.path, self._service.policy.digest[:12])
