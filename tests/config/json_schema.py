"""A validator for the part of JSON Schema (draft 2020-12) that the published schema uses.

It refuses a schema with a keyword that it does not know, so that it can never agree by not looking.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

SAYS_NOTHING = frozenset({"$schema", "$id", "$defs", "title", "description", "examples", "default"})
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
}


def misfits(value: object, schema: Mapping[str, Any], root: Mapping[str, Any], where: str = "$") -> Iterator[str]:
    """Yield the places where `value` does not fit, each with the keyword that says so."""
    for keyword, argument in schema.items():
        if keyword not in SAYS_NOTHING and not _fits(keyword, argument, value, root):
            yield f"{where} {keyword}"
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _property_misfits(name, item, schema, root, f"{where}.{name}")
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from misfits(item, schema.get("items", {}), root, f"{where}[{index}]")


def _property_misfits(
    name: str, item: object, schema: Mapping[str, Any], root: Mapping[str, Any], where: str
) -> Iterator[str]:
    if name in schema.get("properties", {}):
        yield from misfits(item, schema["properties"][name], root, where)
    elif schema.get("additionalProperties") is False:
        yield f"{where} additionalProperties"
    else:
        yield from misfits(item, schema.get("additionalProperties", {}), root, where)


def _fits(keyword: str, argument: Any, value: Any, root: Mapping[str, Any]) -> bool:
    def fits(schema: Mapping[str, Any]) -> bool:
        return not list(misfits(value, schema, root))

    match keyword:
        case "$ref":
            return fits(root["$defs"][str(argument).rpartition("/")[2]])
        case "type":
            return isinstance(value, TYPES[argument]) and (argument == "boolean" or not isinstance(value, bool))
        case "const":
            return bool(value == argument) and type(value) is type(argument)
        case "enum":
            return value in argument
        case "anyOf":
            return any(fits(schema) for schema in argument)
        case "oneOf":
            return sum(fits(schema) for schema in argument) == 1
        case "pattern":
            return not isinstance(value, str) or re.search(argument, value) is not None
        case "minimum":
            return not isinstance(value, int) or value >= argument
        case "maximum":
            return not isinstance(value, int) or value <= argument
        case "required":
            return not isinstance(value, dict) or value.keys() >= set(argument)
        case "minProperties":
            return not isinstance(value, dict) or len(value) >= argument
        case "propertyNames":
            return not isinstance(value, dict) or all(not list(misfits(name, argument, root)) for name in value)
        case "properties" | "additionalProperties" | "items":
            return True
        case _:
            raise AssertionError(f"the validator does not know `{keyword}`")
