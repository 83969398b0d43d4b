"""Rows of `liquidity_pools`: one per pool that a ledger changed."""

from __future__ import annotations

from typing import Any

from stellar_etl.ledgers.changes import Change
from stellar_etl.ledgers.ledger import Ledger
from stellar_etl.transforms.shared.entries import asset_columns, change_columns, of_type
from stellar_etl.transforms.shared.values import amount, pool_details
from stellar_etl.xdr import names

ENTRY_TYPE = names.LIQUIDITY_POOL

items = of_type(ENTRY_TYPE)


def row(ledger: Ledger, change: Change) -> dict[str, Any]:
    """One pool's row."""
    pool = change.content
    product = pool["body"][1]  # pools of a constant product are the only kind
    parameters = product["params"]
    return {
        **pool_details(pool["liquidityPoolID"]),
        "type": "constant_product",
        "fee": parameters["fee"],
        "trustline_count": product["poolSharesTrustLineCount"],
        "pool_share_count": amount(product["totalPoolShares"]),
        **asset_columns(parameters["assetA"], "asset_a_"),
        "asset_a_amount": amount(product["reserveA"]),
        **asset_columns(parameters["assetB"], "asset_b_"),
        "asset_b_amount": amount(product["reserveB"]),
        **change_columns(ledger, change.kind, change.entry),
    }
