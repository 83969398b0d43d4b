"""Effects of operations on an account itself: creation, options, data, sequence number, merge, inflation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stellar_etl.ledgers.ledger import base64
from stellar_etl.transforms.effects.applied import AppliedOperation, flags_details, outcome
from stellar_etl.transforms.effects.effect import Account, Made
from stellar_etl.transforms.shared.flags import ACCOUNT_FLAGS
from stellar_etl.transforms.shared.values import (
    account_id,
    amount_text,
    signer_key,
    text,
)
from stellar_etl.xdr import names

_ACCOUNT_FLAGS = {flag: f"{name}_flag" for flag, name in ACCOUNT_FLAGS.items()}


def create_account(op: AppliedOperation) -> Iterator[Made]:
    """Yield the new account's funding, and its own key as a signer."""
    account, balance = op.body["destination"], amount_text(op.body["startingBalance"])
    yield account, "account_created", {"starting_balance": balance}
    yield op.source, "account_debited", {"asset_type": "native", "amount": balance}
    yield account, "signer_created", {"public_key": account_id(account), "weight": 1}


def set_options(op: AppliedOperation) -> Iterator[Made]:
    """Yield what changed, in the order of the options, then the signers."""
    body, source = op.body, op.source
    if body["homeDomain"] is not None:
        yield source, "account_home_domain_updated", {"home_domain": text(body["homeDomain"])}
    thresholds = {
        column: body[field]
        for field, column in (
            ("lowThreshold", "low_threshold"),
            ("medThreshold", "med_threshold"),
            ("highThreshold", "high_threshold"),
        )
        if body[field] is not None
    }
    if thresholds:
        yield source, "account_thresholds_updated", thresholds
    if flags := flags_details(_ACCOUNT_FLAGS, body["setFlags"], body["clearFlags"]):
        yield source, "account_flags_updated", flags
    if body["inflationDest"] is not None:
        destination = {"inflation_destination": account_id(body["inflationDest"])}
        yield source, "account_inflation_destination_updated", destination
    for change in op.of(names.ACCOUNT):
        yield from _signers(source, *change.states)


def _signers(source: Account, old: Any, new: Any) -> Iterator[Made]:
    """Yield the changes of an account's signers: existing signers first, then new ones."""
    before, after = _weights(old), _weights(new)
    if before == after:
        return
    for signer in sorted(before):
        if signer not in after:
            yield source, "signer_removed", {"public_key": signer}
        elif after[signer] != before[signer]:
            yield source, "signer_updated", {"public_key": signer, "weight": after[signer]}
    for signer in sorted(after.keys() - before.keys()):
        yield source, "signer_created", {"public_key": signer, "weight": after[signer]}


def _weights(account: Any) -> dict[str, int]:
    """The weight of each signer of an account, its own key among them if that has a weight."""
    master = account["thresholds"][0]
    weights = {account_id(account["accountID"]): master} if master else {}
    return weights | {signer_key(signer["key"]): signer["weight"] for signer in account["signers"]}


def account_merge(op: AppliedOperation) -> Iterator[Made]:
    """Yield the payment of the whole balance, and the end of the account."""
    money = {"amount": amount_text(op.operation.success()), "asset_type": "native"}
    yield op.source, "account_debited", money
    yield op.body, "account_credited", money
    yield op.source, "account_removed", {}


def inflation(op: AppliedOperation) -> Iterator[Made]:
    """Yield the payouts."""
    for payout in op.operation.success():
        money = {"amount": amount_text(payout["amount"]), "asset_type": "native"}
        yield payout["destination"], "account_credited", money


def manage_data(op: AppliedOperation) -> Iterator[Made]:
    """Yield the change of the data entry.

    If the changes show no data entry, the effect has the type 0, as the reference exporter writes it.
    """
    change = next(op.of(names.DATA), None)
    details = {"name": text(op.body["dataName"])}
    if change is None:
        yield op.source, "account_created", details
        return
    if change.after is not None:
        details["value"] = base64(change.content["dataValue"])
    yield op.source, f"data_{outcome(change)}", details


def bump_sequence(op: AppliedOperation) -> Iterator[Made]:
    """Yield the new sequence number, if it changed."""
    for change in op.of(names.ACCOUNT):
        before, after = change.states
        if before["seqNum"] != after["seqNum"]:
            yield op.source, "sequence_bumped", {"new_seq": after["seqNum"]}
        return
