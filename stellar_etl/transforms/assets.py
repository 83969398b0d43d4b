"""Rows of `history_assets`: the assets of payments and sell offers, each once a run."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from stellar_etl.ledgers.ledger import Ledger, Operation
from stellar_etl.transforms.shared.values import asset_parts
from stellar_etl.xdr import names

_ASSETS_OF = {names.PAYMENT: "asset", names.MANAGE_SELL_OFFER: "selling"}


def items(ledger: Ledger) -> list[Operation]:
    """The ledger's operations, in the order they were applied."""
    return ledger.operations


def identity(row: dict[str, Any]) -> Hashable:
    """What tells an asset from others."""
    return row["asset_id"]  # type: ignore[no-any-return]


def row(ledger: Ledger, operation: Operation) -> dict[str, Any] | None:
    """The row of an operation's asset, None if it has none; failed operations count."""
    field = _ASSETS_OF.get(operation.type)
    if field is None:
        return None
    type_, code, issuer, id_ = asset_parts(operation.body[field])
    return {
        "asset_code": code,
        "asset_issuer": issuer,
        "asset_type": type_,
        "asset_id": id_,
        "closed_at": ledger.closed_at,
        "ledger_sequence": ledger.sequence,
    }
