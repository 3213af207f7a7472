"""What SQLite and the system say, in our words: the one place where their exceptions become ours."""

import sqlite3
from pathlib import Path

from remit.errors import StoreCorrupt, StoreError, StoreUnavailable

SAYS = {
    sqlite3.SQLITE_FULL: "the disk (or the quota) is full: make room",
    sqlite3.SQLITE_READONLY: "it is read-only: check the permissions and how its disk is mounted",
    sqlite3.SQLITE_PERM: "access was denied: check its permissions",
    sqlite3.SQLITE_AUTH: "access was denied: check its permissions",
    sqlite3.SQLITE_BUSY: "another program has locked it: close that program",
    sqlite3.SQLITE_LOCKED: "another program has locked it: close that program",
    sqlite3.SQLITE_PROTOCOL: "another program has locked it: close that program",
    sqlite3.SQLITE_IOERR: "the disk did not read or write it: look at the system's log",
    sqlite3.SQLITE_CANTOPEN: "it, or a file beside it, cannot be opened: check that it exists and may be written",
    sqlite3.SQLITE_NOMEM: "there is not enough memory",
    sqlite3.SQLITE_CONSTRAINT: "it already has a row that was to be new; please report this",
}
"""Primary result codes (https://sqlite.org/rescode.html) that an operator can do something about."""

DAMAGED = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_MISMATCH,
    }
)
"""Codes that mean damage. A plain error is among them: our statements are right, so the tables must be wrong."""


def primary_code(error: BaseException) -> int:
    """SQLite's primary result code; 0 for exceptions that do not come from SQLite itself."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF if isinstance(code, int) else 0


def translated(error: BaseException, path: Path) -> StoreError:
    """The error of ours that says what `error` means for the ledger at `path`."""
    if isinstance(error, StoreError):
        return type(error)(*error.args)
    code = primary_code(error)
    if code in DAMAGED:
        return StoreCorrupt(f"`{path}` is damaged or not a ledger of remit ({error}): restore a backup")
    if code in SAYS:
        return StoreUnavailable(f"`{path}` cannot be used: {SAYS[code]}")
    if isinstance(error, OSError):
        return StoreUnavailable(f"`{path}` cannot be used: {(error.strerror or str(error)).lower()}")
    return StoreUnavailable(f"`{path}` cannot be used: {error}")
