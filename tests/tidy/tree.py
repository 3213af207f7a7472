"""The project as text and as syntax trees, read once for all tidy tests."""

import ast
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "remit"

NOT_OURS = frozenset({"build", "dist", "__pycache__"})
HIDDEN_BUT_OURS = frozenset({".ci", ".github", ".gitignore", ".importlinter"})

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file: where it is (relative to the root), its text and its tree."""

    path: str
    text: str
    tree: ast.Module

    def functions(self) -> Iterator[Function]:
        """Every function, however deep."""
        return (node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS))

    def at(self, node: ast.AST) -> str:
        """Where a node stands, as `path:line`."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """Return every Python file below these top-level folders; a folder that does not exist has none."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return tuple(_parse(path) for path in paths if not NOT_OURS.intersection(path.relative_to(ROOT).parts))


def _parse(path: Path) -> Module:
    with tokenize.open(path) as file:
        text = file.read()
    return Module(path=path.relative_to(ROOT).as_posix(), text=text, tree=ast.parse(text, filename=str(path)))


def text_files() -> Iterator[tuple[str, str]]:
    """Yield path and content of every text file of the project, build output and hidden folders left out."""
    for path in sorted(_walk(ROOT)):
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or another binary: nothing to read


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in NOT_OURS or (path.name.startswith(".") and path.name not in HIDDEN_BUT_OURS):
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.is_file():
            yield path
