"""The policy as data: compiled once from the file, immutable, and all that `decide` reads.

Times are microseconds, money is micro-units of `Policy.currency`. Which dimension a caller has is written in
`Dimension`; a limit on a dimension without a value refuses, so there is never a shared cell for "nobody".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from remit.core.ledger.operations import OnFull
from remit.core.match import Route
from remit.core.money import Money
from remit.core.schedule import OnlyWindow
from remit.core.units import Window


class Dimension(StrEnum):
    """By whom or what a limit counts."""

    AGENT = "agent"
    ACTOR = "actor"
    CALLER = "caller"
    USER = "user"
    ORG = "org"
    ACCOUNT = "account"
    ISSUER = "issuer"
    CONTRACT = "contract"
    KEY = "key"
    SESSION = "session"
    TOOL = "tool"
    TARGET = "target"
    ADDRESS = "address"


UNMINTABLE = frozenset({Dimension.USER, Dimension.ORG, Dimension.ACCOUNT, Dimension.ISSUER, Dimension.KEY})
"""Dimensions that callers cannot make more of for themselves; but holders of contracts make keys, by delegating to them."""


class Mode(StrEnum):
    """What a limit does when it is full."""

    ENFORCE = "enforce"
    OBSERVE = "observe"
    SOFT = "soft"


ON_FULL: dict[Mode, OnFull] = {
    Mode.ENFORCE: OnFull.REFUSE,
    Mode.OBSERVE: OnFull.OBSERVE,
    Mode.SOFT: OnFull.EXCEED,
}


@dataclass(frozen=True, slots=True)
class Rate:
    """Speed: one call each `interval_us` on average, `burst` at once, waiting up to `max_wait_us`."""

    count: int
    per_us: int
    interval_us: int
    burst: int
    max_wait_us: int = 0


@dataclass(frozen=True, slots=True)
class Quota:
    """Calls per period."""

    max: int
    window: Window


@dataclass(frozen=True, slots=True)
class Units:
    """Weighted calls per period: each tool weighs what `weights` says, 1 if it says nothing."""

    max: int
    window: Window
    weights: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Budget:
    """Money per period; concerns priced calls only."""

    max_micros: int
    window: Window


@dataclass(frozen=True, slots=True)
class Concurrent:
    """Calls in flight."""

    max: int


@dataclass(frozen=True, slots=True)
class Failures:
    """Failed calls per period, after which calls are refused."""

    max: int
    window: Window


@dataclass(frozen=True, slots=True)
class Only:
    """The hours in which calls are allowed."""

    window: OnlyWindow


Rule = Rate | Quota | Units | Budget | Concurrent | Failures | Only


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A named rule, counted `per` some dimensions, for the tools and agents it concerns (empty: all of them).

    `warn_at_permille` are the fill levels at which a warning is raised, once each.
    """

    name: str
    rule: Rule
    per: tuple[Dimension, ...] = ()
    tools: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    mode: Mode = Mode.ENFORCE
    warn_at_permille: tuple[int, ...] = ()


class ActualSource(StrEnum):
    """Where the upstream says what a call did cost."""

    HOLD = "hold"
    HEADER = "header"
    BODY = "body"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a call may cost (`hold_micros`, held before it) and where its actual cost is read after it.

    `actual_name` is the header, or the dotted path of the JSON member. `free_on` are statuses that cost nothing.
    """

    hold_micros: int
    actual: ActualSource = ActualSource.HOLD
    actual_name: str = ""
    free_on: frozenset[int] = frozenset()


class Risk(StrEnum):
    """High-risk tools want a proof with every call that the caller holds the key of its credential."""

    NORMAL = "normal"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """Where an argument is read (`path`, `query`, `header`, `body`) and as which type (core.match.ArgumentType)."""

    name: str
    source: str
    member: str
    type: str
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A callable thing with a price. `price` None means unpriced, which refuses; a free tool holds 0."""

    name: str
    price: Price | None
    route: Route | None = None
    upstream: str = ""
    arguments: tuple[Argument, ...] = ()
    extra_arguments: bool = False
    target: str = ""
    risk: Risk = Risk.NORMAL
    idempotent: bool = True
    anonymous: bool = False
    polling: bool = False
    max_body_bytes: int = 1_048_576
    timeout_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where calls go. `credential` names a secret that is sent upstream as `header`."""

    name: str
    url: str
    timeout_us: int = 30_000_000
    connect_timeout_us: int = 5_000_000
    credential: str = ""
    credential_header: str = "authorization"
    credential_prefix: str = "Bearer "
    connections: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerTrust:
    """Whose contracts are accepted, and the most that a root of this issuer may say. `iss` is compared exactly.

    `jwks_file` holds its public keys. A root may name one of `orgs`, tools that `tools` (patterns) cover, and live for
    `lifetime_us`, whole seconds. `budget` is a limit on the cost of everything under each root; None: none. `plain_jwt`
    accepts `typ: JWT` from it.
    """

    name: str
    iss: str
    jwks_file: str
    tools: tuple[str, ...]
    orgs: tuple[str, ...] = ()
    lifetime_us: int = 90 * 86_400_000_000
    budget: Money | None = None
    plain_jwt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRules:
    """How far the time that a proof of possession names may lie from now, and whether it must repeat a nonce of ours."""

    window_us: int = 30_000_000
    nonces: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRules:
    """The most that a caller may ask for when it opens a session."""

    lifetime_us: int = 86_400_000_000
    idle_us: int = 3_600_000_000
    open_per_caller: int = 100
    max_budget_micros: int | None = None
    max_calls: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRules:
    """Which values never enter the log."""

    redact: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that is decided by. `digest` identifies the text it was compiled from.

    `ledger` is the id that contracts with limits know this guard by; empty: none may have limits.
    """

    digest: str
    currency: str
    tools: Mapping[str, Tool]
    limits: Mapping[str, Limit]
    upstreams: Mapping[str, Upstream] = field(default_factory=dict)
    listen: str = "127.0.0.1:8080"
    public_url: str = ""
    store: str = "memory:"
    trusted_proxies: tuple[str, ...] = ()
    ledger: str = ""
    trust: Mapping[str, IssuerTrust] = field(default_factory=dict)
    proof: ProofRules = field(default_factory=ProofRules)
    sessions: SessionRules = field(default_factory=SessionRules)
    audit: AuditRules = field(default_factory=AuditRules)
    redact_numbers: bool = False
