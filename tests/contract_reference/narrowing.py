"""Constraints as the draft's sections 3.4 and 4.5 say them, read, checked and compared without any cleverness.

A constraint stays the JSON object that it came as. `constraint_problem` says what is wrong with one, `passes` whether a value
satisfies it, and `narrows` whether a child's is no wider than its parent's: only what section 4.5 names is allowed.
"""

from collections.abc import Sequence
from typing import Final, cast

from tests.contract_reference.strict_text import Fractional, Json, holds, same

Constraint = dict[str, Json]

MAX_CONSTRAINT_DEPTH: Final = 32
MAX_TEXT_BYTES: Final = 4096

UNKNOWN: Final = "unknown_constraint"
MALFORMED: Final = "capability_malformed"
TOO_DEEP: Final = "constraint_too_deep"

_MEMBERS: Final[dict[str, tuple[str, ...]]] = {
    "exact": ("value",),
    "range": (),
    "one_of": ("values",),
    "not_one_of": ("excluded",),
    "contains": ("required",),
    "subset": ("allowed",),
    "wildcard": (),
    "all": ("constraints",),
    "any": ("constraints",),
}
_OPTIONAL: Final = ("min", "max", "min_inclusive", "max_inclusive")


def as_constraint(value: object) -> Constraint:
    """The same value, known to be a constraint."""
    return cast(Constraint, value)


def is_number(value: Json) -> bool:
    """A JSON number; `true` and `false` are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def kind_of(constraint: Constraint) -> str:
    """The type of a constraint that has no problem."""
    return cast(str, constraint["constraint_type"])


def clauses(constraint: Constraint) -> list[Constraint]:
    """What an `all` or `any` is made of."""
    return cast(list[Constraint], constraint["constraints"])


def constraint_problem(value: Json) -> str | None:
    """The step that refuses this constraint, None if it is sound. Depth is another matter: see `depth_of`."""
    if not isinstance(value, dict):
        return MALFORMED
    kind = value.get("constraint_type")
    if not isinstance(kind, str):
        return MALFORMED
    if kind not in _MEMBERS:
        return UNKNOWN
    required = _MEMBERS[kind]
    allowed = {"constraint_type", *required, *(_OPTIONAL if kind == "range" else ())}
    if not set(value) <= allowed:
        return UNKNOWN
    if not set(required) <= set(value) or not all(
        is_exact(value[name]) and is_short(value[name]) for name in value if name != "constraints"
    ):
        return MALFORMED
    return _members_problem(kind, value)


def is_short(value: Json) -> bool:
    """Say whether every text in a value is within the draft's recommended bound (Appendix B.5)."""
    if isinstance(value, dict):
        return all(is_short(name) and is_short(each) for name, each in value.items())
    if isinstance(value, list):
        return all(is_short(each) for each in value)
    return not isinstance(value, str) or len(value.encode()) <= MAX_TEXT_BYTES


def is_exact(value: Json) -> bool:
    """Say whether all numbers in a value are what a double says they are: at most 15 digits unless it is whole."""
    if isinstance(value, dict):
        return all(is_exact(each) for each in value.values())
    if isinstance(value, list):
        return all(is_exact(each) for each in value)
    return not isinstance(value, Fractional) or value.is_whole or value.digits <= 15


def _members_problem(kind: str, value: Constraint) -> str | None:
    match kind:
        case "exact":
            return MALFORMED if isinstance(value["value"], list | dict) else None
        case "range":
            numbers = all(is_number(value[name]) for name in ("min", "max") if name in value)
            flags = all(isinstance(value[name], bool) for name in ("min_inclusive", "max_inclusive") if name in value)
            return None if numbers and flags else MALFORMED
        case "all" | "any":
            inner = value["constraints"]
            if not isinstance(inner, list) or not inner:
                return MALFORMED
            return next((problem for each in inner if (problem := constraint_problem(each))), None)
        case "wildcard":
            return None
        case _:
            return None if isinstance(value[_MEMBERS[kind][0]], list) else MALFORMED


def depth_of(value: Json) -> int:
    """How many constraints deep this one is: 1 if it holds no others. It need not be sound."""
    inner = value.get("constraints") if isinstance(value, dict) else None
    if not isinstance(inner, list):
        return 1
    return 1 + max((depth_of(each) for each in inner), default=0)


def passes(constraint: Constraint, value: Json) -> bool:
    """Section 3.4: whether an argument satisfies its constraint."""
    match kind_of(constraint):
        case "exact":
            return same(constraint["value"], value)
        case "range":
            return is_number(value) and _inside(constraint, cast(float, value))
        case "one_of":
            return holds(cast(list[Json], constraint["values"]), value)
        case "not_one_of":
            return not holds(cast(list[Json], constraint["excluded"]), value)
        case "contains":
            return isinstance(value, list) and all(holds(value, each) for each in _list(constraint, "required"))
        case "subset":
            return isinstance(value, list) and all(holds(_list(constraint, "allowed"), each) for each in value)
        case "all":
            return all(passes(clause, value) for clause in clauses(constraint))
        case "any":
            return any(passes(clause, value) for clause in clauses(constraint))
        case _:
            return True


def _list(constraint: Constraint, member: str) -> list[Json]:
    return cast(list[Json], constraint[member])


def _inside(bounds: Constraint, value: float) -> bool:
    low, high = cast("float | None", bounds.get("min")), cast("float | None", bounds.get("max"))
    above = low is None or value > low or (value == low and bounds.get("min_inclusive", True) is True)
    below = high is None or value < high or (value == high and bounds.get("max_inclusive", True) is True)
    return above and below


def narrows(parent: Constraint, child: Constraint) -> bool:
    """Section 4.5: whether everything that passes the child passes the parent, as far as its rules can tell."""
    match kind_of(parent), kind_of(child):
        case "wildcard", _:
            return True
        case "exact", "exact":
            return same(parent["value"], child["value"])
        case "range", "exact":
            return is_number(child["value"]) and _inside(parent, cast(float, child["value"]))
        case "range", "range":
            return _bounds_narrow(parent, child)
        case "one_of", "exact":
            return holds(_list(parent, "values"), child["value"])
        case "one_of", "one_of":
            return _subset(_list(child, "values"), _list(parent, "values"))
        case "not_one_of", "not_one_of":
            return _subset(_list(parent, "excluded"), _list(child, "excluded"))
        case "contains", "contains":
            return _subset(_list(parent, "required"), _list(child, "required"))
        case "subset", "subset":
            return _subset(_list(child, "allowed"), _list(parent, "allowed"))
        case "all", "all":
            return _all_narrow(clauses(parent), clauses(child))
        case "any", "any":
            return all(any(narrows(wide, narrow) for wide in clauses(parent)) for narrow in clauses(child))
        case _:
            return False


def _subset(small: list[Json], large: list[Json]) -> bool:
    return all(holds(large, each) for each in small)


def _bounds_narrow(parent: Constraint, child: Constraint) -> bool:
    for bound, sign in (("min", 1), ("max", -1)):
        if bound not in parent:
            continue
        if bound not in child:
            return False
        room = sign * (cast(float, child[bound]) - cast(float, parent[bound]))
        reopened = child.get(f"{bound}_inclusive", True) is True and parent.get(f"{bound}_inclusive", True) is False
        if room < 0 or (room == 0 and reopened):
            return False
    return True


def _all_narrow(parents: Sequence[Constraint], children: Sequence[Constraint]) -> bool:
    """Each parent clause gets a child clause of its own, if need be by asking another to give up its own."""
    fits = [[narrows(wide, narrow) for narrow in children] for wide in parents]
    taken: dict[int, int] = {}

    def place(wide: int, asked: set[int]) -> bool:
        for narrow, fit in enumerate(fits[wide]):
            if not fit or narrow in asked:
                continue
            asked.add(narrow)
            if narrow not in taken or place(taken[narrow], asked):
                taken[narrow] = wide
                return True
        return False

    return all(place(wide, set()) for wide in range(len(parents)))
