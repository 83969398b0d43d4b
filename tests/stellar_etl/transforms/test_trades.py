"""Trades with offers and pools, in all forms that the network has recorded."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import ceil, floor
from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import (
    CreatePassiveSellOffer,
    ManageBuyOffer,
    ManageSellOffer,
    Operation,
    PathPaymentStrictReceive,
    PathPaymentStrictSend,
    Price,
    StrKey,
    xdr,
)

from stellar_etl.errors import ExportError
from stellar_etl.ledgers.farmhash import signed_fingerprint64
from stellar_etl.transforms.trades import deposit_slippage, payout_slippage
from tests.stellar_etl.lakes import export
from tests.stellar_etl.made import (
    ALICE,
    BOB,
    CAROL,
    CLOSED_AT,
    ISSUER,
    LONG,
    NATIVE,
    PASSPHRASE,
    POOL_ID,
    SEQUENCE,
    USD,
    Tx,
    change,
    claim,
    claim_pool,
    claim_v0,
    ledger,
    muxed,
    offer,
    offer_content,
    offers_claimed,
    paid,
    pool,
    succeeded,
)
from tests.stellar_etl.program import Row

OPERATION_ID = SEQUENCE << 32 | 1 << 12 | 1
NATIVE_ID = -5706705804583548011
MAX_INT64 = 2**63 - 1
PRICE = Price(2, 1)
RECEIVE = PathPaymentStrictReceive(CAROL, NATIVE, "9", USD, "0.0000003", [])
SEND = PathPaymentStrictSend(CAROL, NATIVE, "0.0000006", USD, "0.0000001", [])
# Bob's offer of USD for lumens; the trade takes 3 USD for 6 lumens.
TAKEN = change(offer(BOB, 77, USD, NATIVE, 10, 13, 7), offer(BOB, 77, USD, NATIVE, 7, 13, 7))


def trades(folder: Path, tx: Tx, version: int = 1) -> list[Row]:
    return export(folder, [ledger(tx, version=version)], PASSPHRASE, "trades").rows["trades"]


def path_payment(operation: Operation, claims: list[xdr.ClaimAtom], changes: list[Any], **attributes: Any) -> Tx:
    kind = xdr.PathPaymentStrictReceiveResultSuccess
    if isinstance(operation, PathPaymentStrictSend):
        kind = xdr.PathPaymentStrictSendResultSuccess
    result = succeeded(operation.to_xdr_object(), paid(kind, claims, USD, 3, CAROL))
    return Tx([operation], results=[result], changes=[changes], **attributes)


def offering(operation: Operation, claims: list[xdr.ClaimAtom], left: Any = None, **attributes: Any) -> Tx:
    odd = attributes.pop("odd", None)
    result = succeeded(operation.to_xdr_object(), offers_claimed(claims, left), odd)
    return Tx([operation], results=[result], changes=[TAKEN], **attributes)


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize(("make", "meta"), [(claim_v0, 0), (claim_v0, 1), (claim_v0, 2), (claim, 3), (claim, 4)])
def test_a_trade_with_an_offer_has_a_row(tmp_path: Path, make: Any, meta: int, version: int) -> None:
    tx = offering(
        ManageSellOffer(NATIVE, USD, "1", PRICE), [make(BOB, 77, USD, 3, NATIVE, 6)], meta=meta, source=muxed(ALICE, 4)
    )
    (row,) = trades(tmp_path, tx, version)
    assert row == {
        "order": 0,
        "ledger_closed_at": CLOSED_AT,
        "selling_account_address": BOB,
        "selling_asset_code": "USD",
        "selling_asset_issuer": ISSUER,
        "selling_asset_type": "credit_alphanum4",
        "selling_asset_id": signed_fingerprint64(f"USD{ISSUER}credit_alphanum4".encode()),
        "selling_amount": 3e-07,
        "buying_account_address": ALICE,
        "buying_asset_code": "",
        "buying_asset_issuer": "",
        "buying_asset_type": "native",
        "buying_asset_id": NATIVE_ID,
        "buying_amount": 6e-07,
        # The offer's price, not that of the amounts.
        "price_n": 13,
        "price_d": 7,
        "selling_offer_id": 77,
        "buying_offer_id": 1 << 62 | OPERATION_ID,
        "selling_liquidity_pool_id": None,
        "selling_liquidity_pool_id_strkey": None,
        "liquidity_pool_fee": None,
        "rounding_slippage": None,
        "history_operation_id": OPERATION_ID,
        "trade_type": 1,
        "seller_is_exact": None,
    }


@pytest.mark.parametrize(
    ("operation", "odd"),
    [
        (ManageSellOffer(NATIVE, USD, "1", PRICE), None),
        (ManageBuyOffer(NATIVE, USD, "1", PRICE), None),
        (CreatePassiveSellOffer(NATIVE, USD, "1", PRICE), None),
        # An old form of stellar-core.
        (CreatePassiveSellOffer(NATIVE, USD, "1", PRICE), "MANAGE_SELL_OFFER"),
    ],
)
def test_a_remaining_offer_gives_its_id_to_the_buyers_side(
    tmp_path: Path, operation: Operation, odd: str | None
) -> None:
    left = offer_content(ALICE, 99, NATIVE, USD, 5, 2, 1)
    (row,) = trades(tmp_path, offering(operation, [claim(BOB, 77, USD, 3, NATIVE, 6)], left, odd=odd))
    assert (row["buying_offer_id"], row["selling_offer_id"], row["seller_is_exact"]) == (99, 77, None)


def test_claims_of_nothing_keep_their_place_in_the_order(tmp_path: Path) -> None:
    claims = [claim(BOB, 78, USD, 0, NATIVE, 0), claim(BOB, 77, USD, 3, NATIVE, 6), claim(BOB, 77, USD, 0, NATIVE, 1)]
    made = trades(tmp_path, offering(ManageSellOffer(NATIVE, USD, "1", PRICE), claims))
    assert [(row["order"], row["selling_amount"], row["buying_amount"]) for row in made] == [
        (1, 3e-07, 6e-07),
        (2, 0, 1e-07),
    ]


@pytest.mark.parametrize(("operation", "exact"), [(RECEIVE, True), (SEND, False)])
def test_path_payments_through_offers_have_rows(tmp_path: Path, operation: Operation, exact: bool) -> None:
    claims = [claim(BOB, 77, USD, 3, NATIVE, 6), claim(BOB, 80, LONG, 1, USD, 3)]
    second = change(offer(BOB, 80, LONG, USD, 1, 3, 1), None)
    made = trades(tmp_path, path_payment(operation, claims, [*TAKEN, *second]))
    assert [(row["order"], row["seller_is_exact"], row["price_n"], row["price_d"]) for row in made] == [
        (0, exact, 13, 7),
        (1, exact, 3, 1),
    ]


@pytest.mark.parametrize(
    ("operation", "claimed", "slippage"),
    [
        # 6 into a pool of 1000 to 1000, with a fee of 0.3 %: 5.9464 is rounded to 5, which is 15 % less.
        (SEND, claim_pool(USD, 5, NATIVE, 6), 15),
        (SEND, claim_pool(NATIVE, 5, USD, 6), 15),
        # 5 out of it: 5.0402 is rounded to 6, which is 19 % more; and 1.0040 to 2, which is 99 % more.
        (RECEIVE, claim_pool(USD, 5, NATIVE, 6), 19),
        (RECEIVE, claim_pool(USD, 1, NATIVE, 2), 99),
        # A trade that would empty the pool has no exact amount: the largest number marks it.
        (RECEIVE, claim_pool(USD, 1000, NATIVE, 2), MAX_INT64),
        # The smallest number marks a trade without an output.
        (SEND, claim_pool(USD, 1, NATIVE, 1), -MAX_INT64 - 1),
    ],
)
def test_path_payments_through_a_pool_have_rows(
    tmp_path: Path, operation: Operation, claimed: xdr.ClaimAtom, slippage: int
) -> None:
    through = change(pool(1000, 1000, 1000), pool(1006, 995, 1000))
    (row,) = trades(tmp_path, path_payment(operation, [claimed], through))
    content = claimed.liquidity_pool
    assert row["rounding_slippage"] == slippage
    # A pool has no price: the amounts give it.
    assert (row["price_n"], row["price_d"]) == (content.amount_bought.int64, content.amount_sold.int64)
    assert row["selling_liquidity_pool_id"] == POOL_ID.hex()
    assert row["selling_liquidity_pool_id_strkey"] == StrKey.encode_liquidity_pool(POOL_ID)
    assert (row["liquidity_pool_fee"], row["trade_type"]) == (30, 2)
    assert (row["selling_account_address"], row["selling_offer_id"]) == ("", None)
    assert row["buying_offer_id"] == 1 << 62 | OPERATION_ID
    assert row["seller_is_exact"] is isinstance(operation, PathPaymentStrictReceive)


def test_an_uneven_pool_is_read_in_the_right_direction(tmp_path: Path) -> None:
    # 100 lumens into 10000 lumens and 500 USD: 4.9358 USD is rounded to 4. In the other direction it would be 1662.49
    # rounded to 1662, which is 0 %.
    through = change(pool(10000, 500, 1000), pool(10100, 496, 1000))
    (row,) = trades(tmp_path, path_payment(SEND, [claim_pool(USD, 4, NATIVE, 100)], through))
    assert row["rounding_slippage"] == 18


def test_a_trade_without_a_recorded_previous_state_has_a_row(tmp_path: Path) -> None:
    (row,) = trades(tmp_path / "offer", path_payment(SEND, [claim(BOB, 77, USD, 3, NATIVE, 6)], []))
    assert (row["price_n"], row["price_d"], row["selling_offer_id"], row["selling_amount"]) == (None, None, 77, 3e-07)
    (row,) = trades(tmp_path / "pool", path_payment(SEND, [claim_pool(USD, 3, NATIVE, 6)], []))
    assert (row["liquidity_pool_fee"], row["rounding_slippage"]) == (None, None)
    assert (row["price_n"], row["price_d"], row["selling_liquidity_pool_id"]) == (6, 3, POOL_ID.hex())


def brute_force(deposited: int, disbursed: int, amount: int, fee: int, *, received: bool) -> int | None:
    """Return the slippage by exact fractions: the difference of the rounded amount from the exact one, in percent."""
    f = Fraction(10_000 - fee, 10_000)
    if received:
        if amount >= disbursed:
            return None
        exact = deposited * amount / ((disbursed - amount) * f)
        rounded = ceil(exact)
        if rounded > MAX_INT64 - deposited:
            return None
    else:
        exact = f * disbursed * amount / (deposited + f * amount)
        rounded = floor(exact)
        if amount > MAX_INT64 - deposited or rounded < 1:
            return None
    shown = floor(exact * 10_000)  # four decimal places
    return abs(shown - rounded * 10_000) * 10_000 // shown // 100 if exact.denominator > 1 and shown else 0


@pytest.mark.parametrize("fee", [0, 30, 9_999])
def test_slippage_equals_exact_fractions(fee: int) -> None:
    amounts = (1, 2, 3, 7, 100, 9_999, 10**9, MAX_INT64 - 1, MAX_INT64)
    for deposited, disbursed, amount in product(amounts, repeat=3):
        paid = payout_slippage(deposited, disbursed, amount, fee)
        assert paid == brute_force(deposited, disbursed, amount, fee, received=False)
        took = deposit_slippage(deposited, disbursed, amount, fee)
        assert took == brute_force(deposited, disbursed, amount, fee, received=True)


def test_failed_transactions_have_no_trades_and_fee_bumps_do(tmp_path: Path) -> None:
    sell, claims = ManageSellOffer(NATIVE, USD, "1", PRICE), [claim(BOB, 77, USD, 3, NATIVE, 6)]
    assert trades(tmp_path / "failed", offering(sell, claims, failed=True)) == []
    (row,) = trades(tmp_path / "bumped", offering(sell, claims, fee_source=CAROL))
    assert row["buying_account_address"] == ALICE


@pytest.mark.parametrize(
    ("tx", "problem"),
    [
        (path_payment(SEND, [claim(BOB, 77, USD, -3, NATIVE, 6)], TAKEN), "claim 0 has a negative amount"),
    ],
    ids=["negative"],
)
def test_an_undeterminable_trade_is_an_error_that_names_it(tmp_path: Path, tx: Tx, problem: str) -> None:
    with pytest.raises(ExportError, match=f"trades of ledger {SEQUENCE}, transaction .*, operation 1: .*{problem}"):
        trades(tmp_path, tx)
