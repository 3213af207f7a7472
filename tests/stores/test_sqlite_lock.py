"""One process owns a ledger file, and whoever comes second learns who that is."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from remit.errors import StoreBusy, StoreError
from remit.stores.lock import OwnerLock
from remit.stores.sqlite import SqliteStore
from tests.stores.sqlite_calls import T0_US, admission, admitted, entry

OWNER = """
import sys
from pathlib import Path
from remit.stores.lock import OwnerLock
lock = OwnerLock.acquire(Path(sys.argv[1]), pid=4711, since_us=1_800_000_000_000_000, note="remit gateway policy.yaml")
lock.acknowledge(17, "0123456789abcdef")
print("ready", flush=True)
sys.stdin.read()
"""


def _acquire(path: Path) -> OwnerLock:
    return OwnerLock.acquire(path, pid=os.getpid(), since_us=T0_US, note="test")


def _owner(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_second_owner_is_told_who_the_first_one_is(tmp_path: Path) -> None:
    with _owner(tmp_path / "a.db") as first:
        with pytest.raises(StoreBusy) as caught:
            _acquire(tmp_path / "a.db")
        first.kill()
    assert str(caught.value) == (
        f"`{tmp_path / 'a.db'}` is in use by process 4711 (remit gateway policy.yaml) since 2027-01-15 08:00:00 UTC; "
        "one process owns an SQLite ledger: stop that one first"
    )


def test_the_lock_file_of_a_killed_owner_blocks_nobody_and_keeps_its_count(tmp_path: Path) -> None:
    with _owner(tmp_path / "a.db") as first:
        first.kill()
    lock = _acquire(tmp_path / "a.db")
    assert lock.acknowledged == (17, "0123456789abcdef")
    lock.release()


def test_an_unreadable_owner_is_still_an_owner(tmp_path: Path) -> None:
    lock = _acquire(tmp_path / "a.db")
    (tmp_path / "a.db.lock").write_bytes(b"garbage")
    with pytest.raises(StoreBusy, match="in use by another process"):
        _acquire(tmp_path / "a.db")
    lock.release()


def test_a_released_lock_can_be_taken_again_and_releasing_twice_is_harmless(tmp_path: Path) -> None:
    lock = _acquire(tmp_path / "a.db")
    assert lock.acknowledged is None
    lock.release()
    lock.release()
    _acquire(tmp_path / "a.db").release()


def test_secrets_of_a_command_line_do_not_reach_the_lock_file(tmp_path: Path) -> None:
    lock = OwnerLock.acquire(tmp_path / "a.db", pid=1, since_us=T0_US, note="remit --password=hunter2222 \x1b[2J")
    text = (tmp_path / "a.db.lock").read_text()
    lock.release()
    assert "hunter" not in text
    assert "\x1b" not in text


async def test_two_names_of_one_file_share_one_lock(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db", owner_note="the first")
    await admitted(store, admission("d1", entry(1)))
    _link(tmp_path / "b.db", tmp_path / "a.db")
    with pytest.raises(StoreBusy, match=rf"process {os.getpid()} \(the first\)"):
        await SqliteStore.open(tmp_path / "b.db")
    await admitted(store, admission("d2", entry(9)))
    await store.close()


def _link(name: Path, target: Path) -> None:
    name.symlink_to(target)


@pytest.mark.parametrize("name", ["with space.db", "100%?mode=memory#x.db", "\udcff\udcfe.db", ":memory:"])
async def test_a_path_is_a_path_whatever_it_looks_like(tmp_path: Path, name: str) -> None:
    store = await SqliteStore.open(tmp_path / name)
    await admitted(store, admission("d1", entry(1)))
    await store.close()
    assert set(os.listdir(os.fsencode(tmp_path))) == {os.fsencode(name), os.fsencode(f"{name}.lock")}  # noqa: PTH208 - names that are no text


async def test_places_that_cannot_hold_a_ledger_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cases = {
        tmp_path / "missing" / "a.db": "does not exist: create it first",
        tmp_path / "file" / "a.db": "is not a directory",
        tmp_path: "is a directory: give the path of a file",
    }
    for path, message in cases.items():
        with pytest.raises(StoreError, match=message):
            await SqliteStore.open(path)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
async def test_a_directory_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    real = os.open

    def refusing(path: Any, *rest: Any, **more: Any) -> int:
        if str(path).endswith(".lock"):
            raise OSError(code, os.strerror(code))
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(StoreError, match="cannot be written"):
        await SqliteStore.open(tmp_path / "a.db")


async def test_a_file_that_cannot_be_written_is_refused_and_its_lock_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refusing(path: Any, *rest: Any, **more: Any) -> int:
        if str(path).endswith(".db"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refusing)
        with pytest.raises(StoreError, match="permission denied"):
            await SqliteStore.open(tmp_path / "a.db")
    store = await SqliteStore.open(tmp_path / "a.db")
    await store.close()
