"""`remit limits`: how full every counter is, in words, and how a frozen one is thawed."""

import argparse
import shlex
from typing import Any

from remit.cli.command import Command, add_json, add_store

SHOWN_AT_MOST = 1000


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--frozen", action="store_true", help="only those that are frozen, with the command that thaws them"
    )
    add_json(parser)
    add_store(parser)


def _list(arguments: argparse.Namespace) -> int:
    from remit.cli.cells import describe_cell
    from remit.cli.failures import note
    from remit.cli.output import as_json
    from remit.cli.reach import find_place, reach

    place = find_place(arguments)
    with reach(place) as owner:
        rows = owner.do("limits.list", frozen=arguments.frozen)["cells"]
    if arguments.json:
        as_json([describe_cell(row["key"], place.policy).as_dict() | row for row in rows])
    elif not rows:
        print("nothing is frozen" if arguments.frozen else "no counter has counted anything yet")
    else:
        _print(rows, place.policy, with_keys=arguments.frozen)
    if len(rows) == SHOWN_AT_MOST:
        note(f"these are the first {SHOWN_AT_MOST:,}; there may be more")
    return 0


def _print(rows: list[dict[str, Any]], policy: Any, *, with_keys: bool) -> None:
    from remit.cli.cells import describe_cell
    from remit.cli.output import table
    from remit.core.sentences import describe_amount

    lines = []
    for row in rows:
        cell = describe_cell(row["key"], policy)
        used, held, over = (
            describe_amount(row[name], cell.unit) if row[name] else "0" for name in ("used", "held", "over")
        )
        most = describe_amount(cell.max, cell.unit) if cell.max is not None else ""
        state = "frozen" if row["frozen"] else "full" if cell.is_full(row["used"] + row["held"]) else "open"
        lines.append((cell.limit, cell.counts, cell.period, used, held, most, over if row["over"] else "", state))
    headers = ("LIMIT", "FOR", "PERIOD", "USED", "HELD", "MAX", "OVER", "STATE")
    table(headers, lines, right=("USED", "HELD", "MAX", "OVER"))
    if with_keys:
        print()
        print("More was spent than the limit allows. When you know why, thaw it:")
        for row in rows:
            if row["key"].isprintable():
                print(f"  remit limits thaw {shlex.quote(row['key'])}")


def _thaw_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="the counter's key, as `remit limits --frozen` shows it")
    parser.add_argument("--reason", metavar="TEXT", help="why, for the record")
    add_store(parser)


def _thaw(arguments: argparse.Namespace) -> int:
    from remit.cli.cells import describe_cell
    from remit.cli.output import show
    from remit.cli.reach import find_place, reach

    place = find_place(arguments)
    with reach(place) as owner:
        answer = owner.do("limits.thaw", key=arguments.key, reason=arguments.reason)
    cell = describe_cell(answer["key"], place.policy)
    name = f"`{show(cell.limit)}` for {show(cell.counts)}"
    print(f"{name} is open again" if answer["was_frozen"] else f"{name} was not frozen; nothing has changed")
    return 0


COMMANDS = (
    Command(
        words="limits",
        help="show how full the counters of the limits are",
        example="remit limits --policy payments.yaml",
        about="Rates are not shown: they refill all the time. Maxima are those of the policy file as it is now.",
        arguments=_list_arguments,
        run=_list,
    ),
    Command(
        words="limits thaw",
        help="open a counter that froze because more was spent than it allows",
        example="remit limits thaw '4:acme,9:org-money,6:budget,17:day Europe/Berlin,3:USD,8:org=acme'",
        arguments=_thaw_arguments,
        run=_thaw,
    ),
)
