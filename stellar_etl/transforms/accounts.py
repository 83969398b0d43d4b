"""Rows of `accounts`: one per account that a ledger changed."""

from __future__ import annotations

from typing import Any

from stellar_etl.ledgers.changes import Change
from stellar_etl.ledgers.ledger import Ledger
from stellar_etl.transforms.shared.entries import change_columns, liabilities, of_type, sponsor
from stellar_etl.transforms.shared.values import account_id, amount, text
from stellar_etl.xdr import names

ENTRY_TYPE = names.ACCOUNT

items = of_type(ENTRY_TYPE)


def extensions(account: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The second and the third extension of an `AccountEntry`: sponsorships, and when its sequence number changed."""
    first = account["ext"][1]
    second = first and first["ext"][1]
    return second, second and second["ext"][1]


def row(ledger: Ledger, change: Change) -> dict[str, Any]:
    """Return one account's row; fields that older accounts lack are 0."""
    account = change.content
    master, low, medium, high = account["thresholds"]
    sponsorships, sequence = extensions(account)
    return {
        "account_id": account_id(account["accountID"]),
        "balance": amount(account["balance"]),
        **liabilities(account),
        "sequence_number": account["seqNum"],
        "sequence_ledger": sequence["seqLedger"] if sequence else 0,
        "sequence_time": sequence["seqTime"] if sequence else 0,
        "num_subentries": account["numSubEntries"],
        "inflation_destination": account_id(account["inflationDest"]) if account["inflationDest"] else "",
        "flags": account["flags"],
        "home_domain": text(account["homeDomain"]),
        "master_weight": master,
        "threshold_low": low,
        "threshold_medium": medium,
        "threshold_high": high,
        "sponsor": sponsor(change.entry),
        "num_sponsored": sponsorships["numSponsored"] if sponsorships else 0,
        "num_sponsoring": sponsorships["numSponsoring"] if sponsorships else 0,
        **change_columns(ledger, change.kind, change.entry),
    }
