"""Rows of `claimable_balances`: one per claimable balance that a ledger changed."""

from __future__ import annotations

from typing import Any

from stellar_etl.ledgers.changes import Change
from stellar_etl.ledgers.ledger import Ledger
from stellar_etl.transforms.shared.entries import asset_columns, change_columns, of_type, sponsor
from stellar_etl.transforms.shared.predicates import predicate
from stellar_etl.transforms.shared.values import account_id, amount, balance_details
from stellar_etl.xdr import names

ENTRY_TYPE = names.CLAIMABLE_BALANCE

items = of_type(ENTRY_TYPE)


def row(ledger: Ledger, change: Change) -> dict[str, Any]:
    """One balance's row."""
    balance = change.content
    ext = balance["ext"][1]
    return {
        **balance_details(balance["balanceID"]),
        "claimants": [
            {"destination": account_id(claimant["destination"]), "predicate": predicate(claimant["predicate"])}
            for _, claimant in balance["claimants"]
        ]
        or None,
        **asset_columns(balance["asset"], "asset_"),
        "asset_amount": amount(balance["amount"]),
        "sponsor": sponsor(change.entry),
        "flags": ext["flags"] if ext else 0,
        **change_columns(ledger, change.kind, change.entry),
    }
