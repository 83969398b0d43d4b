"""Rows of `history_operations`: one an operation, those of failed transactions too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from stellar_etl.ledgers.ledger import Ledger, Operation, base64
from stellar_etl.transforms import soroban
from stellar_etl.transforms.values import (
    account_details,
    account_id,
    amount,
    amount_text,
    asset_canonical,
    asset_details,
    balance_details,
    code_name,
    muxed,
    pool_details,
    price,
    price_r,
    signer_key,
    text,
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

ACCOUNT_FLAGS = {1: "auth_required", 2: "auth_revocable", 4: "auth_immutable", 8: "auth_clawback_enabled"}
TRUSTLINE_FLAGS = {1: "authorized", 2: "authorized_to_maintain_liabilities", 4: "clawback_enabled"}


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
    return _DETAILS[operation.type](operation, operation.body)


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


def _path(body: Any) -> list[Details]:
    return [asset_details(asset, with_id=False) for asset in body["path"]]


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
        made["source_amount"] = amount(_sent(operation.success(), body))
    return made


def _sent(success: Any, body: Any) -> int:
    """What a strict receive took from its source: the claims of the first hop, or the amount itself without one."""
    if not success["offers"]:
        return int(success["last"]["amount"])
    return sum(claim["amountBought"] for _, claim in success["offers"] if claim["assetBought"] == body["sendAsset"])


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
        return {**made, "asset_type": "liquidity_pool_shares", **pool_details(soroban.pool_id(line))}
    return {**made, **asset_details(body["line"]), "trustee": account_id(line["issuer"])}


def _allow_trust(operation: Operation, body: Any) -> Details:
    kind, code = body["asset"]
    issuer = (names.PUBLIC_KEY_TYPE_ED25519, _key(operation.source))
    made = {
        **asset_details((kind, {"assetCode": code, "issuer": issuer})),
        **account_details("trustee", operation.source),
        "trustor": account_id(body["trustor"]),
        "authorize": bool(body["authorize"] & 1),
    }
    if body["authorize"] & 2:
        made["authorize_to_maintain_liabilities"] = True
    return made


def _key(source: tuple[int, Any]) -> bytes:
    key: bytes = source[1] if source[0] == names.KEY_TYPE_ED25519 else source[1]["ed25519"]
    return key


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


def predicate(value: tuple[int, Any]) -> Details:
    """A claim predicate as the Go code's JSON has it."""
    kind, content = value
    if kind == names.CLAIM_PREDICATE_UNCONDITIONAL:
        return {"unconditional": True}
    if kind == names.CLAIM_PREDICATE_AND:
        return {"and": [predicate(part) for part in content]}
    if kind == names.CLAIM_PREDICATE_OR:
        return {"or": [predicate(part) for part in content]}
    if kind == names.CLAIM_PREDICATE_NOT:
        return {"not": predicate(content)} if content is not None else {}
    if kind == names.CLAIM_PREDICATE_BEFORE_RELATIVE_TIME:
        return {"rel_before": str(content)}
    return {"abs_before": _moment(content), "abs_before_epoch": str(content)}


def _moment(seconds: int) -> str:
    """RFC 3339; a year that the calendar lacks is written with a sign and all its digits."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        days, rest = divmod(seconds, 86400)
        cycles, days = divmod(days + 719468, 146097)  # 400 years; day 0 is 1 March of year 0
        year_of_era = (days - days // 1460 + days // 36524 - days // 146096) // 365
        day_of_year = days - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
        month = (5 * day_of_year + 2) // 153
        day = day_of_year - (153 * month + 2) // 5 + 1
        month = month + 3 if month < 10 else month - 9
        year = year_of_era + cycles * 400 + (month <= 2)
        clock = f"{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"
        sign = "-" if year < 0 else "+" if year > 9999 else ""
        return f"{sign}{abs(year):04}-{month:02}-{day:02}T{clock}Z"


def _claim_claimable_balance(operation: Operation, body: Any) -> Details:
    return {**balance_details(body["balanceID"]), **account_details("claimant", operation.source)}


def _begin_sponsoring(operation: Operation, body: Any) -> Details:
    return {"sponsored_id": account_id(body["sponsoredID"])}


def _end_sponsoring(operation: Operation, body: Any) -> Details:
    """The account that began: the last operation before this one that sponsors this one's source."""
    ours = _key(operation.source)
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
            return {**made, **pool_details(key["asset"][1])}
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


def _pool_change(operation: Operation, pool: bytes) -> tuple[Any, Any, int, int, int]:
    """A pool's two assets, and by how much the operation raised its reserves and its shares.

    Of a failed transaction nothing is known: lumens and zeros stand in.
    """
    assets, before, after = (_LUMENS, _LUMENS), (0, 0, 0), (0, 0, 0)
    if operation.transaction.successful:
        for kind, entry in operation.transaction.operation_changes(operation.index):
            if kind == names.LEDGER_ENTRY_REMOVED or entry["data"][0] != names.LIQUIDITY_POOL:
                continue
            held = entry["data"][1]
            if held["liquidityPoolID"] != pool:
                continue
            content = held["body"][1]
            assets = (content["params"]["assetA"], content["params"]["assetB"])
            state = (content["reserveA"], content["reserveB"], content["totalPoolShares"])
            if kind == names.LEDGER_ENTRY_STATE:
                before = state
            else:
                after = state
    return *assets, after[0] - before[0], after[1] - before[1], after[2] - before[2]


def _liquidity_pool_deposit(operation: Operation, body: Any) -> Details:
    asset_a, asset_b, deposited_a, deposited_b, shares = _pool_change(operation, body["liquidityPoolID"])
    return {
        **pool_details(body["liquidityPoolID"]),
        **asset_details(asset_a, "reserve_a"),
        "reserve_a_max_amount": amount(body["maxAmountA"]),
        "reserve_a_deposit_amount": amount(deposited_a),
        **asset_details(asset_b, "reserve_b"),
        "reserve_b_max_amount": amount(body["maxAmountB"]),
        "reserve_b_deposit_amount": amount(deposited_b),
        "min_price": price(body["minPrice"]),
        "min_price_r": price_r(body["minPrice"]),
        "max_price": price(body["maxPrice"]),
        "max_price_r": price_r(body["maxPrice"]),
        "shares_received": amount(shares),
    }


def _liquidity_pool_withdraw(operation: Operation, body: Any) -> Details:
    asset_a, asset_b, change_a, change_b, _ = _pool_change(operation, body["liquidityPoolID"])
    return {
        **pool_details(body["liquidityPoolID"]),
        **asset_details(asset_a, "reserve_a"),
        "reserve_a_min_amount": amount(body["minAmountA"]),
        "reserve_a_withdraw_amount": amount(-change_a),
        **asset_details(asset_b, "reserve_b"),
        "reserve_b_min_amount": amount(body["minAmountB"]),
        "reserve_b_withdraw_amount": amount(-change_b),
        "shares": amount(body["amount"]),
    }


def _invoke_host_function(operation: Operation, body: Any) -> Details:
    return soroban.host_function_details(operation.transaction, body["hostFunction"])


def _extend_footprint_ttl(operation: Operation, body: Any) -> Details:
    return {
        "type": "extend_footprint_ttl",
        "extend_to": body["extendTo"],
        **soroban.footprint_details(operation.transaction),
    }


def _restore_footprint(operation: Operation, body: Any) -> Details:
    return {"type": "restore_footprint", **soroban.footprint_details(operation.transaction)}


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
