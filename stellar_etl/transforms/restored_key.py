"""Rows of `restored_key`: the entries that were restored from the archive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stellar_etl.ledgers.changes import RESTORED, Change
from stellar_etl.ledgers.ledger import Ledger, base64
from stellar_etl.transforms.shared.values import code_name


def items(ledger: Ledger) -> Iterator[Change]:
    """The restored entries of all types, with their times to live."""
    for changes in ledger.changes.values():
        yield from (change for change in changes if change.kind == RESTORED)


def row(ledger: Ledger, change: Change) -> dict[str, Any]:
    """One entry's row; despite its name, `ledger_key_hash` is the key itself."""
    return {
        "ledger_key_hash": base64(change.key),
        "ledger_entry_type": code_name("LedgerEntryType", change.type),
        "last_modified_ledger": change.entry["lastModifiedLedgerSeq"],
        "closed_at": ledger.closed_at,
        "ledger_sequence": ledger.sequence,
    }
