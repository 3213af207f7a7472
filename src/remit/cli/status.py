"""`remit status`: how the running gateway is doing, asked of itself."""

import argparse
from typing import Any

from remit.cli.command import Command, add_json, add_store


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)
    add_store(parser)


def _run(arguments: argparse.Namespace) -> int:
    from remit.cli.output import as_json, facts
    from remit.cli.reach import find_place, reach

    with reach(find_place(arguments), only_running=True) as owner:
        status = owner.do("status")
    if arguments.json:
        as_json(status)
    else:
        facts(_facts(status))
    return 0


def _facts(status: dict[str, Any]) -> list[tuple[str, str]]:
    from remit.cli.output import count, span

    requests = [
        count(status["requests"], "request"), f"{status['running']:,} running",
        f"{count(status['connections'], 'connection')} open", f"{status['refused_unread']:,} refused unread",
        f"{status['settling']:,} being settled",
    ]  # fmt: skip
    parted_us = status["clock_parted_us"]
    way = "ahead of" if parted_us > 0 else "behind"
    clock = "ok" if not parted_us else f"the system is {span(abs(parted_us))} {way} the store: see `remit clock accept`"
    store = "ok" if status["store_ok"] else f"cannot decide: {status['store_detail']}"
    figures = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in sorted(status["store"].items()))
    return [
        ("gateway", f"{status['listen']} (process {status['pid']}, up {span(status['uptime_s'] * 1_000_000)})"),
        ("policy", f"{status['policy']} ({status['digest'][:12]})"),
        ("traffic", ", ".join(requests)),
        *((f"{name} calls", _added(figure)) for name, figure in status["added_us"].items()),
        ("store", f"{store}{f' ({figures})' if figures else ''}"),
        ("clock", clock),
    ]


def _added(figure: dict[str, int]) -> str:
    """What the guard's own steps took of the processor; waiting and the upstream are left out."""
    if not figure["count"]:
        return "none yet"
    p50, p99 = (f"{figure[name] / 1000:.2f} ms" for name in ("p50", "p99"))
    return f"{figure['count']:,}; the guard added {p50} (median), {p99} (p99)"


COMMANDS = (
    Command(
        words="status",
        help="show how the running gateway is doing",
        example="remit status --policy payments.yaml",
        arguments=_arguments,
        run=_run,
    ),
)
