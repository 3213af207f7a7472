"""`remit revoke`: a contract ends with everything that was derived from it, or a key and everything that it holds."""

import argparse
from typing import TYPE_CHECKING

from remit.cli.command import Command, add_store
from remit.errors import UsageError

if TYPE_CHECKING:
    from remit.core.contract import Chain


def _arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--chain", metavar="FILE", help="the last contract of the chain in FILE; see `--link`")
    which.add_argument("--lineage", metavar="L", help="the contract with this lineage, as `remit inspect` shows it")
    which.add_argument("--holder", metavar="THUMBPRINT", help="every contract that this key holds, now or later")
    parser.add_argument(
        "--link",
        metavar="N",
        type=_link,
        help="with `--chain`: link N of it, 0 being the root (default: the last)",
    )
    parser.add_argument("--reason", metavar="TEXT", help="why, for the record")
    add_store(parser)


def _revoke(arguments: argparse.Namespace) -> int:
    from remit.cli.contract_files import read_chain
    from remit.cli.reach import find_place, reach

    if arguments.link is not None and arguments.chain is None:
        raise UsageError("`--link` counts the contracts of a chain: add `--chain FILE`")
    chain = read_chain(arguments.chain)[1].unverified if arguments.chain is not None else None
    lineage, what = (arguments.lineage, "the contract") if chain is None else _chosen(chain, arguments.link)
    with reach(find_place(arguments)) as owner:
        answer = owner.do("contracts.revoke", lineage=lineage, holder=arguments.holder, reason=arguments.reason)
    if arguments.holder is not None:
        what = f"the key {answer['holder']}"
    if answer["was_revoked"]:
        print(f"{what} was revoked already")
    elif arguments.holder is not None:
        print(f"{what} is revoked: no call under a contract that it holds, or handed on, passes from now on")
    else:
        print(f"{what} is revoked: no call under it, or under one derived from it, passes from now on")
    return 0


def _chosen(chain: "Chain", number: int | None) -> tuple[str, str]:
    """The lineage of the contract that was meant, and how to speak of it."""
    from remit.cli.contract_words import name_of

    hop = len(chain.links) - 1 if number is None else number
    if hop >= len(chain.links):
        raise UsageError(f"the chain has no link {hop}: its last is {len(chain.links) - 1}, and 0 is the root")
    return chain.lineages[hop], f"contract {hop + 1} of the chain, for {name_of(chain.links[hop])},"


def _link(text: str) -> int:
    from remit.core.reading import read_count, shown

    number = read_count(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{shown(text)} is no link: write a number, 0 for the root")
    return number


COMMANDS = (
    Command(
        words="revoke",
        help="end a contract and everything derived from it, or all that a key holds",
        example="remit revoke --chain root.chain --policy payments.yaml --reason 'laptop lost'",
        about="At once and for good, at the guard whose store it is. The chain in FILE is not verified for that.",
        arguments=_arguments,
        run=_revoke,
    ),
)
