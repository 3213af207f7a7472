"""Everything that a ledger keeps comes back after a restart, and what it needs no longer leaves memory and file."""

import asyncio
from pathlib import Path

from remit.audit.record import Admin, AdminAction
from remit.core.ledger import operations as ops
from remit.core.ledger.operations import HoldState
from remit.ports import AuditQuery
from remit.stores.sqlite import SqliteStore
from tests.stores.sqlite_calls import (
    KEY,
    MINUTE_US,
    SECOND_US,
    Hands,
    Told,
    admission,
    admitted,
    ask,
    commit,
    entry,
    figures,
    refused,
)


async def test_ended_holds_leave_memory_and_are_found_again(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    for number in range(20):
        await admitted(store, admission(f"d{number}", entry(100, 2)))
        await admitted(store, commit(f"d{number}", 1))
    await admitted(store, admission("live", entry(100)))
    assert store.health().figures["holds_in_memory"] == 1
    info = await store.hold("d7")
    assert info is not None
    assert (info.state, info.booked) == (HoldState.SETTLED, {"USD": 1})
    batch = ops.Batch("r1", (ops.Refund("d7", "r1", {"USD": 1}),), record=Told())
    await admitted(store, batch)
    assert await figures(store) == (19, 1)
    assert store.health().figures["holds_in_memory"] == 1
    assert await store.hold("never") is None
    await store.close()


async def test_holds_are_listed_by_state_oldest_first(tmp_path: Path) -> None:
    hands = Hands()
    store = await SqliteStore.open(tmp_path / "a.db", clock=hands.clock())
    for name, state in (("b", HoldState.DISPATCHED), ("a", HoldState.RESERVED), ("c", HoldState.DISPATCHED)):
        hands.pass_us(SECOND_US)
        await admitted(store, admission(name, entry(9), state=state))
    await admitted(store, commit("c"))
    live = await store.holds(states=(HoldState.RESERVED, HoldState.DISPATCHED))
    assert [hold.id for hold in live] == ["b", "a"]
    assert [hold.id for hold in await store.holds(states=list(HoldState), limit=2)] == ["b", "a"]
    assert [hold.id for hold in await store.holds(states=(HoldState.SETTLED,))] == ["c"]
    assert await store.holds(states=()) == []
    await store.close()


async def test_documents_are_kept_replaced_and_forgotten_with_their_records(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    made = Admin(action=AdminAction.KEY_CREATED, by="root", subject="k1")
    await store.put("key", "k1", b"one", record=made)
    await store.put("key", "k2", b"two")
    await store.put("key", "k1", b"three")
    await store.put("key", "k2", None)
    await store.put("session", "k1", b"other")
    await store.close()
    again = await SqliteStore.open(tmp_path / "a.db")
    assert await again.documents("key") == [("k1", b"three")]
    assert await again.documents("nothing") == []
    assert len(await again.audit(AuditQuery(ids=("k1",)))) == 1
    await again.close()


async def test_the_epoch_survives_and_makes_older_plans_stale(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await store.set_epoch(7, record=Admin(action=AdminAction.POLICY_LOADED, by="root"))
    await store.close()
    again = await SqliteStore.open(tmp_path / "a.db")
    assert again.epoch == 7
    assert isinstance(await again.apply(admission("d1", entry(1), epoch=6)), ops.Stale)
    await admitted(again, admission("d1", entry(1), epoch=7))
    await again.close()


async def test_gates_paces_proofs_and_idempotency_keys_survive(tmp_path: Path) -> None:
    hands = Hands()
    store = await SqliteStore.open(tmp_path / "a.db", clock=hands.clock())
    closing = ops.SetGate("g", ops.Rung.REVOKED, reason="stolen")
    pace = ops.Pace("p", MINUTE_US, 1)
    once = ops.Once("jti", hands.wall_us + MINUTE_US)
    await admitted(store, ops.Batch("b1", (closing, pace, once)))
    begin = ops.Begin("key", "print", 60 * MINUTE_US)
    hold = ops.Hold(HoldState.DISPATCHED, MINUTE_US, (entry(5),))
    await admitted(store, ops.Batch("d1", (begin, hold), record=Told("d1")))
    await admitted(store, commit("d1", answer=b"200 ok"))
    await store.close()
    again = await SqliteStore.open(tmp_path / "a.db", clock=hands.clock())
    assert await refused(again, ops.Batch("b2", (ops.Gate("g"), pace, once))) == [
        ops.FailureCode.CLOSED,
        ops.FailureCode.FULL,
        ops.FailureCode.REPLAYED,
    ]
    replayed = await again.apply(ops.Batch("d2", (begin, hold)))
    assert isinstance(replayed, ops.Replayed)
    assert (replayed.hold, replayed.answer) == ("d1", b"200 ok")
    other = ops.Begin("key", "another print", MINUTE_US)
    assert await refused(again, ops.Batch("d3", (other, hold))) == [ops.FailureCode.MISMATCH]
    await again.close()


async def test_a_released_idempotency_key_is_free_even_before_the_file_knows(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    begin = ops.Begin("key", "print", MINUTE_US)
    hold = ops.Hold(HoldState.DISPATCHED, MINUTE_US, (entry(5),))
    await admitted(store, ops.Batch("d1", (begin, hold)))
    release = store.apply(ops.Batch("d1/release", (ops.Release("d1", "connection refused"),)))
    outcomes = await asyncio.gather(release, store.apply(ops.Batch("d2", (begin, hold))))
    assert [type(outcome) for outcome in outcomes] == [ops.Applied, ops.Applied]
    await store.close()
    assert ask(tmp_path / "a.db", "SELECT hold FROM begun") == [("d2",)]


async def test_answered_idempotency_keys_leave_memory_and_past_ones_the_file(tmp_path: Path) -> None:
    hands = Hands()
    store = await SqliteStore.open(tmp_path / "a.db", clock=hands.clock())
    hold = ops.Hold(HoldState.DISPATCHED, MINUTE_US, (entry(500),))
    for number in range(5):
        begin = ops.Begin(f"key{number}", "print", MINUTE_US)
        await admitted(store, ops.Batch(f"d{number}", (begin, hold)))
        await admitted(store, commit(f"d{number}"))
    assert len(store._commit.pending.ledger.begun) == 0
    hands.pass_us(2 * MINUTE_US)
    await admitted(store, ops.Batch("d9", (ops.Begin("key9", "print", MINUTE_US), hold)))
    assert ask(tmp_path / "a.db", "SELECT key FROM begun") == [("key9",)]
    await store.close()


async def test_rows_that_were_only_looked_at_leave_memory_again(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    begin = ops.Begin("key", "print", MINUTE_US)
    hold = ops.Hold(HoldState.DISPATCHED, MINUTE_US, (entry(5),))
    await admitted(store, ops.Batch("d1", (begin, hold)))
    await admitted(store, commit("d1", answer=b"x"))
    assert isinstance(await store.apply(ops.Batch("d2", (begin, hold))), ops.Replayed)
    await refused(store, ops.Batch("d3", (ops.Dispatch("d1"),)))
    ledger = store._commit.pending.ledger
    assert (len(ledger.begun), len(ledger.holds)) == (1, 1)
    await admitted(store, admission("d4", entry(5)))
    assert (len(ledger.begun), set(ledger.holds)) == (0, {"d4"})
    await store.close()


async def test_idle_cells_and_paces_are_forgotten_in_the_file_too(tmp_path: Path) -> None:
    hands = Hands()
    store = await SqliteStore.open(tmp_path / "a.db", clock=hands.clock())
    rolling = ops.Rolling(MINUTE_US)
    for number in range(6):
        take = ops.Take(f"t{number}", rolling, 9)
        await admitted(store, ops.Batch(f"b{number}", (take, ops.Pace(f"p{number}", SECOND_US, 3))))
    hands.pass_us(5 * MINUTE_US)
    for number in range(6):
        await admitted(store, admission(f"d{number}", entry(100)))
    await store.close()
    assert ask(tmp_path / "a.db", "SELECT key FROM cells") == [(KEY,)]
    assert ask(tmp_path / "a.db", "SELECT key FROM paces") == []
