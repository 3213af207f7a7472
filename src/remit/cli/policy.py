"""`remit policy`: what a policy file says, what is wrong with it, what a change of it means, and the running gateway's reload."""

import argparse
import textwrap
from pathlib import Path

from remit.cli.command import Command, add_store, no_arguments


def _policy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("policy", metavar="POLICY", help="the policy file")


def _old_and_new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", help="the policy file as it is")
    parser.add_argument("new", metavar="NEW", help="the policy file as it shall be")


def _check(arguments: argparse.Namespace) -> int:
    from remit.cli.failures import warn_of_policy
    from remit.cli.output import count
    from remit.config.compile import load_policy_file

    loaded = load_policy_file(arguments.policy)
    warn_of_policy(arguments.policy, loaded.warnings)
    policy = loaded.policy
    parts = [count(len(policy.tools), "tool"), count(len(policy.limits), "limit")]
    if loaded.warnings:
        parts.append(count(len(loaded.warnings), "warning"))
    print(f"{arguments.policy}: ok, {', '.join(parts)}")
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from remit.config.compile import load_policy_file
    from remit.config.explain import explain

    print(explain(load_policy_file(arguments.policy).policy), end="")
    return 0


def _diff(arguments: argparse.Namespace) -> int:
    from remit.config.compile import load_policy_file
    from remit.config.diff import diff

    folder = Path(arguments.old).absolute().parent  # a draft elsewhere means the store of the policy that it replaces
    old, new = (load_policy_file(Path(name), folder=folder).policy for name in (arguments.old, arguments.new))
    sentences = diff(old, new)
    for sentence in sentences:
        print(textwrap.fill(sentence, 100, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False))
    if not sentences:
        print("no difference: both decide alike")
    return 0


def _schema(_: argparse.Namespace) -> int:
    from remit.config.schema import published_schema

    print(published_schema(), end="")
    return 0


def _reload(arguments: argparse.Namespace) -> int:
    from remit.cli.failures import WRONG_INPUT, complain, warn_of_policy
    from remit.cli.reach import find_place, reach
    from remit.errors import PolicyError, RemitError

    place = find_place(arguments)
    try:
        with reach(place, only_running=True) as owner:
            answer = owner.do("policy.reload")
    except RemitError as error:
        if type(error) is not RemitError and not isinstance(error, PolicyError):
            raise
        complain(f"the policy was not reloaded, and the one before goes on:\n{error}")
        return WRONG_INPUT
    warn_of_policy(str(place.policy_path or "policy"), [(line, text) for line, text in answer["warnings"]])
    print(f"reloaded: the gateway decides by policy {answer['digest'][:12]} now")
    return 0


COMMANDS = (
    Command(
        words="policy check",
        help="say what is wrong with a policy file, or that nothing is",
        example="remit policy check payments.yaml",
        about="Every problem is named with its line. Warnings are about what is allowed but probably not meant.",
        arguments=_policy,
        run=_check,
    ),
    Command(
        words="policy explain",
        help="say in sentences what a policy allows and refuses",
        example="remit policy explain payments.yaml",
        arguments=_policy,
        run=_explain,
    ),
    Command(
        words="policy diff",
        help="say what changes from one policy to another",
        example="remit policy diff payments.yaml payments-new.yaml",
        about="Says also which counters start anew and what needs a restart. The exit code is 0 either way.",
        arguments=_old_and_new,
        run=_diff,
    ),
    Command(
        words="policy schema",
        help="print the JSON Schema of policy files, for editors",
        example="remit policy schema > remit-policy.schema.json",
        arguments=no_arguments,
        run=_schema,
    ),
    Command(
        words="policy reload",
        help="let the running gateway read its policy file again",
        example="remit policy reload --policy payments.yaml",
        about="Counters are kept. If the file is wrong, the policy that runs goes on.",
        arguments=add_store,
        run=_reload,
    ),
)
