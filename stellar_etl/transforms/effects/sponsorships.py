"""Effects of sponsorships, which only the changes of ledger entries show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stellar_etl.transforms.effects.applied import AppliedOperation
from stellar_etl.transforms.effects.effect import Account, Details, Made
from stellar_etl.transforms.shared.operation_changes import EntryChange
from stellar_etl.transforms.shared.sponsors import entry_sponsor, signer_sponsors
from stellar_etl.transforms.shared.values import (
    account_id,
    asset_canonical,
    balance_id,
    text,
)
from stellar_etl.xdr import names

_SPONSORED = {
    names.ACCOUNT: "account",
    names.TRUSTLINE: "trustline",
    names.DATA: "data",
    names.CLAIMABLE_BALANCE: "claimable_balance",
}
"""The types of entries with effects of sponsorships; offers have none."""


def sponsorships(op: AppliedOperation) -> Iterator[Made]:
    """Yield the sponsorships of entries and of accounts' signers that were created, updated or removed."""
    for change in op.changes:
        former, new = entry_sponsor(change.before), entry_sponsor(change.after)
        if former != new and change.type in _SPONSORED:
            account, details = _sponsored(op, change.type, change.content)
            outcome, sponsors = _handover(former, new)
            yield account, f"{_SPONSORED[change.type]}_sponsorship_{outcome}", details | sponsors
        if change.type == names.ACCOUNT:
            yield from _signer_sponsorships(change)


def _handover(former: Account | None, new: Account | None) -> tuple[str, Details]:
    """Return the change of a sponsorship; at least one of the two sponsors is not None."""
    if former is None:
        assert new is not None
        return "created", {"sponsor": account_id(new)}
    if new is None:
        return "removed", {"former_sponsor": account_id(former)}
    return "updated", {"former_sponsor": account_id(former), "new_sponsor": account_id(new)}


def _sponsored(op: AppliedOperation, type_: int, entry: Any) -> tuple[Account, Details]:
    """Return the account that the effect of a sponsorship concerns, and the columns that name the entry."""
    if type_ == names.ACCOUNT:
        return entry["accountID"], {}
    if type_ == names.DATA:
        return op.source, {"data_name": text(entry["dataName"])}
    if type_ == names.CLAIMABLE_BALANCE:
        return op.source, {"balance_id": balance_id(entry["balanceID"])}
    kind, pool = entry["asset"]
    if kind == names.ASSET_TYPE_POOL_SHARE:
        return entry["accountID"], {"asset_type": "liquidity_pool", "liquidity_pool_id": pool.hex()}
    return entry["accountID"], {"asset": asset_canonical(entry["asset"])}


def _signer_sponsorships(change: EntryChange) -> Iterator[Made]:
    old, new = change.states
    before, after = signer_sponsors(old), signer_sponsors(new)
    if before == after:
        return
    for signer in sorted(before.keys() | after.keys()):
        former, now = before.get(signer), after.get(signer)
        if former != now:
            outcome, sponsors = _handover(former, now)
            yield change.content["accountID"], f"signer_sponsorship_{outcome}", {"signer": signer, **sponsors}
