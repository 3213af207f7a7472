"""One process owns a ledger file: an operating-system lock on `<file>.lock`, which also says who holds it.

The kernel lets go of the lock when its owner dies, so a lock file that stays behind blocks nobody. The file stays on
purpose: its first line counts the groups of writes that were acknowledged, written after each of them without a sync.
It can only lag behind the database, never run ahead of it, so a database that knows fewer groups than the lock file has
lost writes that somebody was told about (its `-wal` file deleted, an older copy put back), and must not be trusted.

First line: the count in 20 digits, a space, the ledger's id in 16 characters. Second line: JSON about the owner.
"""

import fcntl
import os
import re
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from remit.audit.safe_text import clean
from remit.audit.times import utc
from remit.errors import StoreBusy, StoreError

NOBODY: Final = "-" * 16
_FIRST_LINE: Final = re.compile(rb"(\d{20}) ([0-9a-f]{16})\n")
_OWNER_AT: Final = 38
_MAX_NOTE_CHARS: Final = 160


class Acknowledged(NamedTuple):
    """So many groups of the ledger `store_id` were acknowledged by earlier owners, at least."""

    groups: int
    store_id: str


class _Owner(msgspec.Struct):
    pid: int
    since_us: int
    note: str


class OwnerLock:
    """The right to write to one ledger file, until `release` or the end of the process."""

    def __init__(self, path: Path, fd: int) -> None:
        """Made by `acquire` only."""
        self.path = path
        self._fd = fd
        self._name_of_file = str(path)
        self.acknowledged = _acknowledged(os.pread(fd, _OWNER_AT, 0))

    @classmethod
    def acquire(cls, file: Path, *, pid: int, since_us: int, note: str) -> "OwnerLock":
        """Take the lock of `file`; `note` says what the owner is. Raises `StoreBusy` naming a present owner."""
        path = file.with_name(file.name + ".lock")
        fd = _open(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _same_file(fd, str(path)):
                raise StoreBusy(f"`{path}` was replaced while it was being opened: try again")
        except BlockingIOError:
            owner = _owner(os.pread(fd, 4096, _OWNER_AT))
            os.close(fd)
            raise StoreBusy(_in_use(file, owner)) from None
        except OSError as error:
            os.close(fd)
            raise StoreError(f"`{path}` cannot be locked ({error.strerror}): keep the ledger on a local disk") from None
        except StoreBusy:
            os.close(fd)
            raise
        lock = cls(path, fd)
        lock._name(_Owner(pid, since_us, clean(note, max_chars=_MAX_NOTE_CHARS)))
        return lock

    def acknowledge(self, groups: int, store_id: str) -> None:
        """Note that group number `groups` is durable; a failure loses nothing but this note."""
        self.acknowledged = Acknowledged(groups, store_id)
        try:
            os.pwrite(self._fd, b"%020d %s\n" % (groups, store_id.encode()), 0)
        except OSError:
            return

    def intact(self) -> bool:
        """Whether the lock file is still the one that was locked; otherwise a second owner could come."""
        return _same_file(self._fd, self._name_of_file)

    def release(self) -> None:
        """Let the next owner in."""
        if self._fd >= 0:
            try:
                os.ftruncate(self._fd, _OWNER_AT)
            finally:
                os.close(self._fd)
                self._fd = -1

    def _name(self, owner: _Owner) -> None:
        if self.acknowledged is None:
            os.pwrite(self._fd, b"%020d %s\n" % (0, NOBODY.encode()), 0)
        os.ftruncate(self._fd, _OWNER_AT)
        os.pwrite(self._fd, msgspec.json.encode(owner) + b"\n", _OWNER_AT)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise StoreError(f"the directory `{path.parent}` does not exist: create it first") from None
    except NotADirectoryError:
        raise StoreError(f"`{path.parent}` is not a directory: give another path for the ledger") from None
    except OSError as error:
        raise StoreError(
            f"`{path}` cannot be written ({error.strerror}): the ledger's directory must be writable"
        ) from None


def _same_file(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))  # noqa: PTH116 - asked after every group of writes
    except OSError:
        return False


def _acknowledged(start: bytes) -> Acknowledged | None:
    found = _FIRST_LINE.fullmatch(start)
    return Acknowledged(int(found[1]), found[2].decode()) if found else None


def _owner(text: bytes) -> _Owner | None:
    try:
        return msgspec.json.decode(text, type=_Owner)
    except msgspec.DecodeError:
        return None


def _in_use(file: Path, owner: _Owner | None) -> str:
    by = f"process {owner.pid} ({owner.note}) since {utc(owner.since_us)}" if owner is not None else "another process"
    return f"`{file}` is in use by {by}; one process owns an SQLite ledger: stop that one first"
