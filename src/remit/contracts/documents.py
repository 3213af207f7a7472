"""The text of a chain: contracts joined by `~`, root first, taken apart before any signature is looked at.

These are the checks that need no key (draft section 7, steps 1 and 2): sizes, the number of links, that each is a signed
document in canonical form, and that no `jti` comes twice. Everything handed out is unverified.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

from remit.contracts.bounds import MAX_CONTRACT_BYTES, MAX_CONTRACT_NESTING, Bounds
from remit.contracts.jws import UnverifiedJws, split_jws
from remit.core.contract_steps import ContractError, Step
from remit.core.reading import shown
from remit.core.strict_json import JsonValue
from remit.errors import UsageError

SEPARATOR: Final = "~"
CHAIN_NAME_PREFIX: Final = "chn_"
MAX_JTI_CHARS: Final = 256

_UUID_LIKE: Final = re.compile(
    r"(?:urn:uuid:|\{)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?", re.I
)
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def join_links(links: Sequence[str]) -> str:
    """Return the one text of a chain that came as several (in MCP: an array). Raises `UsageError`."""
    if not links or any(not link or SEPARATOR in link for link in links):
        raise UsageError("a chain is one or more contracts, each a text of its own")
    return SEPARATOR.join(links)


def chain_name(chain: str) -> str:
    """The name of a chain that was uploaded: `chn_` and the SHA-256 of its text in hexadecimal."""
    return CHAIN_NAME_PREFIX + hashlib.sha256(chain.encode()).hexdigest()


def split_chain(chain: str, bounds: Bounds) -> list[UnverifiedJws]:
    """Take a chain apart. Raises `ContractError`: the first of `too_large` to `duplicate_jti` that applies."""
    if len(chain) > bounds.chain_bytes:
        raise ContractError(Step.TOO_LARGE, f"it is longer than {bounds.chain_bytes} bytes")
    if not chain:
        raise ContractError(Step.MALFORMED, "it is empty")
    if chain.count(SEPARATOR) > bounds.max_depth:
        raise ContractError(Step.TOO_DEEP, f"it has more than {bounds.max_depth + 1} links")
    texts = chain.split(SEPARATOR)
    for link, text in enumerate(texts):
        if len(text) > MAX_CONTRACT_BYTES:
            raise ContractError(Step.TOO_LARGE, f"it is longer than {MAX_CONTRACT_BYTES} bytes", link=link)
    documents = [_document(text, link) for link, text in enumerate(texts)]
    seen: set[JsonValue] = set()
    for link, document in enumerate(documents):
        jti = document.unverified_claims["jti"]
        if jti in seen:
            raise ContractError(Step.DUPLICATE_JTI, f"the `jti` {shown(str(jti))} comes twice", link=link)
        seen.add(jti)
    return documents


def is_jti(jti: JsonValue) -> bool:
    """Say whether `jti` can be an id: up to 256 printable ASCII characters, and in lower case if it is a UUID."""
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI_CHARS or not jti.isascii() or not jti.isprintable():
        return False
    return _UUID_LIKE.fullmatch(jti) is None or _UUID.fullmatch(jti) is not None


def _document(text: str, link: int) -> UnverifiedJws:
    try:
        document = split_jws(text, max_bytes=MAX_CONTRACT_BYTES, max_depth=MAX_CONTRACT_NESTING)
    except ContractError as error:
        raise error.at(link) from None
    if not isinstance(document.unverified_claims.get("jti"), str):
        raise ContractError(Step.MALFORMED, "it has no `jti`, a string", link=link)
    return document
