"""The real `remit` commands, run as a person would run them: `remit why dec_…`, `remit audit verify`."""

import asyncio
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from demo.children import ROOT, DemoFailed

TIMEOUT_S = 60.0
REMIT = (sys.executable, "-c", "import sys; from remit.cli import main; sys.exit(main())")
"""What the installed `remit` command runs; said like this it works from any folder, however it is called."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and its exit code. `typed` is the command as a person would type it."""

    typed: str
    exit_code: int
    out: str
    errors: str


class Remit:
    """The command line, pointed at one policy (and so at its store, and at the gateway that has it open)."""

    def __init__(self, policy: Path) -> None:
        self._policy = policy

    async def run(self, *arguments: str, folder: Path = ROOT) -> Said:
        """Run one command in `folder`, whatever its exit code. Raises `DemoFailed` if it does not end."""
        process = await asyncio.create_subprocess_exec(
            *REMIT, *arguments, cwd=folder, env=os.environ | {"REMIT_POLICY": str(self._policy)},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        typed = shlex.join(["remit", *arguments])
        try:
            out, errors = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
        except TimeoutError:
            raise DemoFailed(f"`{typed}` did not end within {TIMEOUT_S:.0f} s") from None
        finally:
            if process.returncode is None:
                process.kill()
        return Said(typed, process.returncode or 0, out.decode().rstrip(), errors.decode().rstrip())

    async def must(self, *arguments: str, folder: Path = ROOT) -> str:
        """Run one command and return what it printed. Raises `DemoFailed` with its own words if it fails."""
        said = await self.run(*arguments, folder=folder)
        if said.exit_code != 0:
            raise DemoFailed(f"`{said.typed}` failed: {said.errors or said.out or f'exit code {said.exit_code}'}")
        return said.out
