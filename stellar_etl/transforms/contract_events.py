"""Rows of `history_contract_events`: one an event in a transaction's meta, diagnostic ones too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stellar_etl.ledgers import strkey
from stellar_etl.ledgers.ledger import Ledger, Transaction, base64
from stellar_etl.transforms.contract_values import forms
from stellar_etl.transforms.values import code_name

_DIAGNOSTIC = {False: b"\0\0\0\0", True: b"\0\0\0\1"}
"""What a `DiagnosticEvent` begins with: each kind of event is written as one."""


@dataclass(eq=False, slots=True)
class Event:
    """One event.

    Attributes:
        transaction: the transaction.
        index: its operation's place in the transaction, from 0; -1 if it is told of no operation.
        in_successful_call: whether the call that published it was not undone.
        event: `ContractEvent`.
    """

    transaction: Transaction
    index: int
    in_successful_call: bool
    event: dict[str, Any]


def items(ledger: Ledger) -> Iterator[Event]:
    """The ledger's events: of each transaction its own, then its operations', then the diagnostic ones."""
    for transaction in ledger.transactions:
        version, meta = transaction.meta[0], transaction.meta[1]
        if version == 3 and meta["sorobanMeta"] is not None:
            # Only a smart contract's transaction has events here, and it has one operation.
            for event in meta["sorobanMeta"]["events"]:
                yield Event(transaction, 0, True, event)
            yield from _diagnostic(transaction, meta["sorobanMeta"])
        elif version == 4:
            # The stage at which a transaction's own event happened is no column.
            for staged in meta["events"]:
                yield Event(transaction, -1, True, staged["event"])
            for index, operation in enumerate(meta["operations"]):
                for event in operation["events"]:
                    yield Event(transaction, index, True, event)
            yield from _diagnostic(transaction, meta)


def _diagnostic(transaction: Transaction, holder: dict[str, Any]) -> Iterator[Event]:
    for diagnostic in holder["diagnosticEvents"]:
        yield Event(transaction, -1, diagnostic["inSuccessfulContractCall"], diagnostic["event"])


def row(ledger: Ledger, item: Event) -> dict[str, Any]:
    """One event's row."""
    transaction, event = item.transaction, item.event
    contract, body = event["contractID"], event["body"][1]
    topics = list(map(forms, body["topics_raw"], body["topics"]))
    data, data_decoded = forms(body["data_raw"], body["data"])
    return {
        "transaction_hash": transaction.hash_text,
        "transaction_id": transaction.id,
        "successful": transaction.successful,
        "ledger_sequence": ledger.sequence,
        "closed_at": ledger.closed_at,
        "in_successful_contract_call": item.in_successful_call,
        "contract_id": "" if contract is None else strkey.contract(contract),
        "type": event["type"],
        "type_string": code_name("ContractEventType", event["type"]),
        "topics": [topic for topic, _ in topics],
        "topics_decoded": [decoded for _, decoded in topics],
        "data": data,
        "data_decoded": data_decoded,
        "contract_event_xdr": base64(_DIAGNOSTIC[item.in_successful_call] + event["raw"]),
        "operation_id": None if item.index < 0 else transaction.id | item.index + 1,
    }
