"""`remit store accept-loss`: go on with a store that lost writes, after an operator has understood what that means.

A store that knows fewer writes than were acknowledged is refused (an older copy was put back, its `-wal` file was
deleted): money that was spent may be missing in it. Accepting freezes every counter, so that nothing is spent under a
cap until somebody has compared it with the upstream and thawed it.
"""

import argparse

from remit.cli.command import Command, add_store


def _accept_loss(arguments: argparse.Namespace) -> int:
    import asyncio

    from remit.cli.reach import find_place
    from remit.errors import UsageError

    place = find_place(arguments)
    if place.file is None or not place.file.exists():
        raise UsageError(f"there is no store file at {place.shown()}: name it with `--store sqlite:///FILE`")
    frozen = asyncio.run(_open_anyway(str(place.file)))
    print(f"{place.shown()} can be used again; every counter that it knows is frozen ({frozen:,})")
    print("Compare each with what the upstream says, then open it: `remit limits --frozen` shows how.")
    return 0


async def _open_anyway(path: str) -> int:
    """Open the store as it is, and count what is frozen in it now."""
    from remit.stores.sqlite import SqliteStore

    store = await SqliteStore.open(path, owner_note="remit store accept-loss", accept_loss=True)
    try:
        return sum(1 for cell in await store.cells(limit=1_000_000) if cell.frozen)
    finally:
        await store.close()


COMMANDS = (
    Command(
        words="store accept-loss",
        help="go on with a store that lost writes; everything in it freezes",
        example="remit store accept-loss --store sqlite:///remit.db",
        about="Only for a store that is refused because it lost writes, when no newer copy exists.",
        arguments=add_store,
        run=_accept_loss,
    ),
)
