"""What an auth class is made of: a credential and the private key that it is bound to, given as text or in files."""

from pathlib import Path
from typing import Self

from remit.contracts import PrivateKey
from remit.contracts.bounds import CHAIN_BYTES_BY_REFERENCE
from remit.contracts.keys import MAX_KEY_BYTES
from remit.entrypoints.client.signing import contract_signer, key_signer
from remit.errors import UsageError


class ContractCredential:
    """Built from a chain of contracts and its holder's private key (a `PrivateKey`, or the text of its JWK).

    `origin` is the one guard that gets to see the chain, `session` the id of a run that the calls belong to.
    """

    def __init__(
        self,
        chain: str,
        private_key: PrivateKey | str | bytes,
        *,
        origin: str | None = None,
        session: str | None = None,
    ) -> None:
        self.signer = contract_signer(chain, private_key, origin=origin, session=session)

    @classmethod
    def from_files(
        cls, chain: str | Path, key: str | Path, *, origin: str | None = None, session: str | None = None
    ) -> Self:
        """The same from the files that `remit delegate` and `remit keygen` made. Raises `UsageError`."""
        return cls(read_chain_file(chain), read_key_file(key), origin=origin, session=session)


class KeyCredential:
    """Built from an API key and the private key that it is bound to."""

    def __init__(
        self,
        api_key: str,
        private_key: PrivateKey | str | bytes,
        *,
        origin: str | None = None,
        session: str | None = None,
    ) -> None:
        self.signer = key_signer(api_key, private_key, origin=origin, session=session)


def read_chain_file(path: str | Path) -> str:
    """The chain in a file, by its text alone: whether it is one, its reader finds out. Raises `UsageError`."""
    text = _read(path, CHAIN_BYTES_BY_REFERENCE + 2).strip()
    if not text.isascii():
        raise UsageError(f"`{path}` does not hold a chain of contracts: is this the right file?")
    return text.decode("ascii")


def read_key_file(path: str | Path) -> bytes:
    """The text of the private key in a file. Raises `UsageError`."""
    return _read(path, MAX_KEY_BYTES)


def _read(path: str | Path, most_bytes: int) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {(error.strerror or 'it is not a file').lower()}") from None
    if len(content) > most_bytes:
        raise UsageError(f"`{path}` is too large: is this the right file?")
    return content
