"""How a tool and its arguments are written on a line: `payments.transfer(0<amount<=500, currency in [USD, EUR], to)`.

    payments.transfer                 the tool, with any arguments
    payments.transfer(to, amount<5)   these two arguments and no other, each of them present

What may stand for an argument, one form for each of the nine constraints:

    to                                anything at all (wildcard)
    currency=USD                      exactly this: a number, true, false, null, or text (exact)
    amount<=500    0<amount<=500      a number in a range (range); `amount number` is any number
    currency in [USD, EUR]            one of these (one_of)
    country not in [KP]    to!=bob    none of these (not_one_of)
    tags has [checked]                a list that holds all of these (contains)
    tags only [a, b]                  a list that holds nothing else (subset)
    amount all(>=1, !=13)             all of several constraints (all)
    to any(=bob, in [ann, eve])       at least one of several (any); inside, `anything` and `>0 <=500` are written so

Text needs quotes where it looks like something else: `account="12345"`. What is made is the JSON of the draft's
`attenuating_agent_token`, which is judged where every contract is; here only the notation is.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Final, assert_never

from remit.cli.contract_scan import Scanner, is_plain_name, is_plain_word
from remit.core.constraint_reading import Members
from remit.core.constraints import (
    MAX_CONSTRAINT_DEPTH,
    AllOf,
    AnyOf,
    ArgumentMap,
    Bound,
    Constraint,
    Contains,
    Exact,
    NotOneOf,
    OneOf,
    Range,
    Subset,
    Wildcard,
)
from remit.core.reading import shown
from remit.core.strict_json import ExactNumber, JsonValue
from remit.errors import UsageError

ANYTHING: Final = "anything"
NUMBER: Final = "number"

_COMPARED: Final = ("<=", "<", ">=", ">")
_MIRRORED: Final = {"<=": ">=", "<": ">", ">=": "<=", ">": "<"}
_FORM: Final = "`=`, `!=`, `<=`, `in [...]`, `not in [...]`, `has [...]`, `only [...]`, `all(...)` or `any(...)`"


def parse_tools(texts: Iterable[str]) -> dict[str, dict[str, JsonValue]]:
    """Read tools, one from each text, as a contract has them. Raises `UsageError`."""
    found: dict[str, dict[str, JsonValue]] = {}
    for text in texts:
        name, arguments = parse_tool(text)
        if name in found:
            raise UsageError(f"the tool {shown(name)} is given twice: put all its arguments into one")
        found[name] = arguments
    return found


def parse_tool(text: str) -> tuple[str, dict[str, JsonValue]]:
    """Read one tool: its name, and a constraint for each argument it names. Raises `UsageError`."""
    scanner = Scanner(text)
    name = scanner.name("the name of a tool")
    arguments: dict[str, JsonValue] = {}
    if scanner.take("("):
        if scanner.at(")"):
            scanner.refuse("an argument (leave the parentheses out where any arguments may come)")
        while True:
            argument, constraint = _argument(scanner)
            if argument in arguments:
                raise UsageError(
                    f"in {shown(text)}, {shown(argument)} stands twice: write `0<amount<=500`, or `amount all(>0, <=500)`"
                )
            arguments[argument] = constraint
            if scanner.take(")"):
                break
            scanner.expect(",", wanted="`,` or `)`")
    if scanner.piece.kind != "end":
        scanner.refuse("the end" if arguments else "`(` or the end")
    return name, arguments


def format_tool(name: str, arguments: ArgumentMap) -> str:
    """Write a tool as `parse_tool` reads it; values that only JSON can say are written as JSON."""
    shown_name = _name_text(name)
    if not arguments:
        return shown_name
    return f"{shown_name}({', '.join(_argument_text(name, each) for name, each in arguments.items())})"


def format_constraint(constraint: Constraint) -> str:
    """Write a constraint as it stands behind an argument, or inside `all(...)`."""
    match constraint:
        case Wildcard():
            return ANYTHING
        case Exact(value=value):
            return f"={value_text(value)}"
        case Range():
            return " ".join(_ends(constraint)) or NUMBER
        case OneOf(values=values):
            return f"in {_list_text(values)}"
        case NotOneOf(excluded=excluded):
            return f"not in {_list_text(excluded)}" if len(excluded) != 1 else f"!={value_text(excluded[0])}"
        case Contains(required=required):
            return f"has {_list_text(required)}"
        case Subset(allowed=allowed):
            return f"only {_list_text(allowed)}"
        case AllOf(clauses=clauses):
            return f"all({', '.join(map(format_constraint, clauses))})"
        case AnyOf(clauses=clauses):
            return f"any({', '.join(map(format_constraint, clauses))})"
        case _:
            assert_never(constraint)


def value_text(value: JsonValue) -> str:
    """Write a value so that it reads back: a word where that is enough, else JSON in plain ASCII."""
    if isinstance(value, str) and is_plain_word(value):
        return value
    return json_text(value)


def json_text(value: JsonValue) -> str:
    """Write a value as JSON in ASCII that can be printed, numbers as they were written."""
    match value:
        case ExactNumber():
            return value.text
        case list():
            return f"[{', '.join(map(json_text, value))}]"
        case dict():
            return f"{{{', '.join(f'{json.dumps(name)}: {json_text(each)}' for name, each in value.items())}}}"
        case _:
            return json.dumps(value)


def _argument(scanner: Scanner) -> tuple[str, JsonValue]:
    """One argument and its constraint: `to`, `amount<=500`, `0<amount<=500`, `500>=amount`."""
    if not scanner.is_number():
        name = scanner.name("the name of an argument")
        if scanner.at(",", ")") or scanner.piece.kind == "end":
            return name, _constraint("wildcard")
        return name, _form(scanner, depth=1)
    low = scanner.number()
    if not scanner.at(*_COMPARED):
        scanner.refuse("a comparison such as `<=` (a name that begins like a number needs quotes)")
    ends = _with_end({}, _MIRRORED[scanner.advance().text], low)
    name = scanner.name("the name of an argument")
    if scanner.at(*_COMPARED):
        ends = _with_end(ends, scanner.advance().text, scanner.number())
    return name, _constraint("range", ends)


def _form(scanner: Scanner, *, depth: int) -> JsonValue:
    """One constraint, as it stands behind a name or inside `all(...)`."""
    if scanner.take("="):
        return _constraint("exact", {"value": scanner.value()})
    if scanner.take("!="):
        return _constraint("not_one_of", {"excluded": [scanner.value()]})
    if scanner.at(*_COMPARED):
        return _range(scanner)
    if scanner.take("in"):
        return _constraint("one_of", {"values": scanner.values()})
    if scanner.take("not"):
        scanner.expect("in")
        return _constraint("not_one_of", {"excluded": scanner.values()})
    if scanner.take("has"):
        return _constraint("contains", {"required": scanner.values()})
    if scanner.take("only"):
        return _constraint("subset", {"allowed": scanner.values()})
    if scanner.take(ANYTHING):
        return _constraint("wildcard")
    if scanner.take(NUMBER):
        return _constraint("range")
    if not scanner.at("all", "any"):
        scanner.refuse(_FORM)
    return _constraint(scanner.advance().text, {"constraints": _clauses(scanner, depth=depth)})


def _range(scanner: Scanner) -> JsonValue:
    ends: Members = {}
    while scanner.at(*_COMPARED):
        ends = _with_end(ends, scanner.advance().text, scanner.number())
    return _constraint("range", ends)


def _with_end(ends: Members, sign: str, number: JsonValue) -> Members:
    """One more end of a range; `sign` stands between the argument and the number."""
    name = "min" if sign.startswith(">") else "max"
    if name in ends:
        raise UsageError("a range has at most one lower and one upper end, such as `0<amount<=500`: leave one out")
    return {**ends, name: number, **({} if sign.endswith("=") else {f"{name}_inclusive": False})}


def _clauses(scanner: Scanner, *, depth: int) -> list[JsonValue]:
    if depth >= MAX_CONSTRAINT_DEPTH:
        raise UsageError(f"a constraint is nested deeper than {MAX_CONSTRAINT_DEPTH} levels")
    scanner.expect("(", wanted="`(` and constraints, as in `all(>=1, !=13)`")
    found = [_form(scanner, depth=depth + 1)]
    while not scanner.take(")"):
        scanner.expect(",", wanted="`,` or `)`")
        found.append(_form(scanner, depth=depth + 1))
    return found


def _constraint(kind: str, members: Mapping[str, JsonValue] | None = None) -> JsonValue:
    return {"constraint_type": kind, **(members or {})}


def _name_text(name: str) -> str:
    return name if is_plain_name(name) else json.dumps(name)


def _argument_text(name: str, constraint: Constraint) -> str:
    shown_name = _name_text(name)
    match constraint:
        case Wildcard():
            return shown_name
        case Range(minimum=Bound() as low, maximum=Bound() as high):
            return f"{low.text}<{_or_equal(low)}{shown_name}<{_or_equal(high)}{high.text}"
        case _:
            form = format_constraint(constraint)
            return f"{shown_name}{form}" if form[0] in "=!<>" else f"{shown_name} {form}"


def _ends(constraint: Range) -> list[str]:
    ends = ((">", constraint.minimum), ("<", constraint.maximum))
    return [f"{sign}{_or_equal(end)}{end.text}" for sign, end in ends if end is not None]


def _or_equal(end: Bound) -> str:
    return "=" if end.inclusive else ""


def _list_text(values: Iterable[JsonValue]) -> str:
    return f"[{', '.join(map(value_text, values))}]"
