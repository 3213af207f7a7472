"""A small world of values and constraints, so that chance often meets the same value twice: what narrows, what only nearly does.

`constraint` makes any sound constraint, `narrower` one that its parent allows by the draft's table, `tweak` changes something
small anywhere in one (and may make it wider, narrower, or neither), `value` an argument to try.
"""

from collections.abc import Callable
from random import Random
from typing import Final, cast

from tests.contract_reference.forge import Loose, Raw, as_loose

Node = dict[str, Loose]

SCALARS: Final[tuple[Loose, ...]] = ("a", "b", "c", "é", "", 0, 1, 2, 3, 10, -1, 1.5, 0.1, True, False, None)
COMPOUND: Final[tuple[Loose, ...]] = (
    ["a"],
    ["a", 1],
    [],
    {"a": 1},
    {},
    {"a": [1, "b"]},
    [[1]],
    ["a", "b", "c"],
    [1, 2],
)
LEAVES: Final = ("exact", "range", "one_of", "not_one_of", "contains", "subset", "wildcard")
SETS: Final = {"one_of": "values", "not_one_of": "excluded", "contains": "required", "subset": "allowed"}
NUMBERS: Final = (-1, 0, 1, 1.5, 2, 3, 0.1, 10)


def as_node(value: object) -> Node:
    """The same value, known to be a constraint."""
    return cast(Node, value)


def scalar(rng: Random) -> Loose:
    """A value that is no array and no object."""
    return rng.choice(SCALARS)


def value(rng: Random) -> Loose:
    """Any value, now and then an array or an object."""
    return rng.choice(COMPOUND) if rng.random() < 0.3 else scalar(rng)


def _several(rng: Random) -> list[Loose]:
    return [value(rng) for _ in range(rng.randrange(4))]


def constraint(rng: Random, depth: int = 2) -> Node:
    """A sound constraint, at most so many levels of `all` and `any` deep."""
    kind = rng.choice(("all", "any") if depth and rng.random() < 0.35 else LEAVES)
    made: Node = {"constraint_type": kind}
    match kind:
        case "exact":
            made["value"] = scalar(rng)
        case "range":
            made.update(_bounds(rng))
        case "all" | "any":
            made["constraints"] = [constraint(rng, depth - 1) for _ in range(rng.randrange(1, 5))]
        case "wildcard":
            pass
        case _:
            made[SETS[kind]] = _several(rng)
    return made


def _bounds(rng: Random) -> Node:
    low, high = sorted((rng.choice(NUMBERS), rng.choice(NUMBERS)))
    made: Node = {}
    if rng.random() < 0.7:
        made["min"] = low
    if rng.random() < 0.7:
        made["max"] = high
    for flag in ("min_inclusive", "max_inclusive"):
        if rng.random() < 0.4:
            made[flag] = rng.random() < 0.5
    return made


def narrower(rng: Random, parent: Node) -> Node:
    """A child's constraint that the table permits under this parent."""
    if rng.random() < 0.25:
        return dict(parent)
    kind = parent["constraint_type"]
    if kind == "wildcard":
        return constraint(rng, 1)
    if kind == "range":
        return _narrower_range(rng, parent)
    if kind == "one_of":
        return _narrower_choice(rng, parent)
    if kind in ("not_one_of", "contains", "subset"):
        member = SETS[kind]
        old = cast(list[Loose], parent[member])
        new = _some(rng, old) if kind == "subset" else [*_shuffled(rng, old), *_several(rng)]
        return {"constraint_type": kind, member: new}
    if kind in ("all", "any"):
        return _narrower_compound(rng, parent)
    return dict(parent)


def _shuffled(rng: Random, values: list[Loose]) -> list[Loose]:
    return rng.sample(values, len(values))


def _some(rng: Random, values: list[Loose]) -> list[Loose]:
    return rng.sample(values, rng.randrange(len(values) + 1))


def _narrower_choice(rng: Random, parent: Node) -> Node:
    values = cast(list[Loose], parent["values"])
    plain = [each for each in values if not isinstance(each, list | dict)]
    if plain and rng.random() < 0.5:
        return {"constraint_type": "exact", "value": rng.choice(plain)}
    return {"constraint_type": "one_of", "values": _some(rng, values)}


def _narrower_range(rng: Random, parent: Node) -> Node:
    made = dict(parent)
    for bound in ("min", "max"):
        if bound not in made and rng.random() < 0.5:
            made[bound] = rng.choice(NUMBERS)
        elif bound in made and rng.random() < 0.5:
            made[bound] = round(cast(float, made[bound]) + (1 if bound == "min" else -1), 6)
            made[f"{bound}_inclusive"] = rng.random() < 0.5
        elif bound in made and rng.random() < 0.3:
            made[f"{bound}_inclusive"] = False
    return made


def _narrower_compound(rng: Random, parent: Node) -> Node:
    clauses = cast(list[Node], parent["constraints"])
    if parent["constraint_type"] == "all":
        inner = [narrower(rng, clause) for clause in clauses]
        inner += [constraint(rng, 0) for _ in range(rng.randrange(2))]
    else:
        inner = [narrower(rng, rng.choice(clauses)) for _ in range(rng.randrange(1, 4))]
    return {
        "constraint_type": parent["constraint_type"],
        "constraints": cast(list[Loose], rng.sample(inner, len(inner))),
    }


def fitting(rng: Random, node: Node) -> Loose:
    """A value that has a chance to pass."""
    kind = node["constraint_type"]
    if rng.random() < 0.3:
        return value(rng)
    if kind == "exact":
        return node["value"]
    if kind == "range":
        return round(cast(float, node.get(rng.choice(("min", "max")), 1)) + rng.choice((0, 0, 0, 1, -1, 0.5)), 6)
    if kind in ("all", "any"):
        return fitting(rng, rng.choice(cast(list[Node], node["constraints"])))
    if kind in SETS:
        values = cast(list[Loose], node[SETS[kind]])
        if kind in ("contains", "subset"):
            return [*_some(rng, values), *(_several(rng) if kind == "contains" or rng.random() < 0.3 else [])]
        return rng.choice(values) if values else value(rng)
    return value(rng)


def nodes(root: Node) -> list[Node]:
    """This constraint and all inside it."""
    inner = root.get("constraints")
    found = [root]
    for each in inner if isinstance(inner, list) else ():
        if isinstance(each, dict):
            found += nodes(each)
    return found


def tweak(rng: Random, root: Node) -> None:
    """Change something small, in place, anywhere in this constraint."""
    node = rng.choice(nodes(root))
    general: list[Callable[[Random, Node], None]] = [_become_another, _wrap]
    special: dict[object, list[Callable[[Random, Node], None]]] = {
        "exact": [_other_value, _spell_otherwise],
        "range": [_move_bound, _flip_flag, _drop_bound, _move_bound, _flip_flag],
        "all": [_change_list, _change_list, _change_list],
        "any": [_change_list, _change_list, _change_list],
    }
    kind = node["constraint_type"]
    choices = special.get(kind, [_change_list, _change_list] if kind in SETS else [])
    rng.choice(choices if choices and rng.random() < 0.8 else general)(rng, node)


def _become_another(rng: Random, node: Node) -> None:
    made = constraint(rng, 1)
    node.clear()
    node.update(made)


def _wrap(rng: Random, node: Node) -> None:
    inner = dict(node)
    node.clear()
    node.update({"constraint_type": rng.choice(("all", "any")), "constraints": [as_loose(inner)]})


def _other_value(rng: Random, node: Node) -> None:
    node["value"] = scalar(rng)


def _spell_otherwise(rng: Random, node: Node) -> None:
    old = node["value"]
    if isinstance(old, bool):
        node["value"] = int(old)
    elif isinstance(old, int):
        node["value"] = rng.choice([Raw(f"{old}.0"), Raw(f"{old}e0"), Raw(f"{old * 10}e-1"), str(old), bool(old)])
    else:
        node["value"] = old.upper() if isinstance(old, str) else 0


def _move_bound(rng: Random, node: Node) -> None:
    bound = rng.choice(("min", "max"))
    old = node.get(bound)
    step = rng.choice((1, -1, 0.5, -0.5, Raw("1.0000000000000002"), Raw("-0")))
    node[bound] = round(old + step, 6) if isinstance(old, int | float) and isinstance(step, int | float) else step


def _flip_flag(rng: Random, node: Node) -> None:
    flag = rng.choice(("min_inclusive", "max_inclusive"))
    node[flag] = node.get(flag, True) is not True


def _drop_bound(rng: Random, node: Node) -> None:
    node.pop(rng.choice(("min", "max", "min_inclusive", "max_inclusive")), None)


def _change_list(rng: Random, node: Node) -> None:
    kind = cast(str, node["constraint_type"])
    compound = kind in ("all", "any")
    values = cast(list[Loose], node["constraints" if compound else SETS[kind]])
    made = as_loose(constraint(rng, 1)) if compound else value(rng)
    match rng.randrange(4):
        case 0 if values and (not compound or len(values) > 1):
            values.pop(rng.randrange(len(values)))
        case 1 if values:
            values[rng.randrange(len(values))] = made
        case 2 if values:
            values.insert(rng.randrange(len(values)), rng.choice(values))
        case _:
            values.insert(rng.randrange(len(values) + 1), made)
