"""The agent's side: every request carries the credential, and a fresh proof that whoever sends it holds its key.

    from remit.entrypoints.client.httpx import ContractAuth
    client = httpx.Client(auth=ContractAuth.from_files("agent.chain", "agent.jwk"))

The modules `httpx`, `httpx2` and `aiohttp` each need the library they are named after and nothing else does. For any other
client `Signer.headers_for` makes the two headers of one request.
"""

from remit.entrypoints.client.signing import Signer, contract_signer, key_signer

__all__ = ["Signer", "contract_signer", "key_signer"]
