"""Runs a program that ends when its parent does, however the parent ends.

`python -m demo.tied PID program arguments…` asks Linux to send SIGTERM to this process when its parent (which must be
PID) is gone, and then becomes the program; the request outlives `exec`. Elsewhere it only becomes the program, and the
parent's own tidying has to do.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def tie_to(parent: int) -> None:
    """End with `parent`. If it is gone already, end now."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the program that started this one is gone")


def main() -> None:
    parent, *command = sys.argv[1:]
    tie_to(int(parent))
    os.execvp(command[0], command)  # noqa: S606 - becoming the program is what this is for


if __name__ == "__main__":
    main()
