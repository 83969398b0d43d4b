"""From ledgers to rows: one module a table.

A row is a dict by column name; a column that doesn't apply is left out where the reference exporter leaves it out, and
None where that writes null. `HISTORY` is the registry: for each type what its rows are made of, and how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from stellar_etl.ledger import Ledger
from stellar_etl.transforms import (
    assets,
    contract_events,
    effects,
    ledger_transaction,
    ledgers,
    operations,
    token_transfers,
    trades,
    transactions,
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
