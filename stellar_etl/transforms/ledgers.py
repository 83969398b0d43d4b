"""Rows of `history_ledgers`: one per ledger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stellar_etl.ledgers import strkey
from stellar_etl.ledgers.ledger import Ledger, base64
from stellar_etl.transforms.shared.values import code_name
from stellar_etl.xdr import names


def items(ledger: Ledger) -> Iterator[Ledger]:
    """The ledger itself."""
    yield ledger


def row(ledger: Ledger, item: Ledger) -> dict[str, Any]:
    """The ledger's row.

    `transaction_count` and `operation_count` count successful ones; `tx_set_operation_count` counts all operations, as
    text.
    """
    header, meta = ledger.header, ledger.meta
    value = header["scpValue"]
    successful = [transaction for transaction in ledger.transactions if transaction.successful]
    kind, signed = value["ext"]
    signature = signed if kind == names.STELLAR_VALUE_SIGNED else None
    if kind == names.STELLAR_VALUE_EMPTY_TX_SET:
        signature = signed["lcValueSignature"]
    ext = meta["ext"] if ledger.version > 0 else (0, None)
    # The oldest form of a ledger's meta has no such field; the columns are null then.
    evicted = meta.get("evictedKeys")
    size = meta.get("totalByteSizeOfLiveSorobanState", 0)
    return {
        "sequence": ledger.sequence,
        "ledger_hash": ledger.hash.hex(),
        "previous_ledger_hash": header["previousLedgerHash"].hex(),
        "ledger_header": base64(header["raw"]),
        "transaction_count": len(successful),
        "operation_count": sum(transaction.operation_count for transaction in successful),
        "successful_transaction_count": len(successful),
        "failed_transaction_count": len(ledger.transactions) - len(successful),
        "tx_set_operation_count": str(sum(transaction.operation_count for transaction in ledger.transactions)),
        "closed_at": ledger.closed_at,
        "total_coins": header["totalCoins"],
        "fee_pool": header["feePool"],
        "base_fee": header["baseFee"],
        "base_reserve": header["baseReserve"],
        "max_tx_set_size": header["maxTxSetSize"],
        "protocol_version": header["ledgerVersion"],
        "id": ledger.sequence << 32,
        "soroban_fee_write_1kb": ext[1]["sorobanFeeWrite1KB"] if ext[1] else 0,
        "node_id": strkey.account(signature["nodeID"][1]) if signature else "",
        "signature": base64(signature["signature"]) if signature else "",
        "total_byte_size_of_bucket_list": size,
        "total_byte_size_of_live_soroban_state": size,
        "evicted_ledger_keys_type": None
        if evicted is None
        else [code_name("LedgerEntryType", key[0]) for key in evicted],
        "evicted_ledger_keys_hash": None if evicted is None else list(map(base64, meta["evictedKeys_raw"])),
    }
