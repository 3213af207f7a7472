"""What the texts of a policy become: the compiled form, its defaults and its warnings."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.config.compile import load_policy, load_policy_file
from remit.config.diff import diff
from remit.config.explain import explain
from remit.core.match import Parameter
from remit.core.policy import (
    ActualSource,
    Argument,
    AuditRules,
    Budget,
    Concurrent,
    Dimension,
    Failures,
    Limit,
    Mode,
    Only,
    Price,
    ProofRules,
    Quota,
    Rate,
    Risk,
    SessionRules,
    Units,
    Upstream,
)
from remit.core.schedule import HOUR_US, MINUTE_US, SECOND_US, Calendar, CalendarUnit, OnlyWindow
from remit.core.units import Life, Rolling
from remit.errors import PolicyError
from tests.config.sample import BASE, added, added_line, attempt, limit_of, load, policy_with, tool_of

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.yaml"))


def test_the_digest_is_that_of_the_text() -> None:
    assert load(BASE).policy.digest == hashlib.sha256(BASE.encode()).hexdigest()
    assert load_policy(BASE.encode()).policy.digest == load(BASE).policy.digest
    assert load(f"{BASE}# more\n").policy.digest != load(BASE).policy.digest


def test_what_is_left_out_has_the_documented_defaults() -> None:
    policy = load(BASE).policy
    assert (policy.listen, policy.public_url, policy.store) == ("127.0.0.1:8080", "", "sqlite:///remit.db")
    assert policy.trusted_proxies == ()
    assert policy.redact_numbers is False
    assert policy.sessions == SessionRules()
    assert policy.audit == AuditRules()
    assert (policy.ledger, policy.trust, policy.proof) == ("", {}, ProofRules())
    assert policy.upstreams["api"] == Upstream(name="api", url="http://127.0.0.1:9000")


def test_a_limit_has_the_documented_defaults() -> None:
    assert limit_of("l: {quota: 5/hour}") == Limit(name="l", rule=Quota(5, Rolling(HOUR_US)))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("rate: 60/minute", Rate(60, MINUTE_US, SECOND_US, 60)),
        ("rate: 7/second", Rate(7, SECOND_US, 142_858, 7)),
        ("rate: 10000/second", Rate(10_000, SECOND_US, 100, 10_000)),
        ("rate: 5/second, burst: 20, max_wait: 2s", Rate(5, SECOND_US, 200_000, 20, 2 * SECOND_US)),
        ("rate: 0/minute", Rate(0, MINUTE_US, MINUTE_US, 0)),
        ("rate: 1000/15m", Rate(1000, 15 * MINUTE_US, 900_000, 1000)),
        ("quota: 100/hour", Quota(100, Rolling(HOUR_US))),
        ("quota: 10/day", Quota(10, Calendar(CalendarUnit.DAY, "UTC"))),
        ("quota: 10/month, timezone: Europe/Berlin", Quota(10, Calendar(CalendarUnit.MONTH, "Europe/Berlin"))),
        ("quota: 500", Quota(500, Life())),
        ("quota: '500'", Quota(500, Life())),
        ("quota: 0/hour", Quota(0, Rolling(HOUR_US))),
        ("units: 1000/minute, weigh: {pay: 40}", Units(1000, Rolling(MINUTE_US), {"pay": 40})),
        ("budget: 50 USD/day", Budget(50_000_000, Calendar(CalendarUnit.DAY, "UTC"))),
        ("budget: 0.000001 USD", Budget(1, Life())),
        ("budget: 0 USD", Budget(0, Life())),
        ("concurrent: 8", Concurrent(8)),
        ("concurrent: 0", Concurrent(0)),
        ("failures: 30/minute", Failures(30, Rolling(MINUTE_US))),
        (
            "only: 02:00-04:00 Europe/Berlin",
            Only(OnlyWindow(from_minute=120, until_minute=240, timezone="Europe/Berlin")),
        ),
    ],
)
def test_a_rule_becomes_integers(text: str, rule: object) -> None:
    assert limit_of(f"l: {{{text}}}").rule == rule


@given(count=st.integers(1, 10**9), seconds=st.integers(1, 10**6))
def test_the_interval_of_a_rate_is_never_shorter_than_asked_for(count: int, seconds: int) -> None:
    text = BASE + f"  l: {{rate: {count}/{seconds}s, burst: 1}}\n"
    if count > 10_000 * seconds:
        with pytest.raises(PolicyError, match="10000/second"):
            load_policy(text)
        return
    rule = load_policy(text).policy.limits["l"].rule
    assert isinstance(rule, Rate)
    assert rule.interval_us * count >= rule.per_us > (rule.interval_us - 1) * count


def test_the_fields_of_a_limit_are_kept_in_the_order_written() -> None:
    limit = limit_of(
        "l: {quota: 5/hour, per: [user, tool], tools: [pay, ask], agents: ['key:k1', 'agent:bot'], mode: soft, "
        "warn_at: [95%, 50%, 99.5%]}"
    )
    assert limit.per == (Dimension.USER, Dimension.TOOL)
    assert limit.tools == ("pay", "ask")
    assert limit.agents == ("key:k1", "agent:bot")
    assert limit.mode is Mode.SOFT
    assert limit.warn_at_permille == (500, 950, 995)


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("free", Price(hold_micros=0)),
        ("1.58 USD", Price(hold_micros=1_580_000)),
        ("{hold: 0.35 USD}", Price(hold_micros=350_000)),
        (
            "{hold: 0.35 USD, actual: header.X-Cost, free_on: [404, 422, 503]}",
            Price(
                hold_micros=350_000,
                actual=ActualSource.HEADER,
                actual_name="x-cost",
                free_on=frozenset({404, 422, 503}),
            ),
        ),
        (
            "{hold: 1 USD, actual: body.usage.cost}",
            Price(hold_micros=1_000_000, actual=ActualSource.BODY, actual_name="usage.cost"),
        ),
    ],
)
def test_a_price_becomes_micros_and_a_place(text: str, price: Price) -> None:
    assert tool_of(f"x: {{route: GET /x, upstream: api, price: {text}}}").price == price


def test_arguments_are_typed_and_the_routes_own_parameters_are_added() -> None:
    tool = tool_of(
        'x: {route: "POST /x/{id}/{part}", upstream: api, price: free, arguments: {id: path.id integer, '
        "page: query.page integer optional, tenant: header.X-Tenant, amount: body.amount money}}"
    )
    assert tool.arguments == (
        Argument(name="id", source="path", member="id", type="integer"),
        Argument(name="page", source="query", member="page", type="integer", required=False),
        Argument(name="tenant", source="header", member="x-tenant", type="string"),
        Argument(name="amount", source="body", member="amount", type="money"),
        Argument(name="part", source="path", member="part", type="string"),
    )
    assert tool.route is not None
    assert tool.route.segments[1:] == (Parameter("id"), Parameter("part"))


def test_every_field_of_a_tool_reaches_the_compiled_form() -> None:
    tool = tool_of(
        "x: {route: POST /x, upstream: api, arguments: {to: body.to}, extra: allow, target: to, price: free, "
        "risk: high, idempotent: false, polling: true, max_body: 64 KiB, timeout: 10s}"
    )
    assert (tool.extra_arguments, tool.target, tool.risk) == (True, "to", Risk.HIGH)
    assert (tool.idempotent, tool.anonymous, tool.polling) == (False, False, True)
    assert (tool.max_body_bytes, tool.timeout_us) == (65_536, 10 * SECOND_US)


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("512 B", 512), ("1KiB", 1024), ("64 MiB", 67_108_864)])
def test_a_size_is_bytes(text: str, size: int) -> None:
    assert tool_of(f"x: {{route: POST /x, upstream: api, price: free, max_body: {text}}}").max_body_bytes == size


def test_an_upstream_is_put_together_from_checked_parts() -> None:
    policy = policy_with(
        "upstreams",
        "a: {url: https://x}",
        "b: {url: 'https://LLM.Internal:8443/', timeout: 2s, credential: secret:llm-key, connections: 4}",
        "c: {url: 'http://[::1]:9000', credential: secret:k, credential_header: X-API-Key}",
        'd: {url: http://h, timeout: 10m, connect_timeout: 1s, credential: secret:k, credential_prefix: "Key "}',
    )
    assert policy.upstreams["b"] == Upstream(
        name="b",
        url="https://llm.internal:8443",
        timeout_us=2 * SECOND_US,
        connect_timeout_us=2 * SECOND_US,
        credential="llm-key",
        connections=4,
    )
    assert policy.upstreams["c"].url == "http://[::1]:9000"
    assert (policy.upstreams["c"].credential_header, policy.upstreams["c"].credential_prefix) == ("x-api-key", "")
    assert (policy.upstreams["d"].credential_header, policy.upstreams["d"].credential_prefix) == (
        "authorization",
        "Key ",
    )
    assert policy.upstreams["d"].connect_timeout_us == SECOND_US


def test_the_rest_of_a_policy_is_read() -> None:
    policy = policy_with(
        "top",
        "listen: '[::]:0'",
        "public_url: https://API.example.com/",
        "store: sqlite:////var/lib/remit/remit.db",
        "trusted_proxies: [127.0.0.1, 10.0.0.0/8, 'fd00::/8']",
        "sessions: {lifetime: 2h, idle: 10m, open_per_caller: 3, budget: 5 USD, calls: 200}",
        "audit: {redact: [body.to, header.X-User]}",
        "redact_numbers: true",
    )
    assert (policy.listen, policy.public_url) == ("[::]:0", "https://api.example.com")
    assert policy.store == "sqlite:////var/lib/remit/remit.db"
    assert policy.trusted_proxies == ("127.0.0.1/32", "10.0.0.0/8", "fd00::/8")
    assert policy.sessions == SessionRules(
        lifetime_us=2 * HOUR_US, idle_us=10 * MINUTE_US, open_per_caller=3, max_budget_micros=5_000_000, max_calls=200
    )
    assert policy.audit == AuditRules(redact=("body.to", "header.X-User"))
    assert policy.redact_numbers is True


def test_a_short_lifetime_shortens_the_idle_time_that_nobody_asked_for() -> None:
    assert policy_with("top", "sessions: {lifetime: 10m}").sessions.idle_us == 10 * MINUTE_US


def test_a_relative_store_lies_beside_the_policy_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "policy.yaml").write_text(BASE, encoding="utf-8")
    absolute = load_policy_file(folder / "policy.yaml").policy.store
    assert absolute == f"sqlite:///{folder}/remit.db"
    monkeypatch.chdir(folder)
    assert load_policy_file("policy.yaml").policy.store == absolute


def test_a_draft_can_be_read_as_if_it_lay_beside_the_policy_that_it_shall_replace(tmp_path: Path) -> None:
    (tmp_path / "draft").mkdir()
    for path in (tmp_path / "policy.yaml", tmp_path / "draft" / "policy.yaml"):
        path.write_text(BASE, encoding="utf-8")
    running = load_policy_file(tmp_path / "policy.yaml").policy
    draft = load_policy_file(tmp_path / "draft" / "policy.yaml", folder=tmp_path).policy
    assert diff(running, draft) == []


@pytest.mark.parametrize(
    ("section", "line", "at", "says"),
    [
        ("top", "store: 'memory:'", None, "`store`: forgets everything when the process ends"),
        ("top", "public_url: http://api.example.com", None, "`public_url`: is not encrypted"),
        ("top", "trusted_proxies: [0.0.0.0/0]", None, "`trusted_proxies[0]`: trusts everybody"),
        ("top", "audit: {redact: [body.card]}", None, "`audit.redact[0]`: no tool reads `body.card`"),
        ("upstreams", "u: {url: http://a}", None, "`upstreams.u`: no tool uses it"),
        ("tools", "x: {route: GET /x, upstream: api, price: free, risk: high}", None, "`tools.x.risk`: no contract"),
        (
            "tools",
            "x: {route: GET /x, upstream: api, price: 11 USD}",
            10,
            "`x` can never be called: it holds 11.00 USD",
        ),
        ("limits", "l: {budget: 5 USD, tools: [ask]}", None, "`limits.l`: has no effect: none of the tools"),
        ("limits", "l: {units: 5/hour, weigh: {pay: 6}}", None, "`pay` can never be called: it weighs 6"),
        ("limits", "l: {quota: 5/hour, per: target}", None, "`ask` names no `target`"),
    ],
)
def test_what_is_allowed_but_hardly_meant_is_a_warning(section: str, line: str, at: int | None, says: str) -> None:
    warnings = load(added(section, line)).warnings
    assert [number for number, text in warnings if says in text] == [at or added_line(section)], warnings


def test_a_limit_that_refuses_every_anonymous_caller_is_a_warning() -> None:
    text = added("tools", "open: {route: GET /open, upstream: api, price: free, anonymous: true}")
    per_agent, per_address = (
        text + "  l: {rate: 5/minute, per: agent}\n",
        text + "  l: {rate: 5/minute, per: address}\n",
    )
    assert load(per_address).warnings == ()
    assert load(per_agent).warnings == (
        (11, "`limits.l.per`: `open` is anonymous, but callers without a credential have no agent: they are refused"),
    )
    observed = per_agent.replace("per: agent}", "per: agent, mode: observe}")
    assert load(observed).warnings == ()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_right_without_a_warning(path: Path) -> None:
    loaded = load_policy_file(path)
    assert loaded.warnings == ()
    assert all(upstream.url.startswith("http://127.0.0.1:") for upstream in loaded.policy.upstreams.values())


def test_there_are_the_examples_that_the_documentation_names() -> None:
    assert [path.name for path in EXAMPLES] == [
        "batch-window.yaml", "contracts.yaml", "llm.yaml", "minimal.yaml", "payments.yaml"
    ]  # fmt: skip


@given(st.data())
def test_a_damaged_policy_is_refused_or_still_means_something(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(EXAMPLES)).read_text(encoding="utf-8")
    at = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 12))
    damaged = text[:at] + data.draw(st.text(" \n:{}[],#'\"0aé/-", max_size=4)) + text[at + length :]
    loaded = attempt(damaged)
    if isinstance(loaded, PolicyError):
        assert loaded.problems
        assert all(0 <= line <= damaged.count("\n") + 1 for line, _ in loaded.problems)
    else:
        assert explain(loaded.policy).endswith("\n")
        assert diff(loaded.policy, loaded.policy) == []
