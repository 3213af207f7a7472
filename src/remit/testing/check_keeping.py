"""Checks: what a store keeps. Documents, lists of holds, the audit log, and all of it over a restart (invariants F)."""

from collections.abc import Sequence
from typing import Final

from remit.audit.encoding import decode
from remit.audit.record import Admin, AdminAction, Body, CallerSeen, Decision, Refusals, Settlement
from remit.audit.record import Outcome as Decided
from remit.audit.refusal import Refusal
from remit.audit.settlements import is_settlement, settlement_of
from remit.audit.verify import verify
from remit.core.ledger import operations as ops
from remit.core.ledger.operations import FailureCode, HoldState, Rung
from remit.core.ledger.state import Step
from remit.ports import AuditEntry
from remit.testing.bench import DAY_US, MINUTE_US, SECOND_US, Bench, entry, expect, expect_equal, hold
from remit.testing.programs import Program

CALLER: Final = CallerSeen(kind="api_key", id="key-1")
ADMIN: Final = Admin(action=AdminAction.GATE_SET, by="remit.testing", subject="gate-1")
PROGRAM_STEPS: Final = 60


class CallDraft:
    """What a call's batch carries: its decision, completed by the outcome, and the settlements of its steps."""

    def __init__(self, id_: str) -> None:
        """`id_` is the batch's."""
        self._id = id_

    def complete(self, outcome: ops.Outcome, steps: Sequence[Step]) -> Sequence[Body | Refusal]:
        """The records of the batch."""
        settled = [settlement_of(step) for step in steps if is_settlement(step)]
        if settled:
            return settled
        allowed = isinstance(outcome, ops.Applied)
        decided = Decided.ALLOW if allowed else Decided.DENY
        hold_id = self._id if allowed else ""
        decision = Decision(id=self._id, outcome=decided, reason="", tool="t", caller=CALLER, hold=hold_id)
        return [decision if allowed else Refusal.of(decision)]


def _bodies(entries: Sequence[AuditEntry]) -> list[Body]:
    return [decode(one.body).body for one in entries]


async def _call(bench: Bench, id_: str, *admit: ops.Operation, **more: object) -> ops.Outcome:
    return await bench.send(*admit, id_=id_, record=CallDraft(id_), **more)


async def every_decision_and_settlement_is_recorded_with_its_step(bench: Bench) -> None:
    """Once each, in order, in a chain that verifies and ends where `heads` says."""
    await _call(bench, "a", hold(entry("c", 5, 4)))
    await _call(bench, "a", hold(entry("c", 5, 4)), retry=True)
    await _call(bench, "b", hold(entry("c", 5, 4)))
    await _call(bench, "a/commit", ops.Commit("a", {"USD": 7}))
    entries = await bench.audit()
    bodies = _bodies(entries)
    expect_equal([type(body) for body in bodies], [Decision, Decision, Settlement], "kinds of record")
    expect_equal([getattr(body, "outcome", "") for body in bodies], [Decided.ALLOW, Decided.DENY, ""], "outcomes")
    expect_equal([getattr(body, "overage", {}) for body in bodies], [{}, {}, {"USD": 2}], "overage")
    expect_equal([one.seq for one in entries], [1, 2, 3], "numbers")
    last = entries[-1]
    expect_equal(await bench.store.heads(), [(last.writer, last.seq, last.hash)], "heads")
    report = verify((one.writer, one.seq, one.body, one.hash) for one in entries)
    expect(report.ok, report.sentence())


async def a_hold_that_is_swept_is_recorded_by_the_batch_that_swept_it(bench: Bench) -> None:
    """Before that batch's own record, since it happened before."""
    await bench.applied(hold(entry("c", 1), state=HoldState.RESERVED), id_="lost")
    bench.clock.advance(MINUTE_US)
    await _call(bench, "next", hold(entry("c", 1)))
    bodies = _bodies(await bench.audit())
    expect_equal([getattr(body, "hold", "") for body in bodies], ["lost", "next"], "records")


async def refusals_that_are_alike_are_counted_into_one_record(bench: Bench) -> None:
    """Ten of a second stand alone; nobody fills the disk by being refused."""
    for index in range(25):
        await _call(bench, f"no {index:02}", hold(entry("c", 0)))
    bodies = _bodies(await bench.audit())
    expect_equal([type(body) for body in bodies], [Decision] * 10 + [Refusals], "kinds of record")
    counted = bodies[-1]
    wanted = (15, "no 10", "no 24")
    expect_equal(
        (getattr(counted, "count", 0), getattr(counted, "first_decision", ""), getattr(counted, "last_decision", "")),
        wanted,
        "the count",
    )
    found = _bodies(await bench.audit(ids=("no 17",)))
    expect_equal(found, [counted], "what is known of one of the counted")


async def the_audit_log_is_read_in_pages_and_by_the_ids_it_mentions(bench: Bench) -> None:
    """Forwards from a number, or the newest only."""
    for index in range(6):
        await _call(bench, f"d{index}", hold(entry("c", 9)))
    await _call(bench, "d3/commit", ops.Commit("d3"))
    expect_equal([one.seq for one in await bench.audit(after=2, limit=3)], [3, 4, 5], "a page")
    expect_equal([one.seq for one in await bench.audit(limit=2, newest=True)], [6, 7], "the newest")
    expect_equal([one.seq for one in await bench.audit(ids=("d3", "d1"))], [2, 4, 7], "by ids")
    writer = (await bench.audit(limit=1))[0].writer
    expect_equal(len(await bench.audit(writer=writer)), 7, "by writer")
    expect_equal(await bench.audit(writer="nobody"), [], "by another writer")


async def documents_are_kept_replaced_and_forgotten_with_their_records(bench: Bench) -> None:
    """By kind and id, in order of their ids."""
    store = bench.store
    await store.put("keys", "b", b"\x00two", record=ADMIN)
    await store.put("keys", "a", b"one")
    await store.put("sessions", "a", b"other")
    await store.put("keys", "b", b"three", record=ADMIN)
    expect_equal(await store.documents("keys"), [("a", b"one"), ("b", b"three")], "documents")
    await store.put("keys", "a", None, record=ADMIN)
    await store.put("keys", "never there", None)
    expect_equal(await store.documents("keys"), [("b", b"three")], "after forgetting")
    expect_equal(await store.documents("nothing"), [], "a kind without documents")
    expect_equal(_bodies(await bench.audit()), [ADMIN] * 3, "records")


async def orders_to_the_store_itself_are_recorded(bench: Bench) -> None:
    """A new epoch and an accepted clock."""
    await bench.store.set_epoch(2, record=ADMIN)
    bench.clock.step_wall(MINUTE_US)
    await bench.store.accept_clock(record=ADMIN)
    expect_equal(_bodies(await bench.audit()), [ADMIN] * 2, "records")


async def checkpoints_are_kept_beside_the_log(bench: Bench) -> None:
    """The newest of them, oldest first."""
    for index in range(4):
        await bench.store.keep_checkpoint(f"checkpoint {index}", bench.store.now_us())
    expect_equal(await bench.store.checkpoints(limit=3), [f"checkpoint {i}" for i in (1, 2, 3)], "checkpoints")


async def holds_are_listed_by_state_the_oldest_first(bench: Bench) -> None:
    """With what they hold, booked, and went over by."""
    for index in range(5):
        bench.clock.advance(SECOND_US)
        await bench.applied(hold(entry("c", 50, 4), entry("calls", 9, 1, unit="calls")), id_=f"h{9 - index}")
    await bench.applied(ops.Commit("h8", {"USD": 3}))
    await bench.applied(ops.Expire(hold="h6"))
    live = await bench.store.holds(states=[HoldState.DISPATCHED], limit=2)
    expect_equal([info.id for info in live], ["h9", "h7"], "the oldest two in flight")
    both = await bench.store.holds(states=[HoldState.SETTLED, HoldState.ASSUMED_SPENT])
    expect_equal([info.id for info in both], ["h8", "h6"], "ended")
    settled = await bench.hold_info("h8")
    wanted = ({"USD": 4, "calls": 1}, {"USD": 3, "calls": 1}, ("c", "calls"))
    expect_equal((settled.amounts, settled.booked, settled.cells), wanted, "a settled hold")
    expect_equal(await bench.store.hold("nobody"), None, "a hold nobody knows")
    expect_equal([cell.key for cell in await bench.store.cells("c", limit=1)], ["c"], "the first cell")


async def a_durable_store_is_as_it_was_after_a_restart(bench: Bench) -> None:
    """Every answered fact is there again, and nothing else."""
    if not bench.store.durable:
        return
    program = Program(1)
    for _ in range(PROGRAM_STEPS):
        bench.clock.advance(program.wait_us() // 10)
        await bench.store.apply(program.batch(bench.store.now_us()))
    for info in (await bench.holds()).values():
        await bench.applied(ops.Expire(hold=info.id))
    await bench.store.set_epoch(5)
    await bench.store.put("keys", "a", b"body", record=ADMIN)
    await bench.store.keep_checkpoint("checkpoint", bench.store.now_us())
    before = await _everything(bench)
    for _ in range(2):
        await bench.restart()
        expect_equal(await _everything(bench), before, "after a restart")
        bench.clock.reboot()


async def _everything(bench: Bench) -> dict[str, object]:
    return {
        "cells": await bench.cells(),
        "holds": await bench.holds(),
        "documents": await bench.store.documents("keys"),
        "audit": await bench.audit(limit=10_000),
        "heads": await bench.store.heads(),
        "checkpoints": await bench.store.checkpoints(),
        "epoch": bench.store.epoch,
        "store_id": bench.store.store_id,
        "time": bench.store.now_us(),
    }


async def a_durable_store_refuses_after_a_restart_what_it_would_have_refused_before(bench: Bench) -> None:
    """Replays, spent proofs, closed gates, full paces and windows; and a lost reply is answered as it was."""
    if not bench.store.durable:
        return
    begin, proof = ops.Begin("key", "body", DAY_US), ops.Once("proof", bench.store.now_us() + DAY_US)
    pace, window = ops.Pace("p", MINUTE_US, 1), ops.Rolling(MINUTE_US)
    first = await bench.applied(begin, proof, pace, hold(entry("c", 1, window=window)), id_="first")
    await bench.applied(ops.Commit("first", answer=b"the answer"))
    await bench.applied(ops.SetGate("g", Rung.REVOKED, reason="stolen"))
    await bench.restart()
    expect_equal(await bench.send(begin), ops.Replayed("first", b"the answer", bench.store.now_us()), "the answer")
    wanted = [FailureCode.CLOSED, FailureCode.REPLAYED, FailureCode.FULL, FailureCode.FULL]
    probe = (ops.Gate("g"), proof, pace, hold(entry("c", 1, window=window)))
    expect_equal(await bench.codes(*probe), wanted, "what is refused")
    again = await bench.send(begin, proof, pace, hold(entry("c", 1, window=window)), id_="first", retry=True)
    expect_equal(again, first, "the lost reply")
    bench.clock.advance(2 * MINUTE_US)
    await bench.applied(pace, hold(entry("c", 1, window=window)))


async def a_durable_store_stands_by_an_accepted_time_after_a_restart(bench: Bench) -> None:
    """What was full when the clock was ordered back is full, and free again in due time."""
    if not bench.store.durable:
        return
    pace, take = ops.Pace("p", MINUTE_US, 1), ops.Take("c", ops.Rolling(MINUTE_US), 1)
    await bench.applied(pace, take)
    bench.clock.step_wall(-30 * DAY_US)
    await bench.store.accept_clock()
    expect_equal(await bench.codes(pace, take), [FailureCode.FULL] * 2, "at once")
    now_us = bench.store.now_us()
    await bench.restart()
    expect_equal(bench.store.now_us(), now_us, "the time after a restart")
    expect_equal(await bench.codes(pace, take), [FailureCode.FULL] * 2, "after a restart")
    bench.clock.advance(MINUTE_US + SECOND_US)
    await bench.applied(pace, take)


CHECKS: Final = (
    every_decision_and_settlement_is_recorded_with_its_step,
    a_hold_that_is_swept_is_recorded_by_the_batch_that_swept_it,
    refusals_that_are_alike_are_counted_into_one_record,
    the_audit_log_is_read_in_pages_and_by_the_ids_it_mentions,
    documents_are_kept_replaced_and_forgotten_with_their_records,
    orders_to_the_store_itself_are_recorded,
    checkpoints_are_kept_beside_the_log,
    holds_are_listed_by_state_the_oldest_first,
    a_durable_store_is_as_it_was_after_a_restart,
    a_durable_store_refuses_after_a_restart_what_it_would_have_refused_before,
    a_durable_store_stands_by_an_accepted_time_after_a_restart,
)
