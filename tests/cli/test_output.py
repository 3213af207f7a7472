"""What is printed is aligned, in words people use, and nothing that a terminal would obey."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.cli import output
from remit.cli.logs import PlainLines


def test_columns_are_aligned_and_figures_stand_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("NAME", "USED"), [("a", "1"), ("longer", "1,000"), ("", "")], right=("USED",))
    assert capsys.readouterr().out == "NAME     USED\na           1\nlonger  1,000\n-           -\n"


@given(st.lists(st.tuples(st.text(max_size=100), st.text(max_size=100)), max_size=5))
def test_no_cell_writes_anything_but_printable_text(rows: list[tuple[str, str]]) -> None:
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()) as printed:
        output.table(("A", "B"), rows)
        output.facts(rows)
        output.as_json(rows)
    assert all(char.isprintable() or char == "\n" for char in printed.getvalue())
    assert len(printed.getvalue().splitlines()[: len(rows) + 1]) == len(rows) + 1


@pytest.mark.parametrize(
    ("by_unit", "said"),
    [
        ({}, "-"),
        ({"calls": 0, "USD": 0}, "-"),
        ({"calls": 1, "USD": 350_000}, "0.35 USD, 1 call"),
        ({"units": 40}, "40 units"),
        ({"JPY": 12_000_000, "calls": 2}, "12 JPY, 2 calls"),
    ],
)
def test_amounts_are_said_as_people_do(by_unit: dict[str, int], said: str) -> None:
    assert output.amounts(by_unit) == said


def test_times_are_iso_in_utc_and_spans_are_in_words() -> None:
    assert output.moment(1_795_297_387_123_456) == "2026-11-21T21:43:07Z"
    assert output.span(93_784_000_000) == "1 day 2 hours"
    assert output.span(0) == "0 milliseconds"


def test_json_escapes_everything_but_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    output.as_json({"name": "\x1b[2J\u202e€"})
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert json.loads(printed) == {"name": "\x1b[2J\u202e€"}


def _logged(message: str, *arguments: object, error: BaseException | None = None) -> str:
    trace = (type(error), error, error.__traceback__) if error is not None else None
    return PlainLines().format(logging.LogRecord("remit.x", logging.WARNING, "", 0, message, arguments, trace))


def test_a_log_line_is_plain_and_keeps_no_secret() -> None:
    key = "remit_abcdefghijklmnop_" + "A" * 39
    line = _logged("key %s came with %s", key, "\x1b[31mred\nforged line")
    assert key not in line
    assert "\x1b" not in line
    assert line.splitlines()[1].startswith("  forged line")
    assert " WARNING remit.x: key remit_abcdefghijklmnop_[masked] came with <U+001B>[31mred" in line
    assert line[10] == "T"
    assert line[19] == "Z"


def test_a_traceback_in_the_log_is_indented_under_its_line() -> None:
    try:
        raise ValueError("password=hunter2")
    except ValueError as error:
        lines = _logged("failed", error=error).splitlines()
    assert all(line.startswith("  ") for line in lines[1:])
    assert "hunter2" not in "\n".join(lines)
