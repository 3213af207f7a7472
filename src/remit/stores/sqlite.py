"""The ledger in one SQLite file: the embedded default. Durable before the answer, one owner process, many callers.

Every batch is applied in memory by the reference interpreter and written, together with its audit records, before its
answer leaves; all batches that wait at the same time share one transaction (`sqlite_commit`). One process owns the file
(`lock`); what it left unfinished is settled by the next one (`sqlite_recovery`). A store belongs to the event loop that
opened it.
"""

import asyncio
import os
import secrets
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from remit.core.ledger.operations import Batch, HoldState, Outcome
from remit.errors import StoreUnavailable
from remit.ports import AuditEntry, AuditQuery, CellInfo, Health, HoldInfo
from remit.stores.clock import AnchoredClock, wall_us
from remit.stores.lock import OwnerLock
from remit.stores.reading import cell_infos, hold_info
from remit.stores.sqlite_changes import Pending
from remit.stores.sqlite_commit import GroupCommit
from remit.stores.sqlite_errors import translated
from remit.stores.sqlite_file import LedgerFile
from remit.stores.sqlite_reading import Reader
from remit.stores.sqlite_recovery import recover
from remit.stores.sqlite_worker import Worker

CLOSING_S: Final = 30.0


class SqliteStore:
    """A `ports.Store` on one file. Made by `open`."""

    immediate = False
    durable = True

    def __init__(
        self,
        *,
        file: LedgerFile,
        lock: OwnerLock,
        reader: Reader,
        worker: Worker,
        clock: AnchoredClock,
        pending: Pending,
    ) -> None:
        """`pending` is the ledger as recovered from `file`."""
        self._file = file
        self._lock = lock
        self._reader = reader
        self._worker = worker
        self._clock = clock
        self._closed = False
        self._commit = GroupCommit(pending=pending, file=file, worker=worker, recover=self._recover, lost=reader.close)

    @classmethod
    async def open(
        cls,
        path: str | Path,
        *,
        clock: AnchoredClock | None = None,
        owner_note: str | None = None,
        accept_loss: bool = False,
    ) -> "SqliteStore":
        """Open the ledger at `path`, or make it, and settle what an earlier owner left open.

        `owner_note` tells others who the owner is (default: the command line). `accept_loss` opens a file that lost
        acknowledged writes: with every window frozen, and every earlier plan stale. Raises `StoreBusy` if another
        process owns it, `StoreCorrupt` if it is damaged, lost writes, or is no ledger, `StoreError` or
        `StoreUnavailable` if it cannot be used.
        """
        place = _resolved(path)
        clock = clock or AnchoredClock()
        lock = OwnerLock.acquire(place, pid=os.getpid(), since_us=wall_us(), note=owner_note or _command())
        worker = Worker(asyncio.get_running_loop(), name="remit-sqlite")
        file = LedgerFile(place, lock, owner=secrets.token_hex(8))
        reader = Reader(place)

        def start() -> Pending:
            lost = file.open(store_id=secrets.token_hex(8), created_us=clock.now_us(), accept_loss=accept_loss)
            return recover(file, reader, clock, restarted=True, lost=lost)

        try:
            pending = await worker.run(start)
        except BaseException as error:
            reader.close()
            await worker.run(file.close)
            worker.stop()
            lock.release()
            if isinstance(error, sqlite3.Error | OSError):
                raise translated(error, place) from error
            raise
        return cls(file=file, lock=lock, reader=reader, worker=worker, clock=clock, pending=pending)

    def _recover(self) -> Pending:
        self._file.reopen()
        return recover(self._file, self._reader, self._clock, restarted=False, lost=False)

    @property
    def epoch(self) -> int:
        """The version of the policy that plans must have been made under."""
        return self._commit.pending.ledger.epoch

    @property
    def store_id(self) -> str:
        """The name that the file was given when it was made."""
        return self._file.store_id

    def now_us(self) -> int:
        """The store's clock."""
        return self._clock.now_us()

    async def apply(self, batch: Batch) -> Outcome:
        """One step; returns when it, and everything it rests on, is durable."""
        commit = self._commit
        commit.check()
        try:
            outcome = commit.pending.embedded.step(batch)
        except BaseException as error:
            commit.broken(error)
            raise
        waiter = commit.waiter()
        if waiter is not None:
            await waiter
        return outcome

    async def set_epoch(self, epoch: int, *, record: object | None = None) -> None:
        """From now on plans of another epoch are stale."""
        pending = self._checked()
        pending.ledger.epoch = epoch
        pending.touch()
        await self._recorded(pending, record)

    async def put(self, kind: str, id: str, body: bytes | None, *, record: object | None = None) -> None:
        """Keep or forget a document."""
        pending = self._checked()
        pending.put_document(kind, id, body)
        await self._recorded(pending, record)

    async def documents(self, kind: str) -> list[tuple[str, bytes]]:
        """All documents of a kind."""
        self._checked()
        await self._commit.settled()
        return self._reader.documents(kind)

    async def holds(self, *, states: Sequence[HoldState], limit: int = 1000) -> list[HoldInfo]:
        """Holds in those states, oldest first."""
        self._checked()
        await self._commit.settled()
        return self._reader.holds(states, limit)

    async def hold(self, id: str) -> HoldInfo | None:
        """One hold."""
        row = self._checked().ledger.holds.get(id)
        if row is None:
            return self._reader.hold_info(id)
        info = hold_info(row)
        await self._commit.settled()
        return info

    async def cells(self, prefix: str = "", *, limit: int = 1000) -> list[CellInfo]:
        """Cells by the start of their key, as they are once this is answered."""
        infos = cell_infos(self._checked().ledger, prefix, limit, self._clock.now_us())
        await self._commit.settled()
        return infos

    async def audit(self, query: AuditQuery) -> list[AuditEntry]:
        """Records that fit the query; open counts of refusals are closed first."""
        await self._recorded(self._checked(), None, close_counts=True)
        return self._reader.audit(query)

    async def heads(self) -> list[tuple[str, int, bytes]]:
        """Where the chain of every writer stands."""
        await self._recorded(self._checked(), None, close_counts=True)
        return self._reader.heads()

    async def keep_checkpoint(self, text: str, time_us: int) -> None:
        """Keep a signed checkpoint."""
        self._checked().put_checkpoint(text, time_us)
        await self._commit.settled()

    async def checkpoints(self, *, limit: int = 1000) -> list[str]:
        """The newest checkpoints, oldest first."""
        self._checked()
        await self._commit.settled()
        return self._reader.checkpoints(limit)

    async def accept_clock(self, *, record: object | None = None) -> int:
        """Take the wall's time; if that cannot be made durable, it is taken back."""
        pending = self._checked()
        moved_us = self._clock.accept()
        pending.touch()
        self._commit.undo_with_the_group(lambda: self._clock.shift(-moved_us))
        await self._recorded(pending, record)
        return moved_us

    def health(self) -> Health:
        """Whether batches can be decided, and how much there is."""
        ledger = self._commit.pending.ledger
        figures = {
            "cells": len(ledger.cells),
            "live_holds": len(ledger.live.live),
            "holds_in_memory": len(ledger.holds),
            "groups": self._commit.written,
            "waiting": self._commit.waiting,
        }
        trouble = self._commit.trouble
        return Health(ok=not trouble, detail=trouble, clock_parted_us=self._clock.parted_us(), figures=figures)

    async def close(self) -> None:
        """Write what is there, empty the write-ahead log, and let the next owner in."""
        if self._closed:
            return
        self._closed = True
        try:
            if not self._commit.trouble:
                self._commit.pending.embedded.close_counts()
            await self._commit.stop()
        finally:
            self._reader.close()
            try:
                await asyncio.wait_for(self._worker.run(self._file.close), CLOSING_S)
            except TimeoutError:
                raise StoreUnavailable(f"`{self._file.path}` was not closed: the disk does not answer") from None
            finally:
                self._worker.stop()
                self._lock.release()

    def _checked(self) -> Pending:
        self._commit.check()
        return self._commit.pending

    async def _recorded(self, pending: Pending, record: object | None, *, close_counts: bool = False) -> None:
        """Chain a record and wait until it is durable."""
        try:
            pending.embedded.record(record)
            if close_counts:
                pending.embedded.close_counts()
        except BaseException as error:
            self._commit.broken(error)
            raise
        await self._commit.settled()


def _resolved(path: str | Path) -> Path:
    """The file itself, so that two links to one ledger share one lock."""
    return Path(path).resolve()


def _command() -> str:
    """The command line, for people; `OwnerLock` masks secrets in it."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]) if sys.argv else "python"
