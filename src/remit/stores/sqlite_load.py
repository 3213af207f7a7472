"""From the file to memory: everything that decisions rest on, checked before anybody decides by it.

Cells, paces, gates and what was seen are loaded whole; holds only while they live; idempotency keys and ended holds stay
in the file and are fetched when asked for. What the cells say is held must be what the live holds add up to, and the
audit chain must end where the head says; a ledger that contradicts itself is refused, with the place named.
"""

import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec

from remit.audit.chain import Writer, genesis, link
from remit.audit.record import Refusals
from remit.audit.safe_text import clean
from remit.core.ledger.cells.window import PeriodCell
from remit.core.ledger.operations import Rung
from remit.core.ledger.state import GateRow, HoldRow, Ledger
from remit.errors import StoreCorrupt
from remit.stores.sqlite_rows import Plans, cell_from, hold_from, refusals_from
from remit.stores.sqlite_statements import Row

SELECT_HOLDS = """SELECT id, state, admitted_us, expires_us, ended_us, body, plan, entries
    FROM holds LEFT JOIN plans ON hash = plan WHERE """


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What was found. `refusals` are the counts that were still open, `time_us` the latest time ever answered."""

    ledger: Ledger
    writer: Writer
    writer_id: int
    time_us: int
    refusals: list[Refusals]


def load(db: sqlite3.Connection, path: Path, plans: Plans) -> Loaded:
    """Read the whole ledger. Raises `StoreCorrupt` if it cannot be, or contradicts itself."""
    try:
        return _load(db, path, plans)
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, ValueError, TypeError) as error:
        raise StoreCorrupt(f"`{path}` is damaged (a row cannot be read: {error}): restore a backup") from error


def _load(db: sqlite3.Connection, path: Path, plans: Plans) -> Loaded:
    time_us, last_us, moved_us, seen_floor_us, epoch, writer_id, seq, head = db.execute(
        "SELECT time_us, last_us, moved_us, seen_floor_us, epoch, writer, seq, hash FROM head"
    ).fetchone()
    ledger = Ledger(epoch=epoch, last_us=last_us, moved_us=moved_us, seen_floor_us=seen_floor_us)
    for key, frozen, body in db.execute("SELECT key, frozen, body FROM cells"):
        ledger.cells[key] = cell_from(frozen, body)
    ledger.paces.update(db.execute("SELECT key, arrival_us FROM paces"))
    ledger.seen.update(db.execute("SELECT key, not_after_us FROM seen"))
    for key, rung, *rest in db.execute("SELECT key, rung, factor_permille, until_us, version, reason FROM gates"):
        ledger.gates[key] = GateRow(Rung(rung), *rest)
    for row in db.execute(SELECT_HOLDS + "state IN ('reserved', 'dispatched') ORDER BY admitted_us, id"):
        hold = read_hold(row, plans)
        ledger.holds[hold.id] = hold
    _check_held(ledger, path)
    ledger.reindex()
    refusals = [refusals_from(body) for (body,) in db.execute("SELECT body FROM refusals_open")]
    writer = _writer(db, path, writer_id=writer_id, seq=seq, head=head)
    return Loaded(ledger=ledger, writer=writer, writer_id=writer_id, time_us=time_us, refusals=refusals)


def read_hold(row: Row, plans: Plans) -> HoldRow:
    """The hold in a row of `SELECT_HOLDS`. Raises `msgspec.DecodeError`, `KeyError` or `ValueError`."""
    *columns, digest, entries = row
    if entries is None:
        raise ValueError(f"the entries of hold {columns[0]} are missing")
    return hold_from(tuple(columns), plans.entries_of(digest, entries))


def held_by_place(ledger: Ledger) -> Counter[tuple[str, int]]:
    """What the live holds hold, by cell and period (0 in rolling windows)."""
    held: Counter[tuple[str, int]] = Counter()
    for row in ledger.holds.values():
        over = row.over or [0] * len(row.entries)
        for entry, period, amount, above in zip(row.entries, row.periods, row.amounts, over, strict=True):
            place = period if isinstance(ledger.cells.get(entry.key), PeriodCell) else 0
            held[entry.key, place] += amount - above
    return held


def _check_held(ledger: Ledger, path: Path) -> None:
    by_holds = held_by_place(ledger)
    by_cells: dict[tuple[str, int], int] = {}
    for key, cell in ledger.cells.items():
        if isinstance(cell, PeriodCell):
            by_cells.update({(key, period): account.held for period, account in cell.periods.items()})
        else:
            by_cells[key, 0] = cell.held
    for place in by_cells.keys() | by_holds.keys():
        says, sum_ = by_cells.get(place), by_holds.get(place, 0)
        if says != sum_:
            said = "is missing" if says is None else f"says that {says} is held"
            raise StoreCorrupt(
                f"`{path}` contradicts itself: cell `{clean(place[0], max_chars=256)}` {said}, its live holds add up to {sum_}: restore a backup"
            )


def _writer(db: sqlite3.Connection, path: Path, *, writer_id: int, seq: int, head: bytes) -> Writer:
    """The writer of the audit chain, where its last record stands. A new file has none yet: an empty name."""
    if not writer_id:
        return Writer("", 0, b"")
    name = db.execute("SELECT name FROM writers WHERE id = ?", (writer_id,)).fetchone()
    last = db.execute(
        "SELECT seq, body, hash FROM audit WHERE writer = ? ORDER BY seq DESC LIMIT 2", (writer_id,)
    ).fetchall()
    if name is None or (last[0][0] if last else 0) != seq:
        raise StoreCorrupt(
            f"`{path}` is damaged: its audit log should end at record {seq} and does not: restore a backup"
        )
    before = last[1][2] if len(last) > 1 else genesis(name[0])
    if last and (last[0][2] != head or link(before, last[0][1]) != head):
        raise StoreCorrupt(f"`{path}` is damaged: record {seq} of its audit log was changed: restore a backup")
    return Writer(name[0], seq, head)
