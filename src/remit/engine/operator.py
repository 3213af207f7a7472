"""What an operator can ask of a running guard, by name: the one list behind the control socket and the command line.

Every command takes and gives plain JSON values, so that it works the same through the socket of the process that owns
the store and on a store that nobody owns. Commands that change something are recorded with who asked.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from remit.audit.record import Admin, AdminAction
from remit.audit.times import utc
from remit.core.ledger import operations as ops
from remit.core.money import parse_money
from remit.core.reading import shown
from remit.engine.asking import Arguments, flag, maybe_text, maybe_whole, text, texts, whole
from remit.engine.audit_desk import AuditDesk
from remit.engine.contract_operator import contract_commands
from remit.engine.drafts import AdminDraft
from remit.engine.guard import Engine
from remit.engine.keyring import KeyRing
from remit.errors import UnknownItem, UsageError
from remit.identity.api_keys import KeyRecord
from remit.ports import HoldInfo

__all__ = ["Answer", "Arguments", "Command", "Operator"]

Answer = dict[str, Any]
Command = Callable[[Arguments, str], Awaitable[Answer]]

MAX_PAGE = 1000
MAX_CELLS_SEARCHED = 100_000
OPEN_STATES = (ops.HoldState.RESERVED, ops.HoldState.DISPATCHED, ops.HoldState.ASSUMED_SPENT)


class Operator:
    """The commands. `extra` adds those that need more than the engine: `policy.reload`, `status`."""

    def __init__(self, engine: Engine, keys: KeyRing, extra: Mapping[str, Command] | None = None) -> None:
        """Commands are looked up by name in one table."""
        self._engine = engine
        self._store = engine.store
        self._keys = keys
        desk = AuditDesk(engine.store)
        self.commands: dict[str, Command] = {
            "keys.create": self._create_key,
            "keys.list": self._list_keys,
            "keys.rotate": self._rotate_key,
            "keys.revoke": self._revoke_key,
            "holds.list": self._list_holds,
            "holds.resolve": self._resolve_hold,
            "limits.list": self._list_cells,
            "limits.thaw": self._thaw,
            "audit.page": desk.page,
            "audit.heads": desk.heads,
            "audit.keep_checkpoint": desk.keep_checkpoint,
            "audit.checkpoints": desk.checkpoints,
            "clock.accept": self._accept_clock,
            "health": self._health,
        }
        self.commands |= {**contract_commands(engine), **(extra or {})}

    async def do(self, command: str, arguments: Arguments, *, by: str) -> Answer:
        """Carry out one command. Raises `UsageError` for one that does not exist, and what the command raises."""
        found = self.commands.get(command)
        if found is None:
            raise UsageError(f"there is no command {shown(command)}: the two sides may be different versions of remit")
        return await found(arguments, by)

    async def _create_key(self, arguments: Arguments, by: str) -> Answer:
        made = await self._keys.create(
            by=by,
            agent=text(arguments, "agent"),
            tools=texts(arguments, "tools"),
            user=maybe_text(arguments, "user"),
            org=maybe_text(arguments, "org"),
            tier=maybe_text(arguments, "tier"),
            label=maybe_text(arguments, "label") or "",
            bound_to=maybe_text(arguments, "bound_to"),
            lifetime_us=maybe_whole(arguments, "lifetime_us"),
        )
        return {"key": made.text, "record": _key_answer(made.record)}

    async def _list_keys(self, arguments: Arguments, by: str) -> Answer:
        return {"keys": [_key_answer(record) for record in self._keys.records()], "now_us": self._store.now_us()}

    async def _rotate_key(self, arguments: Arguments, by: str) -> Answer:
        made = await self._keys.rotate(text(arguments, "key"), by=by, overlap_us=whole(arguments, "overlap_us"))
        return {"key": made.text, "record": _key_answer(made.record)}

    async def _revoke_key(self, arguments: Arguments, by: str) -> Answer:
        name = text(arguments, "key")
        before = self._keys.find(name)
        if before.revoked_us is not None:
            return {"record": _key_answer(before), "was_revoked": True}
        return {"record": _key_answer(await self._keys.revoke(name, by=by)), "was_revoked": False}

    async def _list_holds(self, arguments: Arguments, by: str) -> Answer:
        states = tuple(map(_hold_state, texts(arguments, "states"))) or OPEN_STATES
        limit = min(whole(arguments, "limit", default=MAX_PAGE), MAX_PAGE)
        infos = await self._store.holds(states=states, limit=limit)
        return {"holds": [_hold_answer(info) for info in infos], "now_us": self._store.now_us()}

    async def _resolve_hold(self, arguments: Arguments, by: str) -> Answer:
        hold = text(arguments, "hold")
        info = await self._store.hold(hold)
        if info is None:
            raise UnknownItem(f"there is no hold {shown(hold)}: `remit holds` shows the open ones")
        _check_resolvable(info)
        outcome = _resolve_as(text(arguments, "outcome"))
        actuals = _actuals(info, outcome, maybe_text(arguments, "cost"))
        admin = Admin(action=AdminAction.HOLD_RESOLVED, by=by, subject=hold, detail=outcome.value, amounts=actuals)
        resolve = ops.Resolve(hold, outcome, actuals)
        answer = await self._store.apply(ops.Batch(self._engine.new_id(), (resolve,), record=AdminDraft(admin)))
        after = await self._store.hold(hold) or info
        if not isinstance(answer, ops.Applied):
            _check_resolvable(after)
        return {"hold": _hold_answer(after)}

    async def _list_cells(self, arguments: Arguments, by: str) -> Answer:
        only_frozen = flag(arguments, "frozen")
        prefix = maybe_text(arguments, "prefix") or ""
        cells = await self._store.cells(prefix, limit=MAX_CELLS_SEARCHED if only_frozen else MAX_PAGE)
        rows = [
            {"key": c.key, "used": c.used, "held": c.held, "over": c.over, "frozen": c.frozen}
            for c in cells
            if c.frozen or not only_frozen
        ]
        return {"cells": rows[:MAX_PAGE]}

    async def _thaw(self, arguments: Arguments, by: str) -> Answer:
        key = text(arguments, "key")
        cells = [cell for cell in await self._store.cells(key) if cell.key == key]
        if not cells:
            raise UnknownItem("there is no such counter: `remit limits --frozen` shows the frozen ones with their keys")
        if cells[0].frozen:
            admin = Admin(action=AdminAction.GATE_SET, by=by, subject=key, detail="thawed")
            thaw = ops.SetGate(key, ops.Rung.OPEN, reason=maybe_text(arguments, "reason") or "")
            await self._store.apply(ops.Batch(self._engine.new_id(), (thaw,), record=AdminDraft(admin)))
        return {"key": key, "was_frozen": cells[0].frozen}

    async def _accept_clock(self, arguments: Arguments, by: str) -> Answer:
        admin = Admin(action=AdminAction.CLOCK_ACCEPTED, by=by)
        moved_us = await self._store.accept_clock(record=admin)
        return {"moved_us": moved_us, "now_us": self._store.now_us()}

    async def _health(self, arguments: Arguments, by: str) -> Answer:
        health = self._store.health()
        return {
            "ok": health.ok, "detail": health.detail, "clock_parted_us": health.clock_parted_us,
            "figures": health.figures, "durable": self._store.durable, "epoch": self._store.epoch,
        }  # fmt: skip


def _hold_state(name: str) -> ops.HoldState:
    try:
        return ops.HoldState(name)
    except ValueError:
        raise UsageError(f"{shown(name)} is no state of a hold") from None


def _resolve_as(name: str) -> ops.ResolveAs:
    try:
        return ops.ResolveAs(name)
    except ValueError:
        raise UsageError(f"a hold is resolved as `spent` or `released`, not as {shown(name)}") from None


def _check_resolvable(info: HoldInfo) -> None:
    """Raises `UsageError` saying why there is nothing to resolve, and when there will be."""
    match info.state:
        case ops.HoldState.ASSUMED_SPENT:
            return
        case ops.HoldState.RESERVED | ops.HoldState.DISPATCHED:
            later = f"it can be resolved if nobody has reported on it by {utc(info.expires_us)}"
            raise UsageError(f"hold `{info.id}` belongs to a call that may still be running: {later}")
        case _:
            raise UsageError(
                f"hold `{info.id}` was {info.state.value} at {utc(info.ended_us)}: nothing is left to resolve"
            )


def _actuals(info: HoldInfo, outcome: ops.ResolveAs, cost: str | None) -> dict[str, int]:
    """What the call did cost, by unit; nothing said means that it cost what was held."""
    if cost is None:
        return {}
    if outcome is ops.ResolveAs.RELEASED:
        raise UsageError("a call that did not happen has no cost: leave the amount out")
    money = parse_money(cost)
    if money.currency not in info.amounts:
        raise UsageError(f"hold `{info.id}` holds no {money.currency}: leave the amount out")
    return {money.currency: money.micros}


def _key_answer(record: KeyRecord) -> Answer:
    return {
        "id": record.key_id, "prefix": record.prefix, "agent": record.agent, "user": record.user, "org": record.org,
        "tier": record.tier, "tools": list(record.tools), "label": record.label, "created_us": record.created_us,
        "expires_us": record.expires_us, "revoked_us": record.revoked_us,
        "bound_to": record.bound_to,
        "secrets": [{"created_us": s.created_us, "not_after_us": s.not_after_us} for s in record.secrets],
    }  # fmt: skip


def _hold_answer(info: HoldInfo) -> Answer:
    return {
        "id": info.id, "state": info.state.value, "admitted_us": info.admitted_us, "expires_us": info.expires_us,
        "ended_us": info.ended_us, "amounts": info.amounts, "booked": info.booked, "over": info.over,
        "evidence": info.evidence, "tool": info.tool, "caller": info.caller,
    }  # fmt: skip
