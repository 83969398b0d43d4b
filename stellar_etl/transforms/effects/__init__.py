"""Rows of `history_effects`: the effects of each operation of a successful transaction on accounts.

Each type of operation has a function that yields its own effects, in the module of its family. The effects on
sponsorships and liquidity pools follow, for all types alike, from the ledger entry changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from stellar_etl.ledgers.ledger import Ledger, Operation
from stellar_etl.transforms.effects import (
    accounts,
    claimable_balances,
    contracts,
    liquidity_pools,
    payments,
    sponsorships,
    trades,
    trust,
)
from stellar_etl.transforms.effects.applied import AppliedOperation
from stellar_etl.transforms.effects.effect import TYPES, Effect, Made
from stellar_etl.transforms.shared.operation_changes import entry_changes
from stellar_etl.transforms.shared.values import muxed
from stellar_etl.xdr import names


def items(ledger: Ledger) -> Iterator[Effect]:
    """The effects of a ledger's operations, in the order they were applied; failed transactions have none."""
    for operation in ledger.operations:
        if operation.transaction.successful:
            yield from of(operation)


def of(operation: Operation) -> Iterable[Effect]:
    """The effects of an operation of a successful transaction."""
    try:
        return [
            Effect(operation, number, account, type_, details)
            for number, (account, type_, details) in enumerate(_made(operation))
        ]
    except Exception as error:  # only this operation's rows are lost, and `row` reports it
        return [Effect(operation, 0, operation.source, "", {}, error)]


def row(ledger: Ledger, effect: Effect) -> dict[str, Any]:
    """One effect's row.

    Raises:
        Exception: the error in the effects of its operation.
    """
    if effect.error is not None:
        raise effect.error
    address, address_muxed, _ = muxed(effect.account)
    operation_id = effect.operation.id
    return {
        "address": address,
        "address_muxed": address_muxed,
        "operation_id": operation_id,
        "details": effect.details,
        "type": TYPES[effect.type],
        "type_string": effect.type,
        "closed_at": ledger.closed_at,
        "ledger_sequence": ledger.sequence,
        "index": effect.number,
        "id": f"{operation_id}-{effect.number}",
    }


def _made(operation: Operation) -> Iterator[Made]:
    changes = entry_changes(operation)
    applied = AppliedOperation(operation, operation.body, operation.source, changes)
    yield from _EFFECTS[operation.type](applied)
    if changes:
        yield from sponsorships.sponsorships(applied)
        yield from liquidity_pools.created_or_removed(applied)


def _nothing(op: AppliedOperation) -> Iterator[Made]:
    """Only the changes show the effects of sponsoring."""
    return iter(())


_EFFECTS: dict[int, Callable[[AppliedOperation], Iterator[Made]]] = {
    names.CREATE_ACCOUNT: accounts.create_account,
    names.PAYMENT: payments.payment,
    names.PATH_PAYMENT_STRICT_RECEIVE: payments.path_payment_strict_receive,
    names.MANAGE_SELL_OFFER: trades.offer,
    names.CREATE_PASSIVE_SELL_OFFER: trades.offer,
    names.SET_OPTIONS: accounts.set_options,
    names.CHANGE_TRUST: trust.change_trust,
    names.ALLOW_TRUST: trust.allow_trust,
    names.ACCOUNT_MERGE: accounts.account_merge,
    names.INFLATION: accounts.inflation,
    names.MANAGE_DATA: accounts.manage_data,
    names.BUMP_SEQUENCE: accounts.bump_sequence,
    names.MANAGE_BUY_OFFER: trades.offer,
    names.PATH_PAYMENT_STRICT_SEND: payments.path_payment_strict_send,
    names.CREATE_CLAIMABLE_BALANCE: claimable_balances.create_claimable_balance,
    names.CLAIM_CLAIMABLE_BALANCE: claimable_balances.claim_claimable_balance,
    names.BEGIN_SPONSORING_FUTURE_RESERVES: _nothing,
    names.END_SPONSORING_FUTURE_RESERVES: _nothing,
    names.REVOKE_SPONSORSHIP: _nothing,
    names.CLAWBACK: payments.clawback,
    names.CLAWBACK_CLAIMABLE_BALANCE: claimable_balances.clawback_claimable_balance,
    names.SET_TRUST_LINE_FLAGS: trust.set_trust_line_flags,
    names.LIQUIDITY_POOL_DEPOSIT: liquidity_pools.liquidity_pool_deposit,
    names.LIQUIDITY_POOL_WITHDRAW: liquidity_pools.liquidity_pool_withdraw,
    names.INVOKE_HOST_FUNCTION: contracts.invoke_host_function,
    names.EXTEND_FOOTPRINT_TTL: contracts.extend_footprint_ttl,
    names.RESTORE_FOOTPRINT: contracts.restore_footprint,
}
