"""Rows of the ledger's tables: how cells, holds and the rest become columns and packed bodies, and back.

Bodies are MessagePack of plain lists, decoded with a type, so that a damaged or foreign one is noticed and never
guessed at. A period cell packs `{period: [end_us, used, held, over]}`, a rolling one its buckets and totals.
"""

import hashlib
from collections import OrderedDict
from typing import Any, Final

import msgspec

from remit.audit.record import Body, Decision, Refusals, Settlement
from remit.core.ledger.cells.window import Account, PeriodCell, RollingCell, WindowCell
from remit.core.ledger.operations import Applied, HoldEntry, HoldState, View
from remit.core.ledger.state import BegunRow, GateRow, HoldRow
from remit.stores.sqlite_statements import Row

MAX_PLANS_KNOWN = 4096

_PackedView = tuple[int, int, int, int, int, int, int, bool, int]
_PackedAnswer = tuple[int, list[_PackedView]]
_PackedPeriods = dict[int, tuple[int, int, int, int]]
_PackedRolling = tuple[int, int, int, int, dict[int, int]]
_PackedHold = tuple[
    list[int], list[int], list[int], list[int] | None, list[int] | None, str | None, dict[str, dict[str, int]],
    str, _PackedAnswer | None, _PackedAnswer | None,
]  # fmt: skip

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_cell: Final = msgspec.msgpack.Decoder(_PackedPeriods | _PackedRolling).decode
_decode_hold: Final = msgspec.msgpack.Decoder(_PackedHold).decode
_decode_plan: Final = msgspec.msgpack.Decoder(tuple[HoldEntry, ...]).decode
_encode_refusals: Final = msgspec.json.Encoder().encode
_decode_refusals: Final = msgspec.json.Decoder(Refusals).decode
_states: Final = {state.value: state for state in HoldState}
_astuple: Final = msgspec.structs.astuple


def cell_row(key: str, cell: WindowCell) -> Row:
    """`(key, frozen, body)`."""
    body: object
    if isinstance(cell, PeriodCell):
        body = {period: (a.end_us, a.used, a.held, a.over) for period, a in cell.periods.items()}
    else:
        body = (cell.bucket_us, cell.floor, cell.held, cell.over_total, cell.buckets)
    return key, int(cell.frozen), _encode(body)


def cell_from(frozen: int, body: bytes) -> WindowCell:
    """The cell, without the holds that stand in it. Raises `msgspec.DecodeError`."""
    packed = _decode_cell(body)
    cell: WindowCell
    if isinstance(packed, dict):
        cell = PeriodCell()
        for period, (end_us, used, held, over) in packed.items():
            cell.periods[period] = Account(end_us, used=used, held=held, over=over)
    else:
        bucket_us, floor, held, over_total, buckets = packed
        cell = RollingCell(bucket_us)
        cell.floor, cell.held, cell.over_total, cell.buckets = floor, held, over_total, buckets
        cell.total = sum(buckets.values())
    cell.frozen = bool(frozen)
    return cell


def hold_row(row: HoldRow, plan: bytes) -> Row:
    """`(state, admitted_us, expires_us, ended_us, plan, body, id)`: the id last, as an update wants it."""
    body = (
        row.periods, row.ends_us, row.amounts, row.booked, row.over, row.begin_key, row.refunds, row.evidence,
        _packed(row.first), _packed(row.last),
    )  # fmt: skip
    return row.state.value, row.admitted_us, row.expires_us, row.ended_us, plan, _encode(body), row.id


def hold_from(columns: Row, entries: tuple[HoldEntry, ...]) -> HoldRow:
    """The hold of `(id, state, admitted_us, expires_us, ended_us, body)`. Raises `msgspec.DecodeError` or `KeyError`."""
    id_, state, admitted_us, expires_us, ended_us, body = columns
    periods, ends_us, amounts, booked, over, begin_key, refunds, evidence, first, last = _decode_hold(body)
    return HoldRow(
        id_, _states[state], admitted_us, expires_us, entries, periods, ends_us, amounts, booked, over, begin_key,
        refunds, ended_us, evidence, _unpacked(first), _unpacked(last),
    )  # fmt: skip


def _packed(answer: Applied | None) -> tuple[int, list[Row]] | None:
    return None if answer is None else (answer.now_us, [_astuple(view) for view in answer.views])


def _unpacked(packed: _PackedAnswer | None) -> Applied | None:
    return None if packed is None else Applied(tuple(View(*view) for view in packed[1]), packed[0])


def gate_row(key: str, gate: GateRow) -> Row:
    """`(key, rung, factor_permille, until_us, version, reason)`."""
    return key, int(gate.rung), gate.factor_permille, gate.until_us, gate.version, gate.reason


def begun_row(key: str, begun: BegunRow) -> Row:
    """`(key, fingerprint, hold, expires_us, answer)`."""
    return key, begun.fingerprint, begun.hold, begun.expires_us, begun.answer


def refusals_body(refusals: Refusals) -> bytes:
    """An open count of alike refusals."""
    return _encode_refusals(refusals)


def refusals_from(body: bytes) -> Refusals:
    """The same again. Raises `msgspec.DecodeError`."""
    return _decode_refusals(body)


def mentions_of(body: Body) -> tuple[str, str | None, str | None]:
    """`(mention, also, until)`: the ids that a record is found by, see `sqlite_schema`."""
    if isinstance(body, Decision):
        return body.id, body.hold if body.hold not in ("", body.id) else None, None
    if isinstance(body, Settlement):
        return body.hold, body.decision if body.decision != body.hold else None, None
    if isinstance(body, Refusals):
        return body.first_decision, None, body.last_decision
    return body.subject, None, None


class Plans:
    """The tuples of entries that holds share, by hash. Both directions are remembered for a bounded number of them."""

    def __init__(self) -> None:
        """None is known yet."""
        self._hashes: OrderedDict[int, tuple[tuple[HoldEntry, ...], bytes]] = OrderedDict()
        self._entries: OrderedDict[bytes, tuple[HoldEntry, ...]] = OrderedDict()
        self._in_file: OrderedDict[bytes, None] = OrderedDict()

    def hash_of(self, entries: tuple[HoldEntry, ...]) -> bytes:
        """The hash of a tuple; a tuple seen before is recognised by its identity (it is kept, so that stays its own)."""
        known = self._hashes.get(id(entries))
        if known is not None:
            return known[1]
        digest = hashlib.sha256(_encode(entries)).digest()
        _remember(self._hashes, id(entries), (entries, digest))
        return digest

    def row(self, entries: tuple[HoldEntry, ...]) -> Row | None:
        """`(hash, entries)` to write, or None if the file is known to have it."""
        digest = self.hash_of(entries)
        return None if digest in self._in_file else (digest, _encode(entries))

    def landed(self, digest: bytes) -> None:
        """The file has it."""
        _remember(self._in_file, digest, None)

    def entries_of(self, digest: bytes, body: bytes) -> tuple[HoldEntry, ...]:
        """The tuple with that hash, decoded from `body` unless it is known. Raises `msgspec.DecodeError`."""
        entries = self._entries.get(digest)
        if entries is None:
            entries = _decode_plan(body)
            _remember(self._entries, digest, entries)
            self.landed(digest)
        return entries


def _remember(known: OrderedDict[Any, Any], key: object, value: object) -> None:
    known[key] = value
    if len(known) > MAX_PLANS_KNOWN:
        known.popitem(last=False)
