"""`remit holds`: money and calls that are held, those whose outcome nobody knows, and how an operator settles them."""

import argparse
from typing import TYPE_CHECKING, Any, Final

from remit.cli.command import Command, add_json, add_store

if TYPE_CHECKING:
    from remit.cli.reach import Owner

IDS_PER_QUESTION: Final = 100
ANSWER_LIMIT: Final = 1000
ALL_STATES: Final = ("reserved", "dispatched", "assumed_spent", "settled", "released", "expired")

Hold = dict[str, Any]


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="those that are settled, released or expired as well")
    add_json(parser)
    add_store(parser)


def _list(arguments: argparse.Namespace) -> int:
    from remit.cli.failures import note
    from remit.cli.output import as_json
    from remit.cli.reach import find_place, reach

    with reach(find_place(arguments)) as owner:
        answer = owner.do("holds.list", states=list(ALL_STATES) if arguments.all else [], limit=ANSWER_LIMIT)
        holds = _with_calls(owner, answer["holds"])
    if arguments.json:
        as_json(holds)
    elif not holds:
        print("no holds" if arguments.all else "nothing is held: no call is running, and no outcome is unknown")
    else:
        _print(holds)
    if len(holds) == ANSWER_LIMIT:
        note(f"these are the oldest {ANSWER_LIMIT:,}; there may be more")
    return 0


def _with_calls(owner: "Owner", holds: list[Hold]) -> list[Hold]:
    """The holds with the tool and the caller of each: where the hold does not know, its decision in the log does."""
    missing = [hold["id"] for hold in holds if not (hold["tool"] and hold["caller"])]
    seen: dict[str, tuple[str, str]] = {}
    for start in range(0, len(missing), IDS_PER_QUESTION):
        ids = missing[start : start + IDS_PER_QUESTION]
        seen |= _calls(owner.do("audit.page", ids=ids, limit=ANSWER_LIMIT)["entries"])
    found = []
    for hold in holds:
        tool, caller = seen.get(hold["id"], ("", ""))
        found.append(hold | {"tool": hold["tool"] or tool, "caller": hold["caller"] or caller})
    return found


def _calls(entries: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """Decision id → tool and caller, from audit records."""
    from remit.audit.encoding import decode
    from remit.audit.record import Decision
    from remit.errors import AuditBroken

    found = {}
    for entry in entries:
        try:
            body = decode(entry["body"].encode()).body
        except (AuditBroken, KeyError):
            continue
        if isinstance(body, Decision):
            caller = body.caller
            found[body.id] = body.tool, f"agent {caller.agent}" if caller.agent else caller.id
    return found


def _print(holds: list[Hold]) -> None:
    from remit.cli.output import amounts, moment, table

    rows = [
        (
            hold["id"], hold["tool"], hold["caller"], amounts(hold["amounts"]), _state(hold),
            moment(hold["ended_us"] or hold["admitted_us"]),
        )
        for hold in holds
    ]  # fmt: skip
    table(("HOLD", "TOOL", "CALLER", "HELD", "STATE", "SINCE"), rows)
    if any(hold["state"] == "assumed_spent" for hold in holds):
        print()
        print("Find out from the upstream what became of the unknown ones, then say so, one by one:")
        print("  remit holds resolve HOLD --spent            it happened and cost what was held")
        print('  remit holds resolve HOLD --spent "0.35 USD" it happened and cost this much')
        print("  remit holds resolve HOLD --released         it did not happen: give everything back")


def _without_slots(by_unit: dict[str, int]) -> dict[str, int]:
    """A running call takes up places as well, which say nothing about what it costs."""
    return {unit: amount for unit, amount in by_unit.items() if unit != "slots"}


def _state(hold: Hold) -> str:
    """A hold's state in words."""
    from remit.cli.output import amounts

    booked = amounts({unit: amount for unit, amount in hold["booked"].items() if unit.isupper()})
    match hold["state"]:
        case "reserved":
            return "not sent yet"
        case "dispatched":
            return "running"
        case "assumed_spent":
            return "unknown, counted as spent"
        case "settled":
            return "settled" if booked == "-" else f"settled at {booked}"
        case "released":
            return "released, cost nothing"
        case "expired":
            return "expired unsent"
        case other:
            return str(other)


def _resolve_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("hold", metavar="HOLD_ID", help="the hold, as `remit holds` shows it")
    outcome = parser.add_mutually_exclusive_group(required=True)
    outcome.add_argument(
        "--spent",
        nargs="?",
        const="",
        metavar="AMOUNT",
        help='it happened; it cost AMOUNT ("0.35 USD"), or what was held',
    )
    outcome.add_argument("--released", action="store_true", help="it did not happen: everything held is given back")
    add_store(parser)


def _resolve(arguments: argparse.Namespace) -> int:
    from remit.cli.output import amounts
    from remit.cli.reach import find_place, reach

    outcome = "released" if arguments.released else "spent"
    with reach(find_place(arguments)) as owner:
        answer = owner.do("holds.resolve", hold=arguments.hold, outcome=outcome, cost=arguments.spent)
    hold = answer["hold"]
    if arguments.released:
        print(f"{hold['id']} is released: {amounts(_without_slots(hold['amounts']))} given back")
    else:
        print(f"{hold['id']} is settled at {amounts(_without_slots(hold['booked']))}")
    if any(hold["over"].values()):
        print(f"that is {amounts(hold['over'])} over the cap, so the budget is frozen: see `remit limits --frozen`")
    return 0


COMMANDS = (
    Command(
        words="holds",
        help="show what is held: running calls, and those whose outcome is unknown",
        example="remit holds --policy payments.yaml",
        about="An unknown outcome counts as spent until `remit holds resolve` says what really happened.",
        arguments=_list_arguments,
        run=_list,
    ),
    Command(
        words="holds resolve",
        help="say what became of a call whose outcome was unknown",
        example='remit holds resolve dec_0643b1c2e9f0a100005f0c3a9be1d27764 --spent "0.35 USD"',
        about="Ask the upstream first: what you say here is booked, and recorded with your user id.",
        arguments=_resolve_arguments,
        run=_resolve,
    ),
)
