"""Rows of `export_ledger_transaction`: one a transaction, as the XDR that the network recorded."""

from __future__ import annotations

from typing import Any

from stellar_etl.ledger import Ledger, Transaction
from stellar_etl.transforms import transactions
from stellar_etl.transforms.values import base64

items = transactions.items


def row(ledger: Ledger, transaction: Transaction) -> dict[str, Any]:
    """One transaction's row."""
    outcome, history = transaction.outcome, ledger.meta["ledgerHeader"]
    return {
        "ledger_sequence": ledger.sequence,
        "tx_envelope": base64(transaction.envelope[2]),
        "tx_result": base64(outcome["result_raw"]),
        "tx_meta": base64(transaction.meta[2]),
        "tx_fee_meta": base64(outcome["feeProcessing_raw"]),
        # A `LedgerHeaderHistoryEntry`, whose extension has one form only, an empty one.
        "tx_ledger_history": base64(ledger.hash + history["header"]["raw"] + history["ext"][0].to_bytes(4, "big")),
        "closed_at": ledger.closed_at,
    }
