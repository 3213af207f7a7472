"""The one blocking facade: asynchronous code driven from ordinary functions, whatever thread they run in.

A store that never suspends is driven by hand, at the cost of a function call. Any other lives on one event loop in a
daemon thread, and every caller, blocking or not, hands its work to that loop.
"""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from remit.errors import InvariantBroken

T = TypeVar("T")


def drive(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends. Raises `InvariantBroken` if it does."""
    try:
        work.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    work.close()
    raise InvariantBroken("a coroutine that must not wait has waited")


class Portal:
    """Where asynchronous work is done: in place (`immediate`), or on a loop of its own."""

    def __init__(self, *, immediate: bool) -> None:
        """The loop's thread is started now; it never keeps the process alive."""
        self.immediate = immediate
        self._loop: asyncio.AbstractEventLoop | None = None
        if not immediate:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_serve, args=(self._loop,), name="remit-portal", daemon=True)
            self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` and wait for it, from a thread that is not the portal's own."""
        if self._loop is None:
            return drive(work)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def acall(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` from another event loop."""
        if self._loop is None:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def close(self) -> None:
        """Stop the loop; nothing may be under way."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
