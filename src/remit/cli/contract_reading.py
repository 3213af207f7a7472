"""`remit inspect` and `remit verify`: what a chain says, in words, and whether a guard would believe it.

Inspecting asks nobody whether the issuer is to be trusted; it shows what stands there, and, where a store is at hand, what
is left of it. Verifying takes the steps of a guard, by a policy or by an issuer's keys, and names the one that fails.
"""

import argparse
from typing import TYPE_CHECKING, Any

from remit.cli.command import Command, add_json
from remit.errors import UsageError

if TYPE_CHECKING:
    from remit.cli.contract_words import Standing
    from remit.contracts import TrustAnchors
    from remit.core.contract import Chain, Contract

MAX_SHOWN_CHARS = 4096


def _inspect_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("chain", metavar="CHAIN", help="the file with the chain")
    parser.add_argument(
        "--policy", metavar="FILE", help="show what is left of each limit as well, from the store of this policy"
    )
    parser.add_argument("--store", metavar="URL", help="the same from this store, such as sqlite:///remit.db")
    add_json(parser)


def _inspect(arguments: argparse.Namespace) -> int:
    from remit.cli.contract_files import read_chain
    from remit.cli.output import as_json
    from remit.stores.clock import wall_us

    chain = read_chain(arguments.chain)[1].unverified
    standing = _standing(chain, arguments)
    if arguments.json:
        as_json({"links": [_link_json(chain, hop, standing) for hop in range(len(chain.links))]})
    else:
        _print(chain, standing, now_us=wall_us())
    return 0


def _print(chain: "Chain", standing: "Standing | None", *, now_us: int) -> None:
    from remit.cli.contract_words import describe_link, name_of
    from remit.cli.output import count, show

    print(
        f"{count(len(chain.links), 'contract')}, the first from an issuer, each of the others from the holder above it."
    )
    if len(chain.links) > 1:
        print("A call by the last holder counts for every one of them, and each has to allow it.")
    print("Whether the issuer is to be trusted was not looked at: `remit verify` does that.")
    for hop, link in enumerate(chain.links):
        print()
        print(f"Contract {hop + 1} (link {hop}), for {name_of(link)}")
        for name, text in describe_link(chain, hop, now_us=now_us, standing=standing):
            print(f"  {name.ljust(15)} {show(text, max_chars=MAX_SHOWN_CHARS)}")


def _standing(chain: "Chain", arguments: argparse.Namespace) -> "Standing | None":
    """What a store knows about the chain; None if none was named."""
    from remit.cli.contract_words import Standing, Use
    from remit.cli.reach import find_place, reach
    from remit.core.contract_limits import limit_cell

    if arguments.policy is None and arguments.store is None:
        return None
    uses = {}
    with reach(find_place(arguments)) as owner:
        for hop, link in enumerate(chain.links):
            for limit in link.limits.limits if link.limits is not None else ():
                key = limit_cell(chain.counters[hop], limit)
                cells = owner.do("limits.list", prefix=key)["cells"]
                found = [Use(used=cell["used"], held=cell["held"]) for cell in cells if cell["key"] == key]
                uses[hop, limit.id] = found[0] if found else Use(used=0, held=0)
        revoked = owner.do("contracts.revoked", lineages=list(chain.lineages), holders=list(chain.holders))
    return Standing(uses=uses, lineages=frozenset(revoked["lineages"]), holders=frozenset(revoked["holders"]))


def _link_json(chain: "Chain", hop: int, standing: "Standing | None") -> dict[str, Any]:
    from remit.cli.contract_grammar import format_tool
    from remit.cli.contract_limit_grammar import format_schedule

    link = chain.links[hop]
    limits = link.limits
    shown: dict[str, Any] = {
        "agent": link.agent, "holder": link.holder.thumbprint, "iss": link.iss, "jti": link.jti,
        "lineage": chain.lineages[hop], "issued_us": link.issued_s * 1_000_000, "expires_us": link.expires_us,
        "depth": link.depth, "max_depth": link.max_depth, "org": link.org, "user": link.user, "account": link.account,
        "tools": [format_tool(name, arguments) for name, arguments in (link.tools or {}).items()],
        "limits": _limits_json(link, hop, standing),
        "schedule": format_schedule(limits.schedule) if limits is not None and limits.schedule is not None else None,
        "ledger": limits.ledger if limits is not None else None,
    }  # fmt: skip
    if standing is not None:
        shown["revoked"] = standing.is_revoked(chain, hop)
    return shown


def _limits_json(link: "Contract", hop: int, standing: "Standing | None") -> list[dict[str, Any]]:
    from remit.cli.contract_limit_grammar import format_limit
    from remit.core.contract_limits import Cap

    shown = []
    for limit in link.limits.limits if link.limits is not None else ():
        entry: dict[str, Any] = {"id": limit.id, "limit": format_limit(limit), "unit": limit.unit}
        if standing is not None and isinstance(limit.rule, Cap):
            use = standing.uses[hop, limit.id]
            entry |= {"max": limit.rule.max, "used": use.used, "held": use.held}
        shown.append(entry)
    return shown


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("chain", metavar="CHAIN", help="the file with the chain")
    parser.add_argument(
        "--policy", metavar="FILE", help="whom to trust; else $REMIT_POLICY, ./policy.yaml or ./remit.yaml"
    )
    parser.add_argument("--jwks", metavar="FILE", help="instead of a policy: the issuer's set of public keys")
    parser.add_argument("--iss", metavar="URI", help="with `--jwks`: what the issuer calls itself")


def _verify(arguments: argparse.Namespace) -> int:
    from remit.audit.times import duration, iso
    from remit.cli.contract_words import name_of
    from remit.cli.failures import REFUSED, complain
    from remit.cli.output import count
    from remit.contracts import BY_REFERENCE, ContractError, verify_chain
    from remit.entrypoints.client.credentials import read_chain_file
    from remit.stores.clock import wall_us

    text = read_chain_file(arguments.chain)
    now_us = wall_us()
    try:
        anchors = _anchors(arguments, text)
        verified = verify_chain(text, anchors, now_us=now_us, bounds=BY_REFERENCE)
    except ContractError as error:
        complain(f"`{arguments.chain}`: {error}")
        return REFUSED
    links = verified.chain.links
    print(f"{count(len(links), 'contract')}, genuine: from issuer `{verified.chain.issuer}` to {name_of(links[-1])}")
    print(f"good until {iso(verified.expires_us)[:19]}Z, for another {duration(verified.expires_us - now_us)}")
    print("Whether it was revoked or used up only its guard knows: `remit inspect --policy FILE` asks.")
    return 0


def _anchors(arguments: argparse.Namespace, chain: str) -> "TrustAnchors":
    from pathlib import Path

    from remit.cli.reach import find_policy
    from remit.config.compile import load_policy_file
    from remit.config.trust import load_anchors

    if (arguments.jwks is None) != (arguments.iss is None):
        raise UsageError("`--jwks` and `--iss` belong together: the keys of an issuer, and what it calls itself")
    if arguments.jwks is not None:
        if arguments.policy is not None:
            raise UsageError("verify by `--policy` or by `--jwks` and `--iss`, not by both")
        return _trusting(arguments.jwks, arguments.iss, chain)
    path = find_policy(arguments.policy)
    anchors = load_anchors(load_policy_file(Path(path)).policy, source=str(path))
    if not anchors.issuers:
        raise UsageError(f"the policy `{path}` trusts no issuer: add `trust`, or verify with `--jwks` and `--iss`")
    return anchors


def _trusting(jwks: str, iss: str, chain: str) -> "TrustAnchors":
    """Trust in one issuer for everything: the org that its root names, and the guard that counts."""
    from remit.cli.contract_files import read_key_set_file
    from remit.contracts import TrustAnchors, TrustedIssuer, read_unverified_chain

    keys = read_key_set_file(jwks)
    links = read_unverified_chain(chain).unverified.links
    ledgers = [link.limits.ledger for link in links if link.limits is not None and link.limits.ledger is not None]
    org = links[0].org
    issuer = TrustedIssuer(name="given", iss=iss, keys=keys, orgs=() if org is None else (org,), plain_jwt=True)
    return TrustAnchors(issuers=(issuer,), ledger=ledgers[0] if ledgers else "")


COMMANDS = (
    Command(
        words="inspect",
        help="say in words what a chain of contracts allows, and what is left of it",
        example="remit inspect child.chain --policy payments.yaml",
        arguments=_inspect_arguments,
        run=_inspect,
    ),
    Command(
        words="verify",
        help="say whether a chain is genuine, or at which step and link it fails",
        example="remit verify child.chain --policy payments.yaml",
        about="Exit code 1: it is refused. With `--jwks` and `--iss` the issuer is trusted for every tool and org.",
        arguments=_verify_arguments,
        run=_verify,
    ),
)
