"""Questions to the file, on a connection of their own: single rows by key for the interpreter, lists for people.

A read sees what is durable. Lists are bounded; nothing here changes anything.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from remit.core.ledger.operations import HoldState
from remit.core.ledger.state import BegunRow, HoldRow
from remit.errors import StoreCorrupt
from remit.ports import AuditEntry, AuditQuery, HoldInfo
from remit.stores.reading import hold_info
from remit.stores.sqlite_errors import translated
from remit.stores.sqlite_file import connect
from remit.stores.sqlite_load import SELECT_HOLDS, read_hold
from remit.stores.sqlite_rows import Plans

MAX_ROWS: Final = 10_000
"""No answer is longer, whatever limit was asked for."""

PATIENCE_MS: Final = 100
"""Readers and the writer do not wait for each other; other programs may be in the way, but not for long."""

SELECT_AUDIT: Final = """SELECT name, seq, time_us, body, hash FROM audit JOIN writers ON writers.id = writer
    WHERE seq > :after AND (:writer IS NULL OR name = :writer)"""
MENTIONING: Final = """audit.rowid IN (
    SELECT rowid FROM audit WHERE until IS NULL AND mention = :id
    UNION SELECT rowid FROM audit WHERE also IS NOT NULL AND also = :id
    UNION SELECT number FROM (
        SELECT rowid AS number, until AS last FROM audit WHERE until IS NOT NULL AND mention <= :id
        ORDER BY mention DESC LIMIT 10000) WHERE last >= :id)"""
"""Ids sort by time and a count of refusals spans a second, so that one with `:id` in it is among the last before it."""


class Reader:
    """Reads the ledger at `path`. Raises `StoreUnavailable` or `StoreCorrupt`; used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Connects when it is first asked something."""
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._plans = Plans()

    def close(self) -> None:
        """Let go of the file; the next question connects again."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def hold(self, id: str, plans: Plans, found: Callable[[HoldRow], HoldRow]) -> HoldRow | None:
        """The hold with that id, after `found` has taken note of it."""
        rows = self._rows(SELECT_HOLDS + "id = ?", (id,))
        return found(self._read(rows[0], plans)) if rows else None

    def begun(self, key: str) -> BegunRow | None:
        """What is known of an idempotency key."""
        rows = self._rows("SELECT fingerprint, hold, expires_us, answer FROM begun WHERE key = ?", (key,))
        return BegunRow(*rows[0]) if rows else None

    def hold_info(self, id: str) -> HoldInfo | None:
        """The hold with that id, for people."""
        rows = self._rows(SELECT_HOLDS + "id = ?", (id,))
        return hold_info(self._read(rows[0], self._plans)) if rows else None

    def holds(self, states: Sequence[HoldState], limit: int) -> list[HoldInfo]:
        """Holds in those states, oldest first."""
        found: list[HoldInfo] = []
        for state in frozenset(states):
            sql = SELECT_HOLDS + "state = ? ORDER BY admitted_us LIMIT ?"
            found += [
                hold_info(self._read(row, self._plans)) for row in self._rows(sql, (state.value, _bounded(limit)))
            ]
        return sorted(found, key=lambda hold: hold.admitted_us)[: _bounded(limit)]

    def audit(self, query: AuditQuery) -> list[AuditEntry]:
        """Records that fit the query, by writer and number."""
        if not query.ids:
            return self._audit(query)
        found = {(entry.writer, entry.seq): entry for id_ in query.ids for entry in self._audit(query, mentioning=id_)}
        entries = [found[place] for place in sorted(found)]
        return entries[-query.limit :] if query.newest else entries[: query.limit]

    def heads(self) -> list[tuple[str, int, bytes]]:
        """`(writer, seq, hash)` of the last record of every writer."""
        return self._rows(
            "SELECT name, seq, hash FROM writers JOIN audit ON writer = id"
            " WHERE seq = (SELECT max(seq) FROM audit WHERE writer = id) ORDER BY name",
            (),
        )

    def documents(self, kind: str) -> list[tuple[str, bytes]]:
        """All documents of a kind, by id."""
        return self._rows("SELECT id, body FROM documents WHERE kind = ? ORDER BY id", (kind,))

    def checkpoints(self, limit: int) -> list[str]:
        """The newest checkpoints, oldest first."""
        rows = self._rows("SELECT line FROM checkpoints ORDER BY id DESC LIMIT ?", (_bounded(limit),))
        return [line for (line,) in reversed(rows)]

    def _audit(self, query: AuditQuery, *, mentioning: str | None = None) -> list[AuditEntry]:
        order = "DESC" if query.newest else "ASC"
        mentioned = f" AND {MENTIONING}" if mentioning is not None else ""
        sql = f"{SELECT_AUDIT}{mentioned} ORDER BY name {order}, seq {order} LIMIT :limit"
        values = {"id": mentioning, "after": query.after, "writer": query.writer, "limit": _bounded(query.limit)}
        rows = self._rows(sql, values)
        entries = [AuditEntry(writer=w, seq=s, time_us=t, body=body, hash=hash_) for w, s, t, body, hash_ in rows]
        return entries[::-1] if query.newest else entries

    def _read(self, row: tuple[Any, ...], plans: Plans) -> HoldRow:
        try:
            return read_hold(row, plans)
        except (msgspec.DecodeError, KeyError, ValueError) as error:
            raise StoreCorrupt(
                f"`{self._path}` is damaged (hold `{row[0]}` cannot be read): restore a backup"
            ) from error

    def _rows(self, sql: str, values: tuple[Any, ...] | dict[str, Any]) -> list[Any]:
        try:
            if self._db is None:
                self._db = connect(self._path)
                self._db.execute("PRAGMA query_only = ON")
                self._db.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
            return self._db.execute(sql, values).fetchall()
        except (sqlite3.Error, OSError) as error:
            raise translated(error, self._path) from error


def _bounded(limit: int) -> int:
    return max(0, min(limit, MAX_ROWS))
