"""Making contracts by hand, good and bad: keys from names, JSON as it should not be written, signatures over anything.

A `Draft` is one link before it is signed, a `Case` a whole chain with what it is judged by. Assembling a case signs each
link with its signer and, unless a draft says otherwise, puts in the `iss` and `par_hash` that make it follow its parent: so a
change in one place stays the only thing that is wrong.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Final, TypeAlias, cast

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256

from remit.contracts import PrivateKey, read_private_key
from tests.contract_reference.signatures import THUMBPRINT_URI
from tests.contract_reference.strict_text import Json, encode_base64url
from tests.contract_reference.trust import digest

MAX_KEPT: Final = 500

_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, slots=True)
class Raw:
    """JSON text that is written as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Members:
    """An object whose members are written in this order, the same name twice if need be. Names are JSON text."""

    pairs: tuple[tuple[str, "Loose"], ...]


Loose: TypeAlias = "bool | int | float | str | list[Loose] | dict[str, Loose] | Raw | Members | None"


def as_loose(value: object) -> Loose:
    """The same value, known to be JSON or loosely so."""
    return cast(Loose, value)


def write(value: Loose) -> str:
    """The text of a value, `Raw` and `Members` as they want it."""
    match value:
        case Raw(text):
            return text
        case Members(pairs):
            return "{" + ",".join(f"{name}:{write(inner)}" for name, inner in pairs) + "}"
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{write(inner)}" for name, inner in value.items()) + "}"
        case list():
            return "[" + ",".join(write(inner) for inner in value) + "]"
        case _:
            return json.dumps(value)


class Signer:
    """A private key that is made of a name, so that it is the same in every run."""

    def __init__(self, name: str, alg: str) -> None:
        seed = hashlib.sha256(f"{alg} {name}".encode()).digest()
        self.name = name
        self.alg = alg
        self.kept: dict[bytes, bytes] = {}
        if alg == "EdDSA":
            self.ed25519 = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
            raw = self.ed25519.public_key().public_bytes_raw()
            self.public = {"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(raw)}
            self.private = {**self.public, "d": encode_base64url(seed)}
        else:
            secret = int.from_bytes(seed) % (_ORDER - 1) + 1
            self.p256 = ec.derive_private_key(secret, ec.SECP256R1())
            point = self.p256.public_key().public_numbers()
            x, y = (encode_base64url(value.to_bytes(32)) for value in (point.x, point.y))
            self.public = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
            self.private = {**self.public, "d": encode_base64url(secret.to_bytes(32))}

    @property
    def thumbprint(self) -> str:
        """RFC 7638."""
        return digest(json.dumps(self.public, sort_keys=True, separators=(",", ":")).encode())

    @property
    def uri(self) -> str:
        """The `iss` of what this key derives."""
        return THUMBPRINT_URI + self.thumbprint

    def sign(self, message: bytes) -> bytes:
        """64 bytes, the same for the same message: ES256 is signed as RFC 6979 says. What was signed before is kept."""
        if message not in self.kept:
            if len(self.kept) > MAX_KEPT:
                self.kept.clear()
            self.kept[message] = self._signature(message)
        return self.kept[message]

    def _signature(self, message: bytes) -> bytes:
        if self.alg == "EdDSA":
            return self.ed25519.sign(message)
        r, s = utils.decode_dss_signature(self.p256.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True)))
        return r.to_bytes(32) + s.to_bytes(32)

    def ours(self) -> PrivateKey:
        """The same key as the package knows it."""
        return _as_private_key(json.dumps(self.private).encode())


@lru_cache(maxsize=256)
def _as_private_key(jwk: bytes) -> PrivateKey:
    return read_private_key(jwk)


@lru_cache(maxsize=256)
def signer(name: str, alg: str = "ES256") -> Signer:
    """The key of this name."""
    return Signer(name, alg)


def as_bytes(text: str) -> bytes:
    """UTF-8; lone surrogates go through, so that they can be refused."""
    return text.encode("utf-8", "surrogatepass")


@dataclass(slots=True)
class Draft:
    """One link before it is signed. `fixed` names the claims that assembling must leave as they are."""

    header: dict[str, Loose]
    claims: dict[str, Loose]
    signer: Signer
    holder: Signer
    fixed: set[str] = field(default_factory=set)
    header_bytes: Callable[[str], bytes] = as_bytes
    claims_bytes: Callable[[str], bytes] = as_bytes
    signature: Callable[[bytes, bytes], bytes] | None = None
    compact: Callable[[str], str] | None = None

    def copy(self) -> "Draft":
        """A draft that can be changed without changing this one."""
        header, claims = (copy_json(part) for part in (self.header, self.claims))
        assert isinstance(header, dict)
        assert isinstance(claims, dict)
        return Draft(header, claims, self.signer, self.holder, set(self.fixed))

    def text(self, parent_signed: bytes | None) -> tuple[str, bytes]:
        """The compact text of the link, and what a child's `par_hash` is made of."""
        claims = dict(self.claims)
        if parent_signed is not None:
            for name, value in (("iss", self.signer.uri), ("par_hash", digest(parent_signed))):
                if name in claims and name not in self.fixed:
                    claims[name] = value
        parts = (self.header_bytes(write(self.header)), self.claims_bytes(write(claims)))
        signed = ".".join(encode_base64url(part) for part in parts)
        signature = self.signer.sign(signed.encode())
        if self.signature is not None:
            signature = self.signature(signature, signed.encode())
        text = f"{signed}.{encode_base64url(signature)}"
        return (self.compact(text) if self.compact else text), signed.encode()


def pick(rng: Random, *values: object) -> Loose:
    """One of the values, which are JSON or loosely so."""
    return as_loose(rng.choice(values))


def copy_json(value: Loose) -> Loose:
    """A copy in which nothing that can change is shared."""
    if isinstance(value, dict):
        return {name: copy_json(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [copy_json(inner) for inner in value]
    return value


@dataclass(slots=True)
class Case:
    """A chain to be judged: its drafts, the anchors, the time. `rearrange` changes the finished links, `joined` their text."""

    drafts: list[Draft]
    anchors: dict[str, Json]
    now_us: int
    in_headers: bool = False
    rearrange: Callable[[list[str]], list[str]] | None = None
    joined: Callable[[str], str] | None = None

    def copy(self) -> "Case":
        """A case that can be changed without changing this one."""
        return Case([draft.copy() for draft in self.drafts], self.anchors, self.now_us, self.in_headers)

    def chain(self) -> str:
        """The text that is shown to a verifier."""
        links: list[str] = []
        signed: bytes | None = None
        for draft in self.drafts:
            text, signed = draft.text(signed)
            links.append(text)
        if self.rearrange is not None:
            links = self.rearrange(links)
        text = "~".join(links)
        return self.joined(text) if self.joined else text
