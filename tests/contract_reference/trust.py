"""What a chain is judged by in the reference verifier: trusted issuers with their keys, the ledger, the audience.

Read from the same JSON object that the published vectors carry as `anchors`.
"""

import hashlib
from dataclasses import dataclass
from typing import cast

from tests.contract_reference.signatures import Key
from tests.contract_reference.strict_text import Json, encode_base64url


def digest(text: bytes) -> str:
    """Base64url of SHA-256, as `par_hash`, `ath` and our own hashes are written."""
    return encode_base64url(hashlib.sha256(text).digest())


@dataclass(frozen=True, slots=True)
class Trusted:
    """An issuer, and the most that it may put into a root."""

    iss: str
    keys: tuple[tuple[str, Key], ...]
    orgs: tuple[str, ...]
    tools: tuple[str, ...]
    lifetime_s: int
    plain_jwt: bool

    def candidates(self, kid: Json) -> list[Key]:
        """The keys that go by this name; all of them for a document that names none."""
        return [key for name, key in self.keys if kid is None or kid == name]

    def may_name(self, tool: str) -> bool:
        """`*` is every tool, `a.*` every tool below `a`, anything else itself."""
        return any(
            pattern in ("*", tool) or (pattern.endswith(".*") and tool.startswith(pattern[:-1]))
            for pattern in self.tools
        )


@dataclass(frozen=True, slots=True)
class Anchors:
    """Everything but the time that a verdict depends on."""

    issuers: tuple[Trusted, ...]
    ledger: str
    audience: str

    def issuer(self, iss: Json) -> Trusted | None:
        """The issuer that calls itself exactly so."""
        return next((issuer for issuer in self.issuers if issuer.iss == iss), None)


def read_anchors(written: dict[str, Json]) -> Anchors:
    """Read the `anchors` object of a vector."""
    issuers = cast(list[dict[str, Json]], written["issuers"])
    return Anchors(
        tuple(_issuer(issuer) for issuer in issuers),
        cast(str, written.get("ledger", "")),
        cast(str, written.get("audience", "")),
    )


def _issuer(written: dict[str, Json]) -> Trusted:
    jwks = cast(dict[str, list[dict[str, Json]]], written["jwks"])
    return Trusted(
        iss=cast(str, written["iss"]),
        keys=tuple((cast(str, jwk["kid"]), Key(jwk)) for jwk in jwks["keys"]),
        orgs=tuple(cast(list[str], written.get("orgs", []))),
        tools=tuple(cast(list[str], written.get("tools", ["*"]))),
        lifetime_s=cast(int, written.get("lifetime_s", 90 * 86400)),
        plain_jwt=cast(bool, written.get("plain_jwt", False)),
    )
