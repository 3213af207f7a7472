"""The open sessions of a store: opened by a verified caller, used only by that caller, over by time or by idleness.

When a session was last used is kept in memory only: after a restart its idle time begins anew, its absolute end stays.
"""

import os
from dataclasses import replace

import msgspec

from remit.audit.record import Admin, AdminAction
from remit.core.caller import Caller
from remit.core.cell_keys import session_gate
from remit.core.ledger import operations as ops
from remit.core.policy import Policy
from remit.engine.drafts import AdminDraft
from remit.engine.ids import DecisionIds
from remit.errors import UsageError
from remit.identity import sessions
from remit.identity.callers import session_of
from remit.identity.sessions import SessionBounds, SessionRecord, SessionWish
from remit.ports import Store

KIND = "session"


class SessionBook:
    """All sessions of one store that are not over yet."""

    def __init__(self, store: Store) -> None:
        """Empty until `load`."""
        self._store = store
        self._records: dict[str, SessionRecord] = {}
        self._last_used_us: dict[str, int] = {}
        self._ids = DecisionIds()

    async def load(self) -> None:
        """Read the sessions; what is over is forgotten."""
        now_us = self._store.now_us()
        for id_, body in await self._store.documents(KIND):
            record = sessions.decode(body)
            if record.closed_us is not None or record.expires_us <= now_us:
                await self._store.put(KIND, id_, None)
            else:
                self._records[id_] = record
                self._last_used_us[id_] = now_us

    async def open(self, caller: Caller, wish: SessionWish, policy: Policy) -> SessionRecord:
        """Open one for `caller`. Raises `UsageError` where the wish is more than the policy allows."""
        rules, now_us = policy.sessions, self._store.now_us()
        await self._drop_ended(caller.id, now_us)
        if sum(1 for record in self._records.values() if record.opener == caller.id) >= rules.open_per_caller:
            raise UsageError(f"this caller has {rules.open_per_caller} open sessions: close one, or let one expire")
        bounds = SessionBounds(
            lifetime_us=rules.lifetime_us, idle_us=rules.idle_us, budget_micros=rules.max_budget_micros,
            calls=rules.max_calls,
        )  # fmt: skip
        record = sessions.open_session(
            os.urandom, wish, bounds, opener=caller.id, currency=policy.currency, now_us=now_us
        )
        admin = Admin(action=AdminAction.SESSION_OPENED, by=f"key {caller.id}", subject=record.session_id)
        await self._store.put(KIND, record.session_id, sessions.encode(record), record=admin)
        self._records[record.session_id] = record
        self._last_used_us[record.session_id] = now_us
        return record

    async def _drop_ended(self, opener: str, now_us: int) -> None:
        over = [
            id_
            for id_, record in self._records.items()
            if record.opener == opener and not record.is_open(now_us, last_used_us=self._last_used_us[id_])
        ]
        for id_ in over:
            await self._store.put(KIND, id_, None)
            self._records.pop(id_, None)
            self._last_used_us.pop(id_, None)

    def use(self, text: str, caller: Caller) -> Caller:
        """`caller` inside the session that it names. Raises `CredentialError` (`session_required`)."""
        id_ = sessions.check_session_id(text)
        now_us = self._store.now_us()
        record = sessions.use_session(
            self._records.get(id_), caller_id=caller.id, now_us=now_us, last_used_us=self._last_used_us.get(id_, 0)
        )
        self._last_used_us[id_] = now_us
        return replace(caller, session=session_of(record))

    async def close(self, text: str, caller: Caller) -> SessionRecord:
        """End a session of `caller`. Raises `CredentialError`."""
        self.use(text, caller)
        record = sessions.close_session(self._records[text], self._store.now_us())
        shut = ops.SetGate(session_gate(text), ops.Rung.REVOKED, until_us=record.expires_us, reason="closed")
        admin = Admin(action=AdminAction.SESSION_CLOSED, by=f"key {caller.id}", subject=text)
        batch = ops.Batch(self._ids.next(self._store.now_us()), (shut,), record=AdminDraft(admin))
        await self._store.apply(batch)
        await self._store.put(KIND, text, None)
        self._records.pop(text, None)
        self._last_used_us.pop(text, None)
        return record


def as_json(record: SessionRecord, now_us: int) -> bytes:
    """What the caller is told of its session."""
    return msgspec.json.encode(
        {
            "session": record.session_id,
            "expires_in": max(0, (record.expires_us - now_us) // 1_000_000),
            "idle_timeout": record.idle_us // 1_000_000,
            "budget": None if record.budget_micros is None else {
                "amount": record.budget_micros, "unit": record.currency, "decimals": 6,
            },
            "calls": record.calls,
        }
    )  # fmt: skip
