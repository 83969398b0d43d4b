"""Effects of operations on liquidity pools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stellar_etl.transforms.effects.applied import AppliedOperation, asset_amount
from stellar_etl.transforms.effects.claimable_balances import created_balance
from stellar_etl.transforms.effects.effect import Details, Made
from stellar_etl.transforms.shared.asset_contracts import asset_xdr
from stellar_etl.transforms.shared.operation_changes import PoolChange, pool_change, pool_gain
from stellar_etl.transforms.shared.values import (
    amount_text,
    asset_canonical,
    balance_id,
)
from stellar_etl.xdr import names


def pool_state(pool: Any) -> Details:
    """Return a pool with its shares and reserves."""
    _, content = pool["body"]
    return {
        "id": pool["liquidityPoolID"].hex(),
        "fee_bp": content["params"]["fee"],
        "type": "constant_product",
        "total_trustlines": str(content["poolSharesTrustLineCount"]),
        "total_shares": amount_text(content["totalPoolShares"]),
        "reserves": _both(pool, content["reserveA"], content["reserveB"]),
    }


def _both(pool: Any, amount_a: int, amount_b: int) -> list[Details]:
    parameters = pool["body"][1]["params"]
    return [asset_amount(parameters["assetA"], amount_a), asset_amount(parameters["assetB"], amount_b)]


def changed_pool(op: AppliedOperation, pool: bytes) -> PoolChange:
    """Return the operation's change of a pool.

    Raises:
        ValueError: its changes do not contain the pool.
    """
    change = pool_change(op.changes, pool)
    if change is None:
        raise ValueError(f"its changes contain no liquidity pool {pool.hex()}")
    return change


def liquidity_pool_deposit(op: AppliedOperation) -> Iterator[Made]:
    """Yield the deposit into the pool."""
    change = changed_pool(op, op.body["liquidityPoolID"])
    details = {
        "liquidity_pool": pool_state(change.pool),
        "reserves_deposited": _both(change.pool, change.reserve_a, change.reserve_b),
        "shares_received": amount_text(change.shares),
    }
    yield op.source, "liquidity_pool_deposited", details


def liquidity_pool_withdraw(op: AppliedOperation) -> Iterator[Made]:
    """Yield the withdrawal from the pool."""
    change = changed_pool(op, op.body["liquidityPoolID"])
    details = {
        "liquidity_pool": pool_state(change.pool),
        "reserves_received": _both(change.pool, -change.reserve_a, -change.reserve_b),
        "shares_redeemed": amount_text(-change.shares),
    }
    yield op.source, "liquidity_pool_withdrew", details


def revoked_pool(op: AppliedOperation) -> Iterator[Made]:
    """Yield the revocation of pool shares with an authorization: the owner gets claimable balances for the assets."""
    change = next(op.of(names.LIQUIDITY_POOL), None)
    balances = [change.content for change in op.of(names.CLAIMABLE_BALANCE) if change.before is None]
    if change is None or not balances:
        return
    for balance in sorted(balances, key=lambda balance: asset_xdr(balance["asset"])):
        yield from created_balance(op, balance, balance["claimants"])
    gained = pool_gain(change)
    ids = {asset_canonical(balance["asset"]): balance_id(balance["balanceID"]) for balance in balances}
    details = {
        "liquidity_pool": pool_state(gained.pool),
        "reserves_revoked": [
            {**reserve, "claimable_balance_id": ids[reserve["asset"]]}
            for reserve in _both(gained.pool, -gained.reserve_a, -gained.reserve_b)
            if reserve["asset"] in ids
        ],
        "shares_revoked": amount_text(-gained.shares),
    }
    yield op.source, "liquidity_pool_revoked", details


def created_or_removed(op: AppliedOperation) -> Iterator[Made]:
    """Yield pools that were created with their first trust line or removed with their last one."""
    for change in op.of(names.LIQUIDITY_POOL):
        if change.before is None:
            yield op.source, "liquidity_pool_created", {"liquidity_pool": pool_state(change.content)}
        elif change.after is None:
            yield op.source, "liquidity_pool_removed", {"liquidity_pool_id": change.content["liquidityPoolID"].hex()}
