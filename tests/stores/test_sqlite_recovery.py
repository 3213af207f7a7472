"""Opening a ledger: what was left open is brought to an end, and what is damaged, foreign or incomplete is refused."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from remit.audit.encoding import decode
from remit.audit.record import Settlement
from remit.core.ledger import operations as ops
from remit.core.ledger.operations import HoldState
from remit.errors import StoreCorrupt, StoreError
from remit.ports import AuditQuery
from remit.stores.sqlite import SqliteStore
from remit.stores.sqlite_recovery import RESTARTED
from remit.stores.sqlite_schema import FORMAT, MIGRATIONS
from tests.stores.sqlite_calls import (
    DAY_US,
    KEY,
    MINUTE_US,
    SECOND_US,
    Hands,
    Told,
    admission,
    admitted,
    ask,
    commit,
    crash_copy,
    edit,
    entry,
    figures,
    rebuilt,
    refused,
    verified,
)


async def _left_open(path: Path, to: Path) -> Path:
    """A ledger whose owner died with two calls under way: `d1` has not left yet, `d2` has."""
    store = await SqliteStore.open(path)
    slot = entry(5, key="slots", unit="slots", at_commit=ops.AtCommit.ZERO, at_expiry=ops.AtExpiry.FREE)
    await admitted(store, admission("d0", entry(100, 30), slot))
    await admitted(store, commit("d0", 10))
    await admitted(store, admission("d1", entry(100, 4), slot, state=HoldState.RESERVED))
    begin, hold = ops.Begin("key", "print", MINUTE_US), ops.Hold(HoldState.DISPATCHED, MINUTE_US, (entry(100, 7), slot))
    await admitted(store, ops.Batch("d2", (begin, hold), record=Told("d2")))
    copy = crash_copy(path, to)
    await store.close()
    return copy


async def test_calls_that_nobody_will_report_on_end_when_the_ledger_is_opened(tmp_path: Path) -> None:
    copy = await _left_open(tmp_path / "a.db", tmp_path / "copy")
    store = await SqliteStore.open(copy)
    states = {hold.id: hold.state for hold in await store.holds(states=list(HoldState))}
    assert states == {"d0": HoldState.SETTLED, "d1": HoldState.EXPIRED, "d2": HoldState.ASSUMED_SPENT}
    assert await figures(store) == (17, 0)
    assert await figures(store, "slots") == (0, 0)
    bodies = [decode(record.body).body for record in await store.audit(AuditQuery(ids=("d1", "d2")))]
    settled = {body.hold: (body.after, body.evidence) for body in bodies if isinstance(body, Settlement)}
    assert settled == {"d1": ("expired", RESTARTED), "d2": ("assumed_spent", RESTARTED)}
    await verified(store)
    await store.close()


async def test_a_call_of_unknown_outcome_is_not_repeated_until_it_is_resolved(tmp_path: Path) -> None:
    store = await SqliteStore.open(await _left_open(tmp_path / "a.db", tmp_path / "copy"))
    begin, hold = ops.Begin("key", "print", MINUTE_US), ops.Hold(HoldState.DISPATCHED, MINUTE_US, (entry(100, 7),))
    assert await refused(store, ops.Batch("d3", (begin, hold))) == [ops.FailureCode.OUTCOME_UNKNOWN]
    await admitted(store, ops.Batch("d2/resolve", (ops.Resolve("d2", ops.ResolveAs.RELEASED),), record=Told()))
    assert await figures(store) == (10, 0)
    await admitted(store, ops.Batch("d4", (begin, hold)))
    await store.close()


async def test_a_late_report_still_counts_after_a_restart(tmp_path: Path) -> None:
    store = await SqliteStore.open(await _left_open(tmp_path / "a.db", tmp_path / "copy"))
    await admitted(store, commit("d2", 2))
    await admitted(store, commit("d1", 1))
    assert await figures(store) == (13, 0)
    await verified(store)
    await store.close()


async def test_opening_again_changes_nothing_more(tmp_path: Path) -> None:
    copy = await _left_open(tmp_path / "a.db", tmp_path / "copy")
    for _ in range(3):
        store = await SqliteStore.open(copy)
        assert await figures(store) == (17, 0)
        assert (await verified(store)).records == 6
        await store.close()


Damage = Callable[[Path], None]


def _overwrite(at: int, with_: bytes) -> Damage:
    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[at : at + len(with_)] = with_
        path.write_bytes(content)

    return damage


def _run(sql: str) -> Damage:
    return lambda path: edit(path, sql)


def _every_page_but_the_first(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4096] + b"\x5a" * (path.stat().st_size - 4096))


DAMAGES: dict[str, tuple[Damage, str]] = {
    "its first bytes": (_overwrite(0, b"not a database at all"), "is damaged or not a ledger"),
    "its inner pages": (_every_page_but_the_first, "is damaged"),
    "half of it is cut off": (lambda path: _put(path, _content(path)[:8192]), "is damaged"),
    "a live hold is gone": (_run("DELETE FROM holds WHERE id = 'live'"), "cell `5:money` says that 3 is held"),
    "a cell is gone": (_run("DELETE FROM cells"), "cell `5:money` is missing"),
    "a cell is garbage": (_run("UPDATE cells SET body = x'ff00'"), "a row cannot be read"),
    "a hold is garbage": (_run("UPDATE holds SET body = x'93'"), "a row cannot be read"),
    "a hold has an unknown state": (_run("UPDATE gates SET rung = 77"), "a row cannot be read"),
    "the entries of a hold are gone": (_run("DELETE FROM plans"), "a row cannot be read"),
    "the last record is gone": (_run("DELETE FROM audit WHERE seq = 3"), "should end at record 3"),
    "the last record was changed": (_run("UPDATE audit SET body = x'7b7d' WHERE seq = 3"), "record 3 .* was changed"),
    "the last hash was changed": (_run("UPDATE audit SET hash = zeroblob(32) WHERE seq = 3"), "record 3"),
    "all records are gone": (_run("DELETE FROM audit"), "should end at record 3"),
    "the head is gone": (_run("DELETE FROM head"), "its head is missing"),
    "a table is gone": (_run("DROP TABLE cells"), "no such table: cells"),
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_damaged_ledger_is_refused_with_one_clear_sentence(tmp_path: Path, name: str) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, ops.Batch("g", (ops.SetGate("g", ops.Rung.REVOKED),)))
    for id_, amount in (("old", 2), ("live", 3)):
        await admitted(store, admission(id_, entry(10, amount)))
        await admitted(store, commit("old"))
    (tmp_path / "copy").mkdir()
    copy = crash_copy(tmp_path / "a.db", tmp_path / "files")
    await store.close()
    ask(copy, "PRAGMA wal_checkpoint(TRUNCATE)")
    damage, message = DAMAGES[name]
    damage(copy)
    with pytest.raises(StoreError, match=message) as caught:
        await SqliteStore.open(copy)
    assert str(caught.value).count("\n") == 0
    with pytest.raises(StoreError, match=message):
        await SqliteStore.open(copy)


async def test_files_that_are_no_ledger_are_left_alone(tmp_path: Path) -> None:
    text, foreign = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("my notes, which nobody may overwrite\n" * 100)
    edit(foreign, "CREATE TABLE theirs (a)")
    before = text.read_bytes(), foreign.read_bytes()
    with pytest.raises(StoreCorrupt, match="damaged or not a ledger"):
        await SqliteStore.open(text)
    with pytest.raises(StoreCorrupt, match="is a database, but not a ledger of remit: give another path"):
        await SqliteStore.open(foreign)
    assert (text.read_bytes(), foreign.read_bytes()) == before


async def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    (tmp_path / "a.db").touch()
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d1", entry(1)))
    await store.close()


async def test_a_ledger_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    await (await SqliteStore.open(tmp_path / "a.db")).close()
    edit(tmp_path / "a.db", f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(StoreError, match=f"newer version of remit .format {FORMAT + 1}, this one knows {FORMAT}"):
        await SqliteStore.open(tmp_path / "a.db")


async def test_an_older_ledger_is_brought_up_to_date_step_by_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d1", entry(10, 4)))
    await store.close()
    steps = (
        *MIGRATIONS,
        ("CREATE TABLE extra (a ANY) STRICT", "DROP TABLE extra"),
        ("ALTER TABLE documents ADD COLUMN x ANY",),
    )
    with monkeypatch.context() as patch:
        patch.setattr("remit.stores.sqlite_file.MIGRATIONS", (*steps, ("CREATE TABLE broken (",)))
        patch.setattr("remit.stores.sqlite_file.FORMAT", FORMAT + 3)
        with pytest.raises(StoreError):
            await SqliteStore.open(tmp_path / "a.db")
    assert ask(tmp_path / "a.db", "PRAGMA user_version") == [(FORMAT,)], "all steps or none"
    monkeypatch.setattr("remit.stores.sqlite_file.MIGRATIONS", steps)
    monkeypatch.setattr("remit.stores.sqlite_file.FORMAT", FORMAT + 2)
    store = await SqliteStore.open(tmp_path / "a.db")
    assert await figures(store) == (4, 0)
    await store.close()
    assert ask(tmp_path / "a.db", "PRAGMA user_version") == [(FORMAT + 2,)]
    assert ask(tmp_path / "a.db", "SELECT x FROM documents") == []


async def _crashed(path: Path) -> None:
    """Leave the files, the lock file included, as a killed owner leaves them."""
    store = await SqliteStore.open(path / "live.db")
    for number in range(5):
        await admitted(store, admission(f"d{number}", entry(100, 4)))
    crash_copy(path / "live.db", path / "crashed")
    lock = (path / "live.db.lock").read_bytes()
    await store.close()
    (path / "crashed" / "live.db.lock").write_bytes(lock)


def _delete(path: Path) -> None:
    path.unlink()


def _cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_delete, _cut_in_half, _empty])
@pytest.mark.parametrize("suffix", ["", "-wal"])
async def test_a_ledger_that_lost_acknowledged_writes_is_refused(tmp_path: Path, suffix: str, damage: Damage) -> None:
    await _crashed(tmp_path)
    path = tmp_path / "crashed" / "live.db"
    damage(path.with_name(f"live.db{suffix}"))
    with pytest.raises(StoreCorrupt):
        await SqliteStore.open(path)


async def test_a_lost_write_ahead_log_is_named_as_what_it_is(tmp_path: Path) -> None:
    await _crashed(tmp_path)
    (tmp_path / "crashed" / "live.db-wal").unlink()
    edit(tmp_path / "crashed" / "live.db", "PRAGMA wal_checkpoint")
    with pytest.raises(StoreCorrupt, match="acknowledged"):
        await SqliteStore.open(tmp_path / "crashed" / "live.db")


async def test_a_torn_end_of_the_write_ahead_log_loses_nothing_acknowledged(tmp_path: Path) -> None:
    await _crashed(tmp_path)
    path = tmp_path / "crashed" / "live.db"
    wal = path.with_name("live.db-wal")
    wal.write_bytes(wal.read_bytes() + b"\x00" * 2000)
    store = await SqliteStore.open(path)
    assert await figures(store) == (20, 0)
    await verified(store)
    await store.close()


async def _rolled_back(path: Path) -> None:
    """Put an older copy of a closed ledger back."""
    store = await SqliteStore.open(path)
    await admitted(store, admission("d1", entry(100, 4)))
    await admitted(store, commit("d1"))
    await store.close()
    older = _content(path)
    store = await SqliteStore.open(path)
    await admitted(store, admission("d2", entry(100, 90)))
    await admitted(store, commit("d2"))
    await store.close()
    _put(path, older)


def _content(path: Path) -> bytes:
    return path.read_bytes()


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


async def test_an_older_copy_put_back_is_refused_until_the_loss_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await _rolled_back(path)
    with pytest.raises(StoreCorrupt, match=r"has lost writes: \d+ groups of writes were acknowledged"):
        await SqliteStore.open(path)
    store = await SqliteStore.open(path, accept_loss=True)
    assert store.epoch == 1, "plans of before are stale"
    assert await refused(store, admission("d3", entry(100))) == [ops.FailureCode.FROZEN]
    assert [head[0].endswith("-2") for head in await store.heads()] == [False, True]
    await admitted(store, ops.Batch("thaw", (ops.SetGate(KEY, ops.Rung.OPEN),)))
    await admitted(store, admission("d4", entry(100)))
    await verified(store)
    store._commit.broken(RuntimeError("lost on purpose"))
    await rebuilt(store)
    await admitted(store, admission("d5", entry(100)))
    await store.close()
    await (await SqliteStore.open(path)).close()


async def test_another_ledger_in_its_place_is_refused(tmp_path: Path) -> None:
    for name in ("a.db", "b.db"):
        store = await SqliteStore.open(tmp_path / name)
        await admitted(store, admission("d1", entry(100)))
        await store.close()
    (tmp_path / "a.db").write_bytes((tmp_path / "b.db").read_bytes())
    with pytest.raises(StoreCorrupt, match="is not the ledger that was used here"):
        await SqliteStore.open(tmp_path / "a.db")


async def test_a_deleted_ledger_is_not_quietly_replaced_by_an_empty_one(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await admitted(store, admission("d1", entry(100)))
    await store.close()
    (tmp_path / "a.db").unlink()
    with pytest.raises(StoreCorrupt, match="has lost writes"):
        await SqliteStore.open(tmp_path / "a.db")
    (tmp_path / "a.db").unlink(missing_ok=True)
    (tmp_path / "a.db.lock").unlink()
    store = await SqliteStore.open(tmp_path / "a.db")
    assert await store.cells() == []
    await store.close()


async def test_a_clock_set_back_between_two_starts_mints_nothing(tmp_path: Path) -> None:
    hands = Hands()
    day = ops.Calendar(ops.Span(0, hands.wall_us), ops.Span(hands.wall_us, hands.wall_us + DAY_US))
    rolling = ops.Rolling(MINUTE_US)
    store = await SqliteStore.open(tmp_path / "a.db", clock=hands.clock())
    batch = ops.Batch("d1", (ops.Pace("p", MINUTE_US, 1), ops.Take("t", rolling, 1)))
    await admitted(store, batch)
    last_us = store.now_us()
    await store.close()
    hands.wall_us -= 3_600 * SECOND_US
    again = await SqliteStore.open(tmp_path / "a.db", clock=hands.clock())
    assert again.now_us() >= last_us
    assert again.health().clock_parted_us == -3_600 * SECOND_US
    codes = await refused(again, ops.Batch("d2", (ops.Pace("p", MINUTE_US, 1), ops.Take("t", rolling, 1))))
    assert codes == [ops.FailureCode.FULL] * 2
    assert await refused(again, admission("d3", entry(9, window=day))) == [ops.FailureCode.CLOCK_UNSURE]
    await admitted(again, admission("d4", entry(9)))
    assert await again.accept_clock() == -3_600 * SECOND_US
    now_us = again.now_us()
    await again.close()
    third = await SqliteStore.open(tmp_path / "a.db", clock=hands.clock())
    assert third.now_us() == now_us
    assert third.health().clock_parted_us == 0
    codes = await refused(third, ops.Batch("d5", (ops.Pace("p", MINUTE_US, 1), ops.Take("t", rolling, 1))))
    assert codes == [ops.FailureCode.FULL] * 2
    await third.close()


async def test_a_clock_set_forward_between_two_starts_is_simply_later(tmp_path: Path) -> None:
    hands = Hands()
    store = await SqliteStore.open(tmp_path / "a.db", clock=hands.clock())
    await admitted(store, admission("d1", entry(9)))
    await store.close()
    hands.pass_us(DAY_US)
    again = await SqliteStore.open(tmp_path / "a.db", clock=hands.clock())
    assert again.now_us() == hands.wall_us
    await again.close()


def test_the_schema_needs_nothing_newer_than_what_is_asked_for() -> None:
    assert sqlite3.sqlite_version_info >= (3, 37, 0)
    db = sqlite3.connect(":memory:")
    for step in MIGRATIONS:
        for statement in step:
            db.execute(statement)
    strict = db.execute(
        "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict"
    )
    assert strict.fetchone() == (1,), "every table of ours is strict; sqlite_schema itself is not"
    db.close()
