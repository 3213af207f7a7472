"""From a file to a ledger that may decide again: after a start, and after a failed group of writes.

What the process before this one left open is brought to an end in one group of writes: counts of refusals become
records, and holds that nobody will ever report on end as the table of a hold's life says (one that never left is given
back, one that did is assumed to have been spent). After a failure in the same process the holds live on, since their
callers do. That group also proves that the file can be written before anybody is promised anything.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Final

from remit.audit.chain import Writer
from remit.audit.record import Admin, AdminAction, Body
from remit.audit.settlements import is_settlement, settlement_of
from remit.core.ledger.operations import Batch, Expire, Outcome
from remit.core.ledger.state import Step
from remit.stores.clock import AnchoredClock
from remit.stores.sqlite_changes import BegunRows, Pending
from remit.stores.sqlite_file import LedgerFile
from remit.stores.sqlite_load import Loaded, load
from remit.stores.sqlite_reading import Reader
from remit.stores.sqlite_rows import Plans
from remit.stores.sqlite_statements import DROP_REFUSALS, PUT_WRITER

ORPHANS_PER_BATCH: Final = 100
RESTARTED: Final = "the process that owned the ledger ended without reporting on this call"
LOST: Final = "the newest writes of the ledger were lost; everything is frozen until an operator has looked at it"


class Orphans:
    """The draft of a batch that ends holds which nobody will report on."""

    def complete(self, outcome: Outcome, steps: Sequence[Step]) -> Sequence[Body]:
        """A settlement for each of them."""
        return [settlement_of(step, evidence=RESTARTED) for step in steps if is_settlement(step)]


def recover(file: LedgerFile, reader: Reader, clock: AnchoredClock, *, restarted: bool, lost: bool) -> Pending:
    """Load what the file has and write what has to follow from it. `restarted`: another process owned it before.

    `lost`: writes are missing and an operator accepts that: every window is frozen, and plans of before are stale.
    """
    plans = Plans()
    loaded = load(file.db, file.path, plans)
    if restarted:
        clock.not_before(loaded.time_us)
    begun = BegunRows(reader.begun)
    pending = _pending(file, loaded, plans, begun, clock, anew=lost or not loaded.writer_id)
    loaded.ledger.fetch_hold = lambda id_: reader.hold(id_, plans, pending.fetched)
    if lost:
        _freeze(pending)
    if loaded.refusals:
        pending.put_first(DROP_REFUSALS, [()])
        for body in loaded.refusals:
            pending.embedded.record(body)
    if restarted:
        _end_orphans(pending, file.groups)
    pending.touch()
    file.wait_for_locks(patient=True)
    file.begin()
    changes = pending.take()
    file.stage(changes)
    file.commit()
    file.wait_for_locks(patient=False)
    pending.landed(changes)
    return pending


def _pending(
    file: LedgerFile, loaded: Loaded, plans: Plans, begun: BegunRows, clock: AnchoredClock, *, anew: bool
) -> Pending:
    """With the writer that the file names, or `anew` one whose numbers nobody has seen."""
    writer, writer_id = loaded.writer, loaded.writer_id
    if anew:
        writer_id += 1
        writer = Writer.start(f"sqlite-{file.store_id}" + (f"-{writer_id}" if writer_id > 1 else ""))
    loaded.ledger.begun = begun
    pending = Pending(ledger=loaded.ledger, begun=begun, clock=clock, writer=writer, writer_id=writer_id, plans=plans)
    if anew:
        pending.put_first(PUT_WRITER, [(writer_id, writer.writer)])
    return pending


def _freeze(pending: Pending) -> None:
    ledger = pending.ledger
    for cell in ledger.cells.values():
        cell.frozen = True
    ledger.dirty_cells.update(ledger.cells)
    ledger.epoch += 1
    pending.embedded.record(Admin(action=AdminAction.GATE_SET, by="remit", subject="*", detail=LOST))


def _end_orphans(pending: Pending, groups: int) -> None:
    orphans = iter(list(pending.ledger.live.live))
    number = 0
    while some := list(islice(orphans, ORPHANS_PER_BATCH)):
        number += 1
        operations = tuple(Expire(hold=hold) for hold in some)
        pending.embedded.step(Batch(f"restart/{groups}/{number}", operations, record=Orphans()))
