"""The first part of the reference verifier: a chain's text becomes links, each of which knows what was signed and how to refuse.

Sizes, form, canonical base64url, strict JSON and no `jti` twice (steps 1 and 2 of the draft's section 7): everything that is
judged before any signature. What a link claims is read here and believed nowhere.
"""

from dataclasses import dataclass
from typing import Final, cast

from tests.contract_reference.narrowing import Constraint
from tests.contract_reference.signatures import Key
from tests.contract_reference.strict_text import (
    Json,
    NotCanonicalError,
    NotJsonError,
    decode_base64url,
    read_json,
)

MAX_CONTRACT_BYTES: Final = 65536
MAX_CHAIN_BYTES: Final = 262144
MAX_HEADER_CHAIN_BYTES: Final = 16384
MAX_HEADER_CHARS: Final = 2048  # a bound of ours; the page names none
MAX_DEPTH: Final = 8


class Refusal(Exception):
    """The first failure: the name of its step, and the link (None: the whole chain)."""

    def __init__(self, step: str, link: int | None, why: str) -> None:
        super().__init__(f"{step} at {link}: {why}")
        self.step = step
        self.link = link
        self.why = why


@dataclass(slots=True)
class Link:
    """One contract while it is verified. `holder` and `tools` are known once its claims have been read."""

    index: int
    header: dict[str, Json]
    claims: dict[str, Json]
    signed: bytes
    signature: bytes
    holder: Key | None = None
    tools: dict[str, dict[str, Constraint]] | None = None

    def refuse(self, step: str, why: str) -> Refusal:
        """The refusal of this link."""
        return Refusal(step, self.index, why)

    def number(self, name: str) -> int:
        """An integer claim that was found sound."""
        return cast(int, self.claims[name])


def read_chain(chain: str, *, in_headers: bool) -> list[Link]:
    """Steps 1 and 2: sizes, form, and no `jti` twice. Strictness of the text comes before any signature."""
    size = len(chain.encode("utf-8", "surrogatepass"))
    if size > (MAX_HEADER_CHAIN_BYTES if in_headers else MAX_CHAIN_BYTES):
        raise Refusal("too_large", None, "the chain")
    if not chain:
        raise Refusal("malformed", None, "no chain")
    parts = chain.split("~")
    if len(parts) > MAX_DEPTH + 1:
        raise Refusal("too_deep", None, "more links than any root may allow")
    for index, part in enumerate(parts):
        if len(part) > MAX_CONTRACT_BYTES:
            raise Refusal("too_large", index, "a contract")
    links = [read_document(part, index) for index, part in enumerate(parts)]
    for index, link in enumerate(links):
        if any(link.claims["jti"] == earlier.claims["jti"] for earlier in links[:index]):
            raise Refusal("duplicate_jti", index, "a contract stands twice in one chain")
    return links


def read_document(text: str, index: int) -> Link:
    """One compact JWS, of two JSON objects, with a `jti` that is a string."""
    parts = text.split(".")
    if len(parts) != 3 or not text.isascii():
        raise Refusal("malformed", index, "not three parts")
    if len(parts[0]) > MAX_HEADER_CHARS:
        raise Refusal("too_large", index, "the header")
    raw = [_bytes(part, index) for part in parts[:2]]
    header, claims = (_object(each, index) for each in raw)
    signature = _bytes(parts[2], index)
    if not isinstance(claims.get("jti"), str):
        raise Refusal("malformed", index, "no `jti` that is a string")
    return Link(index, header, claims, f"{parts[0]}.{parts[1]}".encode(), signature)


def _bytes(part: str, index: int) -> bytes:
    try:
        return decode_base64url(part)
    except NotCanonicalError as error:
        raise Refusal("non_canonical", index, str(error)) from error


def _object(raw: bytes, index: int) -> dict[str, Json]:
    try:
        value = read_json(raw)
    except NotJsonError as error:
        raise Refusal("malformed", index, str(error)) from error
    if not isinstance(value, dict):
        raise Refusal("malformed", index, "not an object")
    return value
