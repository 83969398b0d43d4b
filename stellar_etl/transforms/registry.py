"""The registry of types: the module that makes a type's rows, and the table that they are loaded into.

To add a type, write its module in this package and add a line to `_HISTORY` or `_STATE`. The module has:

- `items(ledger)`: the items of a ledger that can become rows;
- `row(ledger, item)`: an item's row, None if it has none. A column that doesn't apply is missing if the reference
  exporter omits it, and None if it writes null;
- `identity(row)`, only for a type with rows that are written once per run, from the first ledger: the key of the
  row;
- `ENTRY_TYPE`, only for a type with `checkpoint`: the `LedgerEntryType` of its rows;
- `COLUMNS`, only for a type without a table: the columns of its Parquet files.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from stellar_etl.schema_files import Columns, read_columns

if TYPE_CHECKING:
    from stellar_etl.ledgers.ledger import Ledger

Row = dict[str, Any]
"""A row by column name. The caller owns it and may change it; its values can be shared."""


@dataclass(frozen=True)
class Transform:
    """The transform of one type. Its module is imported when it is first used.

    Attributes:
        type: the type's name, and that of its module.
        table: the table of its rows, with the schema file `{table}_schema.json`; None without a table.
        checkpoint: whether its rows are also made from the state at a checkpoint.
    """

    type: str
    table: str | None
    checkpoint: bool = False

    @cached_property
    def _module(self) -> ModuleType:
        return import_module(f"stellar_etl.transforms.{self.type}")

    @property
    def items(self) -> Callable[[Ledger], Iterable[Any]]:
        """Return the items of a ledger that can become rows."""
        found: Callable[[Ledger], Iterable[Any]] = self._module.items
        return found

    @property
    def row(self) -> Callable[[Ledger, Any], Row | None]:
        """Return an item's row, None if it has none."""
        found: Callable[[Ledger, Any], Row | None] = self._module.row
        return found

    @property
    def identity(self) -> Callable[[Row], Hashable] | None:
        """The key of a row that is written once per run; None for types that write every row."""
        found: Callable[[Row], Hashable] | None = getattr(self._module, "identity", None)
        return found

    @property
    def entry_type(self) -> int:
        """The `LedgerEntryType` of its rows at a checkpoint."""
        found: int = self._module.ENTRY_TYPE
        return found

    @property
    def columns(self) -> Columns:
        """Its columns, without those that a load adds to every row.

        Raises:
            ExportError: the schema file can't be read.
        """
        if self.table is not None:
            return read_columns(self.table)
        found: Columns = self._module.COLUMNS
        return found


_HISTORY = (
    Transform("ledgers", "history_ledgers"),
    Transform("transactions", "history_transactions"),
    Transform("operations", "history_operations"),
    Transform("effects", "history_effects"),
    Transform("trades", "history_trades"),
    Transform("assets", "history_assets"),
    Transform("contract_events", "history_contract_events"),
    Transform("token_transfers", "token_transfers_raw"),
    Transform("ledger_transaction", None),
)

_STATE = (
    Transform("accounts", "accounts", checkpoint=True),
    Transform("signers", "account_signers", checkpoint=True),
    Transform("claimable_balances", "claimable_balances", checkpoint=True),
    Transform("offers", "offers", checkpoint=True),
    Transform("trustlines", "trust_lines", checkpoint=True),
    Transform("liquidity_pools", "liquidity_pools", checkpoint=True),
    Transform("contract_data", "contract_data", checkpoint=True),
    Transform("contract_code", "contract_code", checkpoint=True),
    Transform("config_settings", "config_settings", checkpoint=True),
    Transform("ttl", "ttl", checkpoint=True),
    Transform("restored_key", "restored_key"),  # the state does not show that an entry was restored
)

HISTORY = {transform.type: transform for transform in _HISTORY}
"""The types of history."""

STATE = {transform.type: transform for transform in _STATE}
"""The types of ledger entry changes."""

CHECKPOINT_TYPES = {type_: transform for type_, transform in STATE.items() if transform.checkpoint}
"""The types with rows that are also made from the state at a checkpoint."""

TYPES = HISTORY | STATE
