"""The nine constraints a contract can put on an argument, and what it means that a value satisfies one.

They are those of section 3.4 of draft-niyikiza-oauth-attenuating-agent-tokens-01, and nothing else. Values are compared
by JSON equality, exactly (`value_keys`), sets as sets; a value of another type than the constraint speaks about fails.
Checking costs time linear in the constraint and the value, but for `all` and `any`, which may look at one long array again
and again: that is bounded by `Effort`.

`check` is the literal table of the nine; `core.attenuate` has the table of what may stand for what in a child.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, assert_never

from remit.core.contract_steps import ContractError, Effort
from remit.core.reading import shown
from remit.core.strict_json import ExactNumber, JsonValue
from remit.core.value_keys import ValueKey, number_key, value_key, value_keys
from remit.errors import BadRequest

MAX_CONSTRAINT_DEPTH: Final = 32
"""Levels of a constraint tree: a plain constraint has one, `all` around it two (draft section 3.4)."""

MAX_CHECK_EFFORT: Final = 16_384
"""Comparisons that one call's arguments may take. An argument that needs more is refused."""


@dataclass(frozen=True, slots=True)
class Exact:
    """The value is equal to `value`, a scalar."""

    value: JsonValue = field(compare=False)
    key: ValueKey


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a range: the number coefficient / 10^decimals, as it was written in `text`."""

    coefficient: int
    decimals: int
    inclusive: bool
    text: str = field(compare=False)

    def difference(self, coefficient: int, decimals: int) -> int:
        """Below 0, 0 or above 0 as the number coefficient / 10^decimals is less than, equal to or above this one."""
        left: int = coefficient * 10**self.decimals
        right: int = self.coefficient * 10**decimals
        return left - right


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The value is a number between the bounds; a bound that is None does not bound."""

    minimum: Bound | None
    maximum: Bound | None


@dataclass(frozen=True, slots=True)
class OneOf:
    """The value is equal to one of `values`."""

    values: tuple[JsonValue, ...] = field(compare=False)
    keys: frozenset[ValueKey]


@dataclass(frozen=True, slots=True)
class NotOneOf:
    """The value is equal to none of `excluded`."""

    excluded: tuple[JsonValue, ...] = field(compare=False)
    keys: frozenset[ValueKey]


@dataclass(frozen=True, slots=True)
class Contains:
    """The value is an array that holds all of `required`."""

    required: tuple[JsonValue, ...] = field(compare=False)
    keys: frozenset[ValueKey]


@dataclass(frozen=True, slots=True)
class Subset:
    """The value is an array that holds only members of `allowed`."""

    allowed: tuple[JsonValue, ...] = field(compare=False)
    keys: frozenset[ValueKey]


@dataclass(frozen=True, slots=True)
class Wildcard:
    """The value is anything at all."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """The value satisfies every clause; there is at least one."""

    clauses: "tuple[Constraint, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The value satisfies some clause; there is at least one."""

    clauses: "tuple[Constraint, ...]"


Constraint: TypeAlias = Exact | Range | OneOf | NotOneOf | Contains | Subset | Wildcard | AllOf | AnyOf

ArgumentMap: TypeAlias = Mapping[str, Constraint]
"""What a contract says about one tool: nothing (any arguments), or a constraint for each argument there must be."""


class Subject:
    """The value of one argument, with its keys computed once however many clauses look at it.

    Raises `BadRequest` when the value holds a number that not every reader would read alike.
    """

    __slots__ = ("elements", "key", "value")

    def __init__(self, value: JsonValue) -> None:
        self.value = value
        self.key: Final = value_key(value)
        self.elements: Final = value_keys(value) if isinstance(value, list) else None

    def number(self) -> tuple[int, int] | None:
        """The (coefficient, decimals) of a number; None for any other value, `true` and `false` included."""
        if isinstance(self.value, ExactNumber):
            return self.value.scaled()
        return (self.value, 0) if isinstance(self.value, int) and not isinstance(self.value, bool) else None


def check(constraint: Constraint, subject: Subject, effort: Effort) -> bool:
    """Say whether the value satisfies the constraint. Raises `ContractError` when that takes more than `effort`."""
    effort.spend()
    match constraint:
        case Wildcard():
            return True
        case Exact(key=key):
            return subject.key == key
        case Range():
            return is_in_range(constraint, subject.number())
        case OneOf(keys=keys):
            return subject.key in keys
        case NotOneOf(keys=keys):
            return subject.key not in keys
        case Contains(keys=keys):
            effort.spend_on_set(len(keys))
            return subject.elements is not None and keys <= subject.elements
        case Subset(keys=keys):
            effort.spend_on_set(len(subject.elements or ()))
            return subject.elements is not None and subject.elements <= keys
        case AllOf(clauses=clauses):
            return all(check(clause, subject, effort) for clause in clauses)
        case AnyOf(clauses=clauses):
            return any(check(clause, subject, effort) for clause in clauses)
        case _:
            assert_never(constraint)


def is_in_range(constraint: Range, number: tuple[int, int] | None) -> bool:
    """Say whether a number (coefficient, decimals) lies inside the bounds; what is no number (None) does not."""
    if number is None:
        return False
    low, high = constraint.minimum, constraint.maximum
    if low is not None and low.difference(*number) < (0 if low.inclusive else 1):
        return False
    return high is None or high.difference(*number) <= (0 if high.inclusive else -1)


def arguments_refusal(constraints: ArgumentMap, arguments: Mapping[str, JsonValue], *, tool: str) -> str | None:
    """Say in one sentence why a tool with these constraints must not be called with `arguments`; None: it may.

    Without constraints anything may be passed. With any, the world is closed: each argument that they name is there and
    satisfies its constraint, and there is no other (draft section 3.3). A value that cannot be judged is refused.
    """
    if not constraints:
        return None
    for name in arguments:
        if name not in constraints:
            return f"the contract names every argument of {shown(tool)} and {shown(name)} is not among them"
    effort = Effort(MAX_CHECK_EFFORT)
    for name, constraint in constraints.items():
        if name not in arguments:
            return f"the contract asks for the argument {shown(name)} of {shown(tool)}, and it is missing"
        if (problem := _value_problem(constraint, arguments[name], effort)) is not None:
            return f"the argument {shown(name)} of {shown(tool)} {problem}"
    return None


def _value_problem(constraint: Constraint, value: JsonValue, effort: Effort) -> str | None:
    if isinstance(constraint, Wildcard):
        return None
    try:
        return None if check(constraint, Subject(value), effort) else "is not what the contract allows"
    except BadRequest as error:
        return f"cannot be judged: {error}"
    except ContractError:
        return "takes too much work to compare with what the contract allows"


def bound_of(number: int | ExactNumber, *, inclusive: bool) -> Bound:
    """Make an end of a range. Raises `BadRequest` for a number that not every reader would read alike."""
    if isinstance(number, int):
        return Bound(number, 0, inclusive, str(number))
    number_key(number)
    return Bound(*number.scaled(), inclusive, number.text)
