"""Strict JSON for documents that nest deeper than a request may: contracts, whose constraints hold constraints.

What is accepted is exactly what `strict_json` accepts, with another bound on nesting: a constraint 32 levels deep, in its
place inside a contract, stands 68 levels below the document. The nesting is measured on the bytes, before anything
recurses over them.
"""

from typing import Final

from remit.core.strict_json import JsonValue, _decode, _has_lone_surrogate
from remit.errors import BadRequest

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_TO_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def read_deep_json(raw: bytes, *, max_bytes: int, max_depth: int) -> JsonValue:
    """Decode one JSON document of at most `max_depth` nested arrays and objects; raises `BadRequest` like `read_json`."""
    if len(raw) > max_bytes:
        raise BadRequest(f"the JSON is longer than {max_bytes} bytes", status=413)
    if raw.startswith(_BYTE_ORDER_MARK):
        raise BadRequest("the JSON starts with a byte order mark: send plain UTF-8")
    if _is_deeper(raw, max_depth):
        raise BadRequest(f"the JSON is nested deeper than {max_depth} levels or its brackets do not match")
    value = _decode(raw)
    if _has_lone_surrogate(raw):
        raise BadRequest("a JSON string holds half of a surrogate pair")
    return value


def _is_deeper(raw: bytes, max_depth: int) -> bool:
    """Peel matching pairs off, the innermost first: what is left after `max_depth` rounds is too deep, or has no match.

    Each round takes time linear in what is left.
    """
    if raw.count(b"[") + raw.count(b"{") <= max_depth:
        return False
    outside_strings = raw.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    brackets = b"".join(outside_strings).translate(_TO_SQUARE, _NOT_BRACKETS)
    for _ in range(max_depth):
        peeled = brackets.replace(b"[]", b"")
        if len(peeled) in (0, len(brackets)):
            return bool(peeled)
        brackets = peeled
    return bool(brackets)
