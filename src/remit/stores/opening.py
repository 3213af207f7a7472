"""From the text of a policy or a constructor to an open store."""

from remit.errors import UsageError
from remit.ports import Store
from remit.stores.memory import MemoryStore
from remit.stores.sqlite import SqliteStore

MEMORY = "memory:"
SQLITE = "sqlite:///"


async def open_store(url: str, *, owner_note: str = "remit") -> Store:
    """Open the store that `url` names; `owner_note` tells others who owns it.

    Raises `StoreBusy`, `StoreCorrupt`, `StoreUnavailable`, or `UsageError` for what is no store.
    """
    if url == MEMORY:
        return MemoryStore()
    if url.startswith(SQLITE) and len(url) > len(SQLITE):
        return await SqliteStore.open(url.removeprefix(SQLITE), owner_note=owner_note)
    raise UsageError(f"`{url}` is not a store: write `sqlite:///path/to/file.db` or `memory:`")
