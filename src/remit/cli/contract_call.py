"""`remit call`: one request with a credential and, where a key is at hand, a fresh proof. A very small curl.

What is signed is exactly what is sent: no redirect is followed and no proxy of the environment is used. The body of the
answer goes to stdout as it comes; of a refusal, the sentence that says why goes to stderr.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from remit.cli.command import Command
from remit.core.reading import shown
from remit.errors import UsageError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from remit.cli.contract_sending import Request
    from remit.entrypoints.client import Signer

MAX_METHOD_CHARS: Final = 32
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
MAX_API_KEY_BYTES: Final = 4096

_OWN_HEADERS: Final = frozenset(
    {"authorization", "dpop", "x-api-key", "host", "content-length", "transfer-encoding", "connection"}
)
_METHOD_CHARS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="where to send it, escaped as it shall be sent")
    parser.add_argument("-X", "--method", metavar="METHOD", help="the method (default: GET, with `-d` POST)")
    parser.add_argument("-d", "--data", metavar="BODY", help="the body, or @FILE; JSON, unless a header says otherwise")
    parser.add_argument(
        "-H", "--header", action="append", default=[], metavar="HEADER", help="a header, such as 'Idempotency-Key: 7'"
    )
    parser.add_argument("--chain", metavar="FILE", help="call with the contract in FILE; needs `--key`")
    parser.add_argument("--api-key", metavar="KEY", help="call with an API key, or @FILE with the key in it")
    parser.add_argument(
        "--key", metavar="FILE", help="the private key of the contract's holder, or that the API key is bound to"
    )
    parser.add_argument("--session", metavar="ID", help="the session that the call belongs to")
    parser.add_argument(
        "-i", "--include", action="store_true", help="print the status and the headers of the answer, too"
    )


def _run(arguments: argparse.Namespace) -> int:
    from remit.cli.contract_sending import carry_out

    if (arguments.chain is None) == (arguments.api_key is None):
        raise UsageError("call with a contract (`--chain` and `--key`) or with an API key, one of the two")
    if not (arguments.session or "x").isascii() or not (arguments.session or "x").isprintable():
        raise UsageError("`--session` is the id of a session, as the guard gave it")
    request = _request(arguments)
    signer = _signer(arguments)
    plain = {} if signer is not None else _bearer(arguments)
    return carry_out(request, signer, plain, include=arguments.include)


def _request(arguments: argparse.Namespace) -> "Request":
    from remit.cli.contract_sending import Request

    method = (arguments.method or ("GET" if arguments.data is None else "POST")).upper()
    if not 0 < len(method) <= MAX_METHOD_CHARS or not _METHOD_CHARS.issuperset(method):
        raise UsageError(f"{shown(method)} is not a method: write one such as `POST`")
    headers = _headers(arguments.header)
    if arguments.data is not None:
        headers.setdefault("content-type", "application/json")
    return Request(method=method, url=_split(arguments.url), body=_body(arguments.data), headers=headers)


def _split(url: str) -> "SplitResult":
    from urllib.parse import urlsplit

    if not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(f"{shown(url)} is not a URL as it is sent: escape what is no plain character")
    problem = f"{shown(url)} is not a URL: write `https://`, a host and a path"
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        raise UsageError(problem) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or not has_port:
        raise UsageError(problem)
    return parts


def _headers(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        lowered = name.strip().lower()
        if not colon or not lowered or not line.isascii() or not line.isprintable() or " " in lowered:
            raise UsageError(f"{shown(line)} is not a header: write a name, a colon and a value")
        if lowered in _OWN_HEADERS or lowered in found:
            raise UsageError(f"the header {shown(lowered)} is set by this command, or twice: leave it out")
        found[lowered] = value.strip()
    return found


def _body(data: str | None) -> bytes:
    if data is None:
        return b""
    return _file(data[1:], MAX_BODY_BYTES) if data.startswith("@") else data.encode("utf-8", "surrogateescape")


def _file(path: str, most_bytes: int) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(most_bytes + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "it is not a file").lower()
        raise UsageError(f"{shown(path)} cannot be read: {reason}") from None
    if len(content) > most_bytes:
        raise UsageError(f"{shown(path)} is larger than {most_bytes} bytes")
    return content


def _signer(arguments: argparse.Namespace) -> "Signer | None":
    """What signs the request; None for an API key that is bound to nothing."""
    from remit.cli.contract_files import read_secret_key
    from remit.entrypoints.client import contract_signer, key_signer
    from remit.entrypoints.client.credentials import read_chain_file

    if arguments.chain is not None:
        if arguments.key is None:
            raise UsageError("a contract is worth nothing without its holder's key: add `--key FILE`")
        chain = read_chain_file(arguments.chain)
        return contract_signer(chain, read_secret_key(arguments.key), session=arguments.session)
    if arguments.key is None:
        return None
    return key_signer(_api_key(arguments), read_secret_key(arguments.key), session=arguments.session)


def _bearer(arguments: argparse.Namespace) -> dict[str, str]:
    headers = {"authorization": f"Bearer {_api_key(arguments)}"}
    return headers if arguments.session is None else {**headers, "remit-session": arguments.session}


def _api_key(arguments: argparse.Namespace) -> str:
    given: str = arguments.api_key
    text = _file(given[1:], MAX_API_KEY_BYTES).decode("latin-1").strip() if given.startswith("@") else given
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError("the API key is no key: it is one word, as `remit keys create` showed it")
    return text


COMMANDS = (
    Command(
        words="call",
        help="make one request with a contract or an API key, signed",
        example="remit call https://api.example.com/transfer --chain agent.chain --key agent.jwk -d '{\"amount\": 5}'",
        about="Exit code 0 for an answer of 2xx; 1 for any other, with the reason on stderr.",
        arguments=_arguments,
        run=_run,
    ),
)
