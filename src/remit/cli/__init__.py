"""The command line: `remit COMMAND`, one file per command, and `main`, which turns whatever happens into an exit code.

0: done. 1: refused, or a check that failed (an audit log that does not verify, an id that does not exist). 2: wrong
usage or wrong input (a flag, a policy file). 3: trouble with the store (busy, corrupt, not to be reached). 130: Ctrl-C.
What goes wrong is one sentence on stderr, never a traceback; what was asked for is on stdout, and nothing else is.
"""

import sys

from remit.cli.catalogue import run
from remit.cli.failures import INTERRUPTED, prepare_streams, report

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code; `argv` is what follows `remit` (None: what the shell gave)."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        prepare_streams()
        code = run(arguments)
        sys.stdout.flush()
        return code
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence: a sentence and an exit code for everything
        return report(error)
