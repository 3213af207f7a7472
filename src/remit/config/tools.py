"""Tools of a policy: the route that means each, the arguments that are read from a call, and what it may cost.

A route parameter that no argument names is an argument of its own name, so that everything in a call is known. An
unpriced tool does not exist: a price of nothing is written `free`.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

from remit.config.places import parse_header_name, read_timeout
from remit.config.problems import Path, Problems
from remit.config.schema import PriceShape, ToolShape
from remit.core.arguments import ArgumentType
from remit.core.match import Literal, Route, RouteTable, check_identifier, check_tool_name, parse_route
from remit.core.money import Money, parse_money
from remit.core.policy import ActualSource, Argument, Price, Risk, Tool
from remit.core.reading import is_digits, shown
from remit.errors import UsageError

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
MAX_ARGUMENTS: Final = 100
SOURCES: Final = ("path", "query", "header", "body")
BODILESS_METHODS: Final = ("GET", "HEAD", "DELETE")
RESERVED_PATH: Final = (".well-known", "remit")

_SIZE_UNITS: Final = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024 * 1024}
_MAX_TEXT_CHARS: Final = 300
_MAX_MEMBER_CHARS: Final = 128
_MAX_MEMBER_PARTS: Final = 8
_WORD_CHARS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_SECRET_HEADERS: Final = ("authorization", "cookie", "dpop", "proxy-authorization", "x-api-key")


def parse_size(text: str) -> int:
    """Read `65536`, `64 KiB` or `1 MiB`; the answer is bytes, at most 64 MiB. Raises `UsageError`."""
    digits = text[: len(text) - len(text.lstrip("0123456789"))] if len(text) <= _MAX_MEMBER_CHARS else ""
    unit = _SIZE_UNITS.get(text[len(digits) :].removeprefix(" "))
    if unit is None or not is_digits(digits) or len(digits) > 10:
        raise UsageError(f"{shown(text)} is not a size: write bytes, or a number with `KiB` or `MiB`")
    if int(digits) * unit > MAX_BODY_BYTES:
        raise UsageError(f"{shown(text)} is too large: the most is 64 MiB")
    return int(digits) * unit


def parse_argument(name: str, text: str) -> Argument:
    """Read where an argument stands and what it is: `body.amount number`, `query.page integer optional`.

    Raises `UsageError`.
    """
    where, *words = text.split(" ") if len(text) <= _MAX_TEXT_CHARS else [""]
    source, dot, member = where.partition(".")
    if not dot or source not in SOURCES:
        raise UsageError(f"{shown(text)} is not an argument: write one such as `body.amount number` or `path.id`")
    required = words[-1:] != ["optional"]
    kinds = words if required else words[:-1]
    types = [kind.value for kind in ArgumentType]
    if len(kinds) > 1 or (kinds and kinds[0] not in types):
        raise UsageError(f"{shown(' '.join(kinds))} is not a type: write one of {', '.join(types)}, then `optional`")
    if source == "path" and not required:
        raise UsageError("a part of the path cannot be optional: leave `optional` out")
    kind = kinds[0] if kinds else ArgumentType.STRING.value
    return Argument(name=name, source=source, member=_member(source, member), type=kind, required=required)


def _member(source: str, member: str) -> str:
    if source == "header":
        name = parse_header_name(member)
        if name in _SECRET_HEADERS:
            raise UsageError(f"the header {shown(name)} carries credentials: it cannot be an argument")
        return name
    if source == "body" and "." in member:
        raise UsageError(f"{shown(member)} lies inside another member: arguments are members of the body itself")
    allowed = _WORD_CHARS | {"."} if source == "query" else _WORD_CHARS
    if not 0 < len(member) <= _MAX_MEMBER_CHARS or not allowed.issuperset(member):
        raise UsageError(f"{shown(member)} is not a name in the {source}: write letters, digits, `_` and `-`")
    return member


def parse_actual(text: str) -> tuple[ActualSource, str]:
    """Read where an actual cost is told: `header.x-cost` or `body.usage.cost`. Raises `UsageError`."""
    source, dot, name = text.partition(".") if len(text) <= _MAX_TEXT_CHARS else ("", "", "")
    if dot and source == "header":
        return ActualSource.HEADER, parse_header_name(name)
    parts = name.split(".")
    is_path = all(0 < len(part) <= _MAX_MEMBER_CHARS and _WORD_CHARS.issuperset(part) for part in parts)
    if not dot or source != "body" or not is_path or len(parts) > _MAX_MEMBER_PARTS:
        raise UsageError(f"{shown(text)} does not say where the cost is: write `header.x-cost` or `body.usage.cost`")
    return ActualSource.BODY, name


def read_tool(name: str, shape: ToolShape, currency: str | None, problems: Problems) -> Tool | None:
    """The tool of that name, or None when something in it was reported. `currency` None: not known, do not compare."""
    path: Path = ("tools", name)
    problems.read(path, check_tool_name, name)
    route = problems.read((*path, "route"), _parse_open_route, shape.route)
    arguments = _arguments(path, shape, route, problems)
    if "extra" in shape.model_fields_set and shape.extra == "refuse" and not any(a.source == "body" for a in arguments):
        text = "has no effect: no argument is read from the body, so all of it passes; name what it may hold"
        problems.add((*path, "extra"), text)
    price = _price((*path, "price"), shape.price, currency, problems)
    max_body_bytes = problems.read((*path, "max_body"), parse_size, shape.max_body)
    timeout_us = read_timeout((*path, "timeout"), shape.timeout, problems) if shape.timeout is not None else None
    if shape.target is not None and shape.target not in (argument.name for argument in arguments):
        problems.add((*path, "target"), f"{shown(shape.target)} is not an argument: name one of `{name}`'s arguments")
    if route is None or price is None or max_body_bytes is None or problems.is_broken(*path):
        return None
    return Tool(
        name=name,
        price=price,
        route=route,
        upstream=shape.upstream,
        arguments=arguments,
        extra_arguments=shape.extra == "allow",
        target=shape.target or "",
        risk=Risk(shape.risk),
        idempotent=shape.idempotent,
        anonymous=shape.anonymous,
        polling=shape.polling,
        max_body_bytes=max_body_bytes,
        timeout_us=timeout_us,
    )


def _parse_open_route(text: str) -> Route:
    route = parse_route(text)
    if [str(getattr(part, "text", "")) for part in route.segments[:2]] == list(RESERVED_PATH):
        raise UsageError("`/.well-known/remit` belongs to Remit itself: choose another path")
    return route


def _arguments(path: Path, shape: ToolShape, route: Route | None, problems: Problems) -> tuple[Argument, ...]:
    found: dict[str, Argument] = {}
    if len(shape.arguments) > MAX_ARGUMENTS:
        problems.add((*path, "arguments"), f"has more than {MAX_ARGUMENTS} arguments: leave some out")
        return ()
    for name, text in shape.arguments.items():
        at = (*path, "arguments", name)
        problems.read(at, partial(check_identifier, what="argument"), name)
        argument = problems.read(at, partial(parse_argument, name), text)
        if argument is not None and _fits(argument, list(found.values()), route, at, problems):
            found[name] = argument
    return (*found.values(), *_unnamed_parameters(path, shape, found, route, problems))


def _fits(argument: Argument, others: list[Argument], route: Route | None, at: Path, problems: Problems) -> bool:
    where = f"{argument.source}.{argument.member}"
    if any((other.source, other.member) == (argument.source, argument.member) for other in others):
        problems.add(at, f"`{where}` is read by another argument already: leave one out")
    elif route is None:
        return True
    elif argument.source == "path" and argument.member not in route.parameters:
        problems.add(at, f"the route has no `{{{argument.member}}}`: add it to the route, or leave the argument out")
    elif argument.source == "body" and route.method in BODILESS_METHODS:
        problems.add(at, f"a {route.method} has no body: read it from `path`, `query` or `header`")
    else:
        return True
    return False


def _unnamed_parameters(
    path: Path, shape: ToolShape, found: dict[str, Argument], route: Route | None, problems: Problems
) -> list[Argument]:
    """Arguments for the route's parameters that nothing reads yet."""
    if route is None or problems.is_broken(*path, "arguments"):
        return []
    read = {argument.member for argument in found.values() if argument.source == "path"}
    missing = [name for name in route.parameters if name not in read]
    for name in missing:
        if name in shape.arguments:
            text = (
                f"is also the name of the route's `{{{name}}}`, which nothing reads: rename one, or write `path.{name}`"
            )
            problems.add((*path, "arguments", name), text)
    return [Argument(name=name, source="path", member=name, type=ArgumentType.STRING.value) for name in missing]


def _price(path: Path, shape: str | PriceShape, currency: str | None, problems: Problems) -> Price | None:
    if shape == "free":
        return Price(hold_micros=0)
    if isinstance(shape, str):
        money = _money(path, shape, currency, problems, what="a free call is written `price: free`")
        return Price(hold_micros=money.micros) if money is not None else None
    at = (*path, "hold")
    money = _money(at, shape.hold, currency, problems, what="hold the most that a call may cost")
    source, name = ActualSource.HOLD, ""
    if shape.actual is not None:
        source, name = problems.read((*path, "actual"), parse_actual, shape.actual) or (source, name)
    problems.check_distinct((*path, "free_on"), shape.free_on)
    if money is None:
        return None
    return Price(hold_micros=money.micros, actual=source, actual_name=name, free_on=frozenset(shape.free_on))


def _money(path: Path, text: str, currency: str | None, problems: Problems, *, what: str) -> Money | None:
    money = read_money(path, text, currency, problems)
    if money is not None and money.micros == 0:
        problems.add(path, f"must be above zero: {what}")
        return None
    return money


def read_money(path: Path, text: str, currency: str | None, problems: Problems) -> Money | None:
    """An amount in the policy's currency; None, and a problem, if it is in another one."""
    money = problems.read(path, parse_money, text)
    if money is not None and currency is not None and money.currency != currency:
        problems.add(path, wrong_currency(money.currency, currency))
        return None
    return money


def wrong_currency(found: str, currency: str) -> str:
    """What to say of money in another currency than the policy's."""
    return f"is in {found}, but the policy counts in {currency}: write it in {currency}"


def check_routes(tools: Mapping[str, Tool], problems: Problems) -> None:
    """Report routes that mean the same requests."""
    taken: dict[tuple[str, tuple[str | None, ...]], str] = {}
    for name, tool in tools.items():
        if tool.route is None:
            continue
        segments = tuple(part.text if isinstance(part, Literal) else None for part in tool.route.segments)
        first = taken.setdefault((tool.route.method, segments), name)
        if first != name:
            line = problems.line(("tools", first, "route"))
            text = f"means the same requests as the route of `{first}` in line {line}: one route, one tool"
            problems.add(("tools", name, "route"), text)
    if not any(problems.is_broken("tools", name, "route") for name in tools):
        try:
            RouteTable([tool.route for tool in tools.values() if tool.route is not None])
        except UsageError as error:
            problems.report(("tools",), str(error))
