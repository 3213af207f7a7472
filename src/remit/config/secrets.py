"""Secrets that a policy names: `secret:openai` is `REMIT_SECRET_OPENAI`, or what the file `REMIT_SECRET_OPENAI_FILE` holds.

They are looked up once, when the gateway starts, and never stand in the policy, in an error or in a `repr`. A secret goes
into a header, so it must be one line of plain characters.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from remit.core.reading import shown
from remit.errors import UsageError

MAX_SECRET_BYTES: Final = 8 * 1024

_VARIABLE: Final = "REMIT_SECRET_"
_FILE: Final = "_FILE"


class Secret(str):
    """Text that does not show itself: `str` and f-strings give the text, `repr` never does."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(...)"


def secret_variable(name: str) -> str:
    """The environment variable of a secret: `openai-eu` is `REMIT_SECRET_OPENAI_EU`."""
    return _VARIABLE + name.upper().replace("-", "_")


def read_secret_file(path: str) -> bytes:
    """The first bytes of a file, one more than a secret may have. Raises `OSError`."""
    with Path(path).open("rb") as file:
        return file.read(MAX_SECRET_BYTES + 1)


def resolve_secret(name: str, environ: Mapping[str, str], read: Callable[[str], bytes] = read_secret_file) -> Secret:
    """The secret of that name. Raises `UsageError` saying which variable to set, or what is wrong with the secret."""
    variable = secret_variable(name)
    value, path = environ.get(variable), environ.get(variable + _FILE)
    if value is not None and path is not None:
        raise UsageError(f"the secret `{name}` is given twice: set `{variable}` or `{variable}{_FILE}`, not both")
    if value is not None:
        return _checked(value.encode("utf-8", "surrogateescape"), name, f"`{variable}`")
    if path is not None:
        return _checked(_from_file(name, path, read), name, f"the file that `{variable}{_FILE}` names")
    raise UsageError(
        f"the secret `{name}` is missing: set `{variable}`, or set `{variable}{_FILE}` to the path of a file that holds it"
    )


def _from_file(name: str, path: str, read: Callable[[str], bytes]) -> bytes:
    try:
        data = read(path)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "it is not a path").lower()
        variable = secret_variable(name) + _FILE
        raise UsageError(
            f"the secret `{name}` cannot be read from {shown(path)}, which `{variable}` names: {reason}"
        ) from None
    return data.removesuffix(b"\n").removesuffix(b"\r")


def _checked(value: bytes, name: str, where: str) -> Secret:
    if not value:
        raise UsageError(f"the secret `{name}` is empty: write it into {where}")
    if len(value) > MAX_SECRET_BYTES:
        raise UsageError(f"the secret `{name}` is longer than {MAX_SECRET_BYTES} bytes: look at {where}")
    if any(not 0x21 <= byte <= 0x7E for byte in value):
        raise UsageError(f"the secret `{name}` must be one line without spaces, in plain ASCII: look at {where}")
    return Secret(value.decode("ascii"))
