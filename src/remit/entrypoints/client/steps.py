"""What the auth classes of `httpx` and `httpx2` do: the two libraries have the same interface and different classes.

The body is read before it is sent, since the proof covers it. A redirect is followed with the headers of the request that
was redirected, and its proof is for that one alone: the guard behind it refuses, and the credential is worth nothing there.
"""

from collections.abc import Generator
from typing import Any

from remit.entrypoints.client.signing import Signer

Flow = Generator[Any, Any, None]


class AuthFlow:
    """Signs every request with the `signer` of the class that it is mixed into."""

    requires_request_body = True
    signer: Signer

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
