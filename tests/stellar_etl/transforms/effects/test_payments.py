"""Effects of payments, path payments and clawbacks."""

from __future__ import annotations

from pathlib import Path

import pytest
from stellar_sdk import (
    Clawback,
    PathPaymentStrictReceive,
    PathPaymentStrictSend,
    Payment,
    xdr,
)

from tests.stellar_etl.made import (
    ALICE,
    BOB,
    CAROL,
    ISSUER,
    LONG,
    NATIVE,
    USD,
    change,
    claim,
    claim_pool,
    muxed,
    paid,
    pool,
)
from tests.stellar_etl.transforms.effects.making import (
    ALICE_7,
    ALL_FOUR,
    MUXED_SELLER,
    USD_NAME,
    USD_PARTS,
    Effects,
    one,
    pool_details,
    sides,
)

effects = Effects()
FAMILY = frozenset(
    (
        "account_credited",
        "account_debited",
        "offer_created",
        "offer_removed",
        "offer_updated",
        "trade",
        "liquidity_pool_trade",
    )
)
"""The types of effects that the tests of this file see."""


def test_payment_between_muxed_accounts_has_effects(tmp_path: Path) -> None:
    money = {"amount": "0.0000001", **USD_PARTS}
    tx = one(Payment(muxed(BOB, 8), USD, "0.0000001", source=ALICE_7), source=CAROL)
    assert effects(tmp_path, tx) == [
        (muxed(BOB, 8), "account_credited", money),
        (ALICE_7, "account_debited", money),
    ]


def test_a_path_payment_through_an_offer_and_a_pool_has_effects(tmp_path: Path) -> None:
    change_of_pool = change(pool(1000, 1000, 1000), pool(1006, 995, 1000))
    claims = [claim_pool(USD, 5, NATIVE, 6), claim(BOB, 77, USD, 3, NATIVE, 6)]
    receive = PathPaymentStrictReceive(muxed(CAROL, 1), NATIVE, "9", USD, "0.0000008", [])
    success = paid(xdr.PathPaymentStrictReceiveResultSuccess, claims, USD, 8, CAROL)
    traded = {
        "liquidity_pool": pool_details("0.0001006", "0.0000995", "0.0001000"),
        "sold": {"asset": USD_NAME, "amount": "0.0000005"},
        "bought": {"asset": "native", "amount": "0.0000006"},
    }
    assert effects(tmp_path / "receive", one(receive, change_of_pool, content=success, source=ALICE_7)) == [
        (muxed(CAROL, 1), "account_credited", {"amount": "0.0000008", **USD_PARTS}),
        (ALICE_7, "account_debited", {"amount": "0.0000012", "asset_type": "native"}),
        (ALICE_7, "liquidity_pool_trade", traded),
        *sides(BOB, ALICE_7, MUXED_SELLER, ALL_FOUR),
    ]
    send = PathPaymentStrictSend(CAROL, NATIVE, "0.0000012", USD, "0.0000001", [])
    success = paid(xdr.PathPaymentStrictSendResultSuccess, claims, USD, 8, CAROL)
    assert effects(tmp_path / "send", one(send, change_of_pool, content=success)) == [
        (CAROL, "account_credited", {"amount": "0.0000008", **USD_PARTS}),
        (ALICE, "account_debited", {"amount": "0.0000012", "asset_type": "native"}),
        (ALICE, "liquidity_pool_trade", traded),
        # Only for a strict send no offer is reported as created.
        *sides(BOB, ALICE, {"seller": ALICE}, ALL_FOUR[:3]),
    ]


def test_a_strict_receive_through_two_hops_debits_the_first_hop(tmp_path: Path) -> None:
    claims = [claim(BOB, 1, USD, 3, NATIVE, 6), claim(BOB, 2, USD, 3, NATIVE, 7), claim(BOB, 3, LONG, 9, USD, 6)]
    receive = PathPaymentStrictReceive(CAROL, NATIVE, "9", LONG, "0.0000009", [USD])
    success = paid(xdr.PathPaymentStrictReceiveResultSuccess, claims, LONG, 9, CAROL)
    made = effects(tmp_path / "two", one(receive, content=success))
    assert made[1] == (ALICE, "account_debited", {"amount": "0.0000013", "asset_type": "native"})
    # Without a claim the payment used the asset itself.
    direct = PathPaymentStrictReceive(CAROL, LONG, "9", LONG, "0.0000009", [])
    success = paid(xdr.PathPaymentStrictReceiveResultSuccess, [], LONG, 9, CAROL)
    made = effects(tmp_path / "none", one(direct, content=success))
    assert [details["amount"] for _, _, details in made] == ["0.0000009", "0.0000009"]


def test_clawback_of_a_muxed_account_has_effects(tmp_path: Path) -> None:
    money = {"amount": "2.0000000", **USD_PARTS}
    assert effects(tmp_path, one(Clawback(USD, muxed(BOB, 3), "2"), source=ISSUER)) == [
        (ISSUER, "account_credited", money),
        (muxed(BOB, 3), "account_debited", money),
    ]


def test_every_type_of_the_family_was_seen(request: pytest.FixtureRequest) -> None:
    effects.assert_seen(FAMILY, request)
