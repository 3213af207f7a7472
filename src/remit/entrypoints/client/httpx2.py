"""Auth classes for `httpx2`, its blocking and its async client alike.

client = httpx2.Client(auth=ContractAuth.from_files("agent.chain", "agent.jwk"))
"""

import httpx2

from remit.entrypoints.client.credentials import ContractCredential, KeyCredential
from remit.entrypoints.client.steps import AuthFlow

__all__ = ["ContractAuth", "KeyAuth"]


class ContractAuth(ContractCredential, AuthFlow, httpx2.Auth):
    """Sends a chain of contracts with every request, and a fresh proof by its holder's key."""


class KeyAuth(KeyCredential, AuthFlow, httpx2.Auth):
    """Sends an API key with every request, and a fresh proof by the key that it is bound to."""
