"""The target of a request as a proof names it: two spellings of one URI are one target, and nothing else is.

RFC 9449 section 4.3 compares `htu` with the URI of the request after the normalisations of RFC 3986 sections 6.2.2 and
6.2.3: scheme and host in lower case, escapes in upper case and only where they are needed, no dot segments, no default
port, and `/` for an empty path. What those do not make equal is different: `host.` is not `host`, and `//` is not `/`.
An `htu` is defined to have neither query nor fragment, so one that has is refused instead of cut.
"""

from typing import Final

from remit.core.reading import is_digits
from remit.errors import UsageError

MAX_URI_CHARS: Final = 8192 + 512

_DEFAULT_PORTS: Final = {"https": "443", "http": "80"}
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_UNRESERVED: Final = frozenset(_LETTERS + "0123456789-._~")
_PATH_CHARS: Final = _UNRESERVED | frozenset("!$&'()*+,;=:@/%")
_HOST_CHARS: Final = _UNRESERVED | frozenset("!$&'()*+,;=")
_ADDRESS_CHARS: Final = frozenset("0123456789abcdefABCDEF:.")
_HEX: Final = frozenset("0123456789abcdefABCDEF")


def normalise_target(uri: str) -> str:
    """Return the one spelling of an `http` or `https` URI. Raises `UsageError` where it has none.

    Refused are user information, query, fragment, other schemes, and characters or escapes that a URI cannot have.
    """
    scheme, separator, rest = uri.partition("://") if len(uri) <= MAX_URI_CHARS else ("", "", "")
    scheme = scheme.lower()
    if not separator or scheme not in _DEFAULT_PORTS:
        raise UsageError("a target is an `http` or `https` URI")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{_authority(authority, _DEFAULT_PORTS[scheme])}{_path(slash + path)}"


def request_target(origin: str, path: str) -> str:
    """Return the one spelling of what was asked for: `path`, as it was sent, at the public `origin` of this guard."""
    return normalise_target(origin.rstrip("/") + path)


def _authority(authority: str, default_port: str) -> str:
    is_address = authority.startswith("[")
    host, bracket, after = authority.partition("]") if is_address else ("", "", "")
    if is_address:
        if not bracket or (after and not after.startswith(":")) or not _ADDRESS_CHARS.issuperset(host[1:]):
            raise UsageError("the host of the target is malformed")
        name, port = host + bracket, after[1:]
    else:
        name, _, port = authority.partition(":")
        if not name or not _HOST_CHARS.issuperset(name):
            raise UsageError("the host of the target is malformed")
    if port and (not is_digits(port) or port.startswith("0") or len(port) > 5):
        raise UsageError("the port of the target is malformed")
    return name.lower() + (f":{port}" if port not in ("", default_port) else "")


def _path(path: str) -> str:
    if not _PATH_CHARS.issuperset(path):
        raise UsageError("the path of the target holds a character that is not allowed there, such as `?` or `#`")
    return _without_dots(_decoded(path)) or "/"


def _decoded(path: str) -> str:
    """Write escapes in upper case, and characters that need none as themselves (RFC 3986 section 6.2.2)."""
    first, *escapes = path.split("%")
    parts = [first]
    for escape in escapes:
        digits = escape[:2]
        if len(digits) < 2 or not _HEX.issuperset(digits):
            raise UsageError("the path of the target has a `%` without two hexadecimal digits")
        char = chr(int(digits, 16))
        parts.append((char if char in _UNRESERVED else f"%{digits.upper()}") + escape[2:])
    return "".join(parts)


def _without_dots(path: str) -> str:
    """Remove dot segments (RFC 3986 section 5.2.4) from a path that is empty or begins with a slash."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    ends_in_folder = segments[-1] in (".", "..")
    return "/" + "/".join(kept) + ("/" if ends_in_folder and kept else "")
