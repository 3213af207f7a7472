"""`remit audit`: the log is read, followed, kept and verified, also when somebody had a hand in it."""

import json
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from remit.audit.chain import from_line
from remit.audit.verify import verify
from remit.engine.guard import Engine
from remit.errors import AuditBroken
from tests.cli.living import Gateway
from tests.cli.shell import PAYER, TRANSFER, Shell, admitted, with_engine


async def _a_dozen_calls(engine: Engine) -> None:
    for _ in range(3):
        await (await admitted(engine)).commit(cost_micros=300_000, status=200)
    for _ in range(30):
        await engine.admit(TRANSFER, PAYER)


def _change(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "remit.db") as file:
        file.execute(statement)
    file.close()


def test_the_tail_shows_the_newest_records_a_line_each(remit: Shell, folder: Path) -> None:
    with_engine(folder, _a_dozen_calls)
    ran = remit("audit", "tail", "-n", "3")
    assert len(ran.lines) == 3
    assert "refused" in ran.lines[-1]
    assert len(remit("audit", "tail").lines) == 17
    assert "allowed  payments.transfer  agent pay  1 call and 0.35 USD" in remit("audit", "tail").out


def test_the_tail_as_json_is_a_record_a_line(remit: Shell, folder: Path) -> None:
    with_engine(folder, _a_dozen_calls)
    rows = [json.loads(line) for line in remit("audit", "tail", "--json").lines]
    assert [row["record"]["seq"] for row in rows] == list(range(1, 18))


def test_the_tail_is_bounded(remit: Shell) -> None:
    ran = remit("audit", "tail", "-n", "1001")
    assert ran.code == 2
    assert "`-n` takes at most 1000" in ran.err


def test_following_needs_somebody_who_writes(remit: Shell) -> None:
    remit.key()
    ran = remit("audit", "tail", "-f")
    assert ran.code == 3
    assert "no gateway is running" in ran.err


def test_following_shows_what_the_gateway_writes_until_ctrl_c(
    remit: Shell, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = remit("keys", "create", "--agent", "pay", "--tools", "payments.*", "--org", "acme").out.strip()
    naps = []

    def sleep(_: float) -> None:
        naps.append(gateway.call(text).status_code)
        if len(naps) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    ran = remit("audit", "tail", "-n", "1", "-f")
    assert ran.code == 130
    assert "key_created" in ran.lines[0]
    assert "allowed  payments.transfer" in ran.lines[1]
    assert ran.err == ""


def test_an_untouched_log_verifies_with_counts(remit: Shell, folder: Path) -> None:
    with_engine(folder, _a_dozen_calls)
    ran = remit("audit", "verify")
    assert ran.code == 0, ran.err
    assert ran.lines[0] == "13 decisions, 1 count of refusals, 3 settlements"
    assert ran.lines[-1] == "ok"


def test_a_log_longer_than_a_page_is_verified_whole(
    remit: Shell, folder: Path, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remit.cli.audit_reading.PAGE", 3)
    text = remit("keys", "create", "--agent", "pay", "--tools", "payments.*", "--org", "acme").out.strip()
    for _ in range(5):
        gateway.call(text)
    ran = remit("audit", "verify")
    assert ran.code == 0, ran.err
    assert "11 records of 1 writer" in ran.out or "records of 1 writer" in ran.out
    assert len(remit("audit", "export").lines) >= 10


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE audit SET body = CAST(replace(body, 'pay', 'bob') AS BLOB) WHERE seq = 3",
            "record 3 of writer",
        ),
        ("UPDATE audit SET body = x'ff00fe' WHERE seq = 5", "record 5 of writer"),
        ("DELETE FROM audit WHERE seq = 2", "record 3 of writer"),
        ("UPDATE audit SET seq = -3 WHERE seq = 3", "record 4 of writer"),
        ("UPDATE audit SET hash = zeroblob(32) WHERE seq = 6", "record 6 of writer"),
    ],
)
def test_the_first_record_that_was_tampered_with_is_named(
    remit: Shell, folder: Path, statement: str, said: str
) -> None:
    with_engine(folder, _a_dozen_calls)
    _change(folder, statement)
    ran = remit("audit", "verify")
    assert ran.code == 1
    assert ran.err.startswith("remit: the audit log does not verify: ")
    assert said in ran.err.splitlines()[0]
    assert "ok" not in ran.out


def test_a_damaged_record_does_not_stop_the_tail_or_reach_the_terminal(remit: Shell, folder: Path) -> None:
    with_engine(folder, _a_dozen_calls)
    _change(folder, "UPDATE audit SET body = x'1b5b324aff' WHERE seq = 5")
    ran = remit("audit", "tail")
    assert ran.code == 0
    assert "record 5 of writer" in ran.out
    assert "\x1b" not in ran.out
    assert len(ran.lines) == 17


def test_an_export_verifies_elsewhere(remit: Shell, folder: Path) -> None:
    with_engine(folder, _a_dozen_calls)
    ran = remit("audit", "export", "-o", "log.jsonl")
    assert (ran.code, ran.out, ran.err) == (0, "", "exported 17 records to log.jsonl\n")
    entries = [from_line(line) for line in (folder / "log.jsonl").read_bytes().splitlines()]
    assert verify(entries).ok
    assert stat.S_IMODE((folder / "log.jsonl").stat().st_mode) == 0o600
    assert (folder / "log.jsonl").read_text() == remit("audit", "export").out
    assert not list(folder.glob("*.part"))


def test_an_export_that_cannot_be_written_leaves_nothing_behind(remit: Shell, folder: Path) -> None:
    remit.key()
    ran = remit("audit", "export", "-o", "no/such/log.jsonl")
    assert ran.code == 1
    assert ran.err == "remit: `no/such/log.jsonl.part` cannot be used: no such file or directory\n"


def test_a_checkpoint_vouches_for_the_log_and_finds_its_end_missing(remit: Shell, folder: Path) -> None:
    with_engine(folder, _a_dozen_calls)
    ran = remit("audit", "checkpoint", "-o", "kept.txt")
    assert (ran.code, ran.out) == (0, "")
    assert "signed a log of 17 records" in ran.err
    (folder / "key.pem").write_text(remit("audit", "public-key").out)
    assert stat.S_IMODE((folder / "remit.db.checkpoint-key").stat().st_mode) == 0o600
    ran = remit("audit", "verify", "--checkpoint", "kept.txt", "--public-key", "key.pem")
    assert ran.code == 0, ran.err
    assert "agree with 1 checkpoint" in ran.out
    assert "agree with 1 checkpoint" in remit("audit", "verify", "--public-key", "key.pem").out
    (folder / "remit.db").unlink()
    (folder / "remit.db.lock").unlink()
    with_engine(folder, _a_dozen_calls)
    ran = remit("audit", "verify", "--checkpoint", "kept.txt", "--public-key", "key.pem")
    assert ran.code == 1
    assert "was made for another store" in ran.err


def test_checkpoints_are_made_and_used_through_a_running_gateway(remit: Shell, gateway: Gateway, folder: Path) -> None:
    line = remit("audit", "checkpoint").out
    assert line.startswith("remit-checkpoint-v1.")
    remit.key()
    remit("audit", "checkpoint", "-o", "kept.txt")
    (folder / "key.pem").write_text(remit("audit", "public-key").out)
    assert "agree with 2 checkpoints" in remit("audit", "verify", "--public-key", "key.pem").out


def _unreadable(folder: Path) -> None:
    (folder / "remit.db.checkpoint-key").chmod(0o644)


def _nonsense(folder: Path) -> None:
    (folder / "remit.db.checkpoint-key").write_text("not a key")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(_unreadable, "can be used by others"), (_nonsense, "is not an unencrypted Ed25519 private key")],
)
def test_a_spoilt_signing_key_is_refused(remit: Shell, folder: Path, spoil: Callable[[Path], None], said: str) -> None:
    remit.key()
    assert remit("audit", "checkpoint").code == 0
    spoil(folder)
    ran = remit("audit", "checkpoint")
    assert ran.code == 2
    assert said in ran.err


def test_what_verify_is_given_is_checked(remit: Shell, folder: Path) -> None:
    remit.key()
    assert "needs `--public-key`" in remit("audit", "verify", "--checkpoint", "kept.txt").err
    assert "there is no signing key" in remit("audit", "public-key").err
    assert "`gone.pem` cannot be read" in remit("audit", "verify", "--public-key", "gone.pem").err
    remit("audit", "checkpoint", "-o", "kept.txt")
    (folder / "key.pem").write_text(remit("audit", "public-key").out)
    (folder / "kept.txt").write_text((folder / "kept.txt").read_text().replace(".ey", ".fy"))
    ran = remit("audit", "verify", "--checkpoint", "kept.txt", "--public-key", "key.pem")
    assert ran.code == 1
    (folder / "kept.txt").write_bytes(b"\xff\x00\n")
    assert remit("audit", "verify", "--checkpoint", "kept.txt", "--public-key", "key.pem").code == 1
    (folder / "kept.txt").write_text("\n")
    assert "there is no checkpoint in `kept.txt`" in remit(
        "audit", "verify", "--checkpoint", "kept.txt", "--public-key", "key.pem"
    ).err  # fmt: skip


def test_a_store_that_forgot_its_newest_records_does_not_verify() -> None:
    from remit.cli.audit_checks import _compare

    report = verify([])
    with pytest.raises(AuditBroken, match="writer `w` wrote 7 records, and the log ends with record 0"):
        _compare(report, {"w": (7, b"x")})
