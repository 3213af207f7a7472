"""`remit keys`: API keys are made, listed, rotated and revoked.

The text of a key is shown once, alone on stdout, so that `KEY=$(remit keys create …)` takes it; everything else about
it goes to stderr.
"""

import argparse
import sys
from typing import Any

from remit.cli.command import Command, add_json, add_store, duration

NO_OVERLAP_US = 0


def _create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--agent", required=True, metavar="NAME", help="the agent that the key is for")
    parser.add_argument(
        "--tools", required=True, action="append", metavar="LIST",
        help="what it may call, with commas between: payments.*,risk.validate",
    )  # fmt: skip
    parser.add_argument("--user", metavar="NAME", help="the user that its calls count for")
    parser.add_argument("--org", metavar="NAME", help="the organisation that its calls count for")
    parser.add_argument("--tier", metavar="NAME", help="the tier that it belongs to")
    parser.add_argument("--label", metavar="TEXT", help="a note for people; it decides nothing")
    parser.add_argument(
        "--expires", metavar="TIME", type=duration, help="how long it is good, such as 30d (default: without end)"
    )
    parser.add_argument(
        "--bind-to",
        metavar="FILE",
        help="a public JWK: the key is then worth nothing without a proof by its private half",
    )
    add_store(parser)


def _create(arguments: argparse.Namespace) -> int:
    from remit.cli.reach import find_place, reach

    tools = [tool.strip() for text in arguments.tools for tool in text.split(",")]
    bound_to = None
    if arguments.bind_to is not None:
        from remit.cli.contract_files import read_public_key_file

        bound_to = read_public_key_file(arguments.bind_to).thumbprint
    with reach(find_place(arguments), creates=True) as owner:
        answer = owner.do(
            "keys.create", agent=arguments.agent, tools=tools, user=arguments.user, org=arguments.org,
            tier=arguments.tier, label=arguments.label, lifetime_us=arguments.expires, bound_to=bound_to,
        )  # fmt: skip
    _show_once(answer, f"made for agent `{answer['record']['agent']}`")
    return 0


def _show_once(answer: dict[str, Any], what: str) -> None:
    """The key on stdout, the words on stderr: stdout first, since what cannot be shown has to be rotated."""
    from remit.cli.failures import note
    from remit.cli.output import moment

    record = answer["record"]
    print(answer["key"])
    sys.stdout.flush()
    ends = f"; it expires at {moment(record['expires_us'])}" if record["expires_us"] is not None else ""
    note(f"key {record['id']} {what}{ends}. This is the only time that it is shown: keep it as a secret.")


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)
    add_store(parser)


def _list(arguments: argparse.Namespace) -> int:
    from remit.cli.output import as_json, moment, table
    from remit.cli.reach import find_place, reach

    with reach(find_place(arguments)) as owner:
        answer = owner.do("keys.list")
    keys, now_us = answer["keys"], answer["now_us"]
    if arguments.json:
        as_json([{**key, "state": _state(key, now_us)} for key in keys])
    elif not keys:
        print("no keys; `remit keys create` makes one")
    else:
        headers = ("KEY", "AGENT", "USER", "ORG", "TOOLS", "CREATED", "STATE", "LABEL")
        rows = [
            (
                key["id"], key["agent"], key["user"] or "", key["org"] or "", ",".join(key["tools"]),
                moment(key["created_us"]), _state(key, now_us), key["label"],
            )
            for key in keys
        ]  # fmt: skip
        table(headers, rows)
    return 0


def _state(key: dict[str, Any], now_us: int) -> str:
    """`live`, `revoked …`, `expired …`, and until when a rotated key's older text works on."""
    from remit.cli.output import moment

    if key["revoked_us"] is not None:
        return f"revoked {moment(key['revoked_us'])}"
    if key["expires_us"] is not None and key["expires_us"] <= now_us:
        return f"expired {moment(key['expires_us'])}"
    overlaps = [secret["not_after_us"] for secret in key["secrets"] if (secret["not_after_us"] or 0) > now_us]
    until = f" until {moment(key['expires_us'])}" if key["expires_us"] is not None else ""
    return f"live{until}" + (f", older text until {moment(max(overlaps))}" if overlaps else "")


def _rotate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY_ID", help="the key, as `remit keys list` shows it")
    parser.add_argument(
        "--overlap", metavar="TIME", type=duration, default=NO_OVERLAP_US,
        help="how long the text so far works on beside the new one, such as 24h (default: not at all)",
    )  # fmt: skip
    add_store(parser)


def _rotate(arguments: argparse.Namespace) -> int:
    from remit.cli.output import span
    from remit.cli.reach import find_place, reach

    with reach(find_place(arguments)) as owner:
        answer = owner.do("keys.rotate", key=arguments.key, overlap_us=arguments.overlap)
    after = f"for another {span(arguments.overlap)}" if arguments.overlap else "no more"
    _show_once(answer, f"has a new text; the one before works {after}")
    return 0


def _revoke_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY_ID", help="the key, as `remit keys list` shows it")
    add_store(parser)


def _revoke(arguments: argparse.Namespace) -> int:
    from remit.cli.output import moment, show
    from remit.cli.reach import find_place, reach

    with reach(find_place(arguments)) as owner:
        answer = owner.do("keys.revoke", key=arguments.key)
    record = answer["record"]
    name = f"key {show(record['id'])} of agent `{show(record['agent'])}`"
    if answer["was_revoked"]:
        print(f"{name} was revoked already, at {moment(record['revoked_us'])}")
    else:
        print(f"{name} is revoked: no call with it passes from now on")
    return 0


COMMANDS = (
    Command(
        words="keys create",
        help="make an API key and show it once",
        example='KEY=$(remit keys create --agent billing --tools "payments.*,risk.validate" --user anna --expires 30d)',
        about="The key alone goes to stdout, what there is to say about it to stderr.",
        arguments=_create_arguments,
        run=_create,
    ),
    Command(
        words="keys list",
        help="list the API keys, without their secrets",
        example="remit keys list --policy payments.yaml",
        arguments=_list_arguments,
        run=_list,
    ),
    Command(
        words="keys rotate",
        help="give a key a new text; its counters go on",
        example="KEY=$(remit keys rotate k7f3q2mzb5x4ynpa --overlap 24h)",
        arguments=_rotate_arguments,
        run=_rotate,
    ),
    Command(
        words="keys revoke",
        help="end a key, at once and for good",
        example="remit keys revoke k7f3q2mzb5x4ynpa",
        arguments=_revoke_arguments,
        run=_revoke,
    ),
)
