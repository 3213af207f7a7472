"""What an operator can ask of the audit log: pages of it, where it ends, and the checkpoints kept beside it.

Checkpoints are signed by whoever asks for the heads, with a key that the guard never sees; here they are only kept.
"""

from typing import Any

from remit.audit.checkpoint import MAX_CHECKPOINT_CHARS, PREFIX
from remit.engine.asking import Arguments, flag, maybe_text, text, texts, whole
from remit.errors import UsageError
from remit.ports import AuditEntry, AuditQuery, Store

Answer = dict[str, Any]

MAX_PAGE = 1000
MAX_CHECKPOINTS = 1000


class AuditDesk:
    """The audit commands of one store."""

    def __init__(self, store: Store) -> None:
        """Nothing is read yet."""
        self._store = store

    async def page(self, arguments: Arguments, by: str) -> Answer:
        """Records in order of writer and number: `after` a number, of one `writer`, or those that mention `ids`."""
        query = AuditQuery(
            writer=maybe_text(arguments, "writer"),
            after=whole(arguments, "after"),
            limit=min(whole(arguments, "limit", default=MAX_PAGE), MAX_PAGE),
            ids=texts(arguments, "ids"),
            newest=flag(arguments, "newest"),
        )
        return {"entries": [_entry_answer(entry) for entry in await self._store.audit(query)]}

    async def heads(self, arguments: Arguments, by: str) -> Answer:
        """Where every writer's chain ends, with what a checkpoint needs besides: the store's id and time."""
        heads = await self._store.heads()
        return {
            "store": self._store.store_id,
            "now_us": self._store.now_us(),
            "heads": [{"writer": writer, "seq": seq, "hash": hash_.hex()} for writer, seq, hash_ in heads],
        }

    async def keep_checkpoint(self, arguments: Arguments, by: str) -> Answer:
        """Keep a signed checkpoint beside the log."""
        line = text(arguments, "line")
        if len(line) > MAX_CHECKPOINT_CHARS or not line.startswith(f"{PREFIX}.") or not line.isprintable():
            raise UsageError("this is no checkpoint: `remit audit checkpoint` makes one")
        await self._store.keep_checkpoint(line, self._store.now_us())
        return {}

    async def checkpoints(self, arguments: Arguments, by: str) -> Answer:
        """The newest checkpoints that were kept, oldest first."""
        limit = min(whole(arguments, "limit", default=MAX_CHECKPOINTS), MAX_CHECKPOINTS)
        return {"checkpoints": await self._store.checkpoints(limit=limit)}


def _entry_answer(entry: AuditEntry) -> Answer:
    """A record for a line of JSON. Bytes that are not even text were damaged, and travel as they are, in hexadecimal."""
    row: Answer = {"writer": entry.writer, "seq": entry.seq, "time_us": entry.time_us, "hash": entry.hash.hex()}
    try:
        return row | {"body": entry.body.decode()}
    except UnicodeDecodeError:
        return row | {"damaged": entry.body.hex()}
