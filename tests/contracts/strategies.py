"""Values, constraints and whole capabilities for properties, drawn from a small world so that they meet often."""

from typing import Any

from hypothesis import strategies as st

from remit.core.constraint_reading import read_constraint
from remit.core.constraints import Constraint
from remit.core.strict_json import JsonValue, read_number

Raw = dict[str, Any]
"""A constraint as JSON."""

NUMBERS: list[JsonValue] = [-1, 0, 1, 2, 3, 5, *(read_number(text) for text in ("0.5", "1.0", "1.5", "2e0", "2.50"))]
SCALARS: list[JsonValue] = [*NUMBERS, True, False, None, "", "a", "b", "1", "A"]


def numbers() -> st.SearchStrategy[Any]:
    """Integers and exact decimals, some of them spelled in two ways."""
    return st.sampled_from(NUMBERS)


def scalars() -> st.SearchStrategy[Any]:
    """What `exact` may hold."""
    return st.sampled_from(SCALARS)


def json_values() -> st.SearchStrategy[Any]:
    """Scalars, and shallow arrays and objects of them."""
    return st.recursive(
        scalars(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abé€"), inner, max_size=3),
        max_leaves=6,
    )


def constraint_values() -> st.SearchStrategy[Any]:
    """Arguments: mostly scalars and arrays of scalars, which constraints speak about."""
    return scalars() | st.lists(scalars(), max_size=4) | json_values()


def raw_leaves() -> st.SearchStrategy[Raw]:
    """Constraints that hold no constraints."""
    values = st.lists(scalars() | st.lists(scalars(), max_size=2), max_size=4)
    bounds = {
        "min": numbers(),
        "max": numbers(),
        "min_inclusive": st.booleans(),
        "max_inclusive": st.booleans(),
    }
    return st.one_of(
        st.just({"constraint_type": "wildcard"}),
        scalars().map(lambda value: {"constraint_type": "exact", "value": value}),
        st.fixed_dictionaries({"constraint_type": st.just("range")}, optional=bounds),
        values.map(lambda found: {"constraint_type": "one_of", "values": found}),
        values.map(lambda found: {"constraint_type": "not_one_of", "excluded": found}),
        values.map(lambda found: {"constraint_type": "contains", "required": found}),
        values.map(lambda found: {"constraint_type": "subset", "allowed": found}),
    )


def raw_constraints() -> st.SearchStrategy[Raw]:
    """All nine types, a few levels deep."""
    return st.recursive(
        raw_leaves(),
        lambda inner: st.builds(
            lambda kind, clauses: {"constraint_type": kind, "constraints": clauses},
            st.sampled_from(["all", "any"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        max_leaves=5,
    )


def constraints() -> st.SearchStrategy[Constraint]:
    """The same, read."""
    return raw_constraints().map(read_constraint)


def narrowed(raw: Raw) -> st.SearchStrategy[Raw]:
    """Constraints that the rules permit below `raw`."""
    kind = raw["constraint_type"]
    if kind == "wildcard":
        return raw_constraints()
    if kind in ("one_of", "subset"):
        name = "values" if kind == "one_of" else "allowed"
        return (
            st.lists(st.sampled_from(raw[name]), max_size=3).map(lambda kept: {**raw, name: kept})
            if raw[name]
            else st.just(raw)
        )
    if kind in ("not_one_of", "contains"):
        name = "excluded" if kind == "not_one_of" else "required"
        return st.lists(scalars(), max_size=3).map(lambda more: {**raw, name: [*more, *raw[name]]})
    if kind == "all":
        each = st.tuples(*map(narrowed, raw["constraints"]))
        more = st.lists(raw_leaves(), max_size=2)
        both = st.tuples(each, more).flatmap(lambda found: st.permutations([*found[0], *found[1]]))
        return both.map(lambda clauses: {**raw, "constraints": list(clauses)})
    if kind == "any":
        clauses = st.lists(st.sampled_from(raw["constraints"]).flatmap(narrowed), min_size=1, max_size=4)
        return clauses.map(lambda found: {**raw, "constraints": found})
    return st.just(raw)


def pairs() -> st.SearchStrategy[tuple[Raw, Raw]]:
    """A parent and a child: one that is narrower as often as one that is anything."""
    permitted = raw_constraints().flatmap(lambda parent: st.tuples(st.just(parent), narrowed(parent)))
    return permitted | st.tuples(raw_constraints(), raw_constraints())
