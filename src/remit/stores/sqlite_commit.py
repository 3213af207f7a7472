"""Group commit: many batches, one transaction, one wait for the disk; and what happens when the disk says no.

Batches are applied in memory at once, one after the other, on the event loop. What they touched joins the group that
is filling, and each of them waits for its group; while one group is being committed, the next one fills. An answer that
rests on an unfinished group waits for it as well, so nothing leaves that is not durable.

When a group fails, everybody who waits for it or for a later one is told so, memory is thrown away and loaded from the
file again, and until that has succeeded every batch is refused. Attempts are made at growing intervals.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Final

from remit.errors import StoreError, StoreUnavailable
from remit.stores.sqlite_changes import Changes, Pending
from remit.stores.sqlite_errors import primary_code, translated
from remit.stores.sqlite_file import LedgerFile
from remit.stores.sqlite_worker import Worker

MAX_WAITING: Final = 10_000
"""So many callers may wait for one group; more are refused until the disk has caught up."""

STALLED_S: Final = 5.0
"""Whoever has waited this long for the disk is told that the outcome is unknown, and new batches are refused."""

LOCKED_RETRY_S: Final = 0.02
LOCKED_RETRIES: Final = 100
FIRST_RETRY_S: Final = 0.1
LAST_RETRY_S: Final = 5.0
IDLE_S: Final = 2.0
"""After so long without a group of writes the write-ahead log is moved into the file, and the watch ends."""

WATCH_S: Final = 1.0

Waiter = asyncio.Future[None]
Undo = Callable[[], None]


class Group:
    """Who waits for one group of writes, and what to undo outside the ledger if it fails."""

    __slots__ = ("undo", "waiters")

    def __init__(self) -> None:
        """Nobody waits yet."""
        self.waiters: list[Waiter] = []
        self.undo: list[Undo] = []

    def resolve(self) -> None:
        """It is durable."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)
        self.waiters = []

    def fail(self, why: str) -> None:
        """It is not, and never will be."""
        for undo in reversed(self.undo):
            undo()
        self.undo = []
        self.give_up(why)

    def give_up(self, why: str) -> None:
        """Nobody knows yet."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_exception(StoreUnavailable(why))
        self.waiters = []


class GroupCommit:
    """The ledger in memory, its file, and the groups between them. Everything here happens on one event loop."""

    def __init__(
        self,
        *,
        pending: Pending,
        file: LedgerFile,
        worker: Worker,
        recover: Callable[[], Pending],
        lost: Callable[[], None],
    ) -> None:
        """`recover` (in the worker) loads the ledger anew; `lost` is called when what is in memory no longer counts."""
        self.pending = pending
        self.down = ""
        self.written = 0
        self._file = file
        self._worker = worker
        self._recover = recover
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._filling = Group()
        self._writing: Group | None = None
        self._sealing = False
        self._with_worker = False
        self._stalled = ""
        self._since_s = 0.0
        self._untidy = False
        self._watch: asyncio.TimerHandle | None = None
        self._failures = 0
        self._rebuilding: asyncio.Task[None] | None = None

    def check(self) -> None:
        """Raise `StoreUnavailable` unless a batch may be applied now."""
        if self.down or self._stalled:
            raise StoreUnavailable(self.down or self._stalled)
        if len(self._filling.waiters) >= MAX_WAITING:
            raise StoreUnavailable(f"{MAX_WAITING} calls already wait for the disk: try again later")

    @property
    def trouble(self) -> str:
        """Why nothing can be decided now; empty if it can."""
        return self.down or self._stalled

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return len(self._filling.waiters) + (len(self._writing.waiters) if self._writing is not None else 0)

    def undo_with_the_group(self, undo: Undo) -> None:
        """Have something outside the ledger undone if the group that is filling fails."""
        self._filling.undo.append(undo)

    def waiter(self) -> Waiter | None:
        """What to wait for until everything that memory says now is durable; None if it is already."""
        group: Group | None = self._filling
        if self.pending.touched or self._filling.waiters:
            self._seal_soon()
        else:
            group = self._writing
        if group is None:
            return None
        waiter: Waiter = self._loop.create_future()
        group.waiters.append(waiter)
        return waiter

    async def settled(self) -> None:
        """Wait until everything that memory says now is durable. Raises `StoreUnavailable` if that fails."""
        waiter = self.waiter()
        if waiter is not None:
            await waiter

    def broken(self, error: BaseException) -> None:
        """A batch was broken off half-way: what is in memory cannot be trusted. The disk is not to blame, nor waited for."""
        self._failures = 0
        self._fail(f"a batch was broken off ({type(error).__name__}); the ledger is loaded from its file again")

    async def stop(self) -> None:
        """Write what is there, if it can be written, and end everything that is under way."""
        try:
            if not self.trouble:
                await self.settled()
        finally:
            self.down = self.down or f"`{self._file.path}` is closed"
            if self._watch is not None:
                self._watch.cancel()
            if self._rebuilding is not None:
                self._rebuilding.cancel()
            self._filling.fail(self.down)

    def _seal_soon(self) -> None:
        """Seal when the callbacks that are ready now have had their turn: they may join."""
        if not self._with_worker and not self._sealing:
            self._sealing = True
            self._loop.call_soon(self._seal)

    def _seal(self, tries: int = 0) -> None:
        self._sealing = False
        if self.down or self._with_worker:
            return
        try:
            self._file.begin()
        except sqlite3.Error as error:
            if primary_code(error) == sqlite3.SQLITE_BUSY and tries < LOCKED_RETRIES:
                self._sealing = True
                self._loop.call_later(LOCKED_RETRY_S, self._seal, tries + 1)
                return
            self._fail(str(translated(error, self._file.path)))
            return
        self._stage()

    def _stage(self) -> None:
        try:
            changes = self.pending.take()
            self._file.stage(changes)
        except (sqlite3.Error, OSError, StoreError) as error:
            self._fail(str(translated(error, self._file.path)))
            return
        except BaseException as error:
            self.broken(error)
            raise
        group, self._filling = self._filling, Group()
        self._writing = group
        self._untidy = True
        self._hand_over(self._file.commit, partial(self._committed, group, changes))

    def _hand_over(self, job: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        """Let the worker have the file, and watch it."""
        self._with_worker = True
        self._worker.submit(job, done)
        self._since_s = self._loop.time()
        if self._watch is None:
            self._watch = self._loop.call_later(WATCH_S, self._look)

    def _committed(self, group: Group, changes: Changes, error: BaseException | None) -> None:
        self._with_worker = False
        self._writing = None
        self._stalled = ""
        if error is not None:
            why = str(translated(error, self._file.path))
            self._fail(why)
            group.fail(why)
            return
        self._failures = 0
        self.written += 1
        group.resolve()
        if self.down:
            return
        self.pending.landed(changes)
        if self.pending.touched:
            self._seal_soon()

    def _look(self) -> None:
        """Ask every second, as long as groups are written: does the disk still answer, and is there anything to do."""
        self._watch = None
        passed_s = self._loop.time() - self._since_s
        if self._with_worker:
            if passed_s > STALLED_S and not self._stalled:
                self._stall()
        elif not self._sealing and not self.down and passed_s > IDLE_S:
            if not self._untidy:
                return
            self._untidy = False
            self._hand_over(self._file.checkpoint, self._tidied)
            return
        self._watch = self._loop.call_later(WATCH_S, self._look)

    def _stall(self) -> None:
        """The disk does not answer. Nobody can know the outcome yet; memory stays, and is right if it still succeeds."""
        self._stalled = f"`{self._file.path}` cannot be used: the disk has not answered for {STALLED_S:.0f} seconds"
        if self._writing is not None:
            self._writing.give_up(self._stalled)
        self._filling.give_up(self._stalled)

    def _tidied(self, _: BaseException | None) -> None:
        self._with_worker = False
        self._stalled = ""
        if self.pending.touched and not self.down:
            self._seal_soon()

    def _fail(self, why: str) -> None:
        """Everybody who waits is told; what is in memory no longer counts."""
        if self.down:
            return
        self.down = why
        group, self._filling = self._filling, Group()
        group.fail(why)
        self._lost()
        self._rebuilding = self._loop.create_task(self._rebuild())

    async def _rebuild(self) -> None:
        """Load the ledger from its file until that succeeds."""
        while True:
            if self._failures:
                await asyncio.sleep(min(LAST_RETRY_S, FIRST_RETRY_S * 2 ** (self._failures - 1)))
            self._failures = min(self._failures + 1, 16)
            try:
                self.pending = await self._worker.run(self._recover)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing is allowed until it is over
                self.down = str(translated(error, self._file.path))
                self._lost()
            else:
                self.down = ""
                return
