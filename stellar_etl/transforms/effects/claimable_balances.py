"""Effects of operations on claimable balances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stellar_etl.transforms.effects.applied import AppliedOperation, asset_amount, first, money_details
from stellar_etl.transforms.effects.effect import Details, Made
from stellar_etl.transforms.shared.predicates import predicate
from stellar_etl.transforms.shared.values import balance_id
from stellar_etl.xdr import names


def _balance(balance: Any) -> Details:
    return {
        "balance_id": balance_id(balance["balanceID"]),
        **asset_amount(balance["asset"], balance["amount"]),
    }


def _clawback_flag(balance: Any) -> Details:
    version, content = balance["ext"]
    enabled = version == 1 and content["flags"] & names.CLAIMABLE_BALANCE_CLAWBACK_ENABLED_FLAG
    return {"claimable_balance_clawback_enabled_flag": True} if enabled else {}


def created_balance(op: AppliedOperation, balance: Any, claimants: list[tuple[int, Any]]) -> Iterator[Made]:
    """Yield a new balance, and each of its claimants with the condition."""
    details = _balance(balance)
    yield op.source, "claimable_balance_created", details | _clawback_flag(balance)
    for _, claimant in claimants:
        claim = {**details, "predicate": predicate(claimant["predicate"])}
        yield claimant["destination"], "claimable_balance_claimant_created", claim


def create_claimable_balance(op: AppliedOperation) -> Iterator[Made]:
    """Yield the new balance, and its payment.

    Raises:
        ValueError: the changes contain no new balance.
    """
    kept = (change.content for change in op.of(names.CLAIMABLE_BALANCE) if change.after is not None)
    balance = first(kept, "new claimable balance")
    # The ledger stores absolute times for relative ones in the operation.
    yield from created_balance(op, balance, op.body["claimants"])
    yield op.source, "account_debited", money_details(balance["amount"], balance["asset"])


def _removed_balances(op: AppliedOperation) -> Iterator[Any]:
    return (change.content for change in op.of(names.CLAIMABLE_BALANCE) if change.after is None)


def claim_claimable_balance(op: AppliedOperation) -> Iterator[Made]:
    """Yield the claim, and the payment.

    Raises:
        ValueError: the changes do not contain the balance.
    """
    claimed = (balance for balance in _removed_balances(op) if balance["balanceID"] == op.body["balanceID"])
    balance = first(claimed, "claimed balance")
    yield op.source, "claimable_balance_claimed", _balance(balance) | _clawback_flag(balance)
    yield op.source, "account_credited", money_details(balance["amount"], balance["asset"])


def clawback_claimable_balance(op: AppliedOperation) -> Iterator[Made]:
    """Yield the clawback, and the payment to the issuer."""
    yield op.source, "claimable_balance_clawed_back", {"balance_id": balance_id(op.body["balanceID"])}
    for balance in _removed_balances(op):
        yield op.source, "account_credited", money_details(balance["amount"], balance["asset"])
        return
