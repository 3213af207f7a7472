"""JSON that two readers could understand differently is refused; the rest is read exactly."""

import json
import string
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.reading import MAX_INTEGER
from remit.core.strict_json import (
    MAX_DEPTH,
    ExactNumber,
    JsonValue,
    compare_numbers,
    json_equal,
    read_json,
    read_number,
)
from remit.errors import BadRequest
from tests.core_leaves.work import refused

MEGABYTE = 1_000_000

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | texts
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=20
)
fractions = st.decimals(min_value=-9_000_000, max_value=9_000_000, places=9).filter(lambda number: number != 0)


def read(raw: bytes) -> JsonValue:
    return read_json(raw, max_bytes=2 * MEGABYTE)


def exact(text: str) -> int | ExactNumber:
    return read_number(text)


@given(documents, st.booleans(), st.sampled_from([None, 1]))
def test_every_plain_document_reads_as_the_standard_library_reads_it(
    document: object, ensure_ascii: bool, indent: int | None
) -> None:
    assert read(json.dumps(document, ensure_ascii=ensure_ascii, indent=indent).encode()) == document


@given(st.text(string.printable, max_size=30) | st.binary(max_size=30))
def test_whatever_comes_in_is_a_value_or_one_line_of_refusal(raw: str | bytes) -> None:
    document = raw.encode() if isinstance(raw, str) else raw
    try:
        read(document)
    except BadRequest:
        message = refused(lambda: read(document)).message
        assert message.isprintable()
        assert len(message) < 200


@given(fractions)
def test_a_fraction_keeps_its_exact_value(number: Decimal) -> None:
    value = read(f"{number:f}".encode())
    assert isinstance(value, ExactNumber)
    coefficient, decimals = value.scaled()
    assert Decimal(coefficient).scaleb(-decimals) == number
    assert decimals == 0 or coefficient % 10 != 0


@given(fractions, fractions)
def test_numbers_compare_as_exact_decimals_do(left: Decimal, right: Decimal) -> None:
    order = compare_numbers(exact(f"{left:f}"), exact(f"{right:f}"))
    assert (order > 0) - (order < 0) == (left > right) - (left < right)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (b"1", b"1.0", True),
        (b"1", b"1e0", True),
        (b"10", b"0.1E+2", True),
        (b"1.50", b"1.5", True),
        (b"0.1", b"0.10000000000000001", False),
        (b"9007199254740991", b"9007199254740991.0", True),
        (b"true", b"1", False),
        (b"false", b"0", False),
        (b"null", b"false", False),
        (b'"1"', b"1", False),
        (b'{"a":1,"b":[2]}', b'{"b":[2.0],"a":1}', True),
        (b"[1,2]", b"[2,1]", False),
        (b"[1,2]", b"[1,2,3]", False),
        (b"[true]", b"[1]", False),
        (b'{"a":1}', b'{"b":1}', False),
        (b"[]", b"{}", False),
        (b"null", b"null", True),
    ],
)
def test_equality_is_that_of_json(left: bytes, right: bytes, equal: bool) -> None:
    assert json_equal(read(left), read(right)) is equal
    assert json_equal(read(right), read(left)) is equal


def test_equal_exact_numbers_have_equal_hashes() -> None:
    assert {exact("1.50"), exact("15e-1"), exact("1.5")} == {exact("1.5")}
    assert exact("1.0") != 1  # json_equal is the one to ask


@pytest.mark.parametrize(
    "raw",
    [
        b'{"cap":5,"cap":500000}',
        b'{"cap":5,"c\\u0061p":500000}',
        b'[{"a":{"b":1,"b":1}}]',
        b'{"":1,"":2}',
    ],
)
def test_a_member_that_appears_twice_is_refused_at_every_level(raw: bytes) -> None:
    with pytest.raises(BadRequest, match="appears twice"):
        read(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"NaN", b"Infinity", b"-Infinity", b"[NaN]", b"1e400", b"-1e400", b"1e21", b"1E+1000000", b"1e-21", b"-0", b"-0.0",
        b"-0e5", b"[-0]", b"9007199254740992", b"-9007199254740992", b"9007199254740992.5", b"1e16", b"9" * 400,
        b"0." + b"1" * 40, b"1e" + b"9" * 30,
    ],
)  # fmt: skip
def test_a_number_that_readers_disagree_about_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest, match="JSON number"):
        read(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"{", b"}", b"[1,]", b'{"a":1,}', b"{'a':1}", b"{a:1}", b"01", b"+1", b".5", b"1.", b"0x1", b"1_0", b"tru",
        b"True", b"None", b"{} {}", b"1 2", b'"\n"', b'"\x00"', b'"\\x41"', b'"\\u12_4"', b'"\\u12"', b'"abc', b"// c\n1",
        b"/**/1", b"\x00", b"\x0c1", b"[1}", b'{"a"}', b"[[]", b"\xc2\xa01",
    ],
)  # fmt: skip
def test_malformed_json_is_refused_with_its_position(raw: bytes) -> None:
    with pytest.raises(BadRequest, match=r"malformed at character \d+: "):
        read(raw)


@pytest.mark.parametrize(
    "raw",
    [b"\xef\xbb\xbf1", '"é"'.encode("latin-1"), "1".encode("utf-16"), "1".encode("utf-32"), b'"\xed\xa0\x80"',
     b'"\xc0\xaf"', b'"\xf5\x80\x80\x80"', b"\xff"],
)  # fmt: skip
def test_another_encoding_or_a_byte_order_mark_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest, match=r"UTF-8|byte order mark"):
        read(raw)


@pytest.mark.parametrize(
    "inside",
    [
        "\\ud800",
        "\\uDFFF",
        "\\ude00\\ud83d",
        "\\ud83d\\\\\\ude00",
        "\\ud83d \\ude00",
        "\\ud83d\\ud83d\\ude00",
        "\\\\\\ud800",
    ],
)
def test_half_of_a_surrogate_pair_is_refused_in_values_and_in_names(inside: str) -> None:
    for raw in (f'"{inside}"', f'{{"{inside}":1}}', f'["a",["{inside}"]]'):
        with pytest.raises(BadRequest, match="surrogate"):
            read(raw.encode())


def test_a_surrogate_pair_and_an_escaped_backslash_before_the_letters_are_read() -> None:
    assert read(b'"\\ud83d\\uDE00"') == "\U0001f600"
    assert read(b'"\\\\ud800"') == "\\ud800"


@given(st.integers(1, 2 * MAX_DEPTH), st.binary(max_size=0) | st.just(b"1"))
def test_nesting_is_allowed_to_exactly_the_bound(depth: int, inside: bytes) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"[":', b"}")):
        raw = opening * depth + (inside if opening == b"[" else b"1") + closing * depth
        if depth <= MAX_DEPTH:
            assert read(raw) is not None
        else:
            with pytest.raises(BadRequest, match="nested deeper than 32"):
                read(raw)


@given(documents)
def test_depth_is_measured_the_same_whatever_strings_hold(document: object) -> None:
    noisy: object = [document, '[[[[{{{{"\\', '\\"]]]]', ["[" * 40, {"]" * 40: "\\" * 7}]]
    assert read(json.dumps(noisy).encode()) == noisy


HOSTILE = {
    "opening brackets": b"[" * MEGABYTE,
    "opening members": b'{"a":' * 200_000,
    "200,000 deep": b"[" * 200_000 + b"]" * 200_000,
    "200,000 deep with junk between": b"[" * 200_000 + b"\\" + b"]" * 200_000,
    "200,000 deep with an open string": b"[" * 200_000 + b'"' + b"]" * 200_000,
    "mixed brackets": b'{"a":[' * 100_000 + b"]}" * 100_000,
    "closing brackets": b"]" * MEGABYTE,
    "digits": b"1" * MEGABYTE,
    "negative digits": b"-" + b"1" * MEGABYTE,
    "fraction": b"0." + b"1" * MEGABYTE,
    "exponent": b"1e" + b"9" * MEGABYTE,
    "exponent with sign": b"1E+" + b"0" * MEGABYTE + b"1",
    "quotes": b'"' * MEGABYTE,
    "backslashes": b"\\" * MEGABYTE,
    "open string": b'"' + b"a" * MEGABYTE,
    "escaped quotes": b'"' + b'\\"' * 500_000,
    "lone surrogates": b'"' + b"\\ud800" * 160_000 + b'"',
    "spaces": b" " * MEGABYTE,
    "newlines": b"\n" * MEGABYTE,
    "nothing but NUL": b"\0" * MEGABYTE,
    "repeated member": b'{"a":1,' + b'"b":1,' * 150_000 + b'"a":1}',
    "commas": b"[" + b"," * MEGABYTE,
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_megabyte_of_malice_is_refused_with_bounded_work(raw: bytes) -> None:
    work = refused(lambda: read(raw))
    assert work.calls < 200 + 4 * raw.count(b":1,")
    assert work.peak_bytes < 60 * len(raw)


def test_a_number_of_a_million_digits_is_refused_without_computing_with_it() -> None:
    digits = "1" * MEGABYTE
    work = refused(lambda: read_number(digits))
    assert work.calls < 60
    assert work.peak_bytes < 20_000


def test_a_document_above_the_size_bound_is_refused_before_it_is_read() -> None:
    raw = b"[" * MEGABYTE
    work = refused(lambda: read_json(raw, max_bytes=10))
    assert work.message == "the JSON is longer than 10 bytes"
    assert work.peak_bytes < 20_000


def test_a_document_above_the_size_bound_has_its_own_status() -> None:
    with pytest.raises(BadRequest) as refusal:
        read_json(b"[1, 2, 3]", max_bytes=8)
    assert refusal.value.status == 413


def test_a_message_never_repeats_more_than_forty_characters_of_what_was_sent() -> None:
    for raw in (b'{"' + b"k" * 1000 + b'":1,"' + b"k" * 1000 + b'":1}', b"9" * 1000):
        with pytest.raises(BadRequest) as refusal:
            read(raw)
        assert max(map(len, str(refusal.value).split("`"))) <= 100
        assert "k" * 41 not in str(refusal.value)
        assert "9" * 41 not in str(refusal.value)


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "01", "+1", "true", "null", '"1"', "[1]", "{", "NaN", "-0", "1" * 41, "١"]
)
def test_a_number_by_itself_is_read_as_strictly_as_inside_a_document(text: str) -> None:
    with pytest.raises(BadRequest, match="JSON number"):
        read_number(text)


def test_whole_numbers_are_integers_and_others_keep_their_text() -> None:
    assert read_number("-12") == -12
    number = read_number("12.50")
    assert isinstance(number, ExactNumber)
    assert number.text == "12.50"
    assert number.scaled() == (125, 1)
    assert read(b"1e3") == exact("1000.0")
