"""Holds that are due, and holds that are kept alive (invariants B1, B5)."""

from remit.core.ledger import operations as ops
from remit.core.ledger.operations import FailureCode, HoldState
from tests.ledger.desk import SECOND_US, TTL_US, Desk, entry, hold


# B5
def test_a_hold_that_is_kept_alive_is_not_swept() -> None:
    desk = Desk()
    desk.hold("stream", entry("c", 10, 4))
    desk.hold("dead", entry("c", 10, 4))
    for _ in range(5):
        desk.now_us += TTL_US - 1
        desk.applied(ops.Extend("stream", TTL_US))
        desk.applied(ops.Expire())
    assert desk.row("stream").state is HoldState.DISPATCHED
    assert desk.row("dead").state is HoldState.ASSUMED_SPENT


def test_a_hold_that_is_late_to_be_kept_alive_and_was_not_swept_lives_on() -> None:
    desk = Desk()
    desk.hold("stream", entry("c", 10, 4))
    desk.hold("lost", entry("c", 10, 6), state=HoldState.RESERVED)
    desk.now_us += 2 * TTL_US
    desk.applied(ops.Extend("stream", TTL_US, {"USD": 6}))
    assert desk.figures("c") == (0, 10, 0)
    assert desk.row("lost").state is HoldState.EXPIRED
    desk.now_us += TTL_US - 1
    desk.applied(ops.Expire())
    assert desk.row("stream").live


def test_a_hold_grows_only_where_every_cell_has_room() -> None:
    desk = Desk()
    desk.hold("h", entry("a", 10, 4), entry("b", 6, 4))
    before = desk.snapshot()
    assert desk.refused(ops.Extend("h", 9 * TTL_US, {"USD": 3})) == [FailureCode.FULL]
    assert desk.snapshot() == before
    desk.applied(ops.Extend("h", TTL_US, {"USD": 2}))
    assert (desk.figures("a"), desk.figures("b")) == ((0, 6, 0), (0, 6, 0))


def test_a_call_finds_the_room_of_due_holds_without_waiting_for_a_sweeper() -> None:
    desk = Desk()
    for index in range(20):
        desk.hold(f"h{index}", entry("c", 20, 1), state=HoldState.RESERVED)
    desk.now_us += TTL_US
    desk.hold("next", entry("c", 20, 8))
    assert sum(not row.live for row in desk.ledger.holds.values()) == 8
    assert desk.figures("c") == (0, 20, 0)


def test_a_batch_sweeps_eight_holds_in_all_however_many_cells_it_touches() -> None:
    desk = Desk()
    for key in ("a", "b"):
        for index in range(6):
            desk.hold(f"{key}{index}", entry(key, 9, 1), state=HoldState.RESERVED)
    desk.now_us += TTL_US
    desk.hold("next", entry("a", 9, 0), entry("b", 9, 0))
    ended = [row.id for row in desk.ledger.holds.values() if row.state is HoldState.EXPIRED]
    assert ended == ["a0", "a1", "a2", "a3", "a4", "a5", "b0", "b1"]


def test_a_sweep_ends_as_many_due_holds_as_it_is_told_the_earliest_first() -> None:
    desk = Desk()
    for index in range(6):
        desk.applied(hold(entry(f"c{index}", 9, 1), ttl_us=(6 - index) * SECOND_US), id_=f"h{index}")
    desk.now_us += 4 * SECOND_US
    desk.applied(ops.Expire(3))
    assert [row.id for row in desk.ledger.holds.values() if not row.live] == ["h3", "h4", "h5"]
    desk.applied(ops.Expire(3))
    assert [row.id for row in desk.ledger.holds.values() if not row.live] == ["h2", "h3", "h4", "h5"]
