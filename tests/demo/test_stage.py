"""The set of the demo: its policy, its folder, its ports, its processes."""

import io
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from demo.cast import ALLOWED, ISS, LEDGER, ORG, RUN_BUDGET, TOOLS
from demo.children import ROOT, Children, DemoFailed
from demo.commands import Remit
from demo.contracts import FOLDER, ISSUER_KEYS, Desk
from demo.documents import DOCUMENT
from demo.payment_api import PRICES
from demo.screen import WIDTH, Screen
from demo.stage import POLICY, clear, free_or_any, owned, read_keys, write_policy
from remit.config.compile import Loaded, load_policy_file
from remit.core.money import parse_money
from remit.core.policy import Budget, Quota
from tests.demo.acting import wait_until_gone


def load(folder: Path) -> Loaded:
    """The policy as a run has it, beside the keys of its issuer."""
    path = write_policy(folder, listen="127.0.0.1:1111", upstream="127.0.0.1:2222")
    Desk(Remit(path), folder).open()
    return load_policy_file(path)


def test_the_policy_is_accepted_without_a_warning(tmp_path: Path) -> None:
    assert load(tmp_path).warnings == ()


def test_the_policy_says_what_the_demo_says(tmp_path: Path) -> None:
    policy = load(tmp_path).policy
    hourly, run_money = policy.limits["hourly"].rule, policy.limits["run-money"].rule
    assert isinstance(hourly, Quota)
    assert isinstance(run_money, Budget)
    assert hourly.max > ALLOWED  # so that it is the contract which stops the loop
    assert policy.ledger == LEDGER
    [issuer] = policy.trust.values()
    assert (issuer.iss, issuer.orgs) == (ISS, (ORG,))
    assert issuer.jwks_file == str(tmp_path / FOLDER / ISSUER_KEYS)
    assert run_money.max_micros == parse_money(RUN_BUDGET).micros
    assert {tool for tools in TOOLS.values() for tool in tools} | {"payments.refund"} == set(policy.tools)
    held = {name: tool.price.hold_micros for name, tool in policy.tools.items() if tool.price is not None}
    for tool, kind in (
        ("payments.transfer", "transfers"),
        ("payments.refund", "refunds"),
        ("reports.generate", "reports"),
    ):
        assert held[tool] == parse_money(f"{PRICES[kind]} USD").micros
    assert DOCUMENT.startswith("/reports/")


def test_the_policy_of_a_run_differs_in_two_addresses_only(tmp_path: Path) -> None:
    store = load(tmp_path).policy.store
    before, after = (path.read_text(encoding="utf-8").splitlines() for path in (POLICY, tmp_path / "policy.yaml"))
    changed = [line for line, original in zip(after, before, strict=True) if line != original]
    assert [line.strip() for line in changed] == [
        "listen: 127.0.0.1:1111",
        "payments: {url: http://127.0.0.1:2222, timeout: 10s}",
    ]
    assert store == f"sqlite:///{tmp_path / 'remit.db'}"


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        owned(tmp_path / "build"),
        pytest.raises(DemoFailed, match="another demo is running"),
        owned(tmp_path / "build"),
    ):
        pass
    with owned(tmp_path / "build"):
        pass


def test_clearing_up_removes_only_what_a_run_left_behind(tmp_path: Path) -> None:
    ours = ("remit.db", "remit.db-wal", "gateway.log", "payments.jsonl", "demo.json", "checkpoints.txt")
    (tmp_path / FOLDER).mkdir()
    for name in (*ours, "bench.json", "notes.txt", f"{FOLDER}/issuer.jwk", f"{FOLDER}/risk-check.chain"):
        (tmp_path / name).touch()
    clear(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["bench.json", FOLDER, "notes.txt"]


def test_a_port_that_is_taken_is_left_alone() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert free_or_any(address) == 0
    assert free_or_any(address) == int(address.rpartition(":")[2])


@pytest.mark.parametrize("text", ["", "{", "[]", "7"])
def test_kept_keys_that_cannot_be_read_are_made_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text, encoding="utf-8")
    assert read_keys(tmp_path / "keys.json") == {}
    assert read_keys(tmp_path / "missing.json") == {}


async def test_a_child_that_fails_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        script = "import sys; sys.exit('the disk is full of cats')"
        child = await children.start("small service", [sys.executable, "-c", script], talks=True)
        with pytest.raises(DemoFailed, match=r"the small service ended with exit code 1[^$]*full of cats"):
            await child.finished(timeout_s=30)
        assert await child.message(timeout_s=30) is None


async def test_a_child_that_says_nothing_in_time_is_a_failure(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        child = await children.start("sleeper", [sys.executable, "-c", "input()"], settings=None, talks=True)
        sleeper = await children.start("silent one", ["sleep", "60"], talks=True)
        with pytest.raises(DemoFailed, match="said nothing"):
            await sleeper.message(timeout_s=0.01)
        with pytest.raises(DemoFailed, match="exit code 1"):
            await child.finished(timeout_s=30)


async def test_children_that_will_not_stop_are_killed_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.children.STOP_S", 0.01)
    script = "import signal; signal.signal(15, signal.SIG_IGN); print('{}', flush=True); signal.pause()"
    async with Children(tmp_path) as children:
        child = await children.start("stubborn one", [sys.executable, "-c", script], talks=True)
        assert await child.message(timeout_s=30) == {}
    assert child.exit_code == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent is gone")
def test_a_tied_program_ends_with_its_parent() -> None:
    script = (
        "import os, subprocess, sys;"
        "child = subprocess.Popen([sys.executable, '-m', 'demo.tied', str(os.getpid()), 'sh', '-c', 'echo up; exec sleep 60'],"
        " stdout=subprocess.PIPE);"
        "child.stdout.readline(); print(child.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    wait_until_gone(int(done.stdout))


def test_a_program_is_not_tied_to_somebody_elses_parent() -> None:
    command = [sys.executable, "-m", "demo.tied", str(os.getppid()), "echo", "up"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_progress_moves_on_a_terminal_and_then_stands() -> None:
    out = Terminal()
    screen = Screen(out)
    screen.progress("longer line")
    screen.progress("short")
    screen.say("done")
    assert out.getvalue() == "\rlonger line\rshort      \ndone\n"


def test_progress_is_a_line_each_second_elsewhere() -> None:
    out, clock = io.StringIO(), Clock()
    screen = Screen(out, clock=clock)
    for tenth in range(21):
        clock.now = 100 + tenth / 10
        screen.progress(f"{tenth}")
    screen.progress("end", last=True)
    assert out.getvalue().split() == ["0", "10", "20", "end"]


def test_what_is_said_fits_and_names_stay_whole() -> None:
    out = io.StringIO()
    screen = Screen(out)
    screen.say("well-behaved " * 20, indent="  ")
    screen.quote("a sentence that goes on\n  after its break\nanother")
    screen.hang("  a name      its long text, " + "which goes on " * 9, indent="  ", below=12)
    screen.rows([("name", "1,000", "a remark that is far too long for its column " * 3), ("other", "7", "")])
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert not any(line.endswith("well-") for line in lines)
    assert "    a sentence that goes on after its break" in lines
    assert "  other      7" in lines
    hanging = lines.index(next(line for line in lines if "a name      its long text" in line))
    assert lines[hanging].startswith("    a name")
    assert lines[hanging + 1].startswith(" " * 14 + "goes on")
