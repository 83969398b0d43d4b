"""Rows of `history_trades`: one per claim atom, which is an offer or a pool that an operation traded with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stellar_etl.ledgers import strkey
from stellar_etl.ledgers.ledger import Ledger, Operation, Transaction
from stellar_etl.transforms.shared.values import amount, asset_parts, muxed
from stellar_etl.xdr import names

ORDER_BOOK, LIQUIDITY_POOL = 1, 2
"""The column `trade_type`."""

_SELLER_IS_EXACT = {names.PATH_PAYMENT_STRICT_RECEIVE: True, names.PATH_PAYMENT_STRICT_SEND: False}

_TRADING = {
    names.MANAGE_SELL_OFFER,
    names.MANAGE_BUY_OFFER,
    names.CREATE_PASSIVE_SELL_OFFER,
    *_SELLER_IS_EXACT,
}

_SYNTHETIC_OFFER = 1 << 62
"""Marks a buying offer's id as one of an operation: an offer that is filled at once never gets an id."""

_MAX_INT64 = (1 << 63) - 1
_MIN_INT64 = -1 << 63

_BIPS = 10_000

States = dict[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Trade:
    """One claim atom with data of its operation.

    Attributes:
        operation: the operation that claimed.
        order: its position among the operation's claims, from 0.
        claim: `ClaimAtom`, None if the operation's result is not a success, so that `row` can report it.
        offer_id: the operation's remaining offer, 0 if it has none: the network counts offers from 1.
        states: the states before of the offers and pools that the operation changed, by key.
    """

    operation: Operation
    order: int
    claim: tuple[int, dict[str, Any]] | None
    offer_id: int
    states: States

    @property
    def transaction(self) -> Transaction:
        """The operation's transaction."""
        return self.operation.transaction

    @property
    def index(self) -> int:
        """The operation's position in the transaction, from 0."""
        return self.operation.index


def items(ledger: Ledger) -> Iterator[Trade]:
    """The trades of the ledger's successful transactions."""
    for operation in ledger.operations:
        if operation.type not in _TRADING or not operation.transaction.successful:
            continue
        claims, offer_id = _claimed(operation)
        states = _states(operation) if claims else {}
        for order, claim in enumerate(claims):
            # The network also writes claims of 0 for 0; they count in the order.
            if claim is None or claim[1]["amountSold"] or claim[1]["amountBought"]:
                yield Trade(operation, order, claim, offer_id, states)


def _claimed(operation: Operation) -> tuple[list[Any], int]:
    """Return the operation's claims, and the id of its remaining offer."""
    code, result = operation.result or (None, None)
    success = result[1][1] if code == names.opINNER and result else None
    if not isinstance(success, dict):
        return [None], 0
    if operation.type in _SELLER_IS_EXACT:
        return success["offers"], 0
    offer = success["offer"][1]
    return success["offersClaimed"], offer["offerID"] if offer else 0


def _states(operation: Operation) -> States:
    """Return the states before of the offers and pools that the operation changed; the last state of each counts."""
    found: States = {}
    for kind, entry in operation.transaction.operation_changes(operation.index):
        if kind == names.LEDGER_ENTRY_STATE:
            type_, content = entry["data"]
            if type_ == names.OFFER:
                found[content["sellerID"][1], content["offerID"]] = content
            elif type_ == names.LIQUIDITY_POOL:
                found[(content["liquidityPoolID"],)] = content["body"][1]
    return found


def row(ledger: Ledger, trade: Trade) -> dict[str, Any]:
    """Return one trade's row; the price and the pool's columns are null if the state before the trade is not recorded.

    Raises:
        ValueError: the operation's result is not a success, or an amount is negative.
    """
    if trade.claim is None:
        raise ValueError("its transaction was successful, but its result is not")
    (kind, claim), operation = trade.claim, trade.operation
    if claim["amountSold"] < 0 or claim["amountBought"] < 0:
        raise ValueError(f"claim {trade.order} has a negative amount")
    selling_type, selling_code, selling_issuer, selling_id = asset_parts(claim["assetSold"])
    buying_type, buying_code, buying_issuer, buying_id = asset_parts(claim["assetBought"])
    return {
        "order": trade.order,
        "ledger_closed_at": ledger.closed_at,
        "selling_asset_code": selling_code,
        "selling_asset_issuer": selling_issuer,
        "selling_asset_type": selling_type,
        "selling_asset_id": selling_id,
        "selling_amount": amount(claim["amountSold"]),
        "buying_account_address": muxed(operation.source)[0],
        "buying_asset_code": buying_code,
        "buying_asset_issuer": buying_issuer,
        "buying_asset_type": buying_type,
        "buying_asset_id": buying_id,
        "buying_amount": amount(claim["amountBought"]),
        "buying_offer_id": trade.offer_id or _SYNTHETIC_OFFER | operation.id,
        "history_operation_id": operation.id,
        "seller_is_exact": _SELLER_IS_EXACT.get(operation.type),
        **(_pool(trade, claim) if kind == names.CLAIM_ATOM_TYPE_LIQUIDITY_POOL else _offer(trade, kind, claim)),
    }


def _offer(trade: Trade, kind: int, claim: dict[str, Any]) -> dict[str, Any]:
    seller = claim["sellerEd25519"] if kind == names.CLAIM_ATOM_TYPE_V0 else claim["sellerID"][1]
    price = (trade.states.get((seller, claim["offerID"])) or {}).get("price", {})
    return {
        "selling_account_address": strkey.account(seller),
        "price_n": price.get("n"),
        "price_d": price.get("d"),
        "selling_offer_id": claim["offerID"],
        "selling_liquidity_pool_id": None,
        "selling_liquidity_pool_id_strkey": None,
        "liquidity_pool_fee": None,
        "rounding_slippage": None,
        "trade_type": ORDER_BOOK,
    }


def _pool(trade: Trade, claim: dict[str, Any]) -> dict[str, Any]:
    pool = claim["liquidityPoolID"]
    state = trade.states.get((pool,))
    return {
        "selling_account_address": "",
        "price_n": claim["amountBought"],
        "price_d": claim["amountSold"],
        "selling_offer_id": None,
        "selling_liquidity_pool_id": pool.hex(),
        "selling_liquidity_pool_id_strkey": strkey.liquidity_pool(pool),
        "liquidity_pool_fee": state and state["params"]["fee"],
        "rounding_slippage": state and _rounding_slippage(trade.operation, claim, state),
        "trade_type": LIQUIDITY_POOL,
    }


def _rounding_slippage(operation: Operation, claim: dict[str, Any], state: dict[str, Any]) -> int | None:
    """Return the percentage by which rounding changed a pool's payout or deposit; None if it is not a path payment.

    Where the pool's formula overflows, the smallest number stands in for a strict send and the largest one for a strict
    receive. For a strict receive the reference exporter confuses the payout with the deposit
    (https://github.com/stellar/stellar-etl/issues/451); this is Horizon's formula, which the report names.
    """
    exact = _SELLER_IS_EXACT.get(operation.type)
    if exact is None:
        return None
    disbursed, deposited = state["reserveA"], state["reserveB"]
    if claim["assetSold"] != state["params"]["assetA"]:
        disbursed, deposited = deposited, disbursed
    fee = state["params"]["fee"]
    if exact:
        slippage = deposit_slippage(deposited, disbursed, claim["amountSold"], fee)
        return _MAX_INT64 if slippage is None else slippage
    slippage = payout_slippage(deposited, disbursed, claim["amountBought"], fee)
    return _MIN_INT64 if slippage is None else slippage


def payout_slippage(deposited: int, disbursed: int, paid: int, fee: int) -> int | None:
    """Return the percentage by which a pool's payout was rounded down (CAP-38); None if the pool can't pay.

    Args:
        deposited: the pool's reserve of the asset that is paid in.
        disbursed: its reserve of the asset that it pays out.
        paid: the amount that is paid in.
        fee: the pool's fee in ten thousandths.
    """
    rest = _BIPS - fee
    dividend, divisor = disbursed * paid * rest, deposited * _BIPS + paid * rest
    if not 0 <= fee < _BIPS or paid > _MAX_INT64 - deposited or divisor == 0:
        return None
    payout = dividend // divisor
    return _slippage(dividend, divisor, payout) if 0 < payout <= _MAX_INT64 else None


def deposit_slippage(deposited: int, disbursed: int, received: int, fee: int) -> int | None:
    """Return the percentage by which a pool's deposit for a payout was rounded up (CAP-38); None if it can't accept it.

    Args:
        deposited: the pool's reserve of the asset that is paid in.
        disbursed: its reserve of the asset that it pays out.
        received: the amount that it pays out.
        fee: the pool's fee in ten thousandths.
    """
    if not 0 <= fee < _BIPS or received >= disbursed:
        return None
    dividend, divisor = deposited * received * _BIPS, (disbursed - received) * (_BIPS - fee)
    deposit = -(-dividend // divisor)
    return _slippage(dividend, divisor, deposit) if deposit <= _MAX_INT64 - deposited else None


def _slippage(dividend: int, divisor: int, rounded: int) -> int:
    """Return the percentage by which a rounded quotient differs from the exact one."""
    unrounded = dividend * _BIPS // divisor
    if dividend % divisor == 0 or unrounded == 0:
        return 0
    return abs(unrounded - rounded * _BIPS) * _BIPS // unrounded // 100
