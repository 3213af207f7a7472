"""`remit audit verify`, `checkpoint` and `public-key`: does the log still say what was written, and how one can tell.

A checkpoint signs where the log ends. The key that signs lies beside the store (mode 0600) and is made by the first
checkpoint; what it signs is worth something when the line and the public key are kept where the store's owner cannot
change them.
"""

import argparse
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from remit.cli.command import Command, add_store
from remit.errors import AuditBroken, UsageError

if TYPE_CHECKING:
    from remit.audit.checkpoint import Checkpoint, SigningKey
    from remit.audit.verify import Report
    from remit.cli.audit_reading import Heads
    from remit.cli.reach import Owner, Place

KEY_SUFFIX: Final = ".checkpoint-key"
MAX_KEY_BYTES: Final = 4097
MAX_CHECKPOINT_FILE_BYTES: Final = 64 * 1024 * 1024
KEPT_AT_MOST: Final = 1000
_KINDS: Final = {
    "decision": ("decision", "decisions"),
    "refusals": ("count of refusals", "counts of refusals"),
    "settlement": ("settlement", "settlements"),
    "admin": ("change", "changes"),
}
"""What kinds of record are called, one and many."""


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="checkpoints that were kept elsewhere, a line each; without it, the store's own",
    )
    parser.add_argument("--public-key", metavar="FILE", help="the public key of the checkpoints, in PEM")
    add_store(parser)


def _verify(arguments: argparse.Namespace) -> int:
    from remit.audit.verify import verify
    from remit.cli.audit_reading import every_entry, read_heads
    from remit.cli.reach import find_place, reach

    if arguments.checkpoint and not arguments.public_key:
        raise UsageError("`--checkpoint` needs `--public-key`: the key that was kept with the checkpoints")
    with reach(find_place(arguments)) as owner:
        heads, answer = read_heads(owner)
        checkpoints = _checkpoints(owner, arguments.checkpoint, arguments.public_key)
        report = verify(every_entry(owner, heads), checkpoints, store=answer["store"])
    if not report.ok:
        raise AuditBroken("\n".join([report.sentence(), *map(str, report.problems[1:])]))
    _compare(report, heads)
    if report.kinds:
        print(_counted(report.kinds))
    print(report.sentence())
    print("ok")
    return 0


def _counted(kinds: dict[str, int]) -> str:
    """`13 decisions, 1 count of refusals, 3 settlements`."""
    return ", ".join(f"{number:,} {_KINDS[kind][number != 1]}" for kind, number in kinds.items())


def _checkpoints(owner: "Owner", file: str | None, public_key: str | None) -> "list[Checkpoint]":
    """The checkpoints to compare with, each of them found genuine. Raises `AuditBroken` if one is not."""
    from remit.audit.checkpoint import public_key_from_pem, verify_checkpoint

    if public_key is None:
        return []
    key = public_key_from_pem(_read(public_key, MAX_KEY_BYTES))
    if file is None:
        lines = owner.do("audit.checkpoints", limit=KEPT_AT_MOST)["checkpoints"]
    else:
        lines = _read(file, MAX_CHECKPOINT_FILE_BYTES).decode("ascii", "replace").split("\n")
    found = [verify_checkpoint(line, key) for line in lines if line.strip()]
    if not found:
        raise UsageError(
            f"there is no checkpoint {f'in `{file}`' if file else 'in the store'}: `remit audit checkpoint` makes one"
        )
    return found


def _compare(report: "Report", heads: "Heads") -> None:
    """The store remembers where it stopped writing: what is read must end there."""
    read = {head.writer: (head.seq, head.hash) for head in report.heads}
    for writer, (seq, digest) in heads.items():
        if seq and read.get(writer) != (seq, digest):
            last = read.get(writer, (0, b""))[0]
            raise AuditBroken(
                f"the audit log does not verify: writer `{writer}` wrote {seq} records, and the log ends with record {last}"
            )


def _read(path: str, max_bytes: int) -> bytes:
    """What a file holds. Raises `UsageError` if it cannot be read or is too large to be what was meant."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(max_bytes)
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {(error.strerror or 'it is not a file').lower()}") from None
    if len(content) == max_bytes:
        raise UsageError(f"`{path}` is too large: give the right file")
    return content


def _key_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key", metavar="FILE", help=f"the signing key; else the store's file with {KEY_SUFFIX} behind"
    )


def _checkpoint_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", help="add the line to FILE; else it goes to stdout")
    _key_argument(parser)
    add_store(parser)


def _checkpoint(arguments: argparse.Namespace) -> int:
    from remit.audit.checkpoint import Head, sign_checkpoint
    from remit.cli.audit_reading import read_heads
    from remit.cli.failures import note
    from remit.cli.output import count
    from remit.cli.reach import find_place, reach

    place = find_place(arguments)
    with reach(place) as owner:
        key = _signing_key(_key_path(arguments, place), makes=True)
        heads, answer = read_heads(owner)
        ends = [Head(writer, seq, digest) for writer, (seq, digest) in heads.items()]
        line = sign_checkpoint(ends, store=answer["store"], time_us=answer["now_us"], key=key)
        owner.do("audit.keep_checkpoint", line=line)
    if arguments.output is None:
        print(line)
    else:
        with Path(arguments.output).open("a", encoding="ascii") as file:
            file.write(f"{line}\n")
    records = count(sum(head.seq for head in ends), "record")
    note(
        f"signed a log of {records} with key {key.public.fingerprint}; keep the line, and `remit audit public-key`, elsewhere"
    )
    return 0


def _public_key_arguments(parser: argparse.ArgumentParser) -> None:
    _key_argument(parser)
    add_store(parser)


def _public_key(arguments: argparse.Namespace) -> int:
    from remit.cli.reach import find_place

    key = _signing_key(_key_path(arguments, find_place(arguments)), makes=False)
    print(key.public.to_pem().decode(), end="")
    return 0


def _key_path(arguments: argparse.Namespace, place: "Place") -> Path:
    if arguments.key is not None:
        return Path(arguments.key)
    beside = place.file or place.policy_path or Path("remit")
    return beside.with_name(f"{beside.name}{KEY_SUFFIX}")


def _signing_key(path: Path, *, makes: bool) -> "SigningKey":
    """The key in `path`, made if it is missing and `makes` says so. Raises `UsageError`."""
    from remit.audit.checkpoint import new_signing_key, signing_key_from_pem

    if makes and not path.exists():
        key = new_signing_key(os.urandom)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.to_pem())
            file.flush()
            os.fsync(file.fileno())
        return key
    if not path.exists():
        raise UsageError(f"there is no signing key at `{path}` yet: `remit audit checkpoint` makes one")
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"the signing key `{path}` can be used by others: `chmod 600` it, or make another one")
    return signing_key_from_pem(_read(str(path), MAX_KEY_BYTES))


COMMANDS = (
    Command(
        words="audit verify",
        help="check that no record of the audit log was changed, removed or added",
        example="remit audit verify --checkpoint checkpoints.txt --public-key checkpoint.pem",
        about="Exit code 1 names the first record that does not fit. Only a checkpoint shows that the newest are missing.",
        arguments=_verify_arguments,
        run=_verify,
    ),
    Command(
        words="audit checkpoint",
        help="sign where the audit log ends now",
        example="remit audit checkpoint -o checkpoints.txt",
        about="Keep the line where the owner of the store cannot change it.",
        arguments=_checkpoint_arguments,
        run=_checkpoint,
    ),
    Command(
        words="audit public-key",
        help="print the public key that checkpoints are verified with",
        example="remit audit public-key > checkpoint.pem",
        arguments=_public_key_arguments,
        run=_public_key,
    ),
)
