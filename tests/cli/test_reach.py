"""How a command finds its store and whoever owns it, and what it says when there is nobody to be found."""

import os
import socket
from pathlib import Path

import pytest

from tests.cli.living import Gateway
from tests.cli.shell import POLICY, Shell


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remit.cli.reach.PATIENCE_S", 0.0)


def test_the_policy_is_found_by_flag_then_variable_then_name(
    remit: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "p.yaml").write_text(POLICY)
    monkeypatch.setenv("REMIT_POLICY", "b/p.yaml")
    made = ["keys", "create", "--agent", "x", "--tools", "y"]
    assert remit(*made, "--policy", "a/p.yaml").code == 0
    assert remit(*made).code == 0
    monkeypatch.delenv("REMIT_POLICY")
    assert remit(*made).code == 0
    assert all((folder / place / "remit.db").exists() for place in ("a", "b", "."))
    (folder / "policy.yaml").rename(folder / "remit.yaml")
    assert len(remit("keys", "list", "--json").json) == 1


def test_without_any_policy_it_says_what_to_add(remit: Shell, folder: Path) -> None:
    (folder / "policy.yaml").unlink()
    ran = remit("holds")
    assert ran.code == 2
    assert "add `--policy FILE`, or `--store sqlite:///FILE`" in ran.err


def test_a_store_is_named_without_a_policy(remit: Shell, folder: Path) -> None:
    assert remit("keys", "create", "--agent", "x", "--tools", "y", "--store", "sqlite:///other.db").code == 0
    assert len(remit("keys", "list", "--json", "--store", f"sqlite:///{folder}/other.db").json) == 1


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("other.db", "`other.db` is not a store"),
        ("memory:", "belongs to the gateway that runs on it"),
        ("redis://x", "not supported yet"),
        ("sqlite:///no/such/folder/x.db", "there is no store at"),
    ],
)
def test_a_store_that_is_none_is_refused(remit: Shell, store: str, said: str) -> None:
    ran = remit("holds", "--store", store)
    assert ran.code == 2
    assert said in ran.err


@pytest.mark.parametrize("words", [("keys", "list"), ("holds",), ("limits",), ("audit", "verify"), ("why", "dec_1")])
def test_looking_never_makes_a_store(remit: Shell, folder: Path, words: tuple[str, ...]) -> None:
    ran = remit(*words)
    assert ran.code == 2
    assert f"there is no store at `{folder / 'remit.db'}` yet" in ran.err
    assert [path.name for path in folder.iterdir()] == ["policy.yaml"]


def test_a_store_in_memory_is_only_reached_through_its_gateway(remit: Shell, folder: Path) -> None:
    (folder / "policy.yaml").write_text(POLICY.replace("sqlite:///remit.db", "'memory:'"))
    ran = remit("keys", "list")
    assert ran.code == 3
    assert "only a running gateway has it" in ran.err


def test_a_gateway_in_memory_is_reached_beside_its_policy(remit: Shell, folder: Path) -> None:
    from tests.cli.living import running_gateway

    (folder / "policy.yaml").write_text(POLICY.replace("sqlite:///remit.db", "'memory:'"))
    with running_gateway(folder / "policy.yaml"):
        key = remit.key()
        assert remit("keys", "list", "--json").json[0]["id"] == key
    assert not (folder / "remit.db").exists()


def test_a_socket_that_was_left_behind_does_not_matter(remit: Shell, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "remit.db.sock"))
    assert remit("keys", "create", "--agent", "x", "--tools", "y").code == 0


@pytest.mark.usefixtures("impatient")
def test_an_owner_that_does_not_answer_is_named(remit: Shell, folder: Path) -> None:
    from remit.stores.lock import OwnerLock

    remit.key()
    lock = OwnerLock.acquire(folder / "remit.db", pid=4711, since_us=0, note="remit gateway elsewhere.yaml")
    try:
        ran = remit("keys", "list")
    finally:
        lock.release()
    assert ran.code == 3
    assert "process 4711 (remit gateway elsewhere.yaml)" in ran.err
    assert "it does not answer at its control socket" in ran.err
    assert ran.err.count("\n") == 1


def test_a_store_that_is_busy_for_a_moment_is_waited_for(
    remit: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from remit.stores.lock import OwnerLock

    remit.key()
    lock = OwnerLock.acquire(folder / "remit.db", pid=os.getpid(), since_us=0, note="another command")
    naps = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        lock.release()

    monkeypatch.setattr("remit.cli.reach.time.sleep", sleep)
    assert remit("keys", "list").code == 0
    assert len(naps) == 1


def test_a_file_that_is_no_ledger_is_exit_code_3(remit: Shell, folder: Path) -> None:
    (folder / "remit.db").write_bytes(b"not a database at all, but long enough to look at" * 100)
    ran = remit("holds")
    assert ran.code == 3
    assert ran.err.startswith("remit: `")
    assert "is damaged or not a ledger of remit" in ran.err
    assert ran.err.count("\n") == 1


def test_a_store_that_lost_writes_is_used_again_only_when_that_is_accepted(remit: Shell, folder: Path) -> None:
    import shutil

    from tests.cli.shell import admitted, with_engine

    with_engine(folder, admitted)
    shutil.copy(folder / "remit.db", folder / "old.db")
    remit.key()
    shutil.copy(folder / "old.db", folder / "remit.db")
    ran = remit("limits")
    assert ran.code == 3
    assert "has lost writes" in ran.err
    ran = remit("store", "accept-loss")
    assert ran.code == 0, ran.err
    assert "every counter that it knows is frozen (2)" in ran.out
    assert remit("limits", "--frozen").out.count("remit limits thaw") == 2


def test_a_gateway_that_goes_away_in_the_middle_is_one_sentence(remit: Shell, folder: Path) -> None:
    import threading

    with socket.socket(socket.AF_UNIX) as rude:
        rude.bind(str(folder / "remit.db.sock"))
        rude.listen()

        def hang_up() -> None:
            connection, _ = rude.accept()
            connection.recv(10)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        ran = remit("keys", "list")
        thread.join(10)
    assert ran.code == 3
    assert "went away before it answered" in ran.err


def test_status_tells_how_the_gateway_is_doing(remit: Shell, gateway: Gateway) -> None:
    text = remit("keys", "create", "--agent", "pay", "--tools", "payments.*", "--org", "acme").out.strip()
    for _ in range(5):
        gateway.call(text)
    ran = remit("status")
    assert ran.code == 0
    facts = {line.split("  ")[0]: line.split("  ", 1)[1].strip() for line in ran.lines}
    assert facts["gateway"].startswith(f"{gateway.url} (process {os.getpid()}, up ")
    assert facts["traffic"].startswith("5 requests, 0 running, ")
    assert facts["allowed calls"].startswith("3; the guard added ")
    assert facts["refused calls"].startswith("2; the guard added ")
    assert facts["clock"] == "ok"
    assert remit("status", "--json").json["requests"] == 5


def test_status_without_a_gateway_says_how_to_start_one(remit: Shell) -> None:
    ran = remit("status")
    assert ran.code == 3
    assert "start one with `remit gateway POLICY`" in ran.err


def test_accepting_the_clock_says_by_how_much_it_moved(remit: Shell) -> None:
    remit.key()
    ran = remit("clock", "accept")
    assert ran.code == 0
    assert ran.out.startswith("the store's clock moved ")
    assert "clock_accepted" in remit("audit", "tail").out
