"""LOG-01, LOG-02, LOG-03, LOG-06 and F2: whatever is done to the log, verification says where."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.audit import record as rec
from remit.audit.chain import Entry, Writer, from_line, genesis, link, to_line
from remit.audit.checkpoint import Checkpoint, Head
from remit.audit.encoding import encode, envelope
from remit.audit.verify import MAX_PROBLEMS, verify
from remit.errors import AuditBroken, InvariantBroken
from tests.audit.samples import ALLOWED, COMMITTED, NOW_US, REFUSED, bodies, small_log

RECORDS = 20
LOG = small_log(RECORDS)


def checkpoint_of(log: list[Entry], *, store: str = "store-1", time_us: int = NOW_US) -> Checkpoint:
    last = {entry.writer: entry for entry in log}
    heads = tuple(Head(entry.writer, entry.seq, entry.hash) for _, entry in sorted(last.items()))
    return Checkpoint(store=store, time_us=time_us, heads=heads, key="0" * 32)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def rewritten(log: list[Entry], at: int, **changes: str) -> list[Entry]:
    """What somebody who may write to the store can do: change a record and compute every later hash anew."""
    forged, head = list(log[:at]), log[at - 1].hash if at else genesis("w")
    for entry in log[at:]:
        encoded = entry.encoded
        for old, new in changes.items():
            encoded = encoded.replace(old.encode(), new.encode())
        head = link(head, encoded)
        forged.append(Entry(entry.writer, entry.seq, encoded, head))
    return forged


def test_an_untouched_log_verifies_and_counts_its_records() -> None:
    writer = Writer.start("w")
    log = [Entry("w", *writer.append(time_us=NOW_US, body=body)) for body in (REFUSED, ALLOWED, COMMITTED)]
    report = verify(log, [checkpoint_of(log)], store="store-1")
    assert report.ok
    assert (report.records, report.kinds) == (3, {"decision": 2, "settlement": 1})
    assert report.heads == (Head("w", 3, writer.head),)
    assert report.sentence() == "3 records of 1 writer verify and agree with 1 checkpoint"


@pytest.mark.parametrize("place", range(RECORDS))
def test_every_flipped_bit_of_a_record_is_found_at_that_record(place: int) -> None:
    entry = LOG[place]
    for bit in range(8 * len(entry.encoded)):
        changed = entry._replace(encoded=flipped(entry.encoded, bit))
        report = verify([*LOG[:place], changed, *LOG[place + 1 :]])
        assert report.problem_count
        assert (report.problems[0].writer, report.problems[0].seq) == ("w", place + 1)


@pytest.mark.parametrize("place", range(RECORDS))
def test_every_flipped_bit_of_a_hash_is_found_at_its_record(place: int) -> None:
    entry = LOG[place]
    for bit in range(8 * len(entry.hash)):
        report = verify([*LOG[:place], entry._replace(hash=flipped(entry.hash, bit)), *LOG[place + 1 :]])
        assert report.problem_count
        assert report.problems[0].seq == place + 1


@pytest.mark.parametrize("place", range(RECORDS))
def test_a_changed_number_or_writer_beside_a_record_is_found(place: int) -> None:
    for changed in (LOG[place]._replace(seq=place + 2), LOG[place]._replace(seq=0), LOG[place]._replace(writer="v")):
        assert not verify([*LOG[:place], changed, *LOG[place + 1 :]]).ok


@given(st.integers(0, RECORDS - 2), st.integers(1, RECORDS))
def test_records_deleted_from_the_middle_are_missed(start: int, count: int) -> None:
    end = min(start + count, RECORDS - 1)
    report = verify([*LOG[:start], *LOG[end:]])
    assert report.problems[0].seq == end + 1
    assert f"records {start + 1} to {end} are missing" in report.problems[0].why


@given(st.integers(0, RECORDS - 1))
def test_a_deleted_tail_is_missed_where_a_checkpoint_was_kept(kept: int) -> None:
    report = verify(LOG[:kept], [checkpoint_of(LOG)])
    assert report.problem_count == 1
    assert f"records {kept + 1} to {RECORDS} are gone" in report.problems[0].why
    assert "2026-11-21 21:43:07 UTC" in report.problems[0].why


def test_a_deleted_tail_goes_unseen_without_a_checkpoint_and_the_report_says_so() -> None:
    report = verify(LOG[:5])
    assert report.ok
    assert "no checkpoint was given" in report.sentence()


def test_a_log_that_was_emptied_altogether_contradicts_its_checkpoint() -> None:
    assert not verify([], [checkpoint_of(LOG)]).ok
    assert verify([]).ok


def test_an_older_copy_that_was_put_back_and_written_on_contradicts_the_checkpoint() -> None:
    writer = Writer("w", LOG[9].seq, LOG[9].hash)
    body = rec.Admin(action=rec.AdminAction.GATE_SET, by="op", subject="other")
    regrown = [Entry("w", *writer.append(time_us=n, body=body)) for n in range(15)]
    assert verify([*LOG[:10], *regrown]).ok  # a chain cannot know that it had another end
    report = verify([*LOG[:10], *regrown], [checkpoint_of(LOG)])
    assert (report.problems[0].seq, report.problem_count) == (RECORDS, 1)
    assert "the log was rewritten" in report.problems[0].why


@given(st.integers(0, RECORDS - 1))
def test_a_chain_computed_anew_by_somebody_else_contradicts_the_checkpoint(place: int) -> None:
    forged = rewritten(LOG, place, op="me")
    assert verify(forged).ok
    assert "the log was rewritten" in verify(forged, [checkpoint_of(LOG)]).problems[0].why


@given(st.integers(0, RECORDS - 1), st.integers(0, RECORDS - 1))
def test_two_records_that_changed_places_are_found(left: int, right: int) -> None:
    log = list(LOG)
    log[left], log[right] = log[right], log[left]
    assert verify(log).ok == (left == right)


@given(st.permutations(LOG))
def test_only_the_order_of_writing_verifies(log: list[Entry]) -> None:
    assert verify(log).ok == (log == LOG)


@given(st.integers(0, RECORDS - 1), st.integers(0, RECORDS))
def test_a_record_that_was_repeated_is_found_wherever_it_is_put(source: int, place: int) -> None:
    report = verify([*LOG[:place], LOG[source], *LOG[place:]])
    assert not report.ok
    if source < place:  # after the original: exactly one record too many
        assert (report.problem_count, report.problems[0].seq) == (1, source + 1)
        assert f"it comes after record {place}; it was repeated or moved" in report.problems[0].why


@given(st.integers(0, RECORDS), bodies)
def test_a_record_that_was_slipped_in_is_found(place: int, body: rec.Body) -> None:
    encoded = encode(envelope(writer="w", seq=place + 1, time_us=1, body=body))
    head = LOG[place - 1].hash if place else genesis("w")
    inserted = Entry("w", place + 1, encoded, link(head, encoded))
    report = verify([*LOG[:place], inserted, *LOG[place:]], [checkpoint_of(LOG)])
    assert report.ok == (place == RECORDS)  # at the end it is simply the next record


def test_a_record_of_one_writer_cannot_pass_for_anothers() -> None:
    other = small_log(3, writer="v")
    assert verify([*LOG, *other]).ok
    moved = [entry._replace(writer="w2") for entry in other]
    assert not verify([*LOG, *moved]).ok


@pytest.mark.parametrize(("writer", "seq"), [("w", 8), ("v", 7)])
def test_a_record_stored_under_another_number_or_writer_is_found_even_if_its_hash_fits(writer: str, seq: int) -> None:
    head = LOG[5].hash
    encoded = encode(envelope(writer=writer, seq=seq, time_us=1, body=COMMITTED))
    report = verify([*LOG[:6], Entry("w", 7, encoded, link(head, encoded))])
    assert report.problem_count == 1
    assert f"it says of itself that it is record {seq} of writer `{writer}`" in report.problems[0].why


def test_interleaved_writers_are_each_checked_by_themselves() -> None:
    other = small_log(RECORDS, writer="v", subject="t")
    mixed = [entry for pair in zip(LOG, other, strict=True) for entry in pair]
    report = verify(mixed, [checkpoint_of(mixed)])
    assert report.ok
    assert [head.writer for head in report.heads] == ["v", "w"]
    report = verify([entry for entry in mixed if entry != other[7]], [checkpoint_of(mixed)])
    assert [(problem.writer, problem.seq) for problem in report.problems] == [("v", 9)]


def test_a_writer_that_disappeared_altogether_is_missed_by_the_checkpoint() -> None:
    other = small_log(3, writer="v")
    report = verify(LOG, [checkpoint_of([*LOG, *other])])
    assert [(problem.writer, problem.seq) for problem in report.problems] == [("v", 3)]


def test_an_older_and_a_newer_checkpoint_are_both_compared() -> None:
    older, newer = checkpoint_of(LOG[:8]), checkpoint_of(LOG)
    assert verify(LOG, [older, newer]).ok
    forged = rewritten(LOG, 5, op="me")
    report = verify(forged, [older, newer])
    assert [problem.seq for problem in report.problems] == [8, RECORDS]


def test_a_log_whose_beginning_was_given_up_goes_on_from_a_checkpoint() -> None:
    older = checkpoint_of(LOG[:8])
    assert not verify(LOG[8:]).ok
    assert verify(LOG[8:], [older, checkpoint_of(LOG[:3]), checkpoint_of(LOG)], since=older.heads).ok
    assert not verify(LOG[9:], since=older.heads).ok
    assert not verify(rewritten(LOG, 6, op="me")[8:], since=older.heads).ok
    assert not verify(LOG[8:], [older], since=[Head("w", 8, bytes(32))]).ok


def test_a_checkpoint_of_another_store_is_a_problem_of_its_own() -> None:
    report = verify(LOG, [checkpoint_of(LOG, store="elsewhere")], store="store-1")
    assert "was made for another store" in report.sentence()


def test_one_fault_is_reported_once_and_not_for_every_record_after_it() -> None:
    broken = LOG[4]._replace(encoded=LOG[4].encoded.replace(b"op", b"me"))
    report = verify([*LOG[:4], broken, *LOG[5:]])
    assert report.problem_count == 1
    assert "record 5 of writer `w`" in report.sentence()
    assert "was changed" in report.sentence()


def test_problems_beyond_the_bound_are_counted_but_not_kept() -> None:
    report = verify([entry._replace(hash=bytes(32)) for entry in small_log(50)])
    assert (len(report.problems), report.problem_count) == (MAX_PROBLEMS, 50)
    assert "(49 more problems after it)" in report.sentence()


def test_verification_reads_a_stream_and_keeps_one_record_at_a_time() -> None:
    seen = 0

    def stream() -> object:
        nonlocal seen
        for entry in LOG:
            seen += 1
            yield entry

    records = stream()
    assert verify(records).records == RECORDS  # type: ignore[arg-type] # a generator of entries, typed loosely here
    assert seen == RECORDS


def test_the_chain_is_the_published_formula_that_anybody_can_compute() -> None:
    head = hashlib.sha256(b"remit-audit-writer-v1\0" + (1).to_bytes(8, "big") + b"w").digest()
    for entry in LOG:
        length = len(entry.encoded).to_bytes(8, "big")
        head = hashlib.sha256(b"remit-audit-record-v1\0" + head + length + entry.encoded).digest()
        assert entry.hash == head


def test_the_hash_covers_lengths_so_that_bytes_cannot_move_between_its_parts() -> None:
    head = genesis("w")
    assert link(head, b"ab") != link(head, b"a")
    assert genesis("w") != genesis("w\0")
    assert len({genesis("a"), genesis("b"), link(genesis("a"), b""), link(genesis("b"), b"")}) == 4
    with pytest.raises(InvariantBroken):
        link(b"short", b"ab")


@pytest.mark.parametrize("name", ["", "x" * 129, "a\nb", "\ud800"])
def test_a_writer_has_a_printable_name(name: str) -> None:
    with pytest.raises(InvariantBroken):
        Writer.start(name)


def test_a_record_that_cannot_be_encoded_leaves_the_writer_where_it_was() -> None:
    writer = Writer.start("w")
    with pytest.raises(InvariantBroken):
        writer.append(time_us=2**60, body=COMMITTED)
    assert (writer.seq, writer.head) == (0, genesis("w"))


@given(bodies)
def test_an_exported_line_gives_back_the_entry_with_its_bytes(body: rec.Body) -> None:
    writer = Writer.start("gw 1")
    entry = Entry("gw 1", *writer.append(time_us=NOW_US, body=body))
    line = to_line(entry)
    assert from_line(line) == entry
    assert from_line(line + b"\n") == entry
    assert verify([from_line(line)]).ok


@given(st.integers(1, 200))
def test_a_torn_last_line_of_an_export_is_refused(missing: int) -> None:
    line = to_line(LOG[3])
    with pytest.raises(AuditBroken):
        from_line(line[:-missing])


@pytest.mark.parametrize("line", [b"", b"{}", b"x" * 400, to_line(LOG[0]).replace(b'"hash"', b'"mash"'), b"\xff" * 300])
def test_a_line_that_is_no_export_is_refused(line: bytes) -> None:
    with pytest.raises(AuditBroken):
        from_line(line)
    with pytest.raises(AuditBroken):
        from_line(to_line(LOG[0]).upper())
