"""`python -m demo`: the incident, replayed. `python -m demo --keep`: the same services, to play with."""

import argparse
import asyncio
import io
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from demo.cast import ATTEMPTS
from demo.children import ROOT, DemoFailed
from demo.keep import keep
from demo.play import play
from demo.screen import Screen

INTERRUPTED = 130
PIPE_CLOSED = 141


def main() -> int:
    options = read_options()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    screen = Screen()
    try:
        return asyncio.run(until_told(perform(options, screen)))
    except DemoFailed as error:
        sys.stdout.flush()
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    except (asyncio.CancelledError, KeyboardInterrupt):
        screen.say()
        screen.say("Stopped; nothing is left running.")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads any more
        return PIPE_CLOSED


async def perform(options: argparse.Namespace, screen: Screen) -> int:
    if options.keep:
        return await keep(options.build / "up", screen)
    return await play(options.build, screen, attempts=options.attempts)


async def until_told(work: Coroutine[Any, Any, int]) -> int:
    """`work`, cancelled by Ctrl-C, SIGTERM or a closed terminal, so that everything that was started is stopped."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="start the services and leave them running")
    parser.add_argument(
        "--attempts", type=int, default=ATTEMPTS, metavar="N", help=f"how often the loop tries ({ATTEMPTS:,})"
    )
    parser.add_argument("--build", type=Path, default=ROOT / "build", metavar="DIR", help="where files go (build)")
    options = parser.parse_args()
    if options.attempts < 1:
        parser.error(f"--attempts {options.attempts}: it takes at least 1")
    options.build = options.build.resolve()
    return options


if __name__ == "__main__":
    sys.exit(main())
