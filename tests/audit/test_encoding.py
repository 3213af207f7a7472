"""One record, one line of canonical JSON, and nothing else is ever read back."""

import json

import msgspec
import pytest
from hypothesis import given, settings

from remit.audit import record as rec
from remit.audit.encoding import (
    LONGER_CHARS,
    MAX_ARGUMENT_CHARS,
    MAX_ITEMS,
    MAX_NAME_CHARS,
    MAX_RECORD_BYTES,
    decode,
    encode,
    encode_carefully,
)
from remit.errors import AuditBroken, InvariantBroken
from tests.audit.samples import ALLOWED, COMMITTED, NOW_US, REFUSED, RISK_CHECK, admins, recorded, records, strings_in

PLAIN = [recorded(body) for body in (REFUSED, ALLOWED, COMMITTED)]


def independent(line: bytes) -> bytes:
    """The same JSON written by somebody else's encoder, with members sorted."""
    return json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@given(records)
def test_every_record_becomes_the_line_that_an_independent_encoder_writes(record: rec.Record) -> None:
    line = encode(record)
    assert line == independent(line)


@given(records)
def test_a_line_reads_back_to_the_record_that_writes_the_same_line(record: rec.Record) -> None:
    line = encode(record)
    assert encode(decode(line)) == line


@given(records)
def test_the_quick_way_and_the_careful_way_write_the_same_bytes(record: rec.Record) -> None:
    assert encode(record) == encode_carefully(record)


@pytest.mark.parametrize("record", PLAIN)
def test_a_plain_record_loses_nothing_on_the_way(record: rec.Record) -> None:
    assert decode(encode(record)) == record
    assert encode(record) == encode_carefully(record)


def test_what_there_is_not_to_say_is_left_out_of_the_line() -> None:
    record = recorded(rec.Admin(action=rec.AdminAction.CLOCK_ACCEPTED, by="op"), time_us=5)
    assert encode(record) == (
        b'{"body":{"action":"clock_accepted","by":"op","kind":"admin"},"format":1,"seq":1,"time_us":5,"writer":"gw-1"}'
    )


def spoiled_lines() -> dict[str, bytes]:
    line = encode(PLAIN[0])
    return {
        "space": line.replace(b":", b": ", 1),
        "line feed at the end": line + b"\n",
        "other order": line[:-1].replace(b'"format":1,', b"") + b',"format":1}',
        "member twice": line.replace(b'"seq":1,', b'"seq":2,"seq":1,'),
        "unknown member": line.replace(b'"seq":1,', b'"seq":1,"sequel":1,'),
        "fraction": line.replace(b'"used":100', b'"used":100.0'),
        "exponent": line.replace(b'"used":100', b'"used":1e2'),
        "number beyond 2^53": line.replace(b'"used":100', b'"used":9007199254740992'),
        "text for a number": line.replace(b'"used":100', b'"used":"100"'),
        "escape that needs none": line.replace(b"acme", b"\\u0061cme"),
        "default spelt out": line.replace(b'"epoch":3', b'"epoch":3,"evidence":""'),
        "zero spelt out": line.replace(b'"id":"dec', b'"hop":0,"id":"dec'),
        "null": line.replace(b'"acme"', b"null"),
        "another kind": line.replace(b'"kind":"decision"', b'"kind":"wish"'),
        "another outcome": line.replace(b'"deny"', b'"shrug"'),
        "format of the future": line.replace(b'"format":1', b'"format":2'),
        "not UTF-8": line.replace(b"acme", b"acm\xff"),
        "nested": b"[" * 100_000,
        "torn": line[:-20],
        "empty": b"",
        "too long": b" " * (MAX_RECORD_BYTES + 1),
    }


@pytest.mark.parametrize("name", spoiled_lines())
def test_a_line_that_encoding_would_not_write_is_refused(name: str) -> None:
    with pytest.raises(AuditBroken):
        decode(spoiled_lines()[name])


@pytest.mark.parametrize("amount", [2**53, -(2**53), 2**64, 2**70])
def test_a_number_that_json_readers_would_bend_is_refused_before_it_is_written(amount: int) -> None:
    with pytest.raises(InvariantBroken):
        encode(recorded(msgspec.structs.replace(REFUSED, amounts={"USD": amount})))


def test_the_largest_integers_survive_exactly() -> None:
    body = msgspec.structs.replace(REFUSED, amounts={"USD": 2**53 - 1, "calls": -(2**53 - 1)})
    assert decode(encode(recorded(body))).body == body


@given(records)
def test_every_string_of_a_record_is_within_its_bound(record: rec.Record) -> None:
    longest = max(*LONGER_CHARS.values(), MAX_ARGUMENT_CHARS, MAX_NAME_CHARS)
    assert all(len(text) <= longest for text in strings_in(json.loads(encode(record))))


@given(admins)
@settings(max_examples=30)
def test_a_name_is_cut_at_its_own_bound_and_says_so(admin: rec.Admin) -> None:
    record = decode(encode(recorded(msgspec.structs.replace(admin, subject="n" * 1000))))
    assert isinstance(record.body, rec.Admin)
    assert len(record.body.subject) == MAX_NAME_CHARS
    assert record.body.subject.endswith("...[872 more]")


def test_items_beyond_the_bound_are_dropped_and_counted() -> None:
    many = tuple(f"limit-{n}" for n in range(MAX_ITEMS + 3))
    arguments = {f"a{n}": "x" for n in range(MAX_ITEMS + 2)}
    record = decode(encode(recorded(msgspec.structs.replace(REFUSED, would_refuse=many, arguments=arguments))))
    assert isinstance(record.body, rec.Decision)
    assert (len(record.body.would_refuse), len(record.body.arguments), record.dropped) == (MAX_ITEMS, MAX_ITEMS, 5)


def test_the_largest_record_that_a_hostile_caller_can_cause_still_fits() -> None:
    worst = "\U0001f4a3" * 5000  # four bytes each, printable
    caller = rec.CallerSeen(
        kind=worst, id=worst, agent=worst, user=worst, org=worst, tier=worst, key_prefix=worst, session=worst
    )
    limit = rec.LimitSeen(name=worst, code=worst, per=worst, unit=worst)
    body = rec.Decision(
        id=worst,
        outcome=rec.Outcome.DENY,
        reason=worst,
        tool=worst,
        caller=caller,
        chain=(rec.Link(holder=worst, agent=worst, lineage=worst),) * 8,
        target=worst,
        method=worst,
        path=worst,
        arguments={f"{worst}{n}"[-5000:]: worst for n in range(70)},
        limit=worst,
        per=worst,
        unit=worst,
        failing=(limit,) * 40,
        would_refuse=(worst,) * 40,
        detail=worst,
    )
    assert len(encode(recorded(body))) <= MAX_RECORD_BYTES


def test_member_names_are_written_in_ascii_so_that_every_way_of_sorting_agrees() -> None:
    arguments = {"\ue000": "1", "\U0001f4a3": "2", "z": "3"}  # UTF-16 and code points sort the first two differently
    line = encode(recorded(msgspec.structs.replace(REFUSED, arguments=arguments)))
    assert b'"arguments":{"<U+1F4A3>":"2","<U+E000>":"1","z":"3"}' in line


def test_the_time_and_the_caller_of_a_record_are_kept_as_given() -> None:
    record = decode(encode(recorded(REFUSED, seq=7)))
    assert (record.seq, record.time_us, record.writer, record.body) == (7, NOW_US, "gw-1", REFUSED)
    assert REFUSED.caller == RISK_CHECK
