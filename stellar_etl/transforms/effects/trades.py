"""Effects of trades with offers and pools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stellar_etl.transforms.effects.applied import AppliedOperation, asset_amount
from stellar_etl.transforms.effects.effect import Details, Made
from stellar_etl.transforms.effects.liquidity_pools import changed_pool, pool_state
from stellar_etl.transforms.shared.values import (
    account_details,
    account_id,
    amount_text,
    asset_details,
)
from stellar_etl.xdr import names

# The reference exporter writes all of these for each trade, for any change of the offer, except for a strict send.
OFFER_EFFECTS = ("trade", "offer_updated", "offer_removed", "offer_created")


def offer(op: AppliedOperation) -> Iterator[Made]:
    """Yield the trades of an offer."""
    return trades(op, op.operation.success()["offersClaimed"], OFFER_EFFECTS)


def trades(op: AppliedOperation, claims: list[tuple[int, Any]], effects: tuple[str, ...]) -> Iterator[Made]:
    """Yield the effects of an operation's trades with offers and pools, on both sides."""
    for kind, claim in claims:
        if not claim["amountSold"] and not claim["amountBought"]:
            continue
        if kind == names.CLAIM_ATOM_TYPE_LIQUIDITY_POOL:
            yield op.source, "liquidity_pool_trade", _pool_trade(op, claim)
            continue
        seller = claim["sellerID"] if kind == names.CLAIM_ATOM_TYPE_ORDER_BOOK else (0, claim["sellerEd25519"])
        sold, bought = amount_text(claim["amountSold"]), amount_text(claim["amountBought"])
        buyers = {
            "offer_id": claim["offerID"],
            "seller": account_id(seller),
            "bought_amount": sold,
            "sold_amount": bought,
            **asset_details(claim["assetSold"], "bought", with_id=False),
            **asset_details(claim["assetBought"], "sold", with_id=False),
        }
        sellers = {
            "offer_id": claim["offerID"],
            **account_details("seller", op.source),
            "bought_amount": bought,
            "sold_amount": sold,
            **asset_details(claim["assetBought"], "bought", with_id=False),
            **asset_details(claim["assetSold"], "sold", with_id=False),
        }
        for effect in effects:
            yield op.source, effect, buyers
            yield seller, effect, sellers


def _pool_trade(op: AppliedOperation, claim: Any) -> Details:
    pool = changed_pool(op, claim["liquidityPoolID"]).pool
    return {
        "liquidity_pool": pool_state(pool),
        "sold": asset_amount(claim["assetSold"], claim["amountSold"]),
        "bought": asset_amount(claim["assetBought"], claim["amountBought"]),
    }
