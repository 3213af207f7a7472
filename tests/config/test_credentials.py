"""Which credential has which dimension, and what `policy check` makes of it: errors for money that nobody holds, warnings else."""

from itertools import chain as joined

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.config.credentials import CONTRACTS_ONLY, MAY_HAVE, MINTED_BY_DELEGATING
from remit.core.caller import Caller, CredentialKind, Session
from remit.core.contract import Chain, Contract, HolderKey
from remit.core.dimensions import dimension_values
from remit.core.ledger.operations import AtCommit
from remit.core.policy import Dimension, Policy
from remit.core.prepare import prepare
from remit.core.schedule import SECOND_US
from remit.core.template import Template
from remit.errors import PolicyError
from remit.identity.callers import anonymous_caller, caller_of_chain
from tests.config.sample import BASE, TRUST, added, added_line, attempt, load, problems_of

NOW_US = 1_780_000_000 * SECOND_US
BUDGETED = TRUST.replace("orgs: [acme]", "orgs: [acme], budget: 500 USD")
BY_KEY = BASE.replace("per: org", "per: key")
RISKY = "x: {route: GET /x, upstream: api, price: free, risk: high}"


def link(depth: int, jti: str, thumbprint: str) -> Contract:
    return Contract(
        jti=jti,
        iss="https://issuer.acme.example",
        issued_s=NOW_US // SECOND_US,
        expires_s=NOW_US // SECOND_US + 3600,
        holder=HolderKey("OKP", "Ed25519", thumbprint, "", thumbprint),
        depth=depth,
        max_depth=8,
        tools={"pay": {}},
        org="acme" if depth == 0 else None,
        user="ann" if depth == 0 else None,
    )


def chain_of(*leaves: tuple[str, str], budget: bool = False) -> Caller:
    """A caller with a contract below one that every such chain has in common."""
    links = (link(0, "root", "thumb-of-a"), *(link(n, *leaf) for n, leaf in enumerate(leaves, start=1)))
    policy = load(BASE + (BUDGETED if budget else TRUST)).policy
    chain = Chain(links=links, issuer="acme", budget=policy.trust["acme"].budget)
    return caller_of_chain(chain, address="10.0.0.0/24", credential="of the test")


CALLERS = {
    CredentialKind.CONTRACT: chain_of(("leaf", "thumb-of-b")),
    CredentialKind.API_KEY: Caller(
        kind=CredentialKind.API_KEY, id="k1", address="10.0.0.0/24", agent="bot", user="ann", org="acme", tools=("*",),
        session=Session(id="s1", expires_us=NOW_US * 2),
    ),
    CredentialKind.NONE: anonymous_caller("10.0.0.0/24"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MAY_HAVE, ids=lambda kind: kind.value)
def test_the_table_says_what_decisions_find_in_each_credential(kind: CredentialKind) -> None:
    tool = load(BASE).policy.tools["pay"]
    found = {each for each in Dimension if dimension_values(each, CALLERS[kind], tool, "x")}
    assert found == MAY_HAVE[kind]


def test_what_is_minted_by_delegating_is_what_two_children_of_one_contract_do_not_share() -> None:
    tool = load(BASE).policy.tools["pay"]
    one, other = chain_of(("b", "thumb-of-b")), chain_of(("c", "thumb-of-c"))
    values = {each: [set(dimension_values(each, caller, tool, "x")) for caller in (one, other)] for each in Dimension}
    assert {each for each, (first, second) in values.items() if not first & second} == MINTED_BY_DELEGATING


@pytest.mark.parametrize("per", ["org", "user", "account", "issuer", "tool", "[]", "[user, tool]", "[org, issuer]"])
def test_with_contracts_a_budget_holds_money_by_what_holders_cannot_make(per: str) -> None:
    load(BASE.replace("per: org", f"per: {per}") + TRUST)


@pytest.mark.parametrize(
    ("per", "why"),
    [
        (
            "key",
            (
                "`money` counts per key, and holders of contracts can have any number of those, by delegating, which no "
                "`budget` of the issuer `acme` bounds"
            ),
        ),
        ("[org, key]", "`money` counts per key, and holders of contracts"),
        ("agent", "`money` counts per agent, and callers can have any number of those"),
        ("contract", "`money` counts per contract, and callers can have any number of those"),
        ("session", "`money` counts per session, and callers can have any number of those"),
    ],
)
def test_with_contracts_a_budget_that_delegating_multiplies_holds_nobody(per: str, why: str) -> None:
    ((line, text),) = problems_of(BASE.replace("per: org", f"per: {per}") + TRUST)
    assert line == 6
    assert text.startswith("`tools.pay.price`: calls cost money and no enforced budget holds their callers (")
    assert why in text


def test_a_budget_per_key_is_enough_where_contracts_stand_under_the_budget_of_their_issuer() -> None:
    assert load(BY_KEY + BUDGETED).policy.trust["acme"].budget is not None


def test_a_budget_per_key_is_enough_where_no_contract_can_allow_the_tool() -> None:
    assert load(BY_KEY + TRUST.replace('"*"', "ask")).policy.trust["acme"].tools == ("ask",)


def test_one_issuer_without_a_budget_is_one_too_many() -> None:
    other = "    b: {iss: 'urn:b', jwks_file: b.json, tools: [pay], orgs: [b]}\n"
    ((_, text),) = problems_of(BY_KEY + BUDGETED + other)
    assert "which no `budget` of the issuer `b` bounds" in text


def test_the_budget_of_an_issuer_alone_does_not_hold_api_keys() -> None:
    ((line, _),) = problems_of(BASE.replace("per: org", "per: session") + BUDGETED)
    assert line == 6


@given(
    per=st.sets(st.sampled_from([each.value for each in Dimension]), max_size=3),
    budget=st.booleans(),
    keys=st.lists(st.text("bcd", min_size=1, max_size=2), max_size=3, unique=True),
)
def test_whatever_is_accepted_holds_a_holder_and_all_keys_it_delegates_to_in_one_budget(
    per: set[str], budget: bool, keys: list[str]
) -> None:
    text = BASE.replace("per: org", f"per: [{', '.join(sorted(per))}]") + (BUDGETED if budget else TRUST)
    loaded = attempt(text)
    if isinstance(loaded, PolicyError):
        return
    callers = [chain_of(budget=budget), *(chain_of((each, f"thumb-of-{each}"), budget=budget) for each in keys)]
    shared = set.intersection(*(budgets_of(loaded.policy, caller) for caller in callers))
    assert shared


def budgets_of(policy: Policy, caller: Caller) -> set[str]:
    """The cells that count the money of a call, by the names that the ledger gives them."""
    template = prepare(policy, caller, policy.tools["pay"], target="x", priced=True, now_us=NOW_US)
    assert isinstance(template, Template)
    return {entry.key for entry in template.entries if entry.at_commit is AtCommit.ACTUAL}


@pytest.mark.parametrize(
    ("trust", "says"),
    [
        ("", "no contract can allow it (there is no `trust`), so it can only be called with an API key that is bound"),
        (
            TRUST.replace('"*"', "pay"),
            "no contract can allow it (no issuer may give it), so it can only be called with",
        ),
    ],
)
def test_a_high_risk_tool_that_only_bound_keys_reach_is_a_warning(trust: str, says: str) -> None:
    ((line, text),) = load(added("tools", RISKY) + trust).warnings
    assert line == added_line("tools")
    assert text.startswith(f"`tools.x.risk`: {says}")


def test_a_high_risk_tool_that_contracts_reach_is_no_warning() -> None:
    assert load(added("tools", RISKY) + TRUST).warnings == ()


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ("l: {quota: 5/hour, per: actor}", "`limits.l.per`: holders of contracts can have any number of actors"),
        (
            "l: {quota: 5/hour, per: contract}",
            "`limits.l.per`: callers with an API key have no contract: they are refused",
        ),
        (
            "l: {quota: 5/hour, per: [tool, issuer], mode: soft}",
            "callers with an API key have no issuer: they are refused",
        ),
        (
            "l: {quota: 5/hour, agents: ['agent:a']}",
            "`limits.l.agents[0]`: concerns API keys only, since what a contract",
        ),
    ],
)
def test_a_limit_that_contracts_escape_or_that_refuses_keys_is_a_warning(limit: str, says: str) -> None:
    warnings = load(added("limits", limit) + TRUST).warnings
    assert [line for line, text in warnings if says in text] == [added_line("limits")], warnings
    assert len(warnings) == 1


@pytest.mark.parametrize(
    ("limit", "trust"),
    [
        ("l: {quota: 5/hour, per: actor}", ""),
        ("l: {quota: 5/hour, per: actor, tools: [ask]}", TRUST.replace('"*"', "pay")),
        ("l: {quota: 5/hour, per: agent}", TRUST),
        ("l: {quota: 5/hour, per: contract, mode: observe}", TRUST),
        ("l: {quota: 5/hour, per: contract, agents: ['key:abc']}", TRUST),
        ("l: {quota: 5/hour, agents: ['agent:a']}", ""),
        ("l: {quota: 5/hour, agents: ['key:th8YEIzMSDk4bsIobKYzPJq_QEiewgfFmWVt_l1o7gY']}", TRUST),
    ],
)
def test_a_limit_that_holds_whom_it_means_is_no_warning(limit: str, trust: str) -> None:
    assert load(added("limits", limit) + trust).warnings == ()


def test_an_issuer_without_orgs_where_money_counts_per_org_is_a_warning() -> None:
    trust = TRUST.replace(", orgs: [acme]", "")
    assert load(BASE + trust).warnings == (
        (
            13,
            (
                "`trust.issuers.acme`: it may name no org, and `money` counts per org, which refuses its contracts: "
                "add `orgs`"
            ),
        ),
    )
    assert load(BASE + trust.replace('"*"', "ask")).warnings == ()
    assert load(BASE.replace("per: org", "per: user") + trust).warnings == ()


def test_trust_without_a_ledger_is_a_warning() -> None:
    trust = TRUST.partition("\n")[2]
    assert load(BASE + trust).warnings == (
        (
            10,
            "`trust`: contracts with limits are refused, since they cannot name this guard: add `ledger`, or `public_url`",
        ),
    )
    assert load(BASE + trust + "public_url: https://api.example.com\n").warnings == ()


def test_a_limit_that_counts_by_contracts_refuses_the_nameless_too() -> None:
    open_tool = "open: {route: GET /open, upstream: api, price: free, anonymous: true}"
    text = added("tools", open_tool) + "  l: {rate: 5/minute, per: contract, tools: [open]}\n" + TRUST
    texts = [text for _, text in load(text).warnings]
    assert texts == [
        "`limits.l.per`: `open` is anonymous, but callers without a credential have no contract: they are refused",
        "`limits.l.per`: callers with an API key have no contract: they are refused",
    ]


def test_a_broken_trust_section_is_not_complained_about_twice() -> None:
    text = added("limits", "l: {quota: 5/hour, per: contract}").replace("per: org", "per: key")
    broken = text + TRUST.replace("https://issuer.acme.example", "acme")
    assert [line for line, _ in problems_of(broken)] == [14]


def test_every_dimension_belongs_to_some_credential() -> None:
    assert set(joined.from_iterable(MAY_HAVE.values())) == set(Dimension)
    assert {each.value for each in CONTRACTS_ONLY} == {"contract", "issuer"}
