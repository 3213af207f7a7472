"""The sentences about a policy: they read well, and they say what refuses whom and how exactly."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.config.compile import load_policy_file
from remit.config.coverage import givers
from remit.config.explain import explain, explain_limit, explain_tool
from remit.config.explain_trust import explain_credentials, explain_issuer
from remit.core.ledger.cells.pace import pace
from remit.core.money import ceil_div
from remit.core.policy import Rate
from remit.core.reasons import Reason
from remit.core.schedule import MINUTE_US
from tests.config.sample import BASE, TRUST, added, load, policy_with

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"


def said(line: str, *, section: str = "limits", text: str | None = None) -> str:
    policy = load(text).policy if text is not None else policy_with(section, line)
    name = line.partition(":")[0]
    if section == "limits":
        sentences = explain_limit(policy, policy.limits[name])
    else:
        tool = policy.tools[name]
        sentences = explain_tool(policy, tool, givers(policy, [tool])[name])
    return " ".join(sentence for sentence in sentences if sentence)


@pytest.mark.parametrize("name", ["payments", "contracts"])
def test_an_example_is_explained_as_an_operator_would_read_it_aloud(name: str) -> None:
    explained = explain(load_policy_file(EXAMPLES / f"{name}.yaml").policy)
    first, _, rest = explained.partition("\n\n")
    assert first.endswith(". All money is in USD.")
    assert rest == (HERE / f"{name}.explained.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_tool_and_every_limit_is_explained_in_lines_that_fit(path: Path) -> None:
    policy = load_policy_file(path).policy
    explained = explain(policy)
    for name in policy.tools:
        assert f"\n  `{name}` is " in explained
    for name in policy.limits:
        assert f"\n  `{name}`: " in explained
    assert max(len(line) for line in explained.splitlines()) <= 100
    assert "  " not in explained.replace("\n    ", " ").replace("\n  ", " ")


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        (
            "l: {quota: 100/hour, per: [agent, tool], tools: [pay]}",
            (
                "`l`: each agent may call `pay` 100 times in any hour; call 101 is refused with `quota_exhausted` until the "
                "oldest has left the window. Exact: no overshoot. What is counted leaves the window up to 1 minute late."
            ),
        ),
        (
            "l: {quota: 500, per: [user, tool]}",
            (
                "`l`: each user may call each tool 500 times in all; call 501 is refused with `lifetime_quota_exhausted` for "
                "good. Exact: no overshoot. Callers whose key names no user are refused with `not_allowed`."
            ),
        ),
        (
            "l: {quota: 1/day, per: [agent, target], tools: [pay], timezone: Europe/Berlin}",
            (
                "`l`: each agent may call `pay` with any one target once per day (Europe/Berlin); call 2 is refused with "
                "`quota_exhausted` until the next day begins. Exact: no overshoot."
            ),
        ),
        (
            "l: {rate: 60/minute, burst: 20, per: [user, org]}",
            (
                "`l`: each pair of user and org may call all tools together 60 times a minute on average, 20 at once; a call "
                "that comes too soon is refused with `rate_limited` until the pace allows it. Exact: never more than 80 calls "
                "are let through in any minute. Callers whose key names no user or no org are refused with `not_allowed`."
            ),
        ),
        (
            "l: {rate: 1/second, max_wait: 5s}",
            (
                "`l`: all callers together may call all tools together once a second on average, 1 at once; a call that comes "
                "too soon waits up to 5 seconds, and one that would have to wait longer is refused with `rate_limited` until "
                "the pace allows it. Exact: never more than 2 calls are let through in any second."
            ),
        ),
        (
            "l: {units: 1000/15m, weigh: {pay: 40}, per: [agent, key, org]}",
            (
                "`l`: each combination of agent, key and org may use 1,000 units in any 15 minutes on all tools together (40 for "
                "`pay`, 1 for any other call); a call that does not fit is refused with `quota_exhausted` until the oldest has "
                "left the window. Exact: no overshoot. What is counted leaves the window up to 15 seconds late. Callers whose "
                "key names no org are refused with `not_allowed`."
            ),
        ),
        (
            "l: {budget: 5 USD, per: session, warn_at: [80%, 99.5%]}",
            (
                "`l`: each session may spend 5.00 USD in all on all tools together; a call that might go beyond is refused with "
                "`budget_exhausted` for good. Exact: no overshoot. It warns at 80% and 99.5%. Calls outside a session are "
                "refused with `session_required`."
            ),
        ),
        (
            "l: {concurrent: 8, per: caller}",
            (
                "`l`: each caller may have 8 calls in flight on all tools together; one more is refused with "
                "`too_many_in_flight` until one of them ends. Exact: no overshoot."
            ),
        ),
        (
            "l: {failures: 30/minute, per: caller, tools: [pay, ask]}",
            (
                "`l`: for each caller, once 30 calls on `pay` and `ask` together failed in any minute, the next one is refused "
                "with `too_many_failures` until the oldest has left the window. Failures are known when calls end: it may be "
                "overshot by the calls in flight, which nothing bounds."
            ),
        ),
        (
            "l: {only: 'mon-fri 22:00-06:00 UTC', agents: ['agent:batch'], tools: [pay, ask]}",
            (
                "`l`: for `agent:batch` only, `pay` and `ask` may be called 22:00 to 06:00 UTC on mon, tue, wed, thu, fri; a call "
                "at another time is refused with `outside_schedule`. Exact, by the clock of the store."
            ),
        ),
        (
            "l: {rate: 0/minute, tools: [pay]}",
            "`l`: no call of `pay` is allowed; every one is refused with `rate_limited`. Exact: no overshoot.",
        ),
        (
            "l: {budget: 0 USD}",
            (
                "`l`: no call of any tool that costs money is allowed; every one is refused with `budget_exhausted`. Exact: no "
                "overshoot."
            ),
        ),
        (
            "l: {quota: 5/hour, per: [user, session], mode: observe}",
            (
                "`l`: each pair of user and session may call all tools together 5 times in any hour; call 6 passes and is only "
                "reported, as what `quota_exhausted` would refuse. It refuses nothing, so its overshoot has no bound. Callers "
                "whose key names no user are not counted. Calls outside a session are not counted."
            ),
        ),
        (
            "l: {budget: 5 USD/month, per: org, mode: soft}",
            (
                "`l`: each org may spend 5.00 USD per month (UTC) on all tools together; a call that might go beyond passes and "
                "is booked as overage. It refuses nothing, so its overshoot has no bound. Callers whose key names no org are "
                "refused with `not_allowed`."
            ),
        ),
    ],
)
def test_a_limit_is_a_few_sentences(line: str, sentences: str) -> None:
    assert said(line) == sentences


@given(
    count=st.integers(1, 9),
    burst=st.integers(1, 9),
    wait_us=st.integers(0, 60_000_000),
    gaps_us=st.lists(st.integers(0, 20_000_000), min_size=1, max_size=60),
)
def test_the_bound_that_is_said_of_a_rate_holds_for_any_calls(
    count: int, burst: int, wait_us: int, gaps_us: list[int]
) -> None:
    rule = Rate(count, MINUTE_US, ceil_div(MINUTE_US, count), burst, wait_us)
    arrival_us, now_us, passed_us = 0, 0, []
    for gap_us in gaps_us:
        now_us += gap_us
        after_us, waits_us, _ = pace(
            arrival_us, now_us=now_us, interval_us=rule.interval_us, burst=burst, n=1, max_wait_us=wait_us
        )
        if after_us is not None:
            arrival_us = after_us
            passed_us.append(now_us + waits_us)
    most = max(sum(start <= at < start + MINUTE_US for at in passed_us) for start in passed_us)
    text = f"l: {{rate: {count}/minute, burst: {burst}}}"
    assert most <= count + burst
    assert f"never more than {count + burst} calls are let through in any minute" in said(text)


def test_the_overshoot_of_failures_is_bounded_by_the_calls_in_flight() -> None:
    text = added("limits", "l: {failures: 3/minute, per: agent}", "slots: {concurrent: 4, per: agent}")
    assert "overshot by the calls in flight, at most 4 (`slots`)." in said("l:", text=text)
    for looser in ("per: user", "per: [agent, tool]", "per: agent, tools: [pay]", "per: agent, mode: observe"):
        assert "which nothing bounds" in said("l:", text=text.replace("4, per: agent", f"4, {looser}"))
    for stricter in ("per: []", "per: agent, mode: enforce"):
        assert "at most 4" in said("l:", text=text.replace("4, per: agent", f"4, {stricter}"))


def test_a_budget_says_that_a_cost_above_its_hold_freezes_it() -> None:
    line = "x: {route: GET /x, upstream: api, price: {hold: 1 USD, actual: header.x-cost}}"
    assert "the budget is frozen" in said("money:", text=added("tools", line))
    assert "frozen" not in said("money:", text=BASE)


def test_a_limit_names_the_anonymous_callers_that_it_refuses() -> None:
    open_tool = "x: {route: GET /x, upstream: api, price: free, anonymous: true}"
    text = added("tools", open_tool) + "  l: {rate: 5/minute, per: user}\n  m: {rate: 5/minute, per: agent}\n"
    assert "Callers whose key names no user or without a credential are refused" in said("l:", text=text)
    assert said("m:", text=text).endswith("Callers without a credential are refused with `not_allowed`.")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "x: {route: GET /x, upstream: api, price: free}",
            "`x` is GET /x at `api`. It reads no arguments. It is free.",
        ),
        (
            "x: {route: POST /x, upstream: api, price: free}",
            "It reads no arguments; whatever its body holds passes unread.",
        ),
        (
            "x: {route: POST /x, upstream: api, price: free, extra: allow, arguments: {who: body.to, n: query.n integer optional}}",
            "It reads `who` from `body.to` and `query.n` (integer, optional); other members of the body pass unread.",
        ),
        (
            "x: {route: GET /x, upstream: api, price: 1.5 USD}",
            "A call costs 1.50 USD, held before it is sent. Where the outcome is not known, 1.50 USD counts as spent.",
        ),
        (
            "x: {route: GET /x, upstream: api, price: {hold: 1 USD, actual: body.usage.cost, free_on: [404, 400]}}",
            (
                "A call holds 1.00 USD before it is sent and costs what `usage.cost` in the answer's JSON says, or 1.00 USD if "
                "that is missing or cannot be read. Answers with status 400 or 404 cost nothing."
            ),
        ),
        (
            "x: {route: GET /x, upstream: api, price: free, anonymous: true}",
            "Anybody may call it, also without a credential.",
        ),
        (
            "x: {route: GET /x, upstream: api, price: free, idempotent: false}",
            "It is never sent twice for one idempotency key.",
        ),
        ("x: {route: GET /x, upstream: api, price: free, risk: high}", "It is high-risk: it is called with"),
        ("x: {route: GET /x, upstream: api, price: free}", "No limit concerns it."),
        ("x: {route: GET /x, upstream: api, price: 1 USD}", "Limits: `money`."),
    ],
)
def test_a_tool_is_a_few_sentences(line: str, says: str) -> None:
    assert says in said(line, section="tools")


def test_every_reason_that_is_said_exists() -> None:
    explained = explain(load_policy_file(EXAMPLES / "payments.yaml").policy)
    codes = [word.strip("`.;,") for word in explained.split() if word.startswith("`") and "_" in word]
    assert codes
    assert {code for code in codes if "." not in code} <= {reason.value for reason in Reason}


def test_a_policy_without_limits_is_told_plainly() -> None:
    text = "version: 1\ncurrency: USD\nupstreams: {a: {url: http://a}}\ntools: {t: {route: GET /t, upstream: a, price: free}}\n"
    assert "There are none: whoever may call a tool may call it without end." in explain(load(text).policy)


def test_sessions_are_explained_with_their_caps() -> None:
    policy = policy_with("top", "sessions: {lifetime: 2h, idle: 10m, open_per_caller: 3, budget: 5 USD, calls: 1}")
    assert explain(policy).endswith(
        "  A caller may have 3 open at once; each lives for at most 2 hours, or until nothing was called for\n"
        "    10 minutes. It may make at most 1 call and spend at most 5.00 USD; a caller may ask for less.\n"
    )


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ("l: {quota: 5/hour, per: agent}", "A call under a contract counts for every holder of its chain."),
        (
            "l: {quota: 5/hour, per: [contract, user]}",
            (
                "A call counts for every contract of its chain. Callers whose credential names no user or with an API key are "
                "refused with `not_allowed`."
            ),
        ),
        ("l: {quota: 5/hour, per: issuer, mode: observe}", "Callers with an API key are not counted."),
        (
            "l: {quota: 5/hour, per: session}",
            (
                "All calls under one root are one session, unless they name another. Calls with an API key outside a session "
                "are refused with `session_required`."
            ),
        ),
        ("l: {concurrent: 5, per: [key, caller]}", "Holders of contracts can have any number of keys and callers, by"),
    ],
)
def test_a_limit_says_how_contracts_are_counted_where_they_are_accepted(limit: str, says: str) -> None:
    assert says in said(limit, text=added("limits", limit) + TRUST)
    if "contract" not in limit and "issuer" not in limit:
        assert "contract" not in said(limit)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            "tools: [pay, ask]",
            (
                "Contracts of `acme`, which signs as `https://issuer.acme.example`: they may allow `pay` and `ask`, for at most "
                "90 days. They may bill no org. No budget of its own bounds what is spent under them."
            ),
        ),
        ("tools: [pay, '*']", "they may allow every tool, for at most 90 days."),
        ("tools: [pay], lifetime: 8h, orgs: [a, b]", "for at most 8 hours. They may bill the org `a` or `b`."),
        (
            "tools: [pay], budget: 5 USD",
            (
                "Everything under one root, or under the roots of one account, may spend 5.00 USD in all; how many there are "
                "is up to the issuer."
            ),
        ),
        ("tools: [pay], plain_jwt: true", "They may have the type `JWT`, as well as `aat+jwt`."),
    ],
)
def test_an_issuer_is_a_few_sentences(fields: str, says: str) -> None:
    text = BASE + TRUST.replace('tools: ["*"], orgs: [acme]', fields)
    assert says in " ".join(explain_issuer(load(text).policy.trust["acme"]))


def test_a_tool_says_whose_contracts_may_allow_it() -> None:
    text = BASE + TRUST.replace('"*"', "pay")
    assert "Contracts of `acme` may allow it." in said("pay:", section="tools", text=text)
    assert "No contract may allow it." in said("ask:", section="tools", text=text)


def test_credentials_are_explained_with_the_ledger_and_the_proofs() -> None:
    def sentences(text: str) -> list[str]:
        return [" ".join(part for part in parts if part) for parts in explain_credentials(load(text).policy)]

    assert sentences(BASE) == [
        "API keys: each for the tools that it was made for.",
        "Contracts: none are accepted, because the policy trusts no issuer.",
        (
            "Proofs: an API key that is bound to a key of its holder is accepted with a proof that was made for this very call, "
            "at most 30 seconds ago, and each proof once."
        ),
    ]
    _, _, counted, proofs = sentences(f"{BASE}{TRUST}proof: {{window: 1m, nonces: true}}\n")
    assert counted == (
        "Limits of contracts: counted here where they name `https://api.example.com`; contracts whose limits name another "
        "guard are refused."
    )
    assert proofs.startswith(
        "Proofs: a contract, or an API key that is bound to a key of its holder, is accepted with a"
    )
    assert proofs.endswith("at most 1 minute ago, and each proof once. It must repeat a nonce that the gateway gave.")
    assert sentences(BASE + TRUST.partition("\n")[2])[2] == (
        "Limits of contracts: not counted here, so contracts that carry any are refused."
    )
