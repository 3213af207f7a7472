"""Whom the operator trusts to sign roots, and the most that each of them may put into one.

A key is looked up by the issuer *and* the `kid`, so that two issuers may use one `kid` for different keys. The `version`
of a set of anchors is a hash of everything in it: what was verified against another version has not been verified.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from remit.contracts.key_sets import KeySet
from remit.core.cell_keys import cell_key
from remit.core.contract import MAX_LIFETIME_S
from remit.core.match import ToolPatterns, check_identifier, parse_tool_patterns
from remit.core.money import Money
from remit.core.reading import shown
from remit.errors import UsageError

MAX_URI_CHARS: Final = 2048
MAX_ISSUERS: Final = 256

_SCHEME_CHARS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.")
_URI_CHARS: Final = _SCHEME_CHARS | frozenset("_~:/?#[]@!$&'()*,;=%")


def is_uri(text: str) -> bool:
    """Say whether `text` has the form of a URI (RFC 3986): a scheme, a colon, something after it, and no other characters."""
    scheme, colon, rest = text.partition(":")
    if not colon or not rest or len(text) > MAX_URI_CHARS or not _URI_CHARS.issuperset(text):
        return False
    return bool(scheme) and scheme[0].isalpha() and _SCHEME_CHARS.issuperset(scheme)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """An issuer as the policy names it. `iss` is compared exactly; `orgs` and `tools` are what its roots may name.

    `lifetime_s` is the longest life of a root, `budget` an implied limit on the cost of each. `plain_jwt` accepts `typ: JWT`
    in its chains, for issuers that do not write `aat+jwt`. Raises `UsageError`.
    """

    name: str
    iss: str
    keys: KeySet
    orgs: tuple[str, ...] = ()
    tools: tuple[str, ...] = ("*",)
    lifetime_s: int = MAX_LIFETIME_S
    budget: Money | None = None
    plain_jwt: bool = False
    patterns: ToolPatterns = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_identifier(self.name, what="issuer")
        if not is_uri(self.iss):
            raise UsageError(
                f"the `iss` {shown(self.iss)} is not a URI: write one such as `https://issuer.example.com`"
            )
        if not 0 < self.lifetime_s <= MAX_LIFETIME_S:
            raise UsageError(f"the lifetime of the roots of `{self.name}` must be above zero and at most 90 days")
        for org in self.orgs:
            check_identifier(org, what="org")
        object.__setattr__(self, "patterns", parse_tool_patterns(self.tools))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustAnchors:
    """Everything that a chain is verified against, but the time. Raises `UsageError` when two issuers are the same.

    `ledger` is the id of this guard, which contracts with limits must name; empty: none may have limits. `audience` is what
    an `aud` must say where a contract has one (draft: it has none); empty: no contract may have one.
    """

    issuers: tuple[TrustedIssuer, ...]
    ledger: str = ""
    audience: str = ""
    version: str = field(init=False)
    _by_iss: dict[str, TrustedIssuer] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_iss = {issuer.iss: issuer for issuer in self.issuers}
        if len(by_iss) != len(self.issuers) or len({issuer.name for issuer in self.issuers}) != len(self.issuers):
            raise UsageError("two trusted issuers have the same name or the same `iss`")
        if len(self.issuers) > MAX_ISSUERS:
            raise UsageError(f"there are more than {MAX_ISSUERS} trusted issuers")
        text = cell_key(self.ledger, self.audience, *(_description(issuer) for issuer in self.issuers))
        object.__setattr__(self, "version", hashlib.sha256(text.encode()).hexdigest())
        object.__setattr__(self, "_by_iss", by_iss)

    def issuer(self, iss: str) -> TrustedIssuer | None:
        """The issuer that calls itself exactly so."""
        return self._by_iss.get(iss)


def _description(issuer: TrustedIssuer) -> str:
    keys = (part for named in issuer.keys.keys for part in (named.kid, named.key.thumbprint))
    lists = (cell_key(*keys), cell_key(*issuer.orgs), cell_key(*issuer.tools))
    bounds = (str(issuer.lifetime_s), str(issuer.budget), str(issuer.plain_jwt))
    return cell_key(issuer.name, issuer.iss, *lists, *bounds)
