"""Arguments are of the type that the policy names, exactly, or the request is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.arguments import ArgumentType, ArgumentValue, read_json_argument, read_text_argument
from remit.core.reading import MAX_INTEGER
from remit.core.strict_json import ExactNumber, JsonValue, read_json, read_number
from remit.errors import BadRequest
from tests.core_leaves.work import refused

NUMBER, INTEGER, STRING = ArgumentType.NUMBER, ArgumentType.INTEGER, ArgumentType.STRING
BOOLEAN, MONEY = ArgumentType.BOOLEAN, ArgumentType.MONEY


def decoded(raw: str) -> JsonValue:
    return read_json(raw.encode(), max_bytes=10_000)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (NUMBER, "12", 12),
        (NUMBER, "12.0", 12),
        (NUMBER, "1.2e1", 12),
        (NUMBER, "-3", -3),
        (INTEGER, "9007199254740991", MAX_INTEGER),
        (STRING, "", ""),
        (STRING, "5", "5"),
        (BOOLEAN, "true", True),
        (BOOLEAN, "false", False),
        (MONEY, "0.35", 350_000),
        (MONEY, "0", 0),
    ],
)
def test_text_becomes_a_value_of_its_type(kind: ArgumentType, text: str, value: ArgumentValue) -> None:
    read = read_text_argument(kind, text, name="x")
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (NUMBER, "12", 12),
        (NUMBER, "12.00", 12),
        (INTEGER, "-12", -12),
        (STRING, '"5"', "5"),
        (BOOLEAN, "true", True),
        (MONEY, "0.35", 350_000),
        (MONEY, "3", 3_000_000),
        (MONEY, '"0.35"', 350_000),
    ],
)
def test_json_becomes_a_value_of_its_type(kind: ArgumentType, raw: str, value: ArgumentValue) -> None:
    read = read_json_argument(kind, decoded(raw), name="x")
    assert read == value
    assert type(read) is type(value)


def test_a_fraction_stays_exact() -> None:
    assert read_text_argument(NUMBER, "0.10", name="x") == read_json_argument(NUMBER, decoded("0.1"), name="x")
    assert isinstance(read_text_argument(NUMBER, "0.1", name="x"), ExactNumber)


NOT_OF_TYPE_AS_TEXT = [
    *((NUMBER, text) for text in ("", "abc", "NaN", "inf", "1e400", "-0", "01", "1_0", "1,5", " 1", "1 ", "0x1", "١", "9007199254740992")),
    *((INTEGER, text) for text in ("", "1.0", "1.5", "1e3", "-0", "007", "+7", "7 ", "true", "9007199254740992")),
    *((BOOLEAN, text) for text in ("", "True", "TRUE", "1", "0", "yes", "true ")),
    *((MONEY, text) for text in ("", "-1", "-0", "1e3", "0.0000001", "5 USD", "9007199255", "NaN", "1_0")),
]  # fmt: skip

NOT_OF_TYPE_AS_JSON = [
    *((NUMBER, raw) for raw in ("true", "null", '"5"', "[1]", "{}")),
    *((INTEGER, raw) for raw in ("5.0", "5e0", "true", "false", "null", '"5"', "[5]", '{"a":5}')),
    *((STRING, raw) for raw in ("5", "true", "null", '["a"]', "{}", "5.5")),
    *((BOOLEAN, raw) for raw in ("0", "1", "null", '"true"', "[true]")),
    *((MONEY, raw) for raw in ("-1", "-0.5", "0.0000001", "true", "null", '"-5"', '""', '"1e3"', '"5 USD"', "[5]", "9007199255")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), NOT_OF_TYPE_AS_TEXT)
def test_text_of_another_type_is_refused_by_name(kind: ArgumentType, text: str) -> None:
    with pytest.raises(BadRequest, match="the argument `x` must be"):
        read_text_argument(kind, text, name="x")


@pytest.mark.parametrize(("kind", "raw"), NOT_OF_TYPE_AS_JSON)
def test_json_of_another_type_is_refused_by_name(kind: ArgumentType, raw: str) -> None:
    with pytest.raises(BadRequest, match="the argument `x` must be"):
        read_json_argument(kind, decoded(raw), name="x")


@pytest.mark.parametrize("kind", ArgumentType)
def test_a_megabyte_of_digits_is_refused_after_a_glance(kind: ArgumentType) -> None:
    digits = "1" * 1_000_000
    for work in (
        refused(lambda: read_text_argument(kind, digits, name="x")),
        refused(lambda: read_json_argument(kind, digits, name="x")),
    ):
        assert "the argument `x`" in work.message
        assert work.calls < 80
        assert work.peak_bytes < 20_000


@given(st.integers(-MAX_INTEGER, MAX_INTEGER))
def test_an_integer_is_the_same_as_text_and_in_json(value: int) -> None:
    assert read_text_argument(INTEGER, str(value), name="x") == read_json_argument(INTEGER, value, name="x") == value


@given(st.integers(-(10**12), 10**12), st.integers(0, 6))
def test_equal_numbers_become_equal_values_whatever_their_spelling(coefficient: int, decimals: int) -> None:
    spellings = [f"{coefficient}e-{decimals}", f"{coefficient}0e-{decimals + 1}"] if coefficient else ["0", "0.0"]
    values = {read_text_argument(NUMBER, spelling, name="x") for spelling in spellings}
    assert len(values) == 1
    assert (decimals == 0) <= isinstance(values.pop(), int)


def test_a_number_in_text_means_what_it_means_in_json() -> None:
    assert read_text_argument(NUMBER, "2.50", name="x") == read_number("2.5")
