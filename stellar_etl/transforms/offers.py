"""Rows of `offers`: one per offer that a ledger changed."""

from __future__ import annotations

from typing import Any

from stellar_etl.ledgers.changes import Change
from stellar_etl.ledgers.ledger import Ledger
from stellar_etl.transforms.shared.entries import asset_columns, change_columns, of_type, sponsor
from stellar_etl.transforms.shared.values import account_id, amount, number
from stellar_etl.xdr import names

ENTRY_TYPE = names.OFFER

items = of_type(ENTRY_TYPE)


def row(ledger: Ledger, change: Change) -> dict[str, Any]:
    """Return one offer's row; its price is the unrounded quotient."""
    offer = change.content
    n, d = offer["price"]["n"], offer["price"]["d"]
    return {
        "seller_id": account_id(offer["sellerID"]),
        "offer_id": offer["offerID"],
        **asset_columns(offer["selling"], "selling_asset_"),
        **asset_columns(offer["buying"], "buying_asset_"),
        "amount": amount(offer["amount"]),
        "pricen": n,
        "priced": d,
        "price": number(n / d),
        "flags": offer["flags"],
        "sponsor": sponsor(change.entry),
        **change_columns(ledger, change.kind, change.entry),
    }
