"""`remit why`: one decision in words, for somebody who never saw the policy.

The record of the decision has the figures of that moment. What today's policy says of the limit is added where there is
something to say, since it may have changed.
"""

import argparse
import json
import textwrap
from typing import TYPE_CHECKING, Any

from remit.cli.command import Command, add_store

if TYPE_CHECKING:
    from remit.audit.record import Record
    from remit.core.policy import Policy


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("decision", metavar="DECISION_ID", help="the id from the `Remit-Decision` header or the log")
    parser.add_argument("--json", action="store_true", help="the records themselves, as JSON")
    add_store(parser)


def _run(arguments: argparse.Namespace) -> int:
    from remit.audit.encoding import decode
    from remit.cli.output import as_json
    from remit.cli.reach import find_place, reach
    from remit.core.reading import shown
    from remit.errors import UnknownItem

    place = find_place(arguments)
    with reach(place) as owner:
        entries = owner.do("audit.page", ids=[arguments.decision])["entries"]
    records = _about(arguments.decision, [decode(_body(entry)) for entry in entries])
    if not records:
        raise UnknownItem(f"the audit log knows no decision {shown(arguments.decision)}: is it from another store?")
    if arguments.json:
        as_json([json.loads(_body(entry)) for entry in entries])
        return 0
    print(_told(records, place.policy))
    return 0


def _body(entry: dict[str, Any]) -> bytes:
    return bytes.fromhex(entry["damaged"]) if "damaged" in entry else str(entry["body"]).encode()


def _about(decision: str, records: "list[Record]") -> "list[Record]":
    """The records to tell: the decision with its settlements, else what else is known of the id.

    A count of refusals covers a range of ids, and so also ids that were never given out: only what looks like a
    decision can be in one.
    """
    from remit.audit.record import Refusals

    is_decision = decision.startswith("dec_") and len(decision) == 38
    direct = [record for record in records if not isinstance(record.body, Refusals)]
    return direct or (records if is_decision else [])


def _told(records: "list[Record]", policy: "Policy") -> str:
    from remit.audit.record import Decision, Refusals
    from remit.audit.words import explain

    decided = next((record for record in records if isinstance(record.body, Decision)), None)
    if decided is not None and isinstance(decided.body, Decision):
        parts = [explain(decided, records)]
        if not decided.body.hop:  # the limits of a contract stand in the contract, not in the policy
            parts.append(_today(decided.body.limit, decided.body.policy, policy))
    else:
        parts = [explain(record) for record in records]
        limits = dict.fromkeys(
            (record.body.limit, record.body.policy) for record in records if isinstance(record.body, Refusals)
        )
        parts += [_today(limit, digest, policy) for limit, digest in limits]
        if len(limits) > 1:
            parts.insert(0, "Several counts of refusals cover this id; the refusal is in one of them.")
    return "\n\n".join(_wrapped(part) for part in parts if part)


def _today(limit: str, digest: str, policy: "Policy") -> str:
    """What today's policy says of the limit that decided."""
    from remit.config.explain import explain_limit

    if not limit or not policy.digest:
        return ""
    found = policy.limits.get(limit)
    if found is None:
        return "" if limit == "session" or " " in limit else f"The policy has no limit `{limit}` any more."
    when = "The policy" if digest == policy.digest else "The policy has changed since. Today it"
    return f"{when} says: {' '.join(sentence for sentence in explain_limit(policy, found) if sentence)}"


def _wrapped(text: str) -> str:
    """Every line of `text` broken for a terminal."""
    return "\n".join(
        textwrap.fill(line, 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
        for line in text.splitlines()
    )


COMMANDS = (
    Command(
        words="why",
        help="say in words why a call was allowed or refused, and what it cost",
        example="remit why dec_0643b1c2e9f0a100005f0c3a9be1d27764",
        about="Refusals beyond ten a second are counted together; a decision among them is told by its count.",
        arguments=_arguments,
        run=_run,
    ),
)
