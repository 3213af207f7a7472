"""Every command on one page, and how the words after `remit` lead to one of them."""

from collections.abc import Sequence

from remit.cli import (
    audit,
    audit_checks,
    clock,
    contract_call,
    contract_keys,
    contract_making,
    contract_reading,
    contract_revoking,
    gateway,
    holds,
    keys,
    limits,
    policy,
    status,
    store,
    why,
)
from remit.cli.command import Command, parser_of
from remit.core.reading import shown
from remit.errors import UsageError

COMMANDS: tuple[Command, ...] = (
    *gateway.COMMANDS,
    *status.COMMANDS,
    *policy.COMMANDS,
    *keys.COMMANDS,
    *contract_keys.COMMANDS,
    *contract_making.COMMANDS,
    *contract_reading.COMMANDS,
    *contract_revoking.COMMANDS,
    *contract_call.COMMANDS,
    *limits.COMMANDS,
    *holds.COMMANDS,
    *why.COMMANDS,
    *audit.COMMANDS,
    *audit_checks.COMMANDS,
    *clock.COMMANDS,
    *store.COMMANDS,
)
"""In the order of the help."""

_HELP = ("-h", "--help", "help")


def run(arguments: Sequence[str]) -> int:
    """Carry out the command that `arguments` name, and return its exit code."""
    if not arguments or arguments[0] in _HELP:
        print(overview())
        return 0
    if arguments[0] == "--version":
        from remit import __version__

        print(f"remit {__version__}")
        return 0
    command, rest = find(arguments)
    if command is None:
        print(overview(arguments[0]))
        return 0
    return command.run(parser_of(command).parse_args(rest))


def find(arguments: Sequence[str]) -> tuple[Command | None, list[str]]:
    """The command that the first words name and what is left for it; None for a group that was not gone into.

    Raises `UsageError` for words that name nothing.
    """
    by_words = {command.words: command for command in COMMANDS}
    first, second = arguments[0], arguments[1] if len(arguments) > 1 else ""
    if first.startswith("-"):
        raise UsageError(f"the command comes first, {shown(first)} after it: `remit --help` lists the commands")
    if second and (found := by_words.get(f"{first} {second}")) is not None:
        return found, list(arguments[2:])
    if (found := by_words.get(first)) is not None:
        return found, list(arguments[1:])
    if not any(words.startswith(f"{first} ") for words in by_words):
        names = sorted({words.partition(" ")[0] for words in by_words})
        raise UsageError(f"there is no command {shown(first)}{_near(first, names)}: `remit --help` lists them")
    if second and second not in _HELP:
        names = [words.removeprefix(f"{first} ") for words in by_words if words.startswith(f"{first} ")]
        raise UsageError(
            f"`remit {first}` has no {shown(second)}{_near(second, names)}: `remit {first}` lists what it has"
        )
    return None, []


def overview(group: str = "") -> str:
    """The help on one screen: every command, or those of one group."""
    commands = [command for command in COMMANDS if not group or command.words.startswith(f"{group} ")]
    width = max(len(command.words) for command in commands)
    lines = [f"  {command.words.ljust(width)}  {command.help}" for command in commands]
    usage = f"usage: remit {group or 'COMMAND'} [...]"
    head = [usage, ""] if group else ["The guardrail between agents and anything that costs money.", "", usage, ""]
    tail = ["", f"`remit {group or 'COMMAND'}{' ...' if group else ''} --help` shows the arguments and an example."]
    if not group:
        tail.append("A store is found by --policy FILE ($REMIT_POLICY, ./policy.yaml, ./remit.yaml) or --store URL.")
    return "\n".join([*head, *lines, *tail])


def _near(word: str, names: Sequence[str]) -> str:
    """`, did you mean `keys`?` if something is near."""
    import difflib

    near = difflib.get_close_matches(word, names, n=1) if len(word) < 40 else []
    return f", did you mean `{near[0]}`?" if near else ""
