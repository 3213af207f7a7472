"""The API keys of a store, kept in memory for every request and durable before anybody is told of a change.

A key that was revoked is refused twice: here, and by its gate inside the admission itself, so that no request that was
already past this point slips through afterwards.
"""

import os

from remit.audit.record import Admin, AdminAction
from remit.core.caller import Caller
from remit.core.cell_keys import key_gate
from remit.core.ledger import operations as ops
from remit.engine.drafts import AdminDraft
from remit.engine.ids import DecisionIds
from remit.errors import CredentialError, UnknownItem, UsageError
from remit.identity import api_keys
from remit.identity.api_keys import KeyRecord, NewKey
from remit.identity.callers import caller_of_key
from remit.ports import Store

KIND = "key"
MAX_KEYS = 1_000_000


class KeyRing:
    """All keys of one store."""

    def __init__(self, store: Store) -> None:
        """Empty until `load`."""
        self._store = store
        self._records: dict[str, KeyRecord] = {}
        self._ids = DecisionIds()

    async def load(self) -> None:
        """Read every key. Raises `StoreCorrupt` if one cannot be read."""
        for _, body in await self._store.documents(KIND):
            record = api_keys.decode(body)
            self._records[record.key_id] = record

    def authenticate(self, text: str, *, address: str) -> Caller:
        """The caller that presented `text` by itself. Raises `CredentialError`, also for a key that needs a proof."""
        record = self._find(text)
        if record.bound_to is not None:
            raise CredentialError(f"the API key `{record.prefix}` is bound: send it as `DPoP`, with a proof")
        return caller_of_key(record, address=address)

    def authenticate_bound(self, text: str, *, address: str) -> tuple[Caller, str]:
        """The caller that presented `text` with a proof, and the thumbprint that the proof must be signed by."""
        record = self._find(text)
        if record.bound_to is None:
            raise CredentialError(f"the API key `{record.prefix}` is not bound to a key: send it as `Bearer`")
        return caller_of_key(record, address=address), record.bound_to

    def _find(self, text: str) -> KeyRecord:
        parsed = api_keys.parse(text)
        return api_keys.authenticate(self._records.get(parsed.key_id), parsed, self._store.now_us())

    def records(self) -> list[KeyRecord]:
        """Every key, the oldest first."""
        return sorted(self._records.values(), key=lambda record: record.created_us)

    def find(self, key_id: str) -> KeyRecord:
        """One key, by its id or by what may be shown of its text. Raises `UnknownItem`."""
        record = self._records.get(key_id.removeprefix("remit_"))
        if record is None:
            raise UnknownItem(f"there is no key `{key_id}`: `remit keys list` shows them")
        return record

    async def create(
        self,
        *,
        by: str,
        agent: str,
        tools: tuple[str, ...],
        user: str | None = None,
        org: str | None = None,
        tier: str | None = None,
        label: str = "",
        lifetime_us: int | None = None,
        bound_to: str | None = None,
    ) -> NewKey:
        """Make a key; its text is in the answer and nowhere else. Raises `UsageError`."""
        if len(self._records) >= MAX_KEYS:
            raise UsageError(f"a store keeps at most {MAX_KEYS} keys")
        now_us = self._store.now_us()
        made = api_keys.new_key(
            os.urandom, now_us=now_us, agent=agent, tools=tools, user=user, org=org, tier=tier, label=label,
            expires_us=None if lifetime_us is None else now_us + lifetime_us,
            bound_to=bound_to,
        )  # fmt: skip
        await self._keep(made.record, AdminAction.KEY_CREATED, by, f"for agent {agent}")
        return made

    async def rotate(self, key_id: str, *, by: str, overlap_us: int) -> NewKey:
        """A new text for the same key; the old one works on until the overlap is over."""
        made = api_keys.rotate(self.find(key_id), os.urandom, now_us=self._store.now_us(), overlap_us=overlap_us)
        await self._keep(made.record, AdminAction.KEY_ROTATED, by, f"overlap {overlap_us // 1_000_000} s")
        return made

    async def revoke(self, key_id: str, *, by: str) -> KeyRecord:
        """End a key, at once and for good."""
        record = api_keys.revoke(self.find(key_id), self._store.now_us())
        close = ops.SetGate(key_gate(record.key_id), ops.Rung.REVOKED, reason="revoked")
        admin = Admin(action=AdminAction.GATE_SET, by=by, subject=record.prefix, detail="revoked")
        now_us = self._store.now_us()
        await self._store.apply(ops.Batch(self._ids.next(now_us), (close,), record=AdminDraft(admin)))
        await self._keep(record, AdminAction.KEY_REVOKED, by, "")
        return record

    async def _keep(self, record: KeyRecord, action: AdminAction, by: str, detail: str) -> None:
        admin = Admin(action=action, by=by, subject=record.prefix, detail=detail)
        await self._store.put(KIND, record.key_id, api_keys.encode(record), record=admin)
        self._records[record.key_id] = record
