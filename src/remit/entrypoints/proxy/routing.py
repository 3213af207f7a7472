"""From a request on the wire to a call of a tool: one reading of path, query, headers and body, forwarded unchanged.

`RouteBook` is compiled once for a policy. `find` says which tool a request means, `read_arguments` what it says to it.
Whatever could be read in two ways is refused here, since the upstream would be the second reader.
"""

import hashlib
from dataclasses import dataclass

from remit.core.arguments import ArgumentType, ArgumentValue, read_json_argument, read_text_argument
from remit.core.match import Route, RouteTable, WrongMethod
from remit.core.policy import Argument, Policy, Tool
from remit.core.strict_json import ExactNumber, JsonValue, read_json, read_number
from remit.entrypoints.proxy.connection import Header, RequestHead
from remit.entrypoints.proxy.headers import find
from remit.errors import BadRequest
from remit.http.target import Target, parse_query, parse_target, single

MAX_SHOWN_PATH = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A tool that a request means. `parameters` are those of its path."""

    tool: Tool
    target: Target
    parameters: dict[str, str]


class RouteBook:
    """The routes of a policy and the host that they are served under."""

    def __init__(self, policy: Policy) -> None:
        """Compiles the table; a policy has been checked for collisions before."""
        self._tools = [tool for tool in policy.tools.values() if tool.route is not None]
        routes = [tool.route for tool in self._tools if isinstance(tool.route, Route)]
        self._table = RouteTable(routes)

    def find(self, head: RequestHead) -> Found | WrongMethod | None:
        """The tool that `head` means; None if there is none. Raises `BadRequest` for a target that can be misread."""
        target = parse_target(head.target)
        match = self._table.match(head.method, target.segments)
        if match is None or isinstance(match, WrongMethod):
            return match
        return Found(tool=self._tools[match.index], target=target, parameters=dict(match.parameters))


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a request says to its tool: `typed` as the policy asks, `given` as JSON values for a contract's constraints."""

    typed: dict[str, ArgumentValue]
    given: dict[str, JsonValue]


def read_arguments(found: Found, headers: tuple[Header, ...], body: bytes) -> Arguments:
    """The arguments that the policy names. Raises `BadRequest` if one is missing, malformed or not expected."""
    tool = found.tool
    typed: dict[str, ArgumentValue] = {}
    given: dict[str, JsonValue] = {}
    members = _body_members(tool, headers, body)
    query = parse_query(found.target.query) if any(a.source == "query" for a in tool.arguments) else ()
    for argument in tool.arguments:
        kind = ArgumentType(argument.type)
        raw: JsonValue
        if argument.source == "body":
            raw = _member(argument, members)
            value = None if raw is None else read_json_argument(kind, raw, name=argument.name)
        else:
            text = _text(argument, found, headers, query)
            value = None if text is None else read_text_argument(kind, text, name=argument.name)
            raw = read_number(text) if kind is ArgumentType.MONEY and text is not None else value
        if value is not None:
            typed[argument.name], given[argument.name] = value, raw
        elif argument.required:
            raise BadRequest(f"the argument `{argument.name}` of `{tool.name}` is missing from the {argument.source}")
    _refuse_extra(tool, members)
    _refuse_extra_query(tool, found.target.query)
    return Arguments(typed, given)


def _text(
    argument: Argument, found: Found, headers: tuple[Header, ...], query: tuple[tuple[str, str], ...]
) -> str | None:
    if argument.source == "path":
        return found.parameters.get(argument.member)
    if argument.source == "query":
        return single(query, argument.member)
    name = argument.member.lower().encode("ascii")
    values = [value for other, value in headers if other == name]
    if len(values) > 1:
        raise BadRequest(f"the header `{argument.member}` appears more than once")
    try:
        return values[0].decode("ascii") if values else None
    except UnicodeDecodeError:
        raise BadRequest(f"the header `{argument.member}` is not ASCII") from None


def _body_members(tool: Tool, headers: tuple[Header, ...], body: bytes) -> dict[str, JsonValue]:
    if not any(argument.source == "body" for argument in tool.arguments):
        return {}
    if not _is_utf8_json(find(headers, b"content-type") or b""):
        raise BadRequest(f"`{tool.name}` takes a JSON body in UTF-8: send `Content-Type: application/json`", status=415)
    if find(headers, b"content-encoding") not in (None, b"identity"):
        raise BadRequest("a compressed body cannot be judged: send it without Content-Encoding", status=415)
    value = read_json(body, max_bytes=tool.max_body_bytes)
    if not isinstance(value, dict):
        raise BadRequest(f"the body of `{tool.name}` must be a JSON object")
    return value


def _is_utf8_json(content_type: bytes) -> bool:
    """Whether a media type says JSON, and no character set but UTF-8: the upstream must not read other text than we did."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(b";"))
    if media_type != b"application/json" and not media_type.endswith(b"+json"):
        return False
    named = [parameter for parameter in parameters if parameter.lstrip().startswith(b"charset")]
    plain = all(b'"' not in parameter and b"\\" not in parameter for parameter in parameters if parameter not in named)
    return plain and named in ([], [b"charset=utf-8"], [b'charset="utf-8"'])


def _member(argument: Argument, members: dict[str, JsonValue]) -> JsonValue:
    value: JsonValue = members
    for name in argument.member.split("."):
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


def _refuse_extra(tool: Tool, members: dict[str, JsonValue]) -> None:
    if tool.extra_arguments or not members:
        return
    known = {argument.member.partition(".")[0] for argument in tool.arguments if argument.source == "body"}
    extra = sorted(members.keys() - known)
    if extra:
        raise BadRequest(f"`{tool.name}` does not take the body member `{extra[0][:40]}`")


def _refuse_extra_query(tool: Tool, query: bytes) -> None:
    """An upstream may merge query and body, so that a parameter nobody judged could stand for an argument."""
    if tool.extra_arguments or not query:
        return
    known = {argument.member for argument in tool.arguments if argument.source == "query"}
    extra = sorted({name for name, _ in parse_query(query)} - known)
    if extra:
        raise BadRequest(f"`{tool.name}` does not take the query parameter `{extra[0][:40]}`")


def as_text(value: ArgumentValue | None) -> str:
    """An argument as the text of a target: equal values give equal texts."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.text if isinstance(value, ExactNumber) else str(value)


def fingerprint(head: RequestHead, body: bytes) -> str:
    """What makes two requests with one idempotency key the same request: method, target, media type and body."""
    digest = hashlib.sha256()
    for part in (head.method.encode(), head.target, find(head.headers, b"content-type") or b"", body):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def shown_path(target: bytes) -> str:
    """The path without its query (which may hold secrets), bounded, for records and problem bodies."""
    return target.partition(b"?")[0][:MAX_SHOWN_PATH].decode("ascii", "replace")
