"""Rows of `history_operations`: one per operation, including operations of failed transactions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from stellar_etl.ledgers.ledger import Ledger, Operation, base64
from stellar_etl.transforms.shared.asset_contracts import pool_id
from stellar_etl.transforms.shared.flags import ACCOUNT_FLAGS, TRUSTLINE_FLAGS
from stellar_etl.transforms.shared.host_functions import footprint_details, host_function_details
from stellar_etl.transforms.shared.operation_changes import entry_changes, pool_change
from stellar_etl.transforms.shared.path_payments import amount_sent
from stellar_etl.transforms.shared.predicates import predicate
from stellar_etl.transforms.shared.sponsors import new_sponsor
from stellar_etl.transforms.shared.values import (
    account_details,
    account_id,
    amount,
    amount_text,
    asset_canonical,
    asset_details,
    asset_parts,
    balance_details,
    code_name,
    muxed,
    pool_details,
    price,
    price_r,
    signer_key,
    text,
    unmuxed,
)
from stellar_etl.xdr import names

Details = dict[str, Any]

_RESULT_ENUMS = {
    names.CREATE_ACCOUNT: "CreateAccountResultCode",
    names.PAYMENT: "PaymentResultCode",
    names.PATH_PAYMENT_STRICT_RECEIVE: "PathPaymentStrictReceiveResultCode",
    names.MANAGE_SELL_OFFER: "ManageSellOfferResultCode",
    # The protocol has no codes of its own for this type.
    names.CREATE_PASSIVE_SELL_OFFER: "ManageSellOfferResultCode",
    names.SET_OPTIONS: "SetOptionsResultCode",
    names.CHANGE_TRUST: "ChangeTrustResultCode",
    names.ALLOW_TRUST: "AllowTrustResultCode",
    names.ACCOUNT_MERGE: "AccountMergeResultCode",
    names.INFLATION: "InflationResultCode",
    names.MANAGE_DATA: "ManageDataResultCode",
    names.BUMP_SEQUENCE: "BumpSequenceResultCode",
    names.MANAGE_BUY_OFFER: "ManageBuyOfferResultCode",
    names.PATH_PAYMENT_STRICT_SEND: "PathPaymentStrictSendResultCode",
    names.CREATE_CLAIMABLE_BALANCE: "CreateClaimableBalanceResultCode",
    names.CLAIM_CLAIMABLE_BALANCE: "ClaimClaimableBalanceResultCode",
    names.BEGIN_SPONSORING_FUTURE_RESERVES: "BeginSponsoringFutureReservesResultCode",
    names.END_SPONSORING_FUTURE_RESERVES: "EndSponsoringFutureReservesResultCode",
    names.REVOKE_SPONSORSHIP: "RevokeSponsorshipResultCode",
    names.CLAWBACK: "ClawbackResultCode",
    names.CLAWBACK_CLAIMABLE_BALANCE: "ClawbackClaimableBalanceResultCode",
    names.SET_TRUST_LINE_FLAGS: "SetTrustLineFlagsResultCode",
    names.LIQUIDITY_POOL_DEPOSIT: "LiquidityPoolDepositResultCode",
    names.LIQUIDITY_POOL_WITHDRAW: "LiquidityPoolWithdrawResultCode",
    names.INVOKE_HOST_FUNCTION: "InvokeHostFunctionResultCode",
    names.EXTEND_FOOTPRINT_TTL: "ExtendFootprintTTLResultCode",
    names.RESTORE_FOOTPRINT: "RestoreFootprintResultCode",
}


def items(ledger: Ledger) -> list[Operation]:
    """The ledger's operations, in the order they were applied."""
    return ledger.operations


def row(ledger: Ledger, operation: Operation) -> dict[str, Any]:
    """One operation's row."""
    source, source_muxed, _ = muxed(operation.source)
    operation_details = details(operation)
    made = {
        "source_account": source,
        "type": operation.type,
        "type_string": names.OperationType[operation.type].lower(),
        "details": operation_details,
        "transaction_id": operation.transaction.id,
        "id": operation.id,
        "closed_at": ledger.closed_at,
        "operation_result_code": "",
        "operation_trace_code": "",
        "ledger_sequence": ledger.sequence,
        "details_json": operation_details,
    }
    if source_muxed:
        made["source_account_muxed"] = source_muxed
    if operation.result is not None:
        code, result = operation.result
        made["operation_result_code"] = code_name("OperationResultCode", code)
        if code == names.opINNER:
            kind, (inner, *_) = result
            made["operation_trace_code"] = code_name(_RESULT_ENUMS[kind], inner)
    return made


def details(operation: Operation) -> Details:
    """The columns that only some types have."""
    made = _DETAILS[operation.type](operation, operation.body)
    sponsor = new_sponsor(operation)
    return made if sponsor is None else {**made, "sponsor": account_id(sponsor)}


def _create_account(operation: Operation, body: Any) -> Details:
    return {
        **account_details("funder", operation.source),
        "account": account_id(body["destination"]),
        "starting_balance": amount(body["startingBalance"]),
    }


def _payment(operation: Operation, body: Any) -> Details:
    return {
        **account_details("from", operation.source),
        **account_details("to", body["destination"]),
        "amount": amount(body["amount"]),
        **asset_details(body["asset"]),
    }


def _path(body: Any) -> list[Details] | None:
    """The intermediate assets of a path payment; code and issuer of lumens are empty. None for a direct payment."""
    return [
        {"asset_type": type_, "asset_code": code, "asset_issuer": issuer}
        for type_, code, issuer, _ in map(asset_parts, body["path"])
    ] or None


def _path_payment_strict_receive(operation: Operation, body: Any) -> Details:
    made = {
        **account_details("from", operation.source),
        **account_details("to", body["destination"]),
        "amount": amount(body["destAmount"]),
        "source_amount": amount_text(0),
        "source_max": amount(body["sendMax"]),
        **asset_details(body["destAsset"]),
        **asset_details(body["sendAsset"], "source"),
        "path": _path(body),
    }
    if operation.transaction.successful:
        made["source_amount"] = amount(amount_sent(operation.success()))
    return made


def _path_payment_strict_send(operation: Operation, body: Any) -> Details:
    made = {
        **account_details("from", operation.source),
        **account_details("to", body["destination"]),
        "amount": amount_text(0),
        "source_amount": amount(body["sendAmount"]),
        "destination_min": amount_text(body["destMin"]),
        **asset_details(body["destAsset"]),
        **asset_details(body["sendAsset"], "source"),
        "path": _path(body),
    }
    if operation.transaction.successful:
        made["amount"] = amount(operation.success()["last"]["amount"])
    return made


def _offer(amount_field: str, *, with_id: bool) -> Callable[[Operation, Any], Details]:
    def make(operation: Operation, body: Any) -> Details:
        made = {
            "amount": amount(body[amount_field]),
            "price": price(body["price"]),
            "price_r": price_r(body["price"]),
            **asset_details(body["buying"], "buying"),
            **asset_details(body["selling"], "selling"),
        }
        if with_id:
            made["offer_id"] = body["offerID"]
        return made

    return make


def _flags(prefix: str, value: int | None, known: dict[int, str]) -> Details:
    if not value:
        return {}
    found = [flag for flag in known if value & flag]
    return {f"{prefix}_flags": found, f"{prefix}_flags_s": [known[flag] for flag in found]}


def _set_options(operation: Operation, body: Any) -> Details:
    made: Details = {
        **_flags("set", body["setFlags"], ACCOUNT_FLAGS),
        **_flags("clear", body["clearFlags"], ACCOUNT_FLAGS),
    }
    if body["inflationDest"] is not None:
        made["inflation_dest"] = account_id(body["inflationDest"])
    for field, column in (
        ("masterWeight", "master_key_weight"),
        ("lowThreshold", "low_threshold"),
        ("medThreshold", "med_threshold"),
        ("highThreshold", "high_threshold"),
    ):
        if body[field] is not None:
            made[column] = body[field]
    if body["homeDomain"] is not None:
        made["home_domain"] = text(body["homeDomain"])
    if body["signer"] is not None:
        made["signer_key"] = signer_key(body["signer"]["key"])
        made["signer_weight"] = body["signer"]["weight"]
    return made


def _change_trust(operation: Operation, body: Any) -> Details:
    kind, line = body["line"]
    made = {**account_details("trustor", operation.source), "limit": amount(body["limit"])}
    if kind == names.ASSET_TYPE_POOL_SHARE:
        return {**made, "asset_type": "liquidity_pool_shares", **pool_details(pool_id(line))}
    # Lumens have no issuer: before protocol 10 the operation failed only when it was applied.
    trustee = None if kind == names.ASSET_TYPE_NATIVE else account_id(line["issuer"])
    return {**made, **asset_details(body["line"]), "trustee": trustee}


def _allow_trust(operation: Operation, body: Any) -> Details:
    kind, code = body["asset"]
    issuer = unmuxed(operation.source)
    made = {
        **asset_details((kind, {"assetCode": code, "issuer": issuer})),
        **account_details("trustee", operation.source),
        "trustor": account_id(body["trustor"]),
        "authorize": bool(body["authorize"] & 1),
    }
    if body["authorize"] & names.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG:
        made["authorize_to_maintain_liabilities"] = True
    if body["authorize"] & names.TRUSTLINE_CLAWBACK_ENABLED_FLAG:
        made["clawback_enabled"] = True
    return made


def _account_merge(operation: Operation, body: Any) -> Details:
    return {**account_details("account", operation.source), **account_details("into", body)}


def _inflation(operation: Operation, body: Any) -> Details:
    return {}


def _manage_data(operation: Operation, body: Any) -> Details:
    value = body["dataValue"]
    return {"name": text(body["dataName"]), "value": None if value is None else base64(value)}


def _bump_sequence(operation: Operation, body: Any) -> Details:
    return {"bump_to": str(body["bumpTo"])}


def _create_claimable_balance(operation: Operation, body: Any) -> Details:
    return {
        "asset": asset_canonical(body["asset"]),
        "amount": amount(body["amount"]),
        "claimants": [
            {"destination": account_id(claimant["destination"]), "predicate": predicate(claimant["predicate"])}
            for _, claimant in body["claimants"]
        ],
    }


def _claim_claimable_balance(operation: Operation, body: Any) -> Details:
    return {**balance_details(body["balanceID"]), **account_details("claimant", operation.source)}


def _begin_sponsoring(operation: Operation, body: Any) -> Details:
    return {"sponsored_id": account_id(body["sponsoredID"])}


def _end_sponsoring(operation: Operation, body: Any) -> Details:
    """Return the account that began the sponsorship: the last operation before this one that sponsors its source.

    For a failed transaction it is unknown: it can end a sponsorship that it did not begin.
    """
    if not operation.transaction.successful:
        return {}
    _, ours = unmuxed(operation.source)
    before = operation.transaction.operations()[: operation.index]
    for earlier in reversed(before):
        if earlier.type == names.BEGIN_SPONSORING_FUTURE_RESERVES and earlier.body["sponsoredID"][1] == ours:
            return account_details("begin_sponsor", earlier.source)
    return {}


def _revoke_sponsorship(operation: Operation, body: Any) -> Details:
    kind, value = body
    if kind == names.REVOKE_SPONSORSHIP_SIGNER:
        return {"signer_account_id": account_id(value["accountID"]), "signer_key": signer_key(value["signerKey"])}
    entry, key = value
    if entry == names.ACCOUNT:
        return {"account_id": account_id(key["accountID"])}
    if entry == names.CLAIMABLE_BALANCE:
        return balance_details(key["balanceID"], "claimable_")
    if entry == names.DATA:
        return {"data_account_id": account_id(key["accountID"]), "data_name": text(key["dataName"])}
    if entry == names.OFFER:
        return {"offer_id": key["offerID"]}
    if entry == names.LIQUIDITY_POOL:
        return pool_details(key["liquidityPoolID"])
    if entry == names.TRUSTLINE:
        made = {"trustline_account_id": account_id(key["accountID"])}
        if key["asset"][0] == names.ASSET_TYPE_POOL_SHARE:
            return {**made, **pool_details(key["asset"][1], "trustline_")}
        return {**made, "trustline_asset": asset_canonical(key["asset"])}
    return {}


def _clawback(operation: Operation, body: Any) -> Details:
    return {
        **asset_details(body["asset"]),
        **account_details("from", body["from_"]),  # as the SDK's definition spells it
        "amount": amount(body["amount"]),
    }


def _clawback_claimable_balance(operation: Operation, body: Any) -> Details:
    return balance_details(body["balanceID"])


def _set_trust_line_flags(operation: Operation, body: Any) -> Details:
    return {
        **asset_details(body["asset"]),
        "trustor": account_id(body["trustor"]),
        **_flags("set", body["setFlags"], TRUSTLINE_FLAGS),
        **_flags("clear", body["clearFlags"], TRUSTLINE_FLAGS),
    }


_LUMENS = (names.ASSET_TYPE_NATIVE, None)


class _PoolAmounts(NamedTuple):
    """Return the columns of a pool's gains; in rows of failed transactions they are lumens and zeros."""

    asset_a: tuple[int, Any] = _LUMENS
    asset_b: tuple[int, Any] = _LUMENS
    reserve_a: int = 0
    reserve_b: int = 0
    shares: int = 0


def _pool_amounts(operation: Operation, pool: bytes) -> _PoolAmounts:
    change = pool_change(entry_changes(operation), pool) if operation.transaction.successful else None
    if change is None:
        return _PoolAmounts()
    parameters = change.pool["body"][1]["params"]
    return _PoolAmounts(parameters["assetA"], parameters["assetB"], change.reserve_a, change.reserve_b, change.shares)


def _liquidity_pool_deposit(operation: Operation, body: Any) -> Details:
    gained = _pool_amounts(operation, body["liquidityPoolID"])
    return {
        **pool_details(body["liquidityPoolID"]),
        **asset_details(gained.asset_a, "reserve_a"),
        "reserve_a_max_amount": amount(body["maxAmountA"]),
        "reserve_a_deposit_amount": amount(gained.reserve_a),
        **asset_details(gained.asset_b, "reserve_b"),
        "reserve_b_max_amount": amount(body["maxAmountB"]),
        "reserve_b_deposit_amount": amount(gained.reserve_b),
        "min_price": price(body["minPrice"]),
        "min_price_r": price_r(body["minPrice"]),
        "max_price": price(body["maxPrice"]),
        "max_price_r": price_r(body["maxPrice"]),
        "shares_received": amount(gained.shares),
    }


def _liquidity_pool_withdraw(operation: Operation, body: Any) -> Details:
    gained = _pool_amounts(operation, body["liquidityPoolID"])
    return {
        **pool_details(body["liquidityPoolID"]),
        **asset_details(gained.asset_a, "reserve_a"),
        "reserve_a_min_amount": amount(body["minAmountA"]),
        "reserve_a_withdraw_amount": amount(-gained.reserve_a),
        **asset_details(gained.asset_b, "reserve_b"),
        "reserve_b_min_amount": amount(body["minAmountB"]),
        "reserve_b_withdraw_amount": amount(-gained.reserve_b),
        "shares": amount(body["amount"]),
    }


def _invoke_host_function(operation: Operation, body: Any) -> Details:
    return host_function_details(operation.transaction, body["hostFunction"])


def _extend_footprint_ttl(operation: Operation, body: Any) -> Details:
    return {
        "type": "extend_footprint_ttl",
        "extend_to": body["extendTo"],
        **footprint_details(operation.transaction),
    }


def _restore_footprint(operation: Operation, body: Any) -> Details:
    return {"type": "restore_footprint", **footprint_details(operation.transaction)}


_DETAILS: dict[int, Callable[[Operation, Any], Details]] = {
    names.CREATE_ACCOUNT: _create_account,
    names.PAYMENT: _payment,
    names.PATH_PAYMENT_STRICT_RECEIVE: _path_payment_strict_receive,
    names.MANAGE_SELL_OFFER: _offer("amount", with_id=True),
    names.CREATE_PASSIVE_SELL_OFFER: _offer("amount", with_id=False),
    names.SET_OPTIONS: _set_options,
    names.CHANGE_TRUST: _change_trust,
    names.ALLOW_TRUST: _allow_trust,
    names.ACCOUNT_MERGE: _account_merge,
    names.INFLATION: _inflation,
    names.MANAGE_DATA: _manage_data,
    names.BUMP_SEQUENCE: _bump_sequence,
    names.MANAGE_BUY_OFFER: _offer("buyAmount", with_id=True),
    names.PATH_PAYMENT_STRICT_SEND: _path_payment_strict_send,
    names.CREATE_CLAIMABLE_BALANCE: _create_claimable_balance,
    names.CLAIM_CLAIMABLE_BALANCE: _claim_claimable_balance,
    names.BEGIN_SPONSORING_FUTURE_RESERVES: _begin_sponsoring,
    names.END_SPONSORING_FUTURE_RESERVES: _end_sponsoring,
    names.REVOKE_SPONSORSHIP: _revoke_sponsorship,
    names.CLAWBACK: _clawback,
    names.CLAWBACK_CLAIMABLE_BALANCE: _clawback_claimable_balance,
    names.SET_TRUST_LINE_FLAGS: _set_trust_line_flags,
    names.LIQUIDITY_POOL_DEPOSIT: _liquidity_pool_deposit,
    names.LIQUIDITY_POOL_WITHDRAW: _liquidity_pool_withdraw,
    names.INVOKE_HOST_FUNCTION: _invoke_host_function,
    names.EXTEND_FOOTPRINT_TTL: _extend_footprint_ttl,
    names.RESTORE_FOOTPRINT: _restore_footprint,
}
