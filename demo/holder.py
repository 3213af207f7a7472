"""An agent that holds a chain of contracts and the key that it was made for: its requests, each with its own proof.

The bytes of a request are made here, so that an error loop can send thousands a second. What an ordinary agent does is
shorter: `contract_signer` makes the same two headers (`agents`), and for httpx and aiohttp there is an auth class.
"""

import json
import os
import time
from typing import Self

from remit.contracts import (
    Algorithm,
    Asking,
    HttpCall,
    PrivateKey,
    chain_name,
    derive,
    make_dpop,
    new_private_key,
    read_private_key,
)

CHAINS = "/.well-known/remit/chains"


class Holder:
    """One key with its chain. `made` counts its proofs; `is_kept` says that the gateway has the chain by now."""

    __slots__ = ("_authorization", "_chain", "_key", "is_kept", "made", "name")

    def __init__(self, name: str, key: PrivateKey, chain: str) -> None:
        """`name` is a label for people. After `is_kept` is set, requests carry the name of the chain instead of it."""
        self.name = name
        self.made = 0
        self.is_kept = False
        self._key = key
        self._chain = chain
        self._authorization = f"DPoP {chain_name(chain)}"

    @classmethod
    def read(cls, name: str, key: str, chain: str) -> Self:
        """From the text of a private JWK and that of a chain."""
        return cls(name, read_private_key(key.encode()), chain)

    def upload(self, origin: str) -> bytes:
        """The request that makes the gateway keep the chain: its text, and a proof by its holder."""
        body = self._chain.encode()
        proof = self.proof(origin, CHAINS, body)
        return request_bytes(CHAINS, origin, {"dpop": proof, "content-type": "application/octet-stream"}, body)

    def post(self, origin: str, path: str, body: bytes) -> bytes:
        """A request with JSON in it, and its own fresh proof."""
        headers = self.headers(origin, path, body)
        return request_bytes(path, origin, headers | {"content-type": "application/json"}, body)

    def headers(self, origin: str, path: str, body: bytes) -> dict[str, str]:
        """The two headers of one POST: the chain, by itself or by its name, and a fresh proof."""
        credential = self._authorization if self.is_kept else f"DPoP {self._chain}"
        return {"authorization": credential, "dpop": self.proof(origin, path, body)}

    def proof(self, origin: str, path: str, body: bytes) -> str:
        """A proof for one POST, made now. Good once, for half a minute, for these very bytes."""
        self.made += 1
        call = HttpCall(method="POST", origin=origin, path=path, body=body)
        return make_dpop(
            self._key, call, credential=self._chain, now_us=time.time_ns() // 1000, random_bytes=os.urandom
        )

    def delegate(self, name: str) -> "Holder":
        """Somebody new with a key of its own and a contract derived from this one: offline, nobody is asked."""
        key = new_private_key(os.urandom, Algorithm.ES256)
        chain = derive(
            self._chain, self._key, holder=key.public, asking=Asking(agent=name),
            now_us=time.time_ns() // 1000, random_bytes=os.urandom,
        )  # fmt: skip
        return Holder(name, key, chain)


def request_bytes(path: str, origin: str, headers: dict[str, str], body: bytes) -> bytes:
    """A whole POST."""
    host = origin.partition("://")[2]
    lines = [f"POST {path} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode("ascii") + body


def payment(amount: object, to: str) -> bytes:
    """The body of a transfer, a refund or a validation."""
    return json.dumps({"amount": amount, "currency": "USD", "to": to}).encode("ascii")
