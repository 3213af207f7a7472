"""Verification: each step refuses what it is for, names itself and the link, and the first that fails decides."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from remit.contracts import (
    BY_REFERENCE,
    Step,
    base64url,
    verify_chain,
)
from remit.core.constraints import Range
from remit.errors import CredentialError
from tests.contracts.cast import (
    CHECK,
    ED25519,
    ES256,
    ISS,
    LEDGER,
    MIXED,
    NOW_S,
    NOW_US,
    PAY,
    Cast,
    chain,
    key,
    root,
    trusted,
)
from tests.contracts.judging import accepts, refusal
from tests.contracts.plans import Plan, build, changed, plans, with_limits, with_tools
from tests.contracts.test_constraints import nested
from tests.contracts.test_keys import SMALL_ORDER

THUMB = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"
Change = Callable[[Plan], Plan]


@pytest.mark.parametrize("links", [1, 2, 3])
@pytest.mark.parametrize("cast", [ED25519, ES256, MIXED], ids=["Ed25519", "ES256", "both"])
def test_a_sound_chain_verifies_and_says_what_was_signed(cast: Cast, links: int) -> None:
    text = chain(cast, links=links)
    verified = verify_chain(text, trusted(cast), now_us=NOW_US)
    said = verified.chain
    assert len(said.links) == len(said.lineages) == links
    assert said.counters == said.lineages
    assert said.holders == tuple(holder.public.thumbprint for holder in cast.holders[:links])
    assert (said.issuer, said.root.org, said.root.user, said.root.agent) == ("acme", "acme", "u-1", "orchestrator")
    assert verified.leaf_key == cast.holders[links - 1].public
    assert verified.ath == base64url.encode(hashlib.sha256(text.encode()).digest())
    assert verified.expires_us == (NOW_S + 3600) * 1_000_000
    assert verified.not_before_us == (NOW_S - 30) * 1_000_000


def test_the_leaf_says_what_may_be_called() -> None:
    leaf = verify_chain(chain(), trusted(), now_us=NOW_US).chain.leaf
    assert leaf.refusal(PAY, {"amount": 100, "currency": "USD"}) is None
    assert "not what the contract allows" in str(leaf.refusal(PAY, {"amount": 101, "currency": "USD"}))
    assert "does not allow the tool" in str(leaf.refusal(CHECK, {}))
    assert leaf.tools is not None
    assert isinstance(leaf.tools[PAY]["amount"], Range)


def claims(**changes: object) -> Change:
    return lambda plan: plan.with_claims(**changes)


def header(**changes: object) -> Change:
    return lambda plan: plan.with_header(**changes)


def tools(value: object) -> Change:
    return lambda plan: with_tools(plan, value)


def limits(entry: dict[str, object]) -> Change:
    return lambda plan: with_limits(plan, entry)


def signed_by(name: str) -> Change:
    return lambda plan: replace(plan, key=key(name))


def jwk(**members: object) -> dict[str, object]:
    return {"jwk": {**ED25519.holders[0].public.to_jwk(), **members}}


def capability(count: int, *more: object) -> Change:
    entry = {"type": "attenuating_agent_token", "tools": {}}
    return claims(authorization_details=[entry] * count + list(more))


IN_ANY_LINK: list[tuple[str, Change, Step]] = [
    ("header names a key", header(jwk=ED25519.thief.public.to_jwk()), Step.HEADER_REFUSED),
    ("unknown crit", header(crit=["exp"]), Step.HEADER_REFUSED),
    ("kid is a number", header(kid=5), Step.HEADER_REFUSED),
    ("alg none", header(alg="none"), Step.ALGORITHM_REFUSED),
    ("alg of another key", header(alg="ES256"), Step.ALGORITHM_REFUSED),
    ("no typ", header(typ=...), Step.TYPE_REFUSED),
    ("plain typ", header(typ="JWT"), Step.TYPE_REFUSED),
    ("a proof's typ", header(typ="dpop+jwt"), Step.TYPE_REFUSED),
    ("typ in capitals", header(typ="AAT+JWT"), Step.TYPE_REFUSED),
    ("signed by a thief", signed_by("thief"), Step.SIGNATURE_INVALID),
    ("no jti", claims(jti=...), Step.MALFORMED),
    ("jti is a number", claims(jti=7), Step.MALFORMED),
    ("empty jti", claims(jti=""), Step.CLAIM_INVALID),
    ("long jti", claims(jti="x" * 257), Step.CLAIM_INVALID),
    ("jti not ASCII", claims(jti="é"), Step.CLAIM_INVALID),
    ("NUL in jti", claims(jti="a\0b"), Step.CLAIM_INVALID),
    ("UUID in capitals", claims(jti="01957A3F-4E23-7B01-A9D1-0050569C2E4F"), Step.CLAIM_INVALID),
    ("UUID as URN", claims(jti="urn:uuid:01957a3f-4e23-7b01-a9d1-0050569c2e4f"), Step.CLAIM_INVALID),
    ("UUID in braces", claims(jti="{01957a3f-4e23-7b01-a9d1-0050569c2e4f}"), Step.CLAIM_INVALID),
    ("no cnf", claims(cnf=...), Step.HOLDER_KEY_INVALID),
    ("cnf is text", claims(cnf="x"), Step.HOLDER_KEY_INVALID),
    ("cnf with a thumbprint", claims(cnf={"jkt": "x" * 43}), Step.HOLDER_KEY_INVALID),
    ("cnf with two ways", claims(cnf={**jwk(), "x5t#S256": "x"}), Step.HOLDER_KEY_INVALID),
    ("cnf with a private key", claims(cnf=jwk(d="x" * 43)), Step.HOLDER_KEY_INVALID),
    ("cnf for encryption", claims(cnf=jwk(use="enc")), Step.HOLDER_KEY_INVALID),
    ("cnf of small order", claims(cnf=jwk(x=base64url.encode(SMALL_ORDER[0]))), Step.HOLDER_KEY_INVALID),
    ("no del_max_depth", claims(del_max_depth=...), Step.DEPTH_INVALID),
    ("del_max_depth is text", claims(del_max_depth="3"), Step.DEPTH_INVALID),
    ("del_max_depth is true", claims(del_max_depth=True), Step.DEPTH_INVALID),
    ("del_max_depth is negative", claims(del_max_depth=-1), Step.DEPTH_INVALID),
    ("del_max_depth above all", claims(del_max_depth=9), Step.DEPTH_INVALID),
    ("no del_depth", claims(del_depth=...), Step.DEPTH_INVALID),
    ("del_depth one off", claims(del_depth=4), Step.DEPTH_INVALID),
    ("del_depth is null", claims(del_depth=None), Step.DEPTH_INVALID),
    ("exp is text", claims(exp=str(NOW_S + 60)), Step.TIMES_INVALID),
    ("exp is true", claims(exp=True), Step.TIMES_INVALID),
    ("exp is null", claims(exp=None), Step.TIMES_INVALID),
    ("exp is a fraction", claims(exp=NOW_S + 60.5), Step.TIMES_INVALID),
    ("exp is far", claims(exp=2**53 - 1), Step.TIMES_INVALID),
    ("exp is negative", claims(exp=-1), Step.TIMES_INVALID),
    ("expired", claims(iat=NOW_S, exp=NOW_S), Step.EXPIRED),
    ("iat is text", claims(iat=str(NOW_S)), Step.TIMES_INVALID),
    ("iat in the future", claims(iat=NOW_S + 31), Step.TIMES_INVALID),
    ("nbf in the future", claims(nbf=NOW_S + 1), Step.TIMES_INVALID),
    ("nbf is text", claims(nbf="0"), Step.TIMES_INVALID),
    ("no details", claims(authorization_details=...), Step.CAPABILITY_MALFORMED),
    ("details is an object", claims(authorization_details={}), Step.CAPABILITY_MALFORMED),
    ("an entry is text", capability(1, "x"), Step.CAPABILITY_MALFORMED),
    ("an entry has no type", capability(1, {}), Step.CAPABILITY_MALFORMED),
    ("two capabilities", capability(2), Step.CAPABILITY_MALFORMED),
    ("tools is a list", tools([]), Step.CAPABILITY_MALFORMED),
    ("unknown constraint", tools({PAY: {"a": {"constraint_type": "cel"}}}), Step.UNKNOWN_CONSTRAINT),
    ("deep constraint", tools({PAY: {"a": nested(33)}}), Step.CONSTRAINT_TOO_DEEP),
    ("aud of another", claims(aud="https://other.example.com"), Step.AUDIENCE_MISMATCH),
    ("aud of us and another", claims(aud=[LEDGER, "https://other.example.com"]), Step.AUDIENCE_MISMATCH),
    ("aud in capitals", claims(aud=LEDGER.upper()), Step.AUDIENCE_MISMATCH),
    ("aud is null", claims(aud=None), Step.AUDIENCE_MISMATCH),
    ("unknown claim of ours", claims(remit_budget=5), Step.CLAIM_INVALID),
    ("agent of another script", claims(remit_agent="rіsk"), Step.CLAIM_INVALID),
    ("agent with a slash", claims(remit_agent="../admin"), Step.CLAIM_INVALID),
    ("agent is a number", claims(remit_agent=5), Step.CLAIM_INVALID),
    ("limits of another ledger", limits({"ledger": "https://b.example", "limits": [{"id": "a", "meter": "calls", "max": 1}]}), Step.LEDGER_MISMATCH),
    ("limit with a typing error", limits({"ledger": LEDGER, "limits": [{"id": "a", "meter": "calls", "maximum": 1}]}), Step.LIMITS_MALFORMED),
    ("entry with a typing error", capability(1, {"type": "remit_limit", "limits": []}), Step.LIMITS_MALFORMED),
    ("two entries of limits", capability(1, *[{"type": "remit_limits", "schedule": {"timezone": "UTC", "windows": []}}] * 2), Step.LIMITS_MALFORMED),
]  # fmt: skip


@pytest.mark.parametrize("link", [0, 1, 2])
@pytest.mark.parametrize(("change", "step"), [row[1:] for row in IN_ANY_LINK], ids=[row[0] for row in IN_ANY_LINK])
def test_a_fault_is_found_at_its_step_in_whichever_link_it_is(change: Change, step: Step, link: int) -> None:
    error = refusal(changed(link, change))
    assert (error.step, error.link) == (step, link)


@pytest.mark.parametrize(
    ("change", "step"),
    [
        pytest.param(claims(iss="https://issuer.acme.example/"), Step.ISSUER_UNKNOWN, id="iss with a slash"),
        pytest.param(claims(iss="https://issuer.acme.exampl"), Step.ISSUER_UNKNOWN, id="iss cut"),
        pytest.param(claims(iss=ISS + ".evil.example"), Step.ISSUER_UNKNOWN, id="iss longer"),
        pytest.param(claims(iss=[ISS]), Step.ISSUER_UNKNOWN, id="iss is a list"),
        pytest.param(claims(iss=...), Step.ISSUER_UNKNOWN, id="no iss"),
        pytest.param(header(kid="2026-01"), Step.KEY_UNKNOWN, id="unknown kid"),
        pytest.param(claims(par_hash="x" * 43), Step.PAR_HASH_MISMATCH, id="par_hash in a root"),
        pytest.param(claims(par_hash=None), Step.PAR_HASH_MISMATCH, id="par_hash null in a root"),
        pytest.param(claims(del_depth=1), Step.DEPTH_INVALID, id="not a root"),
        pytest.param(claims(exp=...), Step.TIMES_INVALID, id="no exp"),
        pytest.param(claims(iat=...), Step.TIMES_INVALID, id="no iat"),
        pytest.param(claims(iat=NOW_S + 20, exp=NOW_S + 10), Step.TIMES_INVALID, id="ends before it begins"),
        pytest.param(claims(exp=NOW_S + 90 * 86_400 + 1), Step.TIMES_INVALID, id="more than 90 days"),
        pytest.param(claims(authorization_details=[]), Step.CAPABILITY_MALFORMED, id="no capability"),
        pytest.param(claims(remit_org="other"), Step.ISSUER_EXCEEDED, id="another's org"),
        pytest.param(claims(remit_account="a b"), Step.CLAIM_INVALID, id="account with a space"),
    ],
)
def test_a_fault_of_a_root_is_found_at_its_step(change: Change, step: Step) -> None:
    error = refusal(changed(0, change))
    assert (error.step, error.link) == (step, 0)


@pytest.mark.parametrize("link", [1, 2])
@pytest.mark.parametrize(
    ("change", "step"),
    [
        pytest.param(claims(iss=ISS), Step.ISSUER_MISMATCH, id="iss of the issuer"),
        pytest.param(claims(iss=THUMB + ED25519.thief.public.thumbprint), Step.ISSUER_MISMATCH, id="iss of another"),
        pytest.param(claims(iss=[THUMB]), Step.ISSUER_MISMATCH, id="iss is a list"),
        pytest.param(claims(iss=...), Step.CLAIM_INVALID, id="no iss"),
        pytest.param(claims(exp=...), Step.CLAIM_INVALID, id="no exp"),
        pytest.param(claims(iat=...), Step.CLAIM_INVALID, id="no iat"),
        pytest.param(claims(par_hash=...), Step.CLAIM_INVALID, id="no par_hash"),
        pytest.param(claims(exp=NOW_S + 3601), Step.TIMES_INVALID, id="outlives its parent"),
        pytest.param(claims(iat=NOW_S - 1), Step.TIMES_INVALID, id="older than its parent"),
        pytest.param(claims(iat=NOW_S + 20, exp=NOW_S + 20), Step.TIMES_INVALID, id="no life at all"),
        pytest.param(claims(del_max_depth=4), Step.DEPTH_INVALID, id="deeper than its parent lets it"),
        pytest.param(claims(del_max_depth=0), Step.DEPTH_INVALID, id="deeper than itself lets it"),
        pytest.param(tools({PAY: {}}), Step.NOT_NARROWER, id="any arguments"),
        pytest.param(tools({PAY: {}, "admin": {}}), Step.NOT_NARROWER, id="another tool"),
        pytest.param(claims(remit_org="acme"), Step.CLAIM_INVALID, id="org below the root"),
        pytest.param(claims(remit_user="u-1"), Step.CLAIM_INVALID, id="user below the root"),
        pytest.param(claims(remit_account="a"), Step.CLAIM_INVALID, id="account below the root"),
        pytest.param(
            lambda plan: replace(plan, fits_parent=False).with_claims(par_hash="x" * 43),
            Step.PAR_HASH_MISMATCH,
            id="another parent",
        ),
        pytest.param(
            lambda plan: replace(plan, fits_parent=False).with_claims(par_hash=None),
            Step.PAR_HASH_MISMATCH,
            id="par_hash null",
        ),
    ],
)
def test_a_fault_of_a_derived_contract_is_found_at_its_step(change: Change, step: Step, link: int) -> None:
    error = refusal(changed(link, change))
    assert (error.step, error.link) == (step, link)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(claims(sub="anybody", scope="everything", act={"sub": "x"}), id="claims of others"),
        pytest.param(claims(nbf=NOW_S), id="nbf in the past"),
        pytest.param(claims(aud=LEDGER), id="aud is us"),
        pytest.param(claims(aud=[LEDGER]), id="aud is a list of us"),
        pytest.param(claims(jti="any id at all"), id="jti is no UUID"),
        pytest.param(header(note="x", crit=..., remit=...), id="portable, with an unknown header"),
        pytest.param(
            lambda plan: plan.with_claims(
                authorization_details=[*plan.claims["authorization_details"], {"type": "payment_initiation", "x": 1}]
            ),
            id="entries of others",
        ),
    ],
)
@pytest.mark.parametrize("link", [0, 1, 2])
def test_what_the_draft_tells_us_to_ignore_is_ignored(change: Change, link: int) -> None:
    assert accepts(changed(link, change))


def test_times_are_judged_to_the_microsecond() -> None:
    text, end_us = chain(), (NOW_S + 3600) * 1_000_000
    assert accepts(text, now_us=end_us - 1)
    assert refusal(text, now_us=end_us).step is Step.EXPIRED
    start_us = (NOW_S - 30) * 1_000_000
    assert accepts(text, now_us=start_us)
    assert refusal(text, now_us=start_us - 1).step is Step.TIMES_INVALID


def test_a_link_without_capability_may_stand_between_but_gives_nothing_on() -> None:
    links = plans(links=3)
    links[1] = links[1].with_claims(authorization_details=[])
    error = refusal(build(links))
    assert (error.step, error.link) == (Step.NOT_NARROWER, 2)
    links[2] = with_tools(with_limits(links[2], None), {})
    assert verify_chain(build(links), trusted(), now_us=NOW_US).chain.leaf.tools == {}


def test_the_leaf_must_have_a_capability_of_its_own() -> None:
    error = refusal(changed(1, claims(authorization_details=[]), links=2))
    assert (error.step, error.link) == (Step.CAPABILITY_MALFORMED, 1)


def test_a_terminal_contract_cannot_be_delegated() -> None:
    links = plans(links=2)
    links[0] = links[0].with_claims(del_max_depth=0)
    links[1] = links[1].with_claims(del_max_depth=0)
    error = refusal(build(links))
    assert error.step is Step.DEPTH_INVALID
    assert "may not be delegated further" in str(error)


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("", Step.MALFORMED),
        ("~", Step.MALFORMED),
        (chain() + "~", Step.MALFORMED),
        ("~" + chain(), Step.MALFORMED),
        (chain().replace("~", "~~", 1), Step.MALFORMED),
        (chain().replace("~", ","), Step.MALFORMED),
        ("~".join([root()] * 10), Step.TOO_DEEP),
        ("~" * 16_000, Step.TOO_DEEP),
        ("x" * 16_385, Step.TOO_LARGE),
        ("~".join([root(), root()]), Step.DUPLICATE_JTI),
    ],
    ids=["empty", "no links", "empty last", "empty first", "empty between", "commas", "ten", "many", "16 KiB", "twice"],
)
def test_a_chain_is_judged_as_a_text_before_any_signature(text: str, step: Step) -> None:
    assert refusal(text).step is step


def test_a_chain_by_reference_may_be_longer_but_no_contract_longer_than_64_kib() -> None:
    links = plans(links=1)
    text = build([links[0].with_claims(note="x" * 40_000)])
    assert refusal(text).step is Step.TOO_LARGE
    assert accepts(text, now_us=NOW_US, bounds=BY_REFERENCE)
    longer = build([links[0].with_claims(note="x" * 50_000)])
    error = refusal(longer, bounds=BY_REFERENCE)
    assert (error.step, error.link) == (Step.TOO_LARGE, 0)


# Faults in the order of their steps: with several at once the first decides.
IN_ORDER: list[tuple[Change, Step]] = [
    (header(jku="x"), Step.HEADER_REFUSED),
    (header(alg="none"), Step.ALGORITHM_REFUSED),
    (header(typ="x"), Step.TYPE_REFUSED),
    (signed_by("thief"), Step.SIGNATURE_INVALID),
    (claims(cnf={}), Step.HOLDER_KEY_INVALID),
    (claims(iss="x"), Step.ISSUER_MISMATCH),
    (claims(del_depth=7), Step.DEPTH_INVALID),
    (claims(iat=NOW_S, exp=NOW_S), Step.EXPIRED),
    (claims(iat=NOW_S + 40), Step.TIMES_INVALID),
    (tools({PAY: {"a": {"constraint_type": "x"}}}), Step.UNKNOWN_CONSTRAINT),
    (lambda plan: replace(plan, fits_parent=False).with_claims(par_hash="x"), Step.PAR_HASH_MISMATCH),
    (claims(aud="x"), Step.AUDIENCE_MISMATCH),
    (claims(remit_x="x"), Step.CLAIM_INVALID),
    (lambda plan: with_limits(plan, {"limits": []}), Step.LIMITS_MALFORMED),
]


@pytest.mark.parametrize("first", range(len(IN_ORDER)))
def test_the_first_step_that_fails_decides(first: int) -> None:
    def change(plan: Plan) -> Plan:
        for each, _ in reversed(IN_ORDER[first:]):
            plan = each(plan)
        return plan

    assert refusal(changed(2, change)).step is IN_ORDER[first][1]


def test_the_first_link_that_fails_decides() -> None:
    links = plans()
    links[1] = with_limits(links[1], {"limits": []})
    links[2] = replace(links[2], key=ED25519.thief)
    error = refusal(build(links))
    assert (error.step, error.link) == (Step.LIMITS_MALFORMED, 1)


def test_a_refusal_is_an_invalid_credential_and_names_step_and_link() -> None:
    error = refusal(changed(1, claims(exp=NOW_S + 9999)))
    assert isinstance(error, CredentialError)
    assert error.reason == "invalid_credential"
    assert str(error) == "the contract at link 1 is refused (times_invalid): it would outlive its parent"
