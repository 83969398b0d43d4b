"""Rows of `history_assets`: the assets of payments and sell offers, each once per run."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from stellar_etl.ledgers.ledger import Ledger, Operation
from stellar_etl.transforms.shared.values import asset_parts
from stellar_etl.xdr import names

_ASSETS_OF = {names.PAYMENT: "asset", names.MANAGE_SELL_OFFER: "selling"}


def items(ledger: Ledger) -> Iterator[Operation]:
    """Yield the operations that name an asset, in the order of the transaction set, as the reference exporter does."""
    by_envelope = {id(transaction.envelope): transaction for transaction in ledger.transactions}
    for envelope in ledger.envelopes():
        transaction = by_envelope.get(id(envelope))
        if transaction is not None:
            yield from (operation for operation in transaction.operations() if operation.type in _ASSETS_OF)


def identity(row: dict[str, Any]) -> Hashable:
    """The columns that identify an asset."""
    return row["asset_id"]  # type: ignore[no-any-return]


def row(ledger: Ledger, operation: Operation) -> dict[str, Any]:
    """The row of an operation's asset; failed operations count."""
    type_, code, issuer, id_ = asset_parts(operation.body[_ASSETS_OF[operation.type]])
    return {
        "asset_code": code,
        "asset_issuer": issuer,
        "asset_type": type_,
        "asset_id": id_,
        "closed_at": ledger.closed_at,
        "ledger_sequence": ledger.sequence,
    }
