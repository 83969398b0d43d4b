"""From ledgers to rows: one module a table.

A row is a dict by column name; a column that doesn't apply is left out where the reference exporter leaves it out, and
None where that writes null. `HISTORY` and `STATE` are the registries: for each type what its rows are made of, and how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from stellar_etl.ledger import Ledger
from stellar_etl.transforms import (
    accounts,
    assets,
    claimable_balances,
    config_settings,
    contract_code,
    contract_data,
    contract_events,
    effects,
    ledger_transaction,
    ledgers,
    liquidity_pools,
    offers,
    operations,
    restored_key,
    signers,
    token_transfers,
    trades,
    transactions,
    trustlines,
    ttl,
)


@dataclass(frozen=True)
class Transform:
    """How one type's rows are made.

    Attributes:
        items: what of a ledger may become a row.
        row: an item's row, None if it has none.
    """

    items: Callable[[Ledger], Iterable[Any]]
    row: Callable[[Ledger, Any], dict[str, Any] | None]


HISTORY: dict[str, Callable[[], Transform]] = {
    "ledgers": lambda: Transform(ledgers.items, ledgers.row),
    "transactions": lambda: Transform(transactions.items, transactions.row),
    "operations": lambda: Transform(operations.items, operations.row),
    "effects": lambda: Transform(effects.items, effects.row),
    "trades": lambda: Transform(trades.items, trades.row),
    "assets": lambda: Transform(assets.items, assets.Assets().row),
    "contract_events": lambda: Transform(contract_events.items, contract_events.row),
    "token_transfers": lambda: Transform(token_transfers.items, token_transfers.row),
    "ledger_transaction": lambda: Transform(ledger_transaction.items, ledger_transaction.row),
}
"""For each history type a factory, called once a run: some transforms remember what they saw."""

STATE: dict[str, Callable[[], Transform]] = {
    "accounts": lambda: Transform(accounts.items, accounts.row),
    "signers": lambda: Transform(signers.items, signers.row),
    "claimable_balances": lambda: Transform(claimable_balances.items, claimable_balances.row),
    "offers": lambda: Transform(offers.items, offers.row),
    "trustlines": lambda: Transform(trustlines.items, trustlines.row),
    "liquidity_pools": lambda: Transform(liquidity_pools.items, liquidity_pools.row),
    "contract_data": lambda: Transform(contract_data.items, contract_data.row),
    "contract_code": lambda: Transform(contract_code.items, contract_code.row),
    "config_settings": lambda: Transform(config_settings.items, config_settings.row),
    "ttl": lambda: Transform(ttl.items, ttl.row),
    "restored_key": lambda: Transform(restored_key.items, restored_key.row),
}
"""The same for the types of ledger entry changes."""
