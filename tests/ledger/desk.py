"""A ledger on a desk: a clock that the test moves by hand, short ways to write batches, and snapshots to compare.

`snapshot` is everything that decides anything, in plain values, looked at from one moment: buckets that have left their
window are swept out first, indexes that only say where to look are left out.
"""

from itertools import count
from typing import Any

import msgspec

from remit.core.ledger import operations as ops
from remit.core.ledger.cells.window import PeriodCell
from remit.core.ledger.interpreter import apply
from remit.core.ledger.operations import HoldState
from remit.core.ledger.state import HoldRow, Ledger

T0_US = 1_800_000_000_000_000
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
TTL_US = 30 * SECOND_US


def periods(now_us: int, *, every_us: int) -> ops.Calendar:
    """The calendar period that holds `now_us` and the next one, for periods of one length."""
    start_us = now_us - now_us % every_us
    middle_us = start_us + every_us
    return ops.Calendar(ops.Span(start_us, middle_us), ops.Span(middle_us, middle_us + every_us))


def entry(key: str, most: int, amount: int = 1, **more: Any) -> ops.HoldEntry:
    """An entry over a life, counted in `USD` unless told otherwise."""
    fields = {"window": ops.Life(), "unit": "USD", **more}
    return ops.HoldEntry(key=key, amount=amount, max=most, **fields)


def hold(*entries: ops.HoldEntry, state: HoldState = HoldState.DISPATCHED, ttl_us: int = TTL_US) -> ops.Hold:
    """A hold of these entries, dispatched at once."""
    return ops.Hold(state, ttl_us, entries)


class Desk:
    """One ledger and its time."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.now_us = T0_US
        self._ids = count()

    def send(self, *admit: ops.Operation, id_: str | None = None, **more: Any) -> ops.Outcome:
        """Apply one batch now."""
        name = id_ if id_ is not None else f"b{next(self._ids)}"
        if "valid_until_us" not in more:
            more["valid_from_us"], more["valid_until_us"] = ops.validity(*admit)
        return apply(self.ledger, ops.Batch(name, admit, **more), self.now_us)

    def applied(self, *admit: ops.Operation, id_: str | None = None, **more: Any) -> ops.Applied:
        """Apply one batch that must be admitted."""
        outcome = self.send(*admit, id_=id_, **more)
        assert isinstance(outcome, ops.Applied), outcome
        return outcome

    def refused(self, *admit: ops.Operation, id_: str | None = None, **more: Any) -> list[ops.FailureCode]:
        """Apply one batch that must be refused, and answer why."""
        outcome = self.send(*admit, id_=id_, **more)
        assert isinstance(outcome, ops.Refused), outcome
        return [failure.code for failure in outcome.failures]

    def hold(self, id_: str, *entries: ops.HoldEntry, state: HoldState = HoldState.DISPATCHED) -> ops.Applied:
        """Admit a hold under that id."""
        return self.applied(hold(*entries, state=state), id_=id_)

    def row(self, id_: str) -> HoldRow:
        """The hold with that id."""
        row = self.ledger.holds.get(id_)
        assert row is not None
        return row

    def figures(self, key: str, period: int = 0) -> tuple[int, int, int]:
        """`(used, held, over)` of a cell."""
        cell = self.ledger.cells.get(key)
        if cell is None:
            return 0, 0, 0
        used, held = cell.figures(period, self.ledger.steady_us(self.now_us))
        return used, held, cell.over(period)

    def snapshot(self) -> dict[str, Any]:
        """The whole state, now."""
        return snapshot(self.ledger, self.now_us)


def snapshot(ledger: Ledger, now_us: int) -> dict[str, Any]:
    """Everything that decides anything, as plain values."""
    steady_us = ledger.steady_us(now_us)
    cells: dict[str, Any] = {}
    for key, cell in ledger.cells.items():
        cell.taken(0, steady_us)
        if isinstance(cell, PeriodCell):
            inside: Any = {p: (a.used, a.held, a.over, a.end_us) for p, a in cell.periods.items()}
        else:
            inside = (dict(cell.buckets), cell.total, cell.held, cell.over_total, cell.floor)
        cells[key] = (inside, cell.frozen, dict(cell.live))
    return {
        "cells": cells,
        "paces": dict(ledger.paces),
        "gates": {key: msgspec.to_builtins(gate) for key, gate in ledger.gates.items()},
        "seen": dict(ledger.seen),
        "begun": {key: msgspec.to_builtins(row) for key, row in ledger.begun.items()},
        "holds": {key: msgspec.to_builtins(row) for key, row in ledger.holds.items()},
        "live": dict(ledger.live.live),
        "epoch": ledger.epoch,
        "torn": ledger.torn,
    }
