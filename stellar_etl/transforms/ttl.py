"""Rows of `ttl`: the time to live of smart contracts' entries."""

from __future__ import annotations

from typing import Any

from stellar_etl.ledgers.changes import Change
from stellar_etl.ledgers.ledger import Ledger
from stellar_etl.transforms.shared.entries import change_columns, of_type
from stellar_etl.xdr import names

ENTRY_TYPE = names.TTL

items = of_type(ENTRY_TYPE)


def row(ledger: Ledger, change: Change) -> dict[str, Any]:
    """Return the row of one entry's time to live; it is unknown for an evicted entry."""
    return {
        "key_hash": change.content["keyHash"].hex(),
        "live_until_ledger_seq": change.content.get("liveUntilLedgerSeq"),
        **change_columns(ledger, change.kind, change.entry),
    }
