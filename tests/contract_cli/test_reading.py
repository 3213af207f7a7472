"""`remit inspect` and `remit verify`: a chain in words that anybody understands, and the step at which a false one fails."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from remit.cli.contract_words import Standing, Use, describe_link
from remit.contracts import base64url, read_unverified_chain
from remit.contracts.jws import sign_jws
from remit.contracts.keys import read_private_key
from remit.core.contract_limits import limit_cell
from remit.core.ledger import operations as ops
from remit.stores.sqlite import SqliteStore
from tests.contract_cli.conftest import ISS, LEDGER, Desk

JARGON = ("cnf", "jwk", "JWT", "exp", "iat", "del_depth", "par_hash", "authorization", "constraint", "range", "one_of")


@pytest.fixture
def chain(remit: Desk) -> Desk:
    """A chain of two with something of everything in it."""
    remit.issue(
        "--tool", "payments.transfer(0<amount<=500, currency in [USD, EUR], note, tags has [checked])", "--tool", "risk.validate",
        "--user", "anna", "--account", "run-7", "--ledger", LEDGER, "--limit", "transfers: 3 calls of payments.transfer",
        "--limit", "money: 50 USD per 1d", "--limit", "today: 9 calls per day Europe/Berlin", "--limit", "pace: 10/minute burst 3",
        "--schedule", "mon-fri 02:00-04:00 Europe/Berlin",
    )  # fmt: skip
    remit.delegate(
        "--tool", "payments.transfer(0<amount<=5, currency=USD, note!=bye, tags has [checked])", "--expires", "1h", "--max-depth", "0",
    )  # fmt: skip
    return remit


def test_every_link_is_told_in_words_that_need_no_knowledge_of_the_format(chain: Desk) -> None:
    out = " ".join(chain.done("inspect", "b.chain").out.split())
    for said in (
        "Contract 1 (link 0), for orchestrator",
        f"held by orchestrator, whoever has the private key {chain.holder('a')}",
        f"given by issuer {ISS}",
        "payments.transfer, with these arguments and no others: amount must be a number, above 0 and at most 500",
        'currency must be "USD" or "EUR" note may be anything tags must be a list with "checked" in it',
        "risk.validate, with any arguments",
        "how often 3 calls of payments.transfer in all (`transfers`)",
        "how much 50.00 USD in any day (`money`)",
        "how often 9 calls per day (Europe/Berlin) (`today`)",
        "how fast 10 calls a minute, at most 3 at once (`pace`)",
        "only 02:00 to 04:00 Europe/Berlin on mon, tue, wed, thu, fri",
        "for another 23 hours 59 minutes",
        "may hand it on yes, 5 levels deep",
        "billed to org acme, user anna, account run-7",
        f"counted by {LEDGER}",
        "Contract 2 (link 1), for agent-b",
        "given by orchestrator, who holds contract 1",
        'note must not be "bye"',
        "may hand it on no",
        "`remit verify`",
    ):
        assert said in out, f"{said}\n{out}"
    words = out.replace(LEDGER, "").replace(ISS, "").split()
    assert not set(JARGON) & set(words)


def test_the_same_is_there_for_programs_in_the_notation_of_the_commands(chain: Desk) -> None:
    root, leaf = chain.links("b")
    assert root["tools"][0] == "payments.transfer(0<amount<=500, currency in [USD, EUR], note, tags has [checked])"
    assert [limit["limit"] for limit in root["limits"]] == [
        "transfers: 3 calls of payments.transfer",
        "money: 50.00 USD per 1d",
        "today: 9 calls per day Europe/Berlin",
        "pace: 10/minute burst 3",
    ]
    assert root["schedule"] == ["mon,tue,wed,thu,fri 02:00-04:00 Europe/Berlin"]
    assert (leaf["depth"], leaf["max_depth"], leaf["limits"], leaf["schedule"]) == (1, 1, [], None)
    assert "revoked" not in leaf


def spend(remit: Desk, name: str, limit: str, amount: int) -> None:
    """Book something in the cell of a limit of the root, as a call would."""

    async def run() -> None:
        found = read_unverified_chain(remit.text(name)).unverified
        assert found.root.limits is not None
        one = next(each for each in found.root.limits.limits if each.id == limit)
        entry = ops.HoldEntry(limit_cell(found.counters[0], one), ops.Life(), one.unit, amount, 10**9)
        store = await SqliteStore.open(str(remit.folder / "remit.db"))
        try:
            await store.apply(ops.Batch(f"h{limit}", (ops.Hold(ops.HoldState.DISPATCHED, 10**12, (entry,)),)))
            await store.apply(ops.Batch(f"c{limit}", (ops.Commit(f"h{limit}", {one.unit: amount}),)))
        finally:
            await store.close()

    asyncio.run(run())


def test_what_is_held_for_running_calls_is_not_left_either(chain: Desk) -> None:
    found = read_unverified_chain(chain.text("b.chain")).unverified
    assert found.root.limits is not None
    uses = {(0, limit.id): Use(used=0, held=0) for limit in found.root.limits.limits}
    uses[0, "money"] = Use(used=49_000_000, held=2_000_000)
    standing = Standing(uses=uses, lineages=frozenset(), holders=frozenset())
    lines = [text for _, text in describe_link(found, 0, now_us=0, standing=standing)]
    said = "50.00 USD in any day (`money`): 49.00 USD used and 2.00 USD is held for running calls, 0.00 USD left"
    assert said in lines


def test_what_is_left_of_each_limit_is_shown_where_its_store_is_at_hand(chain: Desk) -> None:
    spend(chain, "b.chain", "transfers", 2)
    spend(chain, "b.chain", "money", 10_600_000)
    for place in (("--policy", "policy.yaml"), ("--store", "sqlite:///remit.db")):
        out = chain.done("inspect", "b.chain", *place).out
        assert "3 calls of payments.transfer in all (`transfers`): 2 calls used, 1 call left" in out
        assert "(`money`): 10.60 USD used, 39.40 USD left" in out
        assert "(`today`): 0 calls used, 9 calls left" in out
        assert "REVOKED" not in out
    limits = chain.links("b", "--policy", "policy.yaml")[0]["limits"]
    assert limits[1] == {
        "id": "money", "limit": "money: 50.00 USD per 1d", "unit": "USD", "max": 50_000_000, "used": 10_600_000, "held": 0,
    }  # fmt: skip
    assert "left" not in chain.done("inspect", "b.chain").out


def test_an_expired_chain_and_one_that_begins_later_are_told_as_what_they_are(
    chain: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from remit.stores.clock import wall_us

    later_us = wall_us() + 2 * 3_600_000_000
    monkeypatch.setattr("remit.stores.clock.wall_us", lambda: later_us)
    out = chain.done("inspect", "b.chain").out
    assert out.count("it has expired") == 1
    ran = chain("verify", "b.chain")
    assert ran.code == 1
    assert "the contract at link 1 is refused (expired)" in ran.err


def resigned(remit: Desk, name: str, change: Callable[[dict[str, object]], None]) -> None:
    """The root of a chain, changed and signed again by its issuer."""
    head, payload, _ = remit.text(name).split("~")[0].split(".")
    claims = json.loads(base64url.decode(payload.encode()))
    change(claims)
    key = read_private_key((remit.folder / "issuer.jwk").read_bytes())
    header = json.loads(base64url.decode(head.encode()))
    text = sign_jws({k: v for k, v in header.items() if k != "alg"}, json.dumps(claims).encode(), key)
    (remit.folder / "odd.chain").write_text(text)


def test_what_a_contract_says_cannot_write_to_the_terminal(remit: Desk) -> None:
    remit.issue()
    evil = "\x1b]0;owned\x07\u202e\u200bpay"

    def change(claims: dict[str, object]) -> None:
        constraint = {"constraint_type": "one_of", "values": [evil, {evil: [evil]}]}
        claims["authorization_details"] = [{"type": "attenuating_agent_token", "tools": {evil: {evil: constraint}}}]

    resigned(remit, "a.chain", change)
    for words in (("inspect", "odd.chain"), ("inspect", "odd.chain", "--json"), ("verify", "odd.chain")):
        ran = remit(*words)
        assert all(char.isprintable() or char == "\n" for char in ran.out + ran.err), words
    (remit.folder / "b.chain").unlink(missing_ok=True)
    remit.run.folder.joinpath("a.chain").write_text(remit.text("odd.chain"))
    ran = remit.delegate("--tool", "other")
    assert ran.code == 2
    assert all(char.isprintable() or char == "\n" for char in ran.err)


def test_a_chain_is_genuine_by_the_policy_or_by_its_issuers_keys(chain: Desk) -> None:
    given = ("--jwks", "acme.jwks.json", "--iss", ISS)
    for words, issuer in (((), "acme"), (("--policy", "policy.yaml"), "acme"), (given, "given")):
        ran = chain.done("verify", "b.chain", *words)
        assert f"2 contracts, genuine: from issuer `{issuer}` to agent-b" in ran.out


def test_verify_names_the_step_and_the_link_that_fail_and_exits_1(chain: Desk) -> None:
    root, leaf = chain.text("b.chain").split("~")
    forged = f"{root}~{leaf.rpartition('.')[0]}.{'A' * 86}"
    chain.done("keygen", "-o", "thief.jwk", "--jwks", "thief.jwks.json")
    for text, words, said in (
        (forged, (), "the contract at link 1 is refused (signature_invalid)"),
        (leaf, (), "the root contract is refused"),
        (f"{root}~{root}", (), "(duplicate_jti)"),
        (chain.text("b.chain"), ("--jwks", "acme.jwks.json", "--iss", f"{ISS}/"), "(issuer_unknown)"),
        (chain.text("b.chain"), ("--jwks", "thief.jwks.json", "--iss", ISS), "(key_unknown)"),
        (chain.text("b.chain")[:-6], (), "the contract at link 1"),
    ):
        (chain.folder / "x.chain").write_text(text)
        ran = chain("verify", "x.chain", *words)
        assert (ran.code, ran.out) == (1, "")
        assert said in ran.err
        assert "`x.chain`" in ran.err


def test_a_root_beyond_what_the_policy_lets_its_issuer_say_is_refused(remit: Desk) -> None:
    remit.issue(tool="admin.everything")
    ran = remit("verify", "a.chain")
    assert (ran.code, "(issuer_exceeded)" in ran.err) == (1, True)
    remit.issue("--limit", "l: 1 call", "--ledger", "https://other.example", output="other.chain")
    ran = remit("verify", "other.chain")
    assert (ran.code, "(ledger_mismatch)" in ran.err) == (1, True)
    assert remit("verify", "other.chain", "--jwks", "acme.jwks.json", "--iss", ISS).code == 0


def test_limits_of_two_guards_in_one_chain_are_refused_by_any(remit: Desk) -> None:
    remit.issue("--limit", "l: 1 call", "--ledger", LEDGER)
    remit.delegate("--limit", "l: 1 call", "--ledger", "https://other.example")
    ran = remit("verify", "b.chain", "--jwks", "acme.jwks.json", "--iss", ISS)
    assert (ran.code, "link 1 is refused (ledger_mismatch)" in ran.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--jwks", "acme.jwks.json"], "belong together"),
        (["--iss", ISS], "belong together"),
        (["--jwks", "acme.jwks.json", "--iss", ISS, "--policy", "policy.yaml"], "not by both"),
        (["--jwks", "missing", "--iss", ISS], "no such file"),
        (["--jwks", "acme.jwks.json", "--iss", "no uri"], "is not a URI"),
        (["--policy", "missing.yaml"], "cannot be read"),
        (["--policy", "bare.yaml"], "trusts no issuer"),
    ],
)
def test_a_wrong_question_is_not_answered(chain: Desk, words: list[str], said: str) -> None:
    text = (chain.folder / "policy.yaml").read_text()
    (chain.folder / "bare.yaml").write_text(
        "\n".join(
            line for line in text.splitlines() if not line.startswith(("ledger", "trust", "  issuers", "    acme"))
        )
    )
    ran = chain("verify", "b.chain", *words)
    assert ran.code == 2
    assert said in ran.err


@pytest.mark.parametrize("command", ["inspect", "verify"])
@pytest.mark.parametrize("text", ["", "\n", "not a chain", "~~~", "a.b.c", "\xff\xfe", "x" * 300_000])
def test_what_is_no_chain_is_one_sentence(remit: Desk, command: str, text: str) -> None:
    (remit.folder / "x.chain").write_bytes(text.encode("latin-1"))
    ran = remit(command, "x.chain")
    assert ran.code in (1, 2)
    assert ran.out == ""
    assert ran.err.startswith("remit: `x.chain`")
    assert ran.err.count("\n") == 1


def test_a_store_that_is_not_there_is_said_and_not_made(chain: Desk) -> None:
    ran = chain("inspect", "b.chain", "--policy", "policy.yaml")
    assert ran.code == 2
    assert "there is no store" in ran.err
    assert not Path("remit.db").exists()
