"""Vectors about constraints: every pair of types, every bound of every type, and what each type lets pass.

Root and leaf name one tool with one argument `x`; the root has the parent's constraint, the leaf the child's.
"""

from collections.abc import Iterator
from typing import Final

from tests.contract_reference.forge import Loose, Raw
from tests.contract_reference.vector_cast import Call, Node, Vector, tools, vector

TYPES: Final = ("exact", "range", "one_of", "not_one_of", "contains", "subset", "wildcard", "all", "any")


def exact(value: Loose) -> Node:
    return {"constraint_type": "exact", "value": value}


def ranged(**members: Loose) -> Node:
    return {"constraint_type": "range", **members}


def one_of(*values: Loose) -> Node:
    return {"constraint_type": "one_of", "values": list(values)}


def not_one_of(*values: Loose) -> Node:
    return {"constraint_type": "not_one_of", "excluded": list(values)}


def contains(*values: Loose) -> Node:
    return {"constraint_type": "contains", "required": list(values)}


def subset(*values: Loose) -> Node:
    return {"constraint_type": "subset", "allowed": list(values)}


def every(*clauses: Node) -> Node:
    return {"constraint_type": "all", "constraints": list(clauses)}


def either(*clauses: Node) -> Node:
    return {"constraint_type": "any", "constraints": list(clauses)}


WILD: Final[Node] = {"constraint_type": "wildcard"}

PARENTS: Final[tuple[Node, ...]] = (
    exact("a"), ranged(min=0, max=10), one_of("a", "b", 5), not_one_of("x"), contains(1), subset(1, 2), WILD,
    every(one_of("a", "b")), either(one_of("a", "b")),
)  # fmt: skip
CHILDREN: Final[tuple[Node, ...]] = (
    exact("a"), ranged(min=1, max=5), one_of("a"), not_one_of("x", "y"), contains(1, 2), subset(1), WILD,
    every(one_of("a")), either(one_of("a")),
)  # fmt: skip
PERMITTED: Final = {(kind, kind) for kind in TYPES} | {("range", "exact"), ("one_of", "exact")} | {
    ("wildcard", kind) for kind in TYPES
}  # fmt: skip

# Parent, child, whether the child is narrower; what it is about.
PAIRS: Final[tuple[tuple[str, Node, Node, bool], ...]] = (
    ("exact, 1 and 1.0", exact(1), exact(Raw("1.0")), True),
    ("exact, 100 and 1e2", exact(100), exact(Raw("1e2")), True),
    ("exact, true and 1", exact(True), exact(1), False),
    ("exact, 1 and text", exact(1), exact("1"), False),
    ("exact, null", exact(None), exact(None), True),
    ("exact, null and false", exact(None), exact(False), False),
    ("exact, other case", exact("a"), exact("A"), False),
    ("exact, composed and decomposed", exact("\u00e9"), exact("e\u0301"), False),
    ("exact, escaped and plain", exact(Raw('"\\u0061"')), exact("a"), True),
    ("range, equal", ranged(min=0, max=10), ranged(min=0, max=10), True),
    ("range, one below the minimum", ranged(min=0, max=10), ranged(min=-1, max=10), False),
    ("range, one above the maximum", ranged(min=0, max=10), ranged(min=0, max=11), False),
    ("range, a little above the maximum", ranged(max=10), ranged(max=10.5), False),
    ("range, minimum left out", ranged(min=0, max=10), ranged(max=10), False),
    ("range, maximum left out", ranged(min=0, max=10), ranged(min=0), False),
    ("range, bound added", ranged(max=10), ranged(min=0, max=10), True),
    ("range, no bounds on either side", ranged(), ranged(), True),
    ("range, no bounds left", ranged(max=10), ranged(), False),
    ("range, bound becomes exclusive", ranged(max=10), ranged(max=10, max_inclusive=False), True),
    ("range, bound becomes inclusive", ranged(max=10, max_inclusive=False), ranged(max=10), False),
    ("range, minimum becomes inclusive", ranged(min=0, min_inclusive=False), ranged(min=0, min_inclusive=True), False),
    ("range, inclusive further in", ranged(max=10, max_inclusive=False), ranged(max=9), True),
    ("range, empty child", ranged(min=0, max=10), ranged(min=8, max=2), True),
    ("range, exact inside", ranged(min=0, max=10), exact(10), True),
    ("range, exact on an exclusive bound", ranged(max=10, max_inclusive=False), exact(10), False),
    ("range, exact outside", ranged(min=0, max=10), exact(11), False),
    ("range, exact that is no number", ranged(), exact("5"), False),
    ("range, exact true", ranged(min=0, max=10), exact(True), False),
    ("one_of, other order", one_of("a", "b"), one_of("b", "a"), True),
    ("one_of, one more", one_of("a", "b"), one_of("a", "b", "c"), False),
    ("one_of, nothing left", one_of("a", "b"), one_of(), True),
    ("one_of, a member twice", one_of("a", "b"), one_of("a", "a"), True),
    ("one_of, true is not 1", one_of(1, 2), one_of(True), False),
    ("one_of, 2.0 is 2", one_of(1, 2), one_of(Raw("2.0")), True),
    ("one_of, exact that is no member", one_of("a", "b"), exact("c"), False),
    ("one_of, an object with members in another order", one_of({"a": 1, "b": 2}), one_of({"b": 2, "a": 1}), True),
    ("one_of, an array in another order", one_of([1, 2]), one_of([2, 1]), False),
    ("not_one_of, one less", not_one_of("x", "y"), not_one_of("x"), False),
    ("not_one_of, one more", not_one_of("x"), not_one_of("y", "x"), True),
    ("contains, one less", contains(1, 2), contains(1), False),
    ("contains, one more", contains(1), contains(1, 2), True),
    ("subset, one less", subset(1, 2), subset(2), True),
    ("subset, one more", subset(1, 2), subset(1, 2, 3), False),
    ("subset, nothing left", subset(1, 2), subset(), True),
    ("all, a clause dropped", every(WILD, ranged(max=9)), every(WILD), False),
    ("all, a clause added", every(ranged(max=9)), every(not_one_of(5), ranged(max=9)), True),
    ("all, clauses swapped", every(ranged(max=9), not_one_of(5)), every(not_one_of(5), ranged(max=8)), True),
    ("all, one clause for two", every(ranged(max=9), ranged(min=0)), every(ranged(min=0, max=9)), False),
    ("all, a clause wider", every(ranged(max=9), not_one_of(5)), every(ranged(max=10), not_one_of(5)), False),
    ("all, greedy matching fails", every(WILD, exact("a")), every(exact("a"), one_of("b")), True),
    ("all, greedy matching fails twice", every(one_of(1, 2, 3), one_of(1, 2), one_of(1)),
     every(one_of(1), one_of(2), one_of(3)), True),
    ("all, no perfect matching", every(one_of(1, 2), one_of(1, 2), one_of(3)), every(one_of(1), one_of(3), one_of(3)), False),
    ("all, same clause twice", every(exact("a"), exact("a")), every(exact("a")), False),
    ("any, a clause dropped", either(exact("a"), exact("b")), either(exact("b")), True),
    ("any, a clause added", either(exact("a")), either(exact("a"), exact("b")), False),
    ("any, two clauses under one", either(one_of("a", "b")), either(exact("a"), exact("b")), True),
    ("any, across types", either(one_of("pdf", "csv"), WILD), either(exact("pdf"), contains(1)), True),
    ("any, a clause that no parent covers alone", either(exact("a"), exact("b")), either(one_of("a", "b")), False),
    ("nested", every(either(ranged(max=5), exact("a"))), every(either(exact(3))), True),
    ("nested, wider inside", every(either(ranged(max=5), exact("a"))), every(either(exact(6))), False),
    ("bare clause under all", every(exact("a")), exact("a"), False),
    ("all around a bare clause", exact("a"), every(exact("a")), False),
)  # fmt: skip


def _tools(node: Node) -> Loose:
    return {"search": {"x": node}}


def pairs() -> Iterator[Vector]:
    """Every pair of types once, then every bound."""
    for kind, parent in zip(TYPES, PARENTS, strict=True):
        for child_kind, child in zip(TYPES, CHILDREN, strict=True):
            fitting = exact(5) if (kind, child_kind) == ("range", "exact") else child
            yield _pair(f"{child_kind} under {kind}", parent, fitting, narrower=(kind, child_kind) in PERMITTED)
    for name, parent, child, narrower in PAIRS:
        yield _pair(name, parent, child, narrower=narrower)


def _pair(name: str, parent: Node, child: Node, *, narrower: bool) -> Vector:
    changes = (tools(0, _tools(parent)), tools(1, _tools(child)))
    note = "draft section 4.5"
    if narrower:
        return vector(f"narrowing: {name}", note, *changes, links=2)
    return vector(f"narrowing: {name}", note, *changes, links=2, step="not_narrower", link=1)


# A constraint; values that pass; values that do not. Values are JSON text.
CHECKS: Final[tuple[tuple[str, Node, tuple[str, ...], tuple[str, ...]], ...]] = (
    ("exact text", exact("USD"), ('"USD"', '"\\u0055SD"'), ('"usd"', '"USD "', "null", '["USD"]')),
    ("exact number", exact(1), ("1", "1.0", "1e0", "10e-1"), ("true", '"1"', "2", "1.1")),
    ("exact true", exact(True), ("true",), ("1", "false", '"true"', "null")),
    ("exact null", exact(None), ("null",), ("false", "0", '""', "[]", "{}")),
    ("closed range", ranged(min=0, max=500), ("0", "500", "500.0", "5e2", "0.5"), ("-1", "500.01", '"5"', "true", "null", "[5]")),
    ("open range", ranged(min=0, max=500, min_inclusive=False, max_inclusive=False), ("1", "499.99"), ("0", "500", "0.0")),
    ("range without bounds", ranged(), ("0", "-9007199254740991", "1.5"), ('"0"', "false", "null", "{}")),
    ("one_of", one_of("a", 1, None, [1], {"a": 1}), ('"a"', "1", "null", "[1]", '{"a":1.0}'), ("true", "[1,1]", '{"a":2}', "[]")),
    ("one_of nothing", one_of(), (), ('"a"', "null", "[]")),
    ("not_one_of", not_one_of("a", 1, [1]), ('"b"', "true", "[1,1]", "null"), ('"a"', "1", "1.0", "[1]")),
    ("contains", contains("a", 1), ('["a",1]', '[1.0,"x","a"]'), ('["a"]', '"a"', '{"a":1}', "[]", '["a",true]')),
    ("contains nothing", contains(), ("[]", "[1]"), ('""', "{}", "null")),
    ("subset", subset("a", 1), ("[]", '["a","a",1]'), ('["b"]', '"a"', "null", "[true]", '["a",["a"]]')),
    ("wildcard", WILD, ("null", "[]", '{"a":[1]}', "0.1"), ()),
    ("all", every(ranged(min=0), not_one_of(5)), ("0", "6"), ("5", "-1", '"a"')),
    ("any", either(exact("a"), ranged(max=3)), ('"a"', "2"), ('"b"', "4", "null")),
)  # fmt: skip


def checks() -> Iterator[Vector]:
    """What each type lets pass, as calls under a root alone."""
    for name, node, good, bad in CHECKS:
        calls = [Call(tool="search", arguments=f'{{"x":{value}}}', allowed=value in good) for value in (*good, *bad)]
        yield vector(f"check: {name}", "draft section 3.4", tools(0, _tools(node)), links=1, calls=calls)
