"""Contracts and chains as data: what a verified chain says, for everything that decides.

A contract is one signed document; a chain is the contracts from the root, signed by an issuer that the operator trusts,
to the leaf, held by the agent that calls. Values of these types say nothing about signatures: who hands out a `Chain`
has verified it (`remit.contracts.verify_chain`).

A link is known by its *lineage*, not by its `jti` alone: holders choose the `jti` of what they derive, so an id without
its ancestors could be taken twice. lineage(root) = H(iss, jti), lineage(child) = H(lineage(parent), jti). What a link's
limits count in is keyed by the lineage too, but for one thing: an issuer may name an account in a root, and then the
counters of its chains start from H(iss, account) and carry over when the contract is issued again.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from remit.core.cell_keys import cell_key
from remit.core.constraints import ArgumentMap, arguments_refusal
from remit.core.contract_limits import ContractLimits
from remit.core.money import Money
from remit.core.reading import shown
from remit.core.schedule import SECOND_US
from remit.core.strict_json import JsonValue

MAX_DELEGATION_DEPTH: Final = 8
"""The deepest link; a chain has one more."""

MAX_LIFETIME_S: Final = 90 * 86_400
MAX_ISSUED_AHEAD_S: Final = 30
"""How far in the future `iat` may lie. Expiry has no such tolerance."""


@dataclass(frozen=True, slots=True)
class HolderKey:
    """A public key as its JWK says it (RFC 7517, 8037): `y` is empty for Ed25519. The thumbprint (RFC 7638) is its name."""

    kty: str
    crv: str
    x: str
    y: str
    thumbprint: str

    def to_jwk(self) -> dict[str, str]:
        """The members that make up the key, and no others."""
        point = {"x": self.x, "y": self.y} if self.y else {"x": self.x}
        return {"kty": self.kty, "crv": self.crv, **point}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """One link. Times are seconds since 1970; `expires_s` is exclusive. `agent` is a label and decides nothing.

    `tools` is what it allows, None in a link that carries no capability at all (which allows nothing). `org`, `user` and
    `account` stand in roots only.
    """

    jti: str
    iss: str
    issued_s: int
    expires_s: int
    holder: HolderKey
    depth: int
    max_depth: int
    tools: Mapping[str, ArgumentMap] | None
    not_before_s: int = 0
    parent_hash: str | None = None
    agent: str | None = None
    org: str | None = None
    user: str | None = None
    account: str | None = None
    limits: ContractLimits | None = None

    @property
    def expires_us(self) -> int:
        """When it ends, exclusive."""
        return self.expires_s * SECOND_US

    def refusal(self, tool: str, arguments: Mapping[str, JsonValue]) -> str | None:
        """Say in one sentence why this contract does not allow the call; None: it does (draft section 7, step 6b).

        `arguments` are JSON values as the caller gave them: an amount of money is the number in the request, not micros.
        """
        constraints = (self.tools or {}).get(tool)
        if constraints is None:
            return f"the contract does not allow the tool {shown(tool)}"
        return arguments_refusal(constraints, arguments, tool=tool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The links from the root to the leaf, the name that the operator gave the issuer, and the budget that it implies.

    `budget` is a limit on the cost of everything under this root, for its whole life (or its account's); None: none.
    `lineages` is what each link is revoked by, `counters` what its limits are keyed by. `holders` are the thumbprints of
    every holder, the root's first, each once.
    """

    links: tuple[Contract, ...]
    issuer: str
    budget: Money | None = None
    lineages: tuple[str, ...] = field(init=False)
    counters: tuple[str, ...] = field(init=False)
    holders: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        root = self.links[0]
        lineages = counters = _line(root_lineage(root.iss, root.jti), self.links)
        if root.account is not None:
            counters = _line(account_lineage(root.iss, root.account), self.links)
        object.__setattr__(self, "lineages", lineages)
        object.__setattr__(self, "counters", counters)
        object.__setattr__(self, "holders", tuple(dict.fromkeys(link.holder.thumbprint for link in self.links)))

    @property
    def root(self) -> Contract:
        """The first link."""
        return self.links[0]

    @property
    def leaf(self) -> Contract:
        """The last link: what it allows is what the chain allows, and who holds it is who may call."""
        return self.links[-1]

    @property
    def expires_us(self) -> int:
        """When the first of its links ends: the leaf, since no child outlives its parent."""
        return min(link.expires_us for link in self.links)


def root_lineage(iss: str, jti: str) -> str:
    """The lineage of a root."""
    return _hash("root", iss, jti)


def account_lineage(iss: str, account: str) -> str:
    """What the counters of every root of this issuer's account start from."""
    return _hash("account", iss, account)


def child_lineage(parent: str, jti: str) -> str:
    """The lineage of a link below the one that has the lineage `parent`."""
    return _hash("child", parent, jti)


def _line(first: str, links: tuple[Contract, ...]) -> tuple[str, ...]:
    return tuple(accumulate((link.jti for link in links[1:]), child_lineage, initial=first))


def _hash(*parts: str) -> str:
    """43 characters of base64url: SHA-256 over the length-prefixed parts, the first of which says what they are."""
    digest = hashlib.sha256(cell_key(*parts).encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
