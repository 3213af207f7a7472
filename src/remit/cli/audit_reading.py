"""Reading the audit log through whoever owns the store: a page at a time, so that its size does not matter."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from remit.audit.chain import Entry

if TYPE_CHECKING:
    from remit.cli.reach import Owner

PAGE: Final = 500

Heads = dict[str, tuple[int, bytes]]
"""Writer → number and hash of its last record."""


def read_heads(owner: "Owner") -> tuple[Heads, dict[str, Any]]:
    """Where every chain ends now, and the whole answer. Counts of refusals that were still open are closed first."""
    owner.do("audit.page", limit=1)
    answer = owner.do("audit.heads")
    return {head["writer"]: (head["seq"], bytes.fromhex(head["hash"])) for head in answer["heads"]}, answer


def entries_between(owner: "Owner", writer: str, *, after: int, until: int) -> Iterator[Entry]:
    """The records of one writer with numbers above `after`, up to `until`."""
    while after < until:
        page = read_page(owner, writer=writer, after=after, limit=PAGE)
        if not page:
            return
        for entry in page:
            if entry.seq > until:
                return
            yield entry
        after = max(after + 1, page[-1].seq)


def every_entry(owner: "Owner", heads: Heads) -> Iterator[Entry]:
    """All records up to those heads, writer after writer."""
    for writer, (seq, _) in heads.items():
        yield from entries_between(owner, writer, after=0, until=seq)


def read_page(owner: "Owner", **query: Any) -> list[Entry]:
    """One page of records."""
    return [_entry(row) for row in owner.do("audit.page", **query)["entries"]]


def _entry(row: dict[str, Any]) -> Entry:
    encoded = bytes.fromhex(row["damaged"]) if "damaged" in row else row["body"].encode()
    return Entry(row["writer"], row["seq"], encoded, bytes.fromhex(row["hash"]))
