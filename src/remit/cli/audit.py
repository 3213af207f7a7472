"""`remit audit tail` and `remit audit export`: the log as lines to read, and as lines to keep."""

import argparse
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from remit.cli.command import Command, add_store, positive

if TYPE_CHECKING:
    from remit.audit.chain import Entry
    from remit.cli.reach import Owner

POLL_S: Final = 0.5
TAIL_AT_MOST: Final = 1000


def _tail_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n", "--lines", metavar="N", type=positive, default=20, help="the last N records (default: 20; at most 1000)"
    )
    parser.add_argument(
        "-f", "--follow", action="store_true", help="go on with what the running gateway writes, until Ctrl-C"
    )
    parser.add_argument("--json", action="store_true", help="a line of JSON for each record")
    add_store(parser)


def _tail(arguments: argparse.Namespace) -> int:
    from remit.cli.audit_reading import read_heads, read_page
    from remit.cli.reach import find_place, reach

    if arguments.lines > TAIL_AT_MOST:
        from remit.errors import UsageError

        raise UsageError(f"`-n` takes at most {TAIL_AT_MOST}: `remit audit export` has everything")
    with reach(find_place(arguments), only_running=arguments.follow) as owner:
        heads, _ = read_heads(owner)
        seen = {writer: seq for writer, (seq, _) in heads.items()}
        entries = read_page(owner, newest=True, limit=arguments.lines)
        _print(entries, as_json=arguments.json)
        seen |= {entry.writer: max(entry.seq, seen.get(entry.writer, 0)) for entry in entries}
        while arguments.follow:
            sys.stdout.flush()
            time.sleep(POLL_S)
            _print_new(owner, seen, as_json=arguments.json)
    return 0


def _print_new(owner: "Owner", seen: dict[str, int], *, as_json: bool) -> None:
    """Print what came after `seen`, which is kept up to date."""
    from remit.cli.audit_reading import entries_between, read_heads

    heads, _ = read_heads(owner)
    for writer, (seq, _) in heads.items():
        _print(entries_between(owner, writer, after=seen.get(writer, 0), until=seq), as_json=as_json)
        seen[writer] = seq


def _print(entries: "Iterable[Entry]", *, as_json: bool) -> None:
    import json

    from remit.audit.encoding import decode
    from remit.audit.words import one_line
    from remit.cli.output import show
    from remit.errors import AuditBroken

    for entry in entries:
        try:
            record = decode(entry.encoded)
        except AuditBroken as error:
            print(f"record {entry.seq} of writer `{show(entry.writer)}` is damaged: {error}")
            continue
        if as_json:
            print(json.dumps({"hash": entry.hash.hex(), "record": json.loads(entry.encoded)}, separators=(",", ":")))
        else:
            print(one_line(record))


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE, complete or not at all; else to stdout")
    add_store(parser)


def _export(arguments: argparse.Namespace) -> int:
    from remit.cli.audit_reading import every_entry, read_heads
    from remit.cli.failures import note
    from remit.cli.output import count
    from remit.cli.reach import find_place, reach

    with reach(find_place(arguments)) as owner:
        entries = every_entry(owner, read_heads(owner)[0])
        written = _to_stdout(entries) if arguments.output is None else _to_file(entries, Path(arguments.output))
    note(f"exported {count(written, 'record')}{f' to {arguments.output}' if arguments.output else ''}")
    return 0


def _to_stdout(entries: "Iterable[Entry]") -> int:
    from remit.audit.chain import to_line

    written = 0
    for entry in entries:
        sys.stdout.buffer.write(to_line(entry) + b"\n")
        written += 1
    sys.stdout.buffer.flush()
    return written


def _to_file(entries: "Iterable[Entry]", path: Path) -> int:
    """Write beside `path` and put it in place when it is complete; only its owner can read it."""
    from remit.audit.chain import to_line

    part = path.with_name(f"{path.name}.part")
    written = 0
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for entry in entries:
                file.write(to_line(entry) + b"\n")
                written += 1
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return written


COMMANDS = (
    Command(
        words="audit tail",
        help="show the newest records of the audit log, a line each",
        example="remit audit tail -n 50 -f",
        arguments=_tail_arguments,
        run=_tail,
    ),
    Command(
        words="audit export",
        help="write the whole audit log as JSON lines",
        example="remit audit export -o audit-2026-11.jsonl",
        about="Every line holds a record exactly as it was hashed, and its hash.",
        arguments=_export_arguments,
        run=_export,
    ),
)
