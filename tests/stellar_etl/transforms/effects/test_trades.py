"""Effects of trades with offers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import (
    CreatePassiveSellOffer,
    ManageBuyOffer,
    ManageSellOffer,
    Operation,
    Price,
)

from tests.stellar_etl.made import (
    BOB,
    NATIVE,
    USD,
    Tx,
    claim,
    claim_v0,
    offers_claimed,
    succeeded,
)
from tests.stellar_etl.transforms.effects.making import (
    ALICE_7,
    ALL_FOUR,
    MUXED_SELLER,
    Effects,
    sides,
)

effects = Effects()
FAMILY = frozenset(
    (
        "offer_created",
        "offer_removed",
        "offer_updated",
        "trade",
    )
)
"""The types of effects that the tests of this file see."""


@pytest.mark.parametrize("make", [claim, claim_v0])
@pytest.mark.parametrize("type_", ["sell", "buy", "passive", "passive as core once recorded it"])
def test_offers_have_effects(tmp_path: Path, make: Any, type_: str) -> None:
    price = Price(2, 1)
    operation: Operation = {
        "sell": ManageSellOffer(NATIVE, USD, "1", price),
        "buy": ManageBuyOffer(NATIVE, USD, "1", price),
    }.get(type_, CreatePassiveSellOffer(NATIVE, USD, "1", price))
    # A claim of nothing for nothing is not a trade.
    claims = offers_claimed([make(BOB, 78, USD, 0, NATIVE, 0), make(BOB, 77, USD, 3, NATIVE, 6)])
    odd = "MANAGE_SELL_OFFER" if type_.endswith("it") else None
    result = succeeded(operation.to_xdr_object(), claims, odd)
    assert effects(tmp_path, Tx([operation], results=[result], source=ALICE_7)) == sides(
        BOB, ALICE_7, MUXED_SELLER, ALL_FOUR
    )


def test_every_type_of_the_family_was_seen(request: pytest.FixtureRequest) -> None:
    effects.assert_seen(FAMILY, request)
