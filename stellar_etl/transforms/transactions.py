"""Rows of `history_transactions`: one per transaction, including failed ones."""

from __future__ import annotations

from typing import Any

from stellar_etl.ledgers import strkey
from stellar_etl.ledgers.ledger import Ledger, Transaction, base64
from stellar_etl.transforms.shared.values import account_id, code_name, muxed, signer_key, text
from stellar_etl.xdr import names


def items(ledger: Ledger) -> list[Transaction]:
    """The ledger's transactions, in the order they were applied."""
    return ledger.transactions


def row(ledger: Ledger, transaction: Transaction) -> dict[str, Any]:
    """One transaction's row."""
    tx, result = transaction.tx, transaction.result
    account, account_muxed, _ = muxed(transaction.source)
    memo_type, memo = _memo(tx["memo"])
    fees = _soroban_fees(ledger, transaction)
    made = {
        "transaction_hash": transaction.hash_text,
        "ledger_sequence": ledger.sequence,
        "account": account,
        "account_sequence": tx["seqNum"],
        "max_fee": tx["fee"],
        "fee_charged": result["feeCharged"],
        "operation_count": transaction.operation_count,
        "tx_envelope": transaction.envelope_text,
        "tx_result": base64(result["raw"]),
        "tx_meta": transaction.meta_text,
        "tx_fee_meta": transaction.fee_meta_text,
        "created_at": ledger.closed_at,
        "memo_type": memo_type,
        "memo": memo,
        **_conditions(tx),
        "successful": transaction.successful,
        "id": transaction.id,
        "closed_at": ledger.closed_at,
        "transaction_result_code": code_name("TransactionResultCode", result["result"][0]),
        "tx_signers": _signers(transaction.envelope[1]["signatures"]),
        **fees,
    }
    if account_muxed:
        made["account_muxed"] = account_muxed
    if transaction.is_fee_bump:
        bump = transaction.envelope[1]["tx"]
        fee_account, fee_account_muxed, _ = muxed(bump["feeSource"])
        made["fee_account"] = fee_account
        if fee_account_muxed:
            made["fee_account_muxed"] = fee_account_muxed
        made["inner_transaction_hash"] = result["result"][1]["transactionHash"].hex() if result["result"][1] else ""
        made["new_max_fee"] = bump["fee"]
    return made


def _signers(signatures: list[dict[str, Any]]) -> list[str]:
    # The reference exporter spells signatures as if they were public keys; the column keeps that form.
    return [strkey.encode(strkey.ACCOUNT, signature["signature"]) for signature in signatures]


def _memo(memo: tuple[int, Any]) -> tuple[str, str]:
    kind, value = memo
    name = code_name("MemoType", kind)
    if kind == names.MEMO_TEXT:
        return name, text(value)
    if kind == names.MEMO_ID:
        return name, str(value)
    return name, base64(value) if value is not None else ""


def _conditions(tx: dict[str, Any]) -> dict[str, Any]:
    """Time bounds, ledger bounds and the other preconditions."""
    kind, value = tx["cond"] if "cond" in tx else (names.PRECOND_TIME, tx["timeBounds"])
    v2 = value if kind == names.PRECOND_V2 else {}
    times = v2.get("timeBounds") if kind == names.PRECOND_V2 else value
    ledgers = v2.get("ledgerBounds")
    signers = v2.get("extraSigners")
    return {
        "time_bounds": "" if times is None else f"[{times['minTime']},{times['maxTime'] or ''})",
        "ledger_bounds": "" if ledgers is None else f"[{ledgers['minLedger']},{ledgers['maxLedger']})",
        "min_account_sequence": v2.get("minSeqNum"),
        "min_account_sequence_age": v2.get("minSeqAge"),
        "min_account_sequence_ledger_gap": v2.get("minSeqLedgerGap"),
        "extra_signers": [signer_key(key) for key in signers] if signers else None,
    }


def _balance_change(changes: list[tuple[int, Any]], account: str) -> int:
    """Return the stroops by which the changes raise an account's balance: its last state minus its first."""
    balances = [
        entry["data"][1]["balance"]
        for kind, entry in changes
        if kind in (names.LEDGER_ENTRY_STATE, names.LEDGER_ENTRY_UPDATED)
        and entry["data"][0] == names.ACCOUNT
        and account_id(entry["data"][1]["accountID"]) == account
    ]
    return balances[-1] - balances[0] if balances else 0


_CLASSIC_FEES: dict[str, Any] = {
    "resource_fee": 0,
    "soroban_resources_instructions": 0,
    "soroban_resources_read_bytes": 0,
    "soroban_resources_disk_read_bytes": 0,
    "soroban_resources_write_bytes": 0,
    "soroban_resources_archived_entries": None,
    "inclusion_fee_bid": 0,
    "inclusion_fee_charged": 0,
    "resource_fee_refund": 0,
    "non_refundable_resource_fee_charged": 0,
    "refundable_resource_fee_charged": 0,
    "rent_fee_charged": 0,
}


def _soroban_fees(ledger: Ledger, transaction: Transaction) -> dict[str, Any]:
    """Return the parts of a smart contract transaction's fee, zero for a classic one.

    The fee that is charged first is the inclusion fee and the whole resource fee; the unused part is refunded after
    the transaction, from protocol 23 on after all transactions.
    """
    data = transaction.soroban_data
    if data is None:
        return _CLASSIC_FEES
    fees = _CLASSIC_FEES.copy()
    resources, resource_fee = data["resources"], data["resourceFee"]
    # A fee bump's outer fee is the bid, and its payer need not be the source. A muxed account's balance is that of the
    # account itself, which the reference exporter does not find (https://github.com/stellar/stellar-etl/issues/453).
    bump = transaction.envelope[1]["tx"] if transaction.is_fee_bump else None
    payer, _, _ = muxed(bump["feeSource"] if bump else transaction.source)
    bid = bump["fee"] if bump else transaction.tx["fee"]
    inclusion = -_balance_change(transaction.outcome["feeProcessing"], payer) - resource_fee
    fees.update(
        resource_fee=resource_fee,
        soroban_resources_instructions=resources["instructions"],
        soroban_resources_read_bytes=resources["diskReadBytes"],
        soroban_resources_disk_read_bytes=resources["diskReadBytes"],
        soroban_resources_write_bytes=resources["writeBytes"],
        inclusion_fee_bid=bid - resource_fee,
        inclusion_fee_charged=inclusion,
    )
    if data["ext"][0] == 1:
        fees["soroban_resources_archived_entries"] = data["ext"][1]["archivedSorobanEntries"] or None
    version, meta = transaction.meta[0], transaction.meta[1]
    if version >= 3:
        after = meta["txChangesAfter"]
        refund = _balance_change(after, payer)
        if ledger.header["ledgerVersion"] >= 23:
            refund = _balance_change(transaction.outcome.get("postTxApplyFeeProcessing", []), payer)
        fees["resource_fee_refund"] = refund
        soroban = meta["sorobanMeta"]
        if soroban is not None and soroban["ext"][0] == 1:
            charged = soroban["ext"][1]
            fees["non_refundable_resource_fee_charged"] = charged["totalNonRefundableResourceFeeCharged"]
            fees["refundable_resource_fee_charged"] = charged["totalRefundableResourceFeeCharged"]
            fees["rent_fee_charged"] = charged["rentFeeCharged"]
        if ledger.header["ledgerVersion"] < 21 and transaction.is_fee_bump:
            # Protocol 20 reported a wrong fee here (https://github.com/stellar/stellar-core/issues/4188). The reference
            # exporter leaves the inclusion fee out (https://github.com/stellar/stellar-etl/issues/453).
            fees["fee_charged"] = resource_fee - refund + inclusion
    return fees
