"""The files that the contract commands read and write: keys, sets of public keys, chains.

What is secret is made with mode 0600 and read only from a file that nobody else can use. Nothing that exists is written
over: a chain or a key that was lost that way cannot be had again.
"""

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from remit.errors import CredentialError, UsageError

if TYPE_CHECKING:
    from remit.contracts import KeySet, PrivateKey, PublicKey, UnverifiedChain

Read = TypeVar("Read")

SECRET_MODE: Final = 0o600
PUBLIC_MODE: Final = 0o644
MAX_TOOLS_BYTES: Final = 64 * 1024


def read_secret_key(path: str) -> "PrivateKey":
    """The private key in a file. Raises `UsageError`, also if others than its owner can use the file."""
    from remit.contracts import read_private_key
    from remit.contracts.keys import MAX_KEY_BYTES

    content = _read(path, MAX_KEY_BYTES)
    if Path(path).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"the private key `{path}` can be used by others: `chmod 600` it, or make another one")
    return _named(path, read_private_key, content)


def read_public_key_file(path: str) -> "PublicKey":
    """The public key in a file. Raises `UsageError`, also for a private key: that is nobody else's."""
    from remit.contracts import read_public_key
    from remit.contracts.keys import MAX_KEY_BYTES

    return _named(path, read_public_key, _read(path, MAX_KEY_BYTES))


def read_key_set_file(path: str) -> "KeySet":
    """The set of public keys in a file. Raises `UsageError`."""
    from remit.contracts import read_key_set
    from remit.contracts.key_sets import MAX_SET_BYTES

    return _named(path, read_key_set, _read(path, MAX_SET_BYTES))


def read_chain(path: str) -> "tuple[str, UnverifiedChain]":
    """The chain in a file and what it says of itself, whenever it was or will be good. Raises `UsageError`."""
    from remit.contracts import read_unverified_chain
    from remit.entrypoints.client.credentials import read_chain_file

    text = read_chain_file(path)
    try:
        return text, read_unverified_chain(text)
    except CredentialError as error:
        raise UsageError(f"`{path}`: {error}") from error


def read_json_file(path: str) -> Any:
    """The JSON in a file, read as strictly as a contract. Raises `UsageError`."""
    from remit.core.strict_json import read_json
    from remit.errors import BadRequest

    try:
        return read_json(_read(path, MAX_TOOLS_BYTES), max_bytes=MAX_TOOLS_BYTES)
    except BadRequest as error:
        raise UsageError(f"`{path}`: {error}") from None


def write_new(path: str | Path, content: bytes, *, mode: int = SECRET_MODE) -> None:
    """Write a file that does not exist yet, complete or not at all. Raises `UsageError` if it exists."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except FileExistsError:
        raise UsageError(f"`{path}` exists already, and nothing is written over: choose another name") from None
    try:
        _fill(descriptor, content, mode)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(path).unlink()
        raise


def replace_file(path: str | Path, content: bytes, *, mode: int = PUBLIC_MODE) -> None:
    """Put `content` in the place of what a file holds, in one step: readers see the old or the new."""
    target = Path(path).resolve()
    part = target.with_name(f"{target.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        _fill(descriptor, content, mode)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _fill(descriptor: int, content: bytes, mode: int) -> None:
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _read(path: str, most_bytes: int) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(most_bytes + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "it is not a file").lower()
        raise UsageError(f"`{path}` cannot be read: {reason}") from None
    if len(content) > most_bytes:
        raise UsageError(f"`{path}` is too large: is this the right file?")
    return content


def _named(path: str, read: Callable[[bytes], Read], content: bytes) -> Read:
    """What `read` makes of a file's content; its complaints begin with the file."""
    try:
        return read(content)
    except UsageError as error:
        raise UsageError(f"`{path}`: {error}") from None
