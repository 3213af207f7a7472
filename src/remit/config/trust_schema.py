"""The shape of what a policy says about contracts and proofs: whom it trusts, with what, and how fresh a proof must be."""

from typing import Annotated

from pydantic import Field

from remit.config.fields import NAME_PATTERN, URI_PATTERN, Duration, Money, Shape, ToolPattern, text


class IssuerShape(Shape):
    """Who may sign the roots of contract chains, and the most that they may say."""

    iss: str = Field(
        description="The URI that it calls itself by, compared exactly.",
        examples=["https://issuer.acme.example"],
        json_schema_extra={"pattern": URI_PATTERN},
    )
    jwks_file: str = Field(
        description="The file with its public keys, a JWK set of at most 8; beside the policy file unless it is absolute.",
        examples=["keys/acme.jwks.json"],
        json_schema_extra={"pattern": "."},
    )
    tools: list[ToolPattern] = Field(
        description="The tools that its contracts may allow.", examples=[["payments.*", "risk.validate"]]
    )
    orgs: list[Annotated[str, text(NAME_PATTERN)]] = Field(
        default=[], description="The orgs that it may bill; none, if it names none.", examples=[["acme"]]
    )
    lifetime: Duration = Field(
        default="90 days", description="How long its contracts may live, at most 90 days.", examples=["24h"]
    )
    budget: Money | None = Field(
        default=None,
        description="The most money that everything under one of its roots (or one account of it) may spend in all.",
        examples=["500 USD"],
    )
    plain_jwt: bool = Field(
        default=False, description="Whether its contracts may have the type `JWT` instead of `aat+jwt`."
    )


class TrustShape(Shape):
    """Whose contracts are accepted."""

    issuers: dict[str, IssuerShape] = Field(
        description="Who may sign the roots of contract chains.",
        examples=[
            {
                "acme": {
                    "iss": "https://issuer.acme.example",
                    "jwks_file": "keys/acme.jwks.json",
                    "tools": ["payments.*"],
                }
            }
        ],
        json_schema_extra={"minProperties": 1, "propertyNames": {"pattern": NAME_PATTERN}},
    )


class ProofShape(Shape):
    """What a proof of possession must be like."""

    window: Duration = Field(
        default="30s",
        description="How far the time that a proof names may lie from now, from 5s to 60s.",
        examples=["30s"],
    )
    nonces: bool = Field(
        default=False,
        description="Whether a proof must repeat a nonce that the gateway gave, so that it cannot be old.",
    )
