"""What the head of a message says: a request read for the server, a response read for the upstream client.

Both start from the raw bytes between the start of the message and its empty line. Whatever could be framed in two ways
is refused (RFC 9112 §6.1–6.3): two lengths, a length beside a transfer coding, a coding that is not exactly `chunked`.
"""

import re
from typing import NamedTuple

from remit.entrypoints.proxy.bounds import ServerLimits, UpstreamLimits
from remit.entrypoints.proxy.connection import Header, RequestHead
from remit.entrypoints.proxy.framing import (
    METHODS,
    HeaderMemo,
    Malformed,
    clean_lines,
    content_length,
    is_target,
    options,
    read_fields,
)

REMEMBERED_HEAD_BYTES = 2048

_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_MINORS = {b"HTTP/1.1": 1, b"HTTP/1.0": 0}
# uri-host [ ":" port ] of RFC 9110 §7.2: a name or IPv4 address, or an IPv6 address in brackets.
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
# Fields that steer reading and may be lists; and those of a response that may not.
_LISTS = frozenset({b"connection", b"http2-settings", b"upgrade"})
_RESPONSE_STEERING = _LISTS | {b"content-length", b"content-type", b"transfer-encoding"}
_NO_OPTIONS: frozenset[bytes] = frozenset()
_USUAL_OPTIONS = {value: options(value) for value in (b"keep-alive", b"close", b"Keep-Alive", b"Close")}


class RequestReader:
    """Reads the heads of one client connection, and knows what it read before: the same bytes mean the same head."""

    __slots__ = ("_head", "_limits", "_memo", "_peer", "_raw", "_steering")

    def __init__(self, *, peer: str, limits: ServerLimits) -> None:
        self._peer = peer
        self._limits = limits
        self._steering = limits.single_fields | _LISTS
        self._memo: HeaderMemo = {}
        self._raw = b""
        self._head: RequestHead | None = None

    def read(self, raw: bytes) -> RequestHead:
        """Read a head without its empty line. Raises Malformed with the status to answer."""
        if self._head is not None and raw == self._raw:
            return self._head
        head = self._read(raw)
        if len(raw) <= REMEMBERED_HEAD_BYTES:
            self._raw, self._head = raw, head
        return head

    def _read(self, raw: bytes) -> RequestHead:
        lines = clean_lines(raw)
        if lines is None:
            raise Malformed("the request head has a control character or a bare line break; remove it")
        method, target, minor = _request_line(lines[0], self._limits)
        headers = read_fields(lines[1:], max_headers=self._limits.max_headers, memo=self._memo)
        fields = _fields_that_steer(headers, self._steering)
        host = fields.get(b"host")
        if (host is None and minor) or (host is not None and _HOST.fullmatch(host) is None):
            raise Malformed("the request needs one host field with a host and perhaps a port")
        length, chunked = _framing(fields, minor)
        connection = _connection(fields)
        upgrade = method == "CONNECT" or b"upgrade" in fields or b"http2-settings" in fields or b"upgrade" in connection
        expects = b"expect" in fields and _expects_continue(fields[b"expect"], minor)
        return RequestHead(
            method=method,
            target=target,
            headers=headers,
            peer=self._peer,
            host=host,
            minor=minor,
            keep_alive=minor == 1 and not upgrade and b"close" not in connection,
            content_length=length,
            chunked=chunked,
            upgrade=upgrade,
            expects_continue=expects and bool(length or chunked),
        )


def _request_line(line: bytes, limits: ServerLimits) -> tuple[str, bytes, int]:
    if len(line) > limits.max_line_bytes:
        raise Malformed(f"the request line is longer than {limits.max_line_bytes} bytes; shorten it", status=414)
    parts = line.split(b" ")
    if len(parts) != 3:
        raise Malformed("the request does not begin with `method target version`")
    name, target, version = parts
    minor = _MINORS.get(version)
    if minor is None:
        known = _VERSION.fullmatch(version) is not None
        raise Malformed("only HTTP/1.1 and HTTP/1.0 are spoken here", status=505 if known else 400)
    method = METHODS.get(name)
    if method is None:
        word = name.isalpha() and name.isupper()
        raise Malformed("the method is not one that is known here, in capitals", status=501 if word else 400)
    if not is_target(target):
        raise Malformed("the request target has a character that a url cannot have; percent-encode it")
    if target[0] != 0x2F and method != "CONNECT" and not (target == b"*" and method == "OPTIONS"):
        raise Malformed("the request target must begin with a slash")
    return method, target, minor


def _fields_that_steer(headers: tuple[Header, ...], steering: frozenset[bytes]) -> dict[bytes, bytes]:
    """Those of the fields that decide how a message is read, each once; lists are joined, others may not repeat."""
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in steering:
            if name not in fields:
                fields[name] = value
            elif name in _LISTS:
                fields[name] = b"%b,%b" % (fields[name], value)
            else:
                raise Malformed(f"the field `{name.decode()}` may be sent only once")
    return fields


def _connection(fields: dict[bytes, bytes]) -> frozenset[bytes]:
    value = fields.get(b"connection")
    if value is None:
        return _NO_OPTIONS
    return _USUAL_OPTIONS.get(value) or options(value)


def _framing(fields: dict[bytes, bytes], minor: int) -> tuple[int | None, bool]:
    coding = fields.get(b"transfer-encoding")
    length = fields.get(b"content-length")
    if coding is None:
        return (None if length is None else content_length(length)), False
    if length is not None or not minor:
        raise Malformed("a transfer coding stands beside a content-length or in HTTP/1.0; send one framing")
    if coding.lower() != b"chunked":
        raise Malformed("the only transfer coding understood here is one `chunked`", status=501)
    return None, True


def _expects_continue(expectation: bytes, minor: int) -> bool:
    if not minor:  # RFC 9110 §10.1.1: an expectation in HTTP/1.0 is ignored
        return False
    if expectation.lower() != b"100-continue":
        raise Malformed("the only expectation that can be met is `100-continue`", status=417)
    return True


class ResponseHead(NamedTuple):
    """What an upstream said before its body. `keep_alive` is false whenever the connection cannot be used again."""

    status: int
    headers: tuple[Header, ...]
    content_length: int | None
    chunked: bool
    keep_alive: bool


class ResponseReader:
    """The same for the heads of one connection to an upstream."""

    __slots__ = ("_head", "_limits", "_memo", "_raw")

    def __init__(self, *, limits: UpstreamLimits) -> None:
        self._limits = limits
        self._memo: HeaderMemo = {}
        self._raw = b""
        self._head: ResponseHead | None = None

    def read(self, raw: bytes) -> ResponseHead:
        """Read a head without its empty line. Raises Malformed."""
        if self._head is not None and raw == self._raw:
            return self._head
        head = self._read(raw)
        if len(raw) <= REMEMBERED_HEAD_BYTES:
            self._raw, self._head = raw, head
        return head

    def _read(self, raw: bytes) -> ResponseHead:
        lines = clean_lines(raw)
        if lines is None:
            raise Malformed("its head has a control character or a bare line break")
        start = _STATUS_LINE.fullmatch(lines[0])
        if start is None:
            raise Malformed("it does not begin with a status line of HTTP/1.1 or HTTP/1.0")
        headers = read_fields(lines[1:], max_headers=self._limits.max_headers, memo=self._memo)
        fields = _fields_that_steer(headers, _RESPONSE_STEERING)
        minor = int(start[1])
        length, chunked = _framing(fields, minor)
        return ResponseHead(
            status=int(start[2]),
            headers=headers,
            content_length=length,
            chunked=chunked,
            keep_alive=minor == 1 and b"close" not in _connection(fields),
        )
