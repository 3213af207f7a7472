"""What a policy says of issuers, ledger and proofs: its compiled form, the files of keys, and what chains are verified by."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.config.compile import load_policy, load_policy_file
from remit.config.trust import LONGEST_WINDOW_US, SHORTEST_WINDOW_US, load_anchors
from remit.contracts import (
    Asking,
    Billing,
    ContractError,
    Freshness,
    Issuer,
    PrivateKey,
    Step,
    issue_root,
    named_by_thumbprint,
    new_private_key,
    verify_chain,
)
from remit.contracts.key_sets import MAX_KEYS, MAX_SET_BYTES
from remit.core.money import Money
from remit.core.policy import IssuerTrust, Policy, ProofRules
from remit.core.schedule import DAY_US, HOUR_US, SECOND_US
from remit.errors import PolicyError
from tests.config.sample import BASE, TRUST, load, policy_with

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOW_US = 1_780_000_000 * SECOND_US
ISS = "https://issuer.acme.example"


def key(seed: int) -> PrivateKey:
    return new_private_key(lambda count: bytes([seed]) * count)


def written(folder: Path, *keys: PrivateKey, text: str = BASE + TRUST) -> Path:
    """A policy file, and beside it the file of keys that it names."""
    (folder / "keys").mkdir(exist_ok=True)
    key_set = named_by_thumbprint(each.public for each in keys) if keys else None
    (folder / "keys" / "acme.jwks.json").write_bytes(key_set.to_json() if key_set is not None else b"")
    (folder / "policy.yaml").write_text(text, encoding="utf-8")
    return folder / "policy.yaml"


def problems_of_file(path: Path) -> list[tuple[int, str]]:
    with pytest.raises(PolicyError) as raised:
        load_policy_file(path)
    return raised.value.problems


def root(signer: PrivateKey, *, seconds: int = 3600, tool: str = "pay", org: str | None = "acme") -> str:
    return issue_root(
        Issuer(ISS, signer),
        holder=key(9).public,
        asking=Asking(tools={tool: {}}),
        lifetime_s=seconds,
        billing=Billing(org=org),
        now_us=NOW_US,
        random_bytes=os.urandom,
    )


def test_every_field_of_an_issuer_reaches_the_compiled_form() -> None:
    policy = policy_with(
        "top",
        "ledger: urn:example:guard",
        "trust: {issuers: {acme: {iss: 'urn:acme', jwks_file: ../k.json, tools: [pay, '*'], orgs: [a, b], lifetime: 24h, "
        "budget: 500 USD, plain_jwt: true}}}",
        "proof: {window: 10s, nonces: true}",
    )
    assert policy.ledger == "urn:example:guard"
    assert policy.trust["acme"] == IssuerTrust(
        name="acme",
        iss="urn:acme",
        jwks_file="../k.json",
        tools=("pay", "*"),
        orgs=("a", "b"),
        lifetime_us=24 * HOUR_US,
        budget=Money(500_000_000, "USD"),
        plain_jwt=True,
    )
    assert policy.proof == ProofRules(window_us=10 * SECOND_US, nonces=True)


def test_an_issuer_has_the_documented_defaults() -> None:
    issuer = load(BASE + TRUST).policy.trust["acme"]
    assert (issuer.lifetime_us, issuer.budget, issuer.plain_jwt) == (90 * DAY_US, None, False)
    assert load(BASE + TRUST.replace(", orgs: [acme]", "")).policy.trust["acme"].orgs == ()


@pytest.mark.parametrize(
    ("lines", "ledger"),
    [
        ((), ""),
        (("public_url: https://API.example.com/",), "https://api.example.com"),
        (("public_url: https://api.example.com", "ledger: https://other.example/"), "https://other.example/"),
    ],
)
def test_the_ledger_is_the_public_url_unless_it_is_named(lines: tuple[str, ...], ledger: str) -> None:
    trust = TRUST.partition("\n")[2]
    assert load(BASE + trust + "".join(f"{line}\n" for line in lines)).policy.ledger == ledger


def test_two_issuers_cannot_have_one_name_for_the_same_contracts() -> None:
    text = BASE + TRUST + "    acme-2: {iss: https://issuer.acme.example, jwks_file: b.json, tools: [pay]}\n"
    with pytest.raises(PolicyError) as raised:
        load_policy(text)
    assert raised.value.problems == [
        (14, "`trust.issuers.acme-2.iss`: is that of `acme` in line 13 too: leave one out")
    ]


def test_too_many_issuers_are_refused_before_they_are_read() -> None:
    more = "".join(f"    i{n}: {{iss: 'urn:{n}', jwks_file: k.json, tools: [pay]}}\n" for n in range(256))
    with pytest.raises(PolicyError) as raised:
        load_policy(BASE + TRUST + more)
    assert raised.value.problems == [(12, "`trust.issuers`: has 257 of them: the most is 256, leave some out")]


def test_a_broken_issuer_does_not_hide_what_is_wrong_with_the_others() -> None:
    text = BASE + TRUST + "    b: {iss: b, jwks_file: b.json, tools: [pay]}\n    c: {iss: 'urn:c', jwks_file: c.json}\n"
    with pytest.raises(PolicyError) as raised:
        load_policy(text)
    assert [line for line, _ in raised.value.problems] == [14, 15]


def test_key_files_lie_beside_the_policy_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, key(1))
    absolute = load_policy_file(path).policy.trust["acme"].jwks_file
    assert absolute == f"{tmp_path}/keys/acme.jwks.json"
    monkeypatch.chdir(tmp_path)
    assert load_policy_file("policy.yaml").policy.trust["acme"].jwks_file == absolute


def test_a_draft_is_read_with_the_keys_of_the_folder_that_it_is_meant_for(tmp_path: Path) -> None:
    running = written(tmp_path, key(1))
    (tmp_path / "draft").mkdir()
    draft = tmp_path / "draft" / "policy.yaml"
    draft.write_text(BASE + TRUST, encoding="utf-8")
    assert load_policy_file(draft, folder=tmp_path).policy == load_policy_file(running).policy
    assert problems_of_file(draft)[0][0] == 13


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "the file cannot be read (no such file or directory): a relative path begins beside the policy file"),
        (b"", "the set of keys cannot be read"),
        (b"{}", "a set of keys is a JSON object with an array `keys`"),
        (b'{"keys": []}', "a set of keys has 1 to 8 keys, not 0"),
        (b'{"keys": [{"kty": "oct", "k": "AAAA"}]}', "key 1 of the set is refused: the key holds a private member"),
        (b'{"keys": [], "keys": []}', "the set of keys cannot be read"),
        (b'{"keys": [' + b" " * MAX_SET_BYTES + b"]}", "the set of keys cannot be read"),
        (json.dumps({"keys": [key(1).public.to_jwk()] * 2}).encode(), "two keys of the set have the same `kid`"),
        (json.dumps({"keys": [key(n).public.to_jwk() for n in range(1, MAX_KEYS + 2)]}).encode(), "1 to 8 keys, not 9"),
        (key(1).to_json(), "a set of keys is a JSON object with an array `keys`"),
        (json.dumps({"keys": [key(1).to_jwk()]}).encode(), "the key holds a private member"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_reported_on_the_line_that_names_it(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = written(tmp_path, key(1))
    file = tmp_path / "keys" / "acme.jwks.json"
    policy = load_policy_file(path).policy
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    ((line, text),) = problems_of_file(path)
    assert line == 13
    assert text.startswith("`trust.issuers.acme.jwks_file`: ")
    assert says in text
    with pytest.raises(PolicyError) as raised:
        load_anchors(policy, source="policy.yaml")
    assert raised.value.problems == [(0, text)]
    assert str(raised.value).startswith("policy.yaml: `trust.issuers.acme.jwks_file`: ")


def test_a_private_key_in_the_wrong_file_is_never_shown(tmp_path: Path) -> None:
    path = written(tmp_path, key(1))
    secret = key(1).to_jwk()["d"]
    (tmp_path / "keys" / "acme.jwks.json").write_text(json.dumps({"keys": [key(1).to_jwk()]}))
    assert all(secret not in text for _, text in problems_of_file(path))


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, key(1))
    file = tmp_path / "keys" / "acme.jwks.json"
    file.unlink()
    if kind == "folder":
        file.mkdir()
    else:
        os.mkfifo(file)
    assert "it is not a file: name the file that holds the key set" in problems_of_file(path)[0][1]


def test_a_key_that_two_issuers_share_is_a_warning(tmp_path: Path) -> None:
    more = "    b: {iss: 'urn:b', jwks_file: keys/acme.jwks.json, tools: [pay], orgs: [b]}\n"
    loaded = load_policy_file(written(tmp_path, key(1), text=BASE + TRUST + more))
    assert loaded.warnings == (
        (14, "`trust.issuers.b.jwks_file`: holds a key of `acme` too: whoever has it can sign as either of them"),
    )


def test_a_text_that_lies_in_no_folder_has_no_anchors() -> None:
    with pytest.raises(PolicyError, match="the path is relative, and this policy lies in no folder"):
        load_anchors(load(BASE + TRUST).policy)


def test_a_policy_without_trust_trusts_nobody() -> None:
    anchors = load_anchors(load(BASE).policy)
    assert anchors.issuers == ()
    with pytest.raises(ContractError) as raised:
        verify_chain(root(key(1)), anchors, now_us=NOW_US)
    assert raised.value.step is Step.ISSUER_UNKNOWN


def test_the_anchors_hold_what_the_policy_says(tmp_path: Path) -> None:
    text = BASE + TRUST.replace("orgs: [acme]", "orgs: [acme], lifetime: 2h, budget: 5 USD, plain_jwt: true")
    anchors = load_anchors(load_policy_file(written(tmp_path, key(1), key(2), text=text)).policy)
    (issuer,) = anchors.issuers
    assert (issuer.name, issuer.iss, issuer.tools, issuer.orgs) == ("acme", ISS, ("*",), ("acme",))
    assert (issuer.lifetime_s, issuer.budget, issuer.plain_jwt) == (7200, Money(5_000_000, "USD"), True)
    assert [named.key for named in issuer.keys.keys] == [key(1).public, key(2).public]
    assert (anchors.ledger, anchors.audience) == ("https://api.example.com", "https://api.example.com")


def verdict(policy: Policy, chain: str) -> Step | None:
    try:
        verify_chain(chain, load_anchors(policy), now_us=NOW_US)
    except ContractError as error:
        return error.step
    return None


def test_a_root_is_held_to_what_the_policy_lets_its_issuer_say(tmp_path: Path) -> None:
    text = BASE + TRUST.replace('tools: ["*"], orgs: [acme]', "tools: [pay], orgs: [acme], lifetime: 1h")
    policy = load_policy_file(written(tmp_path, key(1), text=text)).policy
    assert verdict(policy, root(key(1))) is None
    assert verdict(policy, root(key(2))) is Step.KEY_UNKNOWN
    assert verdict(policy, root(key(1), seconds=3601)) is Step.ISSUER_EXCEEDED
    assert verdict(policy, root(key(1), tool="ask")) is Step.ISSUER_EXCEEDED
    assert verdict(policy, root(key(1), org="globex")) is Step.ISSUER_EXCEEDED


def test_keys_are_rotated_in_their_file_without_touching_the_policy(tmp_path: Path) -> None:
    policy = load_policy_file(written(tmp_path, key(1))).policy
    before = load_anchors(policy)
    written(tmp_path, key(1), key(2))
    overlap = load_anchors(policy)
    assert verdict(policy, root(key(1))) is None
    assert verdict(policy, root(key(2))) is None
    written(tmp_path, key(2))
    assert verdict(policy, root(key(1))) is Step.KEY_UNKNOWN
    assert len({before.version, overlap.version, load_anchors(policy).version}) == 3


def test_the_example_trusts_a_public_key_and_nothing_more() -> None:
    policy = load_policy_file(EXAMPLES / "contracts.yaml").policy
    assert [named.kid for named in load_anchors(policy).issuers[0].keys.keys] == ["acme-1"]
    document = json.loads((EXAMPLES / "keys" / "acme.jwks.json").read_text(encoding="utf-8"))
    assert set(document["keys"][0]) == {"kty", "crv", "x", "kid", "use", "alg"}


@given(st.integers(SHORTEST_WINDOW_US // SECOND_US, LONGEST_WINDOW_US // SECOND_US))
def test_every_window_that_a_policy_may_have_is_one_that_proofs_can_be_checked_with(seconds: int) -> None:
    window_us = policy_with("top", f"proof: {{window: {seconds}s}}").proof.window_us
    assert Freshness(window_us=window_us, skew_us=window_us).window_us == seconds * SECOND_US
