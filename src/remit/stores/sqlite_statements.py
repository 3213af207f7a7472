"""The statements that write, each for many rows at once.

Every step of SQLite gives up Python's interpreter lock and has to win it back, for which a thread that computes makes
it wait five milliseconds. A group therefore takes as few steps as it can: rows go in by 64, 32, 16 … at a time, in
sizes that are powers of two so that there are few texts to prepare (measured beside a computing thread: 64 calls in
0.1 s instead of 3 s; with nobody in the way there is no difference).
"""

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

Row = tuple[Any, ...]

MOST_ROWS: Final = 64


@dataclass(frozen=True, slots=True)
class Statement:
    """One way to write. `texts[n]` does it for 2^n rows; `exact`: it must change exactly one row for each row given."""

    texts: tuple[str, ...]
    exact: bool = False

    def run(self, db: sqlite3.Connection, rows: list[Row]) -> int:
        """Carry it out for all rows; answers how many rows of the table changed."""
        changed = done = 0
        while done < len(rows):
            power = min(len(rows) - done, 1 << (len(self.texts) - 1)).bit_length() - 1
            some = rows[done : done + (1 << power)]
            values = some[0] if power == 0 else [value for row in some for value in row]
            changed += db.execute(self.texts[power], values).rowcount
            done += 1 << power
        return changed


def _each(text: str, *, width: int, exact: bool = False) -> Statement:
    """`text` with a list of rows, `width` values each, where it says `ROWS`."""
    row = f"({', '.join('?' * width)})"
    sizes = [1 << power for power in range(MOST_ROWS.bit_length())]
    return Statement(tuple(text.replace("ROWS", ", ".join([row] * size)) for size in sizes), exact)


def _alone(text: str) -> Statement:
    return Statement((text,))


INSERT_HOLD: Final = _each(
    "INSERT INTO holds (state, admitted_us, expires_us, ended_us, plan, body, id) VALUES ROWS", width=7, exact=True
)
UPDATE_HOLD: Final = _each(
    """UPDATE holds SET state = new.column1, admitted_us = new.column2, expires_us = new.column3,
        ended_us = new.column4, plan = new.column5, body = new.column6
    FROM (VALUES ROWS) AS new WHERE holds.id = new.column7""",
    width=7,
    exact=True,
)
INSERT_AUDIT: Final = _each(
    "INSERT INTO audit (writer, seq, time_us, mention, also, until, body, hash) VALUES ROWS", width=8, exact=True
)
PUT_PLAN: Final = _each("INSERT OR IGNORE INTO plans (hash, entries) VALUES ROWS", width=2)
PUT_CELL: Final = _each("INSERT OR REPLACE INTO cells (key, frozen, body) VALUES ROWS", width=3)
PUT_PACE: Final = _each("INSERT OR REPLACE INTO paces (key, arrival_us) VALUES ROWS", width=2)
PUT_GATE: Final = _each(
    "INSERT OR REPLACE INTO gates (key, rung, factor_permille, until_us, version, reason) VALUES ROWS", width=6
)
PUT_SEEN: Final = _each("INSERT OR REPLACE INTO seen (key, not_after_us) VALUES ROWS", width=2)
PUT_BEGUN: Final = _each(
    "INSERT OR REPLACE INTO begun (key, fingerprint, hold, expires_us, answer) VALUES ROWS", width=5
)
PUT_DOCUMENT: Final = _each("INSERT OR REPLACE INTO documents (kind, id, body) VALUES ROWS", width=3)
PUT_REFUSALS: Final = _each("INSERT OR REPLACE INTO refusals_open (caller, reason, limited, body) VALUES ROWS", width=4)
PUT_CHECKPOINT: Final = _each("INSERT INTO checkpoints (time_us, line) VALUES ROWS", width=2)
PUT_WRITER: Final = _each("INSERT INTO writers (id, name) VALUES ROWS", width=2)
DROP_CELL: Final = _each("DELETE FROM cells WHERE key IN (VALUES ROWS)", width=1)
DROP_PACE: Final = _each("DELETE FROM paces WHERE key IN (VALUES ROWS)", width=1)
DROP_GATE: Final = _each("DELETE FROM gates WHERE key IN (VALUES ROWS)", width=1)
DROP_SEEN: Final = _each("DELETE FROM seen WHERE key IN (VALUES ROWS)", width=1)
DROP_BEGUN: Final = _each("DELETE FROM begun WHERE key IN (VALUES ROWS)", width=1)
DROP_DOCUMENT: Final = _alone("DELETE FROM documents WHERE kind = ? AND id = ?")
DROP_REFUSALS: Final = _alone("DELETE FROM refusals_open")
SWEEP_BEGUN: Final = _alone(
    """DELETE FROM begun WHERE key IN
    (SELECT key FROM begun WHERE answer IS NOT NULL AND expires_us <= ? LIMIT ?)"""
)
ADVANCE: Final = """UPDATE head SET groups = groups + 1, time_us = ?, last_us = ?, moved_us = ?, seen_floor_us = ?,
    epoch = ?, writer = ?, seq = ?, hash = ? WHERE owner = ? AND groups = ?"""
"""Every group begins with it, and only the owner who knows the last group's number can carry it out."""
