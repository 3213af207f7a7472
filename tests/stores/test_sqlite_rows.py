"""Cells and holds come back from their rows as they went in, and nothing else is taken for one."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.ledger import operations as ops
from remit.core.ledger.cells.window import Account, PeriodCell, RollingCell, WindowCell
from remit.core.ledger.operations import HoldState
from remit.core.ledger.state import HoldRow
from remit.stores.sqlite_rows import MAX_PLANS_KNOWN, Plans, cell_from, cell_row, hold_from, hold_row
from tests.stores.sqlite_calls import entry

AMOUNTS = st.integers(0, ops.MAX_AMOUNT)
FIGURES = st.tuples(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
WINDOWS = st.one_of(
    st.builds(ops.Life, AMOUNTS),
    st.builds(ops.Rolling, st.integers(1, 10**15)),
    st.builds(ops.Calendar, st.builds(ops.Span, AMOUNTS, AMOUNTS), st.builds(ops.Span, AMOUNTS, AMOUNTS)),
)
ENTRIES = st.lists(st.builds(ops.HoldEntry, st.text(), WINDOWS, st.text(max_size=5), AMOUNTS, AMOUNTS), max_size=4)
VIEWS = st.builds(ops.View, AMOUNTS, st.integers(-1, 9), AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, st.booleans())
ANSWERS = st.none() | st.builds(ops.Applied, st.lists(VIEWS, max_size=3).map(tuple), AMOUNTS)


def _plain(cell: WindowCell) -> Any:
    if isinstance(cell, PeriodCell):
        return cell.frozen, {p: (a.end_us, a.used, a.held, a.over) for p, a in cell.periods.items()}
    return cell.frozen, cell.bucket_us, cell.floor, cell.total, cell.held, cell.over_total, cell.buckets


@given(st.booleans(), st.dictionaries(st.integers(-(2**53), 2**53), FIGURES, max_size=40))
def test_a_period_cell_comes_back_as_it_was(frozen: bool, periods: dict[int, tuple[int, int, int, int]]) -> None:
    cell = PeriodCell()
    cell.frozen = frozen
    for period, (end_us, used, held, over) in periods.items():
        cell.periods[period] = Account(end_us, used=used, held=held, over=over)
    key, *columns = cell_row("key", cell)
    assert key == "key"
    assert _plain(cell_from(*columns)) == _plain(cell)


@given(st.booleans(), st.integers(1, 10**12), AMOUNTS, AMOUNTS, st.dictionaries(AMOUNTS, AMOUNTS, max_size=61))
def test_a_rolling_cell_comes_back_as_it_was(
    frozen: bool, bucket_us: int, held: int, over: int, buckets: dict[int, int]
) -> None:
    cell = RollingCell(bucket_us)
    cell.frozen, cell.held, cell.over_total, cell.buckets = frozen, held, over, buckets
    cell.floor, cell.total = min(buckets, default=0), sum(buckets.values())
    _, *columns = cell_row("key", cell)
    assert _plain(cell_from(*columns)) == _plain(cell)


@given(st.sampled_from(HoldState), ENTRIES, ANSWERS, ANSWERS, st.none() | st.text(), st.data())
def test_a_hold_comes_back_as_it_was(
    state: HoldState,
    entries: list[ops.HoldEntry],
    first: ops.Applied | None,
    last: ops.Applied | None,
    begin_key: str | None,
    data: st.DataObject,
) -> None:
    column = st.lists(AMOUNTS, min_size=len(entries), max_size=len(entries))
    row = HoldRow(
        "d1", state, 5, 6, tuple(entries), data.draw(column), data.draw(column), data.draw(column),
        data.draw(st.none() | column), data.draw(st.none() | column), begin_key, {"r1": {"USD": 3}}, 7, "evidence",
        first, last,
    )  # fmt: skip
    plans = Plans()
    plan = plans.row(row.entries)
    assert plan is not None
    *columns, digest, body, id_ = hold_row(row, plan[0])
    assert hold_from((id_, *columns, body), plans.entries_of(digest, plan[1])) == row


@pytest.mark.parametrize(
    "body", [b"", b"\x00", b"\xff", b"\x91\x01", b"\x81\x01\x02", b"\xa1x", b"\x95\x01\x02\x03\x04\x80\x00"]
)
def test_a_body_that_is_no_cell_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        cell_from(0, body)


def test_entries_that_many_holds_share_are_written_once_and_remembered_within_bounds() -> None:
    plans = Plans()
    shared = (entry(10), entry(5, key="other"))
    first = plans.row(shared)
    assert first is not None
    plans.landed(first[0])
    assert plans.row(shared) is None
    assert plans.row((entry(10), entry(5, key="other"))) is None, "equal entries have one hash"
    for number in range(MAX_PLANS_KNOWN + 5):
        plans.landed(plans.hash_of((entry(number),)))
    assert plans.row(shared) == first, "what is no longer known is written again, which changes nothing"
