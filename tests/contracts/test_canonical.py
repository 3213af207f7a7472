"""Canonical JSON: the examples of RFC 8785, and numbers that are refused instead of rounded."""

import json
import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.contracts.canonical import as_json, canonical_json, encode_exactly
from remit.core.deep_json import read_deep_json
from remit.core.strict_json import ExactNumber, JsonValue, json_equal, read_json
from remit.errors import BadRequest, UsageError
from tests.contracts.strategies import json_values


def read(text: str) -> JsonValue:
    return read_json(text.encode(), max_bytes=100_000)


def test_the_first_example_of_the_rfc_comes_out_as_printed_there() -> None:
    # RFC 8785 section 3.2.2; its 333333333.33333329 and 1E30 are no numbers of ours, so the double and 1e3 stand there.
    text = """{
        "numbers": [333333333.3333333, 1E3, 4.50, 2e-3, 0.000000000000000000010],
        "string": "\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\"\\/",
        "literals": [null, true, false]
    }"""
    assert canonical_json(read(text)).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1000,4.5,0.002,1e-20],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_members_are_sorted_by_utf_16_code_units_as_in_the_rfc() -> None:
    # RFC 8785 section 3.2.3
    text = (
        '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",'
        '"\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control","\\u00f6":"Latin Small Letter O With Diaeresis"}'
    )
    names = list(json.loads(canonical_json(read(text))).values())
    assert names == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        # RFC 8785 appendix B, those within 2^53-1 and 20 decimals of exponent
        ("0000000000000000", "0"),
        ("4340000000000000", None),  # 2^53 is one too many
        ("c340000000000000", None),
        ("430c6bf526340000", "1000000000000000"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3e7ad7f29abcaf48", "1e-7"),
        ("3bc79ca10c924223", "1e-20"),
        ("3fb999999999999a", "0.1"),
        ("3fd3333333333334", "0.30000000000000004"),
        ("c059000000000000", "-100"),
    ],
)
def test_numbers_are_written_as_javascript_writes_them(bits: str, text: str | None) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    if text is None:
        with pytest.raises(UsageError):
            as_json(number)
    else:
        assert canonical_json(as_json(number)).decode() == text


@pytest.mark.parametrize(
    "text",
    [
        "500.00000000000000001",
        "333333333.33333329",
        "0.1000000000000000055511151231257827",
        "1.00000000000000011102230246",
    ],
)
def test_a_number_that_is_no_double_is_refused_and_not_rounded(text: str) -> None:
    value = read(text)
    with pytest.raises(UsageError, match="not exactly a double"):
        canonical_json(value)
    assert encode_exactly(value).decode() == text


@given(st.floats(min_value=-1e15, max_value=1e15))
@settings(max_examples=50, deadline=None)
def test_every_double_in_range_reads_back_as_itself(number: float) -> None:
    try:
        value = as_json(number)
    except UsageError:
        assert abs(number) < 1e-19 or math.copysign(1, number) < 0 == number
        return
    assert float(canonical_json(value)) == number


@given(json_values())
@settings(max_examples=50, deadline=None)
def test_canonical_text_reads_back_as_an_equal_value(value: JsonValue) -> None:
    for text in (canonical_json(value), encode_exactly(value)):
        assert json_equal(read_json(text, max_bytes=100_000), value)


@given(json_values(), json_values())
@settings(max_examples=50, deadline=None)
def test_equal_values_and_only_they_have_one_canonical_text(left: JsonValue, right: JsonValue) -> None:
    assert (canonical_json(left) == canonical_json(right)) == json_equal(left, right)


def test_spellings_of_one_number_become_one() -> None:
    for text in ("1", "1.0", "1e0", "10e-1", "0.1E1"):
        assert canonical_json(read(text)) == b"1"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.0, 2**53, object(), {1: 2}, b"x", {"a": {1}}])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(UsageError):
        as_json(value)


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(UsageError, match="surrogate"):
        canonical_json("\ud800")
    with pytest.raises(UsageError, match="surrogate"):
        canonical_json({"\ud800": 1})


def test_a_value_that_is_nested_without_end_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(UsageError, match="deeper"):
        as_json(value)


def test_python_values_become_what_the_reader_would_have_made_of_them() -> None:
    value = {"a": [1, 1.5, True, None, "x", (2,)]}
    assert json_equal(as_json(value), read('{"a":[1,1.5,true,null,"x",[2]]}'))
    assert isinstance(as_json(1.5), ExactNumber)


@pytest.mark.parametrize("depth", [33, 100])
def test_the_deep_reader_reads_as_deep_as_it_is_told(depth: int) -> None:
    text = b"[" * depth + b"]" * depth
    assert read_deep_json(text, max_bytes=1000, max_depth=depth) is not None
    with pytest.raises(BadRequest, match="deeper"):
        read_deep_json(text, max_bytes=1000, max_depth=depth - 1)


@pytest.mark.parametrize("text", [b"[" * 200_000, b'{"a":' * 3000, b"[]" * 300, b"][" * 300, b'["' + b"[" * 300])
def test_the_deep_reader_refuses_what_nests_or_matches_badly(text: bytes) -> None:
    with pytest.raises(BadRequest):
        read_deep_json(text, max_bytes=1_000_000, max_depth=100)


@given(json_values())
@settings(max_examples=50, deadline=None)
def test_the_deep_reader_reads_what_the_plain_one_reads(value: JsonValue) -> None:
    text = encode_exactly(value)
    assert json_equal(read_deep_json(text, max_bytes=100_000, max_depth=100), read_json(text, max_bytes=100_000))
