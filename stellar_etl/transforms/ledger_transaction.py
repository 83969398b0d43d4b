"""Rows of `export_ledger_transaction`: one per transaction, as the XDR that the network recorded."""

from __future__ import annotations

from typing import Any

from stellar_etl.ledgers.ledger import Ledger, Transaction, base64
from stellar_etl.schema_files import Column, Columns

COLUMNS: Columns = {
    "ledger_sequence": Column("INTEGER"),
    "tx_envelope": Column("STRING"),
    "tx_result": Column("STRING"),
    "tx_meta": Column("STRING"),
    "tx_fee_meta": Column("STRING"),
    "tx_ledger_history": Column("STRING"),
    "closed_at": Column("TIMESTAMP"),
}
"""The columns: the rows are not loaded into a table, so no schema file has them."""


def items(ledger: Ledger) -> list[Transaction]:
    """The ledger's transactions, in the order they were applied."""
    return ledger.transactions


def row(ledger: Ledger, transaction: Transaction) -> dict[str, Any]:
    """One transaction's row."""
    return {
        "ledger_sequence": ledger.sequence,
        "tx_envelope": transaction.envelope_text,
        "tx_result": base64(transaction.outcome["result_raw"]),
        "tx_meta": transaction.meta_text,
        "tx_fee_meta": transaction.fee_meta_text,
        "tx_ledger_history": ledger.header_entry_text,
        "closed_at": ledger.closed_at,
    }
