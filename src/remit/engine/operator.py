"""What an operator can ask of a running guard, by name: the one list behind the control socket and the command line.

Every command takes and gives plain JSON values, so that it works the same through the socket of the process that owns
the store and on a store that nobody owns. Commands that change something are recorded with who asked.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from remit.audit.record import Admin, AdminAction
from remit.core.ledger import operations as ops
from remit.core.money import parse_money
from remit.engine.drafts import AdminDraft
from remit.engine.guard import Engine
from remit.engine.keyring import KeyRing
from remit.errors import UnknownItem, UsageError
from remit.identity.api_keys import KeyRecord
from remit.ports import AuditQuery, HoldInfo

Arguments = Mapping[str, Any]
Answer = dict[str, Any]
Command = Callable[[Arguments, str], Awaitable[Answer]]

MAX_PAGE = 1000
OPEN_STATES = (ops.HoldState.RESERVED, ops.HoldState.DISPATCHED, ops.HoldState.ASSUMED_SPENT)


class Operator:
    """The commands. `extra` adds those that need more than the engine: `policy.reload`, `status`."""

    def __init__(self, engine: Engine, keys: KeyRing, extra: Mapping[str, Command] | None = None) -> None:
        """Commands are looked up by name in one table."""
        self._engine = engine
        self._store = engine.store
        self._keys = keys
        self.commands: dict[str, Command] = {
            "keys.create": self._create_key,
            "keys.list": self._list_keys,
            "keys.rotate": self._rotate_key,
            "keys.revoke": self._revoke_key,
            "holds.list": self._list_holds,
            "holds.resolve": self._resolve_hold,
            "limits.list": self._list_cells,
            "limits.thaw": self._thaw,
            "audit.page": self._audit_page,
            "clock.accept": self._accept_clock,
            "health": self._health,
        } | dict(extra or {})

    async def do(self, command: str, arguments: Arguments, *, by: str) -> Answer:
        """Carry out one command. Raises `UsageError` for one that does not exist, and what the command raises."""
        found = self.commands.get(command)
        if found is None:
            raise UsageError(f"there is no command `{command[:64]}`")
        return await found(arguments, by)

    async def _create_key(self, arguments: Arguments, by: str) -> Answer:
        tools = arguments.get("tools")
        made = await self._keys.create(
            by=by,
            agent=_text(arguments, "agent"),
            tools=tuple(tools) if isinstance(tools, list) else (),
            user=_maybe(arguments, "user"),
            org=_maybe(arguments, "org"),
            tier=_maybe(arguments, "tier"),
            label=_maybe(arguments, "label") or "",
            lifetime_us=arguments.get("lifetime_us"),
        )
        return {"key": made.text, "record": _key_answer(made.record)}

    async def _list_keys(self, arguments: Arguments, by: str) -> Answer:
        return {"keys": [_key_answer(record) for record in self._keys.records()], "now_us": self._store.now_us()}

    async def _rotate_key(self, arguments: Arguments, by: str) -> Answer:
        made = await self._keys.rotate(_text(arguments, "key"), by=by, overlap_us=int(arguments.get("overlap_us", 0)))
        return {"key": made.text, "record": _key_answer(made.record)}

    async def _revoke_key(self, arguments: Arguments, by: str) -> Answer:
        return {"record": _key_answer(await self._keys.revoke(_text(arguments, "key"), by=by))}

    async def _list_holds(self, arguments: Arguments, by: str) -> Answer:
        states: tuple[ops.HoldState, ...] = OPEN_STATES
        if wanted := arguments.get("states"):
            states = tuple(ops.HoldState(state) for state in wanted)
        infos = await self._store.holds(states=states, limit=min(int(arguments.get("limit", MAX_PAGE)), MAX_PAGE))
        return {"holds": [_hold_answer(info) for info in infos], "now_us": self._store.now_us()}

    async def _resolve_hold(self, arguments: Arguments, by: str) -> Answer:
        hold = _text(arguments, "hold")
        info = await self._store.hold(hold)
        if info is None:
            raise UnknownItem(f"there is no hold `{hold}`: `remit holds` shows the open ones")
        actuals = {}
        if cost := _maybe(arguments, "cost"):
            money = parse_money(cost)
            if money.currency not in info.amounts:
                raise UsageError(f"hold `{hold}` holds no {money.currency}")
            actuals = {money.currency: money.micros}
        outcome = ops.ResolveAs(_text(arguments, "outcome"))
        admin = Admin(action=AdminAction.HOLD_RESOLVED, by=by, subject=hold, detail=outcome.value, amounts=actuals)
        resolve = ops.Resolve(hold, outcome, actuals)
        batch = ops.Batch(self._engine.new_id(), (resolve,), record=AdminDraft(admin))
        answer = await self._store.apply(batch)
        if isinstance(answer, ops.Refused):
            raise UsageError(f"hold `{hold}` is {info.state.value}; only one that is assumed spent can be resolved")
        after = await self._store.hold(hold)
        return {"hold": _hold_answer(after or info)}

    async def _list_cells(self, arguments: Arguments, by: str) -> Answer:
        cells = await self._store.cells(_maybe(arguments, "prefix") or "", limit=MAX_PAGE)
        wanted = bool(arguments.get("frozen"))
        rows = [
            {"key": c.key, "used": c.used, "held": c.held, "over": c.over, "frozen": c.frozen}
            for c in cells
            if c.frozen or not wanted
        ]
        return {"cells": rows}

    async def _thaw(self, arguments: Arguments, by: str) -> Answer:
        key = _text(arguments, "key")
        cells = [cell for cell in await self._store.cells(key) if cell.key == key]
        if not cells:
            raise UnknownItem("there is no such cell: `remit limits --frozen` shows the frozen ones")
        admin = Admin(action=AdminAction.GATE_SET, by=by, subject=key, detail="thawed")
        thaw = ops.SetGate(key, ops.Rung.OPEN, reason=_maybe(arguments, "reason") or "")
        await self._store.apply(ops.Batch(self._engine.new_id(), (thaw,), record=AdminDraft(admin)))
        return {"key": key, "was_frozen": cells[0].frozen}

    async def _audit_page(self, arguments: Arguments, by: str) -> Answer:
        query = AuditQuery(
            writer=_maybe(arguments, "writer"),
            after=int(arguments.get("after", 0)),
            limit=min(int(arguments.get("limit", MAX_PAGE)), MAX_PAGE),
            ids=tuple(arguments.get("ids", ())),
            newest=bool(arguments.get("newest")),
        )
        entries = await self._store.audit(query)
        rows = [
            {"writer": e.writer, "seq": e.seq, "time_us": e.time_us, "body": e.body.decode(), "hash": e.hash.hex()}
            for e in entries
        ]
        return {"entries": rows}

    async def _accept_clock(self, arguments: Arguments, by: str) -> Answer:
        admin = Admin(action=AdminAction.CLOCK_ACCEPTED, by=by)
        return {"moved_us": await self._store.accept_clock(record=admin)}

    async def _health(self, arguments: Arguments, by: str) -> Answer:
        health = self._store.health()
        return {
            "ok": health.ok, "detail": health.detail, "clock_parted_us": health.clock_parted_us,
            "figures": health.figures, "durable": self._store.durable, "epoch": self._store.epoch,
        }  # fmt: skip


def _text(arguments: Arguments, name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise UsageError(f"`{name}` is missing")
    return value


def _maybe(arguments: Arguments, name: str) -> str | None:
    value = arguments.get(name)
    return value if isinstance(value, str) and value else None


def _key_answer(record: KeyRecord) -> Answer:
    return {
        "id": record.key_id, "prefix": record.prefix, "agent": record.agent, "user": record.user, "org": record.org,
        "tier": record.tier, "tools": list(record.tools), "label": record.label, "created_us": record.created_us,
        "expires_us": record.expires_us, "revoked_us": record.revoked_us,
        "secrets": [{"created_us": s.created_us, "not_after_us": s.not_after_us} for s in record.secrets],
    }  # fmt: skip


def _hold_answer(info: HoldInfo) -> Answer:
    return {
        "id": info.id, "state": info.state.value, "admitted_us": info.admitted_us, "expires_us": info.expires_us,
        "ended_us": info.ended_us, "amounts": info.amounts, "booked": info.booked, "over": info.over,
        "evidence": info.evidence, "tool": info.tool, "caller": info.caller,
    }  # fmt: skip
