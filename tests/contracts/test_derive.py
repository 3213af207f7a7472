"""Issuing and deriving: what is made verifies, and nothing is made that would not."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.contracts import (
    Algorithm,
    Asking,
    Billing,
    Issuer,
    base64url,
    derive,
    issue_root,
    read_unverified_chain,
    verify_chain,
)
from remit.contracts.ids import new_uuid
from remit.core.attenuate import is_narrower
from remit.core.constraint_reading import read_constraint
from remit.core.contract import Chain
from remit.core.contract_steps import Effort
from remit.errors import UsageError
from tests.contracts.cast import (
    CHECK,
    ED25519,
    ISS,
    KID,
    LEDGER,
    LIMITS,
    NOW_S,
    NOW_US,
    PAY,
    TOOLS,
    chain,
    chance,
    child,
    key,
    root,
    trusted,
)
from tests.contracts.plans import decoded
from tests.contracts.strategies import Raw, narrowed, raw_constraints

A, B, C = ED25519.holders


def parts(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = text.rsplit("~", maxsplit=1)[-1].split(".")
    return decoded(header), decoded(claims)


def derived(parent: str, *, now_us: int = NOW_US, lifetime_s: int | None = None, **asking: Any) -> str:
    return derive(
        parent,
        A,
        holder=B.public,
        asking=Asking(**asking),
        now_us=now_us,
        random_bytes=chance(1),
        lifetime_s=lifetime_s,
    )


def verified(text: str, *, now_us: int = NOW_US) -> Chain:
    return verify_chain(text, trusted(), now_us=now_us).chain


def test_a_root_is_written_as_the_draft_writes_it() -> None:
    header, claims = parts(root())
    assert header == {"alg": "EdDSA", "typ": "aat+jwt", "kid": KID, "crit": ["remit"], "remit": 1}
    assert claims["iss"] == ISS
    assert (claims["iat"], claims["exp"]) == (NOW_S, NOW_S + 3600)
    assert claims["cnf"] == {"jwk": A.public.to_jwk()}
    assert (claims["del_depth"], claims["del_max_depth"]) == (0, 3)
    assert "par_hash" not in claims
    assert claims["authorization_details"][0] == {"type": "attenuating_agent_token", "tools": TOOLS}
    assert claims["authorization_details"][1] == {"type": "remit_limits", "ledger": LEDGER, "limits": list(LIMITS)}


def test_a_derived_contract_names_its_parent_and_its_signer() -> None:
    parent = root()
    header, claims = parts(child(parent))
    assert header == {"alg": "EdDSA", "typ": "aat+jwt"}
    assert claims["iss"] == A.public.thumbprint_uri
    assert claims["iss"].startswith("urn:ietf:params:oauth:jwk-thumbprint:sha-256:")
    assert (claims["del_depth"], claims["del_max_depth"], claims["exp"]) == (1, 3, NOW_S + 3600)
    assert len(claims["par_hash"]) == 43
    assert claims["authorization_details"] == [{"type": "attenuating_agent_token", "tools": TOOLS}]


def test_limits_are_marked_as_critical_unless_the_contract_is_to_be_portable() -> None:
    assert "crit" not in parts(root(portable=True))[0]
    assert "crit" not in parts(root(limits=(), ledger=None))[0]
    assert parts(root(limits=(), ledger=None, schedule={"timezone": "UTC", "windows": []}))[0]["crit"] == ["remit"]
    assert verified(root(portable=True)).root.limits == verified(root()).root.limits


def test_an_id_is_a_uuid_of_version_seven_made_from_the_given_time_and_chance() -> None:
    text = new_uuid(lambda count: b"\xff" * count, now_us=NOW_US)
    assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-7fff-bfff-ffffffffffff", text)
    assert int(text.replace("-", "")[:12], 16) == NOW_US // 1000
    assert (
        new_uuid(chance(1), now_us=NOW_US) == new_uuid(chance(1), now_us=NOW_US) != new_uuid(chance(2), now_us=NOW_US)
    )


def test_a_child_may_live_shorter_but_never_longer() -> None:
    parent = root()
    assert verified(derived(parent, lifetime_s=60)).leaf.expires_s == NOW_S + 60
    with pytest.raises(UsageError, match="outlive its parent"):
        derived(parent, lifetime_s=3601)
    for lifetime_s in (0, -1):
        with pytest.raises(UsageError, match=r"exp|expired"):
            derived(parent, lifetime_s=lifetime_s)


def test_a_child_made_by_a_slow_clock_is_not_older_than_its_parent() -> None:
    text = derived(root(), now_us=NOW_US - 20_000_000)
    assert verified(text).leaf.issued_s == NOW_S


@pytest.mark.parametrize(
    ("asking", "said"),
    [
        ({"tools": {**TOOLS, "admin": {}}}, "`admin` is not among"),
        ({"tools": {PAY: {}}}, "is left out"),
        ({"tools": {PAY: {**TOOLS[PAY], "amount": {"constraint_type": "range", "max": 501}}}}, "not narrower"),
        ({"tools": {PAY: {**TOOLS[PAY], "amount": {"constraint_type": "wildcard"}}}}, "not narrower"),
        ({"tools": {CHECK: {"a": {"constraint_type": "regex"}}}}, "not known"),
        ({"tools": {CHECK: {"a": {"constraint_type": "exact", "value": float("nan")}}}}, "number"),
        ({"tools": {CHECK: {"a": {"constraint_type": "exact", "value": 2**60}}}}, "2\\^53"),
        ({"max_depth": 4}, "above its parent's"),
        ({"max_depth": 0}, "above its own"),
        ({"agent": "../admin"}, "remit_agent"),
        ({"limits": [{"id": "a", "meter": "calls", "maximum": 1}], "ledger": LEDGER}, "no member `maximum`"),
        ({"limits": [{"id": "a", "meter": "calls", "max": 1}]}, "`ledger`"),
        ({"limits": [{"id": "a", "meter": "calls", "max": 1, "tools": ["admin"]}], "ledger": LEDGER}, "does not have"),
        ({"ledger": LEDGER}, "neither"),
    ],
)
def test_what_verification_would_refuse_is_not_made(asking: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        derived(root(), **asking)


def test_only_the_holder_can_derive() -> None:
    with pytest.raises(UsageError, match="only its holder"):
        derive(root(), B, holder=C.public, asking=Asking(), now_us=NOW_US, random_bytes=chance(1))


def test_a_contract_at_its_depth_cannot_be_delegated() -> None:
    with pytest.raises(UsageError, match="further"):
        derived(root(max_depth=0))
    terminal = derived(root(), max_depth=1)
    with pytest.raises(UsageError, match="further"):
        derive(terminal, B, holder=C.public, asking=Asking(), now_us=NOW_US, random_bytes=chance(2))


def test_an_expired_or_torn_chain_cannot_be_delegated() -> None:
    with pytest.raises(UsageError, match="expired"):
        derived(root(), now_us=NOW_US + 3600 * 1_000_000)
    for text in ("", "x", root()[:-1], root() + "~"):
        with pytest.raises(UsageError):
            derived(text)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lifetime_s": 90 * 86_400 + 1}, "lives longer"),
        ({"lifetime_s": 0}, "exp|expired"),
        ({"max_depth": 9}, "del_max_depth"),
        ({"tools": None}, "name its tools"),
        ({"tools": {"": {}}}, "tool name"),
        ({"agent": "a b"}, "remit_agent"),
    ],
)
def test_a_root_that_would_be_refused_is_not_issued(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        root(**changes)


@pytest.mark.parametrize("iss", ["", "acme", "https://a b", "issuer.example"])
def test_an_issuer_must_call_itself_by_a_uri(iss: str) -> None:
    with pytest.raises(UsageError, match="URI"):
        issue_root(
            Issuer(iss, key("issuer")),
            holder=A.public,
            asking=Asking(tools={}),
            lifetime_s=60,
            now_us=NOW_US,
            random_bytes=chance(1),
        )


def test_an_issuer_key_without_a_name_is_called_by_its_thumbprint() -> None:
    text = issue_root(
        Issuer(ISS, key("issuer")),
        holder=A.public,
        asking=Asking(tools={}),
        lifetime_s=60,
        now_us=NOW_US,
        random_bytes=chance(1),
        billing=Billing(account="a"),
    )
    assert parts(text)[0]["kid"] == key("issuer").public.thumbprint
    assert parts(text)[1]["remit_account"] == "a"


def test_what_a_chain_says_of_itself_can_be_read_without_anchors_and_after_its_end() -> None:
    found = read_unverified_chain(chain())
    assert [link.agent for link in found.unverified.links] == ["orchestrator", "risk-check", "payer"]
    assert found.leaf_key == C.public
    assert read_unverified_chain(chain()).unverified.lineages == verified(chain()).lineages


def test_numbers_go_from_parent_to_child_as_they_were_written() -> None:
    parent = root(tools={PAY: {"amount": {"constraint_type": "range", "max": 0.30}}}, limits=(), ledger=None)
    written = base64url.decode(parent.split(".")[1].encode())
    text = child(parent)
    assert b'"max":0.3' in written
    assert b'"max":0.3' in base64url.decode(text.split("~")[1].split(".")[1].encode())
    assert verified(text).leaf.refusal(PAY, {"amount": 0}) is None


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_every_narrowing_that_the_rules_permit_can_be_derived_and_verified(data: st.DataObject) -> None:
    raw = data.draw(raw_constraints())
    text = root(tools={PAY: {"a": raw}}, limits=(), ledger=None)
    for link in (1, 2):
        raw = data.draw(narrowed(raw))
        text = child(text, link=link, tools={PAY: {"a": raw}})
    assert len(verified(text).links) == 3


@given(parent=raw_constraints(), other=raw_constraints())
@settings(max_examples=20, deadline=None)
def test_deriving_succeeds_exactly_where_the_table_permits_it(parent: Raw, other: Raw) -> None:
    base = root(tools={PAY: {"a": parent}}, limits=(), ledger=None)
    if is_narrower(child=read_constraint(other), parent=read_constraint(parent), effort=Effort(1000)):
        assert len(verified(child(base, tools={PAY: {"a": other}})).links) == 2
    else:
        with pytest.raises(UsageError, match="not narrower"):
            child(base, tools={PAY: {"a": other}})


def test_holders_may_have_keys_of_both_kinds() -> None:
    other = key("other", Algorithm.ES256)
    text = derive(root(), A, holder=other.public, asking=Asking(), now_us=NOW_US, random_bytes=chance(1))
    last = derive(text, other, holder=C.public, asking=Asking(), now_us=NOW_US, random_bytes=chance(2))
    assert parts(last)[0]["alg"] == "ES256"
    assert len(verified(last).links) == 3


def test_what_is_made_shows_no_private_key() -> None:
    text = chain()
    for link in text.split("~"):
        assert '"d":' not in json.dumps(decoded(link.split(".")[1]))
    assert "key" not in repr(Issuer(ISS, key("issuer")))
