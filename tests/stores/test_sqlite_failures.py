"""A disk that says no: everybody who waits is told, nothing of it stays in memory, and the ledger comes back."""

import asyncio
import errno
import os
import random
import resource
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from remit.core.ledger import operations as ops
from remit.core.ledger.operations import HoldState
from remit.errors import InvariantBroken, StoreError, StoreUnavailable
from remit.stores import sqlite_commit, sqlite_file
from remit.stores.sqlite import SqliteStore
from remit.stores.sqlite_changes import Changes
from tests.stores.sqlite_calls import (
    DAY_US,
    KEY,
    Hands,
    Ids,
    Told,
    admission,
    admitted,
    ask,
    commit,
    edit,
    entry,
    figures,
    rebuilt,
    refused,
    verified,
)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits are real ones; here they are milliseconds."""
    monkeypatch.setattr(sqlite_commit, "FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(sqlite_commit, "LAST_RETRY_S", 0.004)
    monkeypatch.setattr(sqlite_commit, "LOCKED_RETRY_S", 0.001)
    monkeypatch.setattr(sqlite_commit, "LOCKED_RETRIES", 3)
    monkeypatch.setattr(sqlite_file, "BUSY_MS", 1)


async def _outcomes(store: SqliteStore, *batches: ops.Batch) -> list[object]:
    return list(await asyncio.gather(*(store.apply(batch) for batch in batches), return_exceptions=True))


@contextmanager
def _files_no_larger_than(limit_bytes: int) -> Iterator[None]:
    """A full disk, as far as this process is concerned: writing past the limit fails (Python ignores SIGXFSZ)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_refuses_everybody_and_leaves_nothing_in_memory(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d1", entry(10, 4)))
    with _files_no_larger_than(os.stat(f"{store._file.path}-wal").st_size):  # noqa: PTH116 - a test may block
        outcomes = await _outcomes(store, admission("d2", entry(10, 4)), commit("d1", 1))
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable, StoreUnavailable]
        with pytest.raises(StoreUnavailable, match="cannot be used"):
            await store.apply(admission("d3", entry(10, 4)))
        health = store.health()
        assert not health.ok
        assert "cannot be used" in health.detail
    await rebuilt(store)
    assert store.health().ok
    assert await figures(store) == (0, 4)
    await admitted(store, commit("d1", 1))
    await verified(store)
    await store.close()
    assert ask(tmp_path / "a.db", "SELECT id, state FROM holds") == [("d1", "settled")]


async def test_a_quota_inside_the_database_fails_a_whole_group_at_once(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d0", entry(10**6)))
    pages = store._file.db.execute("PRAGMA page_count").fetchone()[0]
    store._file.db.execute(f"PRAGMA max_page_count = {pages}")
    outcomes = await _outcomes(store, *(admission(f"d{n}", entry(10**6)) for n in range(1, 200)))
    assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
    assert "disk (or the quota) is full" in str(outcomes[0])
    await rebuilt(store)
    assert await figures(store) == (0, 1)
    await store.close()


async def test_a_database_that_became_read_only_answers_so_until_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    real = sqlite_file.LedgerFile._set_up

    def read_only(file: sqlite_file.LedgerFile) -> None:
        real(file)
        file.db.execute("PRAGMA query_only = ON")

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_file.LedgerFile, "_set_up", read_only)
        store._file.db.execute("PRAGMA query_only = ON")
        assert isinstance((await _outcomes(store, admission("d1", entry(1))))[0], StoreUnavailable)
        for _ in range(20):
            await asyncio.sleep(0)
            with pytest.raises(StoreUnavailable, match="read-only"):
                await store.apply(admission("d1", entry(1)))
    await rebuilt(store)
    await admitted(store, admission("d1", entry(1)))
    await store.close()


async def test_attempts_to_come_back_are_made_at_growing_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    waits: list[float] = []
    real_sleep = asyncio.sleep

    async def sleep(delay_s: float) -> None:
        waits.append(delay_s)
        await real_sleep(0)

    tries = iter([OSError(errno.EIO, "Input/output error")] * 5)
    real = store._file.reopen

    def reopen() -> None:
        error = next(tries, None)
        if error is not None:
            raise error
        real()

    monkeypatch.setattr(store._file, "reopen", reopen)
    monkeypatch.setattr(sqlite_commit, "FIRST_RETRY_S", 0.1)
    monkeypatch.setattr(sqlite_commit, "LAST_RETRY_S", 0.5)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    store._file.db.execute("PRAGMA query_only = ON")
    await _outcomes(store, admission("d1", entry(1)))
    await rebuilt(store)
    assert waits == [0.1, 0.2, 0.4, 0.5, 0.5]
    await store.close()


async def test_a_database_that_another_program_locks_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    task = asyncio.create_task(store.apply(admission("d1", entry(1))))
    await asyncio.sleep(0)
    other.execute("ROLLBACK")
    assert isinstance(await task, ops.Applied)
    other.close()
    await store.close()


async def test_a_database_that_another_program_keeps_locked_is_unavailable(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    (error,) = await _outcomes(store, admission("d1", entry(1)))
    assert isinstance(error, StoreUnavailable)
    assert "another program has locked it" in str(error)
    other.execute("ROLLBACK")
    other.close()
    await rebuilt(store)
    await admitted(store, admission("d1", entry(1)))
    await store.close()


def _blocking(commit_: Callable[[], None], reached: threading.Event, go_on: threading.Event) -> Callable[[], None]:
    def commit_later() -> None:
        reached.set()
        assert go_on.wait(10)
        commit_()

    return commit_later


def _failing() -> None:
    raise OSError(errno.EIO, "Input/output error")


async def test_a_failed_group_takes_every_later_one_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d0", entry(10)))
    reached, go_on = threading.Event(), threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(store._file, "commit", _blocking(_failing, reached, go_on))
        first = asyncio.create_task(store.apply(admission("d1", entry(10))))
        await asyncio.to_thread(reached.wait)
        later = [asyncio.create_task(store.apply(admission(f"d{n}", entry(10)))) for n in (2, 3)]
        reader = asyncio.create_task(store.cells())
        later[1].cancel()
        go_on.set()
        outcomes = await asyncio.gather(first, *later, reader, return_exceptions=True)
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [StoreUnavailable, StoreUnavailable, asyncio.CancelledError, StoreUnavailable]
    await rebuilt(store)
    assert await figures(store) == (0, 1)
    await verified(store)
    await store.close()


async def test_a_batch_whose_answer_was_lost_is_applied_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    real = store._file.commit

    def commit_and_fail() -> None:
        real()
        _failing()

    with monkeypatch.context() as patch:
        patch.setattr(store._file, "commit", commit_and_fail)
        assert isinstance((await _outcomes(store, admission("d1", entry(10, 4))))[0], StoreUnavailable)
    await rebuilt(store)
    assert await figures(store) == (0, 4)
    await admitted(store, admission("d1", entry(10, 4), retry=True))
    await admitted(store, commit("d1", 3))
    await admitted(store, commit("d1", 3))
    assert await figures(store) == (3, 0)
    assert (await verified(store)).records == 2
    await store.close()


@pytest.mark.parametrize("seed", range(3))
async def test_a_disk_that_fails_at_random_loses_nothing_it_acknowledged_and_allows_nothing_over_the_cap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    dice, real_commit, real_stage = random.Random(seed), store._file.commit, store._file.stage
    held, paid, next_id = set[str](), set[str](), Ids()

    def commit_perhaps() -> None:
        fate = dice.random()
        if fate < 0.1:
            _failing()
        real_commit()
        if fate > 0.9:
            _failing()

    def stage_perhaps(changes: Changes) -> None:
        real_stage(changes)
        if dice.random() < 0.1:
            _failing()

    async def caller() -> None:
        for _ in range(25):
            id_ = next_id()
            with suppress(StoreUnavailable):
                if isinstance(await store.apply(admission(id_, entry(150))), ops.Applied):
                    held.add(id_)
                    await admitted(store, commit(id_))
                    paid.add(id_)
            if not store.health().ok:
                await rebuilt(store)

    monkeypatch.setattr(store._file, "commit", commit_perhaps)
    monkeypatch.setattr(store._file, "stage", stage_perhaps)
    await asyncio.gather(*(caller() for _ in range(16)))
    monkeypatch.setattr(store._file, "commit", real_commit)
    monkeypatch.setattr(store._file, "stage", real_stage)
    if not store.health().ok:
        await rebuilt(store)
    await verified(store)
    used, live = await figures(store)
    await store.close()
    states = dict(ask(tmp_path / "a.db", "SELECT id, state FROM holds"))
    assert held <= states.keys()
    assert all(states[id_] == "settled" for id_ in paid)
    assert used + live == len(states) <= 150
    assert store._commit.written < len(held) + len(paid)


async def test_calls_in_flight_survive_a_failure_of_others(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d1", entry(10, 4)))
    store._file.db.execute("PRAGMA query_only = ON")
    await _outcomes(store, admission("d2", entry(10)))
    await rebuilt(store)
    info = await store.hold("d1")
    assert info is not None
    assert info.state is HoldState.DISPATCHED
    await admitted(store, commit("d1", 4))
    await store.close()


async def test_a_batch_that_breaks_off_half_way_leaves_nothing(tmp_path: Path) -> None:
    class Broken(Told):
        def complete(self, outcome: ops.Outcome, steps: object) -> list[object]:  # type: ignore[override] # broken on purpose
            raise InvariantBroken("a record that cannot be made")

    store = await SqliteStore.open(tmp_path / "a.db")
    hold = ops.Hold(HoldState.DISPATCHED, 10**6, (entry(10, 4),))
    outcomes = await _outcomes(store, admission("d1", entry(10)), ops.Batch("d2", (hold,), record=Broken("d2")))
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable, InvariantBroken]
    await rebuilt(store)
    assert await store.cells() == []
    await admitted(store, admission("d1", entry(10)))
    await verified(store)
    await store.close()


async def test_a_hold_id_that_the_file_has_already_is_never_overwritten(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d1", entry(10, 4)))
    await admitted(store, commit("d1"))
    store._commit.pending.ledger._answers.clear()
    (error,) = await _outcomes(store, admission("d1", entry(10, 1)))
    assert isinstance(error, StoreUnavailable)
    await rebuilt(store)
    assert await figures(store) == (4, 0)
    await store.close()


@pytest.mark.parametrize("suffix", ["", "-wal", ".lock"])
async def test_a_file_removed_under_its_owner_allows_nothing_more(tmp_path: Path, suffix: str) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d1", entry(10)))
    os.unlink(f"{store._file.path}{suffix}")  # noqa: PTH108 - a test may block
    (error,) = await _outcomes(store, admission("d2", entry(10)))
    assert isinstance(error, StoreUnavailable)
    assert "removed" in str(error)
    await store.close()


async def test_a_ledger_that_another_owner_took_over_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d1", entry(10)))
    edit(tmp_path / "a.db", "UPDATE head SET owner = 'somebody else'")
    attempts, real = Counter[str](), store._file.reopen

    def reopen() -> None:
        attempts.update(["reopen"])
        real()

    monkeypatch.setattr(store._file, "reopen", reopen)
    (error,) = await _outcomes(store, admission("d2", entry(10)))
    assert "another process has written" in str(error)
    while attempts.total() < 4:
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable):
            await store.apply(admission("d3", entry(10)))
    assert "taken over" in store.health().detail
    await store.close()
    assert ask(tmp_path / "a.db", "SELECT id FROM holds") == [("d1",)]


async def test_an_accepted_clock_that_cannot_be_kept_is_taken_back(tmp_path: Path) -> None:
    hands = Hands()
    store = await SqliteStore.open(tmp_path / "a.db", clock=hands.clock())
    before_us = store.now_us()
    hands.wall_us -= DAY_US
    store._file.db.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailable):
        await store.accept_clock()
    assert store.now_us() == before_us
    await rebuilt(store)
    assert await store.accept_clock() == -DAY_US
    assert store.now_us() == before_us - DAY_US
    await store.close()


async def test_a_damaged_row_that_is_fetched_later_stops_the_ledger(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d1", entry(10)))
    await admitted(store, commit("d1"))
    edit(tmp_path / "a.db", "UPDATE holds SET body = x'00'")
    with pytest.raises(StoreError, match="hold `d1` cannot be read"):
        await store.apply(ops.Batch("r", (ops.Refund("d1", "r1", {"USD": 1}),)))
    await rebuilt(store)
    assert await refused(store, admission("d2", entry(1, key=KEY))) == [ops.FailureCode.FULL]
    await store.close()
