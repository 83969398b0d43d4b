"""From ledgers to rows: one module a table.

A row is a dict by column name; a column that doesn't apply is left out where the reference exporter leaves it out, and
None where that writes null. `HISTORY` and `STATE` are the registries: for each type what its rows are made of, and how.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from stellar_etl.ledgers.ledger import Ledger
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

Row = dict[str, Any]
"""A row, made for the caller alone, who may change it; its values may be shared."""


@dataclass(frozen=True)
class Transform:
    """How one type's rows are made.

    Attributes:
        items: what of a ledger may become a row.
        row: an item's row, None if it has none.
        once: what of a row comes once a run alone, as the first ledger shows it; None if every row counts.
    """

    items: Callable[[Ledger], Iterable[Any]]
    row: Callable[[Ledger, Any], Row | None]
    once: Callable[[Row], Hashable] | None = None


HISTORY: dict[str, Transform] = {
    "ledgers": Transform(ledgers.items, ledgers.row),
    "transactions": Transform(transactions.items, transactions.row),
    "operations": Transform(operations.items, operations.row),
    "effects": Transform(effects.items, effects.row),
    "trades": Transform(trades.items, trades.row),
    "assets": Transform(assets.items, assets.row, once=assets.identity),
    "contract_events": Transform(contract_events.items, contract_events.row),
    "token_transfers": Transform(token_transfers.items, token_transfers.row),
    "ledger_transaction": Transform(ledger_transaction.items, ledger_transaction.row),
}
"""How rows of each history type are made."""

STATE: dict[str, Transform] = {
    "accounts": Transform(accounts.items, accounts.row),
    "signers": Transform(signers.items, signers.row),
    "claimable_balances": Transform(claimable_balances.items, claimable_balances.row),
    "offers": Transform(offers.items, offers.row),
    "trustlines": Transform(trustlines.items, trustlines.row),
    "liquidity_pools": Transform(liquidity_pools.items, liquidity_pools.row),
    "contract_data": Transform(contract_data.items, contract_data.row),
    "contract_code": Transform(contract_code.items, contract_code.row),
    "config_settings": Transform(config_settings.items, config_settings.row),
    "ttl": Transform(ttl.items, ttl.row),
    "restored_key": Transform(restored_key.items, restored_key.row),
}
"""The same for the types of ledger entry changes."""
