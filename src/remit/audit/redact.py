"""What the operator keeps out of the log: `audit: {redact: [body.card]}` in the policy, applied before a record exists.

A redaction path says where a value is read in a request: `body`, `query`, `path` or `header`, then the names of members
down to it, `*` for any. An argument is hidden when the policy reads it at, or below, such a path; an argument that is a
whole object loses only the members that a path names. What is hidden is hidden everywhere: as an argument, as the
target, and in the path of the URL. A query never enters the log but for the names in it, since its values are the
arguments that the policy names, or nothing that anybody asked for.

Secrets that nobody listed are the business of `safe_text`, which every string passes afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from remit.audit.encoding import MAX_ARGUMENT_CHARS, MAX_ITEMS
from remit.core.reading import shown
from remit.core.strict_json import ExactNumber
from remit.errors import UsageError

REDACTED: Final = "[redacted]"
"""What stands where a value was that the policy keeps out."""

MAX_PATHS: Final = 256
MAX_PATH_CHARS: Final = 256
MAX_DEPTH: Final = 8
"""Values nested deeper than this are not written out."""

_SOURCES: Final = ("body", "query", "path", "header")
_ANY: Final = "*"
_CUT: Final = "..."


@dataclass(frozen=True, slots=True)
class Redaction:
    """The redaction paths of one policy, each as its parts."""

    paths: tuple[tuple[str, ...], ...]

    @classmethod
    def parse(cls, paths: Sequence[str]) -> "Redaction":
        """Read the paths as a policy writes them. Raises `UsageError` naming the one that is wrong."""
        if len(paths) > MAX_PATHS:
            raise UsageError(f"`redact` names {len(paths)} paths; at most {MAX_PATHS} are read")
        return cls(tuple(_parse(path) for path in paths))

    def of_tool(self, sources: Mapping[str, str]) -> "ToolRedaction":
        """What it means for one tool, whose arguments are read at `sources` (argument name → `body.card`)."""
        rests: dict[str, tuple[tuple[str, ...], ...]] = {}
        for name, source in sources.items():
            parts = _lowered(tuple(source.split(".")))
            found = (_rest(path, parts) for path in self.paths)
            rests[name] = tuple(rest for rest in found if rest is not None)
        in_path = (name for name, source in sources.items() if source.startswith("path.") and () in rests[name])
        return ToolRedaction(rests, frozenset(in_path))


@dataclass(frozen=True, slots=True)
class ToolRedaction:
    """Argument name → what to hide in it (an empty path stands for all of it), and which of the hidden are in the URL."""

    rests: Mapping[str, tuple[tuple[str, ...], ...]]
    in_path: frozenset[str]

    def hides(self, name: str) -> bool:
        """Whether the argument is hidden altogether."""
        return () in self.rests.get(name, ())

    def arguments(self, values: Mapping[str, object]) -> dict[str, str]:
        """The arguments as the log keeps them: as text, hidden where the policy says so, cut where they are long."""
        return {
            name: REDACTED if self.hides(name) else _text(value, self.rests.get(name, ()))
            for name, value in list(values.items())[: MAX_ITEMS + 1]
        }

    def target(self, target: str, *, argument: str) -> str:
        """The target, unless the argument that it was read from is hidden."""
        return REDACTED if target and self.hides(argument) else target

    def path(self, path: str, values: Mapping[str, object]) -> str:
        """The URL's path as the log keeps it: hidden arguments blotted out, of the query the names only.

        `values` are the arguments that were read. Where a hidden one cannot be found in the path, all of it is hidden.
        """
        bare, mark, query = path.partition("?")
        segments = bare.split("/")
        hidden = {_text(values.get(name, ""), ()) for name in self.in_path}
        if hidden <= {unquote(segment) for segment in segments} - {""}:
            bare = "/".join(REDACTED if unquote(segment) in hidden else segment for segment in segments)
        else:
            bare = REDACTED
        return f"{bare}?{_query_names(query)}" if mark else bare


def _parse(path: str) -> tuple[str, ...]:
    parts = tuple(path.split(".")) if len(path) <= MAX_PATH_CHARS else ()
    if len(parts) < 2 or parts[0] not in _SOURCES or not all(part and part.isprintable() for part in parts):
        raise UsageError(
            f"{shown(path)} is not a redaction path: write where the value is read, such as `body.card` or `query.code`"
        )
    return _lowered(parts)


def _lowered(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Names of header fields mean the same in any case; all other names do not."""
    return tuple(part.lower() for part in parts) if parts[0] == "header" else parts


def _rest(path: tuple[str, ...], source: tuple[str, ...]) -> tuple[str, ...] | None:
    """What of `path` remains below `source`; () if it hides all of it, None if the two part ways."""
    if all(wanted in (_ANY, part) for wanted, part in zip(path, source, strict=False)):
        return path[len(source) :]
    return None


def _query_names(query: str) -> str:
    pairs = [pair.partition("=") for pair in query.split("&", MAX_ITEMS)[:MAX_ITEMS]]
    return "&".join(f"{name}={_CUT}" if equals else _CUT for name, equals, _ in pairs)


def _text(value: object, hide: tuple[tuple[str, ...], ...]) -> str:
    """A value as text of at most about `MAX_ARGUMENT_CHARS`, which the encoder then cuts exactly."""
    if isinstance(value, str):
        return value
    pieces: list[str] = []
    _write(value, hide, pieces, depth=0)
    return "".join(pieces)


def _write(value: object, hide: tuple[tuple[str, ...], ...], pieces: list[str], *, depth: int) -> None:
    """Append `value` much as JSON has it; objects of other types by the name of their type only."""
    if () in hide:
        pieces.append(REDACTED)
    elif depth > MAX_DEPTH or len(pieces) > MAX_ARGUMENT_CHARS:
        pieces.append(_CUT)
    elif isinstance(value, Mapping):
        pieces.append("{")
        for at, (name, member) in enumerate(list(value.items())[:MAX_ITEMS]):
            pieces.append(f"{', ' if at else ''}{_scalar(name)}: ")
            _write(member, _below(hide, str(name)), pieces, depth=depth + 1)
        pieces.append("}" if len(value) <= MAX_ITEMS else f", {_CUT}}}")
    elif isinstance(value, (list, tuple)):
        pieces.append("[")
        for at, item in enumerate(value[:MAX_ITEMS]):
            pieces.append(", " if at else "")
            # An array is looked through: `body.cards.number` hides the number of every card, and so does `*`.
            _write(item, (*hide, *_below(hide, _ANY)), pieces, depth=depth + 1)
        pieces.append("]" if len(value) <= MAX_ITEMS else f", {_CUT}]")
    else:
        pieces.append(_scalar(value))


def _below(hide: tuple[tuple[str, ...], ...], name: str) -> tuple[tuple[str, ...], ...]:
    """What to hide inside the member `name`."""
    return tuple(path[1:] for path in hide if path[0] in (_ANY, name))


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 128 else "a number too large to write"
    if isinstance(value, ExactNumber):
        return value.text
    return str(value) if isinstance(value, float) else f"a {type(value).__name__}"
