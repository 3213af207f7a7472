"""One record, one line: the bytes that are hashed, stored, exported and read again for years.

The line is JSON with sorted members, no spaces, UTF-8, and only strings, integers up to 2^53-1, arrays and objects: on
that subset every canonical form agrees (RFC 8785), so that anybody can rebuild the bytes with tools of their own.
Encoding is also the one door that text passes on its way into the log: every string goes through `safe_text.clean`, so
that no path, argument or name can bring a secret, a control character or a megabyte into it.

Nearly every record is short plain ASCII, which can be seen on the finished bytes and spares the walk over its strings.
Decoding accepts exactly what encoding would have written, and nothing that merely means the same.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec

from remit.audit.record import FORMAT, MAX_INTEGER, Body, Decision, Record
from remit.audit.safe_text import MASK, clean, may_hold_secret, names_a_secret
from remit.errors import AuditBroken, InvariantBroken

MAX_RECORD_BYTES: Final = 256 * 1024
"""No record is larger, whatever a caller sends; a longer line is refused unread."""

MAX_ITEMS: Final = 64
"""Of a list or a map so many items are kept; the record's `dropped` counts the others."""

MAX_NAME_CHARS: Final = 128
"""Every string that is not listed in `LONGER_CHARS`, and the name of every member."""

LONGER_CHARS: Final = {"path": 1024, "target": 256, "per": 256, "detail": 512, "evidence": 512, "by": 256}
"""Members that may be longer than a name, in characters; values of `arguments` may have `MAX_ARGUMENT_CHARS`."""

MAX_ARGUMENT_CHARS: Final = 256

_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_DECODER: Final = msgspec.json.Decoder(Record, strict=True)
_STRUCTURE: Final = b"{}[]:,-0123456789 "
_LONG_NUMBER: Final = re.compile(rb"[0-9]{16,}")
_PLAIN: Final = bytes(set(range(0x20, 0x7F)) - set(b"\\"))


def encode(record: Record) -> bytes:
    """The line of `record`, without a line feed. Raises `InvariantBroken` for a number that JSON readers would bend."""
    line = _fast(record)
    return line if line is not None else encode_carefully(record)


def encode_carefully(record: Record) -> bytes:
    """The same, string by string: what `encode` does wherever anything could be unusual."""
    cleaner = _Cleaner()
    members = cleaner.map(msgspec.to_builtins(record))
    if cleaner.dropped:
        members["dropped"] = cleaner.dropped + record.dropped
    line = _ENCODER.encode(members)
    if len(line) > MAX_RECORD_BYTES:
        raise InvariantBroken(f"an audit record of {len(line)} bytes is larger than {MAX_RECORD_BYTES}")
    return line


def decode(line: bytes) -> Record:
    """The record that `line` encodes. Raises `AuditBroken` for anything that `encode` would not have written."""
    if len(line) > MAX_RECORD_BYTES:
        raise AuditBroken(f"the record is {len(line)} bytes long; none is longer than {MAX_RECORD_BYTES}")
    try:
        record = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AuditBroken(f"the record cannot be read: {clean(str(error), max_chars=200)}") from None
    if record.format != FORMAT:
        raise AuditBroken(f"the record has format {record.format}; this version of remit reads format {FORMAT}")
    if _ENCODER.encode(record) != line:
        raise AuditBroken("the record is not in the form in which it was written")
    return record


def envelope(*, writer: str, seq: int, time_us: int, body: Body) -> Record:
    """A record of the present format."""
    return Record(writer=writer, seq=seq, time_us=time_us, body=body, format=FORMAT)


def _fast(record: Record) -> bytes | None:
    """The line, if it can be seen that nothing in it needs cleaning or refusing; else None."""
    try:
        line = _ENCODER.encode(record)
    except (UnicodeEncodeError, OverflowError):
        return None
    # Without escapes, quotes only begin and end strings; as many commas bound the items of any list.
    if line.translate(None, _PLAIN) or line.count(b",") > MAX_ITEMS:
        return None
    pieces = line.split(b'"')
    if max(map(len, pieces)) > MAX_NAME_CHARS:
        return None
    between = b" ".join(pieces[::2])
    if between.translate(None, _STRUCTURE) or any(
        int(digits) > MAX_INTEGER for digits in _LONG_NUMBER.findall(between)
    ):
        return None
    if isinstance(record.body, Decision) and any(map(names_a_secret, record.body.arguments)):
        return None
    return None if may_hold_secret(b'"'.join(pieces[1::2]).decode()) else line


T = TypeVar("T")


class _Cleaner:
    """Walks the plain values of one record, bounding and cleaning; remembers how many items did not fit."""

    def __init__(self) -> None:
        self.dropped = 0

    def map(self, members: dict[str, Any]) -> dict[str, Any]:
        """Members with clean ASCII keys; strings bounded by the member's name."""
        return {
            _key(name): self.value(member, name, max_chars=LONGER_CHARS.get(name, MAX_NAME_CHARS))
            for name, member in self.first(list(members.items()))
        }

    def arguments(self, members: dict[str, str]) -> dict[str, str]:
        """Arguments: what has the name of a secret is masked, whatever it looks like."""
        return {
            _key(name): MASK if names_a_secret(name) else clean(text, max_chars=MAX_ARGUMENT_CHARS)
            for name, text in self.first(list(members.items()))
        }

    def first(self, items: Sequence[T]) -> Sequence[T]:
        """As many items as are kept; the others are counted."""
        self.dropped += max(0, len(items) - MAX_ITEMS)
        return items[:MAX_ITEMS]

    def value(self, value: Any, name: str, *, max_chars: int) -> Any:
        """One value: text cleaned, integers checked, containers walked (their depth is that of the record types)."""
        if isinstance(value, str):
            return clean(value, max_chars=max_chars)
        if isinstance(value, dict):
            return self.arguments(value) if name == "arguments" else self.map(value)
        if isinstance(value, (list, tuple)):
            return [self.value(item, name, max_chars=max_chars) for item in self.first(value)]
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INTEGER:
            return value
        raise InvariantBroken(f"the audit log keeps integers up to 2^53-1 and text; `{name}` is neither")


def _key(name: str) -> str:
    """A member's name in ASCII, so that every way of sorting agrees."""
    cleaned = clean(name, max_chars=MAX_NAME_CHARS)
    if cleaned.isascii():
        return cleaned
    shown = "".join(char if char.isascii() else f"<U+{ord(char):04X}>" for char in cleaned)
    return clean(shown, max_chars=MAX_NAME_CHARS)
