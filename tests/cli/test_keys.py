"""`remit keys`: a key is shown once and alone, works at once, and ends at once; with a gateway and without."""

from pathlib import Path

import pytest

from remit.core.key_format import KEY_CHARS
from tests.cli.living import Gateway
from tests.cli.shell import Shell


def test_a_new_key_is_alone_on_stdout(remit: Shell) -> None:
    ran = remit("keys", "create", "--agent", "pay", "--tools", "payments.*, risk.validate", "--expires", "30d")
    assert ran.code == 0
    assert len(ran.out) == KEY_CHARS + 1
    assert ran.out.strip() not in ran.err
    assert "the only time that it is shown" in ran.err


def test_the_list_has_every_key_and_no_secret(remit: Shell) -> None:
    made = remit("keys", "create", "--agent", "pay", "--tools", "payments.*", "--tools", "risk.validate", "--user", "anna",
                 "--org", "acme", "--label", "night run", "--expires", "30d")  # fmt: skip
    ran = remit("keys", "list")
    assert " ".join(ran.lines[0].split()) == "KEY AGENT USER ORG TOOLS CREATED STATE LABEL"
    for shown in ("pay", "anna", "acme", "payments.*,risk.validate", "live until ", "night run"):
        assert shown in ran.lines[1]
    assert made.out.strip() not in ran.out
    assert "secret" not in ran.out.lower()


def test_the_list_as_json_has_states_and_no_hashes(remit: Shell) -> None:
    remit("keys", "create", "--agent", "pay", "--tools", "payments.*")
    [key] = remit("keys", "list", "--json").json
    assert key["agent"] == "pay"
    assert key["tools"] == ["payments.*"]
    assert key["state"] == "live"
    assert "hash" not in str(key)


def test_a_rotated_key_has_a_new_text_and_the_old_one_for_its_overlap(remit: Shell) -> None:
    key = remit.key()
    ran = remit("keys", "rotate", key, "--overlap", "24h")
    assert ran.code == 0
    assert ran.out.startswith(f"remit_{key}_")
    assert "works for another 1 day" in ran.err
    assert "live, older text until 2" in remit("keys", "list").out


def test_a_rotated_key_without_overlap_ends_the_old_text(remit: Shell) -> None:
    ran = remit("keys", "rotate", remit.key())
    assert "the one before works no more" in ran.err


def test_a_key_shows_when_it_was_revoked(remit: Shell) -> None:
    remit("keys", "revoke", remit.key())
    assert remit("keys", "list", "--json").json[0]["state"].startswith("revoked 2")


def test_revoking_twice_says_that_it_was_revoked_already(remit: Shell) -> None:
    key = remit.key()
    assert "is revoked" in remit("keys", "revoke", key).out
    again = remit("keys", "revoke", key)
    assert again.code == 0
    assert "was revoked already, at 2" in again.out


@pytest.mark.parametrize("words", [("rotate",), ("revoke",)])
def test_a_key_that_does_not_exist_is_one_sentence(remit: Shell, words: tuple[str, ...]) -> None:
    remit.key()
    ran = remit("keys", *words, "nosuchkeynosuchk")
    assert ran.code == 1
    assert ran.err == "remit: there is no key `nosuchkeynosuchk`: `remit keys list` shows them\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--agent", "no spaces", "--tools", "x"), "the agent `no spaces` is not a name"),
        (("--agent", "pay", "--tools", "payments.*x"), "`payments.*x`"),
        (("--agent", "pay", "--tools", ""), "is not a tool pattern"),
        (("--agent", "pay", "--tools", "x", "--expires", "4000d"), "a duration is above 0 and at most 3660 days"),
    ],
)
def test_a_key_that_cannot_be_is_refused_with_exit_code_2(remit: Shell, words: tuple[str, ...], said: str) -> None:
    ran = remit("keys", "create", *words)
    assert ran.code == 2
    assert ran.out == ""
    assert said in ran.err


def test_a_key_works_at_the_running_gateway_at_once_and_ends_at_once(remit: Shell, gateway: Gateway) -> None:
    made = remit("keys", "create", "--agent", "pay", "--tools", "payments.*", "--org", "acme")
    text = made.out.strip()
    assert gateway.call(text).status_code == 200
    ran = remit("keys", "rotate", text.split("_")[1], "--overlap", "1h")
    assert gateway.call(ran.out.strip()).status_code == 200
    assert gateway.call(text).status_code == 200
    assert remit("keys", "revoke", text.split("_")[1]).code == 0
    for revoked in (text, ran.out.strip()):
        refused = gateway.call(revoked)
        assert (refused.status_code, refused.json()["reason"]) == (401, "revoked")


def test_what_was_made_without_a_gateway_is_there_with_one(remit: Shell, folder: Path) -> None:
    from tests.cli.living import running_gateway

    text = remit("keys", "create", "--agent", "pay", "--tools", "payments.*", "--org", "acme").out.strip()
    with running_gateway(folder / "policy.yaml") as gateway:
        assert gateway.call(text).status_code == 200
        assert remit("keys", "list", "--json").json[0]["id"] == text.split("_")[1]
    assert remit("keys", "list", "--json").json[0]["id"] == text.split("_")[1]


def test_who_made_a_key_stands_in_the_audit_log(remit: Shell, gateway: Gateway) -> None:
    import os

    key = remit.key()
    assert f"key_created  remit_{key}  by operator uid {os.getuid()}  for agent pay" in remit("audit", "tail").out
