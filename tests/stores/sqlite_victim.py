"""A process that spends as fast as it can and tells what it was promised, until somebody kills it.

Each line is written with one system call: `ask`, `held` (its hold was acknowledged), `paid` (its commit was), and the id.
"""

import asyncio
import os
import sys

from remit.core.ledger import operations as ops
from remit.stores.sqlite import SqliteStore
from tests.stores.sqlite_calls import admission, commit, entry

CAP = 1_000_000
CALLERS = 8
DAY = ops.Rolling(86_400_000_000)


def _say(word: str, id_: str) -> None:
    os.write(1, f"{word} {id_}\n".encode())


async def _spend(store: SqliteStore, caller: str) -> None:
    number = 0
    while True:
        number += 1
        id_ = f"{caller}-{number:06d}"
        _say("ask", id_)
        count = entry(CAP, key=f"calls-{caller[-1]}", window=DAY, unit="calls", at_commit=ops.AtCommit.KEEP)
        outcome = await store.apply(admission(id_, entry(CAP, 5), count))
        assert isinstance(outcome, ops.Applied)
        _say("held", id_)
        if number % 5:
            await store.apply(commit(id_, 3))
            _say("paid", id_)


async def _main(path: str, run: str) -> None:
    store = await SqliteStore.open(path)
    _say("open", run)
    await asyncio.gather(*(_spend(store, f"{run}-{n}") for n in range(CALLERS)))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2]))
