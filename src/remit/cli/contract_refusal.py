"""Why a contract cannot be handed on as it was asked for: the rule that stands against it, beside the refusal itself.

Verification names the step, the tool and the argument. People want to see both constraints, and what would be allowed.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from remit.cli.contract_grammar import format_constraint, format_tool
from remit.core.constraint_reading import CAPABILITY_TYPE, read_tools
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
    Subset,
)
from remit.core.contract import Contract
from remit.core.contract_steps import ContractError, Effort, Step
from remit.core.reading import shown
from remit.errors import UsageError

if TYPE_CHECKING:
    from remit.contracts import Asking

EFFORT: Final = 65_536

_MAY_FOLLOW: Final[dict[type[Constraint], str]] = {
    Exact: "under an exact value, the same value",
    Range: "under a range, a range inside it, or one number inside it",
    OneOf: "under a list of values, fewer of them, or one of them",
    NotOneOf: "under values that are shut out, the same and maybe more, written as `not in [...]`",
    Contains: "under `has [...]`, the same values and maybe more",
    Subset: "under `only [...]`, fewer of the values",
    AllOf: "under `all(...)`, an `all(...)` with a clause for each of its clauses, none of them wider",
    AnyOf: "under `any(...)`, an `any(...)` of which each clause is inside one of its clauses",
}


def explained(error: UsageError, asking: "Asking", parent: Contract) -> UsageError:
    """The same refusal with the rule that it is by, where there is more to say about it."""
    cause = error.__cause__
    if not isinstance(cause, ContractError) or cause.step is not Step.NOT_NARROWER or asking.tools is None:
        return error
    from remit.contracts import as_json

    tools = as_json(asking.tools)
    wanted = read_tools({"type": CAPABILITY_TYPE, "tools": tools})
    return UsageError("\n".join([str(error), *_rules(wanted, parent.tools or {})]))


def _rules(wanted: Mapping[str, ArgumentMap], held: Mapping[str, ArgumentMap]) -> list[str]:
    for tool, arguments in wanted.items():
        if tool not in held:
            known = ", ".join(map(shown, list(held)[:8])) or "none"
            return [f"its parent allows these tools: {known}"]
        lines = _argument_rules(tool, arguments, held[tool])
        if lines:
            return lines
    return []


def _argument_rules(tool: str, wanted: ArgumentMap, held: ArgumentMap) -> list[str]:
    from remit.core.attenuate import is_narrower

    if held and wanted.keys() != held.keys():
        return [f"its parent allows {format_tool(tool, held)}: name the same arguments"]
    for name, constraint in held.items():
        if not is_narrower(child=wanted[name], parent=constraint, effort=Effort(EFFORT)):
            return [
                f"its parent says `{name} {format_constraint(constraint)}`, and asked for is `{format_constraint(wanted[name])}`",
                f"what may follow: {_MAY_FOLLOW[type(constraint)]}",
            ]
    return []
