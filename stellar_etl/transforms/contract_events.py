"""Rows of `history_contract_events`: one per event in a transaction's meta, including diagnostic ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stellar_etl.ledgers import strkey
from stellar_etl.ledgers.ledger import Ledger, base64
from stellar_etl.transforms.shared.contract_values import forms
from stellar_etl.transforms.shared.events import DIAGNOSTIC, Event, events
from stellar_etl.transforms.shared.values import code_name

_DIAGNOSTIC = {False: b"\0\0\0\0", True: b"\0\0\0\1"}
"""The first bytes of a `DiagnosticEvent`: each kind of event is written as one."""


def items(ledger: Ledger) -> Iterator[Event]:
    """Yield the ledger's events: for each transaction its own, then its operations', then the diagnostic ones."""
    for transaction in ledger.transactions:
        yield from events(transaction)


def row(ledger: Ledger, item: Event) -> dict[str, Any]:
    """One event's row."""
    transaction, event = item.transaction, item.event
    contract, body = event["contractID"], event["body"][1]
    topics = list(map(forms, body["topics_raw"], body["topics"]))
    data, data_decoded = forms(body["data_raw"], body["data"])
    # The reference exporter wraps other events as a diagnostic event of a successful call; the XDR keeps that form.
    wrapping = _DIAGNOSTIC[item.in_successful_call or item.source != DIAGNOSTIC]
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
        "contract_event_xdr": base64(wrapping + event["raw"]),
        "operation_id": None if item.index < 0 else transaction.id | item.index + 1,
        "event_index": item.event_index,
        "event_source": item.source,
    }
