"""What was acknowledged is in the file, all of it and nothing else, whoever waits and whoever gives up waiting."""

import asyncio
import stat
from pathlib import Path

import pytest

from remit.core.ledger import operations as ops
from remit.errors import StoreUnavailable
from remit.ports import AuditQuery
from remit.stores import sqlite_commit
from remit.stores.sqlite import SqliteStore
from tests.stores.sqlite_calls import (
    Ids,
    admission,
    admitted,
    ask,
    commit,
    crash_copy,
    entry,
    figures,
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


async def test_every_commit_is_synchronous_and_the_log_is_written_ahead(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    asked = {name: store._file.db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    assert asked == {"journal_mode": "wal", "synchronous": 2}
    await store.close()


async def test_an_idle_ledger_empties_its_write_ahead_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_commit, "WATCH_S", 0.001)
    monkeypatch.setattr(sqlite_commit, "IDLE_S", 0.002)
    store = await SqliteStore.open(tmp_path / "a.db")
    tidied = asyncio.Event()
    loop, real = asyncio.get_running_loop(), store._file.checkpoint

    def checkpoint() -> None:
        real()
        loop.call_soon_threadsafe(tidied.set)

    monkeypatch.setattr(store._file, "checkpoint", checkpoint)
    await admitted(store, admission("d1", entry(100)))
    await tidied.wait()
    assert _size(tmp_path / "a.db-wal") == 0
    await admitted(store, admission("d2", entry(100)))
    copy = crash_copy(tmp_path / "a.db", tmp_path / "copy")
    await store.close()
    assert ask(copy, "SELECT count(*) FROM holds") == [(2,)]


def _size(path: Path) -> int:
    return path.stat().st_size


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
        sizes.append(_size(tmp_path / "a.db-wal"))
    assert max(sizes) < 100 * 4096 + 100_000
    await store.close()


async def test_more_callers_than_the_bound_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_commit, "MAX_WAITING", 3)
    store = await SqliteStore.open(tmp_path / "a.db")
    calls = (store.apply(admission(f"d{n}", entry(10))) for n in range(5))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ops.Applied] * 3 + [StoreUnavailable] * 2
    assert await figures(store) == (0, 3)
    await store.close()
