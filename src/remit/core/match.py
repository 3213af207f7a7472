"""Names, patterns and routes: which tool is meant, found without regular expressions and without backtracking.

Everything here is compared byte for byte, case included. A name is a short ASCII word from an allow-list, so that two
names that look alike are alike, and none can break a key or a line of the log. A route is compiled into one table per
method, in which a literal segment beats a parameter at every position; matching is one look-up per segment, whatever the
path says.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_letters, digits
from typing import Final, TypeAlias

from remit.core.reading import shown
from remit.errors import UsageError

MAX_NAME_CHARS: Final = 128
MAX_SEGMENTS: Final = 64
MAX_ROUTES: Final = 10_000

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
"""The methods that a route may have; the gateway answers or refuses the others by itself."""

_ALNUM: Final = frozenset(ascii_letters + digits)
_TOOL_CHARS: Final = _ALNUM | frozenset("_.-")
_IDENTIFIER_CHARS: Final = _ALNUM | frozenset("._@+-")
_PARAMETER_CHARS: Final = _ALNUM | frozenset("_")
_LITERAL_CHARS: Final = _ALNUM | frozenset("-._~!$&'()+,=:@")  # RFC 3986 pchar without `;`, `*` and escapes
_MAX_SEGMENT_CHARS: Final = 256
_MAX_ROUTE_CHARS: Final = 2048
_MAX_COMPILE_STEPS: Final = 1_000_000
_ANY: Final = "*"


def is_tool_name(name: str) -> bool:
    """Say whether `name` is 1 to 128 of `[A-Za-z0-9_.-]` with no empty part between dots."""
    return 0 < len(name) <= MAX_NAME_CHARS and _TOOL_CHARS.issuperset(name) and all(name.split("."))


def check_tool_name(name: str) -> str:
    """Return `name` if it is a tool name, else raise `UsageError`."""
    if not is_tool_name(name):
        raise UsageError(
            f"{shown(name)} is not a tool name: write up to 128 of `A-Z a-z 0-9 _ . -`, such as `payments.transfer`"
        )
    return name


def is_identifier(name: str) -> bool:
    """Say whether `name` is 1 to 128 of `[A-Za-z0-9._@+-]`: an agent, user, org, tier or limit."""
    return 0 < len(name) <= MAX_NAME_CHARS and _IDENTIFIER_CHARS.issuperset(name)


def check_identifier(name: str, *, what: str) -> str:
    """Return `name` if it is an identifier, else raise `UsageError` saying that `what` is wrong."""
    if not is_identifier(name):
        raise UsageError(f"the {what} {shown(name)} is not a name: write up to 128 of `A-Z a-z 0-9 . _ @ + -`")
    return name


@dataclass(frozen=True, slots=True)
class ToolPatterns:
    """A set of patterns, as tables: exact names, and prefixes that end in a dot (the empty one means every tool)."""

    exact: frozenset[str]
    prefixes: frozenset[str]

    def match(self, tool: str) -> bool:
        """Say whether any pattern covers `tool`: one look-up per dot in its name."""
        if tool in self.exact or "" in self.prefixes:
            return True
        return any(tool[: at + 1] in self.prefixes for at, char in enumerate(tool) if char == ".")


def parse_tool_patterns(patterns: Iterable[str]) -> ToolPatterns:
    """Read patterns: `payments.transfer` is that tool, `payments.*` all below it (not itself), `*` every tool.

    A star stands for whole parts and only at the end. Raises `UsageError`.
    """
    exact: set[str] = set()
    prefixes: set[str] = set()
    for pattern in patterns:
        stem = pattern.removesuffix(_ANY)
        if stem != pattern and (stem == "" or (stem.endswith(".") and is_tool_name(stem[:-1]))):
            prefixes.add(stem)
        elif is_tool_name(pattern):
            exact.add(pattern)
        else:
            raise UsageError(f"{shown(pattern)} is not a tool pattern: write a tool name, `payments.*` or `*`")
    return ToolPatterns(frozenset(exact), frozenset(prefixes))


@dataclass(frozen=True, slots=True)
class Literal:
    """A path segment that must be exactly this."""

    text: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A path segment that may be anything but empty."""

    name: str


Segment: TypeAlias = Literal | Parameter


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path template."""

    method: str
    segments: tuple[Segment, ...]

    def __str__(self) -> str:
        parts = (part.text if isinstance(part, Literal) else f"{{{part.name}}}" for part in self.segments)
        return f"{self.method} /{'/'.join(parts)}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of its parameters, in order."""
        return tuple(part.name for part in self.segments if isinstance(part, Parameter))


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMatch:
    """The route at `index` of the table matches; `head_as_get` says that a HEAD is judged and charged as its GET."""

    index: int
    parameters: Mapping[str, str]
    head_as_get: bool = False


@dataclass(frozen=True, slots=True)
class WrongMethod:
    """The path exists, but only for these methods."""

    allowed: tuple[str, ...]


@dataclass(slots=True)
class _Node:
    """One step of a path. `route` is the index of the route that ends here, -1 if none does."""

    literals: "dict[str, _Node]" = field(default_factory=dict)
    parameter: "_Node | None" = None
    route: int = -1


def parse_route(text: str) -> Route:
    """Read a method and a path template such as `POST /reports/{id}/pdf`.

    A parameter is a whole segment. Literals are written as they appear in a path, without escapes. Raises `UsageError`.
    """
    method, space, path = text.partition(" ") if len(text) <= _MAX_ROUTE_CHARS else ("", "", "")
    if not space or method not in METHODS:
        raise UsageError(
            f"{shown(text)} is not a route: write one of {', '.join(METHODS)} and a path, such as `POST /reports/{{id}}`"
        )
    if not path.startswith("/"):
        raise UsageError(f"{shown(path)} is not a path: it must start with `/`")
    segments = tuple(_segment(part, path) for part in path[1:].split("/")) if path != "/" else ()
    route = Route(method, segments)
    if len(segments) > MAX_SEGMENTS:
        raise UsageError(f"{shown(path)} has more than {MAX_SEGMENTS} segments")
    if len(set(route.parameters)) != len(route.parameters):
        raise UsageError(f"{shown(path)} names one parameter twice")
    return route


class RouteTable:
    """Routes compiled for look-up. Raises `UsageError` when two of them mean the same requests."""

    def __init__(self, routes: Sequence[Route]) -> None:
        if len(routes) > MAX_ROUTES:
            raise UsageError(f"there are more than {MAX_ROUTES} routes")
        self.routes: Final = tuple(routes)
        self._tables: Final = {
            method: _compile(self.routes, method) for method in METHODS if any(r.method == method for r in self.routes)
        }

    def match(self, method: str, segments: Sequence[str]) -> RouteMatch | WrongMethod | None:
        """Find the route of a request whose path has these decoded segments (`/` has none); None if the path has no route.

        A HEAD without a route of its own is matched as the GET that it asks about. Empty segments match nothing, so a
        path with a trailing slash is unknown.
        """
        index = self._find(method, segments)
        if index is not None:
            return self._matched(index, segments, head_as_get=False)
        if method == "HEAD":
            index = self._find("GET", segments)
            if index is not None:
                return self._matched(index, segments, head_as_get=True)
        allowed = {other for other in self._tables if self._find(other, segments) is not None}
        if "GET" in allowed:
            allowed.add("HEAD")
        return WrongMethod(tuple(other for other in METHODS if other in allowed)) if allowed else None

    def _find(self, method: str, segments: Sequence[str]) -> int | None:
        node = self._tables.get(method)
        if len(segments) > MAX_SEGMENTS:
            return None
        for segment in segments:
            if node is None or not segment:
                return None
            node = node.literals.get(segment, node.parameter)
        return node.route if node is not None and node.route >= 0 else None

    def _matched(self, index: int, segments: Sequence[str], *, head_as_get: bool) -> RouteMatch:
        pairs = zip(self.routes[index].segments, segments, strict=True)
        parameters = {part.name: segment for part, segment in pairs if isinstance(part, Parameter)}
        return RouteMatch(index=index, parameters=parameters, head_as_get=head_as_get)


def _segment(text: str, path: str) -> Segment:
    if text.startswith("{") and text.endswith("}"):
        name = text[1:-1]
        if not 0 < len(name) <= MAX_NAME_CHARS or not _PARAMETER_CHARS.issuperset(name):
            raise UsageError(f"{shown(text)} is not a parameter: write a name of `A-Z a-z 0-9 _`, such as `{{id}}`")
        return Parameter(name)
    if not text or text in (".", ".."):
        raise UsageError(f"{shown(path)} has an empty or dotted segment: requests with one are refused")
    if len(text) > _MAX_SEGMENT_CHARS or not _LITERAL_CHARS.issuperset(text) or text.startswith(":"):
        raise UsageError(f"{shown(text)} is not a path segment: write plain characters, or a parameter as `{{id}}`")
    return Literal(text)


def _compile(routes: Sequence[Route], method: str) -> _Node:
    """Build the table of one method: first a tree as written, then one in which each step is decided at once."""
    root = _Node()
    for index, route in enumerate(routes):
        if route.method == method:
            _insert(root, routes, index)
    return _Merger(_MAX_COMPILE_STEPS).merge((root,))


def _insert(root: _Node, routes: Sequence[Route], index: int) -> None:
    node = root
    for part in routes[index].segments:
        if isinstance(part, Literal):
            node = node.literals.setdefault(part.text, _Node())
        else:
            node.parameter = node.parameter or _Node()
            node = node.parameter
    if node.route >= 0:
        raise UsageError(f"the routes {shown(str(routes[node.route]))} and {shown(str(routes[index]))} are the same")
    node.route = index


class _Merger:
    """Merges alternatives into one tree, so that a match never has to come back and try another.

    Where `/a/{x}/c` and `/a/b/d` exist, the step to `b` must still lead to `c`: it gets the steps of `b`, then of `{x}`.
    Alternatives are kept in order of precedence, and each tree is at most as deep as a path is long.
    """

    def __init__(self, most_steps: int) -> None:
        self._steps_left = most_steps

    def merge(self, alternatives: tuple[_Node, ...]) -> _Node:
        texts = {text: None for node in alternatives for text in node.literals}
        self._charge(len(alternatives) * (len(texts) + 1))
        merged = _Node(route=next((node.route for node in alternatives if node.route >= 0), -1))
        for text in texts:
            steps = (step for node in alternatives for step in (node.literals.get(text), node.parameter))
            merged.literals[text] = self.merge(tuple(step for step in steps if step is not None))
        parameters = tuple(node.parameter for node in alternatives if node.parameter is not None)
        merged.parameter = self.merge(parameters) if parameters else None
        return merged

    def _charge(self, steps: int) -> None:
        self._steps_left -= steps
        if self._steps_left < 0:
            raise UsageError("the routes overlap too much to be compiled: use fewer parameters beside literals")
