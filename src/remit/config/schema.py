"""The shape of a policy file, field by field: what editors complete, and what `shape` checks a file against.

These models say which fields there are and of which type; what a text such as `60/minute` means is read afterwards by the
core's own parsers, so that the error says what to write instead. The published JSON Schema (`remit policy schema`,
`schema/policy.schema.json`, draft 2020-12) is made from them. Fields that a later version brings are listed in
`FUTURE_FIELDS`: they are refused by name, because what is accepted must be enforced.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from remit.config.fields import (
    MONEY_PATTERN,
    NAME_PATTERN,
    TOOL_NAME_PATTERN,
    URI_PATTERN,
    WINDOW_PATTERN,
    Count,
    Dimensions,
    Duration,
    Money,
    Shape,
    Size,
    ToolPattern,
    text,
)
from remit.config.trust_schema import IssuerShape, ProofShape, TrustShape

SCHEMA_ID: Final = "urn:remit:policy:1"


class UpstreamShape(Shape):
    """Where the calls of some tools go."""

    url: str = Field(
        description="`http://` or `https://`, a host and maybe a port; paths come from the tools' routes.",
        examples=["http://127.0.0.1:9000"],
        json_schema_extra={"pattern": r"^https?://[^/?#@\s]+/?$"},
    )
    timeout: Duration = Field(
        default="30s", description="How long a whole call may take, at most 24 hours.", examples=["30s"]
    )
    connect_timeout: Duration | None = Field(
        default=None, description="How long connecting may take: 5s, or `timeout` if that is shorter.", examples=["5s"]
    )
    credential: str | None = Field(
        default=None,
        description="The secret that is sent upstream. Its value comes from `REMIT_SECRET_<NAME>` or a file.",
        examples=["secret:openai"],
        json_schema_extra={"pattern": r"^secret:[a-z][a-z0-9_-]{0,63}$"},
    )
    credential_header: str | None = Field(
        default=None, description="The header that carries the credential: `authorization`.", examples=["x-api-key"]
    )
    credential_prefix: str | None = Field(
        default=None,
        description="What stands before the credential: `Bearer ` in `authorization`, nothing in other headers.",
        examples=["Bearer "],
    )
    connections: int = Field(
        default=256, ge=1, le=10_000, description="The most connections that are open at once.", examples=[256]
    )


class PriceShape(Shape):
    """A price that is held before the call and corrected after it."""

    hold: Money = Field(description="The most that a call may cost: held before it is sent.", examples=["0.35 USD"])
    actual: str | None = Field(
        default=None,
        description="Where the answer says what the call did cost: a header, or a member of its JSON body.",
        examples=["header.x-cost"],
        json_schema_extra={"pattern": r"^(header|body)\..+$"},
    )
    free_on: list[Annotated[int, Field(ge=200, le=599)]] = Field(
        default=[], description="Answers with these statuses cost nothing (200 to 599).", examples=[[404, 422]]
    )


class ToolShape(Shape):
    """Something that can be called: a route with arguments and a price."""

    route: str = Field(
        description="The method and path that mean this tool.",
        examples=["POST /transfer"],
        json_schema_extra={"pattern": r"^(GET|HEAD|POST|PUT|PATCH|DELETE) /.*$"},
    )
    upstream: str = Field(description="The upstream that answers it.", examples=["payments"])
    arguments: dict[str, str] = Field(
        default={},
        description="What is read from a call: `path.id integer`, `query.page integer optional`, `header.x-tenant`, "
        "`body.amount number`. The type is string unless it is named.",
        examples=[{"amount": "body.amount number"}],
        json_schema_extra={"propertyNames": {"pattern": NAME_PATTERN}},
    )
    extra: Literal["refuse", "allow"] = Field(
        default="refuse", description="What becomes of members of the body that no argument names."
    )
    target: str | None = Field(
        default=None,
        description="The argument that says what the call is about: `per: target` counts by it.",
        examples=["to"],
    )
    price: Annotated[
        Annotated[str, text(rf"^(free|{MONEY_PATTERN})$"), Tag("<text>")] | Annotated[PriceShape, Tag("<mapping>")],
        Discriminator(lambda value: "<mapping>" if isinstance(value, dict | PriceShape) else "<text>"),
    ] = Field(
        description="`free`, a fixed price such as `1.58 USD`, or a mapping of `hold`, `actual` and `free_on`.",
        examples=["free"],
    )
    risk: Literal["normal", "high"] = Field(
        default="normal",
        description="`high`: each call proves that the caller holds the key of its contract, or of its bound API key.",
    )
    idempotent: bool = Field(
        default=True, description="Whether repeating a call does no harm; `false`: never sent twice for one key."
    )
    anonymous: bool = Field(default=False, description="Whether it may be called without a credential (free tools).")
    polling: bool = Field(default=False, description="Whether calling it again and again is meant, as with a status.")
    max_body: Size = Field(
        default="1 MiB", description="The largest body of a call, at most 64 MiB.", examples=["64 KiB"]
    )
    timeout: Duration | None = Field(
        default=None, description="How long a call may take, instead of the upstream's `timeout`.", examples=["10s"]
    )


class LimitShape(Shape):
    """One rule, counted per some dimensions, for some tools and agents."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": [kind]} for kind in ("rate", "quota", "units", "budget", "concurrent", "failures", "only")
            ]
        }
    )

    rate: Annotated[str, text(rf"^[0-9]{{1,16}}/{WINDOW_PATTERN}$")] | None = Field(
        default=None, description="Speed: calls in a time, spread evenly.", examples=["60/minute"]
    )
    quota: Count | None = Field(
        default=None,
        description="Calls in a period; without one, in the whole life of the limit.",
        examples=["100/hour"],
    )
    units: Count | None = Field(
        default=None, description="Weighted calls in a period; see `weigh`.", examples=["1000/minute"]
    )
    budget: Annotated[str, text(rf"^{MONEY_PATTERN}(/{WINDOW_PATTERN})?$")] | None = Field(
        default=None, description="Money in a period; without one, in all.", examples=["50 USD/day"]
    )
    concurrent: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None, description="Calls in flight at once.", examples=[8]
    )
    failures: Count | None = Field(
        default=None, description="Failed calls in a period, after which calls are refused.", examples=["30/minute"]
    )
    only: str | None = Field(
        default=None,
        description="The hours in which calls are allowed.",
        examples=["mon-fri 02:00-04:00 Europe/Berlin"],
    )
    burst: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = Field(
        default=None, description="With `rate`: how many calls may come at once; the number in the rate.", examples=[20]
    )
    max_wait: Duration | None = Field(
        default=None, description="With `rate`: wait this long instead of refusing, at most 60s.", examples=["2s"]
    )
    weigh: dict[str, Annotated[int, Field(ge=1, le=1_000_000_000)]] = Field(
        default={}, description="With `units`: what a call of a tool weighs; 1 if it is not named.",
        examples=[{"reports.generate": 40}],
    )  # fmt: skip
    per: Dimensions = Field(
        default=[], description="By whom or what it counts; nothing: one counter for everybody.", examples=["agent"]
    )
    tools: list[ToolPattern] = Field(
        default=[], description="The tools that it concerns; all, if it names none.", examples=[["payments.*"]]
    )
    agents: list[str] = Field(
        default=[],
        description="The callers that it concerns: `key:` and a key id or a holder's thumbprint, `agent:` and the agent of "
        "API keys; all, if it names none.",
        examples=[["agent:nightly"]],
    )
    mode: Literal["enforce", "observe", "soft"] = Field(
        default="enforce",
        description="What it does when full: refuse, only report, or let through and book the overage.",
    )
    warn_at: list[Annotated[str, text(r"^[0-9]{1,3}(\.[0-9])?%$")]] = Field(
        default=[], description="How full it is when a warning is given, once each.", examples=[["80%", "95%"]]
    )
    timezone: str | None = Field(
        default=None, description="Where its days, weeks, months or years begin; UTC.", examples=["Europe/Berlin"]
    )
    strictness: Literal["strict"] = Field(
        default="strict", description="`strict`: counted in one step with the decision."
    )


class SessionsShape(Shape):
    """The most that a caller may ask for when it opens a session."""

    lifetime: Duration = Field(default="24h", description="How long a session may live.", examples=["24h"])
    idle: Duration = Field(default="1h", description="It ends when nothing was called for so long.", examples=["1h"])
    open_per_caller: int = Field(
        default=100, ge=0, le=100_000, description="How many one caller may have open.", examples=[100]
    )
    budget: Money | None = Field(
        default=None, description="The most money that a session may spend.", examples=["5 USD"]
    )
    calls: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = Field(
        default=None, description="The most calls that a session may make.", examples=[200]
    )


class AuditShape(Shape):
    """What never enters the audit log. Its records are kept for good."""

    redact: list[Annotated[str, text(r"^(path|query|header|body)\..+$")]] = Field(
        default=[], description="Values that never enter the log.", examples=[["body.card"]]
    )


class PolicyShape(Shape):
    """A policy: who may call what, how often, for how much money."""

    version: Literal[1] = Field(description="The version of this format.", examples=[1])
    currency: str = Field(
        description="The one currency that money is counted in (ISO 4217).",
        examples=["USD"],
        json_schema_extra={"pattern": "^[A-Z]{3}$"},
    )
    listen: str = Field(
        default="127.0.0.1:8080",
        description="The address and port that the gateway listens on.",
        examples=["127.0.0.1:8080"],
    )
    public_url: str | None = Field(
        default=None,
        description="The address that callers use; others are refused.",
        examples=["https://api.example.com"],
    )
    store: str = Field(
        default="sqlite:///remit.db",
        description="Where counters, keys and the audit log live: `sqlite:///` and a path (beside the policy file "
        "unless it is absolute), or `memory:`, which forgets.",
        examples=["sqlite:///remit.db"],
    )
    trusted_proxies: list[str] = Field(
        default=[], description="Networks whose `X-Forwarded-For` is believed.", examples=[["127.0.0.1/32"]]
    )
    ledger: str | None = Field(
        default=None,
        description="The id that contracts with limits know this guard by: `public_url`, unless it says otherwise.",
        examples=["https://api.example.com"],
        json_schema_extra={"pattern": URI_PATTERN},
    )
    trust: TrustShape | None = Field(default=None, description="Whose contracts are accepted; nobody's without it.")
    proof: ProofShape = Field(default=ProofShape(), description="What proofs of possession must be like.")
    upstreams: dict[str, UpstreamShape] = Field(
        default={},
        description="Where calls go.",
        examples=[{"payments": {"url": "http://127.0.0.1:9000"}}],
        json_schema_extra={"propertyNames": {"pattern": NAME_PATTERN}},
    )
    tools: dict[str, ToolShape] = Field(
        description="What can be called; everything else is refused.",
        examples=[{"risk.validate": {"route": "POST /validate", "upstream": "payments", "price": "free"}}],
        json_schema_extra={"minProperties": 1, "propertyNames": {"pattern": f"^{TOOL_NAME_PATTERN}$"}},
    )
    limits: dict[str, LimitShape] = Field(
        default={}, description="What is allowed; all that concern a call must admit it.",
        examples=[{"pace": {"rate": "60/minute", "per": "agent"}}],
        json_schema_extra={"propertyNames": {"pattern": NAME_PATTERN}},
    )  # fmt: skip
    sessions: SessionsShape = Field(
        default=SessionsShape(), description="What callers may ask for when they open a session."
    )
    audit: AuditShape = Field(default=AuditShape(), description="What is written down, and for how long.")
    redact_numbers: bool = Field(
        default=False, description="Whether refusals tell callers no figures (used, held, maximum)."
    )


SHAPES: Final[tuple[tuple[tuple[str, ...], type[Shape]], ...]] = (
    ((), PolicyShape),
    (("upstreams", "*"), UpstreamShape),
    (("tools", "*"), ToolShape),
    (("tools", "*", "price"), PriceShape),
    (("limits", "*"), LimitShape),
    (("trust",), TrustShape),
    (("trust", "issuers", "*"), IssuerShape),
    (("proof",), ProofShape),
    (("sessions",), SessionsShape),
    (("audit",), AuditShape),
)
"""Which mapping of the file has which fields; `*` stands for a name that the operator chose."""

FUTURE_FIELDS: Final[Mapping[type[Shape], frozenset[str]]] = {
    PolicyShape: frozenset({"tiers", "credits", "deposits", "signals", "ladder"}),
    TrustShape: frozenset({"identity_providers"}),
    LimitShape: frozenset({"distinct", "max", "on_exhausted", "overage", "may_forget", "on_store_error"}),
    PriceShape: frozenset({"catalogue"}),
    AuditShape: frozenset({"keep"}),
}
"""Fields that are planned: refused, but not as a slip of the pen."""

FUTURE_VALUES: Final[Mapping[tuple[type[Shape], str], frozenset[str]]] = {
    (LimitShape, "strictness"): frozenset({"leased", "async"}),
}
"""Values that are planned."""


class _Published(GenerateJsonSchema):
    """Says what a file may hold: a field that is left out is not a field that is null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        published = super().default_schema(schema)
        if not isinstance(published.get("default"), str | int):
            published.pop("default", None)
        return published

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def published_schema() -> str:
    """The JSON Schema of a policy (draft 2020-12) as text, the same for the same version of Remit."""
    schema = PolicyShape.model_json_schema(schema_generator=_Published)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Remit policy",
        "description": schema.pop("description"),
    }
    return json.dumps(head | schema | {"title": "Remit policy"}, indent=2, ensure_ascii=False) + "\n"
