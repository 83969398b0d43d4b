"""Rows of `account_signers`: all signers of an account, including its master key, when one of them changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stellar_etl.ledgers.changes import REMOVED, Entry
from stellar_etl.ledgers.ledger import Ledger
from stellar_etl.transforms.accounts import extensions
from stellar_etl.transforms.shared.entries import change_columns
from stellar_etl.transforms.shared.values import account_id, signer_key
from stellar_etl.xdr import names

ENTRY_TYPE = names.ACCOUNT


@dataclass(frozen=True)
class Signer:
    """A current or former signer.

    Attributes:
        entry: the account's entry that the row shows.
        kind: the signer's change, a `LedgerEntryChangeType`.
        key: the signer's key as text.
        weight: the weight of the signature, 0 for a signer that was removed from an existing account.
        sponsor: the sponsor of the signer's reserve, None if it is the account.
    """

    entry: Entry
    kind: int
    key: str
    weight: int
    sponsor: str | None

    @property
    def account(self) -> str:
        """The account of the signer."""
        return account_id(self.entry["data"][1]["accountID"])

    @property
    def place(self) -> str:
        """The signer's name in messages."""
        return f"account {self.account}, signer {self.key}"


def items(ledger: Ledger) -> Iterator[Signer]:
    """Yield the signers of each account with changed signers: current signers, then former ones."""
    for change in ledger.changes.get(ENTRY_TYPE, ()):
        before, after = _signers(change.before), _signers(change.after)
        if before == after:
            continue
        if change.after is not None:
            for key, (weight, sponsor) in after.items():
                yield Signer(change.after, change.kind, key, weight, sponsor)
        if change.before is not None:
            for key, (weight, sponsor) in before.items():
                if key not in after:
                    left = weight if change.after is None else 0
                    yield Signer(change.before, REMOVED, key, left, sponsor)


def row(ledger: Ledger, signer: Signer) -> dict[str, Any]:
    """One signer's row."""
    return {
        "account_id": signer.account,
        "signer": signer.key,
        "weight": signer.weight,
        "sponsor": signer.sponsor,
        **change_columns(ledger, signer.kind, signer.entry),
    }


def _signers(entry: Entry | None) -> dict[str, tuple[int, str | None]]:
    """The weight and the sponsor of each signer of an account; a master key without weight is not a signer."""
    if entry is None:
        return {}
    account = entry["data"][1]
    sponsorships, _ = extensions(account)
    sponsors = sponsorships["signerSponsoringIDs"] if sponsorships else [None] * len(account["signers"])
    master = account["thresholds"][0]
    found: dict[str, tuple[int, str | None]] = {account_id(account["accountID"]): (master, None)} if master else {}
    for signer, sponsor in zip(account["signers"], sponsors, strict=True):
        found[signer_key(signer["key"])] = signer["weight"], account_id(sponsor) if sponsor else None
    return found
