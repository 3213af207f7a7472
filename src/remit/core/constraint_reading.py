"""From the JSON of an `attenuating_agent_token` entry to tools and constraints, refusing whatever is not understood.

A member that one verifier ignores and another one enforces would make a contract mean two things, and an unknown type or
member always stands for a restriction that somebody meant. So every object here has exactly the members that its type
has, with values of the right type, or the whole contract is refused (draft sections 3.3, 3.4 and 8.11). Sizes are those of
its appendix B.5.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

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
    bound_of,
)
from remit.core.contract_steps import ContractError, Step
from remit.core.reading import shown
from remit.core.strict_json import ExactNumber, JsonValue
from remit.core.value_keys import value_key, value_keys
from remit.errors import BadRequest

CAPABILITY_TYPE: Final = "attenuating_agent_token"

MAX_TOOLS: Final = 256
MAX_TOOL_NAME_BYTES: Final = 256
MAX_ARGUMENTS: Final = 64
MAX_VALUE_BYTES: Final = 4096
"""Of one string inside a constraint."""

Members = dict[str, JsonValue]


def read_tools(entry: Members) -> dict[str, ArgumentMap]:
    """Read the `tools` of a capability entry. Raises `ContractError`."""
    if entry.keys() != {"type", "tools"}:
        extra = next((name for name in entry if name not in ("type", "tools")), None)
        raise _malformed("the capability has no `tools`" if extra is None else f"{shown(extra)} is no member of it")
    tools = entry["tools"]
    if not isinstance(tools, dict):
        raise _malformed("`tools` must be an object")
    if len(tools) > MAX_TOOLS:
        raise _malformed(f"there are more than {MAX_TOOLS} tools")
    return {_tool_name(name): _argument_map(name, arguments) for name, arguments in tools.items()}


def read_constraint(value: JsonValue, depth: int = 1) -> Constraint:
    """Read one constraint that stands at `depth` of its tree. Raises `ContractError`."""
    if depth > MAX_CONSTRAINT_DEPTH:
        raise ContractError(
            Step.CONSTRAINT_TOO_DEEP, f"a constraint is nested deeper than {MAX_CONSTRAINT_DEPTH} levels"
        )
    if not isinstance(value, dict):
        raise _malformed("a constraint must be an object")
    kind = value.get("constraint_type")
    if not isinstance(kind, str):
        raise _malformed("a constraint has no `constraint_type`")
    form = _FORMS.get(kind)
    if form is None:
        raise ContractError(Step.UNKNOWN_CONSTRAINT, f"the constraint type {shown(kind)} is not known here")
    if unknown := value.keys() - form.members:
        raise ContractError(Step.UNKNOWN_CONSTRAINT, f"a constraint `{kind}` has no member {shown(min(unknown))}")
    try:
        return form.read(value, depth)
    except BadRequest as error:
        raise _malformed(str(error)) from None


def _malformed(problem: str) -> ContractError:
    return ContractError(Step.CAPABILITY_MALFORMED, problem)


def _tool_name(name: str) -> str:
    if not name or len(name.encode()) > MAX_TOOL_NAME_BYTES:
        raise _malformed(f"the tool name {shown(name)} is empty or longer than {MAX_TOOL_NAME_BYTES} bytes")
    return name


def _argument_map(tool: str, value: JsonValue) -> ArgumentMap:
    if not isinstance(value, dict):
        raise _malformed(f"the arguments of {shown(tool)} must be an object")
    if len(value) > MAX_ARGUMENTS:
        raise _malformed(f"{shown(tool)} has more than {MAX_ARGUMENTS} arguments")
    return {_argument_name(name): read_constraint(constraint) for name, constraint in value.items()}


def _argument_name(name: str) -> str:
    if len(name.encode()) > MAX_TOOL_NAME_BYTES:
        raise _malformed(f"the argument name {shown(name)} is longer than {MAX_TOOL_NAME_BYTES} bytes")
    return name


def _exact(members: Members, _depth: int) -> Exact:
    value = members.get("value")
    if "value" not in members or isinstance(value, list | dict):
        raise _malformed("`exact` needs a `value` that is no array and no object")
    _check_strings([value])
    return Exact(value, value_key(value))


def _range(members: Members, _depth: int) -> Range:
    return Range(minimum=_bound(members, "min"), maximum=_bound(members, "max"))


def _bound(members: Members, name: str) -> Bound | None:
    inclusive = members.get(f"{name}_inclusive", True)
    if not isinstance(inclusive, bool):
        raise _malformed(f"`{name}_inclusive` must be true or false")
    if name not in members:
        return None
    number = members[name]
    if isinstance(number, bool) or not isinstance(number, int | ExactNumber):
        raise _malformed(f"`{name}` must be a number")
    return bound_of(number, inclusive=inclusive)


def _values(members: Members, name: str) -> tuple[JsonValue, ...]:
    values = members.get(name)
    if not isinstance(values, list):
        raise _malformed(f"the constraint needs `{name}`, an array")
    _check_strings(values)
    return tuple(values)


def _one_of(members: Members, _depth: int) -> OneOf:
    values = _values(members, "values")
    return OneOf(values, value_keys(values))


def _not_one_of(members: Members, _depth: int) -> NotOneOf:
    excluded = _values(members, "excluded")
    return NotOneOf(excluded, value_keys(excluded))


def _contains(members: Members, _depth: int) -> Contains:
    required = _values(members, "required")
    return Contains(required, value_keys(required))


def _subset(members: Members, _depth: int) -> Subset:
    allowed = _values(members, "allowed")
    return Subset(allowed, value_keys(allowed))


def _wildcard(_members: Members, _depth: int) -> Wildcard:
    return Wildcard()


def _all(members: Members, depth: int) -> AllOf:
    return AllOf(_clauses(members, depth))


def _any(members: Members, depth: int) -> AnyOf:
    return AnyOf(_clauses(members, depth))


def _clauses(members: Members, depth: int) -> tuple[Constraint, ...]:
    clauses = members.get("constraints")
    if not isinstance(clauses, list) or not clauses:
        raise _malformed("`all` and `any` need `constraints`, an array that is not empty")
    return tuple(read_constraint(clause, depth + 1) for clause in clauses)


def _check_strings(values: list[JsonValue]) -> None:
    for text in _strings(values):
        if len(text) > MAX_VALUE_BYTES or len(text.encode()) > MAX_VALUE_BYTES:
            raise _malformed(f"a string in a constraint is longer than {MAX_VALUE_BYTES} bytes")


def _strings(values: list[JsonValue]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from _strings(value)
        elif isinstance(value, dict):
            yield from value
            yield from _strings(list(value.values()))


@dataclass(frozen=True, slots=True)
class _Form:
    """The members that a type may have, and how it is read."""

    members: frozenset[str]
    read: Callable[[Members, int], Constraint]


def _members(*names: str) -> frozenset[str]:
    return frozenset(("constraint_type", *names))


_FORMS: Final[Mapping[str, _Form]] = {
    "exact": _Form(_members("value"), _exact),
    "range": _Form(_members("min", "max", "min_inclusive", "max_inclusive"), _range),
    "one_of": _Form(_members("values"), _one_of),
    "not_one_of": _Form(_members("excluded"), _not_one_of),
    "contains": _Form(_members("required"), _contains),
    "subset": _Form(_members("allowed"), _subset),
    "wildcard": _Form(_members(), _wildcard),
    "all": _Form(_members("constraints"), _all),
    "any": _Form(_members("constraints"), _any),
}
