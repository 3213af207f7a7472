"""`narrower`: whether a child contract allows nothing that its parent does not.

The rules are section 4.5 of draft-niyikiza-oauth-attenuating-agent-tokens-01. They compare what is written, not what it
means: a pair of constraints is narrower only if a rule of the table below says so, and every pair that is not in the table
is refused, also where it would be harmless. So a rule that is missing fails closed, and two implementations agree.

Laws (tests/contracts/test_attenuate.py): every contract is narrower than itself; narrower is transitive; and whatever
satisfies the child satisfies the parent.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from remit.core.constraints import (
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
    is_in_range,
)
from remit.core.contract_steps import ContractError, Effort, Step
from remit.core.matching import can_all_be_paired
from remit.core.reading import shown

Capability = Mapping[str, ArgumentMap]
"""Tools and what their arguments must be; the empty one allows nothing."""


def check_narrower(*, child: Capability, parent: Capability, effort: Effort) -> None:
    """Raise `ContractError` where `child` would allow more than `parent`, naming the tool and the argument."""
    for tool, wanted in child.items():
        held = parent.get(tool)
        if held is None:
            raise _refusal(f"the tool {shown(tool)} is not among those of its parent")
        _check_arguments(tool, wanted, held, effort)


def is_narrower(*, child: Constraint, parent: Constraint, effort: Effort) -> bool:
    """Say whether the table permits `child` below `parent`. Raises `ContractError` when that takes more than `effort`."""
    effort.spend()
    rule = PERMITTED.get((type(parent), type(child)))
    return rule is not None and rule(parent, child, effort)


def _refusal(problem: str) -> ContractError:
    return ContractError(Step.NOT_NARROWER, problem)


def _check_arguments(tool: str, wanted: ArgumentMap, held: ArgumentMap, effort: Effort) -> None:
    if not held:
        return  # any arguments were allowed, so naming some is a restriction
    if wanted.keys() != held.keys():
        name = min(wanted.keys() ^ held.keys())
        problem = "is not an argument of" if name in wanted else "is left out; its parent names it for"
        raise _refusal(f"{shown(name)} {problem} the tool {shown(tool)}")
    for name, constraint in wanted.items():
        if not is_narrower(child=constraint, parent=held[name], effort=effort):
            raise _refusal(f"the argument {shown(name)} of {shown(tool)} is not narrower than in its parent")


def _anything(_parent: Wildcard, _child: Constraint, _effort: Effort) -> bool:
    return True


def _same(parent: Exact, child: Exact, _effort: Effort) -> bool:
    return parent.key == child.key


def _range_in_range(parent: Range, child: Range, effort: Effort) -> bool:
    effort.spend(2)
    return _is_bound_inside(parent.minimum, child.minimum, 1) and _is_bound_inside(parent.maximum, child.maximum, -1)


def _is_bound_inside(parent: Bound | None, child: Bound | None, inward: int) -> bool:
    """Say whether an end lies further inside: `inward` is 1 for minima and -1 for maxima."""
    if parent is None:
        return True
    if child is None:
        return False
    inside = inward * parent.difference(child.coefficient, child.decimals)
    return inside > 0 or (inside == 0 and (parent.inclusive or not child.inclusive))


def _value_in_range(parent: Range, child: Exact, effort: Effort) -> bool:
    effort.spend()
    return is_in_range(parent, _number_of(child))


def _number_of(child: Exact) -> tuple[int, int] | None:
    match child.key:
        case ("number", int(coefficient), int(decimals)):
            return coefficient, decimals
        case int(whole):
            return whole, 0
        case _:
            return None


def _fewer_values(parent: OneOf, child: OneOf, effort: Effort) -> bool:
    effort.spend_on_set(len(child.keys))
    return child.keys <= parent.keys


def _one_of_the_values(parent: OneOf, child: Exact, _effort: Effort) -> bool:
    return child.key in parent.keys


def _more_excluded(parent: NotOneOf, child: NotOneOf, effort: Effort) -> bool:
    effort.spend_on_set(len(parent.keys))
    return parent.keys <= child.keys


def _more_required(parent: Contains, child: Contains, effort: Effort) -> bool:
    effort.spend_on_set(len(parent.keys))
    return parent.keys <= child.keys


def _fewer_allowed(parent: Subset, child: Subset, effort: Effort) -> bool:
    effort.spend_on_set(len(child.keys))
    return child.keys <= parent.keys


def _every_clause_answered(parent: AllOf, child: AllOf, effort: Effort) -> bool:
    """Each clause of the parent is matched by a different clause of the child."""
    if len(child.clauses) < len(parent.clauses):
        return False
    choices = []
    for held in parent.clauses:
        fits = [is_narrower(child=wanted, parent=held, effort=effort) for wanted in child.clauses]
        if not any(fits):
            return False
        choices.append(sum(1 << place for place, does_fit in enumerate(fits) if does_fit))
    return can_all_be_paired(choices)


def _every_clause_covered(parent: AnyOf, child: AnyOf, effort: Effort) -> bool:
    """Each clause of the child is narrower than some clause of the parent."""
    return all(
        any(is_narrower(child=wanted, parent=held, effort=effort) for held in parent.clauses)
        for wanted in child.clauses
    )


Rule = Callable[[Any, Any, Effort], bool]

PERMITTED: Final[Mapping[tuple[type[Constraint], type[Constraint]], Rule]] = {
    # parent, child: when
    (Wildcard, Exact): _anything,
    (Wildcard, Range): _anything,
    (Wildcard, OneOf): _anything,
    (Wildcard, NotOneOf): _anything,
    (Wildcard, Contains): _anything,
    (Wildcard, Subset): _anything,
    (Wildcard, Wildcard): _anything,
    (Wildcard, AllOf): _anything,
    (Wildcard, AnyOf): _anything,
    (Exact, Exact): _same,
    (Range, Range): _range_in_range,
    (Range, Exact): _value_in_range,
    (OneOf, OneOf): _fewer_values,
    (OneOf, Exact): _one_of_the_values,
    (NotOneOf, NotOneOf): _more_excluded,
    (Contains, Contains): _more_required,
    (Subset, Subset): _fewer_allowed,
    (AllOf, AllOf): _every_clause_answered,
    (AnyOf, AnyOf): _every_clause_covered,
}
"""The pairs that are permitted, and when. Every other pair is refused."""
