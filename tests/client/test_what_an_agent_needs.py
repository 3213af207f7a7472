"""An agent installs little: its side of Remit knows contracts, the core and the errors, and nothing of guards and stores."""

import ast
from pathlib import Path

import remit.entrypoints.client

ALLOWED = ("remit.contracts", "remit.core", "remit.errors", "remit.entrypoints.client")
FOLDER = Path(remit.entrypoints.client.__file__).parent


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.partition(".")[0] == "remit"}


def test_the_agents_side_imports_nothing_of_the_guards() -> None:
    files = sorted(FOLDER.glob("*.py"))
    assert len(files) >= 5
    for path in files:
        strangers = {name for name in imported(path) if not any(f"{name}.".startswith(f"{own}.") for own in ALLOWED)}
        assert strangers == set(), path.name
