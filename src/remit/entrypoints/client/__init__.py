"""The agent's side: every request carries the credential, and a fresh proof that whoever sends it holds its key.

    from remit.entrypoints.client import ContractAuth
    client = httpx.Client(auth=ContractAuth.from_files("agent.chain", "agent.jwk"))

`ContractAuth` and `KeyAuth` are for `httpx` and `httpx2`; those of the module `aiohttp` are for that library. None of the three is
needed by anything else here. For any other client `Signer.headers_for` makes the two headers of one request.
"""

from remit.entrypoints.client.auth import ContractAuth, KeyAuth
from remit.entrypoints.client.signing import Signer, contract_signer, key_signer

__all__ = ["ContractAuth", "KeyAuth", "Signer", "contract_signer", "key_signer"]
