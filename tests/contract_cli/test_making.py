"""`remit issue` and `remit delegate`: what is made verifies, says what was asked for, and is never wider than its parent."""

import json
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.cli import main
from remit.contracts import TrustAnchors, VerifiedChain, named_by_thumbprint, read_public_key, verify_chain
from remit.contracts.anchors import TrustedIssuer
from remit.stores.clock import wall_us
from tests.contract_cli.conftest import ISS, LEDGER, Desk

LIMITED = ("--limit", "transfers: 100 calls of payments.transfer", "--ledger", LEDGER)


def verified(remit: Desk, chain: str) -> VerifiedChain:
    key = read_public_key(remit.done("keygen", "--key", "issuer.jwk", "--public").out.encode())
    issuer = TrustedIssuer(name="acme", iss=ISS, keys=named_by_thumbprint([key]), orgs=("acme",))
    return verify_chain(remit.text(chain), TrustAnchors(issuers=(issuer,), ledger=LEDGER), now_us=wall_us())


def test_a_root_says_what_was_asked_for(remit: Desk) -> None:
    ran = remit.issue(
        "--tool", "payments.transfer(0<amount<=500, to)", "--tool", "risk.validate", "--user", "anna", "--account", "run-7",
        "--limit", "money: 50 USD per 1d", "--limit", "pace: 10/minute burst 3", *LIMITED,
        "--schedule", "mon-fri 02:00-04:00 Europe/Berlin", "--schedule", "sat 10:00-12:00 Europe/Berlin",
    )  # fmt: skip
    assert ran.code == 0
    root = verified(remit, "a.chain").chain.root
    assert (root.agent, root.org, root.user, root.account) == ("orchestrator", "acme", "anna", "run-7")
    assert (root.max_depth, root.expires_s - root.issued_s) == (5, 86_400)
    assert root.holder.thumbprint == remit.holder("a")
    assert root.refusal("payments.transfer", {"amount": 500, "to": "bob"}) is None
    assert root.refusal("payments.transfer", {"amount": 501, "to": "bob"}) is not None
    assert root.limits is not None
    assert [limit.id for limit in root.limits.limits] == ["money", "pace", "transfers"]
    assert root.limits.schedule is not None
    assert len(root.limits.schedule.windows) == 2


def test_a_chain_lies_in_a_file_for_its_owner_alone_and_is_not_written_over(remit: Desk) -> None:
    assert remit.issue().code == 0
    path = remit.folder / "a.chain"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    again = remit.issue()
    assert (again.code, path.read_bytes()) == (2, before)
    assert "exists already" in again.err


def test_without_a_file_the_chain_alone_goes_to_stdout(remit: Desk) -> None:
    words = (
        "issue",
        "--key",
        "issuer.jwk",
        "--iss",
        ISS,
        "--to",
        "a.pub",
        "--tool",
        "risk.validate",
        "--expires",
        "1h",
    )
    ran = remit.done(*words)
    (remit.folder / "out.chain").write_text(ran.out)
    assert verified(remit, "out.chain").chain.leaf.agent is None
    assert ran.out.count("\n") == 1
    assert "risk.validate" in ran.err


def test_what_was_made_is_said_in_words_so_that_a_slip_shows(remit: Desk) -> None:
    ran = remit.issue("--tool", 'payments.transfer(amount<5, to="12")', *LIMITED)
    assert 'payments.transfer(amount<5, to="12")' in ran.err
    assert "transfers: 100 calls of payments.transfer" in ran.err


def test_a_chain_of_three_is_made_offline_and_verifies(remit: Desk) -> None:
    remit.issue(*LIMITED)
    assert remit.delegate("--limit", "few: 10 calls", "--expires", "1h").code == 0
    assert remit.delegate("--expires", "10m", "--tool", "payments.transfer(amount<=5)", above="b", to="c").code == 0
    chain = verified(remit, "c.chain").chain
    assert [link.agent for link in chain.links] == ["orchestrator", "agent-b", "agent-c"]
    assert [link.holder.thumbprint for link in chain.links] == [remit.holder(name) for name in "abc"]
    assert chain.leaf.limits is None
    assert chain.links[1].limits is not None
    assert chain.links[1].limits.ledger == LEDGER


def test_a_child_without_tools_or_a_time_of_its_own_has_its_parents(remit: Desk) -> None:
    remit.issue(tool="payments.transfer(amount<=5)")
    remit.delegate()
    root, leaf = verified(remit, "b.chain").chain.links
    assert (leaf.tools, leaf.expires_s, leaf.max_depth) == (root.tools, root.expires_s, root.max_depth)


@pytest.mark.parametrize(
    ("held", "wanted", "said"),
    [
        ("pay(amount<=500)", "pay(amount<=501)", "its parent says `amount <=500`, and asked for is `<=501`"),
        ("pay(amount<=500)", "pay(amount<=501)", "under a range, a range inside it, or one number inside it"),
        ("pay(0<amount)", "pay(0<=amount)", "`amount >0`"),
        ("pay(amount<=500)", "pay(amount in [1])", "under a range"),
        ("pay(amount<=500)", "pay(amount)", "asked for is `anything`"),
        ("pay(to=bob)", "pay(to=eve)", "under an exact value, the same value"),
        ("pay(to in [a, b])", "pay(to in [a, c])", "fewer of them"),
        ("pay(to!=eve)", "pay(to=bob)", "under values that are shut out"),
        ("pay(to has [a])", "pay(to has [b])", "the same values and maybe more"),
        ("pay(to only [a])", "pay(to only [a, b])", "fewer of the values"),
        ("pay(to all(>1, <5))", "pay(to all(>1))", "an `all(...)` with a clause for each of its clauses"),
        ("pay(to any(=a, =b))", "pay(to any(=a, =c))", "an `any(...)` of which each clause"),
        ("pay(amount<=500)", "pay", "its parent allows pay(amount<=500): name the same arguments"),
        ("pay(amount<=500, to)", "pay(amount<=5)", "its parent allows pay(amount<=500, to)"),
        ("pay", "refund", "its parent allows these tools: `pay`"),
    ],
)
def test_what_is_not_narrower_is_refused_with_the_rule_that_says_so(
    remit: Desk, held: str, wanted: str, said: str
) -> None:
    remit.issue(tool=held)
    ran = remit.delegate("--tool", wanted)
    assert ran.code == 2
    assert "(not_narrower)" in ran.err.splitlines()[0]
    assert said in ran.err
    assert not (remit.folder / "b.chain").exists()


def test_nobody_hands_on_for_longer_deeper_or_in_the_name_of_another(remit: Desk) -> None:
    assert remit.issue("--max-depth", "1").code == 0
    assert "outlive its parent" in remit.delegate("--expires", "25h").err
    assert "above its parent's" in remit.delegate("--max-depth", "1").err
    ran = remit("delegate", "--chain", "a.chain", "--key", "c.jwk", "--to", "b.pub", "-o", "b.chain")
    assert "only its holder can derive from it" in ran.err
    assert remit.delegate("--max-depth", "0").code == 0
    assert "may not be delegated further" in remit.delegate(above="b", to="c").err


def test_a_contract_that_may_not_be_handed_on_is_the_default(remit: Desk) -> None:
    words = ("issue", "--key", "issuer.jwk", "--iss", ISS, "--to", "a.pub", "--tool", "pay", "--expires", "1h")
    remit.done(*words, "-o", "a.chain")
    assert "may not be delegated further" in remit.delegate().err


def test_a_portable_contract_lacks_the_mark_that_other_verifiers_must_obey(remit: Desk) -> None:
    def header(name: str) -> dict[str, object]:
        from remit.contracts import base64url

        found: dict[str, object] = json.loads(base64url.decode(remit.text(name).partition(".")[0].encode()))
        return found

    remit.issue(*LIMITED)
    remit.issue(*LIMITED, "--portable", output="portable.chain")
    assert header("a.chain")["crit"] == ["remit"]
    assert "crit" not in header("portable.chain")
    assert verified(remit, "portable.chain").chain.root.limits == verified(remit, "a.chain").chain.root.limits


def test_tools_may_come_from_a_json_file(remit: Desk) -> None:
    tools = {"odd tool": {"a": {"constraint_type": "one_of", "values": [[1], {"b": 2}]}}}
    (remit.folder / "tools.json").write_text(json.dumps(tools))
    assert remit.issue("--tools-json", "tools.json").code == 0
    assert list(verified(remit, "a.chain").chain.root.tools or {}) == ["odd tool"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tool", "payments.*"], "no patterns"),
        (["--tool", "pay", "--tool", "pay"], "given twice"),
        (["--limit", "l: 5 calls"], "name it with `--ledger`"),
        (["--limit", "l: 5 calls of other", "--ledger", LEDGER], "names a tool that the contract does not have"),
        (["--limit", "l: 5 calls", "--limit", "l: 6 calls", "--ledger", LEDGER], "two limits have the same `id`"),
        (["--limit", "l: 5 calls", "--ledger", "\x1b[2J"], "`ledger` must name"),
        (["--schedule", "02:00-04:00"], "is not a window"),
        (["--expires", "91d"], "lives longer than"),
        (["--expires", "0h"], "is out of range"),
        (["--expires", "1500ms"], "whole seconds"),
        (["--expires", "soon"], "is not a duration"),
        (["--max-depth", "9"], "from 0 to 8"),
        (["--max-depth", "-1"], "--max-depth"),
        (["--iss", "not a uri"], "not a URI"),
        (["--agent", "two words"], "`remit_agent` must be"),
        (["--org", "\x1b[2J"], "is not a name"),
        (["--kid", "\x00"], "`--kid` is a name"),
        (["--to", "a.jwk"], "private member"),
        (["--to", "acme.jwks.json"], "must be Ed25519"),
        (["--to", "missing"], "no such file"),
        (["--key", "a.pub"], "`chmod 600`"),
        (["--tools-json", "acme.jwks.json"], "must be an object"),
        (["--tools-json", "a.pub"], "must be an object"),
        (["--tools-json", "missing"], "no such file"),
    ],
)
def test_a_root_that_would_not_be_what_it_seems_is_not_made(remit: Desk, words: list[str], said: str) -> None:
    ran = remit.issue(*words)
    assert ran.code == 2
    assert said in ran.err
    assert ran.out == ""
    assert not (remit.folder / "a.chain").exists()
    assert all(char.isprintable() or char == "\n" for char in ran.err)


def test_tools_are_given_in_one_way_and_a_root_needs_some(remit: Desk) -> None:
    (remit.folder / "tools.json").write_text("{}")
    assert "not with both" in remit.issue("--tool", "pay", "--tools-json", "tools.json").err
    assert "add `--tool`" in remit.issue("--tools-json", "tools.json").err
    (remit.folder / "tools.json").write_text("[]")
    assert "must hold a JSON object" in remit.issue("--tools-json", "tools.json").err
    (remit.folder / "tools.json").write_text('{"a": {}, "a": {}}')
    assert "appears twice" in remit.issue("--tools-json", "tools.json").err


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "~", "x" * 300_000, "\x00", "договор"])
def test_what_is_no_chain_is_not_handed_on(remit: Desk, text: str) -> None:
    (remit.folder / "a.chain").write_text(text)
    ran = remit.delegate()
    assert ran.code == 2
    assert "`a.chain`" in ran.err
    assert ran.err.count("\n") == 1


amounts = st.integers(1, 1000)
tools = st.builds(
    lambda most, less, names: (f"pay(amount<={most}, to in [{', '.join(names)}])", f"pay(amount<={min(most, less)}, to={names[0]})"),
    amounts, amounts, st.lists(st.sampled_from(["bob", "eve", "12", '"é €"', "true"]), min_size=1, unique=True),
)  # fmt: skip
limits = st.lists(
    st.sampled_from(["a: 5 calls", "b: 0.35 USD per 1d of pay", "c: 3/minute burst 2", "d: 7 calls per week Asia/Tokyo"]), unique=True
)  # fmt: skip


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tools, limits, limits, st.integers(1, 90 * 24), st.integers(1, 59))
def test_whatever_is_issued_and_handed_on_verifies(
    remit: Desk, texts: tuple[str, str], above: list[str], below: list[str], hours: int, minutes: int
) -> None:
    for name in ("p.chain", "q.chain"):
        (remit.folder / name).unlink(missing_ok=True)
    limited = [word for text in above for word in ("--limit", text)]
    words = ["issue", "--key", "issuer.jwk", "--iss", ISS, "--to", "a.pub", "--tool", texts[0], "--expires", f"{hours}h",
             "--max-depth", "1", "--ledger", LEDGER, "-o", "p.chain", *limited]  # fmt: skip
    assert main(words) == 0
    limited = [word for text in below for word in ("--limit", text)]
    words = ["delegate", "--chain", "p.chain", "--key", "a.jwk", "--to", "b.pub", "--tool", texts[1], "--expires",
             f"{minutes}m", "--ledger", LEDGER, "-o", "q.chain", *limited]  # fmt: skip
    assert main(words) == 0
    chain = verified(remit, "q.chain").chain
    assert [len(link.limits.limits) if link.limits else 0 for link in chain.links] == [len(above), len(below)]
