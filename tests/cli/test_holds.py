"""`remit holds`: what is held and unknown, with its tool and caller, and how an operator settles it."""

import re
from pathlib import Path

import pytest

from remit.engine.guard import Engine
from remit.engine.keyring import KeyRing
from remit.engine.operator import Operator
from remit.errors import UsageError
from tests.cli.shell import Shell, admitted, with_engine


async def _three_calls(engine: Engine) -> list[str]:
    """One settled, one unknown, one that its process left running."""
    settled, unknown, running = [await admitted(engine) for _ in range(3)]
    await settled.commit(cost_micros=300_000, status=200)
    await unknown.lose("the upstream timed out")
    return [call.decision.id for call in (settled, unknown, running)]


def test_nothing_held_is_said_in_words(remit: Shell) -> None:
    remit.key()
    ran = remit("holds")
    assert (ran.code, ran.out) == (0, "nothing is held: no call is running, and no outcome is unknown\n")


def test_open_holds_are_shown_with_tool_caller_money_and_state(remit: Shell, folder: Path) -> None:
    settled, unknown, running = with_engine(folder, _three_calls)
    ran = remit("holds")
    assert ran.lines[0].split() == ["HOLD", "TOOL", "CALLER", "HELD", "STATE", "SINCE"]
    [line] = [line for line in ran.lines if unknown in line]
    assert re.search(
        r"payments\.transfer  agent pay  0\.35 USD, 1 call  unknown, counted as spent  20..-..-..T..:..:..Z", line
    )
    assert running in ran.out
    assert settled not in ran.out
    assert "remit holds resolve HOLD --released" in ran.out


def test_all_holds_include_the_settled_ones(remit: Shell, folder: Path) -> None:
    settled, *_ = with_engine(folder, _three_calls)
    [line] = [line for line in remit("holds", "--all").lines if settled in line]
    assert "settled at 0.30 USD" in line


def test_holds_as_json_have_integers(remit: Shell, folder: Path) -> None:
    _, unknown, _ = with_engine(folder, _three_calls)
    [hold] = [hold for hold in remit("holds", "--json").json if hold["id"] == unknown]
    assert hold["amounts"]["USD"] == 350_000
    assert (hold["tool"], hold["caller"], hold["state"]) == ("payments.transfer", "agent pay", "assumed_spent")


def test_an_unknown_call_that_happened_is_settled_at_its_cost(remit: Shell, folder: Path) -> None:
    _, unknown, _ = with_engine(folder, _three_calls)
    ran = remit("holds", "resolve", unknown, "--spent", "0.25 USD")
    assert (ran.code, ran.out) == (0, f"{unknown} is settled at 0.25 USD, 1 call\n")
    assert "0.25 USD" in remit("why", unknown).out


def test_an_unknown_call_without_an_amount_cost_what_was_held(remit: Shell, folder: Path) -> None:
    _, unknown, _ = with_engine(folder, _three_calls)
    assert remit("holds", "resolve", unknown, "--spent").out == f"{unknown} is settled at 0.35 USD, 1 call\n"


def test_an_unknown_call_that_did_not_happen_is_given_back(remit: Shell, folder: Path) -> None:
    _, unknown, _ = with_engine(folder, _three_calls)
    assert "0.35 USD, 1 call given back" in remit("holds", "resolve", unknown, "--released").out
    used = {cell["limit"]: cell["used"] for cell in remit("limits", "--json").json}
    assert used == {"transfers": 2, "org-money": 650_000}


def test_a_hold_is_resolved_once(remit: Shell, folder: Path) -> None:
    settled, unknown, _ = with_engine(folder, _three_calls)
    assert remit("holds", "resolve", unknown, "--released").code == 0
    again = remit("holds", "resolve", unknown, "--spent")
    assert again.code == 2
    assert re.search(r"was released at 20..-..-.. ..:..:.. UTC: nothing is left to resolve", again.err)
    assert "nothing is left to resolve" in remit("holds", "resolve", settled, "--released").err
    log = remit("audit", "tail").out
    assert log.count("hold_resolved") == 1


def test_a_hold_that_does_not_exist_is_one_sentence(remit: Shell) -> None:
    remit.key()
    ran = remit("holds", "resolve", "dec_" + "0" * 34, "--spent")
    assert ran.code == 1
    assert ran.err.startswith("remit: there is no hold `dec_0000")


def test_a_call_that_may_still_run_is_not_resolved(folder: Path) -> None:
    async def ask(engine: Engine) -> None:
        call = await admitted(engine)
        operator = Operator(engine, KeyRing(engine.store))
        arguments = {"hold": call.decision.id, "outcome": "released"}
        with pytest.raises(
            UsageError, match=r"may still be running: it can be resolved if nobody has reported on it by 20"
        ):
            await operator.do("holds.resolve", arguments, by="operator")
        await call.commit()

    with_engine(folder, ask)


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        ("no.such", {}, "there is no command `no.such`"),
        ("keys.create", {"agent": 5, "tools": ["x"]}, "`agent` is missing"),
        ("keys.create", {"agent": "a", "tools": "x"}, "`tools` must be a list of texts"),
        ("keys.create", {"agent": "a", "tools": ["x"], "lifetime_us": "1"}, "`lifetime_us` must be a whole number"),
        ("keys.create", {"agent": "a", "tools": ["x"], "user": 1}, "`user` must be text"),
        ("holds.list", {"states": ["lost"]}, "`lost` is no state of a hold"),
        ("holds.list", {"limit": -1}, "`limit` must be a whole number"),
        ("holds.list", {"limit": True}, "`limit` must be a whole number"),
        ("limits.list", {"frozen": "yes"}, "`frozen` must be true or false"),
        ("audit.page", {"after": 2**53}, "`after` must be a whole number"),
        ("audit.keep_checkpoint", {"line": "hello"}, "this is no checkpoint"),
    ],
)
def test_another_program_on_the_socket_gets_a_sentence_for_what_is_wrong(
    folder: Path, command: str, arguments: dict[str, object], said: str
) -> None:
    async def ask(engine: Engine) -> None:
        with pytest.raises(UsageError, match=said):
            await Operator(engine, KeyRing(engine.store)).do(command, arguments, by="operator")

    with_engine(folder, ask)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--spent", "0.25 EUR"), "holds no EUR"),
        (("--spent", "a lot"), "is not an amount"),
        (("--spent", "-1 USD"), "`-1` is not an amount"),
    ],
)
def test_a_wrong_amount_is_refused(remit: Shell, folder: Path, words: tuple[str, ...], said: str) -> None:
    _, unknown, _ = with_engine(folder, _three_calls)
    ran = remit("holds", "resolve", unknown, *words)
    assert ran.code == 2
    assert said in ran.err
    assert unknown in remit("holds").out


def test_a_cost_above_every_cap_is_booked_and_freezes(remit: Shell, folder: Path) -> None:
    _, unknown, _ = with_engine(folder, _three_calls)
    ran = remit("holds", "resolve", unknown, "--spent", "12 USD")
    assert ran.code == 0
    assert "over the cap, so the budget is frozen" in ran.out
    assert "frozen" in remit("limits", "--frozen").out
