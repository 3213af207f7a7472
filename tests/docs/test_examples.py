"""Every Python example of the README and the guides runs, and prints what the page says it prints."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
EXAMPLE = re.compile(r"```python\n(.*?)```(?:(?:(?!```).)*?```text\n(.*?)```)?", re.DOTALL)
IDS = re.compile(r"dec_[0-9a-f]{34}")


def _examples() -> list[tuple[str, str, str]]:
    found = []
    for page in PAGES:
        for number, match in enumerate(EXAMPLE.finditer(page.read_text())):
            found.append((f"{page.name}-{number}", match[1], match[2] or ""))
    return found


@pytest.mark.parametrize(("name", "code", "printed"), _examples(), ids=lambda value: str(value)[:24])
def test_an_example_of_the_docs_prints_what_the_page_says(name: str, code: str, printed: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert IDS.sub("dec_", ran.stdout) == IDS.sub("dec_", printed)


def test_there_are_examples_to_run() -> None:
    assert len(_examples()) >= 5
