"""The demo as it is run: with fewer attempts than the incident had, and otherwise the same."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.demo.acting import demo, descendants, figures, wait_until_gone

IN_THE_MIDDLE = "Scene 1"
LONG = 50_000

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


def test_it_shows_what_it_claims_and_says_so_in_80_columns(tmp_path: Path) -> None:
    with demo(tmp_path, "--attempts", "500") as running:
        code = running.end()
    assert code == 0, running.said
    found = figures(tmp_path)
    assert (found["attempts"], found["admitted"], found["moved_upstream"]) == (500, 100, 100)
    assert found["refused"] == {"contract_exhausted": 400}
    assert sum(each["admitted"] for each in found["by_key"]) == 100
    assert all(each["attempts"] == 125 for each in found["by_key"])
    assert found["proofs"] > 500
    assert found["chain"] == ["orchestrator", "risk-check", "payment-executor"]
    assert found["theft"] == {"tried": 6, "refused": 6}
    assert found["revocation"] == {"before": 201, "after": 401, "reason": "revoked", "hop": 0}
    assert found["audit_verified"] is True
    assert found["failures"] == []
    assert 0 < found["added_ms_p50"] <= found["added_ms_p99"]
    assert (found["money_moved_usd"], found["money_saved_usd"]) == ("2500.00", "10000.00")
    assert found["others"]["calls"] > 0
    assert found["others"]["refused"] == 0
    assert found["documents"] == {"asked": 4, "delivered": 3, "cost_usd": "4.74", "refused": "budget_exhausted"}
    lines = [json.loads(line) for line in (tmp_path / "payments.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len({line["decision"] for line in lines}) == len(lines) == 102
    assert sum(line["to"] == "acct-7731" for line in lines) == 100
    for step in ("replayed", "htb_mismatch", "proof_missing", "holder_binding_failed", "signature_invalid"):
        assert step in running.said
    assert "It came with a chain of 3 contracts, from `orchestrator`" in running.said
    assert "100 calls used, 0 calls left" in " ".join(running.said.split())
    assert "\r" not in running.said
    assert "\x1b" not in running.said
    # Paths of the test's own folder, which are long and cannot be broken, may stick out.
    assert [line for line in running.said.splitlines() if len(line) > 80 and str(tmp_path) not in line] == []


@linux
def test_ctrl_c_in_the_middle_leaves_nothing_running(tmp_path: Path) -> None:
    with demo(tmp_path, "--attempts", str(LONG)) as running:
        running.wait_for(IN_THE_MIDDLE)
        started = descendants(running.process.pid)
        assert len(started) >= 2
        assert running.end(signal.SIGINT) == 130
    for pid in started:
        wait_until_gone(pid)
    assert "nothing is left running" in running.said


@linux
def test_its_processes_end_even_if_it_is_killed(tmp_path: Path) -> None:
    with demo(tmp_path, "--attempts", str(LONG)) as running:
        running.wait_for(IN_THE_MIDDLE)
        started = descendants(running.process.pid)
        assert running.end(signal.SIGKILL) == -signal.SIGKILL
    for pid in started:
        wait_until_gone(pid)


@linux
def test_a_gateway_that_dies_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    with demo(tmp_path, "--attempts", str(LONG)) as running:
        running.wait_for(IN_THE_MIDDLE)
        gateway = next(pid for pid in descendants(running.process.pid) if b"\0gateway\0" in command_line(pid))
        os.kill(gateway, signal.SIGKILL)
        assert running.end() == 1
    assert "demo: the gateway ended in the middle of the incident" in running.said
    assert "remit gateway listening on" in running.said


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_wrong_number_of_attempts_is_said_in_a_sentence(tmp_path: Path) -> None:
    with demo(tmp_path, "--attempts", "0") as running:
        assert running.end() == 2
    assert "--attempts 0: it takes at least 1" in running.said
