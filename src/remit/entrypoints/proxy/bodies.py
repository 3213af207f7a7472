"""Where a body ends: one small reader per framing, each fed with what the socket gave, each telling what was left over.

A reader returns the payload in what it was fed, sets `complete` when it has seen the end, and then keeps in `rest` the
bytes behind it, which belong to the next message or to nobody. `announced` is the length known so far, so that a body
that will be too long is refused before it has come. Chunked framing is RFC 9112 §7.1.
"""

import re
import sys
from typing import Protocol

from remit.entrypoints.proxy.framing import CRLF, Malformed, is_clean, is_clean_so_far, read_field

MAX_TRAILER_BYTES = 8 * 1024
# A client pays one byte for a chunk that costs us a microsecond: past the first few thousand, chunks must carry something.
FREE_CHUNKS = 4096
MIN_CHUNK_BYTES = 16

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
_SIZE_START = re.compile(rb"[0-9A-Fa-f]{0,16}|[0-9A-Fa-f]{1,16}\r")
_EXTENSION = rb"[ \t]*(?:;[\t\x20-\x7e\x80-\xff]{0,256})?"
_EXTENDED_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})" + _EXTENSION + rb"\r\n")
_EXTENDED_START = re.compile(rb"[0-9A-Fa-f]{0,16}|[0-9A-Fa-f]{1,16}" + _EXTENSION + rb"\r?")
_LONGEST_SIZE_LINE = 300


class BodyReader(Protocol):
    """What every framing can do."""

    complete: bool
    rest: bytes
    announced: int

    @property
    def wants_bytes(self) -> int:
        """So many bytes at most can be fed to it to any use."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the wire, return the payload among them. Raises Malformed. Not called once complete."""
        ...

    def ends_at_close(self) -> bool:
        """Whether a clean end of the connection is the end of the body."""
        ...


class SizedBody:
    """A body of `content-length` bytes."""

    __slots__ = ("announced", "complete", "rest", "wants_bytes")

    def __init__(self, length: int) -> None:
        self.wants_bytes = length
        self.announced = length
        self.complete = length == 0
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        missing = self.wants_bytes
        self.wants_bytes = max(0, missing - len(data))
        if len(data) < missing:
            return data
        self.complete = True
        if len(data) == missing:
            return data
        self.rest = data[missing:]
        return data[:missing]

    def ends_at_close(self) -> bool:
        return False


class UnsizedBody:
    """A body that ends with its connection; only a response may have one."""

    __slots__ = ("announced", "complete", "rest")
    wants_bytes = sys.maxsize

    def __init__(self) -> None:
        self.announced = 0
        self.complete = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        self.announced += len(data)
        return data

    def ends_at_close(self) -> bool:
        return True


class ChunkedBody:
    """A chunked body. `lenient`, for upstreams, skips chunk extensions and counts no chunks; a request may have neither.

    Trailers are read, checked, bounded and dropped: a field that comes after the decision cannot be part of it.
    """

    __slots__ = (
        "_chunks",
        "_held",
        "_in_chunk",
        "_lenient",
        "_missing",
        "_trailer_bytes",
        "announced",
        "complete",
        "rest",
    )
    wants_bytes = sys.maxsize

    def __init__(self, *, lenient: bool = False) -> None:
        self._lenient = lenient
        self._held = b""
        self._missing = 0  # payload bytes of the current chunk still to come
        self._in_chunk = False  # until the CRLF behind the payload has been seen
        self._chunks = 0
        self._trailer_bytes = -1  # -1: the last chunk has not come yet
        self.announced = 0
        self.complete = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        if self._held:
            data = self._held + data
            self._held = b""
        pieces: list[bytes] = []
        position = 0
        while not self.complete and position < len(data):
            reached = self._step(data, position, pieces)
            if reached == position:
                break
            position = reached
        if self.complete:
            self.rest = data[position:]
        else:
            self._held = data[position:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def ends_at_close(self) -> bool:
        return False

    def _step(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        """Read one element of the framing at `position` and return where the next begins; `position` if it is not all here."""
        if self._trailer_bytes >= 0:
            return self._trailer(data, position)
        if not self._in_chunk:
            return self._size(data, position)
        if self._missing:
            piece = data[position : position + self._missing]
            if piece:
                pieces.append(piece)
                self._missing -= len(piece)
            return position + len(piece)
        return self._chunk_end(data, position)

    def _size(self, data: bytes, position: int) -> int:
        line = (_EXTENDED_LINE if self._lenient else _SIZE_LINE).match(data, position)
        if line is None:
            start = data[position : position + _LONGEST_SIZE_LINE]
            if (_EXTENDED_START if self._lenient else _SIZE_START).fullmatch(start) is None:
                raise Malformed("a chunk does not begin with its size in at most 16 hexadecimal digits and CRLF")
            return position
        size = int(line[1], 16)
        if size:
            self._count(size)
        else:
            self._trailer_bytes = 0
        return line.end()

    def _count(self, size: int) -> None:
        self._missing = size
        self._in_chunk = True
        self.announced += size
        self._chunks += 1
        if self._chunks > FREE_CHUNKS + self.announced // MIN_CHUNK_BYTES and not self._lenient:
            raise Malformed("the body comes in too many tiny chunks; send larger ones")

    def _chunk_end(self, data: bytes, position: int) -> int:
        end = data[position : position + 2]
        if end == CRLF:
            self._in_chunk = False
            return position + 2
        if end and end != b"\r":
            raise Malformed("a chunk is longer or shorter than it said")
        return position

    def _trailer(self, data: bytes, position: int) -> int:
        end = data.find(CRLF, position)
        line = data[position:] if end < 0 else data[position:end]
        if self._trailer_bytes + len(line) > MAX_TRAILER_BYTES:
            raise Malformed(f"the trailers are longer than {MAX_TRAILER_BYTES} bytes; send less", status=431)
        if not (is_clean_so_far(line) if end < 0 else is_clean(line)):
            raise Malformed("a trailer has a control character or a bare line break; remove it")
        if end < 0:
            return position
        if line:
            read_field(line)
            self._trailer_bytes += len(line) + 2
        else:
            self.complete = True
        return end + 2
