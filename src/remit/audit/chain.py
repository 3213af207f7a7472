"""The chain: each line's hash covers the hash of the line before, so that none can be changed, removed or moved unseen.

    hash(n) = SHA-256("remit-audit-record-v1" 0x00 || hash(n-1) || length of line n, 8 bytes, big-endian || line n)

The line itself names its writer and number, and `hash(0)` is made of the writer's name, so that lines of one writer
cannot pass for another's. There is one chain per writer (a process that owns a store, a replica), because one head for
all would be the hottest row in the database. A chain alone does not notice that its end is missing, or that somebody
who may write to the store computed all of it anew: signed checkpoints, kept elsewhere, do (`checkpoint`).
"""

import hashlib
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from remit.audit.encoding import MAX_NAME_CHARS, MAX_RECORD_BYTES, decode, encode, envelope
from remit.audit.record import Body
from remit.audit.safe_text import clean
from remit.errors import AuditBroken, InvariantBroken

HASH_BYTES: Final = 32
_RECORD_DOMAIN: Final = b"remit-audit-record-v1\0"
_WRITER_DOMAIN: Final = b"remit-audit-writer-v1\0"

_LINE_START: Final = b'{"hash":"'
_LINE_MIDDLE: Final = b'","record":'
_LINE_END: Final = b"}"
_RECORD_AT: Final = len(_LINE_START) + 2 * HASH_BYTES + len(_LINE_MIDDLE)


class Entry(NamedTuple):
    """A record as a store keeps it: who wrote it, its number, its bytes and its place in the chain."""

    writer: str
    seq: int
    encoded: bytes
    hash: bytes


def genesis(writer: str) -> bytes:
    """The hash before the first record of `writer`."""
    name = writer.encode()
    return hashlib.sha256(_WRITER_DOMAIN + len(name).to_bytes(8, "big") + name).digest()


def link(previous: bytes, encoded: bytes) -> bytes:
    """The hash of the record whose bytes are `encoded`, after the one whose hash is `previous` (32 bytes)."""
    if len(previous) != HASH_BYTES:
        raise InvariantBroken(f"a hash in the audit chain has {HASH_BYTES} bytes, not {len(previous)}")
    return hashlib.sha256(_RECORD_DOMAIN + previous + len(encoded).to_bytes(8, "big") + encoded).digest()


@dataclass(slots=True)
class Writer:
    """Where one writer stands: the number and the hash of its last record (a store keeps both with its records).

    It runs ahead of the store: whoever fails to make an entry durable goes back to what the store holds
    (`Writer(writer, seq, head)`), so that no number is ever skipped.
    """

    writer: str
    seq: int
    head: bytes

    @classmethod
    def start(cls, writer: str) -> Self:
        """A writer that has written nothing. `writer`: 1 to 128 printable ASCII characters, never used before."""
        if not (0 < len(writer) <= MAX_NAME_CHARS and clean(writer, max_chars=MAX_NAME_CHARS) == writer):
            raise InvariantBroken("a writer of the audit log needs a name of 1 to 128 printable characters, no secret")
        return cls(writer, 0, genesis(writer))

    def append(self, *, time_us: int, body: Body) -> tuple[int, bytes, bytes]:
        """The next record as `(seq, encoded, hash)`; nothing has moved if it raises."""
        seq = self.seq + 1
        encoded = encode(envelope(writer=self.writer, seq=seq, time_us=time_us, body=body))
        self.seq, self.head = seq, link(self.head, encoded)
        return seq, encoded, self.head


def to_line(entry: Entry) -> bytes:
    """An entry as one line of JSON for an export, without a line feed; the record's bytes stay as they were hashed."""
    return _LINE_START + entry.hash.hex().encode() + _LINE_MIDDLE + entry.encoded + _LINE_END


def from_line(line: bytes) -> Entry:
    """The entry that `to_line` wrote. Raises `AuditBroken` for a torn or foreign line; checks no hash (`verify` does)."""
    line = line.removesuffix(b"\n")
    if len(line) > _RECORD_AT + MAX_RECORD_BYTES + len(_LINE_END):
        raise AuditBroken(f"the line is {len(line)} bytes long; no exported record is")
    hexadecimal, encoded = line[len(_LINE_START) : len(_LINE_START) + 2 * HASH_BYTES], line[_RECORD_AT:-1]
    try:
        digest = bytes.fromhex(hexadecimal.decode("ascii"))
    except ValueError:
        raise AuditBroken("the line is torn, or no exported audit record") from None
    record = decode(encoded)
    entry = Entry(record.writer, record.seq, encoded, digest)
    if to_line(entry) != line:
        raise AuditBroken("the line is torn, or no exported audit record")
    return entry
