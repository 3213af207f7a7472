"""`kill -9` at random moments: whatever was acknowledged is there, nothing else is, and the log has no gap."""

import os
import random
import subprocess
import sys
from pathlib import Path

from remit.core.ledger.operations import HoldState
from remit.stores.sqlite import SqliteStore
from tests.stores.sqlite_calls import ask, figures, verified
from tests.stores.sqlite_victim import CALLERS

RUNS = 5
ROOT = Path(__file__).parents[2]


def _run_and_kill(path: Path, run: int, journal: Path, *, after_lines: int) -> None:
    """Let a process spend, keep what it says in a journal that survives us as well, and kill it in the middle."""
    command = [sys.executable, "-m", "tests.stores.sqlite_victim", str(path), str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as victim, journal.open("ab") as kept:
        assert victim.stdout is not None
        for number, line in enumerate(victim.stdout, start=1):
            kept.write(line)
            if number == after_lines:
                victim.kill()
        kept.flush()
        os.fsync(kept.fileno())
    assert victim.returncode == -9


def _said(journal: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {"ask": set(), "held": set(), "paid": set(), "open": set()}
    for line in journal.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            word, _, id_ = line.strip().partition(" ")
            found[word].add(id_)
    return found


async def test_everything_acknowledged_survives_kill_9_at_any_moment(tmp_path: Path) -> None:
    path, journal = tmp_path / "a.db", tmp_path / "journal"
    for run in range(RUNS):
        _run_and_kill(path, run, journal, after_lines=random.randint(2, 400))
    said = _said(journal)
    store = await SqliteStore.open(path)
    await verified(store)
    used, held = await figures(store)
    calls = {cell.key: (cell.used, cell.held) for cell in await store.cells("calls-")}
    await store.close()
    holds = dict(ask(path, "SELECT id, state FROM holds"))
    assert said["held"] <= holds.keys() <= said["ask"], "nothing is lost, and nothing appears that was never asked for"
    assert all(holds[id_] == "settled" for id_ in said["paid"])
    assert set(holds.values()) <= {HoldState.SETTLED.value, HoldState.ASSUMED_SPENT.value}
    settled = sum(1 for state in holds.values() if state == "settled")
    assert (used, held) == (3 * settled + 5 * (len(holds) - settled), 0)
    assert sum(n for n, _ in calls.values()) == len(holds)
    assert len(calls) <= CALLERS
    decisions = ask(path, "SELECT count(DISTINCT mention) FROM audit WHERE instr(body, ?)", b'"kind":"decision"')
    assert decisions == [(len(holds),)], "a spend has its record, and a record its spend"
