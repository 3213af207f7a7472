"""Writes docs/reference/cli.md from the commands themselves: `python -m tests.docs.cli_reference`."""

import os
from pathlib import Path

from remit.cli.catalogue import COMMANDS
from remit.cli.command import parser_of

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
TOP = """# Commands

Exit codes: 0 done; 1 a check failed or the thing does not exist; 2 wrong usage or bad input; 3 the store is busy, broken or cannot be
reached; 130 Ctrl-C. What goes wrong is one sentence on stderr that begins with `remit:`.

Commands that need a store find it by `--policy FILE` (otherwise `$REMIT_POLICY`, `./policy.yaml`, `./remit.yaml`) or by
`--store URL`. If a gateway owns the store they speak to it through its control socket, otherwise they open the store themselves.
"""


def page() -> str:
    """The whole page."""
    os.environ["COLUMNS"] = "100"
    sections = []
    for command in COMMANDS:
        help_text = parser_of(command).format_help().rstrip()
        sections.append(f"## `remit {command.words}`\n\n```text\n{help_text}\n```\n")
    return "\n".join([TOP, *sections])


if __name__ == "__main__":
    PAGE.write_text(page())
