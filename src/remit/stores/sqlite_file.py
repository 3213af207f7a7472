"""The ledger's file: opened, checked, and written one group at a time.

A group is staged (its rows change inside a transaction) and then committed, which is the one step that waits for the
disk; between the two, another thread may take over, but two never use the file at once. Each group moves `head.groups`
on by one, on condition that the file still belongs to this process, and is acknowledged in the lock file afterwards. A
file that was removed, replaced, or has lost its write-ahead log under its owner's feet fails the group that notices.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

from remit.errors import StoreCorrupt, StoreError, StoreUnavailable
from remit.stores.lock import OwnerLock
from remit.stores.sqlite_changes import Changes
from remit.stores.sqlite_errors import translated
from remit.stores.sqlite_schema import APPLICATION_ID, FORMAT, MIGRATIONS
from remit.stores.sqlite_statements import ADVANCE

QUICK_CHECK_BYTES: Final = 64 * 1024 * 1024
"""Files up to this size are checked whole when they are opened; of larger ones the tables that decisions rest on."""

VITAL_TABLES: Final = (
    "meta",
    "head",
    "cells",
    "paces",
    "gates",
    "seen",
    "begun",
    "refusals_open",
    "documents",
    "writers",
)
BUSY_MS: Final = 2_000
CACHE_KB: Final = 65_536
CHECKPOINT_PAGES: Final = 2_000
"""From this size (8 MB) on, a commit also moves the write-ahead log into the file."""

WAL_LIMIT_BYTES: Final = 64 * 1024 * 1024
OLDEST_SQLITE: Final = (3, 37, 0)


def connect(path: Path) -> sqlite3.Connection:
    """A connection to an existing file that any thread may use, one at a time. Transactions are begun by hand."""
    uri = f"file:{quote(os.fsencode(path))}?mode=rw"
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000, cached_statements=512
    )


class LedgerFile:
    """The one connection that writes. Every method may raise `sqlite3.Error`, `OSError` or a `StoreError`."""

    def __init__(self, path: Path, lock: OwnerLock, *, owner: str) -> None:
        """Nothing is opened yet. `owner` is a name that no other opening of the file has."""
        self.path = path
        self.groups = 0
        self.store_id = ""
        self._lock = lock
        self._owner = owner
        self._db: sqlite3.Connection | None = None
        self._places: list[tuple[str, tuple[int, int]]] = []

    @property
    def db(self) -> sqlite3.Connection:
        """The open connection."""
        if self._db is None:
            raise StoreUnavailable(f"`{self.path}` is closed")
        return self._db

    def open(self, *, store_id: str, created_us: int, accept_loss: bool) -> bool:
        """Open or create it; `store_id` names a new one. Answers whether it lost writes (only if that is accepted)."""
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: use a Python with SQLite 3.37 or newer")
        _create(self.path)
        self._connect()
        if self._is_new():
            self._refuse_loss(0, "", accepted=accept_loss)
            self._build(store_id, created_us)
        else:
            self._migrate()
        self._set_up()
        self._check()
        self._read_head()
        lost = self._refuse_loss(self.groups, self.store_id, accepted=accept_loss)
        self.db.execute("UPDATE head SET owner = ?", (self._owner,))
        self._note_places()
        return lost

    def reopen(self) -> None:
        """After a failure: connect anew, and make sure that it is the same file and still ours."""
        self.close_connection()
        self._connect()
        self._set_up()
        store_id = self.store_id
        owner = self._read_head()
        if owner != self._owner or self.store_id != store_id:
            raise StoreUnavailable(
                f"another process has taken over `{self.path}`: restart this one when that has ended"
            )
        self._refuse_loss(self.groups, self.store_id, accepted=False)
        self._note_places()

    def begin(self) -> None:
        """Begin a transaction; `SQLITE_BUSY` if another program writes."""
        self.db.execute("BEGIN IMMEDIATE")

    def stage(self, changes: Changes) -> None:
        """Change the rows inside the transaction. Nothing is left behind if this raises."""
        db = self.db
        try:
            if db.execute(ADVANCE, (*changes.head, self._owner, self.groups)).rowcount != 1:
                raise StoreUnavailable(f"another process has written to `{self.path}`: stop it, then restart this one")
            for statement, rows in changes.statements:
                if statement.run(db, rows) != len(rows) and statement.exact:
                    raise StoreCorrupt(f"`{self.path}` lacks a hold that it had: restore a backup")
        except BaseException:
            self._roll_back()
            raise

    def commit(self) -> None:
        """Make what was staged durable; returns when it is."""
        try:
            self.db.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self.groups += 1
        self._still_there()
        self._lock.acknowledge(self.groups, self.store_id)

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file and empty it, as far as readers permit."""
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def wait_for_locks(self, *, patient: bool) -> None:
        """Whether to wait for other programs' locks, or to fail at once: whoever must not be held up cannot wait."""
        self.db.execute(f"PRAGMA busy_timeout = {BUSY_MS if patient else 0}")

    def close(self) -> None:
        """Empty the write-ahead log, if that is possible, and let go of the file."""
        if self._db is not None:
            try:
                self.checkpoint()
            except sqlite3.Error:
                pass  # the log stays, and the next owner reads it
        self.close_connection()

    def close_connection(self) -> None:
        """Let go of the file, not of the lock."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def _connect(self) -> None:
        self._db = connect(self.path)

    def _roll_back(self) -> None:
        if self._db is not None and self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _is_new(self) -> bool:
        application, version = self._pragma("application_id"), self._pragma("user_version")
        if not application and not version and not self.db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            return True
        if application != APPLICATION_ID:
            raise StoreCorrupt(f"`{self.path}` is a database, but not a ledger of remit: give another path")
        return False

    def _pragma(self, name: str) -> int:
        return int(self.db.execute(f"PRAGMA {name}").fetchone()[0])

    def _set_up(self) -> None:
        mode = self.db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(f"`{self.path}` cannot have a write-ahead log there: keep the ledger on a local disk")
        for setting in (
            "synchronous = FULL", "fullfsync = ON", "checkpoint_fullfsync = ON", "foreign_keys = OFF",
            "trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "cache_spill = OFF",
            f"cache_size = -{CACHE_KB}", f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
            f"journal_size_limit = {WAL_LIMIT_BYTES}",
        ):  # fmt: skip
            self.db.execute(f"PRAGMA {setting}")

    def _build(self, store_id: str, created_us: int) -> None:
        self._take_steps(0, "INSERT INTO meta VALUES ('store_id', ?), ('created_us', ?)", (store_id, str(created_us)))

    def _migrate(self) -> None:
        version = self._pragma("user_version")
        if version > FORMAT:
            raise StoreError(
                f"`{self.path}` was written by a newer version of remit (format {version}, this one knows {FORMAT}): "
                "upgrade remit"
            )
        if version < FORMAT:
            self._take_steps(version)

    def _take_steps(self, version: int, last: str = "", values: tuple[str, ...] = ()) -> None:
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        try:
            for step in MIGRATIONS[version:]:
                for statement in step:
                    db.execute(statement)
            if last:
                db.execute(last, values)
                db.execute("INSERT INTO head VALUES (1, 0, '', 0, 0, 0, -1, 0, 0, 0, x'')")
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {FORMAT}")
            db.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _check(self) -> None:
        """SQLite's own check of the file's structure."""
        whole = self.path.stat().st_size <= QUICK_CHECK_BYTES
        for table in ("1",) if whole else VITAL_TABLES:
            found = self.db.execute(f"PRAGMA quick_check({table})").fetchone()[0]
            if found != "ok":
                raise StoreCorrupt(f"`{self.path}` is damaged ({found.splitlines()[-1]}): restore a backup")

    def _read_head(self) -> str:
        head = self.db.execute("SELECT groups, owner FROM head").fetchone()
        store_id = self.db.execute("SELECT value FROM meta WHERE key = 'store_id'").fetchone()
        if head is None or store_id is None:
            raise StoreCorrupt(f"`{self.path}` is damaged (its head is missing): restore a backup")
        self.groups, self.store_id = head[0], store_id[0]
        owner: str = head[1]
        return owner

    def _refuse_loss(self, groups: int, store_id: str, *, accepted: bool) -> bool:
        """Compare with what earlier owners acknowledged."""
        known = self._lock.acknowledged
        if known is None or not known.groups or (known.store_id == store_id and known.groups <= groups):
            return False
        if accepted:
            return True
        was = "is not the ledger that was used here" if store_id not in ("", known.store_id) else "has lost writes"
        raise StoreCorrupt(
            f"`{self.path}` {was}: {known.groups} groups of writes were acknowledged and it has {groups} of them "
            "(was its `-wal` file deleted, or an older copy put back?): restore the newest copy, or accept the loss with `remit store accept-loss`"
        )

    def _note_places(self) -> None:
        wal = f"{self.path}-wal"
        self._places = [(place, _identity(place)) for place in (str(self.path), wal)]

    def _still_there(self) -> None:
        for place, noted in self._places:
            try:
                same = _identity(place) == noted
            except FileNotFoundError:
                same = False
            if not same:
                raise StoreUnavailable(f"`{place}` was removed or replaced while it was in use: restart on a good copy")
        if not self._lock.intact():
            raise StoreUnavailable(f"`{self._lock.path}` was removed while it was held: restart this process")


def _identity(place: str) -> tuple[int, int]:
    """Which file it is. Plain strings, since this is asked after every group of writes."""
    found = os.stat(place)  # noqa: PTH116 - a `Path` costs more than the question
    return found.st_dev, found.st_ino


def _create(path: Path) -> None:
    """Make the file, readable by its owner only, and make sure that it can be written."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except IsADirectoryError:
        raise StoreError(f"`{path}` is a directory: give the path of a file") from None
    except OSError as error:
        raise translated(error, path) from None
