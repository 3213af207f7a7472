"""Mutations of what a contract allows, signed again by the right key: tools, arguments, constraints, one bound at a time."""

from random import Random
from typing import Final

from tests.contract_reference import families
from tests.contract_reference.forge import Case, Draft, Loose, Raw, as_loose, copy_json, pick
from tests.contract_reference.mutate_links import any_draft
from tests.contract_reference.mutate_text import entry_of, tools_of
from tests.contract_reference.universe import as_node, constraint, narrower, nodes, tweak, value


def _constrained(rng: Random, case: Case) -> tuple[Draft, dict[str, Loose], str] | None:
    """A link, the arguments of one of its tools, and one of their names."""
    places = [
        (draft, arguments, name)
        for draft in case.drafts
        for arguments in tools_of(draft).values()
        if isinstance(arguments, dict)
        for name in arguments
    ]
    return rng.choice(places) if places else None


def tweak_a_constraint(rng: Random, case: Case) -> None:
    """One small change, in a parent or in a child: who is now wider than whom is for the verifiers to say."""
    found = _constrained(rng, case)
    if found is not None:
        tweak(rng, as_node(found[1][found[2]]))


def tweak_several(rng: Random, case: Case) -> None:
    for _ in range(rng.randrange(2, 5)):
        tweak_a_constraint(rng, case)


def without_limits(draft: Draft) -> None:
    """Limits name tools; a link that gets other tools keeps none."""
    draft.claims["authorization_details"] = [entry_of(draft)]


def duel(rng: Random, case: Case) -> None:
    """One constraint all the way down the chain, narrower by the table at each link, then changed a little somewhere."""
    node = constraint(rng, rng.randrange(4))
    for draft in case.drafts:
        entry = entry_of(draft)
        if entry is None:
            return
        entry["tools"] = {"a": {"x": copy_json(as_loose(node))}}
        without_limits(draft)
        node = narrower(rng, node)
    if rng.random() < 0.7:
        tweak_a_constraint(rng, case)


def twins(rng: Random, case: Case) -> None:
    """An `all` whose clauses compete for each other: greedy matching fails where a better one exists."""
    values: list[Loose] = ["a", "b", "c", "d"]
    wide = [_choice(rng.sample(values, rng.randrange(1, 5))) for _ in range(rng.randrange(1, 6))]
    narrow = [_choice(rng.sample(values, rng.randrange(1, 4))) for _ in range(rng.randrange(1, 7))]
    for place, draft in enumerate(case.drafts):
        entry = entry_of(draft)
        if entry is None:
            return
        clauses = wide if place == 0 else narrow
        entry["tools"] = {"a": {"x": {"constraint_type": "all", "constraints": as_loose(clauses)}}}
        without_limits(draft)


def _choice(values: list[Loose]) -> Loose:
    return {"constraint_type": "one_of", "values": values}


def bend_a_constraint(rng: Random, case: Case) -> None:
    """No longer a constraint by its form: unknown types and members, members missing or of the wrong kind."""
    found = _constrained(rng, case)
    if found is None:
        return
    node = rng.choice(nodes(as_node(found[1][found[2]])))
    match rng.randrange(5):
        case 0:
            node["constraint_type"] = pick(
                rng, "prefix", "Exact", "", None, 1, ["exact"], "range ", "all", "wildcard", "exact"
            )
        case 1:
            node[rng.choice(("note", "min", "max", "values", "value", "constraints", "Value", ""))] = value(rng)
        case 2:
            node.pop(rng.choice(list(node)))
        case 3:
            node[rng.choice(list(node))] = pick(rng, None, 1, "1", [], {}, True, [[]], Raw("NaN"), Raw("1e400"), [1])
        case _:
            found[1][found[2]] = pick(rng, None, 1, "wildcard", [], {}, [node], True)


def change_arguments(rng: Random, case: Case) -> None:
    """A name more, a name less, a name spelled otherwise, or open again."""
    draft = any_draft(rng, case)
    tools = [each for each in tools_of(draft).values() if isinstance(each, dict)]
    if not tools:
        return
    arguments = rng.choice(tools)
    match rng.randrange(4):
        case 0:
            arguments[rng.choice((*families.ARGUMENTS, "extra", "Amount"))] = as_loose(constraint(rng, 1))
        case 1 if arguments:
            arguments.pop(rng.choice(list(arguments)))
        case 2 if arguments:
            name = rng.choice(list(arguments))
            arguments[rng.choice((name.upper(), name + " ", "e\u0301"))] = arguments.pop(name)
        case _:
            arguments.clear()


def change_tools(rng: Random, case: Case) -> None:
    """A tool more, a tool less, or a name that only looks the same."""
    draft = any_draft(rng, case)
    tools = tools_of(draft)
    names = (
        *families.TOOLS,
        "payments.*",
        "*",
        "Payments.transfer",
        "payments.transfer ",
        "payments",
        "payments.",
        "",
        "b",
    )
    match rng.randrange(4):
        case 0 if tools:
            tools.pop(rng.choice(list(tools)))
        case 1 if tools:
            name = rng.choice(list(tools))
            tools[rng.choice((name.upper(), name + ".", name + "x" * 300, name + "\u0000", *names))] = tools.pop(name)
        case 2:
            tools[rng.choice(("x" * 255, "x" * 256, "x" * 257, "é" * 128, "é" * 129))] = {}
        case _:
            tools[rng.choice(names)] = as_loose({"x": constraint(rng, 1)} if rng.random() < 0.3 else {})


def at_the_bounds(rng: Random, case: Case) -> None:
    """As many tools, arguments and letters as may be, or one more (Appendix B.5 of the draft)."""
    wild: Loose = {"constraint_type": "wildcard"}
    entry = entry_of(any_draft(rng, case))
    if entry is None:
        return
    entry["tools"] = pick(
        rng, {f"payments.{number}": {} for number in range(rng.choice((256, 257)))},
        {"a": {f"x{number}": wild for number in range(rng.choice((64, 65)))}},
        {"a": {"x" * rng.choice((256, 257)): wild}},
        {"a": {"x": {"constraint_type": "exact", "value": "y" * rng.choice((4096, 4097))}}},
        {"a": {"x": {"constraint_type": "one_of", "values": [["é" * rng.choice((2048, 2049))]]}}},
    )  # fmt: skip


def bend_tools(rng: Random, case: Case) -> None:
    draft = any_draft(rng, case)
    entry = entry_of(draft)
    if entry is None:
        return
    match rng.randrange(4):
        case 0:
            entry["tools"] = pick(rng, None, [], {}, "x", 1, {"a": None}, {"a": []}, {"a": {"x": None}}, {"a": 1})
        case 1:
            entry[rng.choice(("locations", "actions", "note", "Tools", "tool", "limits"))] = value(rng)
        case 2:
            entry.pop(rng.choice(list(entry)))
        case _:
            entry["type"] = pick(
                rng, "Attenuating_agent_token", "", None, 1, "agent_delegation", "attenuating_agent_token "
            )


def bend_details(rng: Random, case: Case) -> None:
    """Entries of the list: none, two, of other types, of no type; in the middle of a chain none is allowed."""
    draft = any_draft(rng, case)
    details = draft.claims["authorization_details"]
    if not isinstance(details, list):
        return
    match rng.randrange(6):
        case 0:
            details.clear()
        case 1:
            details.append(copy_json(rng.choice(details)) if details else 1)
        case 2:
            details.insert(
                0, pick(rng, None, 1, "x", [], {}, {"type": 1}, {"type": "other"}, {"tools": {}}, {"type": None})
            )
        case 3:
            details.append({"type": rng.choice(("payment", "openid", "remit_limit")), "tools": 1})
        case 4:
            details.reverse()
        case _:
            draft.claims["authorization_details"] = pick(rng, {}, None, "x", details[0] if details else 1, [details])


def empty_from_here(rng: Random, case: Case) -> None:
    """A link without a capability, in the middle or at the end, and children that ask for none, nothing, or something."""
    place = rng.randrange(len(case.drafts))
    for draft in case.drafts[place:-1] if rng.random() < 0.7 else case.drafts[place : place + 1]:
        draft.claims["authorization_details"] = []
    last = case.drafts[-1]
    if rng.random() < 0.6 and (entry := entry_of(last)) is not None:
        entry["tools"] = {}
        last.claims["authorization_details"] = [entry]


def nest(rng: Random, case: Case) -> None:
    """A constraint as deep as is allowed, or one deeper, or so deep that a reader falls over."""
    depth = rng.choice((1, 2, 31, 32, 33, 40, 33, 32))
    node: Loose = {"constraint_type": "wildcard"} if rng.random() < 0.5 else {"constraint_type": "exact", "value": 1}
    for _ in range(depth - 1):
        node = {"constraint_type": rng.choice(("all", "any")), "constraints": [node]}
    first = rng.randrange(len(case.drafts))
    for draft in case.drafts[first:]:
        entry = entry_of(draft)
        if entry is None:
            return
        entry["tools"] = {"a": {"x": node}}
        without_limits(draft)
    for draft in case.drafts[:first]:
        tools_of(draft)["a"] = {}


MUTATIONS: Final = (
    tweak_a_constraint, tweak_a_constraint, tweak_a_constraint, tweak_several, duel, duel, duel, duel, twins, twins,
    bend_a_constraint, bend_a_constraint, change_arguments, change_tools, change_tools, at_the_bounds, bend_tools, bend_details,
    empty_from_here, nest,
)  # fmt: skip
