"""`remit keygen`: the key of an agent or an issuer, its public half, and an issuer's set of keys.

An agent makes its key itself and gives away the public half only. An issuer's public keys lie in a file that guards read
(`jwks_file` in a policy): a new key is added beside the old one, and the old one is taken out of the file when nothing
that it signed is left.
"""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from remit.cli.command import Command
from remit.errors import UsageError

if TYPE_CHECKING:
    from remit.contracts import KeySet, PrivateKey


def _arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "-o", "--output", metavar="FILE", help="make a key and keep it in FILE, which must not exist yet"
    )
    which.add_argument("--key", metavar="FILE", help="make none: it is about the private key in FILE")
    parser.add_argument(
        "--alg", choices=("EdDSA", "ES256"), default="EdDSA", help="what the new key signs with (default: EdDSA)"
    )
    parser.add_argument("--public", action="store_true", help="print the public key, a JWK, instead of its thumbprint")
    parser.add_argument("--jwks", metavar="FILE", help="add the public key to an issuer's set of keys, made if missing")
    parser.add_argument("--kid", metavar="NAME", help="what the set calls the key (default: its thumbprint)")


def _run(arguments: argparse.Namespace) -> int:
    import json

    from remit.cli.contract_files import read_secret_key, replace_file, write_new
    from remit.cli.failures import note
    from remit.contracts import Algorithm, new_private_key

    if arguments.kid is not None and arguments.jwks is None:
        raise UsageError("`--kid` is the name of the key in a set: add `--jwks FILE`")
    if arguments.jwks is not None and Path(arguments.jwks).resolve() == Path(arguments.output or "").resolve():
        raise UsageError("the private key and the set of public keys are two files: name another one")
    if arguments.key is not None:
        key = read_secret_key(arguments.key)
    else:
        key = new_private_key(os.urandom, Algorithm(arguments.alg))
    jwks: str | None = arguments.jwks
    keys = _with_key(jwks, key, arguments.kid) if jwks is not None else None
    if arguments.output is not None:
        write_new(arguments.output, key.to_json())
        note(f"made `{arguments.output}`: whoever has this file can do what its holder may do, so keep it secret")
    if jwks is not None and keys is not None:
        replace_file(jwks, keys.to_json())
        note(f"`{jwks}` has {_count(keys)} now; guards read it when their policy is reloaded")
    print(json.dumps(key.public.to_jwk()) if arguments.public else key.public.thumbprint)
    return 0


def _with_key(path: str, key: "PrivateKey", kid: str | None) -> "KeySet":
    """The set in the file with one more key. Raises `UsageError` if it would not be one that guards accept."""
    from remit.cli.contract_files import read_key_set_file
    from remit.contracts import KeySet, NamedKey
    from remit.contracts.key_sets import MAX_KID_CHARS, is_kid

    if kid is not None and not is_kid(kid):
        raise UsageError(f"`--kid` is a name of up to {MAX_KID_CHARS} printable characters")
    named = NamedKey(kid or key.public.thumbprint, key.public)
    if not Path(path).exists():
        return KeySet((named,))
    return KeySet((*read_key_set_file(path).keys, named))


def _count(keys: "KeySet") -> str:
    from remit.cli.output import count

    return count(len(keys.keys), "key")


COMMANDS = (
    Command(
        words="keygen",
        help="make a key for an agent or an issuer",
        example="remit keygen -o agent.jwk --public > agent-public.jwk",
        about="The private key stays in its file, readable by you alone; its thumbprint, by which contracts know it, is printed.",
        arguments=_arguments,
        run=_run,
    ),
)
