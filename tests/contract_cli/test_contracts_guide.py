"""The contracts guide, run from top to bottom in an empty folder, as printed."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_gateway_guide import FILES, _on_free_ports, _pattern, _steps

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guides" / "contracts.md").read_text()


@pytest.mark.timeout(120)
def test_the_contracts_guide_runs_as_printed(tmp_path: Path) -> None:
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
        output, _ = process.communicate(timeout=110)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    for number, (command, printed) in enumerate(steps):
        shown = re.search(rf"#<{number}>\n(.*?)#<(?:{number + 1}|end)>\n", output, re.DOTALL)
        assert shown is not None, f"`{command}` was not reached:\n{output}"
        if printed:
            assert _pattern(printed).fullmatch(shown[1]), f"`{command}` printed:\n{shown[1]}"


def test_the_agent_of_the_guide_is_the_one_of_the_examples_and_has_twenty_lines() -> None:
    agent = (ROOT / "examples" / "agent.py").read_text()
    assert dict(FILES.findall(PAGE))["agent.py"] == agent
    assert len(agent.splitlines()) <= 20
