"""`remit clock accept`: an operator says that the wall clock is right after it and the store's clock had parted."""

import argparse

from remit.cli.command import Command, add_store


def _accept(arguments: argparse.Namespace) -> int:
    from remit.cli.output import moment, span
    from remit.cli.reach import find_place, reach

    with reach(find_place(arguments)) as owner:
        answer = owner.do("clock.accept")
    moved_us = answer["moved_us"]
    way = (
        f"{span(abs(moved_us))} {'forward' if moved_us > 0 else 'back'}"
        if abs(moved_us) >= 1000
        else "by next to nothing"
    )
    print(f"the store's clock moved {way}: it is {moment(answer['now_us'])}")
    return 0


COMMANDS = (
    Command(
        words="clock accept",
        help="let the store take the system's time after the two have parted",
        example="remit clock accept --policy payments.yaml",
        about="Check the system's time first: limits that count by the calendar begin to decide by it.",
        arguments=add_store,
        run=_accept,
    ),
)
