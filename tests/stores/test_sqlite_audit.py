"""The audit log in the file: refusals counted together, records found by id, checkpoints kept beside them."""

from collections.abc import Sequence
from pathlib import Path

from remit.audit.checkpoint import Head, new_signing_key, sign_checkpoint, verify_checkpoint
from remit.audit.encoding import decode
from remit.audit.record import Body, Settlement
from remit.audit.settlements import settlement_of
from remit.audit.verify import verify
from remit.core.ledger import operations as ops
from remit.core.ledger.state import Step
from remit.ports import AuditQuery
from remit.stores.sqlite import SqliteStore
from tests.stores.sqlite_calls import (
    MINUTE_US,
    SECOND_US,
    Hands,
    Told,
    admission,
    admitted,
    ask,
    commit,
    crash_copy,
    entry,
    log_of,
    refused,
    verified,
)


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


async def test_a_signed_checkpoint_of_the_heads_vouches_for_the_log(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    for number in range(3):
        await admitted(store, admission(f"d{number}", entry(100)))
    key = new_signing_key(lambda length: b"k" * length)
    heads = [Head(*head) for head in await store.heads()]
    await store.keep_checkpoint(sign_checkpoint(heads, store=store.store_id, time_us=5, key=key), 5)
    await admitted(store, commit("d1"))
    (line,) = await store.checkpoints()
    records = [(record.writer, record.seq, record.body, record.hash) for record in await log_of(store)]
    checkpoint = verify_checkpoint(line, key.public)
    assert verify(records, [checkpoint], store=store.store_id).ok
    assert not verify(records[:2], [checkpoint], store=store.store_id).ok
    await store.close()


async def test_a_call_given_up_by_its_caller_is_recorded_with_what_the_caller_knew(tmp_path: Path) -> None:
    class GivenUp(Told):
        def complete(self, outcome: ops.Outcome, steps: Sequence[Step]) -> Sequence[Body]:
            return [settlement_of(step, evidence="connection reset", status=0) for step in steps]

    hands = Hands()
    store = await SqliteStore.open(tmp_path / "a.db", clock=hands.clock())
    await admitted(store, admission("d1", entry(100)))
    await admitted(store, admission("d2", entry(100)))
    hands.pass_us(2 * MINUTE_US)
    await admitted(store, ops.Batch("d1/lose", (ops.Expire(hold="d1"),), record=GivenUp()))
    await admitted(store, ops.Batch("sweep", (ops.Expire(10),)))
    bodies = [decode(record.body).body for record in await log_of(store)]
    ends = {body.hold: body.evidence for body in bodies if isinstance(body, Settlement)}
    assert ends == {"d1": "connection reset", "d2": ""}
    await store.close()
