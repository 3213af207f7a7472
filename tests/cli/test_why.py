"""`remit why`: one decision in words, for somebody who never saw the code."""

from pathlib import Path

from remit.core.decision import Deny
from remit.engine.guard import Engine
from tests.cli.living import Gateway
from tests.cli.shell import PAYER, TRANSFER, Shell, admitted, with_engine


async def _use_up(engine: Engine) -> list[str]:
    """Three allowed calls, and the decisions of forty that are refused."""
    for _ in range(3):
        await (await admitted(engine)).commit(cost_micros=300_000, status=200)
    refused = [await engine.admit(TRANSFER, PAYER) for _ in range(40)]
    return [denied.id for denied in refused if isinstance(denied, Deny)]


async def _allow(engine: Engine) -> str:
    call = await admitted(engine)
    await call.commit(cost_micros=300_000, status=200, latency_us=120_000)
    return call.decision.id


def _words(text: str) -> str:
    return " ".join(text.split())


def test_an_allowed_call_tells_who_what_and_what_it_cost(remit: Shell, folder: Path) -> None:
    ran = remit("why", with_engine(folder, _allow))
    assert ran.code == 0
    told = _words(ran.out)
    assert (
        "agent `pay` (API key `k7f3q2mzb5x4ynpa`, user `anna`, org `acme`) called `payments.transfer` for `bob`" in told
    )
    assert "It was allowed." in told
    assert "answered 200 after 120 milliseconds. It cost 1 call and 0.30 USD." in told


def test_a_refused_call_tells_the_limit_its_figures_and_what_to_do(remit: Shell, folder: Path) -> None:
    first, *_ = with_engine(folder, _use_up)
    told = _words(remit("why", first).out)
    assert "It was refused: the quota of this period is used (`quota_exhausted`)." in told
    assert "`transfers` allows 3 calls an hour for each agent and tool; 3 were used" in told
    assert "What to do: " in told
    assert "The policy says: `transfers`" in told


def test_a_changed_limit_is_told_as_changed(remit: Shell, folder: Path) -> None:
    first, *_ = with_engine(folder, _use_up)
    policy = folder / "policy.yaml"
    policy.write_text(policy.read_text().replace("3/hour", "100/hour"))
    told = _words(remit("why", first).out)
    assert "`transfers` allows 3 calls an hour" in told
    assert "The policy has changed since. Today it says: `transfers`" in told
    assert "100 calls" in told or "100 times" in told
    policy.write_text(policy.read_text().replace("  transfers:", "  other:"))
    assert "The policy has no limit `transfers` any more." in remit("why", first).out


def test_a_refusal_that_was_counted_is_told_by_its_count(remit: Shell, folder: Path) -> None:
    *_, last = with_engine(folder, _use_up)
    told = _words(remit("why", last).out)
    assert "30 more calls of `payments.transfer` by agent `pay`" in told
    assert last in told
    assert "The policy says: `transfers`" in told


def test_the_records_come_as_json_too(remit: Shell, folder: Path) -> None:
    decision = with_engine(folder, _allow)
    rows = remit("why", decision, "--json").json
    assert [row["body"]["kind"] for row in rows] == ["decision", "settlement"]
    assert rows[0]["body"]["id"] == decision


def test_an_unknown_id_is_one_sentence_and_exit_code_1(remit: Shell, folder: Path) -> None:
    with_engine(folder, _use_up)
    for unknown in ("dec_" + "f" * 34, "nonsense", "dec_"):
        ran = remit("why", unknown)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith(f"remit: the audit log knows no decision `{unknown}")


def test_a_store_without_its_policy_tells_it_as_well(remit: Shell, folder: Path) -> None:
    first, *_ = with_engine(folder, _use_up)
    told = _words(remit("why", first, "--store", "sqlite:///remit.db").out)
    assert "`transfers` allows 3 calls an hour" in told
    assert "The policy" not in told


def test_a_refusal_is_explained_while_the_gateway_runs(remit: Shell, gateway: Gateway) -> None:
    text = remit("keys", "create", "--agent", "pay", "--tools", "payments.*", "--org", "acme").out.strip()
    answers = [gateway.call(text) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    ran = remit("why", answers[-1].headers["remit-decision"])
    assert ran.code == 0
    assert "`transfers` allows 3 calls an hour" in _words(ran.out)
