"""A disk that does not answer at all: nobody waits for ever, and whatever it did in the end is right."""

import asyncio
import threading
from pathlib import Path

import pytest

from remit.errors import StoreUnavailable
from remit.stores import sqlite_commit
from remit.stores.sqlite import SqliteStore
from tests.stores.sqlite_calls import admission, admitted, entry, figures, until


class Held:
    """Holds a job of the worker up until it is let go."""

    def __init__(self, store: SqliteStore, name: str, patch: pytest.MonkeyPatch) -> None:
        self.go_on = threading.Event()
        self._job = getattr(store._file, name)
        patch.setattr(store._file, name, self._wait)

    def _wait(self) -> None:
        assert self.go_on.wait(10)
        self._job()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits are real ones; here they are milliseconds."""
    monkeypatch.setattr(sqlite_commit, "WATCH_S", 0.001)


async def test_a_disk_that_hangs_is_reported_and_forgiven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_commit, "STALLED_S", 0.005)
        held = Held(store, "commit", patch)
        with pytest.raises(StoreUnavailable, match="has not answered"):
            await store.apply(admission("d1", entry(10)))
        assert "the disk has not answered" in store.health().detail
        with pytest.raises(StoreUnavailable, match="has not answered"):
            await store.apply(admission("d2", entry(10)))
        held.go_on.set()
        await until(lambda: store.health().ok)
    assert await figures(store) == (0, 1)
    await store.close()


async def test_callers_of_a_ledger_that_hangs_while_it_tidies_up_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_commit, "IDLE_S", 0.002)
        held = Held(store, "checkpoint", patch)
        await admitted(store, admission("d1", entry(10)))
        await until(lambda: store._commit._with_worker)
        patch.setattr(sqlite_commit, "STALLED_S", 0.005)
        with pytest.raises(StoreUnavailable, match="has not answered"):
            await store.apply(admission("d2", entry(10)))
        held.go_on.set()
        await until(lambda: store.health().ok)
    assert await figures(store) == (0, 2)
    await store.close()


async def test_closing_waits_for_a_slow_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    held = Held(store, "commit", monkeypatch)
    call = asyncio.create_task(store.apply(admission("d1", entry(10))))
    await asyncio.sleep(0)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    held.go_on.set()
    await asyncio.gather(call, closing)
    again = await SqliteStore.open(tmp_path / "a.db")
    assert await figures(again) == (1, 0)
    await again.close()
