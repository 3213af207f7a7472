"""`remit gateway` as a real process: it starts, serves, follows its policy, drains, settles, and says why it will not."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.process import READY, SECONDS, Process, Upstream, eventually, gateway_process, run, upstream_and_policy

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    with upstream_and_policy(tmp_path) as upstream:
        yield upstream


@pytest.fixture
def process(tmp_path: Path, upstream: Upstream) -> Iterator[Process]:
    with gateway_process(tmp_path) as process:
        yield process


def _key(folder: Path) -> str:
    made = run(folder, "keys", "create", "--agent", "pay", "--tools", "payments.*", "--org", "acme")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_a_gateway_from_its_start_to_its_end(tmp_path: Path, upstream: Upstream, process: Process) -> None:
    assert re.fullmatch(rf"{READY}http://127\.0\.0\.1:\d+ \(policy policy\.yaml, store remit\.db\)\n", process.ready)
    key = _key(tmp_path)
    assert process.call(key).status_code == 200
    file = tmp_path / "policy.yaml"
    before = file.read_text()
    file.write_text(before.replace("3/hour", "1/hour"))
    process.tell(signal.SIGHUP)
    process.wait_for_log("INFO remit.gateway: reloaded policy.yaml")
    assert process.call(key).status_code == 429
    file.write_text(before.replace("3/hour", "no/hour"))
    process.tell(signal.SIGHUP)
    process.wait_for_log("the policy was not reloaded and the one before goes on: policy.yaml:19: ")
    assert process.call(key).status_code == 429
    file.write_text(before)
    assert run(tmp_path, "keys", "revoke", key.split("_")[1]).returncode == 0
    assert process.call(key).status_code == 401
    process.tell(signal.SIGTERM)
    assert process.wait() == 0
    assert process.log.endswith("INFO remit.gateway: stopped; every call is settled\n")
    assert key not in process.log
    assert "Traceback" not in process.log
    assert upstream.calls == 1
    verified = run(tmp_path, "audit", "verify")
    assert verified.stdout.endswith("ok\n"), verified.stderr
    assert not (tmp_path / "remit.db.sock").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_running_call_end_and_settles_it(
    tmp_path: Path, upstream: Upstream, process: Process, number: signal.Signals
) -> None:
    key = _key(tmp_path)
    upstream.may_answer.clear()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(process.call, key)
        assert upstream.arrived.acquire(timeout=SECONDS)
        process.tell(number)
        process.wait_for_log("stopping: ")
        upstream.may_answer.set()
        assert call.result(SECONDS).status_code == 200
    assert process.wait() == 0
    holds = run(tmp_path, "holds", "--all")
    assert "settled at 0.30 USD" in holds.stdout


def test_a_second_signal_cuts_the_running_call_and_counts_it_as_spent(
    tmp_path: Path, upstream: Upstream, process: Process
) -> None:
    key = _key(tmp_path)
    upstream.may_answer.clear()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(process.call, key)
        assert upstream.arrived.acquire(timeout=SECONDS)
        process.tell(signal.SIGTERM)
        process.wait_for_log("stopping: ")
        process.tell(signal.SIGTERM)
        assert process.wait() == 0
        assert call.exception(SECONDS) is not None
    assert "1 running calls were cut" in process.log
    assert "unknown, counted as spent" in run(tmp_path, "holds").stdout


def test_a_killed_gateway_leaves_a_store_that_goes_on(tmp_path: Path, upstream: Upstream, process: Process) -> None:
    key = _key(tmp_path)
    assert process.call(key).status_code == 200
    process.tell(signal.SIGKILL)
    process.wait()
    assert run(tmp_path, "audit", "verify").stdout.endswith("ok\n")
    with gateway_process(tmp_path) as again:
        assert again.call(key).status_code == 200
        assert "2 calls" in run(tmp_path, "limits").stdout
        again.tell(signal.SIGTERM)
        assert again.wait() == 0


def test_a_second_gateway_on_the_same_store_names_the_first(tmp_path: Path, process: Process) -> None:
    second = run(tmp_path, "gateway", "policy.yaml")
    assert second.returncode == 3
    assert second.stdout == ""
    assert f"is in use by process {process.pid} (remit gateway policy.yaml)" in second.stderr
    assert second.stderr.count("\n") == 1
    assert run(tmp_path, "status").returncode == 0, "the first must still be reached"


@pytest.mark.usefixtures("upstream")
def test_a_port_in_use_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = run(tmp_path, "gateway", "policy.yaml", "--listen", address)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"remit: cannot listen on `{address}`: ")
    assert ran.stderr.count("\n") == 1


@pytest.mark.usefixtures("upstream")
def test_a_corrupt_store_is_one_sentence_and_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / "remit.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 9000)
    ran = run(tmp_path, "gateway", "policy.yaml")
    assert (ran.returncode, ran.stdout) == (3, "")
    assert ran.stderr.startswith("remit: `")
    assert ran.stderr.count("\n") == 1


@pytest.mark.usefixtures("upstream")
def test_a_missing_secret_is_one_sentence_that_names_its_variable(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(file.read_text().replace("timeout: 5s", "timeout: 5s, credential: secret:bank"))
    ran = run(tmp_path, "gateway", "policy.yaml")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "set `REMIT_SECRET_BANK`" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_broken_policy_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("version: 1\ncurrency: USD\ntools: {}\nlimts: {}\n")
    ran = run(tmp_path, "gateway", "policy.yaml")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "policy.yaml:4: " in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["policy.yaml"]


def test_ctrl_c_ends_a_command_that_follows_without_a_word(tmp_path: Path, process: Process) -> None:
    follower = subprocess.Popen(
        [sys.executable, "-m", "remit", "audit", "tail", "-f"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert follower.stdout is not None
        assert "policy_loaded" in follower.stdout.readline()
        follower.send_signal(signal.SIGINT)
        assert follower.wait(SECONDS) == 130
        assert follower.communicate(timeout=SECONDS)[1] == ""
    finally:
        follower.kill()
        follower.communicate(timeout=SECONDS)


def test_two_commands_at_once_wait_for_each_other(tmp_path: Path, upstream: Upstream) -> None:
    with ThreadPoolExecutor(3) as pool:
        keys = list(pool.map(_key, [tmp_path] * 3))
    assert len(set(keys)) == 3
    listed = run(tmp_path, "keys", "list")
    assert all(key.split("_")[1] in listed.stdout for key in keys)


def test_a_gateway_whose_stdout_is_closed_serves_all_the_same(tmp_path: Path, upstream: Upstream) -> None:
    log = tmp_path / "log"
    with log.open("w") as stderr:
        closed = subprocess.Popen(
            ["bash", "-c", f"exec {sys.executable} -m remit gateway policy.yaml >&-"], cwd=tmp_path, stderr=stderr
        )
    try:
        eventually(lambda: run(tmp_path, "status").returncode == 0)
        closed.send_signal(signal.SIGTERM)
        assert closed.wait(SECONDS) == 0
    finally:
        closed.kill()
        closed.wait(SECONDS)
    assert "Traceback" not in log.read_text()
