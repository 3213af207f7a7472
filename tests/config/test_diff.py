"""What a change of policy says: added, removed, changed, looser or stricter, and what becomes of counters."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.config.compile import load_policy_file
from remit.config.diff import diff
from remit.config.limit_changes import explain_changed
from remit.core.caller import Caller, CredentialKind, Session
from remit.core.ledger.operations import Check, Pace
from remit.core.policy import Policy
from remit.core.prepare import prepare
from remit.core.template import Template
from tests.config.sample import BASE, TRUST, added, load, policy_with

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOW_US = 1_780_000_000_000_000
CALLER = Caller(
    kind=CredentialKind.API_KEY, id="k1", address="10.0.0.0/24", agent="bot", user="ann", org="acme", tools=("*",),
    session=Session(id="s1", expires_us=NOW_US * 2),
)  # fmt: skip


def limit_change(before: str, after: str) -> list[str]:
    return diff(policy_with("limits", f"l: {{{before}}}"), policy_with("limits", f"l: {{{after}}}"))


def cells(policy: Policy) -> set[str]:
    """The cells that limit `l` charges for one call, by the names that the ledger gives them."""
    alone = Policy(digest="", currency=policy.currency, tools=policy.tools, limits={"l": policy.limits["l"]})
    template = prepare(alone, CALLER, policy.tools["pay"], target="x", priced=True, now_us=NOW_US)
    assert isinstance(template, Template)
    counted = {operation.key for operation in template.admit if isinstance(operation, Pace | Check)}
    return counted | {entry.key for entry in template.entries}


def test_a_policy_does_not_differ_from_itself() -> None:
    for path in EXAMPLES.glob("*.yaml"):
        policy = load_policy_file(path).policy
        assert diff(policy, policy) == []


def test_comments_and_the_order_of_fields_are_no_difference() -> None:
    other = BASE.replace("budget: 10 USD/day, per: org", "per: org, budget: 10 USD/day")
    assert diff(load(BASE).policy, load(f"# a comment\n{other}").policy) == []


def test_a_higher_maximum_is_looser_and_keeps_the_counter() -> None:
    assert limit_change("quota: 100/hour, per: agent", "quota: 200/hour, per: agent") == [
        "limit `l`: 100 calls in any hour becomes 200 calls in any hour; looser; its counter is kept."
    ]


def test_another_window_starts_at_zero() -> None:
    assert limit_change("quota: 100/hour, per: agent", "quota: 100/2h, per: agent") == [
        "limit `l`: 100 calls in any hour becomes 100 calls in any 2 hours; stricter; its counter starts at zero."
    ]


def test_another_dimension_starts_at_zero() -> None:
    assert limit_change("quota: 100/hour, per: agent", "quota: 100/hour, per: [agent, tool]") == [
        "limit `l`: it counts per agent and tool instead of per agent; looser; its counter starts at zero."
    ]


@pytest.mark.parametrize(
    ("before", "after", "effect", "kept"),
    [
        ("quota: 5/hour", "quota: 4/hour", "stricter", True),
        ("quota: 5/hour", "quota: 5/day", "stricter", False),
        ("quota: 5/hour", "quota: 200/day", "looser in part, stricter in part", False),
        ("quota: 5/day", "quota: 5/24h", "stricter", False),
        ("quota: 5/hour", "quota: 5", "stricter", False),
        ("quota: 5/day", "quota: 5/day, timezone: Europe/Berlin", "neither looser nor stricter", False),
        ("quota: 5/hour", "units: 5/hour", "looser in part, stricter in part", False),
        ("quota: 5/hour", "quota: 5/hour, mode: observe", "looser", True),
        ("quota: 5/hour, mode: soft", "quota: 5/hour", "stricter", True),
        ("quota: 5/hour", "quota: 5/hour, tools: [pay]", "looser", True),
        ("quota: 5/hour, tools: [pay]", "quota: 5/hour, tools: [ask]", "looser in part, stricter in part", True),
        ("quota: 5/hour, tools: ['*']", "quota: 5/hour", "neither looser nor stricter", True),
        ("quota: 5/hour", "quota: 5/hour, agents: ['agent:a']", "looser", True),
        ("quota: 5/hour, agents: ['agent:a']", "quota: 5/hour, agents: ['agent:a', 'agent:b']", "stricter", True),
        ("quota: 5/hour, agents: ['agent:a']", "quota: 5/hour", "stricter", True),
        ("quota: 5/hour", "quota: 5/hour, warn_at: [80%]", "neither looser nor stricter", True),
        ("quota: 5/hour, per: [user, tool]", "quota: 5/hour, per: user", "stricter", False),
        ("quota: 5/hour, per: user", "quota: 5/hour, per: org", "looser in part, stricter in part", False),
        ("quota: 5/hour", "quota: 6/hour, per: agent", "looser", False),
        ("rate: 60/minute", "rate: 90/minute", "looser", True),
        ("rate: 60/minute", "rate: 1/second", "stricter", False),
        ("rate: 60/minute", "rate: 60/minute, burst: 10", "stricter", True),
        ("rate: 60/minute", "rate: 60/minute, max_wait: 5s", "looser", True),
        ("rate: 60/minute", "rate: 120/minute, burst: 10", "looser in part, stricter in part", True),
        ("budget: 5 USD/day", "budget: 6 USD/day", "looser", True),
        ("budget: 5 USD/day", "budget: 5 USD/week", "stricter", False),
        ("concurrent: 5", "concurrent: 4", "stricter", True),
        ("failures: 5/minute", "failures: 9/minute", "looser", True),
        ("failures: 5/minute", "failures: 5/hour", "stricter", False),
        ("units: 5/hour, weigh: {pay: 2}", "units: 5/hour, weigh: {pay: 3}", "stricter", True),
        ("units: 5/hour", "units: 6/hour, weigh: {pay: 3}", "looser in part, stricter in part", True),
        ("only: 02:00-04:00 UTC", "only: 02:00-05:00 UTC", "looser", None),
        ("only: 22:00-06:00 UTC", "only: mon-fri 22:00-06:00 UTC", "stricter", None),
        ("only: 02:00-04:00 UTC", "only: 03:00-05:00 UTC", "looser in part, stricter in part", None),
        ("only: 02:00-04:00 UTC", "only: 02:00-04:00 Europe/Berlin", "looser in part, stricter in part", None),
    ],
)
def test_a_changed_limit_says_its_effect_and_what_becomes_of_its_counter(
    before: str, after: str, effect: str, kept: bool | None
) -> None:
    (sentence,) = limit_change(before, after)
    fate = {True: "; its counter is kept.", False: "; its counter starts at zero.", None: "."}[kept]
    assert sentence.endswith(f"; {effect}{fate}")


RULES = st.sampled_from(
    [
        "rate: 5/minute", "rate: 9/minute", "rate: 5/60s", "rate: 5/hour", "quota: 5/hour", "quota: 6/60m", "quota: 6/day",
        "quota: 6/day, timezone: Asia/Tokyo", "quota: 6/24h", "quota: 6", "units: 6/hour", "units: 6/hour, weigh: {pay: 2}",
        "budget: 1 USD/day", "budget: 2 USD/day", "budget: 2 USD", "concurrent: 5", "concurrent: 6", "failures: 5/hour",
        "failures: 6/hour", "failures: 6/day",
    ]
)  # fmt: skip
PER = st.sampled_from(
    ["[]", "agent", "user", "org", "key", "[user, tool]", "[tool, user]", "session", "address", "target"]
)
REST = st.sampled_from(["", ", mode: observe", ", mode: soft", ", tools: [pay]", ", agents: ['agent:bot']"])


@given(st.tuples(RULES, PER, REST), st.tuples(RULES, PER, REST))
def test_a_counter_is_said_to_be_kept_exactly_when_the_ledger_finds_it_again(
    before: tuple[str, str, str], after: tuple[str, str, str]
) -> None:
    old, new = (policy_with("limits", f"l: {{{rule}, per: {per}{rest}}}") for rule, per, rest in (before, after))
    sentence = explain_changed(old.limits["l"], new.limits["l"], old, new)
    assert ("its counter is kept" in sentence) == (cells(old) == cells(new))
    assert ("its counter starts at zero" in sentence) == (cells(old) != cells(new))


def test_added_and_removed_limits_are_described_in_full() -> None:
    less, more = load(BASE).policy, policy_with("limits", "l: {quota: 5/hour, per: agent, tools: [pay]}")
    words = "5 calls in any hour, counted per agent, for `pay`"
    assert diff(less, more) == [f"limit `l` is added: {words}; stricter; it starts at zero."]
    assert diff(more, less) == [f"limit `l` is removed: it was {words}; looser; its counter is no longer read."]


def test_tools_and_prices_are_compared() -> None:
    old = load(BASE).policy
    text = BASE.replace("price: 1 USD", "price: {hold: 2 USD, actual: header.x-cost, free_on: [404]}, extra: allow")
    text = text.replace("ask: {", "look: {").replace(
        "url: http://127.0.0.1:9000", "url: http://127.0.0.1:9001, timeout: 1m"
    )
    assert diff(old, load(text).policy) == [
        "upstream `api`: its `url` changes from `http://127.0.0.1:9000` to `http://127.0.0.1:9001`.",
        "upstream `api`: its `timeout` changes from 30 seconds to 1 minute.",
        "tool `look` is added: GET /ask/{id}, free.",
        "tool `ask` is removed: calls of it are refused.",
        "tool `pay`: its `extra` changes from `refuse` to `allow`.",
        (
            "tool `pay`: its `price` changes from 1.00 USD a call to 2.00 USD held and the actual cost from `header.x-cost`, "
            "nothing on status 404: dearer."
        ),
    ]


def test_every_field_of_a_tool_is_compared() -> None:
    old = policy_with("tools", 'x: {route: "GET /x/{id}", upstream: api, price: free}')
    line = (
        'x: {route: "POST /y/{id}", upstream: api, price: 1 USD, arguments: {to: body.to}, target: to, risk: high, '
        "idempotent: false, polling: true, max_body: 1 KiB, timeout: 2s}"
    )
    sentences = diff(old, policy_with("tools", line))
    for field in ("route", "arguments", "target", "price", "risk", "idempotent", "polling", "max_body", "timeout"):
        assert any(sentence.startswith(f"tool `x`: its `{field}` changes from") for sentence in sentences), field
    assert len(sentences) == 9


def test_what_needs_a_restart_is_said() -> None:
    old = load(BASE).policy
    new = load(added("top", "store: sqlite:///other.db", "listen: 127.0.0.1:9090").replace("USD", "EUR")).policy
    assert diff(old, new)[:5] == [
        "`currency` changes from `USD` to `EUR`. The gateway must be restarted for it.",
        "`listen` changes from `127.0.0.1:8080` to `127.0.0.1:9090`. The gateway must be restarted for it.",
        "`store` changes from `sqlite:///remit.db` to `sqlite:///other.db`. The gateway must be restarted for it.",
        "Every budget starts at zero in EUR.",
        "Every counter, key and session stays in the old store; the new one starts with what it holds.",
    ]


def test_sessions_and_the_audit_log_are_compared() -> None:
    new = policy_with(
        "top",
        "sessions: {lifetime: 2h, idle: 1m, open_per_caller: 1, budget: 5 USD, calls: 9}",
        "audit: {redact: [body.to]}",
        "redact_numbers: true",
        "public_url: https://api.example.com",
        "trusted_proxies: [10.0.0.0/8]",
        "proof: {window: 1m, nonces: true}",
    )
    assert diff(load(BASE).policy, new) == [
        "`public_url` changes from none to `https://api.example.com`.",
        "`trusted_proxies` changes from none to `10.0.0.0/8`.",
        "`redact_numbers` changes from `false` to `true`.",
        "`proof.window` changes from 30 seconds to 1 minute.",
        "`proof.nonces` changes from `false` to `true`.",
        "`sessions.lifetime` changes from 1 day to 2 hours.",
        "`sessions.idle` changes from 1 hour to 1 minute.",
        "`sessions.open_per_caller` changes from `100` to `1`.",
        "`sessions.budget` changes from none to `5.00 USD`.",
        "`sessions.calls` changes from none to `9`.",
        "`audit.redact` changes from none to `body.to`.",
    ]


def test_issuers_that_come_and_go_are_said() -> None:
    none, some = load(BASE).policy, load(BASE + TRUST).policy
    assert diff(none, some) == [
        "issuer `acme` is added: its contracts may allow `*`, for at most 90 days; looser.",
    ]
    assert diff(some, none) == [
        "issuer `acme` is removed: contracts of `https://issuer.acme.example` are refused; stricter.",
    ]


def test_another_ledger_refuses_the_contracts_that_name_the_one_before() -> None:
    old, new = (load(BASE + text).policy for text in (TRUST, TRUST.replace("//api.", "//b.")))
    assert diff(old, new) == [
        "`ledger` changes from `https://api.example.com` to `https://b.example.com`.",
        "Contracts whose limits name `https://api.example.com` are refused.",
    ]


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (
            "iss: https://issuer.acme.example",
            "iss: urn:acme",
            (
                "`iss` changes from `https://issuer.acme.example` to `urn:acme`: contracts of the former are refused, and "
                "what those of the latter count starts at zero."
            ),
        ),
        ("keys/acme", "keys/b", "`jwks_file` changes from `keys/acme.jwks.json` to `keys/b.jwks.json`."),
        ('tools: ["*"]', "tools: [pay]", "`tools` change from `*` to `pay`; stricter."),
        (
            'tools: ["*"]',
            "tools: [ask, pay]",
            "`tools` change from `*` to `ask` and `pay`; neither looser nor stricter.",
        ),
        ("tools: [pay]", "tools: [ask]", "`tools` change from `pay` to `ask`; looser in part, stricter in part."),
        ("orgs: [acme]", "orgs: [acme, b]", "`orgs` change from `acme` to `acme` and `b`; looser."),
        ("orgs: [b, acme]", "orgs: [acme]", "`orgs` change from `b` and `acme` to `acme`; stricter."),
        ("orgs: [acme]", "orgs: [acme], lifetime: 24h", "`lifetime` changes from 90 days to 1 day; stricter."),
        (
            "orgs: [acme], lifetime: 1h",
            "orgs: [acme], lifetime: 2h",
            "`lifetime` changes from 1 hour to 2 hours; looser.",
        ),
        (
            "orgs: [acme]",
            "orgs: [acme], budget: 5 USD",
            "`budget` changes from none to 5.00 USD; stricter; its counters start at zero.",
        ),
        (
            "orgs: [acme], budget: 5 USD",
            "orgs: [acme], budget: 6 USD",
            "`budget` changes from 5.00 USD to 6.00 USD; looser; its counters are kept.",
        ),
        ("orgs: [acme], budget: 5 USD", "orgs: [acme]", "`budget` changes from 5.00 USD to none; looser."),
        ("orgs: [acme]", "orgs: [acme], plain_jwt: true", "`plain_jwt` changes to `true`; looser."),
        ("orgs: [acme], plain_jwt: true", "orgs: [acme]", "`plain_jwt` changes to `false`; stricter."),
    ],
)
def test_a_changed_issuer_says_what_it_means_for_its_contracts(before: str, after: str, sentence: str) -> None:
    field = before.partition(":")[0]
    base = {"tools": 'tools: ["*"]', "orgs": "orgs: [acme]"}.get(field, before)
    old, new = (load(BASE + TRUST.replace(base, text)).policy for text in (before, after))
    assert diff(old, new) == [f"issuer `acme`: its {sentence}"]


def test_a_budget_in_another_currency_starts_at_zero() -> None:
    trust = TRUST.replace("orgs: [acme]", "orgs: [acme], budget: 5 USD")
    old, new = load(BASE + trust).policy, load((BASE + trust).replace("USD", "EUR")).policy
    assert "issuer `acme`: its `budget` changes from 5.00 USD to 5.00 EUR; its counters start at zero." in diff(
        old, new
    )
