"""Does the log still say what was written? One pass, in memory that does not grow with the log.

Every record must be readable in exactly the form it was written, name the writer and number under which it is stored,
carry the next number of its writer, and hash to what is stored beside it. That finds whatever was changed, removed from
the middle, inserted, repeated or moved. What a chain cannot know about itself (the end cut off, an older copy put back,
every hash computed anew, a writer gone altogether) shows against signed checkpoints that were kept elsewhere.

Records of different writers may come interleaved; those of one writer must come in the order of their numbers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from remit.audit.chain import genesis, link
from remit.audit.checkpoint import Checkpoint, Head
from remit.audit.encoding import decode
from remit.audit.record import Record
from remit.audit.safe_text import clean
from remit.audit.times import utc
from remit.errors import AuditBroken

MAX_PROBLEMS: Final = 20
"""So many are described; the others are counted."""

MAX_WRITERS: Final = 100_000
"""A log with more writers than this is not one of ours, and must not fill the memory."""


Stored = tuple[str, int, bytes, bytes]
"""A record as a store keeps it: `(writer, seq, encoded, hash)`; a `chain.Entry` is one."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not fit, at record `seq` of `writer`; `why` is a sentence without its subject."""

    writer: str
    seq: int
    why: str

    def __str__(self) -> str:
        return f"record {self.seq} of writer `{clean(self.writer, max_chars=128)}`: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was read and what did not fit. `problems` are the first of `problem_count`, in the order found."""

    records: int
    kinds: dict[str, int]
    heads: tuple[Head, ...]
    checkpoints: int
    problems: tuple[Problem, ...]
    problem_count: int

    @property
    def ok(self) -> bool:
        """Whether everything fits."""
        return self.problem_count == 0

    def sentence(self) -> str:
        """The result for a person: the first problem if there is one, and what the check could not see."""
        counted = f"{_number(self.records, 'record')} of {_number(len(self.heads), 'writer')}"
        if self.problem_count:
            others = f" ({_number(self.problem_count - 1, 'more problem')} after it)" if self.problem_count > 1 else ""
            return f"the audit log does not verify: {self.problems[0]}{others}; {counted} were read"
        if not self.checkpoints:
            return f"{counted} verify; no checkpoint was given, without which a missing end cannot be noticed"
        return f"{counted} verify and agree with {_number(self.checkpoints, 'checkpoint')}"


def verify(
    records: Iterable[Stored],
    checkpoints: Iterable[Checkpoint] = (),
    *,
    store: str | None = None,
    since: Iterable[Head] = (),
) -> Report:
    """Read `records` once and compare them with `checkpoints`, which `verify_checkpoint` has found genuine.

    `store`: the id of the store, where it is known; a checkpoint of another store is a problem of its own. `since`: the
    heads after which the log is to begin, where older records were given up on purpose. Take them from a checkpoint:
    whoever may choose them may also choose what is never looked at.
    """
    check = _Check()
    for head in since:
        check.begin_after(head)
    for checkpoint in checkpoints:
        check.expect(checkpoint, store)
    for entry in records:
        check.read(entry)
    check.finish()
    return check.report()


@dataclass(slots=True)
class _Tail:
    """Where the reading of one writer stands."""

    seq: int
    hash: bytes


@dataclass(slots=True)
class _Check:
    """The state of one pass: a tail per writer, and the heads of checkpoints not reached yet."""

    tails: dict[str, _Tail] = field(default_factory=dict)
    awaited: dict[tuple[str, int], list[tuple[bytes, int]]] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    records: int = 0
    checkpoints: int = 0

    def begin_after(self, head: Head) -> None:
        self.tails[head.writer] = _Tail(head.seq, head.hash)

    def expect(self, checkpoint: Checkpoint, store: str | None) -> None:
        self.checkpoints += 1
        if store is not None and checkpoint.store != store:
            self.report_problem("-", 0, f"the checkpoint of {utc(checkpoint.time_us)} was made for another store")
            return
        for head in checkpoint.heads:
            tail = self.tails.get(head.writer)
            given_up = tail is not None and (head.seq < tail.seq or (head.seq, head.hash) == (tail.seq, tail.hash))
            if given_up:
                continue
            self.awaited.setdefault((head.writer, head.seq), []).append((head.hash, checkpoint.time_us))

    def read(self, entry: Stored) -> None:
        self.records += 1
        tail = self.tails.get(entry[0])
        if tail is None:
            if len(self.tails) >= MAX_WRITERS:
                self.report_problem(entry[0], entry[1], f"there are more than {MAX_WRITERS} writers")
                return
            tail = self.tails[entry[0]] = _Tail(0, genesis(entry[0]))
        why = self._fault(entry, tail)
        if why is not None:
            self.report_problem(entry[0], entry[1], why)
        if entry[1] > tail.seq:
            # Go on from what is stored, so that one fault is reported once and not for every record after it.
            tail.seq, tail.hash = entry[1], entry[3]
            self._compare(entry)

    def finish(self) -> None:
        for (writer, seq), expectations in sorted(self.awaited.items()):
            last = self.tails[writer].seq if writer in self.tails else 0
            when = utc(max(time_us for _, time_us in expectations))
            gone = f"records {last + 1} to {seq} are gone" if last < seq else "it is gone"
            self.report_problem(writer, seq, f"the checkpoint of {when} names it, but {gone} from the log")

    def report_problem(self, writer: str, seq: int, why: str) -> None:
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(writer, seq, why))

    def report(self) -> Report:
        return Report(
            records=self.records,
            kinds=dict(sorted(self.kinds.items())),
            heads=tuple(Head(writer, tail.seq, tail.hash) for writer, tail in sorted(self.tails.items())),
            checkpoints=self.checkpoints,
            problems=tuple(self.problems),
            problem_count=self.problem_count,
        )

    def _fault(self, entry: Stored, tail: _Tail) -> str | None:
        """What is wrong with `entry`, the next that was read of its writer."""
        writer, seq, encoded, digest = entry
        try:
            record = decode(encoded)
        except AuditBroken as error:
            return str(error)
        self._count(record)
        if (record.writer, record.seq) != (writer, seq):
            other = f"record {record.seq} of writer `{clean(record.writer, max_chars=128)}`"
            return f"it says of itself that it is {other}; it was moved"
        if seq <= tail.seq:
            return f"it comes after record {tail.seq}; it was repeated or moved"
        if seq > tail.seq + 1:
            return f"it comes after record {tail.seq}; records {tail.seq + 1} to {seq - 1} are missing"
        if link(tail.hash, encoded) != digest:
            return "its hash does not follow from its content and the record before it; one of them was changed"
        return None

    def _compare(self, entry: Stored) -> None:
        """Hold `entry` against every checkpoint that ends at it."""
        for expected, time_us in self.awaited.pop((entry[0], entry[1]), ()):
            if expected != entry[3]:
                why = f"the checkpoint of {utc(time_us)} has another hash for it; the log was rewritten"
                self.report_problem(entry[0], entry[1], why)

    def _count(self, record: Record) -> None:
        kind = type(record.body).__name__.lower()
        self.kinds[kind] = self.kinds.get(kind, 0) + 1


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
