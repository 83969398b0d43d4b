"""Sponsors of the reserves of ledger entries and of signers."""

from __future__ import annotations

from typing import Any

from stellar_etl.ledgers.changes import ledger_key
from stellar_etl.ledgers.ledger import Operation
from stellar_etl.transforms.shared.operation_changes import entry_changes
from stellar_etl.transforms.shared.values import signer_key
from stellar_etl.xdr import names

Account = tuple[int, Any]
"""A decoded `AccountID`."""

_NEW = (names.LEDGER_ENTRY_CREATED, names.LEDGER_ENTRY_RESTORED)


def entry_sponsor(entry: dict[str, Any] | None) -> Account | None:
    """Return the sponsor of an entry's reserve, None without an entry, or if its owner pays."""
    if entry is None or entry["ext"][0] == 0:
        return None
    sponsor: Account | None = entry["ext"][1]["sponsoringID"]
    return sponsor


def signer_sponsors(account: Any) -> dict[str, Account]:
    """Return the sponsors of an account's sponsored signers."""
    if account is None or not account["signers"] or account["ext"][0] == 0 or account["ext"][1]["ext"][0] == 0:
        return {}
    sponsors = account["ext"][1]["ext"][1]["signerSponsoringIDs"]
    return {
        signer_key(signer["key"]): sponsor
        for signer, sponsor in zip(account["signers"], sponsors, strict=True)
        if sponsor is not None
    }


def new_sponsor(operation: Operation) -> Account | None:
    """Return the sponsor of the entry that an operation created, None without a sponsor.

    For `set_options` it is the new sponsor of the signer that it sets. For other operations, and without such a signer,
    it is the sponsor of the first sponsored entry among the created ones, in the order of ledger keys.
    """
    if operation.type == names.SET_OPTIONS and operation.body["signer"] is not None:
        signer = signer_key(operation.body["signer"]["key"])
        for change in entry_changes(operation):
            if change.type == names.ACCOUNT and change.after is not None:
                before, after = (signer_sponsors(state) for state in change.states)
                if after.get(signer) != before.get(signer) and signer in after:
                    return after[signer]
    created = [
        entry
        for kind, entry in operation.transaction.operation_changes(operation.index)
        if kind in _NEW and entry_sponsor(entry) is not None
    ]
    return entry_sponsor(min(created, key=_key)) if created else None


def _key(entry: dict[str, Any]) -> bytes:
    type_, content = entry["data"]
    if type_ != names.DATA:
        return ledger_key(type_, content)
    owner, name = bytes(content["accountID"][1]), bytes(content["dataName"])
    return names.DATA.to_bytes(4, "big") + bytes(4) + owner + len(name).to_bytes(4, "big") + name
