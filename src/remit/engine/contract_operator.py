"""What an operator can do about contracts: revoke one with everything below it, or a key that holds them, and ask what is.

A gate stands for each lineage and each holder, and every admission under a chain passes the gates of all its links. So
nothing needs to know which contracts exist: a gate can be closed before anybody has seen the contract, and for good.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from remit.audit.record import Admin, AdminAction
from remit.contracts import base64url
from remit.core.cell_keys import holder_gate, lineage_gate
from remit.core.ledger import operations as ops
from remit.core.reading import shown
from remit.engine.asking import Arguments, maybe_text, texts
from remit.engine.drafts import AdminDraft
from remit.engine.guard import Engine
from remit.errors import StoreUnavailable, UsageError

REVOKED: Final = "revoked"
"""The reason of a gate that was closed for good; one that was closed by a suspension has another."""

HASH_BYTES: Final = 32
MAX_ASKED: Final = 64
MAX_REASON_CHARS: Final = 256

Command = Callable[[Arguments, str], Awaitable[dict[str, Any]]]
GateKey = Callable[[str], str]


def contract_commands(engine: Engine) -> Mapping[str, Command]:
    """The commands about contracts, by name."""
    desk = _ContractDesk(engine)
    return {"contracts.revoke": desk.revoke, "contracts.revoked": desk.revoked}


class _ContractDesk:
    """The commands of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def revoke(self, arguments: Arguments, by: str) -> dict[str, Any]:
        """Close the gate of one `lineage` or one `holder`, at once and for good; `reason` goes to the record."""
        what, name, key = _gate(maybe_text(arguments, "lineage"), maybe_text(arguments, "holder"))
        reason = (maybe_text(arguments, "reason") or "")[:MAX_REASON_CHARS]
        if await self._revoked([(name, key)]):
            return {what: name, "was_revoked": True}
        close = ops.SetGate(key, ops.Rung.REVOKED, reason=REVOKED)
        detail = f"revoked {what}{f': {reason}' if reason else ''}"
        admin = Admin(action=AdminAction.GATE_SET, by=by, subject=name, detail=detail)
        outcome = await self._engine.store.apply(ops.Batch(self._engine.new_id(), (close,), record=AdminDraft(admin)))
        if not isinstance(outcome, ops.Applied):
            raise StoreUnavailable("the store did not take the revocation: try again")
        return {what: name, "was_revoked": False}

    async def revoked(self, arguments: Arguments, by: str) -> dict[str, Any]:
        """Which of these `lineages` and `holders` are revoked."""
        lineages, holders = texts(arguments, "lineages"), texts(arguments, "holders")
        if len(lineages) + len(holders) > MAX_ASKED:
            raise UsageError(f"ask about at most {MAX_ASKED} lineages and holders at once")
        return {
            "lineages": await self._revoked((name, lineage_gate(name)) for name in lineages),
            "holders": await self._revoked((name, holder_gate(name)) for name in holders),
        }

    async def _revoked(self, gates: Iterable[tuple[str, str]]) -> list[str]:
        """The names of those gates that were closed for good: asked with a batch that holds nothing and changes nothing."""
        named = list(gates)
        if not named:
            return []
        asked = tuple(ops.Gate(key, 1) for _, key in named)
        outcome = await self._engine.store.apply(ops.Batch(self._engine.new_id(), asked))
        if not isinstance(outcome, ops.Refused):
            return []
        return [named[failure.index][0] for failure in outcome.failures if failure.detail == REVOKED]


def _gate(lineage: str | None, holder: str | None) -> tuple[str, str, str]:
    """What is revoked, its name, and the key of its gate. Raises `UsageError`."""
    if (lineage is None) == (holder is None):
        raise UsageError("revoke either a lineage or a holder: `remit inspect` shows both for each contract")
    if lineage is not None:
        return "lineage", _hash(lineage, "lineage"), lineage_gate(lineage)
    assert holder is not None
    return "holder", _hash(holder, "thumbprint"), holder_gate(holder)


def _hash(text: str, what: str) -> str:
    try:
        base64url.decode_exactly(text, length=HASH_BYTES)
    except base64url.NotCanonical:
        raise UsageError(
            f"{shown(text)} is not a {what}: it is 43 characters long, and `remit inspect` shows it"
        ) from None
    return text
