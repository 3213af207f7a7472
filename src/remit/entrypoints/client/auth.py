"""Auth classes for `httpx` and `httpx2`, their blocking and their async clients alike.

    client = httpx.Client(auth=ContractAuth.from_files("agent.chain", "agent.jwk"))

The body is read before it is sent, since the proof covers it. A redirect is followed with the headers of the request that
was redirected, and its proof is for that one alone: the guard behind it refuses, and the credential is worth nothing there.

Each library asks whether an `auth` is an instance of its own class `Auth`. So an instance has as parents those of the
libraries that are installed, which are imported when the first instance is made and not before.
"""

import importlib
import importlib.util
from collections.abc import Generator
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self, cast

from remit.entrypoints.client.credentials import ContractCredential, KeyCredential
from remit.entrypoints.client.signing import Signer
from remit.errors import UsageError

if TYPE_CHECKING:
    import httpx
    import httpx2

    class _Auth(httpx.Auth, httpx2.Auth):  # type: ignore[misc]  # their requests differ by name only
        """What both libraries see."""

        sync_auth_flow: Any
        async_auth_flow: Any

else:
    _Auth = object

LIBRARIES: Final = ("httpx", "httpx2")

Flow = Generator[Any, Any, None]


class SigningAuth(_Auth):
    """Signs every request with the `signer` of the class that it is mixed into."""

    requires_request_body = True
    signer: Signer

    def __new__(cls, *_: object, **__: object) -> Self:
        """An instance of this class and of those that the libraries ask for."""
        return cast(Self, object.__new__(_in_libraries(cast(type, cls))))

    def auth_flow(self, request: Any) -> Flow:
        """The requests that one request becomes: itself, once more if a nonce is asked for, and maybe an upload before."""
        url = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}{request.url.raw_path.decode('ascii')}"
        signer = self.signer
        if not signer.covers(url):
            yield request
            return
        yield from self._upload(type(request), url)
        for _ in range(2):
            request.headers.update(signer.headers_for(request.method, url, request.content))
            answer = yield request
            if not signer.learn(url, answer.status_code, answer.headers):
                return

    def _upload(self, request_class: Any, url: str) -> Flow:
        for _ in range(2):
            upload = self.signer.upload_for(url)
            if upload is None:
                return
            answer = yield request_class("POST", upload.url, headers=upload.headers, content=upload.body)
            if not self.signer.learn(upload.url, answer.status_code, answer.headers):
                self.signer.uploaded(url, answer.status_code)
                return


class ContractAuth(ContractCredential, SigningAuth):
    """Sends a chain of contracts with every request, and a fresh proof by its holder's key."""


class KeyAuth(KeyCredential, SigningAuth):
    """Sends an API key with every request, and a fresh proof by the key that it is bound to."""


@cache
def _in_libraries(auth: type) -> type:
    """The class `auth`, as a child of the `Auth` of every library that is there."""
    found = [name for name in LIBRARIES if importlib.util.find_spec(name) is not None]
    if not found:
        raise UsageError(
            "neither `httpx` nor `httpx2` is installed: `pip install httpx`, or use `headers_for` of a `Signer`"
        )
    parents = [importlib.import_module(name).Auth for name in found]
    return type(auth.__name__, (auth, *parents), {"__doc__": auth.__doc__, "__module__": auth.__module__})
