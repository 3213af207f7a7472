"""What goes into the headers of one request: the credential, and a proof for this method, target, query and body.

A proof is good for one request, so headers are made anew for each, repeats included. A guard may ask for a nonce of its
own in a proof (RFC 9449 section 8): it says so in a 401, and the request is signed and sent once more. The nonces that
guards gave are remembered for each origin; beyond that a signer remembers nothing but which guards keep its chain.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import urlsplit

from remit.contracts import HttpCall, PrivateKey, chain_name, make_dpop, read_private_key, read_unverified_chain
from remit.contracts.dpop import MAX_NONCE_CHARS
from remit.contracts.uris import request_target
from remit.core.reading import shown
from remit.errors import UsageError

MAX_ORIGINS: Final = 64
"""So many guards has one signer to do with; of more, those known longest are forgotten."""

UPLOAD_ABOVE_CHARS: Final = 6 * 1024
"""A longer chain is uploaded once and named afterwards: common proxies refuse headers of more than 8 KiB in all."""

CHAINS_PATH: Final = "/.well-known/remit/chains"

Clock = Callable[[], int]
RandomBytes = Callable[[int], bytes]
Known = TypeVar("Known")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A request that makes a guard keep a chain, so that requests can name it instead of carrying it."""

    url: str
    headers: dict[str, str]
    body: bytes


class Signer:
    """Makes the headers of requests with one credential and the private key that it is bound to.

    `origin` is the one guard (`https://api.example.com`) that gets to see the credential; None: whoever is asked.
    `session` is the id of a run that the calls belong to. `may_upload` says that the credential is a chain, which a guard
    can keep when it is long. Raises `UsageError`.
    """

    def __init__(
        self,
        credential: str,
        key: PrivateKey,
        *,
        origin: str | None = None,
        session: str | None = None,
        may_upload: bool = False,
        now_us: Clock = lambda: time.time_ns() // 1000,
        random_bytes: RandomBytes = os.urandom,
    ) -> None:
        if not credential or not credential.isascii() or not credential.isprintable() or " " in credential:
            raise UsageError("a credential is printable ASCII text without spaces; is this the right file?")
        self._credential: Final = credential
        self._key: Final = key
        self._origin: Final = None if origin is None else request_target(origin, "")
        self._session: Final = session
        self._now_us: Final = now_us
        self._random_bytes: Final = random_bytes
        self._may_upload: Final = may_upload and len(credential) > UPLOAD_ABOVE_CHARS
        self._nonces: Final[dict[str, str]] = {}
        self._is_kept: Final[dict[str, bool]] = {}

    def __repr__(self) -> str:
        return f"Signer(key {self._key.public.thumbprint})"

    def covers(self, url: str) -> bool:
        """Say whether a request for `url` is to be signed at all."""
        return self._origin is None or request_target(_split(url).origin, "") == self._origin

    def headers_for(self, method: str, url: str, body: bytes | str | None = None) -> dict[str, str]:
        """Return the headers for one request: `authorization` and `dpop`. Use them once, with exactly these bytes.

        `url` is absolute and as it will be sent: escaped, its query included. Raises `UsageError` for any other.
        """
        target = _split(url)
        is_kept = self._is_kept.get(target.origin, False)
        credential = chain_name(self._credential) if is_kept else self._credential
        return {"authorization": f"DPoP {credential}", "dpop": self._proof(method, target, body)}

    def learn(self, url: str, status: int, headers: Mapping[str, str]) -> bool:
        """Keep the nonce that an answer gives, and say whether it asks for the request to be signed and sent again.

        `headers` are looked up in lower case. A guard that refuses a chain by its name gets it anew with the next request.
        """
        origin, nonce = _split(url).origin, headers.get("dpop-nonce", "")
        if status == 401 and self._is_kept.get(origin, False):
            self._is_kept.pop(origin)
        if not 0 < len(nonce) <= MAX_NONCE_CHARS or not nonce.isascii() or not nonce.isprintable():
            return False
        _remember(self._nonces, origin, nonce)
        return status == 401 and "use_dpop_nonce" in headers.get("www-authenticate", "")

    def upload_for(self, url: str) -> Upload | None:
        """The request to make before one for `url`, if the chain is long and that guard has not been given it yet."""
        target = _split(url)
        if not self._may_upload or target.origin in self._is_kept:
            return None
        body = self._credential.encode()
        to = _Target(target.origin, CHAINS_PATH, b"")
        headers = {"dpop": self._proof("POST", to, body), "content-type": "application/octet-stream"}
        return Upload(url=f"{target.origin}{CHAINS_PATH}", headers=headers, body=body)

    def uploaded(self, url: str, status: int) -> None:
        """Take note of how an upload was answered: where it is refused for good, requests carry the chain themselves."""
        if status < 500:
            _remember(self._is_kept, _split(url).origin, status == 201)

    def _proof(self, method: str, target: "_Target", body: bytes | str | None) -> str:
        raw = body.encode() if isinstance(body, str) else body or b""
        call = HttpCall(method=method.upper(), origin=target.origin, path=target.path, query=target.query, body=raw)
        return make_dpop(
            self._key,
            call,
            credential=self._credential,
            now_us=self._now_us(),
            random_bytes=self._random_bytes,
            nonce=self._nonces.get(target.origin),
            session=self._session,
        )


def contract_signer(
    chain: str, private_key: PrivateKey | str | bytes, *, origin: str | None = None, session: str | None = None
) -> Signer:
    """A signer for the holder of a chain's last contract; `private_key` may be the text of a private JWK.

    Raises `ContractError` for what is no chain, `UsageError` for a key that is not the holder's.
    """
    text, key = chain.strip(), _key(private_key)
    holder = read_unverified_chain(text).leaf_key
    if holder != key.public:
        raise UsageError(
            f"the key `{key.public.thumbprint}` is not the one that the contract was made for: that is `{holder.thumbprint}`"
        )
    return Signer(text, key, origin=origin, session=session, may_upload=True)


def key_signer(
    api_key: str, private_key: PrivateKey | str | bytes, *, origin: str | None = None, session: str | None = None
) -> Signer:
    """A signer for an API key that was bound to the key of its holder when it was made. Raises `UsageError`."""
    return Signer(api_key.strip(), _key(private_key), origin=origin, session=session)


def _key(private_key: PrivateKey | str | bytes) -> PrivateKey:
    if isinstance(private_key, PrivateKey):
        return private_key
    return read_private_key(private_key.encode() if isinstance(private_key, str) else private_key)


@dataclass(frozen=True, slots=True)
class _Target:
    """A URL in the parts that a proof speaks of. `origin` has no user information."""

    origin: str
    path: str
    query: bytes


def _split(url: str) -> _Target:
    if not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(f"{shown(url)} is not a URL as it is sent: escape what is no plain character")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UsageError(f"{shown(url)} is not a URL: its host is malformed") from None
    host = parts.netloc.rpartition("@")[2].lower()
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"{shown(url)} is not a URL: write `https://`, a host and a path")
    return _Target(f"{parts.scheme}://{host}", parts.path or "/", parts.query.encode())


def _remember(known: dict[str, Known], origin: str, value: Known) -> None:
    known.pop(origin, None)
    while len(known) >= MAX_ORIGINS:
        known.pop(next(iter(known)))
    known[origin] = value
