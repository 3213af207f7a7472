"""What was acknowledged is in the file, all of it and nothing else, whoever waits and whoever gives up waiting."""

import asyncio
import stat
from pathlib import Path

import pytest

from remit.audit.record import Admin, AdminAction
from remit.core.ledger import operations as ops
from remit.core.ledger.operations import HoldState
from remit.errors import StoreUnavailable
from remit.ports import AuditQuery
from remit.stores.sqlite import SqliteStore
from tests.stores.sqlite_calls import (
    KEY,
    MINUTE_US,
    SECOND_US,
    Hands,
    Ids,
    Told,
    admission,
    admitted,
    ask,
    commit,
    crash_copy,
    entry,
    figures,
    log_of,
    refused,
    verified,
)


async def test_an_acknowledged_hold_is_in_the_file_before_its_answer_leaves(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d1", entry(10, 3)))
    copy = crash_copy(tmp_path / "a.db", tmp_path / "copy")
    await store.close()
    assert ask(copy, "SELECT id, state FROM holds") == [("d1", "dispatched")]
    assert ask(copy, "SELECT count(*) FROM audit WHERE mention = 'd1'") == [(1,)]


async def test_a_ledger_goes_on_where_it_was_closed(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d1", entry(10, 7)))
    await admitted(store, commit("d1", 5))
    first_id = store.store_id
    await store.close()
    again = await SqliteStore.open(tmp_path / "a.db")
    assert again.store_id == first_id
    assert await figures(again) == (5, 0)
    assert await refused(again, admission("d2", entry(10, 6))) == [ops.FailureCode.FULL]
    await admitted(again, admission("d3", entry(10, 5)))
    await verified(again)
    await again.close()


async def test_64_callers_at_once_fill_a_cap_exactly(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    next_id = Ids()
    wins: list[str] = []

    async def caller() -> None:
        for _ in range(6):
            id_ = next_id()
            if isinstance(await store.apply(admission(id_, entry(100))), ops.Applied):
                wins.append(id_)
                await admitted(store, commit(id_))

    await asyncio.gather(*(caller() for _ in range(64)))
    assert len(wins) == 100
    assert await figures(store) == (100, 0)
    assert store.health().figures["groups"] < 100, "many calls share one transaction"
    await store.close()
    assert ask(tmp_path / "a.db", "SELECT count(*) FROM holds WHERE state = 'settled'") == [(100,)]


async def test_a_cancelled_waiter_changes_nothing_for_its_batch_or_for_others(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    tasks = [asyncio.create_task(store.apply(admission(f"d{n}", entry(10)))) for n in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ops.Applied, asyncio.CancelledError, ops.Applied]
    assert await figures(store) == (0, 3)
    copy = crash_copy(tmp_path / "a.db", tmp_path / "copy")
    await store.close()
    assert ask(copy, "SELECT id FROM holds ORDER BY id") == [("d0",), ("d1",), ("d2",)]


async def test_a_repeated_batch_is_answered_as_before_and_recorded_once(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    first = await admitted(store, admission("d1", entry(10, 4)))
    assert await store.apply(admission("d1", entry(10, 4))) == first
    await admitted(store, commit("d1"))
    await store.close()
    again = await SqliteStore.open(tmp_path / "a.db")
    assert await again.apply(admission("d1", entry(10, 4), retry=True)) == first
    assert await figures(again) == (4, 0)
    assert [record.seq for record in await again.audit(AuditQuery(ids=("d1",)))] == [1, 2]
    await again.close()


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


async def test_refusals_are_counted_together_and_no_count_is_lost(tmp_path: Path) -> None:
    hands = Hands()
    store = await SqliteStore.open(tmp_path / "a.db", clock=hands.clock())
    for number in range(35):
        assert await refused(store, admission(f"d{number:02}", entry(0)))
    copy = crash_copy(tmp_path / "a.db", tmp_path / "copy")
    after_crash = await SqliteStore.open(copy, clock=hands.clock())
    log = await log_of(after_crash)
    assert [b'"kind":"refusals"' in record.body for record in log] == [False] * 10 + [True]
    assert b'"count":25' in log[-1].body
    await verified(after_crash)
    await after_crash.close()
    hands.pass_us(SECOND_US)
    await refused(store, admission("e1", entry(0)))
    found = await store.audit(AuditQuery(ids=("d30",)))
    assert len(found) == 1
    assert b'"last_decision":"d34"' in found[0].body
    assert await store.audit(AuditQuery(ids=("d99",))) == []
    await store.close()
    assert ask(tmp_path / "a.db", "SELECT count(*) FROM refusals_open") == [(0,)]


async def test_the_audit_log_is_read_by_writer_range_newest_and_id(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    for number in range(1, 9):
        await admitted(store, admission(f"d{number}", entry(100)))
    writer = (await store.heads())[0][0]
    assert [entry_.seq for entry_ in await store.audit(AuditQuery(after=2, limit=3))] == [3, 4, 5]
    assert [entry_.seq for entry_ in await store.audit(AuditQuery(limit=3, newest=True))] == [6, 7, 8]
    assert [entry_.seq for entry_ in await store.audit(AuditQuery(ids=("d7", "d2", "d7")))] == [2, 7]
    assert [entry_.seq for entry_ in await store.audit(AuditQuery(ids=("d7", "d2"), limit=1, newest=True))] == [7]
    assert len(await store.audit(AuditQuery(writer=writer))) == 8
    assert await store.audit(AuditQuery(writer="somebody else")) == []
    await store.close()


async def test_checkpoints_and_heads_are_kept_and_fit_the_log(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    assert await store.heads() == []
    await admitted(store, admission("d1", entry(100)))
    (head,) = await store.heads()
    assert head[1:] == (1, (await log_of(store))[0].hash)
    for number in range(3):
        await store.keep_checkpoint(f"line {number}", store.now_us())
    assert await store.checkpoints(limit=2) == ["line 1", "line 2"]
    await store.close()
    again = await SqliteStore.open(tmp_path / "a.db")
    assert await again.checkpoints() == ["line 0", "line 1", "line 2"]
    await again.close()


async def test_a_batch_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d1", entry(100)))
    before = store.health().figures["groups"]
    await admitted(store, ops.Batch("sweep", (ops.Expire(100),)))
    assert store.health().figures["groups"] == before
    await store.close()


async def test_many_batches_of_one_group_write_a_hot_cell_once(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d0", entry(1000)))
    await asyncio.gather(*(store.apply(admission(f"d{n}", entry(1000))) for n in range(1, 50)))
    assert store.health().figures["groups"] == 2
    await store.close()


async def test_closing_twice_is_harmless_and_a_closed_store_says_so(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    waiting = asyncio.create_task(store.apply(admission("d1", entry(1))))
    await asyncio.sleep(0)
    await store.close()
    await store.close()
    assert isinstance(await waiting, ops.Applied)
    with pytest.raises(StoreUnavailable, match="is closed"):
        await store.apply(admission("d2", entry(1)))
    assert not store.health().ok
    assert not (tmp_path / "a.db-wal").exists()


async def test_the_file_and_its_lock_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d1", entry(1)))
    modes = _modes(tmp_path)
    assert set(modes) == {"a.db", "a.db-wal", "a.db-shm", "a.db.lock"}
    assert set(modes.values()) == {0o600}
    await store.close()


def _modes(directory: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


async def test_the_write_ahead_log_stays_small_under_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remit.stores.sqlite_file.CHECKPOINT_PAGES", 50)
    store = await SqliteStore.open(tmp_path / "a.db")
    sizes = []
    for number in range(120):
        await admitted(store, admission(f"d{number}", entry(1000)))
        sizes.append((tmp_path / "a.db-wal").stat().st_size)
    assert max(sizes) < 100 * 4096 + 100_000
    await store.close()
