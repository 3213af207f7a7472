"""Whom a guard trusts, what their roots may say, and what follows from it for counters and caches."""

from dataclasses import replace

import pytest

from remit.contracts import (
    Bounds,
    KeySet,
    NamedKey,
    Step,
    TrustAnchors,
    join_links,
    verify_chain,
)
from remit.core.money import Money
from remit.errors import UsageError
from tests.contracts.cast import CHECK, ED25519, ES256, KID, LEDGER, NOW_US, chain, child, key, root, trusted
from tests.contracts.judging import accepts, refusal
from tests.contracts.plans import build, changed, plans


def test_an_issuer_says_no_more_than_the_policy_lets_it() -> None:
    text = chain()
    assert refusal(text, trusted(orgs=())).step is Step.ISSUER_EXCEEDED
    assert refusal(text, trusted(tools=("payments.*",))).step is Step.ISSUER_EXCEEDED
    assert refusal(text, trusted(lifetime_s=3599)).step is Step.ISSUER_EXCEEDED
    assert accepts(text, trusted(tools=("payments.*", CHECK), lifetime_s=3600))


def test_the_budget_of_an_issuer_goes_with_each_chain_of_its_roots() -> None:
    budget = Money(500_000_000, "USD")
    assert verify_chain(chain(), trusted(budget=budget), now_us=NOW_US).chain.budget == budget


def test_keys_of_an_issuer_overlap_while_they_are_rotated() -> None:
    both = KeySet((NamedKey("2026-07", key("old").public), NamedKey(KID, ED25519.issuer.public)))
    assert accepts(chain(), trusted(keys=both))
    nameless = changed(0, lambda plan: plan.with_header(kid=...))
    assert accepts(nameless, trusted(keys=both))
    rotated_out = KeySet((NamedKey("2027-07", key("new").public),))
    assert refusal(chain(), trusted(keys=rotated_out)).step is Step.KEY_UNKNOWN
    assert refusal(nameless, trusted(keys=rotated_out)).step is Step.SIGNATURE_INVALID


def test_one_kid_of_two_issuers_means_the_key_of_each() -> None:
    acme = trusted().issuers[0]
    other = replace(acme, name="other", iss="https://other.example", keys=KeySet((NamedKey(KID, key("x").public),)))
    anchors = TrustAnchors(issuers=(other, acme), ledger=LEDGER)
    assert verify_chain(chain(), anchors, now_us=NOW_US).chain.issuer == "acme"
    assert (
        refusal(changed(0, lambda plan: plan.with_claims(iss="https://other.example")), anchors).step
        is Step.SIGNATURE_INVALID
    )


def test_plain_jwt_is_accepted_from_issuers_configured_so() -> None:
    text = build([plan.with_header(typ="JWT") for plan in plans()])
    assert refusal(text).step is Step.TYPE_REFUSED
    assert verify_chain(text, trusted(plain_jwt=True), now_us=NOW_US).plain_jwt
    assert accepts(chain(), trusted(plain_jwt=True))


def test_an_account_keys_the_counters_and_nothing_else() -> None:
    links = plans()
    chains = [
        verify_chain(
            build([links[0].with_claims(jti=jti, remit_account="a-1"), *links[1:]]), trusted(), now_us=NOW_US
        ).chain
        for jti in ("one", "two")
    ]
    assert chains[0].counters == chains[1].counters
    assert not set(chains[0].lineages) & set(chains[1].lineages)
    assert not set(chains[0].counters) & set(chains[0].lineages)


def test_siblings_with_one_jti_share_what_they_count_in() -> None:
    parent = root()
    first, second = (
        verify_chain(child(parent, seed="same", agent=agent), trusted(), now_us=NOW_US).chain for agent in ("x", "y")
    )
    assert first.lineages == second.lineages
    other = verify_chain(child(parent, seed="other"), trusted(), now_us=NOW_US).chain
    assert other.lineages[0] == first.lineages[0]
    assert other.lineages[1] != first.lineages[1]


def test_anchors_of_another_content_have_another_version() -> None:
    versions = {
        anchors.version
        for anchors in (
            trusted(),
            trusted(ES256),
            trusted(orgs=()),
            trusted(tools=("a",)),
            trusted(lifetime_s=5),
            trusted(budget=Money(1, "USD")),
            trusted(plain_jwt=True),
            trusted(name="other"),
            trusted(iss="https://x.example"),
            replace(trusted(), ledger="x"),
            replace(trusted(), audience="x"),
        )
    }
    assert len(versions) == 11
    assert trusted().version == trusted().version


@pytest.mark.parametrize(
    "changes",
    [{"iss": "issuer"}, {"iss": "https://a b"}, {"iss": "1:x"}, {"lifetime_s": 0}, {"lifetime_s": 90 * 86_400 + 1}, {"tools": ("a*",)}, {"name": "a b"}, {"orgs": ("a/b",)}],
)  # fmt: skip
def test_an_issuer_that_cannot_be_is_refused_when_it_is_configured(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        trusted(ED25519, **changes)


def test_two_issuers_must_differ_in_name_and_iss() -> None:
    acme = trusted().issuers[0]
    for other in (replace(acme, name="other"), replace(acme, iss="https://other.example")):
        with pytest.raises(UsageError, match="same"):
            TrustAnchors(issuers=(acme, other))


@pytest.mark.parametrize(
    "changes", [{"max_depth": 9}, {"max_depth": -1}, {"max_lifetime_s": 90 * 86_400 + 1}, {"issued_ahead_s": 31}, {"chain_bytes": 2**20}]
)  # fmt: skip
def test_bounds_can_only_be_lowered(changes: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="only be lowered"):
        Bounds(**changes)


def test_lower_bounds_are_kept() -> None:
    assert refusal(chain(), bounds=Bounds(max_depth=1)).step is Step.TOO_DEEP
    assert refusal(chain(), bounds=Bounds(max_lifetime_s=60)).step is Step.TIMES_INVALID


def test_links_that_came_as_an_array_are_the_same_chain() -> None:
    assert join_links(chain().split("~")) == chain()
    for wrong in ([], [""], ["a~b"], ["a", ""]):
        with pytest.raises(UsageError):
            join_links(wrong)
