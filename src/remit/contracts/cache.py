"""Chains that were verified before, so that the signatures of a chain are checked once and not at every call.

Only what was accepted is kept: a refusal costs its sender, and cannot push out what others use by being different each
time, as long as it does not verify. A verdict is found by the SHA-256 of the chain's text, the version of the anchors and
the bounds, and holds inside its own times only, so that a cached answer is the one that verifying again would give.
Revocation is not part of a verdict: it is asked at every admission. Memory is bounded by entries and by the text behind
them; what was not used for the longest time goes first.
"""

from collections import OrderedDict
from hashlib import sha256
from typing import Final

from remit.contracts.anchors import TrustAnchors
from remit.contracts.bounds import IN_HEADERS, Bounds
from remit.contracts.verify import VerifiedChain, verify_chain

MAX_ENTRIES: Final = 4096
MAX_TEXT_BYTES: Final = 32 * 1024 * 1024

_Key = tuple[bytes, str, Bounds]


class ChainCache:
    """Remembers verified chains. One for each guard; it is not shared between threads."""

    def __init__(self, *, max_entries: int = MAX_ENTRIES, max_text_bytes: int = MAX_TEXT_BYTES) -> None:
        self._max_entries: Final = max_entries
        self._max_text_bytes: Final = max_text_bytes
        self._entries: OrderedDict[_Key, tuple[VerifiedChain, int]] = OrderedDict()
        self.text_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def verify(self, chain: str, anchors: TrustAnchors, *, now_us: int, bounds: Bounds = IN_HEADERS) -> VerifiedChain:
        """What `verify_chain` says, without doing it again where it was done. Raises `ContractError` as it does."""
        if len(chain) > bounds.chain_bytes:
            return verify_chain(chain, anchors, now_us=now_us, bounds=bounds)  # refuses, before anything is hashed
        key = (sha256(chain.encode("utf-8", "surrogatepass")).digest(), anchors.version, bounds)
        entry = self._entries.get(key)
        if entry is not None:
            verified = entry[0]
            if verified.not_before_us <= now_us < verified.expires_us:
                self._entries.move_to_end(key)
                return verified
            self._drop(key)
        verified = verify_chain(chain, anchors, now_us=now_us, bounds=bounds)
        self._keep(key, verified, len(chain))
        return verified

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.text_bytes = 0

    def _keep(self, key: _Key, verified: VerifiedChain, size_bytes: int) -> None:
        self._entries[key] = (verified, size_bytes)
        self.text_bytes += size_bytes
        while len(self._entries) > self._max_entries or self.text_bytes > self._max_text_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: _Key) -> None:
        _, size_bytes = self._entries.pop(key)
        self.text_bytes -= size_bytes
