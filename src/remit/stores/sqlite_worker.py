"""A thread that waits for the disk, so that the event loop does not have to.

One job at a time, in order. The thread does as little in Python as it can: each time it comes back from the disk it has
to win the interpreter from a busy loop again, which can take milliseconds. That is why rows are changed on the loop and
only the commit is done here (measured: with a busy loop, 64 inserts in a thread take 1.5 s, on the loop 1 ms).
"""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
Job = Callable[[], None]
Done = Callable[[BaseException | None], None]


class Worker:
    """Runs jobs in a daemon thread and reports to the loop that it was made on."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, name: str) -> None:
        """Starts the thread. It never keeps the process alive."""
        self._loop = loop
        self._jobs: SimpleQueue[tuple[Job, Done] | None] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def submit(self, job: Job, done: Done) -> None:
        """Have `job` done; `done` is then called on the loop with what it raised, or None."""
        self._jobs.put((job, done))

    async def run(self, job: Callable[[], T]) -> T:
        """The same for those who wait. If the waiter is cancelled, the job is done all the same."""
        future: asyncio.Future[None] = self._loop.create_future()
        found: list[T] = []

        def done(error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        self.submit(lambda: found.append(job()), done)
        await future
        return found[0]

    def stop(self) -> None:
        """End the thread when it has done what it was given."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (task := self._jobs.get()) is not None:
            job, done = task
            error: BaseException | None = None
            try:
                job()
            except BaseException as raised:  # noqa: BLE001 - whatever it is, it is reported to those who wait
                error = raised
            try:
                self._loop.call_soon_threadsafe(done, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more
            del task, job, done, error
