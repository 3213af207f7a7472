"""Auth classes for `httpx`, its blocking and its async client alike.

client = httpx.Client(auth=ContractAuth.from_files("agent.chain", "agent.jwk"))
"""

import httpx

from remit.entrypoints.client.credentials import ContractCredential, KeyCredential
from remit.entrypoints.client.steps import AuthFlow

__all__ = ["ContractAuth", "KeyAuth"]


class ContractAuth(ContractCredential, AuthFlow, httpx.Auth):
    """Sends a chain of contracts with every request, and a fresh proof by its holder's key."""


class KeyAuth(KeyCredential, AuthFlow, httpx.Auth):
    """Sends an API key with every request, and a fresh proof by the key that it is bound to."""
