"""Middleware for `aiohttp` (3.12 or newer): signs every request of a session.

    session = aiohttp.ClientSession(middlewares=[ContractAuth.from_files("agent.chain", "agent.jwk")])

Here each step of a redirect is a request of its own and is signed as one; name the guard with `origin` where nobody else
is to see the credential.
"""

from typing import TYPE_CHECKING

from remit.entrypoints.client.credentials import ContractCredential, KeyCredential
from remit.entrypoints.client.signing import Signer
from remit.errors import UsageError

if TYPE_CHECKING:
    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

__all__ = ["ContractAuth", "KeyAuth"]


class _Middleware:
    """Signs every request with the `signer` of the class that it is mixed into."""

    signer: Signer

    async def __call__(self, request: "ClientRequest", handler: "ClientHandlerType") -> "ClientResponse":
        """Send the request signed, and once more if a nonce is asked for."""
        url = str(request.url)
        if not self.signer.covers(url):
            return await handler(request)
        if request.compress:
            raise UsageError("a compressed body cannot be signed: leave `compress` out")
        body = await request.body.as_bytes() if request.body else b""
        await self._upload(request, url)
        request.headers.update(self.signer.headers_for(request.method, url, body))
        answer = await handler(request)
        if not self.signer.learn(url, answer.status, answer.headers):
            return answer
        answer.release()
        request.headers.update(self.signer.headers_for(request.method, url, body))
        return await handler(request)

    async def _upload(self, request: "ClientRequest", url: str) -> None:
        for _ in range(2):
            upload = self.signer.upload_for(url)
            if upload is None:
                return
            async with request.session.post(
                upload.url, data=upload.body, headers=upload.headers, middlewares=(), allow_redirects=False
            ) as answer:
                if not self.signer.learn(upload.url, answer.status, answer.headers):
                    self.signer.uploaded(url, answer.status)
                    return


class ContractAuth(ContractCredential, _Middleware):
    """Sends a chain of contracts with every request, and a fresh proof by its holder's key."""


class KeyAuth(KeyCredential, _Middleware):
    """Sends an API key with every request, and a fresh proof by the key that it is bound to."""
