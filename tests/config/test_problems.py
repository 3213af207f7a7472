"""Every mistake that the reference names: reported on its line, with its path, and with what to do."""

import pytest

from remit.config.compile import load_policy, load_policy_file
from remit.config.problems import MAX_PROBLEMS
from remit.errors import PolicyError
from tests.config.sample import BASE, added, added_line, problems_of

TOOL = "x: {{route: {route}, upstream: api, price: free{more}}}"


def tool(more: str = "", route: str = "GET /x") -> str:
    return TOOL.format(route=route, more=f", {more}" if more else "")


def issuer(fields: str = "", *, without: str = "") -> str:
    """A `trust` section with one issuer, some of its fields replaced, added or left out."""
    shape = {"iss": "https://i.example", "jwks_file": "k.json", "tools": "[pay]"}
    shape |= dict(field.split(": ", 1) for field in fields.split("; ") if field)
    items = ", ".join(f"{name}: {value}" for name, value in shape.items() if name != without)
    return f"trust: {{issuers: {{acme: {{{items}}}}}}}"


TRUST = [
    ("trust: {}", "`trust.issuers` is missing: write for example `issuers: {acme: {iss: https://issuer.acme.example,"),
    ("trust: [acme]", "`trust`: must be a mapping of fields, not a list"),
    ("trust: {issuers: {}}", "`trust.issuers`: names no issuer: add one, or leave `trust` out"),
    ("trust: {issuers: [acme]}", "`trust.issuers`: must be a mapping of fields, not a list"),
    ("trust: {issuers: {acme: k.json}}", "`trust.issuers.acme`: must be a mapping of fields"),
    ("trust: {isuers: {}}", "`trust.isuers` is not a field of `trust`; did you mean `issuers`?"),
    (issuer()[:-1] + ", identity_providers: {}}", "`trust.identity_providers` is not supported yet"),
    (issuer().replace("acme:", "'a b':"), "the issuer `a b` is not a name"),
    (
        issuer(without="iss"),
        "`trust.issuers.acme.iss` is missing: write for example `iss: https://issuer.acme.example`",
    ),
    (issuer(without="jwks_file"), "`trust.issuers.acme.jwks_file` is missing"),
    (issuer(without="tools"), "`trust.issuers.acme.tools` is missing: write for example `tools: [payments.*, risk"),
    (issuer("iss: acme"), "`trust.issuers.acme.iss`: `acme` is not a URI"),
    (issuer("iss: https://me:pw@i.example"), "`trust.issuers.acme.iss`: a URI must not hold a user or a password"),
    (issuer("jwks_file: https://i.example/jwks"), "`trust.issuers.acme.jwks_file`: is a URL, and nothing is fetched"),
    (issuer("jwks_file: keys/"), "`keys/` is not the path of a file: write one such as `keys/acme.jwks.json`"),
    (issuer("jwks_file: ''"), "`trust.issuers.acme.jwks_file`: `` is not the path of a file"),
    (issuer("tools: []"), "`trust.issuers.acme.tools`: names no tool, so no contract could allow anything"),
    (issuer("tools: [pey]"), "`trust.issuers.acme.tools[0]`: no tool is called `pey`; did you mean `pay`?"),
    (issuer("tools: [pay, 'zz.*']"), "`trust.issuers.acme.tools[1]`: no tool is called `zz.*`"),
    (issuer("tools: ['p*']"), "`p*` is not a tool pattern"),
    (issuer("tools: [pay, pay]"), "`trust.issuers.acme.tools[1]`: `pay` stands twice"),
    (issuer("tools: pay"), "`trust.issuers.acme.tools`: must be a list such as `[payments.*, risk.validate]`"),
    (issuer("orgs: [a b]"), "`trust.issuers.acme.orgs[0]`: the org `a b` is not a name"),
    (issuer("orgs: [a, a]"), "`trust.issuers.acme.orgs[1]`: `a` stands twice"),
    (issuer("lifetime: 91 days"), "`trust.issuers.acme.lifetime`: `91 days` is too long"),
    (issuer("lifetime: 1500ms"), "`1500ms` is not a number of whole seconds"),
    (issuer("lifetime: forever"), "`trust.issuers.acme.lifetime`: `forever` is not a duration"),
    (issuer("budget: 500 EUR"), "`trust.issuers.acme.budget`: is in EUR, but the policy counts in USD"),
    (issuer("budget: 500"), "`trust.issuers.acme.budget`: must be text such as `500 USD`"),
    (issuer("plain_jwt: yes"), "`trust.issuers.acme.plain_jwt`: must be `true` or `false`"),
    (issuer("jwks: k.json"), "`trust.issuers.acme.jwks` is not a field of an issuer; did you mean"),
    (issuer("iss: "), "`trust.issuers.acme.iss`: has no value"),
    ("proof: {window: 4s}", "`proof.window`: `4s` is out of range: write a duration from `5s` to `60s`"),
    ("proof: {window: 61s}", "`proof.window`: `61s` is out of range"),
    ("proof: {window: 30}", "`proof.window`: must be text such as `30s`, not the number `30`"),
    ("proof: {nonces: 1}", "`proof.nonces`: must be `true` or `false`"),
    ("proof: {nonce: true}", "`proof.nonce` is not a field of `proof`; did you mean `nonces`?"),
]
TOP = [
    ("tierz: {}", "`tierz` is not a field of a policy; did you mean `tiers`?"),
    ("limit: {}", "`limit` is not a field of a policy; did you mean `limits`?"),
    ("zzzz: 1", "`zzzz` is not a field of a policy: it has `version`, `currency`, `listen`"),
    ("ledger: https://api.example.com", "`ledger`: has no effect: no contracts are accepted"),
    ("ledger: api.example.com", "`ledger`: `api.example.com` is not a URI of up to 256 characters"),
    (f"ledger: 'urn:{'x' * 253}'", "is not a URI of up to 256 characters"),
    ("ledger: https://me:pw@api.example.com", "`ledger`: a URI must not hold a user or a password"),
    ("tiers: {}", "`tiers` is not supported yet"),
    ("credits: {}", "`credits` is not supported yet"),
    ("deposits: {}", "`deposits` is not supported yet"),
    ("signals: {}", "`signals` is not supported yet"),
    ("ladder: {}", "`ladder` is not supported yet"),
    ("currency: EUR", "`currency` stands twice: it is already in line 2"),
    ("listen: 127.0.0.1", "`listen`: `127.0.0.1` has no port"),
    ("listen: 127.0.0.1:99999", "`listen`: `127.0.0.1:99999` has no proper port"),
    ("listen: :8080", "`listen`: `:8080` has no proper host"),
    ("listen: 1.2.3:80", "`listen`: `1.2.3:80` has no proper host"),
    ("listen: '[::g]:80'", "`listen`: `[::g]:80` does not hold an IPv6 address"),
    ("listen: 8080", "`listen`: must be text such as `127.0.0.1:8080`, not the number `8080`"),
    ("listen: 0.0.0.0:8080", "`listen`: is reached from other machines, so the policy must say by which name"),
    ("public_url: api.example.com", "`public_url`: `api.example.com` is not a URL"),
    ("public_url: https://api.example.com/v1", "has a path"),
    ("public_url: https://me:pw@api.example.com", "`public_url`: a URL must not hold a user or a password"),
    ("store: redis://127.0.0.1", "`store`: a store in `redis` is not supported yet"),
    ("store: postgresql://me:pw@db/x", "`store`: a store in `postgresql` is not supported yet"),
    ("store: {hot: redis, ledger: postgres}", "`store`: must be text such as `sqlite:///remit.db`, not a mapping"),
    ("store: sqlite://remit.db", "`store`: `sqlite://remit.db` is not a store: write `sqlite:///remit.db`"),
    ("store: 'sqlite:///:memory:'", "write a plain path after `sqlite:///`, or `memory:`"),
    ("store: remit.db", "`store`: `remit.db` is not a store"),
    ("trusted_proxies: [10.0.0.1/8]", "`trusted_proxies[0]`: `10.0.0.1/8` is not a network"),
    ("trusted_proxies: 10.0.0.0/8", "`trusted_proxies`: must be a list such as `[127.0.0.1/32]`, not the text"),
    ("redact_numbers: yes", "`redact_numbers`: must be `true` or `false`, not the text `yes`"),
    ("redact_numbers: 'true'", "not the text `true`: remove the quotes"),
    ("sessions: {lifetime: 1 year}", "`sessions.lifetime`: `1 year` is not a duration"),
    ("sessions: {lifetime: 1h, idle: 2h}", "`sessions.idle`: is longer than `lifetime`"),
    ("sessions: {budget: 5 EUR}", "`sessions.budget`: is in EUR, but the policy counts in USD"),
    ("sessions: {calls: -1}", "`sessions.calls`: must be at least 0, not the number `-1`"),
    ("sessions: {open: 5}", "`sessions.open` is not a field of `sessions`"),
    ("audit: {keep: 400 days}", "`audit.keep` is not supported yet"),
    ("audit: {redact: [card]}", "`audit.redact[0]`: `card` is not a redaction path"),
    ("audit:", "`audit`: has no value: write one, or leave the line out"),
]
UPSTREAMS = [
    ("u: {url: 127.0.0.1:9000}", "`upstreams.u.url`: `127.0.0.1:9000` is not a URL"),
    ("u: {url: http://127.0.0.1:9000/v1}", "has a path: write the scheme, host and port only"),
    ("u: {url: http://127.0.0.1:0}", "has no proper port"),
    ("u: {url: http://169.254.169.999}", "has no proper host"),
    ("u: {}", "`upstreams.u.url` is missing: write for example `url: http://127.0.0.1:9000`"),
    ("u: http://127.0.0.1:9000", "`upstreams.u`: must be a mapping of fields, not the text"),
    ("'u u': {url: http://a}", "the upstream `u u` is not a name"),
    ("u: {url: http://a, timeout: 25h}", "`upstreams.u.timeout`: `25h` is too long"),
    ("u: {url: http://a, timeout: 0s}", "`upstreams.u.timeout`: `0s` is out of range"),
    ("u: {url: http://a, timeout: 1s, connect_timeout: 2s}", "`2s` is longer than the whole `timeout`"),
    ("u: {url: http://a, connections: 0}", "`upstreams.u.connections`: must be at least 1"),
    ("u: {url: http://a, connections: 1.5}", "must be a whole number such as `256`, not the text `1.5`"),
    ("u: {url: http://a, credential: sk-live-4f9c}", "a credential is named, never written into the policy"),
    ("u: {url: http://a, credential: 'secret:'}", "a credential is named"),
    ("u: {url: http://a, credential_header: x-key}", "there is no credential to send"),
    ("u: {url: http://a, credential: secret:k, credential_header: host}", "belongs to the connection or to Remit"),
    ("u: {url: http://a, credential: secret:k, credential_header: 'x y'}", "`x y` is not the name of a header"),
    ('u: {url: http://a, credential: secret:k, credential_prefix: "a\\nb"}', "must be at most 64 plain characters"),
    ("u: {url: http://a, retries: 3}", "`upstreams.u.retries` is not a field of an upstream"),
]
TOOLS = [
    ("x: {}", "`tools.x.price` is missing: write for example `price: free`"),
    ("x: {route: GET /x, upstream: api}", "`tools.x.price` is missing"),
    ("x: {upstream: api, price: free}", "`tools.x.route` is missing: write for example `route: POST /transfer`"),
    ("x: {route: GET /x, price: free}", "`tools.x.upstream` is missing"),
    ("x: {route: GET /x, upstream: apj, price: free}", "there is no upstream `apj`; did you mean `api`?"),
    ("x: {route: GET /x, upstream: zzz, price: free}", "there is no upstream `zzz`: write one that the policy has"),
    ("x..y: {route: GET /x, upstream: api, price: free}", "`x..y` is not a tool name"),
    (tool(route="FETCH /x"), "`tools.x.route`: `FETCH /x` is not a route"),
    (tool(route="GET x"), "`tools.x.route`: `x` is not a path"),
    (tool(route="GET /x/"), "has an empty or dotted segment"),
    (tool(route="GET /.well-known/remit/sessions"), "belongs to Remit itself"),
    (tool(route="POST /pay"), "means the same requests as the route of `pay` in line 6"),
    (tool(route='"GET /ask/{other}"'), "means the same requests as the route of `ask` in line 7"),
    (tool("extra: ignore"), "`tools.x.extra`: must be one of refuse, allow, not the text `ignore`"),
    (tool("extra: refuse", route="POST /x"), "`tools.x.extra`: has no effect: no argument is read from the body"),
    (tool("risk: medium"), "`tools.x.risk`: must be one of normal, high"),
    (tool("polling: 1"), "`tools.x.polling`: must be `true` or `false`, not the number `1`"),
    (tool("target: to"), "`tools.x.target`: `to` is not an argument"),
    (tool("max_body: 65 MiB"), "`tools.x.max_body`: `65 MiB` is too large"),
    (tool("max_body: 1 MB"), "`tools.x.max_body`: `1 MB` is not a size"),
    (tool("timeout: forever"), "`tools.x.timeout`: `forever` is not a duration"),
    (tool("arguments: {a: cookie.b}"), "`tools.x.arguments.a`: `cookie.b` is not an argument"),
    (tool("arguments: {a: query}"), "`query` is not an argument"),
    (tool("arguments: {a: query.b date}"), "`date` is not a type: write one of"),
    (tool("arguments: {a: query.b optional number}"), "`optional number` is not a type"),
    (tool("arguments: {a: query.b, c: query.b}"), "`query.b` is read by another argument already"),
    (tool("arguments: {a: body.b}"), "a GET has no body: read it from `path`, `query` or `header`"),
    (tool("arguments: {a: body.b}", route="DELETE /x"), "a DELETE has no body"),
    (tool("arguments: {a: body.b}", route="HEAD /x"), "a HEAD has no body"),
    (tool("arguments: {a: body.b.c}", route="POST /x"), "`b.c` lies inside another member"),
    (tool("arguments: {a: path.id}"), "the route has no `{id}`"),
    (tool("arguments: {a: path.id optional}", route='"GET /x/{id}"'), "a part of the path cannot be optional"),
    (tool("arguments: {id: query.id}", route='"GET /x/{id}"'), "is also the name of the route's `{id}`"),
    (tool("arguments: {a: header.authorization}"), "carries credentials: it cannot be an argument"),
    (tool("arguments: {a: header.remit-session}"), "belongs to the connection or to Remit"),
    (tool("arguments: {'a b': query.b}"), "the argument `a b` is not a name"),
    (tool("catalogue: openai"), "`tools.x.catalogue` is not a field of a tool"),
    ("x: {route: GET /x, upstream: api, price: 1.58}", "`tools.x.price`: `1.58` is not money"),
    ("x: {route: GET /x, upstream: api, price: 2}", "must be text such as `free`, not the number `2`"),
    ("x: {route: GET /x, upstream: api, price: 0 USD}", "must be above zero: a free call is written `price: free`"),
    ("x: {route: GET /x, upstream: api, price: 1 EUR}", "is in EUR, but the policy counts in USD"),
    ("x: {route: GET /x, upstream: api, price: 0.0000001 USD}", "`0.0000001` is not an amount"),
    ("x: {route: GET /x, upstream: api, price: {actual: header.x}}", "`tools.x.price.hold` is missing"),
    ("x: {route: GET /x, upstream: api, price: {hold: free}}", "`tools.x.price.hold`: `free` is not money"),
    ("x: {route: GET /x, upstream: api, price: {hold: 0 USD}}", "hold the most that a call may cost"),
    ("x: {route: GET /x, upstream: api, price: {hold: max_output}}", "`max_output` is not money"),
    ("x: {route: GET /x, upstream: api, price: {hold: 1 USD, actual: trailer.x}}", "does not say where the cost is"),
    ("x: {route: GET /x, upstream: api, price: {hold: 1 USD, actual: body.}}", "does not say where the cost is"),
    ("x: {route: GET /x, upstream: api, price: {hold: 1 USD, free_on: [404, 404]}}", "`404` stands twice"),
    ("x: {route: GET /x, upstream: api, price: {hold: 1 USD, free_on: [100]}}", "must be at least 200"),
    (
        "x: {route: GET /x, upstream: api, price: {hold: 1 USD, catalogue: y}}",
        "`tools.x.price.catalogue` is not supported",
    ),
    ("x: {route: GET /x, upstream: api, price: 1 USD, anonymous: true}", "a call that costs money needs a credential"),
    (tool("risk: high, anonymous: true"), "a high-risk tool needs a credential"),
]
LIMITS = [
    ("l: {}", "`limits.l`: says nothing to limit: add one of `rate`, `quota`"),
    ("l: {per: agent}", "`limits.l`: says nothing to limit"),
    ("l: {quota: 5/hour, budget: 3 USD}", "`limits.l.budget`: a limit has one rule and this one has `quota` already"),
    ("'l l': {quota: 5/hour}", "the limit `l l` is not a name"),
    ("session: {quota: 5/hour}", "`limits.session` has a name that Remit uses itself"),
    ("contract: {quota: 5/hour}", "`limits.contract` has a name that Remit uses itself"),
    ("issuer-budget: {budget: 5 USD}", "`limits.issuer-budget` has a name that Remit uses itself"),
    ("l: {rate: 60}", "`limits.l.rate`: must be text such as `60/minute`, not the number `60`"),
    ("l: {rate: 60/min}", "`limits.l.rate`: `min` is not a window"),
    ("l: {rate: 60/month}", "a month has no fixed length"),
    ("l: {rate: 10001/second}", "`10001/second` is above 10000/second"),
    ("l: {rate: 1/week, burst: 1000}", "`limits.l.burst`: `1000` calls at that rate take more than ten years"),
    ("l: {rate: 0/minute, burst: 5}", "`limits.l.burst`: the rate denies every call"),
    ("l: {rate: 5/minute, burst: 0}", "`limits.l.burst`: must be at least 1"),
    ("l: {rate: 5/minute, max_wait: 2m}", "`limits.l.max_wait`: `2m` is too long: a call waits at most 60s"),
    ("l: {quota: 5/hour, burst: 5}", "`limits.l.burst`: has no effect on `quota`: it goes with `rate`"),
    ("l: {quota: 5/hour, max_wait: 2s}", "`limits.l.max_wait`: has no effect on `quota`"),
    ("l: {quota: 5/hour, weigh: {pay: 2}}", "`limits.l.weigh`: has no effect on `quota`: it goes with `units`"),
    ("l: {rate: 5/hour, warn_at: [50%]}", "`limits.l.warn_at`: has no effect on `rate`"),
    ("l: {rate: 5/hour, timezone: UTC}", "`limits.l.timezone`: has no effect on `rate`"),
    ("l: {quota: 5/hour, timezone: UTC}", "`limits.l.timezone`: has no effect: only `/day`"),
    ("l: {quota: 5/day, timezone: Berlin}", "`limits.l.timezone`: `Berlin` is not a time zone"),
    ("l: {quota: -5/day}", "`limits.l.quota`: `-5` is not a count"),
    ("l: {quota: 9007199254740991/day}", "is too large: the most is 999999999999999"),
    ("l: {quota: 1e3/day}", "`1e3` is not a count"),
    ("l: {budget: 5}", "`limits.l.budget`: must be text such as `50 USD/day`, not the number `5`"),
    ("l: {budget: 5 usd/day}", "`usd` is not a known currency"),
    ("l: {budget: 5 EUR/day}", "is in EUR, but the policy counts in USD: write it in USD"),
    ("l: {concurrent: -1}", "`limits.l.concurrent`: must be at least 0"),
    ("l: {concurrent: '8'}", "not the text `8`: remove the quotes"),
    ("l: {only: 02:00-04:00}", "`limits.l.only`: `02:00-04:00` is not a window"),
    ("l: {only: '02:00-04:00 Berlin'}", "`Berlin` is not a time zone"),
    ("l: {only: '02:00-04:00 UTC', per: agent}", "`limits.l.per`: has no effect on `only`"),
    ("l: {only: '02:00-04:00 UTC', mode: observe}", "`limits.l.mode`: hours can only be enforced"),
    ("l: {quota: 5/hour, per: agnt}", "not the text `agnt`; did you mean `agent`?"),
    ("l: {quota: 5/hour, per: [user, user]}", "`limits.l.per[1]`: `user` stands twice"),
    ("l: {quota: 5/hour, per: issuer}", "`limits.l.per`: only contracts have a value for `issuer`, and none are"),
    ("l: {quota: 5/hour, per: [tool, contract]}", "only contracts have a value for `contract`, and none"),
    ("l: {quota: 5/hour, mode: shadow}", "`limits.l.mode`: must be one of enforce, observe, soft"),
    ("l: {quota: 5/hour, strictness: leased}", "`limits.l.strictness`: `leased` is not supported yet"),
    ("l: {quota: 5/hour, strictness: async}", "`limits.l.strictness`: `async` is not supported yet"),
    ("l: {quota: 5/hour, strictness: lax}", "`limits.l.strictness`: must be strict, not the text `lax`"),
    ("l: {quota: 5/hour, tools: [pey]}", "`limits.l.tools[0]`: no tool is called `pey`; did you mean `pay`?"),
    ("l: {quota: 5/hour, tools: ['zz.*']}", "no tool is called `zz.*`: write one that the policy has"),
    ("l: {quota: 5/hour, tools: ['p*']}", "`p*` is not a tool pattern"),
    ("l: {quota: 5/hour, tools: pay}", "`limits.l.tools`: must be a list such as `[payments.*]`"),
    ("l: {quota: 5/hour, tools: [pay, pay]}", "`limits.l.tools[1]`: `pay` stands twice"),
    ("l: {quota: 5/hour, agents: [nightly]}", "`nightly` is no verified identity: write `key:`"),
    ("l: {quota: 5/hour, agents: ['agent:']}", "`` is not a name: write up to 128"),
    ("l: {units: 5/hour, weigh: {pey: 2}}", "`limits.l.weigh.pey`: no tool is called `pey`"),
    ("l: {units: 5/hour, weigh: {pay: 2}, tools: [ask]}", "the limit does not concern this tool"),
    ("l: {units: 5/hour, weigh: {pay: 0}}", "`limits.l.weigh.pay`: must be at least 1"),
    ("l: {quota: 5/hour, warn_at: [80]}", "`limits.l.warn_at[0]`: must be text such as `80%`, not the number `80`"),
    ("l: {quota: 5/hour, warn_at: [101%]}", "`101%` is not a level"),
    ("l: {quota: 5/hour, warn_at: [0%]}", "`0%` is not a level"),
    ("l: {distinct: target, max: 50/hour}", "`limits.l.distinct` is not supported yet"),
    ("l: {quota: 5/hour, on_exhausted: upgrade}", "`limits.l.on_exhausted` is not supported yet"),
    ("l: {budget: 5 USD, mode: soft, overage: invoice}", "`limits.l.overage` is not supported yet"),
    ("l: {quota: 5/hour, may_forget: true}", "`limits.l.may_forget` is not supported yet"),
    ("l: {quota: 5/hour, on_store_error: open}", "`limits.l.on_store_error` is not supported yet"),
]
CASES = [
    *(("top", line, says) for line, says in (*TOP, *TRUST)),
    *(("upstreams", line, says) for line, says in UPSTREAMS),
    *(("tools", line, says) for line, says in TOOLS),
    *(("limits", line, says) for line, says in LIMITS),
]


@pytest.mark.parametrize(("section", "line", "says"), CASES, ids=[line for _, line, _ in CASES])
def test_a_mistake_is_reported_on_its_line_with_what_to_do(section: str, line: str, says: str) -> None:
    problems = problems_of(added(section, line))
    assert [text for number, text in problems if number == added_line(section) and says in text], problems


@pytest.mark.parametrize(("section", "line", "says"), CASES, ids=[line for _, line, _ in CASES])
def test_a_mistake_drags_no_others_along(section: str, line: str, says: str) -> None:
    assert {number for number, _ in problems_of(added(section, line))} == {added_line(section)}


def test_the_sample_is_right_without_the_mistakes() -> None:
    assert load_policy(BASE).warnings == ()


@pytest.mark.parametrize(
    ("money", "why"),
    [
        ("budget: 10 USD/day, per: session", "`money` counts per session, and callers can have any number of those"),
        ("budget: 10 USD/day, per: [org, agent]", "`money` counts per agent"),
        ("budget: 10 USD/day, per: [user, target]", "`money` counts per target"),
        ("budget: 10 USD/day, per: address", "`money` counts per address"),
        ("budget: 10 USD/day, per: caller", "`money` counts per caller"),
        ("budget: 10 USD/day, per: org, mode: observe", "`money` does not enforce"),
        ("budget: 10 USD/day, per: org, mode: soft", "`money` does not enforce"),
        ("budget: 10 USD/day, per: org, agents: [agent:a]", "`money` concerns some agents only"),
        ("budget: 10 USD/day, per: org, tools: [ask]", "no enforced budget holds their callers: add a limit such as"),
        ("quota: 10/day, per: org", "no enforced budget holds their callers: add a limit such as"),
    ],
)
def test_a_priced_tool_needs_a_budget_that_its_callers_cannot_multiply(money: str, why: str) -> None:
    problems = problems_of(BASE.replace("budget: 10 USD/day, per: org", money))
    assert [line for line, _ in problems] == [6]
    assert problems[0][1].startswith("`tools.pay.price`: calls cost money and no enforced budget holds")
    assert why in problems[0][1]


@pytest.mark.parametrize("per", ["org", "user", "account", "key", "[]", "tool", "[user, tool]", "[org, key]"])
def test_a_budget_holds_money_by_what_callers_cannot_make(per: str) -> None:
    assert load_policy(BASE.replace("per: org", f"per: {per}")).warnings == ()


def test_all_problems_of_a_file_are_listed_at_once_in_its_order() -> None:
    text = """\
version: 2
currency: US
tierz: {}
store: redis://x
upstreams:
  a: {url: ftp://x}
tools:
  t: {route: GET /t, upstream: b, price: 1 EUR, arguments: {a: body.b}}
  v: {route: GET /v, upstream: c, price: free}
limits:
  l: {rate: 60/min}
  m: {quota: 5/hour, per: agnt}
"""
    assert [line for line, _ in problems_of(text)] == [1, 2, 3, 4, 6, 8, 9, 11, 12]


def test_a_broken_tool_is_still_known_to_the_limits_that_name_it() -> None:
    text = added("tools", "bad: {route: GET /b, upstream: api, price: cheap}")
    text = text.replace("per: org}", "per: org}\n  l: {quota: 5/hour, tools: [bad]}")
    assert [number for number, _ in problems_of(text)] == [added_line("tools")]


def test_missing_sections_are_said_by_name() -> None:
    texts = [text for _, text in problems_of("listen: 127.0.0.1:1\n")]
    assert texts[0] == "`version` is missing: write for example `version: 1`"
    assert texts[1] == "`currency` is missing: write for example `currency: USD`"
    assert texts[2].startswith("`tools` is missing: write for example `tools: {")


@pytest.mark.parametrize("text", ["- a\n", "hello\n", "42\n", "# nothing\n", "---\n"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    assert "a policy is a mapping of fields" in problems_of(text)[0][1]


def test_a_policy_without_tools_is_refused() -> None:
    assert "names no tool" in problems_of("version: 1\ncurrency: USD\ntools: {}\n")[0][1]


def test_credentials_written_into_a_policy_are_never_shown() -> None:
    secret = "hunter2"
    for section, line in (
        ("upstreams", f"u: {{url: https://me:{secret}@host}}"),
        ("upstreams", f"u: {{url: 'me:{secret}@host'}}"),
        ("upstreams", f"u: {{url: http://a, credential: {secret}}}"),
        ("upstreams", f"u: {{url: http://a, credentail: {secret}}}"),
        ("top", f"store: postgresql://me:{secret}@db/x"),
        ("top", f"store: mysql://me:{secret}@db/x"),
        ("top", f"public_url: https://me:{secret}@host"),
        ("top", f"ledger: https://me:{secret}@host"),
        ("top", issuer(f"iss: https://me:{secret}@host")),
        ("top", issuer(f"jwks_file: https://me:{secret}@host/jwks")),
    ):
        assert all(secret not in text for _, text in problems_of(added(section, line)))


def test_a_flood_of_problems_is_counted_and_not_listed() -> None:
    many = ", ".join(f"field{n}: 1" for n in range(3000))
    problems = problems_of(added("limits", f"l: {{{many}}}"))
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1] == (0, f"and {3000 - MAX_PROBLEMS} more problems")


def test_too_many_names_are_refused_before_they_are_compared() -> None:
    limits = [f"l{n}: {{quota: 1/hour}}" for n in range(500)]
    assert problems_of(added("limits", *limits)) == [(8, "`limits`: has 501 of them: the most is 500, leave some out")]


def test_names_with_signs_in_them_cannot_draw_on_the_terminal() -> None:
    texts = [text for _, text in problems_of(added("limits", '"x\\e[2J`": {quota: 1/hour}'))]
    assert texts
    assert all("\x1b" not in text for text in texts)


def test_the_error_names_file_and_line(tmp_path: object) -> None:
    with pytest.raises(PolicyError) as raised:
        load_policy(BASE + "tierz: 1\n", source="gateway.yaml")
    assert str(raised.value) == "gateway.yaml:10: `tierz` is not a field of a policy; did you mean `tiers`?"


@pytest.mark.parametrize("name", ["missing.yaml", "", "a\0b"])
def test_a_file_that_cannot_be_read_is_one_clear_sentence(tmp_path: object, name: str) -> None:
    with pytest.raises(PolicyError, match="the file cannot be read"):
        load_policy_file(f"{tmp_path}/{name}")
