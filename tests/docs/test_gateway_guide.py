"""The gateway guide, run from top to bottom in an empty folder, as printed."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guides" / "gateway.md").read_text()
FILES = re.compile(r"```\w+ file=(\S+)\n(.*?)```", re.DOTALL)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def _on_free_ports(page: str) -> str:
    """The page with its two ports replaced by free ones, so that nothing else on the machine is in its way."""
    with socket.socket() as first, socket.socket() as second:
        for port, taken in (("8080", first), ("9000", second)):
            taken.bind(("127.0.0.1", 0))
            page = page.replace(port, str(taken.getsockname()[1]))
    return page


def _steps(guide: str) -> list[tuple[str, str]]:
    """Each command with what is printed under it."""
    steps: list[tuple[str, str]] = []
    for block in CONSOLE.findall(guide):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], ""))
            else:
                command, printed = steps[-1]
                steps[-1] = command, f"{printed}{line}\n"
    return steps


def _pattern(printed: str) -> re.Pattern[str]:
    """What is printed, with `…` for anything, also for lines that are missing."""
    text = re.escape(printed).replace("…\\\n", ".*").replace("…", ".*")
    return re.compile(rf"\s*{text}\s*", re.DOTALL)


@pytest.mark.timeout(90)
def test_the_gateway_guide_runs_as_printed(tmp_path: Path) -> None:
    guide = _on_free_ports(PAGE)
    steps = _steps(guide)
    for name, text in FILES.findall(guide):
        (tmp_path / name).write_text(text)
    script = ["set +e"]
    for number, (command, _) in enumerate(steps):
        script += [f"echo '#<{number}>'", command]
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        ["bash", "-c", "\n".join([*script, "echo '#<end>'", "kill $(jobs -p); wait"])],
        cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    for number, (command, printed) in enumerate(steps):
        shown = re.search(rf"#<{number}>\n(.*?)#<(?:{number + 1}|end)>\n", output, re.DOTALL)
        assert shown is not None, f"`{command}` was not reached:\n{output}"
        if printed:
            assert _pattern(printed).fullmatch(shown[1]), f"`{command}` printed:\n{shown[1]}"
