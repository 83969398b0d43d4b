"""The registry: for each table its exported data type, its keys, its ledger and time columns, how it is published.

Everything that differs between tables stands here once; SQL, checks, loads and DAGs read it from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from stellar_etl_airflow.model.checks import Check, accepted


class Publish(Enum):
    """How staged rows enter a published table."""

    REPLACE_RANGE = "replace_range"
    """The rows of the batch's ledgers are replaced as a whole, in one statement."""

    KEEP_EARLIEST = "keep_earliest"
    """A key is inserted if it is missing, and replaced only by a row of an older ledger."""


@dataclass(frozen=True)
class Table:
    """One published table.

    Attributes:
        data_type: what the exporter calls these rows; the key of `table_ids` and `output_file_names`.
        table_id: the BigQuery table's usual name; the schema file is `{table_id}_schema.json`.
        keys: the columns that identify a row; of a table whose rows may be identical, those that are never null.
        unique: whether no two rows share their keys.
        identity: of a table whose keys are not unique, the columns that identify a row where none of them is NULL: not
            every exporter writes them, and rows that were loaded before they existed do not have them.
        ledger_column: the column that holds the row's ledger sequence, or a TOID (SEP-35) with it.
        ledger_shift: how many bits the sequence is shifted left in that column.
        closed_at_column: the column that holds the ledger's close time; the only one that may partition
            the table, because it is a property of the row and not of the run that loaded it.
        publish: how staged rows enter the table.
        entry_keys: of a table of changes, the columns that identify the ledger entry that changed: the table then has a
            point-in-time table beside it.
        dag_id: the DAG that loads it.
        header_count: how many rows a ledger has, in columns of `history_ledgers`; empty where no header says.
        cluster: the columns that BigQuery clusters it by, unless the Variable `cluster_fields` has an entry.
        partition: the length of its partitions, unless the Variable `partition_fields` has an entry; empty for a table
            that is matched by key over all its rows.
        checks: what its columns are held to before it is published, beside keys, range and counts.
    """

    data_type: str
    table_id: str
    keys: tuple[str, ...]
    unique: bool = True
    identity: tuple[str, ...] = ()
    ledger_column: str = "ledger_sequence"
    ledger_shift: int = 0
    closed_at_column: str = "closed_at"
    publish: Publish = Publish.REPLACE_RANGE
    entry_keys: tuple[str, ...] = ()
    dag_id: str = ""
    header_count: str = ""
    cluster: tuple[str, ...] = ()
    partition: Literal["HOUR", "DAY", "MONTH", "YEAR", ""] = "DAY"
    checks: tuple[Check, ...] = ()

    @property
    def file_name(self) -> str:
        """The name of an exported file, unless the Variable `output_file_names` has an entry."""
        return f"{self.data_type}.txt"

    @property
    def pool(self) -> str:
        """The pool of those who write the table: it has one slot, for one writer at a time.

        On BigQuery two merges that only insert don't conflict, so that two overlapping runs could double rows.
        """
        return f"write_{self.table_id}"


WITHOUT_CAPTIVE_CORE = "history_archive_without_captive_core"
WITH_CAPTIVE_CORE = "history_archive_with_captive_core"
STATE_TABLES = "state_table_export"
LOADING_DAGS = (WITHOUT_CAPTIVE_CORE, WITH_CAPTIVE_CORE, STATE_TABLES)
"""The DAGs that export each data interval, and load it."""

EFFECT_TYPES = (
    *range(8), *range(10, 13), *range(20, 27), *range(30, 34), *range(40, 44), *range(50, 53), *range(60, 75), 80,
    *range(90, 100),
)  # fmt: skip
"""The numbers of effects (https://developers.stellar.org/docs/data/apis/horizon/api-reference/resources/effects/types,
and those of contracts, which the exporter numbers from 96)."""

LEDGERS = Table(
    "ledgers",
    "history_ledgers",
    keys=("sequence",),
    ledger_column="sequence",
    dag_id=WITHOUT_CAPTIVE_CORE,
    cluster=("sequence",),
)
TRANSACTIONS = Table(
    "transactions",
    "history_transactions",
    keys=("id",),
    dag_id=WITH_CAPTIVE_CORE,
    header_count="successful_transaction_count + failed_transaction_count",
    cluster=("ledger_sequence", "account"),
)
OPERATIONS = Table(
    "operations",
    "history_operations",
    keys=("id",),
    dag_id=WITH_CAPTIVE_CORE,
    header_count="tx_set_operation_count",
    checks=(accepted("type", *range(27)),),
    cluster=("ledger_sequence", "source_account", "type"),
)
EFFECTS = Table(
    "effects",
    "history_effects",
    keys=("id",),
    dag_id=WITH_CAPTIVE_CORE,
    checks=(accepted("type", *EFFECT_TYPES),),
    cluster=("ledger_sequence", "address", "type"),
)
TRADES = Table(
    "trades",
    "history_trades",
    keys=("history_operation_id", "order"),
    ledger_column="history_operation_id",
    ledger_shift=32,
    closed_at_column="ledger_closed_at",
    dag_id=WITH_CAPTIVE_CORE,
    checks=(accepted("trade_type", 1, 2),),
    cluster=("history_operation_id", "selling_asset_id", "buying_asset_id"),
)
CONTRACT_EVENTS = Table(
    "contract_events",
    "history_contract_events",
    keys=("transaction_id", "contract_event_xdr"),
    unique=False,
    identity=("transaction_id", "event_index"),
    dag_id=WITH_CAPTIVE_CORE,
    cluster=("ledger_sequence", "contract_id"),
)
TOKEN_TRANSFERS = Table(
    "token_transfers",
    "token_transfers_raw",
    keys=("transaction_id", "event_topic"),
    unique=False,
    identity=("transaction_id", "event_index"),
    dag_id=WITH_CAPTIVE_CORE,
    cluster=("ledger_sequence", "contract_id"),
)
ASSETS = Table(
    "assets",
    "history_assets",
    keys=("asset_type", "asset_issuer", "asset_code"),
    publish=Publish.KEEP_EARLIEST,
    dag_id=WITHOUT_CAPTIVE_CORE,
    checks=(accepted("asset_type", "native", "credit_alphanum4", "credit_alphanum12"),),
    cluster=("asset_type", "asset_issuer", "asset_code"),
    partition="",
)

_ALL = (LEDGERS, TRANSACTIONS, OPERATIONS, EFFECTS, TRADES, CONTRACT_EVENTS, TOKEN_TRANSFERS, ASSETS)

TABLES: dict[str, Table] = {table.data_type: table for table in _ALL}
"""Every table of what happened in the ledgers, by data type."""


def _changes(data_type: str, table_id: str, *entry_keys: str, cluster: tuple[str, ...] = ()) -> Table:
    """Describe the table of every change of one kind of ledger entry: at most one row per ledger and entry.

    Args:
        data_type: the exporter's name of these rows.
        table_id: the table's name.
        entry_keys: the columns that identify an entry.
        cluster: the columns to cluster by after the ledger; the entry's keys by default.
    """
    return Table(
        data_type,
        table_id,
        keys=(*entry_keys, "ledger_sequence"),
        entry_keys=entry_keys,
        dag_id=STATE_TABLES,
        cluster=("ledger_sequence", *(cluster or entry_keys)),
    )


ACCOUNTS = _changes("accounts", "accounts", "account_id")
SIGNERS = _changes("signers", "account_signers", "account_id", "signer", cluster=("account_id",))
TRUSTLINES = _changes("trustlines", "trust_lines", "ledger_key", cluster=("account_id", "asset_code"))
OFFERS = _changes("offers", "offers", "offer_id", cluster=("seller_id",))
LIQUIDITY_POOLS = _changes("liquidity_pools", "liquidity_pools", "liquidity_pool_id")
CLAIMABLE_BALANCES = _changes("claimable_balances", "claimable_balances", "balance_id")
CONTRACT_DATA = _changes("contract_data", "contract_data", "ledger_key_hash", cluster=("contract_id",))
CONTRACT_CODE = _changes("contract_code", "contract_code", "ledger_key_hash", cluster=("contract_code_hash",))
CONFIG_SETTINGS = _changes("config_settings", "config_settings", "config_setting_id")
TTL = _changes("ttl", "ttl", "key_hash")
RESTORED_KEYS = Table(
    "restored_key",
    "restored_key",
    keys=("ledger_key_hash", "ledger_sequence"),
    dag_id=STATE_TABLES,
    cluster=("ledger_sequence",),
)

_ALL_CHANGES = (
    ACCOUNTS,
    SIGNERS,
    TRUSTLINES,
    OFFERS,
    LIQUIDITY_POOLS,
    CLAIMABLE_BALANCES,
    CONTRACT_DATA,
    CONTRACT_CODE,
    CONFIG_SETTINGS,
    TTL,
    RESTORED_KEYS,
)

CHANGES: dict[str, Table] = {table.data_type: table for table in _ALL_CHANGES}
"""Every table of what became of ledger entries, by data type."""

STATES: dict[str, Table] = {data_type: table for data_type, table in CHANGES.items() if table.entry_keys}
"""Every table of changes that has a point-in-time table beside it, by data type."""

ENRICHED_OPERATIONS = Table(
    "enriched_history_operations",
    "enriched_history_operations",
    keys=("op_id",),
    dag_id="enriched_history_operations",
    header_count=OPERATIONS.header_count,
    cluster=("ledger_sequence", "op_source_account", "type"),
)
"""Derived from published tables; no export has its rows."""

PUBLISHED: dict[str, Table] = {table.data_type: table for table in (*_ALL, *_ALL_CHANGES, ENRICHED_OPERATIONS)}
"""Every table that is published, by data type."""


def loaded_by(dag_id: str) -> tuple[Table, ...]:
    """The tables that a DAG loads."""
    return tuple(table for table in PUBLISHED.values() if table.dag_id == dag_id)


BATCH_STATS_TABLE_ID = "history_archives_dag_runs"
"""The table that holds one row for each table and range that was published."""

BATCH_STATS_POOL = f"write_{BATCH_STATS_TABLE_ID}"
"""The pool of the tasks that write batch stats: one slot, so that overlapping runs write a row of a range once."""

EXPORT_POOL = "export"
"""The pool of the tasks that export: as many export pods run at a time as it has slots."""

POOLS: dict[str, dict[str, Any]] = {
    EXPORT_POOL: {
        "slots": 10,
        "description": "Export pods at a time",
        "include_deferred": True,  # a pod that the triggerer waits for runs all the same
    }
} | {
    pool: {
        "slots": 1,
        "description": f"One writer at a time for {table_id}",
        "include_deferred": True,  # a merge that waits in the triggerer is still a writer
    }
    for pool, table_id in (
        *((table.pool, table.table_id) for table in PUBLISHED.values()),
        (BATCH_STATS_POOL, BATCH_STATS_TABLE_ID),
    )
}
"""The pools that the DAGs need, as `airflow pools import` takes them; `airflow_pools.json` holds the same."""

COVERAGE_TABLE_ID = "ledger_coverage"
"""The table that holds one row for each finding of each look over loaded history."""

BATCH_COLUMNS = ("batch_id", "batch_run_date", "batch_insert_ts")
"""They describe the load that brought a row, never the row: no key and no partition is made of them."""
