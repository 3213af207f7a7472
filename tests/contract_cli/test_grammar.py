"""Tools and arguments as they are written on a line: nine constraints, one notation each, and nothing guessed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.cli.contract_grammar import format_tool, parse_tool, parse_tools
from remit.cli.contract_scan import MAX_TEXT_CHARS
from remit.core.constraint_reading import CAPABILITY_TYPE, read_tools
from remit.core.constraints import ArgumentMap
from remit.core.strict_json import JsonValue
from remit.errors import UsageError
from tests.contracts.strategies import raw_constraints


def read(text: str) -> tuple[str, ArgumentMap]:
    name, arguments = parse_tool(text)
    return name, read_tools({"type": CAPABILITY_TYPE, "tools": {name: arguments}})[name]


def allows(text: str, **arguments: JsonValue) -> bool:
    from remit.core.constraints import arguments_refusal

    name, found = read(text)
    return arguments_refusal(found, arguments, tool=name) is None


def _is_flat(raw: Any) -> bool:
    """Whether every value in it is one that a line can say: no arrays or objects as members of lists."""
    if raw["constraint_type"] in ("all", "any"):
        return all(map(_is_flat, raw["constraints"]))
    values: list[object] = next(
        (raw[name] for name in ("values", "excluded", "required", "allowed") if name in raw), []
    )
    return not any(isinstance(value, list | dict) for value in values)


names = st.text(min_size=1, max_size=8).filter(lambda text: text.isprintable()) | st.sampled_from(
    ["amount", "in", "not", "all", "any", "number", "anything", "a.b", "a-b", "5", "0x", "-1", "to bob", '"', "é", "\\"]
)


@given(names, st.dictionaries(names, raw_constraints().filter(_is_flat), max_size=3))
def test_what_is_written_reads_back_as_the_same_constraints(tool: str, arguments: dict[str, Any]) -> None:
    found = read_tools({"type": CAPABILITY_TYPE, "tools": {tool: arguments}})[tool]
    text = format_tool(tool, found)
    assert text.isascii()
    assert read(text) == (tool, found)


@pytest.mark.parametrize(
    ("text", "constraint"),
    [
        ("to", {"constraint_type": "wildcard"}),
        ("to anything", {"constraint_type": "wildcard"}),
        ("to=bob", {"constraint_type": "exact", "value": "bob"}),
        ('to="12"', {"constraint_type": "exact", "value": "12"}),
        ("to=12", {"constraint_type": "exact", "value": 12}),
        ("to=true", {"constraint_type": "exact", "value": True}),
        ("to=null", {"constraint_type": "exact", "value": None}),
        ("to=0123", {"constraint_type": "exact", "value": "0123"}),
        ("to=2026-11-21", {"constraint_type": "exact", "value": "2026-11-21"}),
        ("to=bob@example.com", {"constraint_type": "exact", "value": "bob@example.com"}),
        ("to<=500", {"constraint_type": "range", "max": 500}),
        ("to < 500", {"constraint_type": "range", "max": 500, "max_inclusive": False}),
        ("0<to<=500", {"constraint_type": "range", "min": 0, "min_inclusive": False, "max": 500}),
        ("500>=to>0", {"constraint_type": "range", "min": 0, "min_inclusive": False, "max": 500}),
        ("-5<to", {"constraint_type": "range", "min": -5, "min_inclusive": False}),
        ("to >0 <=500", {"constraint_type": "range", "min": 0, "min_inclusive": False, "max": 500}),
        ("to number", {"constraint_type": "range"}),
        ("to in [a, 1, true]", {"constraint_type": "one_of", "values": ["a", 1, True]}),
        ("to in []", {"constraint_type": "one_of", "values": []}),
        ("to not in [a]", {"constraint_type": "not_one_of", "excluded": ["a"]}),
        ("to!=a", {"constraint_type": "not_one_of", "excluded": ["a"]}),
        ("to has [a, b]", {"constraint_type": "contains", "required": ["a", "b"]}),
        ("to only [a]", {"constraint_type": "subset", "allowed": ["a"]}),
    ],
)
def test_each_notation_means_its_constraint(text: str, constraint: dict[str, Any]) -> None:
    assert parse_tool(f"pay({text})") == ("pay", {"to": constraint})


def test_constraints_are_joined_by_all_and_any() -> None:
    name, arguments = parse_tool("pay(amount all(>=1, !=13), to any(=bob, in [ann, eve], anything))")
    assert name == "pay"
    assert arguments["amount"] == {
        "constraint_type": "all",
        "constraints": [
            {"constraint_type": "range", "min": 1},
            {"constraint_type": "not_one_of", "excluded": [13]},
        ],
    }
    assert [clause["constraint_type"] for clause in _clauses(arguments["to"])] == ["exact", "one_of", "wildcard"]


def _clauses(constraint: Any) -> list[dict[str, JsonValue]]:
    found: list[dict[str, JsonValue]] = constraint["constraints"]
    return found


def test_a_tool_alone_takes_any_arguments_and_a_list_of_them_takes_no_others() -> None:
    assert parse_tool(" payments.transfer ") == ("payments.transfer", {})
    assert allows("pay", anything=1)
    assert allows("pay(0<amount<=500, to)", amount=500, to="bob")
    assert not allows("pay(0<amount<=500, to)", amount=500, to="bob", more=1)
    assert not allows("pay(0<amount<=500, to)", amount=500)
    assert not allows("pay(0<amount<=500, to)", amount=0, to="bob")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the name of a tool was expected and the end was found"),
        ("payments.*", "a contract knows no patterns"),
        ("pay()", "leave the parentheses out"),
        ("pay(amount", "`,` or `)` was expected and the end was found"),
        ("pay(amount<=500", "`,` or `)` was expected and the end was found"),
        ("pay(amount<=500) to", "the end was expected and `to` was found"),
        ("pay amount", "`(` or the end was expected"),
        ("pay(amount<=1,000)", "the name of an argument was expected and `000)` was found"),
        ("pay(amount<=five)", "a number was expected"),
        ("pay(amount<=1e400)", "numbers must be exact"),
        ("pay(amount=-0)", "numbers must be exact"),
        ("pay(amount<=9007199254740993)", "numbers must be exact"),
        ("pay(amount>1>2)", "at most one lower and one upper end"),
        ("pay(1<amount>2)", "at most one lower and one upper end"),
        ("pay(amount<=1, amount>=0)", "`amount` stands twice"),
        ("pay(currency=USD|EUR)", "write `in [USD, EUR]`"),
        ("pay(to='bob')", "double quotes"),
        ('pay(to="bob)', "a quote is not closed"),
        ('pay(to="\\x")', "no text in quotes as JSON has it"),
        ('pay(to="\\ud800")', "no text in quotes as JSON has it"),
        ("pay(to={})", "only `--tools-json` takes JSON"),
        ("pay(to in USD)", "a list such as `[USD, EUR]` was expected"),
        ("pay(to in [a b])", "`,` or `]` was expected"),
        ("pay(to in [[a]])", "a value was expected"),
        ("pay(to not [a])", "`in` was expected"),
        ("pay(to all())", "was expected and `))` was found"),
        ("pay(to all >1)", "`(` and constraints"),
        ("pay(5)", "needs quotes"),
        ("pay(to~bob)", "`~bob)` cannot stand"),
        ("pay(to=\x1b[2J)", "cannot be printed"),
        ("pay(to=a\nb)", "cannot be printed"),
        (f"pay(to={'x' * MAX_TEXT_CHARS})", "is too long"),
        (f"pay(a {'all(' * 40}>1{')' * 40})", "nested deeper than 32 levels"),
    ],
)
def test_what_is_not_meant_is_refused_and_never_guessed(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_tool(text)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


@given(st.text(st.sampled_from(list('pay(to=<>!"[],\\ 0a.-*|{}~é\x1b\n')), max_size=40))
def test_any_text_is_read_or_refused_in_one_sentence(text: str) -> None:
    said = ""
    try:
        name, found = read(text)
    except UsageError as error:
        said = str(error)
    else:
        assert read(format_tool(name, found)) == (name, found)
    assert said.isprintable()


def test_a_tool_is_given_once() -> None:
    assert list(parse_tools(["a(b)", "c"])) == ["a", "c"]
    with pytest.raises(UsageError, match="`a` is given twice"):
        parse_tools(["a(b)", "a"])
