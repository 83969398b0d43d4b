"""The events in a transaction's meta, each with its identity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stellar_etl.ledgers.ledger import Transaction
from stellar_etl.xdr import names

TRANSACTION, OPERATION, DIAGNOSTIC = "transaction", "operation", "diagnostic"
"""The column `event_source`: the part of the meta that holds an event."""


@dataclass(eq=False, slots=True)
class Event:
    """One event.

    Attributes:
        transaction: the transaction.
        event_index: the event's position among all events of the transaction's meta, from 0.
        source: `TRANSACTION`, `OPERATION` or `DIAGNOSTIC`. A node that records diagnostic events repeats contract
            events among them.
        index: its operation's position in the transaction, from 0; -1 if the meta names no operation.
        in_successful_call: whether the call that published it was not undone.
        event: `ContractEvent`.
    """

    transaction: Transaction
    event_index: int
    source: str
    index: int
    in_successful_call: bool
    event: dict[str, Any]


def events(transaction: Transaction) -> Iterator[Event]:
    """Yield a transaction's own events, then those of its operations, then the diagnostic ones."""
    version, meta = transaction.meta[0], transaction.meta[1]
    if version < 3:
        return
    own: list[Any] = []
    of_operations: list[Any] = []
    if version == 3:
        # Only a smart contract transaction has events here, and it has one operation.
        holder = meta["sorobanMeta"]
        if holder is None:
            return
        of_operations = [holder["events"]]
    else:
        # The stage of a transaction's own event is not a column.
        holder = meta
        own = meta["events"]
        of_operations = [operation["events"] for operation in meta["operations"]]
    place = 0
    for staged in own:
        event = staged["event"]
        yield Event(transaction, place, TRANSACTION, -1, _took_effect(transaction, event), event)
        place += 1
    for index, some in enumerate(of_operations):
        for event in some:
            yield Event(transaction, place, OPERATION, index, _took_effect(transaction, event), event)
            place += 1
    for diagnostic in holder["diagnosticEvents"]:
        in_successful_call = diagnostic["inSuccessfulContractCall"]
        yield Event(transaction, place, DIAGNOSTIC, -1, in_successful_call, diagnostic["event"])
        place += 1


def _took_effect(transaction: Transaction, event: dict[str, Any]) -> bool:
    """Whether the call of an event that is not diagnostic took effect: a failed transaction undid it.

    For events of type diagnostic this is unknown; they count as in the reference exporter.
    """
    return transaction.successful or event["type"] == names.DIAGNOSTIC


def integer(parts: dict[str, int]) -> int:
    """Return the number that an `Int128Parts` holds."""
    return (parts["hi"] << 64) + parts["lo"]


def moved_amount(data: tuple[int, Any]) -> tuple[int, int | None] | None:
    """Return the amount of an event of the token interface, and the id of its muxed receiver.

    Args:
        data: the event's data: the amount, or since protocol 23 (CAP-67) a map with the amount and the receiver's memo.

    Returns:
        None if the data is in neither form. The id is None for no memo, and for one that is a text or a hash: those
        do not identify a muxed account (https://github.com/stellar/stellar-etl/issues/450).
    """
    kind, content = data
    if kind == names.SCV_I128:
        return integer(content), None
    if kind != names.SCV_MAP:
        return None
    amount = muxed_id = None
    for entry in content or ():
        (key_kind, key), (kind, value) = entry["key"], entry["val"]
        if key_kind != names.SCV_SYMBOL:
            return None
        if key == b"amount":
            if kind != names.SCV_I128:
                return None
            amount = integer(value)
        elif key == b"to_muxed_id":
            if kind not in (names.SCV_U64, names.SCV_BYTES, names.SCV_STRING):
                return None
            muxed_id = value if kind == names.SCV_U64 else None
    return None if amount is None else (amount, muxed_id)
