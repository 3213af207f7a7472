"""The grammar of HTTP/1.1 that both directions share: what a header field may look like, read and written.

Every disagreement between two readers of one message is a way past a guard, so bytes that leave room for one are refused
before anything is made of them: a bare CR or LF, a folded line, a control character, space before a colon (RFC 9112
§2.2, §5.1, §5.2; RFC 9110 §5.5). The same care holds for what we write: a value never carries a line break out.

Reading is our own code because the guarantee needs the raw bytes, and a second parser behind the lint would have to be
kept in agreement with it; the tests compare every accepted message with llhttp's reading of it.
"""

import json
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus

from remit.entrypoints.proxy.connection import Header
from remit.errors import BadRequest, InvariantBroken

CRLF = b"\r\n"
END_OF_HEAD = b"\r\n\r\n"
_LINE_BREAKERS = b"\r\n\0"
# Everything that may stand in a head besides CRLF: HTAB, SP, visible ASCII and obs-text.
_PLAIN = bytes(byte for byte in range(256) if byte == 0x09 or (byte >= 0x20 and byte != 0x7F))
_NAME = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # tchar, RFC 9110 §5.6.2
# What RFC 3986 allows in a URI, without "#": a fragment is never sent (RFC 9112 §3.2).
_TARGET = b"-._~%:/?[]@!$&'()*+,;=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
# The methods of RFC 9110 and RFC 5789, and QUERY. Any other word is neither accepted nor sent: what a reader that lost its
# place takes for a method ("ET") is one, too.
METHODS = {
    method.encode(): method
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY", "CONNECT", "TRACE")
}
_METHOD_NAMES = {method: name for name, method in METHODS.items()}
_METHODS_WITH_BODY = frozenset({"PATCH", "POST", "PUT"})
_MAX_LENGTH_DIGITS = 18
_SPACE = b" \t"

MEMO_LINES = 32
MEMO_LINE_BYTES = 256
HeaderMemo = dict[bytes, Header]

# What only the writer of a message may say about it.
FRAMING_FIELDS = frozenset({b"connection", b"content-length", b"keep-alive", b"proxy-connection", b"transfer-encoding"})
_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %b" % (status.value, status.phrase.encode()) for status in HTTPStatus if status >= 200
}


class Malformed(BadRequest):
    """A peer sent bytes that break HTTP's grammar, or bend it. `status` is what a server answers to that."""


def clean_lines(raw: bytes) -> list[bytes] | None:
    """The lines of a head, if it has no control character but HTAB, and CR and LF only as pairs; otherwise None."""
    lines = raw.split(CRLF)
    return lines if raw.translate(None, _PLAIN) == CRLF * (len(lines) - 1) else None


def is_clean(raw: bytes) -> bool:
    """Whether `clean_lines` has something to return."""
    return clean_lines(raw) is not None


def is_clean_so_far(raw: bytes) -> bool:
    """The same for a beginning that may end between CR and LF."""
    return is_clean(raw[:-1] if raw.endswith(b"\r") else raw)


def read_fields(lines: list[bytes], *, max_headers: int, memo: HeaderMemo) -> tuple[Header, ...]:
    """Read clean lines as header fields. `memo` belongs to one connection, whose messages repeat most of their lines."""
    if len(lines) > max_headers:
        raise Malformed(f"more than {max_headers} header fields; send fewer", status=431)
    fields = []
    for line in lines:
        field = memo.get(line)
        if field is None:
            field = read_field(line)
            if len(memo) < MEMO_LINES and len(line) <= MEMO_LINE_BYTES:
                memo[line] = field
        fields.append(field)
    return tuple(fields)


def read_field(line: bytes) -> Header:
    """Read one clean line as `name: value`; the name in lower case, the value without white space around it."""
    name, colon, value = line.partition(b":")
    if not colon or not name or name.translate(None, _NAME):
        if line[:1] in (b" ", b"\t"):
            raise Malformed("a header field continues on a second line; send it on one")
        raise Malformed("a header line is not `name: value`; check its name and the space around it")
    return name.lower(), value.strip(_SPACE)


def is_target(target: bytes) -> bool:
    """Whether every byte may stand in a URI, raw, and there is one."""
    return bool(target) and not target.translate(None, _TARGET)


def content_length(value: bytes) -> int:
    """Read a Content-Length: 1 to 18 digits and nothing else."""
    if not value.isdigit() or len(value) > _MAX_LENGTH_DIGITS:  # isdigit of bytes knows ASCII digits only
        raise Malformed("content-length is not a plain number of at most 18 digits; send one")
    return int(value)


def options(value: bytes) -> frozenset[bytes]:
    """The members of a comma-separated field such as Connection, in lower case."""
    return frozenset(option.strip(_SPACE) for option in value.lower().split(b","))


def write_head(
    status: int,
    headers: Sequence[Header],
    *,
    date: bytes,
    content_length: int | None = None,
    chunked: bool = False,
    close: bool = False,
) -> bytes:
    """Write the head of an answer: `headers` in their order, then our framing and, unless they have one, the date.

    Raises InvariantBroken if a header would break its line or speaks about framing.
    """
    lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status]
    if b"date" not in _add_fields(lines, headers):
        lines.append(date)
    if content_length is not None:
        lines.append(b"content-length: %d" % content_length)
    if chunked:
        lines.append(b"transfer-encoding: chunked")
    if close:
        lines.append(b"connection: close")
    return _end_head(lines)


def write_request(method: str, target: bytes, headers: Sequence[Header], *, host: bytes, body: bytes) -> bytes:
    """Write a whole request, head and body; `host` is the whole Host line. Raises InvariantBroken as `write_head`."""
    name = _METHOD_NAMES.get(method)
    if name is None or not is_target(target):
        raise InvariantBroken("a request was about to be sent with a bad first line; please report this")
    lines = [b"%b %b HTTP/1.1" % (name, target), host]
    if b"host" in _add_fields(lines, headers):
        raise InvariantBroken("a request was about to be sent with a second host; please report this")
    if body or method in _METHODS_WITH_BODY:
        lines.append(b"content-length: %d" % len(body))
    return _end_head(lines) + body


def write_trailers(trailers: Sequence[Header]) -> bytes:
    """Write the end of a chunked body. Raises InvariantBroken as `write_head`."""
    lines = [b"0"]
    _add_fields(lines, trailers)
    return _end_head(lines)


def _add_fields(lines: list[bytes], headers: Sequence[Header]) -> dict[bytes, bytes]:
    """Add a line for each header and return them by name."""
    by_name = dict(headers)
    if not FRAMING_FIELDS.isdisjoint(by_name):
        raise InvariantBroken("a header was about to be written that belongs to the framing; please report this")
    lines += [b": ".join(header) for header in headers]
    return by_name


def _end_head(lines: list[bytes]) -> bytes:
    """Join lines and end the head. Whatever they contain, no line of it begins but where one of them does."""
    head = CRLF.join(lines)
    if len(head) - len(head.translate(None, _LINE_BREAKERS)) != 2 * (len(lines) - 1):
        raise InvariantBroken("a header was about to be written that breaks its line; please report this")
    return head + END_OF_HEAD


def write_refusal(problem: BadRequest, *, date: bytes, bodiless: bool = False) -> bytes:
    """Write the whole answer to a message that cannot be dealt with, as problem details (RFC 9457); it ends the connection.

    A failure of our own (500) says nothing about itself.
    """
    status = problem.status
    body = b""
    headers: list[Header] = []
    if status != HTTPStatus.INTERNAL_SERVER_ERROR:
        body = json.dumps(
            {"title": _phrase(status), "status": status, "detail": str(problem), "reason": problem.code}
        ).encode()
        headers = [(b"content-type", b"application/problem+json")]
        headers.append(
            (b"retry-after", b"1") if status == HTTPStatus.SERVICE_UNAVAILABLE else (b"x-should-retry", b"false")
        )
    head = write_head(status, headers, date=date, content_length=len(body), close=True)
    return head if bodiless else head + body


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"


class DateLine:
    """The Date field (RFC 9110 §6.6.1), written once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._line = b""

    def at(self, unix_s: float) -> bytes:
        """The line for this moment, without its end."""
        second = int(unix_s)
        if second != self._second:
            self._second = second
            self._line = b"date: %b" % formatdate(second, usegmt=True).encode()
        return self._line
