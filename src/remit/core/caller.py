"""Who is calling: what identity has verified, and nothing a caller merely says of itself."""

from dataclasses import dataclass
from enum import StrEnum

from remit.core.contract import Chain


class CredentialKind(StrEnum):
    """How the caller proved who it is."""

    NONE = "none"
    API_KEY = "api_key"
    CONTRACT = "contract"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A run with its own cap, opened by the caller. Amounts are micro-units of the policy's currency.

    A session inside another one (`parent`) is charged to both.
    """

    id: str
    expires_us: int
    budget_micros: int | None = None
    calls: int | None = None
    named: str = ""
    parent: "Session | None" = None

    def line(self) -> "tuple[Session, ...]":
        """This session and those around it, the innermost first."""
        return (self,) if self.parent is None else (self, *self.parent.line())


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A verified caller. `id` is the key id, the thumbprint of a contract's leaf holder, or the address prefix of an
    anonymous caller; it is never a label.

    `tools` are the patterns of what the credential may call; None means that only tools open to anonymous callers are, or
    that the `chain` of contracts says it. `bound` says that this very request proved possession of the credential's key, `credential`
    is the hash of the chain's text: what is prepared for one chain is never used for another.
    """

    kind: CredentialKind
    id: str
    address: str
    agent: str | None = None
    user: str | None = None
    org: str | None = None
    tier: str | None = None
    tools: tuple[str, ...] | None = None
    session: Session | None = None
    chain: Chain | None = None
    bound: bool = False
    credential: str = ""

    @property
    def tenant(self) -> str:
        """Whose cells are charged: the org, else the issuer of the contract, else `-`."""
        if self.org is not None:
            return self.org
        return self.chain.root.iss if self.chain is not None else "-"
