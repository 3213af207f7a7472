"""Chains kept by reference: uploaded once with a proof, found by the hash of their text, never read back, gone when over.

A chain of contracts is a few kilobytes, and common proxies refuse headers above eight. A caller uploads it once and then
names it; every request still carries a proof that covers the whole text, and the text is still verified.
"""

import msgspec

from remit.contracts.documents import chain_name
from remit.contracts.verify import VerifiedChain
from remit.errors import CredentialError, StoreCorrupt, UsageError
from remit.ports import Store

KIND = "chain"
MAX_CHAINS = 10_000
MAX_PER_HOLDER = 16


class KeptChain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An uploaded chain: its text, the thumbprint of its leaf's holder, and when it is over (us)."""

    text: str
    holder: str
    expires_us: int
    format: int = 1


class ChainShelf:
    """The uploaded chains of one store."""

    def __init__(self, store: Store) -> None:
        """Empty until `load`."""
        self._store = store
        self._kept: dict[str, KeptChain] = {}

    async def load(self) -> None:
        """Read the chains that are not over yet; the others are forgotten."""
        now_us = self._store.now_us()
        for name, body in await self._store.documents(KIND):
            try:
                kept = msgspec.json.decode(body, type=KeptChain)
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise StoreCorrupt("a stored chain cannot be read; restore the store from a backup") from None
            if kept.expires_us <= now_us:
                await self._store.put(KIND, name, None)
            else:
                self._kept[name] = kept

    def find(self, name: str) -> str:
        """The text of the chain with that name. Raises `CredentialError` in one way, whatever the name."""
        kept = self._kept.get(name)
        if kept is None or kept.expires_us <= self._store.now_us():
            raise CredentialError("no chain is kept here under that name: upload it again, or send the chain itself")
        return kept.text

    async def keep(self, text: str, verified: VerifiedChain) -> str:
        """Keep a chain whose holder has proved possession, and answer its name. Raises `UsageError` at the bounds."""
        name, holder = chain_name(text), verified.leaf_key.thumbprint
        if name in self._kept:
            return name
        await self._drop_ended()
        held = sum(1 for kept in self._kept.values() if kept.holder == holder)
        if held >= MAX_PER_HOLDER or len(self._kept) >= MAX_CHAINS:
            raise UsageError(f"at most {MAX_PER_HOLDER} chains are kept for one holder: wait until one expires")
        kept = KeptChain(text=text, holder=holder, expires_us=verified.expires_us)
        await self._store.put(KIND, name, msgspec.json.encode(kept))
        self._kept[name] = kept
        return name

    async def _drop_ended(self) -> None:
        now_us = self._store.now_us()
        for name in [name for name, kept in self._kept.items() if kept.expires_us <= now_us]:
            await self._store.put(KIND, name, None)
            self._kept.pop(name, None)
