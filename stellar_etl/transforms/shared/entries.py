"""Code that the rows of ledger entries share: one row for each entry that a ledger changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from stellar_etl.ledgers.changes import REMOVED, Change, Entry
from stellar_etl.ledgers.ledger import Ledger, base64
from stellar_etl.transforms.shared.values import account_id, amount, asset_parts


def of_type(type_: int) -> Callable[[Ledger], Sequence[Change]]:
    """The changes of one `LedgerEntryType` in a ledger."""

    def items(ledger: Ledger) -> Sequence[Change]:
        return ledger.changes.get(type_, ())

    return items


def change_columns(ledger: Ledger, kind: int, entry: Entry) -> dict[str, Any]:
    """Return the columns of the time and kind of an entry's change.

    Args:
        ledger: the ledger.
        kind: the `LedgerEntryChangeType`.
        entry: the state in the row: for a removed entry the state before.
    """
    return {
        "last_modified_ledger": entry["lastModifiedLedgerSeq"],
        "ledger_entry_change": kind,
        "deleted": kind == REMOVED,
        "closed_at": ledger.closed_at,
        "ledger_sequence": ledger.sequence,
    }


def key_columns(change: Change) -> dict[str, str]:
    """Return an entry's ledger key, hashed and unchanged."""
    return {
        "ledger_key_hash": hashlib.sha256(change.key).hexdigest(),
        "ledger_key_hash_base_64": base64(change.key),
    }


def sponsor(entry: Entry) -> str | None:
    """Return the sponsor of an entry's reserve, None if it is the entry's owner."""
    ext = entry["ext"][1]
    sponsoring = ext and ext["sponsoringID"]
    return account_id(sponsoring) if sponsoring else None


def liabilities(content: dict[str, Any]) -> dict[str, int | float]:
    """Return the liabilities of an account or a trust line: the part of the balance that is reserved for offers."""
    ext = content["ext"][1]
    values = ext["liabilities"] if ext else {"buying": 0, "selling": 0}
    return {"buying_liabilities": amount(values["buying"]), "selling_liabilities": amount(values["selling"])}


def asset_columns(asset: tuple[int, Any], prefix: str) -> dict[str, Any]:
    """`{prefix}type`, `{prefix}code`, `{prefix}issuer` and `{prefix}id`; code and issuer of lumens are empty."""
    type_, code, issuer, id_ = asset_parts(asset)
    return {f"{prefix}type": type_, f"{prefix}code": code, f"{prefix}issuer": issuer, f"{prefix}id": id_}
