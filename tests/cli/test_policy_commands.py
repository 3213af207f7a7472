"""`remit policy`: what is said of a file, of a change, and of a reload that the gateway refuses."""

import json
from pathlib import Path

from tests.cli.living import Gateway
from tests.cli.shell import POLICY, Shell


def test_check_says_ok_with_counts(remit: Shell) -> None:
    ran = remit("policy", "check", "policy.yaml")
    assert (ran.code, ran.out) == (0, "policy.yaml: ok, 2 tools, 2 limits\n")


def test_check_prints_warnings_with_their_lines(remit: Shell, folder: Path) -> None:
    (folder / "p.yaml").write_text(POLICY.replace("sqlite:///remit.db", "'memory:'"))
    ran = remit("policy", "check", "p.yaml")
    assert ran.code == 0
    assert ran.err.startswith("p.yaml:4: warning: `store`")
    assert ran.out == "p.yaml: ok, 2 tools, 2 limits, 1 warning\n"


def test_check_names_every_problem_with_its_line(remit: Shell, folder: Path) -> None:
    (folder / "p.yaml").write_text(POLICY.replace("3/hour", "3/horu").replace("10 USD", "10 EUR"))
    ran = remit("policy", "check", "p.yaml")
    assert ran.code == 2
    assert ran.out == ""
    assert [line.partition(": ")[0] for line in ran.err.splitlines()] == ["p.yaml:19", "p.yaml:20"]


def test_a_policy_that_is_not_there_is_one_line(remit: Shell) -> None:
    ran = remit("policy", "check", "no/such.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "no/such.yaml: the file cannot be read: no such file or directory\n"


def test_explain_reads_the_policy_aloud(remit: Shell) -> None:
    ran = remit("policy", "explain", "policy.yaml")
    assert ran.code == 0
    assert "`transfers`" in ran.out
    assert "10.00 USD" in ran.out


def test_diff_says_what_changes_and_nothing_for_the_same(remit: Shell, folder: Path) -> None:
    (folder / "new.yaml").write_text(POLICY.replace("3/hour", "5/hour"))
    ran = remit("policy", "diff", "policy.yaml", "new.yaml")
    assert ran.code == 0
    assert ran.out.startswith("- ")
    assert "transfers" in ran.out
    assert remit("policy", "diff", "policy.yaml", "policy.yaml").out == "no difference: both decide alike\n"


def test_the_schema_is_json(remit: Shell) -> None:
    assert json.loads(remit("policy", "schema").out)["title"] == "Remit policy"


def test_reload_needs_a_running_gateway(remit: Shell) -> None:
    ran = remit("policy", "reload")
    assert ran.code == 3
    assert "no gateway is running" in ran.err


def test_reload_lets_the_gateway_follow_the_file(remit: Shell, gateway: Gateway, folder: Path) -> None:
    before = gateway.service.policy.digest
    file = folder / "policy.yaml"
    file.write_text(file.read_text().replace("3/hour", "4/hour"))
    ran = remit("policy", "reload")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("reloaded: ")
    assert gateway.service.policy.digest != before


def test_a_reload_that_needs_a_restart_is_refused_with_the_reason(remit: Shell, gateway: Gateway, folder: Path) -> None:
    file = folder / "policy.yaml"
    file.write_text(file.read_text().replace("listen: 127.0.0.1:0", "listen: 127.0.0.1:1"))
    before = gateway.service.policy.digest
    ran = remit("policy", "reload")
    assert ran.code == 2
    assert "the one before goes on" in ran.err
    assert "`listen` cannot change while the gateway runs" in ran.err
    assert gateway.service.policy.digest == before


def test_a_broken_policy_says_how_its_store_is_still_reached(remit: Shell, gateway: Gateway, folder: Path) -> None:
    key = remit.key("--org", "acme")
    (folder / "policy.yaml").write_text("version: 1\ntols: {}\n")
    ran = remit("keys", "revoke", key)
    assert ran.code == 2
    assert "`--store sqlite:///FILE`" in ran.err
    ran = remit("keys", "revoke", key, "--store", "sqlite:///remit.db")
    assert ran.code == 0, ran.err
