"""Plain digits and quoted text: the floor that every other reader stands on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.reading import MAX_INTEGER, read_count, shown


@given(st.integers(min_value=0, max_value=MAX_INTEGER))
def test_a_count_reads_back_as_it_was_written(value: int) -> None:
    assert read_count(str(value)) == value


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1_000", " 1", "1 ", "1.0", "1e3", "١٢", "²", "0x10", "1" * 19, str(2**53)]
)
def test_a_count_that_is_not_plain_digits_in_range_is_none(text: str) -> None:
    assert read_count(text) is None


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_shown_text_is_short_printable_ascii_without_a_backtick_inside(text: str | bytes) -> None:
    quoted = shown(text)
    assert quoted.isascii()
    assert quoted.isprintable()
    assert len(quoted) <= 42
    assert "`" not in quoted[1:-1]


def test_shown_text_escapes_newlines_and_terminal_codes() -> None:
    assert shown("a\n\x1b[31m`b") == "`a\\n\\x1b[31m'b`"
