"""Every command has its place in the reference, with every option and its example."""

from remit.cli.catalogue import COMMANDS
from remit.cli.command import parser_of
from tests.docs.cli_reference import PAGE


def test_the_commands_page_has_every_command_with_its_options_and_example() -> None:
    sections = PAGE.read_text().split("## `remit ")[1:]
    assert [section.partition("`")[0] for section in sections] == [command.words for command in COMMANDS]
    again = "write it again: python -m tests.docs.cli_reference"
    for command, section in zip(COMMANDS, sections, strict=True):
        words = " ".join(section.split())
        assert command.example in section, again
        for action in parser_of(command)._actions:
            assert all(option in words for option in action.option_strings), again
            assert " ".join((action.help or "").split()) in words, again
