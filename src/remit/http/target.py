"""The request-target: split once, judged once, forwarded as it came.

A policy that reads one path while the upstream serves another is no policy. So a target has exactly one spelling here:
whatever two parsers might read differently is refused, and what is left is forwarded byte for byte. Refused are another
form than `/path?query`, dot segments and empty segments, `;` and backslash, characters that RFC 3986 does not allow in a
path, and escapes that hide something (a slash or backslash, `%`, `;`, control characters), that are not needed (`%74` is
`t`) or that are not UTF-8. The two hex cases of an escape mean the same, and segments are given decoded.

A trailing slash is left in place: `/x/` has an empty last segment, which no route matches, so it is unknown (404) and
never the same tool as `/x`.
"""

from dataclasses import dataclass
from string import ascii_letters, digits
from typing import Final

from remit.core.reading import shown
from remit.errors import BadRequest

MAX_TARGET_BYTES: Final = 8192
MAX_SEGMENTS: Final = 64
MAX_QUERY_PARAMETERS: Final = 128

_UNRESERVED: Final = (ascii_letters + digits + "-._~").encode()
_PATH_BYTES: Final = _UNRESERVED + b"!$&'()*+,=:@%/"  # RFC 3986 section 3.3, without `;`
_QUERY_BYTES: Final = bytes(set(range(0x21, 0x7F)) - set(b"#;"))
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")
_HIDDEN: Final = frozenset(b"/\\%;\x7f") | frozenset(range(0x20))
_C1_CONTROLS: Final = frozenset(map(chr, range(0x80, 0xA0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A judged request-target.

    `path` is the path as it was sent; `segments` its parts, decoded, none for `/`; `query` the bytes after `?`, not yet
    read; `raw` the whole target, to be forwarded as it is.
    """

    path: str
    segments: tuple[str, ...]
    query: bytes
    raw: bytes


def parse_target(raw: bytes) -> Target:
    """Judge a request-target in origin-form (RFC 9112 section 3.2.1).

    Raises `BadRequest`: status 414 when longer than 8 KiB, else 400. Time is linear in the length.
    """
    if len(raw) > MAX_TARGET_BYTES:
        raise BadRequest(f"the request-target is longer than {MAX_TARGET_BYTES} bytes", status=414)
    path, mark, query = raw.partition(b"?")
    if not path.startswith(b"/"):
        raise BadRequest(f"the request-target {shown(raw)} must start with `/`")
    if mark and not query:
        raise BadRequest("the request-target ends with `?` but has no query: leave the `?` out")
    _check_query(query)
    segments = _segments(path)
    return Target(path=path.decode("ascii"), segments=segments, query=query, raw=raw)


def parse_query(raw: bytes, *, max_parameters: int = MAX_QUERY_PARAMETERS) -> tuple[tuple[str, str], ...]:
    """Read `name=value` pairs between `&`, in order, repeated names kept.

    `+` is a space, escapes are strict UTF-8, names are literal (`a[]` is the name `a[]`), a name without `=` has the value
    "". Raises `BadRequest` for too many pairs, an empty pair or name, `;`, NUL and whatever is not plainly encoded.
    """
    if not raw:
        return ()
    if len(raw) > MAX_TARGET_BYTES:
        raise BadRequest(f"the query is longer than {MAX_TARGET_BYTES} bytes", status=414)
    _check_query(raw)
    if raw.count(b"&") >= max_parameters:
        raise BadRequest(f"the query has more than {max_parameters} parameters")
    return tuple(_parameter(part) for part in raw.split(b"&"))


def single(query: tuple[tuple[str, str], ...], name: str) -> str | None:
    """Return the one value of a parameter, None if it is absent.

    Raises `BadRequest` when it is repeated, or competes with an array of the same name (`name[]`): servers differ in
    which of them they take.
    """
    found = [value for other, value in query if other == name]
    if len(found) > 1 or (found and any(other.startswith(f"{name}[") for other, _ in query)):
        raise BadRequest(f"the query parameter {shown(name)} appears more than once")
    return found[0] if found else None


def _check_query(query: bytes) -> None:
    if query.translate(None, _QUERY_BYTES):
        raise BadRequest("the query holds a character that must be percent-encoded (a space, `#`, `;` or not ASCII)")


def _segments(path: bytes) -> tuple[str, ...]:
    if path.translate(None, _PATH_BYTES):
        raise BadRequest(f"the path {shown(path)} holds a character that is not allowed there")
    if path == b"/":
        return ()
    if path.count(b"/") > MAX_SEGMENTS:
        raise BadRequest(f"the path has more than {MAX_SEGMENTS} segments")
    if b"//" in path:
        raise BadRequest(f"the path {shown(path)} has an empty segment")
    parts = path[1:].split(b"/")
    if b"." in parts or b".." in parts:
        raise BadRequest(f"the path {shown(path)} has a dot segment")
    return tuple(_decoded_segment(part) if b"%" in part else part.decode("ascii") for part in parts)


def _decoded_segment(part: bytes) -> str:
    first, *escapes = part.split(b"%")
    decoded = bytearray(first)
    for escape in escapes:
        byte = _escaped_byte(escape, part)
        if byte in _UNRESERVED or byte in _HIDDEN:
            raise BadRequest(f"the path segment {shown(part)} percent-encodes a character that must not be encoded")
        decoded.append(byte)
        decoded += escape[2:]
    text = _utf8(bytes(decoded), part)
    if not _C1_CONTROLS.isdisjoint(text):
        raise BadRequest(f"the path segment {shown(part)} holds a control character")
    return text


def _parameter(part: bytes) -> tuple[str, str]:
    name, _, value = part.partition(b"=")
    if not name:
        raise BadRequest("the query has an empty parameter or one without a name")
    return _decoded_form(name), _decoded_form(value)


def _decoded_form(part: bytes) -> str:
    first, *escapes = part.replace(b"+", b" ").split(b"%")
    decoded = bytearray(first)
    for escape in escapes:
        decoded.append(_escaped_byte(escape, part))
        decoded += escape[2:]
    if 0 in decoded:
        raise BadRequest("the query holds a NUL character")
    return _utf8(bytes(decoded), part)


def _escaped_byte(escape: bytes, part: bytes) -> int:
    if len(escape) < 2 or not _HEX.issuperset(escape[:2]):
        raise BadRequest(f"{shown(part)} has a `%` without two hexadecimal digits")
    return int(escape[:2], 16)


def _utf8(decoded: bytes, part: bytes) -> str:
    try:
        return decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(f"{shown(part)} is not valid UTF-8 when decoded") from None
