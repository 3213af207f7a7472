"""One request over HTTP for `remit call`: signed, sent exactly as it was signed, and its answer shown as it comes."""

import http.client
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from remit.errors import RemitError

if TYPE_CHECKING:
    from remit.entrypoints.client import Signer

TIMEOUT_S: Final = 60
CHUNK_BYTES: Final = 64 * 1024
MAX_PROBLEM_BYTES: Final = 64 * 1024
PROBLEM_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent, but for the credential."""

    method: str
    url: SplitResult
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """What stands in the request line."""
        path = self.url.path or "/"
        return f"{path}?{self.url.query}" if self.url.query else path


def carry_out(request: Request, signer: "Signer | None", plain: dict[str, str], *, include: bool) -> int:
    """Send a request, once more if the guard asks for a nonce, show the answer and return the exit code.

    `plain` are the headers of the credential where there is no `signer`. Raises `RemitError` if no answer comes.
    """
    for last in (False, True):
        headers = plain if signer is None else _signed(signer, request)
        connection = _connect(request.url)
        try:
            answer = _sent(connection, request, headers)
            if last or signer is None or not _asks_again(signer, request, answer):
                return _show(answer, include=include)
        finally:
            connection.close()
    raise AssertionError("the second answer is shown, whatever it is")


def _url(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{request.target}"


def _connect(url: SplitResult) -> http.client.HTTPConnection:
    if url.scheme == "https":
        import ssl

        return http.client.HTTPSConnection(
            url.hostname or "", url.port, timeout=TIMEOUT_S, context=ssl.create_default_context()
        )
    return http.client.HTTPConnection(url.hostname or "", url.port, timeout=TIMEOUT_S)


def _signed(signer: "Signer", request: Request) -> dict[str, str]:
    """The headers of a signed request; a long chain is uploaded first."""
    url = _url(request)
    for _ in range(2):
        upload = signer.upload_for(url)
        if upload is None:
            break
        to = Request(method="POST", url=urlsplit(upload.url), body=upload.body)
        connection = _connect(to.url)
        try:
            answer = _sent(connection, to, upload.headers)
            if not signer.learn(upload.url, answer.status, _lowered(answer)):
                signer.uploaded(url, answer.status)
                break
        finally:
            connection.close()
    return signer.headers_for(request.method, url, request.body)


def _sent(
    connection: http.client.HTTPConnection, request: Request, headers: dict[str, str]
) -> http.client.HTTPResponse:
    try:
        body = request.body if request.body or request.method not in ("GET", "HEAD") else None
        connection.request(request.method, request.target, body=body, headers={**request.headers, **headers})
        return connection.getresponse()
    except TimeoutError:
        raise RemitError(f"`{request.url.netloc}` did not answer within {TIMEOUT_S} seconds") from None
    except http.client.HTTPException as error:
        raise RemitError(f"`{request.url.netloc}` did not answer in HTTP ({type(error).__name__})") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RemitError(f"`{request.url.netloc}` cannot be reached: {reason}") from None


def _asks_again(signer: "Signer", request: Request, answer: http.client.HTTPResponse) -> bool:
    return signer.learn(_url(request), answer.status, _lowered(answer))


def _lowered(answer: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.getheaders()}


def _show(answer: http.client.HTTPResponse, *, include: bool) -> int:
    """Print an answer and return the exit code."""
    from remit.cli.failures import REFUSED, complain

    if include:
        _write(f"HTTP/1.1 {answer.status} {answer.reason}\n".encode("latin-1", "replace"))
        _write(
            "".join(f"{name}: {value}\n" for name, value in answer.getheaders()).encode("latin-1", "replace") + b"\n"
        )
    problem, is_problem = b"", (answer.getheader("content-type") or "").partition(";")[0] == PROBLEM_TYPE
    last = b"\n"
    try:
        while chunk := answer.read1(CHUNK_BYTES):
            _write(chunk)
            last = chunk[-1:]
            if is_problem and len(problem) <= MAX_PROBLEM_BYTES:
                problem += chunk
        if answer.length:  # a body that ends too early is no error to `read1`
            raise http.client.IncompleteRead(b"", answer.length)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise RemitError("the answer broke off: what came of it is above, and it is not complete") from None
    if last != b"\n" and sys.stdout.isatty():
        _write(b"\n")
    sys.stdout.buffer.flush()
    if 200 <= answer.status < 300:
        return 0
    complain(_refusal(answer.status, _members(problem)))
    return REFUSED


def _write(data: bytes) -> None:
    """As it came; a terminal gets nothing that it would obey."""
    if sys.stdout.isatty():
        text = data.decode("utf-8", "replace")
        data = "".join(
            char if char.isprintable() or char in "\n\t" else f"<U+{ord(char):04X}>" for char in text
        ).encode()
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _members(problem: bytes) -> dict[str, Any]:
    import json

    try:
        members = json.loads(problem) if problem else {}
    except (ValueError, RecursionError):
        members = {}
    return members if isinstance(members, dict) else {}


def _refusal(status: int, problem: dict[str, Any]) -> str:
    """`refused (403 contract_exhausted) by link 2: …`, as far as the answer says so."""
    reason, detail, hop = problem.get("reason"), problem.get("detail"), problem.get("hop")
    if not isinstance(reason, str) or not isinstance(detail, str):
        return f"the answer is {status}"
    where = f", by contract {hop + 1} of the chain" if type(hop) is int else ""
    return f"refused ({status} {reason}){where}: {detail}"
