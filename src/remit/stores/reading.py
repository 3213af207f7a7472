"""Answers about holds, cells and the audit log, the same from every embedded store."""

from collections.abc import Iterable

import msgspec

from remit.core.ledger.cells.window import PeriodCell
from remit.core.ledger.state import HoldRow, Ledger
from remit.ports import AuditEntry, AuditQuery, CellInfo, HoldInfo


def hold_info(row: HoldRow) -> HoldInfo:
    """A hold as people see it."""
    return HoldInfo(
        id=row.id,
        state=row.state,
        admitted_us=row.admitted_us,
        expires_us=row.expires_us,
        ended_us=row.ended_us,
        amounts=row.per_unit(row.amounts),
        booked=row.per_unit(row.booked) if row.booked is not None else {},
        over=row.per_unit(row.over) if row.over is not None else {},
        cells=tuple(entry.key for entry in row.entries),
        evidence=row.evidence,
    )


def cell_infos(ledger: Ledger, prefix: str, limit: int, now_us: int) -> list[CellInfo]:
    """Window cells whose key starts with `prefix`, by key: what is in them in the period that is current now."""
    found = []
    for key in sorted(k for k in ledger.cells if k.startswith(prefix))[:limit]:
        cell = ledger.cells[key]
        periods = cell.periods if isinstance(cell, PeriodCell) else {}
        period = max(periods, default=0)
        used, held = cell.figures(period, now_us - ledger.moved_us)
        over = cell.over(period)
        if period in periods and periods[period].end_us <= now_us:  # nothing was called since that period ended
            used, over = 0, 0
        found.append(CellInfo(key=key, used=used, held=held, over=over, frozen=cell.frozen))
    return found


def mentions(body: bytes, ids: tuple[str, ...]) -> bool:
    """Whether an encoded record speaks of one of `ids`, or counts refusals among which one of them lies."""
    record = msgspec.json.decode(body)["body"]
    if record.get("kind") == "refusals":
        return any(record["first_decision"] <= id_ <= record["last_decision"] for id_ in ids)
    return any(record.get(member) in ids for member in ("id", "hold", "decision", "subject"))


def select(entries: Iterable[AuditEntry], query: AuditQuery) -> list[AuditEntry]:
    """The entries that fit a query, in order."""
    found = [
        entry
        for entry in entries
        if entry.seq > query.after
        and (query.writer is None or entry.writer == query.writer)
        and (not query.ids or mentions(entry.body, query.ids))
    ]
    return found[-query.limit :] if query.newest else found[: query.limit]
