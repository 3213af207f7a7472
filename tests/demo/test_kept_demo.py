"""`make up`: what is printed works when it is pasted, and a second start goes on where the first ended."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from demo.cast import EXECUTOR
from demo.client import Client, Reply
from tests.demo.acting import Running, demo
from tests.tidy.tree import ROOT

PAYMENT = {"amount": 25, "currency": "USD", "to": "acct-2001"}
UP = "remit keys revoke"


def key_in(said: str) -> str:
    found = re.search(r"^KEY=(remit_\w+)$", said, re.MULTILINE)
    assert found is not None
    return found[1]


async def transfer(running: Running, key: str) -> Reply:
    found = re.search(r"listens on http://([\d.]+):(\d+)", running.said)
    assert found is not None
    with Client((found[1], int(found[2])), key) as client:
        return await client.call("POST", "/transfer", PAYMENT)


def chain_file(folder: Path) -> Path:
    return folder / "up" / "contracts" / f"{EXECUTOR}.chain"


def left(reply: Reply) -> int:
    return int(reply.headers["ratelimit"].rpartition("r=")[2].partition(";")[0])


async def test_a_second_start_goes_on_with_keys_and_counters(tmp_path: Path) -> None:
    with demo(tmp_path, "--keep") as first:
        first.wait_for(UP)
        key = key_in(first.said)
        assert left(await transfer(first, key)) == 149
        first_chain = chain_file(tmp_path).read_bytes()
        assert first.end(signal.SIGINT) == 0
    assert "goes on with them" in first.said

    with demo(tmp_path, "--keep") as second:
        second.wait_for(UP)
        assert key_in(second.said) == key
        assert left(await transfer(second, key)) == 148
        assert chain_file(tmp_path).read_bytes() == first_chain
        revoked = re.findall(r"remit keys revoke (\w+)", second.said)[0]
        remit(tmp_path, "keys", "revoke", revoked)
        assert (await transfer(second, key)).status == 401
        remit(tmp_path, "revoke", "--chain", str(chain_file(tmp_path)), "--link", "1")
        assert second.end(signal.SIGTERM) == 0

    with demo(tmp_path, "--keep") as third:
        third.wait_for(UP)
        assert key_in(third.said) != key
        assert (await transfer(third, key_in(third.said))).status == 201
        assert chain_file(tmp_path).read_bytes() != first_chain
        assert third.end(signal.SIGINT) == 0
    assert len((tmp_path / "up" / "payments.jsonl").read_text(encoding="utf-8").splitlines()) == 3


def test_the_printed_shell_lines_do_what_they_say(tmp_path: Path) -> None:
    with demo(tmp_path, "--keep") as running:
        running.wait_for(UP)
        calls, _, _ = running.said.partition("Look at it as its operator")
        sections = re.split(r"^.*\n-{20,}\n", calls, flags=re.MULTILINE)[1:]
        revoke = re.findall(r"^remit revoke --chain .*$", running.said, re.MULTILINE)
        script = "\n".join([*sections, "document", "document", "document", *revoke, "pay || true"])
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=90)
        running.end(signal.SIGINT)
    assert re.search(r"^ +149 201\n +6 429$", done.stdout, re.MULTILINE), done.stdout
    assert done.stdout.count('"quota_exhausted"') == 1
    assert done.stdout.count("HTTP/1.1 200 OK") == 3
    assert done.stdout.count('"budget_exhausted"') == 1
    assert '"state": "sent"' in done.stdout
    assert "100 calls of payments.transfer in all (`transfers`): 1 call used, 99 calls left" in done.stdout
    assert "contract 1 of the chain, for orchestrator, is revoked" in done.stdout
    assert "refused (401 revoked), by contract 1 of the chain" in done.stderr


def remit(folder: Path, *arguments: str) -> None:
    """The command, as the printed lines call it."""
    entry = "import sys; from remit.cli import main; sys.exit(main())"
    policy = str(folder / "up" / "policy.yaml")
    subprocess.run(
        [sys.executable, "-c", entry, *arguments], check=True, cwd=ROOT, timeout=60,
        env=os.environ | {"REMIT_POLICY": policy}, capture_output=True,
    )  # fmt: skip
