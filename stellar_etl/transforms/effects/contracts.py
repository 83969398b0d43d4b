"""Effects of smart contract operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stellar_etl.ledgers.ledger import Operation, base64
from stellar_etl.transforms.effects.applied import AppliedOperation, money_details
from stellar_etl.transforms.effects.effect import Details, Made
from stellar_etl.transforms.shared.asset_contracts import asset_event
from stellar_etl.transforms.shared.contract_values import address
from stellar_etl.xdr import names


def _events(operation: Operation) -> list[dict[str, Any]]:
    """The events of the contracts that an operation called."""
    meta = operation.transaction.meta
    if meta[0] == 3:
        contracts = meta[1]["sorobanMeta"]
        return contracts["events"] if contracts else []
    events: list[dict[str, Any]] = meta[1]["operations"][operation.index]["events"]
    return events


def invoke_host_function(op: AppliedOperation) -> Iterator[Made]:
    """Yield the balances that asset contracts report as changed."""
    for event in _events(op.operation):
        moved = asset_event(event, op.operation.transaction.network)
        if moved is None:
            continue
        details = {**money_details(moved.stroops, moved.asset), "contract_event_type": moved.name}
        if moved.giver is not None:
            yield _moved(op, moved.giver, "debited", details)
        if moved.receiver is not None:
            yield _moved(op, moved.receiver, "credited", details)


def _moved(op: AppliedOperation, party: tuple[int, Any], way: str, details: Details) -> Made:
    kind, key = party
    if kind == names.SC_ADDRESS_TYPE_ACCOUNT:
        return key, f"account_{way}", details
    return op.source, f"contract_{way}", {**details, "contract": address(party)}


def _lived(op: AppliedOperation) -> list[str]:
    """The ledger keys of the times to live that an operation changed, as base64."""
    return [base64(names.TTL.to_bytes(4, "big") + change.content["keyHash"]) for change in op.of(names.TTL)]


def extend_footprint_ttl(op: AppliedOperation) -> Iterator[Made]:
    """Yield the entries with an extended time to live."""
    yield op.source, "extend_footprint_ttl", {"entries": _lived(op), "extend_to": op.body["extendTo"]}


def restore_footprint(op: AppliedOperation) -> Iterator[Made]:
    """Yield the entries that were restored."""
    yield op.source, "restore_footprint", {"entries": _lived(op)}
