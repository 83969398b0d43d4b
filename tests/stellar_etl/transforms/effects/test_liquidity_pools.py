"""Effects of operations on liquidity pools."""

from __future__ import annotations

from pathlib import Path

import pytest
from stellar_sdk import (
    ChangeTrust,
    LiquidityPoolDeposit,
    LiquidityPoolWithdraw,
    Price,
    StrKey,
)

from tests.stellar_etl.made import (
    ALICE,
    POOL,
    POOL_ID,
    change,
    pool,
    trust_line,
)
from tests.stellar_etl.transforms.effects.making import (
    ALICE_7,
    USD_NAME,
    Effects,
    one,
    pool_details,
)

effects = Effects()
FAMILY = frozenset(
    (
        "trustline_created",
        "trustline_removed",
        "liquidity_pool_deposited",
        "liquidity_pool_withdrew",
        "liquidity_pool_created",
        "liquidity_pool_removed",
    )
)
"""The types of effects that the tests of this file see."""


def test_a_trust_line_for_pool_shares_creates_the_pool_and_its_removal_removes_it(tmp_path: Path) -> None:
    line = change(None, trust_line(asset=POOL_ID))
    # The trust line for the pool's asset counts one more pool: that is no effect.
    asset_line = change(trust_line(), trust_line())
    shares = {
        "asset_type": "liquidity_pool_shares",
        "liquidity_pool_id": POOL_ID.hex(),
        "liquidity_pool_id_strkey": StrKey.encode_liquidity_pool(POOL_ID),
    }
    made = one(ChangeTrust(POOL, "3"), change(None, pool(0, 0, 0)), asset_line, line)
    assert effects(tmp_path / "made", made) == [
        (ALICE, "trustline_created", {"limit": "3.0000000", **shares}),
        (
            ALICE,
            "liquidity_pool_created",
            {"liquidity_pool": pool_details("0.0000000", "0.0000000", "0.0000000")},
        ),
    ]
    gone = one(ChangeTrust(POOL, "0"), change(trust_line(asset=POOL_ID), None), asset_line, change(pool(0, 0, 0), None))
    assert effects(tmp_path / "gone", gone) == [
        (ALICE, "trustline_removed", {"limit": "0.0000000", **shares}),
        (ALICE, "liquidity_pool_removed", {"liquidity_pool_id": POOL_ID.hex()}),
    ]


def test_deposit_and_withdrawal_have_effects(tmp_path: Path) -> None:
    deposit = LiquidityPoolDeposit(POOL.liquidity_pool_id, "1", "1", Price(1, 2), Price(2, 1))
    both = [{"asset": "native", "amount": "0.0000010"}, {"asset": USD_NAME, "amount": "0.0000020"}]
    tx = one(deposit, change(pool(100, 200, 140), pool(110, 220, 154)), source=ALICE_7)
    assert effects(tmp_path / "deposit", tx) == [
        (
            ALICE_7,
            "liquidity_pool_deposited",
            {
                "liquidity_pool": pool_details("0.0000110", "0.0000220", "0.0000154"),
                "reserves_deposited": both,
                "shares_received": "0.0000014",
            },
        )
    ]
    withdraw = LiquidityPoolWithdraw(POOL.liquidity_pool_id, "0.0000014", "0", "0")
    tx = one(withdraw, change(pool(110, 220, 154), pool(100, 200, 140)))
    assert effects(tmp_path / "withdraw", tx) == [
        (
            ALICE,
            "liquidity_pool_withdrew",
            {
                "liquidity_pool": pool_details("0.0000100", "0.0000200", "0.0000140"),
                "reserves_received": both,
                "shares_redeemed": "0.0000014",
            },
        )
    ]


def test_every_type_of_the_family_was_seen(request: pytest.FixtureRequest) -> None:
    effects.assert_seen(FAMILY, request)
