"""From plain data to the typed shape of a policy, with every misfit said in words that help.

The models of `schema` find what does not fit; here each finding becomes a sentence with its path, what was found and what
to write. A field that is planned is told apart from a slip of the pen. Tools, limits and upstreams that do not fit are
left out of the shape, so that the rest can still be checked; `Problems.is_broken` remembers them.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from remit.config.fields import Shape
from remit.config.load import Plain
from remit.config.phrases import quoted
from remit.config.problems import Path, Problems, spell_path
from remit.config.schema import FUTURE_FIELDS, FUTURE_VALUES, SHAPES, PolicyShape
from remit.core.reading import is_digits, shown

NAMED_SECTIONS: Final = ("upstreams", "tools", "limits")
"""Sections whose fields are names that the operator chose."""

_PLACEHOLDERS: Final[Mapping[str, Plain]] = {"version": 1, "currency": "USD", "tools": {}}


def read_shape(data: Plain, problems: Problems) -> PolicyShape | None:
    """The shape of what fits. Reports all that does not; None if the file is no mapping at all."""
    if not isinstance(data, dict):
        problems.report((), f"a policy is a mapping of fields, not {_found(data)}: start with `version: 1`")
        return None
    _report_empty(data, (), problems)
    try:
        return PolicyShape.model_validate(data)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=True):
            _report(data, detail, problems)
    return PolicyShape.model_validate(_what_fits(data, problems))


def _what_fits(data: dict[str, Plain], problems: Problems) -> dict[str, Plain]:
    fits: dict[str, Plain] = {}
    for field, value in data.items():
        if field in NAMED_SECTIONS and isinstance(value, dict):
            fits[field] = _fitting((field,), value, problems)
        elif field == "trust" and isinstance(value, dict) and isinstance(issuers := value.get("issuers"), dict):
            fits[field] = {"issuers": _fitting(("trust", "issuers"), issuers, problems)}
        elif not problems.is_broken(field):
            fits[field] = value
    return {**_PLACEHOLDERS, **fits}


def _fitting(path: Path, items: dict[str, Plain], problems: Problems) -> dict[str, Plain]:
    return {name: item for name, item in items.items() if not problems.is_broken(*path, name)}


def _report_empty(value: Plain, path: Path, problems: Problems) -> None:
    """An empty value says nothing; YAML writes it easily by leaving out an indentation."""
    if value is None:
        problems.add(path, "has no value: write one, or leave the line out")
    elif isinstance(value, dict):
        for name, item in value.items():
            _report_empty(item, (*path, name), problems)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _report_empty(item, (*path, index), problems)


def _report(data: Plain, detail: ErrorDetails, problems: Problems) -> None:
    kind = detail["type"]
    path, value = _locate(data, detail["loc"])
    if kind == "missing":
        path = (*path, str(detail["loc"][-1]))
        problems.report(path, f"{spell_path(path)} is missing: {_example(path)}")
    elif kind == "extra_forbidden":
        problems.report(path, _unknown(path, problems))
    elif value is not None:
        allowed = str(detail.get("ctx", {}).get("expected", ""))
        text = _unlisted(path, value, allowed, problems) if kind == "literal_error" else None
        problems.add(path, text or _misfit(kind, path, value, detail.get("ctx", {})))


def _locate(data: Plain, location: tuple[int | str, ...]) -> tuple[Path, Plain]:
    """Follow a location as far as the data goes; marks of alternatives (`<text>`) are no part of the file."""
    path: Path = ()
    value = data
    for part in location:
        match value, part:
            case dict(), str() if part in value:
                path, value = (*path, part), value[part]
            case list(), int():
                path, value = (*path, part), value[part]
            case _:
                continue
    return path, value


def _shape_at(path: Path) -> type[Shape] | None:
    for pattern, shape in SHAPES:
        if len(pattern) == len(path) and all(at in ("*", part) for at, part in zip(pattern, path, strict=True)):
            return shape
    return None


def _example(path: Path) -> str:
    shape, field = _shape_at(path[:-1]), path[-1]
    examples = shape.model_fields[str(field)].examples if shape is not None else None
    return f"write for example `{field}: {_flow(examples[0])}`" if examples else "add it"


def _flow(value: Any) -> str:
    """An example as it would stand in the file, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return str(value)


def _unknown(path: Path, problems: Problems) -> str:
    shape, name = _shape_at(path[:-1]), str(path[-1])
    future = FUTURE_FIELDS.get(shape, frozenset()) if shape is not None else frozenset()
    if name in future:
        return f"{spell_path(path)} is not supported yet: leave it out"
    known = list(shape.model_fields) if shape is not None else []
    meant = problems.guess(name, [*known, *sorted(future)]) or f": it has {', '.join(quoted(known))}"
    return f"{spell_path(path)} is not a field of {_what(path)}{meant}"


def _what(path: Path) -> str:
    match path[:-1]:
        case ():
            return "a policy"
        case (section, _) if section in NAMED_SECTIONS:
            return f"{'an' if section == 'upstreams' else 'a'} {str(section)[:-1]}"
        case ("trust", "issuers", _):
            return "an issuer"
        case parent:
            return spell_path((parent[-1],))


def _misfit(kind: str, path: Path, value: Plain, context: Mapping[str, Any]) -> str:
    found = _found(value)
    match kind:
        case "string_type":
            return f"must be text{_such_as(path)}, not {found}"
        case "int_type":
            return f"must be a whole number{_such_as(path)}, not {found}{_unquote(value)}"
        case "bool_type":
            return f"must be `true` or `false`, not {found}{_unquote(value)}"
        case "list_type":
            return f"must be a list{_such_as(path)}, not {found}"
        case "dict_type" | "model_type":
            return f"must be a mapping of fields, not {found}"
        case "greater_than_equal":
            return f"must be at least {context['ge']}, not {found}"
        case "less_than_equal":
            return f"must be at most {context['le']}, not {found}"
        case _:
            return f"cannot be {found}"


def _unquote(value: Plain) -> str:
    is_quoted = isinstance(value, str) and (is_digits(value) or value in ("true", "false"))
    return ": remove the quotes" if is_quoted else ""


def _unlisted(path: Path, value: Plain, expected: str, problems: Problems) -> str:
    names = [part for part in path if isinstance(part, str)]
    shape = _shape_at(tuple(names[:-1]))
    future = FUTURE_VALUES.get((shape, names[-1]), frozenset()) if shape is not None else frozenset()
    if isinstance(value, str) and value in future:
        return f"{shown(value)} is not supported yet"
    allowed = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    meant = problems.guess(value, allowed) if isinstance(value, str) else ""
    return f"must be {'one of ' if len(allowed) > 1 else ''}{', '.join(allowed)}, not {_found(value)}{meant}"


def _such_as(path: Path) -> str:
    names = tuple(part for part in path if isinstance(part, str))
    shape = _shape_at(names[:-1]) if names else None
    info = shape.model_fields.get(names[-1]) if shape is not None else None
    if info is None or not info.examples:
        return ""
    example = info.examples[0]
    if isinstance(path[-1], int) and isinstance(example, list):
        example = example[0]
    return f" such as `{_flow(example)}`"


def _found(value: Plain) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return f"`{str(value).lower()}`"
        case int():
            return f"the number `{value}`"
        case str():
            return f"the text {shown(value)}"
        case dict():
            return "a mapping"
        case list():
            return "a list"
