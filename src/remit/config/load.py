"""YAML text as plain data that cannot surprise: what an operator sees is what is read.

The file is read event by event, so that every bound (size, depth, number of values) ends the reading where it is
reached. Only the part of YAML that reads the same to everybody is accepted: no anchors, aliases, merge keys, tags or
directives, no key twice, no invisible characters that show a reviewer something else than the parser reads. Scalars
follow the core schema of YAML 1.2, where `on` and `02:00` are text; a number with a fraction stays the text that was
written, because money never passes through a float. YAML 1.2.2: https://yaml.org/spec/1.2.2/
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, Union

import yaml

from remit.config.problems import Path, policy_error, spell_path
from remit.core.reading import is_digits, shown

MAX_FILE_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 20
MAX_VALUES: Final = 50_000

Plain: TypeAlias = Union[dict[str, "Plain"], list["Plain"], str, int, bool, None]  # noqa: UP007 - it names itself

_MAX_NUMBER_CHARS: Final = 19
_CONSTANTS: Final[Mapping[str, bool | None]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_MERGE: Final = "<<"

# Controls, lone carriage returns, the line breaks that only some readers know, and marks that reorder what is shown.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\r(?!\n)"
)

# What the parser says, and what helps. The first that fits is said.
_SYNTAX: Final = (
    ("'\\t'", "a tab cannot stand here: indent with spaces"),
    ("mapping values are not allowed", "a `:` does not belong here: put the text in quotes, or start a new line"),
    ("could not find expected ':'", "a name without a `:`: write `name: value`, and put long text in quotes"),
    ("unknown escape character", "an unknown escape in double quotes: use single quotes"),
    ("end of stream", "the file ends inside quotes, brackets or braces: close them"),
    ("<stream end>", "the file ends inside quotes, brackets or braces: close them"),
    ("expected ',' or", "a comma or a closing bracket is missing here: put text that holds `{`, `[` or `,` in quotes"),
    ("expected <block end>", "the indentation does not fit the lines above, or a quote is not closed"),
    ("expected the node content", "a value is missing before this sign: put text that starts with a sign in quotes"),
    ("cannot start any", "text that starts with this sign must be in quotes"),
    ("alphabetic or numeric", "text that starts with `*` or `&` must be in quotes"),
    (
        "sequence entries are not allowed",
        "a `-` does not belong here: write the list as `[a, b]`, or on lines of its own",
    ),
    ("duplicate", "a directive stands twice: a policy has none, remove them"),
    ("directive", "a line starts with `%`: a policy has no directives, remove it"),
    ("document start", "only one policy fits in a file: remove everything from `---` or `...` on"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """The data of a file and the line of each key and item. `problems` are those that reading could go on after."""

    data: Plain
    lines: Mapping[Path, int]
    problems: list[tuple[int, str]] = field(default_factory=list)


def read_document(content: str | bytes, *, source: str) -> Document:
    """Read one YAML document. Raises `PolicyError` naming the lines of what cannot be read."""
    text = _decoded(content, source)
    reader = _Reader()
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            reader.take(event)
    except _Stopped:
        pass
    except yaml.YAMLError as error:
        reader.problems.append(_syntax_problem(error, text))
        reader.is_unusable = True
    if reader.is_unusable:
        raise policy_error(reader.problems, source=source)
    return Document(data=reader.root, lines=reader.lines, problems=reader.problems)


def _decoded(content: str | bytes, source: str) -> str:
    try:
        data = content.encode() if isinstance(content, str) else content
        if len(data) > MAX_FILE_BYTES:
            raise policy_error([(0, f"the file is larger than {MAX_FILE_BYTES} bytes")], source=source)
        text = data.decode().removeprefix("\ufeff")
    except UnicodeEncodeError:
        raise policy_error([(0, "the text holds half a character: save it as UTF-8")], source=source) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise policy_error([(line, "this is not UTF-8 text: save the file as UTF-8")], source=source) from None
    if not text.strip():
        raise policy_error([(0, "the file is empty: start with `version: 1`")], source=source)
    if problems := list(_invisible(text)):
        raise policy_error(problems, source=source)
    return text


def _invisible(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if found := _INVISIBLE.search(f"{line}\n"):
            sign = f"U+{ord(found[0]):04X}"
            yield number, f"an invisible character ({sign}) in column {found.start() + 1}: remove it"


def _syntax_problem(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    if not isinstance(error, yaml.MarkedYAMLError):
        return 0, "this cannot be read as YAML text"
    mark = error.problem_mark or error.context_mark
    said = f"{error.problem} {error.context}"
    line = mark.line + 1 if mark is not None else 0
    written = text.split("\n")[line - 1 : line]
    if any("\t" in row[: len(row) - len(row.lstrip())] for row in written):
        said = "'\\t'"
    for hint, sentence in _SYNTAX:
        if hint in said:
            return line, sentence
    return line, "this cannot be read as YAML: look at its quotes, brackets and indentation"


class _Stopped(Exception):
    """A bound was reached: nothing after it is read."""


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is being read. `key` is the mapping's key that waits for its value."""

    path: Path
    items: dict[str, Plain] | list[Plain]
    key: str | None = None

    def value_path(self) -> Path:
        return (*self.path, self.key or "" if isinstance(self.items, dict) else len(self.items))


class _Reader:
    """Builds the data from events. `is_unusable` once something was refused that the rest depends on."""

    def __init__(self) -> None:
        self.root: Plain = None
        self.lines: dict[Path, int] = {}
        self.problems: list[tuple[int, str]] = []
        self.is_unusable = False
        self._frames: list[_Frame] = []
        self._values = 0
        self._has_document = False

    def take(self, event: yaml.Event) -> None:
        """Handle one event."""
        line = event.start_mark.line + 1 if event.start_mark is not None else 0
        match event:
            case yaml.DocumentStartEvent():
                self._start_document(event, line)
            case yaml.AliasEvent():
                self._refuse(line, f"the alias {shown(f'*{event.anchor}')}: write the value out")
                self._add_scalar(None, line, is_text=False)
            case yaml.ScalarEvent():
                self._check_node(event, line)
                is_plain = not event.style
                if is_plain and event.value == _MERGE and self._wants_key():
                    self._refuse(line, "the merge key `<<`: write the fields out")
                self._add_scalar(event.value, line, is_text=not is_plain)
            case yaml.MappingStartEvent():
                self._check_node(event, line)
                self._open({}, line)
            case yaml.SequenceStartEvent():
                self._check_node(event, line)
                self._open([], line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._frames.pop()
            case _:
                pass

    def _start_document(self, event: yaml.DocumentStartEvent, line: int) -> None:
        if self._has_document:
            self._refuse(line, "a second document: only one policy fits in a file, remove everything from `---` on")
            raise _Stopped
        if event.version or event.tags:
            self._refuse(line, "a line starts with `%`: a policy has no directives, remove it")
        self._has_document = True

    def _check_node(self, event: yaml.NodeEvent, line: int) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            self._refuse(line, f"more than {MAX_VALUES} values in one file")
            raise _Stopped
        if event.anchor is not None:
            self._refuse(line, f"the anchor {shown(f'&{event.anchor}')}: remove it, a policy has no aliases")
        if getattr(event, "tag", None) is not None:
            self._refuse(line, "a tag (`!…`) before a value: remove it, a policy is plain data")

    def _refuse(self, line: int, text: str) -> None:
        self.problems.append((line, text))
        self.is_unusable = True

    def _wants_key(self) -> bool:
        return bool(self._frames) and isinstance(self._frames[-1].items, dict) and self._frames[-1].key is None

    def _open(self, items: dict[str, Plain] | list[Plain], line: int) -> None:
        if len(self._frames) >= MAX_DEPTH:
            self._refuse(line, f"more than {MAX_DEPTH} levels inside each other")
            raise _Stopped
        if self._wants_key():
            self._refuse(line, "a list or mapping as a name: a name is plain text")
            self._frames[-1].key = ""
            self._frames.append(_Frame((*self._frames[-1].path, ""), items))
            return
        path = self._frames[-1].value_path() if self._frames else ()
        self._place(items, line)
        self._frames.append(_Frame(path, items))

    def _add_scalar(self, value: str | None, line: int, *, is_text: bool) -> None:
        if self._wants_key():
            self._take_key(value or "", line)
        elif is_text:
            self._place(value, line)
        else:
            self._place(_resolved(value or ""), line)

    def _take_key(self, name: str, line: int) -> None:
        frame = self._frames[-1]
        frame.key = name
        path = (*frame.path, name)
        if not name:
            self._refuse(line, "a name is missing before the `:`")
        elif name in frame.items:
            self.problems.append((line, f"{spell_path(path)} stands twice: it is already in line {self.lines[path]}"))
        self.lines.setdefault(path, line)

    def _place(self, value: Plain, line: int) -> None:
        if not self._frames:
            self.root = value
            self.lines[()] = line
            return
        frame = self._frames[-1]
        if isinstance(frame.items, dict):
            frame.items.setdefault(frame.key or "", value)
            frame.key = None
        else:
            self.lines.setdefault(frame.value_path(), line)
            frame.items.append(value)


def _resolved(text: str) -> Plain:
    """What a plain scalar means. Whole numbers are those that everybody reads alike: no sign, no leading zero."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    digits = text.removeprefix("-")
    if len(text) <= _MAX_NUMBER_CHARS and is_digits(digits) and (digits == "0" or digits[0] != "0"):
        return int(text)
    return text
