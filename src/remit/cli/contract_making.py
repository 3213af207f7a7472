"""`remit issue` and `remit delegate`: contracts are made, offline.

Both verify what they made before anybody sees it, and say in words what it allows. A chain goes to a file that only its
owner can read, or to stdout; it is worth nothing without its holder's key.
"""

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from remit.cli.command import Command, duration
from remit.errors import UsageError

if TYPE_CHECKING:
    from remit.contracts import Asking
    from remit.core.contract import Chain

_TOOL_HELP = "a tool, and what its arguments must be: 'payments.transfer(amount<=500, currency in [USD, EUR], to)'; again for each"
_LIMIT_HELP = (
    "'transfers: 100 calls of payments.transfer', 'money: 50 USD per 1d', 'pace: 10/minute burst 3'; again for each"
)


def _common_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", required=True, metavar="FILE", help="the public key of whoever shall hold it")
    parser.add_argument("--agent", metavar="NAME", help="the holder's name; it is for people and decides nothing")
    parser.add_argument("--tool", action="append", default=[], metavar="TEXT", help=_TOOL_HELP)
    parser.add_argument("--tools-json", metavar="FILE", help="the tools as the JSON of a contract, instead of `--tool`")
    parser.add_argument("--limit", action="append", default=[], metavar="TEXT", help=_LIMIT_HELP)
    parser.add_argument(
        "--schedule", action="append", default=[], metavar="TEXT",
        help="when calls are allowed: 'mon-fri 02:00-04:00 Europe/Berlin'; again for more hours",
    )  # fmt: skip
    parser.add_argument(
        "--portable",
        action="store_true",
        help="readable by verifiers that do not know limits, which then do not bind them",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="keep the chain in FILE, which must not exist yet; else stdout"
    )


def _issue_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", required=True, metavar="FILE", help="the issuer's private key")
    parser.add_argument(
        "--kid", default="", metavar="NAME", help="what the issuer's set calls that key (default: its thumbprint)"
    )
    parser.add_argument(
        "--iss", required=True, metavar="URI", help="what the issuer calls itself: as in the guard's policy"
    )
    _common_arguments(parser)
    parser.add_argument("--org", metavar="NAME", help="the organisation that its calls are billed to")
    parser.add_argument("--user", metavar="NAME", help="the user that its calls are billed to")
    parser.add_argument(
        "--account",
        metavar="NAME",
        help="what its limits are counted for: they go on when it is issued again for the same",
    )
    parser.add_argument("--ledger", metavar="URI", help="the guard that counts the limits: `ledger` in its policy")
    parser.add_argument(
        "--expires", required=True, metavar="TIME", type=duration, help="how long it is good, such as 24h; at most 90d"
    )
    parser.add_argument(
        "--max-depth",
        type=_depth,
        default=0,
        metavar="N",
        help="how many times it may be handed on (default: not at all)",
    )


def _delegate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--chain", required=True, metavar="FILE", help="the contract to hand on, with the chain above it"
    )
    parser.add_argument("--key", required=True, metavar="FILE", help="the private key of its holder")
    _common_arguments(parser)
    parser.add_argument(
        "--ledger", metavar="URI", help="the guard that counts the limits (default: the one named above)"
    )
    parser.add_argument(
        "--expires",
        metavar="TIME",
        type=duration,
        help="how long it is good, such as 1h (default: as long as the chain)",
    )
    parser.add_argument(
        "--max-depth", type=_depth, metavar="N",
        help="how many times more it may be handed on (default: as many as are left)",
    )  # fmt: skip


def _issue(arguments: argparse.Namespace) -> int:
    from remit.cli.contract_files import read_public_key_file, read_secret_key
    from remit.contracts import Billing, Issuer, issue_root
    from remit.contracts.key_sets import MAX_KID_CHARS, is_kid
    from remit.stores.clock import wall_us

    if arguments.kid and not is_kid(arguments.kid):
        raise UsageError(f"`--kid` is a name of up to {MAX_KID_CHARS} printable characters")
    asking = _asking(arguments, ledger=arguments.ledger, max_depth=arguments.max_depth)
    if not asking.tools:
        raise UsageError(
            "a root says what may be called: add `--tool`, such as --tool 'payments.transfer(amount<=500)'"
        )
    chain = issue_root(
        Issuer(arguments.iss, read_secret_key(arguments.key), arguments.kid),
        holder=read_public_key_file(arguments.to),
        asking=asking,
        lifetime_s=_seconds(arguments.expires),
        now_us=wall_us(),
        random_bytes=os.urandom,
        billing=Billing(org=arguments.org, user=arguments.user, account=arguments.account),
    )
    return _hand_over(chain, arguments)


def _delegate(arguments: argparse.Namespace) -> int:
    from remit.cli.contract_files import read_chain, read_public_key_file, read_secret_key
    from remit.cli.contract_refusal import explained
    from remit.contracts import derive
    from remit.stores.clock import wall_us

    text, parent = read_chain(arguments.chain)
    above = parent.unverified
    more = arguments.max_depth
    asking = _asking(
        arguments,
        ledger=arguments.ledger or _ledger_of(above),
        max_depth=None if more is None else above.leaf.depth + 1 + more,
    )
    try:
        chain = derive(
            text,
            read_secret_key(arguments.key),
            holder=read_public_key_file(arguments.to),
            asking=asking,
            now_us=wall_us(),
            random_bytes=os.urandom,
            lifetime_s=None if arguments.expires is None else _seconds(arguments.expires),
        )
    except UsageError as error:
        raise explained(error, asking, above.leaf) from None
    return _hand_over(chain, arguments)


def _asking(arguments: argparse.Namespace, *, ledger: str | None, max_depth: int | None) -> "Asking":
    from remit.cli.contract_limit_grammar import parse_limit, parse_schedule
    from remit.contracts import Asking

    limits = [parse_limit(text) for text in arguments.limit]
    schedule = parse_schedule(arguments.schedule) if arguments.schedule else None
    if limits and ledger is None:
        raise UsageError("limits are counted by one guard: name it with `--ledger`, as its policy does")
    return Asking(
        tools=_tools(arguments),
        limits=limits,
        schedule=schedule,
        ledger=ledger if limits else None,
        agent=arguments.agent,
        max_depth=max_depth,
        portable=arguments.portable,
    )


def _tools(arguments: argparse.Namespace) -> Any:
    """The tools that were asked for; None if nothing was said of them."""
    from remit.cli.contract_files import read_json_file
    from remit.cli.contract_grammar import parse_tools

    if arguments.tools_json is None:
        return parse_tools(arguments.tool) if arguments.tool else None
    if arguments.tool:
        raise UsageError("give the tools with `--tool` or with `--tools-json`, not with both")
    tools = read_json_file(arguments.tools_json)
    if not isinstance(tools, dict):
        raise UsageError(
            f"`{arguments.tools_json}` must hold a JSON object: tools by name, as the `tools` of a contract"
        )
    return tools


def _ledger_of(chain: "Chain") -> str | None:
    """The guard that counts for the nearest contract above that names one."""
    named = [link.limits.ledger for link in chain.links if link.limits is not None and link.limits.ledger is not None]
    return named[-1] if named else None


def _hand_over(chain: str, arguments: argparse.Namespace) -> int:
    from remit.cli.contract_files import write_new
    from remit.cli.contract_words import one_line
    from remit.cli.failures import note
    from remit.contracts import read_unverified_chain

    if arguments.output is None:
        print(chain)
        sys.stdout.flush()
    else:
        write_new(arguments.output, f"{chain}\n".encode())
    note(one_line(read_unverified_chain(chain).unverified, place=arguments.output))
    return 0


def _seconds(duration_us: int) -> int:
    seconds, rest = divmod(duration_us, 1_000_000)
    if rest:
        raise UsageError("a contract counts in whole seconds: round the time that it is good for")
    return seconds


def _depth(text: str) -> int:
    from remit.core.contract import MAX_DELEGATION_DEPTH
    from remit.core.reading import read_count, shown

    depth = read_count(text)
    if depth is None or depth > MAX_DELEGATION_DEPTH:
        raise argparse.ArgumentTypeError(f"{shown(text)} is no depth: write a number from 0 to {MAX_DELEGATION_DEPTH}")
    return depth


COMMANDS = (
    Command(
        words="issue",
        help="sign a contract: what an agent may call, how often, for how much, until when",
        example="remit issue --key issuer.jwk --iss https://issuer.example.com --to agent-public.jwk --agent orchestrator "
        "--tool 'payments.transfer(amount<=500)' --limit 'transfers: 100 calls' --ledger https://api.example.com "
        "--expires 24h -o root.chain",
        arguments=_issue_arguments,
        run=_issue,
    ),
    Command(
        words="delegate",
        help="hand a contract on to another agent, narrower and never wider; offline",
        example="remit delegate --chain root.chain --key agent.jwk --to child-public.jwk --agent risk-check "
        "--tool 'payments.transfer(amount<=100)' --limit 'transfers: 10 calls' --expires 1h -o child.chain",
        about="Without `--tool` it allows what the contract above allows. Limits add up: those above bind as well.",
        arguments=_delegate_arguments,
        run=_delegate,
    ),
)
