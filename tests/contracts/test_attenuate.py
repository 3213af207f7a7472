"""Narrowing: the table and nothing but the table, and the laws that it must obey."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.contracts import as_json
from remit.core.attenuate import PERMITTED, check_narrower, is_narrower
from remit.core.constraint_reading import read_constraint, read_tools
from remit.core.constraints import (
    AllOf,
    AnyOf,
    ArgumentMap,
    Constraint,
    Contains,
    Exact,
    NotOneOf,
    OneOf,
    Range,
    Subject,
    Subset,
    Wildcard,
    check,
)
from remit.core.contract_steps import ContractError, Effort, Step
from remit.core.matching import can_all_be_paired
from remit.core.strict_json import JsonValue
from tests.contracts.mutate import SCALARS, some_constraint
from tests.contracts.strategies import Raw, constraint_values, narrowed, pairs, raw_constraints
from tests.contracts.test_constraints import shuffled

KINDS = (Exact, Range, OneOf, NotOneOf, Contains, Subset, Wildcard, AllOf, AnyOf)


def narrower(*, child: Raw | Constraint, parent: Raw | Constraint, effort: int = 100_000) -> bool:
    return is_narrower(child=as_constraint(child), parent=as_constraint(parent), effort=Effort(effort))


def as_constraint(raw: Raw | Constraint) -> Constraint:
    return read_constraint(raw) if isinstance(raw, dict) else raw


def exact(value: JsonValue) -> Raw:
    return {"constraint_type": "exact", "value": value}


def between(low: JsonValue = None, high: JsonValue = None, **more: bool) -> Raw:
    bounds = {name: value for name, value in (("min", low), ("max", high)) if value is not None}
    return {"constraint_type": "range", **bounds, **more}


def of(kind: str, *values: JsonValue) -> Raw:
    names = {"one_of": "values", "not_one_of": "excluded", "contains": "required", "subset": "allowed"}
    return {"constraint_type": kind, names[kind]: list(values)}


def group(kind: str, *clauses: Raw) -> Raw:
    return {"constraint_type": kind, "constraints": list(clauses)}


WILD: Raw = {"constraint_type": "wildcard"}


def test_the_table_is_that_of_the_draft() -> None:
    permitted = {
        *((Wildcard, kind) for kind in KINDS),
        *((kind, kind) for kind in KINDS),
        (Range, Exact),
        (OneOf, Exact),
    }
    assert set(PERMITTED) == permitted


# For each type a constraint that 1 (or [1]) satisfies and nearly nothing else: the pair would be harmless if types mixed.
TIGHT: dict[type, Raw] = {
    Exact: exact(1),
    Range: between(1, 1),
    OneOf: of("one_of", 1),
    NotOneOf: of("not_one_of", 0),
    Contains: of("contains", 1),
    Subset: of("subset", 1),
    Wildcard: WILD,
    AllOf: group("all", exact(1)),
    AnyOf: group("any", exact(1)),
}


@pytest.mark.parametrize(("parent", "child"), list(itertools.product(KINDS, KINDS)), ids=lambda kind: kind.__name__)
def test_every_pair_of_types_is_judged_by_the_table(parent: type, child: type) -> None:
    assert narrower(child=TIGHT[child], parent=TIGHT[parent]) is ((parent, child) in PERMITTED)


@pytest.mark.parametrize(
    ("parent", "child", "expected"),
    [
        (exact(1), exact(1), True),
        (exact(1), exact(2), False),
        (exact(1), exact(True), False),
        (between(0, 10), exact(10), True),
        (between(0, 10, max_inclusive=False), exact(10), False),
        (between(0, 10), exact("5"), False),
        (between(0, 10), exact(True), False),
        (between(0, 10), exact(None), False),
        (between(0, 10), between(0, 10), True),
        (between(0, 10), between(1, 9), True),
        (between(0, 10), between(-1, 9), False),
        (between(0, 10), between(1, 11), False),
        (between(0, 10), between(1), False),
        (between(0, 10), between(None, 9), False),
        (between(0), between(0, 5), True),
        (between(), between(), True),
        (between(), between(3), True),
        (between(0, 10), between(0, 10, min_inclusive=False), True),
        (between(0, 10, min_inclusive=False), between(0, 10), False),
        (between(0, 10, min_inclusive=False), between(0, 10, min_inclusive=False), True),
        (between(0, 10, max_inclusive=False), between(0, 10), False),
        (between(0, 10, max_inclusive=False), between(0, 9), True),
        (between(0, 10), between(0, 10, max_inclusive=False), True),
        (of("one_of", 1, 2), of("one_of", 2), True),
        (of("one_of", 1, 2), of("one_of"), True),
        (of("one_of", 1, 2), of("one_of", 3), False),
        (of("one_of", 1, 2), of("one_of", 1, True), False),
        (of("one_of", 1, "a"), exact("a"), True),
        (of("one_of", 1, "a"), exact("b"), False),
        (of("one_of", 1), of("not_one_of", 2), False),
        (of("not_one_of", 1), of("not_one_of", 1, 2), True),
        (of("not_one_of", 1, 2), of("not_one_of", 1), False),
        (of("not_one_of", 1), exact(2), False),
        (of("contains", 1), of("contains", 1, 2), True),
        (of("contains", 1, 2), of("contains", 1), False),
        (of("subset", 1, 2), of("subset", 1), True),
        (of("subset", 1), of("subset", 1, 2), False),
        (WILD, WILD, True),
        (exact(1), WILD, False),
        (between(), WILD, False),
        (group("all", between(0)), group("all", between(1)), True),
        (group("all", between(0)), group("all", exact(9), between(1)), True),
        (group("all", between(0), of("not_one_of", 5)), group("all", between(1)), False),
        (group("all", between(0), between(0)), group("all", between(1)), False),
        (group("all", between(0), between(None, 9)), group("all", between(0, 9)), False),
        (group("all", between(0)), between(1), False),
        (group("any", exact("pdf"), exact("csv")), group("any", exact("csv")), True),
        (group("any", exact("pdf"), exact("csv")), group("any", exact("pdf"), exact("docx")), False),
        (group("any", of("one_of", "pdf", "csv")), group("any", exact("pdf"), exact("csv")), True),
        (group("any", exact(1)), exact(1), False),
    ],
)
def test_a_pair_of_constraints_is_narrower_as_the_draft_says(parent: Raw, child: Raw, expected: bool) -> None:
    assert narrower(child=child, parent=parent) is expected


def test_clauses_are_paired_even_where_the_first_fit_is_a_dead_end() -> None:
    parent = group("all", WILD, between(0, 10), exact(5))
    child = group("all", exact(5), between(2, 3), of("one_of", "x"))
    assert narrower(child=child, parent=parent)
    assert not narrower(child=group("all", exact(5), of("one_of", "x"), of("one_of", "y")), parent=parent)


@given(raw_constraints())
@settings(max_examples=40, deadline=None)
def test_every_constraint_is_narrower_than_itself(raw: Raw) -> None:
    assert narrower(child=raw, parent=raw)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_what_the_rules_permit_is_accepted(data: st.DataObject) -> None:
    parent = data.draw(raw_constraints())
    assert narrower(child=data.draw(narrowed(parent)), parent=parent)


@given(pair=pairs(), value=constraint_values())
@settings(max_examples=60, deadline=None)
def test_what_satisfies_the_child_satisfies_the_parent(pair: tuple[Raw, Raw], value: JsonValue) -> None:
    parent, child = (read_constraint(raw) for raw in pair)
    if narrower(child=child, parent=parent) and check(child, Subject(value), Effort(10_000)):
        assert check(parent, Subject(value), Effort(10_000))


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_narrower_than_a_narrower_one_is_narrower(data: st.DataObject) -> None:
    parent, child = data.draw(pairs())
    grandchild = data.draw(narrowed(child))
    if narrower(child=child, parent=parent):
        assert narrower(child=grandchild, parent=parent)


@given(pair=pairs(), chance=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_in_which_things_are_written_changes_no_verdict(pair: tuple[Raw, Raw], chance: random.Random) -> None:
    parent, child = pair
    other_parent, other_child = read_constraint(shuffled(parent, chance)), read_constraint(shuffled(child, chance))
    assert narrower(child=other_child, parent=other_parent) is narrower(child=child, parent=parent)


@pytest.mark.parametrize("seed", range(5))
def test_thousands_of_pairs_keep_the_laws(seed: int) -> None:
    """The same laws as above, without shrinking but with many more pairs and the values that the pairs speak about."""
    chance, permitted = random.Random(seed), 0
    for _ in range(600):
        made = [sound_constraint(chance) for _ in range(3)]
        parent, child, grandchild = (read_constraint(raw) for raw in made)
        assert narrower(child=parent, parent=parent)
        if not narrower(child=child, parent=parent):
            continue
        permitted += 1
        assert narrower(child=grandchild, parent=parent) or not narrower(child=grandchild, parent=child)
        for value in (*SCALARS, 3, 50.5, [], [1], ["a", 1], SCALARS):
            subject = Subject(as_json(value))
            assert check(parent, subject, Effort(10_000)) or not check(child, subject, Effort(10_000)), (made, value)
    assert permitted > 30


def sound_constraint(chance: random.Random) -> Raw:
    """A constraint that can be read."""
    while True:
        raw = as_json(some_constraint(chance))
        assert isinstance(raw, dict)
        try:
            read_constraint(raw)
        except ContractError:
            continue
        return raw


@given(st.lists(st.integers(0, 63), max_size=6))
@settings(max_examples=60, deadline=None)
def test_pairing_finds_an_assignment_whenever_there_is_one(choices: list[int]) -> None:
    exists = any(
        all(choices[place] >> partner & 1 for place, partner in enumerate(partners))
        for partners in itertools.permutations(range(6), len(choices))
    )
    assert can_all_be_paired(choices) is exists


def test_pairing_takes_polynomial_time_where_backtracking_would_not_end() -> None:
    many = 120
    everyone_but_the_last = (1 << many - 1) - 1
    assert not can_all_be_paired([everyone_but_the_last] * many)


def tools(**names: dict[str, Raw]) -> dict[str, ArgumentMap]:
    return read_tools({"type": "attenuating_agent_token", "tools": as_json(names)})


@pytest.mark.parametrize(
    ("parent", "child", "said"),
    [
        (tools(a={}, b={}), tools(a={}), None),
        (tools(a={}), tools(), None),
        (tools(a={}), tools(a={"x": WILD}), None),
        (tools(a={"x": WILD}), tools(a={"x": exact(1)}), None),
        (tools(a={}), tools(a={}, b={}), "`b` is not among"),
        (tools(), tools(a={}), "`a` is not among"),
        (tools(a={"x": WILD}), tools(a={}), "`x` is left out"),
        (tools(a={"x": WILD}), tools(a={"x": WILD, "y": WILD}), "`y` is not an argument"),
        (tools(a={"x": WILD, "y": WILD}), tools(a={"x": WILD}), "`y` is left out"),
        (tools(a={"x": exact(1)}), tools(a={"x": exact(2)}), "`x` of `a` is not narrower"),
        (tools(a={}), tools(A={}), "`A` is not among"),
    ],
)
def test_a_capability_is_narrower_tool_by_tool(
    parent: dict[str, ArgumentMap], child: dict[str, ArgumentMap], said: str | None
) -> None:
    if said is None:
        check_narrower(child=child, parent=parent, effort=Effort(1000))
        return
    with pytest.raises(ContractError) as caught:
        check_narrower(child=child, parent=parent, effort=Effort(1000))
    assert caught.value.step is Step.NOT_NARROWER
    assert said in str(caught.value)


def test_names_of_tools_are_compared_byte_for_byte() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    with pytest.raises(ContractError):
        check_narrower(child=tools(**{decomposed: {}}), parent=tools(**{composed: {}}), effort=Effort(1000))


def test_comparing_more_than_the_effort_allows_is_refused() -> None:
    clauses = group("all", *[WILD] * 170)
    with pytest.raises(ContractError) as caught:
        narrower(child=clauses, parent=clauses, effort=3000)
    assert caught.value.step is Step.TOO_COSTLY
