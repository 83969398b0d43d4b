"""The registry: for each table its data type, keys, ledger and time columns, and how it is published.

All differences between tables are declared here once. SQL, checks, loads and DAGs read them from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from stellar_etl_airflow.model.checks import Check, Kind, accepted


class Publish(Enum):
    """How staged rows are merged into a published table."""

    REPLACE_RANGE = "replace_range"
    """Replace all rows of the batch's ledgers, in one statement."""

    KEEP_EARLIEST = "keep_earliest"
    """Insert a key if it is missing; replace its row only by a row of the same or an older ledger."""


class DerivedKind(Enum):
    """Which rows of a derived table must be derived again after a ledger range of its sources was published."""

    RANGE = "range"
    """The rows of the same ledgers."""

    BUCKET = "bucket"
    """The rows of the UTC days in which these ledgers closed, derived from all loaded ledgers of these days."""

    ENTRY = "entry"
    """The rows of these ledgers, and all later rows of the ledger entries that they change. A row contains values of
    the entry's previous row."""


@dataclass(frozen=True)
class Derivation:
    """How a derived table is made. The query is `dags/queries/<table_id>.sql`.

    Attributes:
        kind: which rows are derived again.
        sources: the tables that the query reads, as pairs of alias (a letter) and data type. Ledgers are always among
            them: their headers have the expected row counts of the other sources.
        title: what a row of the table is, in a few words.
        definition: the content of the table, in sentences.
        against_sources: what the query `dags/queries/checks/<table_id>.sql` finds in staged rows, as text. Rows of the
            query keep the batch from being published. Empty without such a query.
        against_complete: whether these rows keep the batch from being published only if the sources are complete, as
            `model.derived.needed_ranges` describes. Otherwise the task logs them and publishes the batch.
        chain: only for the kind ENTRY: the columns that identify an entry. Its rows form a chain in the order of
            ledgers.
    """

    kind: DerivedKind
    sources: tuple[tuple[str, str], ...]
    title: str
    definition: str
    chain: tuple[str, ...] = ()
    against_sources: str = ""
    against_complete: bool = False


@dataclass(frozen=True)
class Table:
    """One published table.

    Attributes:
        data_type: the exporter's name of these rows; the key of `table_ids` and `output_file_names`.
        table_id: the BigQuery table's default name; the schema file is `{table_id}_schema.json`.
        keys: the columns that identify a row; for tables with identical rows, columns that are never NULL.
        unique: whether no two rows share their keys.
        identity: for tables whose keys are not unique: the columns that identify a row if none of them is NULL. Not
            every exporter writes them, and rows loaded before they existed lack them.
        ledger_column: the column with the row's ledger sequence, or a TOID (SEP-35) that contains it.
        ledger_shift: how many bits the sequence is shifted left in that column.
        closed_at_column: the column with the ledger's close time. Only this column may partition the table, because it
            is a property of the row and not of the load.
        publish: how staged rows are merged into the table.
        entry_keys: for tables of changes: the columns that identify the changed ledger entry. Such a table has a table
            of versions.
        not_of_entry: for tables of changes: columns that do not describe the entry itself. A full load may have other
            values in them than the entry's last change.
        dag_id: the DAG that loads it.
        header_count: the number of rows per ledger as an expression of columns of `history_ledgers`; empty if unknown.
        cluster: the columns that BigQuery clusters it by, unless the Variable `cluster_fields` has an entry.
        partition: the length of its partitions, unless the Variable `partition_fields` has an entry; empty for a table
            that is matched by key over all its rows.
        checks: checks before publishing, in addition to keys, range and counts.
        derivation: how it is derived from other published tables; None for a table that is loaded from an export.
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
    not_of_entry: tuple[str, ...] = ()
    dag_id: str = ""
    header_count: str = ""
    cluster: tuple[str, ...] = ()
    partition: Literal["HOUR", "DAY", "MONTH", "YEAR", ""] = "DAY"
    checks: tuple[Check, ...] = ()
    derivation: Derivation | None = None

    @property
    def file_name(self) -> str:
        """The default name of an exported file. The Variable `output_file_names` overrides it."""
        return f"{self.data_type}.txt"

    @property
    def pool(self) -> str:
        """The pool of tasks that write the table. It has one slot, so only one task writes at a time.

        On BigQuery, two merges that only insert do not conflict. Two overlapping runs could therefore duplicate rows.
        """
        return f"write_{self.table_id}"

    @property
    def chain(self) -> tuple[str, ...]:
        """The columns that identify an entry, for a derived table with a chain of rows per entry; else empty."""
        return self.derivation.chain if self.derivation else ()


WITHOUT_CAPTIVE_CORE = "history_archive_without_captive_core"
WITH_CAPTIVE_CORE = "history_archive_with_captive_core"
STATE_TABLES = "state_table_export"
LOADING_DAGS = (WITHOUT_CAPTIVE_CORE, WITH_CAPTIVE_CORE, STATE_TABLES)
"""The DAGs that export and load each data interval."""

EFFECT_TYPES = (
    *range(8), *range(10, 13), *range(20, 27), *range(30, 34), *range(40, 44), *range(50, 53), *range(60, 75), 80,
    *range(90, 100),
)  # fmt: skip
"""The effect types (https://developers.stellar.org/docs/data/apis/horizon/api-reference/resources/effects/types,
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
"""The tables of ledgers, transactions and events, by data type."""


def _changes(
    data_type: str,
    table_id: str,
    *entry_keys: str,
    cluster: tuple[str, ...] = (),
    not_of_entry: tuple[str, ...] = (),
) -> Table:
    """Return the table of changes of one kind of ledger entry. It has at most one row per ledger and entry.

    Args:
        data_type: the exporter's name of these rows.
        table_id: the table's name.
        entry_keys: the columns that identify an entry.
        cluster: the columns to cluster by after the ledger; the entry's keys by default.
        not_of_entry: columns that do not describe the entry itself.
    """
    return Table(
        data_type,
        table_id,
        keys=(*entry_keys, "ledger_sequence"),
        entry_keys=entry_keys,
        not_of_entry=("ledger_entry_change", *not_of_entry),
        dag_id=STATE_TABLES,
        cluster=("ledger_sequence", *(cluster or entry_keys)),
    )


ACCOUNTS = _changes("accounts", "accounts", "account_id")
SIGNERS = _changes(
    "signers",
    "account_signers",
    "account_id",
    "signer",
    cluster=("account_id",),
    not_of_entry=("last_modified_ledger",),  # that of the account, which changes without its signers
)
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
"""The tables of ledger entry changes, by data type."""

STATES: dict[str, Table] = {data_type: table for data_type, table in CHANGES.items() if table.entry_keys}
"""The tables of changes that have a point-in-time table, by data type."""

ENRICHED_OPERATIONS = Table(
    "enriched_history_operations",
    "enriched_history_operations",
    keys=("op_id",),
    dag_id="enriched_history_operations",
    header_count=OPERATIONS.header_count,
    cluster=("ledger_sequence", "op_source_account", "type"),
    derivation=Derivation(
        DerivedKind.RANGE,
        (("o", "operations"), ("t", "transactions"), ("l", "ledgers")),
        title="Operations with their transactions and ledgers",
        definition="One row per operation, with the columns of its transaction (`txn_…`) and of its ledger "
        "(`ledger_…`), so that queries about operations need no join.",
    ),
)
TRANSFERS = Table(
    "transfers",
    "token_transfers",
    keys=("transaction_id", "event_index"),
    dag_id="token_transfers",
    cluster=("ledger_sequence", "asset", "from", "to"),
    checks=(accepted("event_topic", "transfer", "mint", "burn", "clawback", "fee"),),
    derivation=Derivation(
        DerivedKind.RANGE,
        (("t", "token_transfers"), ("l", "ledgers")),
        title="Token transfers, one row per event",
        definition="One row per token event, identified by its transaction and its position among the events of that "
        "transaction. `amount_raw` is the amount of the event in the smallest units of the token. The number of "
        "decimals is a property of the token. The check rejects rows without `event_index`, which the Go image writes.",
    ),
)

_BUCKETS = accepted("bucket", "hour", "day")

TRADE_OHLC = Table(
    "trade_ohlc",
    "trade_ohlc",
    keys=("bucket", "bucket_start", "base_asset", "counter_asset"),
    dag_id="trade_ohlc",
    cluster=("bucket", "base_asset", "counter_asset"),
    checks=(_BUCKETS, Check(Kind.RANGE, "trade_count", minimum=1)),
    derivation=Derivation(
        DerivedKind.BUCKET,
        (("t", "trades"), ("l", "ledgers")),
        title="Prices and volumes of asset pairs per hour and day",
        definition="One row per pair of assets and UTC hour, and one per UTC day, in which the pair was traded. A pair "
        "has no direction: `base_asset` is the asset whose name comes first in the alphabet, and trades in both "
        "directions count for the same row. Prices are in units of the counter asset per unit of the base asset. The "
        "first and the last trade are those with the lowest and the highest operation and order. Volumes are exact "
        "sums.",
        against_sources="volumes or trade counts that differ from the trades themselves",
    ),
)
NETWORK_STATS = Table(
    "network_stats",
    "network_stats",
    keys=("bucket", "bucket_start"),
    dag_id="network_stats",
    cluster=("bucket",),
    checks=(_BUCKETS, Check(Kind.RANGE, "ledger_count", minimum=1)),
    derivation=Derivation(
        DerivedKind.BUCKET,
        (("o", "operations"), ("t", "transactions"), ("l", "ledgers")),
        title="Activity of the network per hour and day",
        definition="One row per UTC hour, and one per UTC day, in which a ledger closed: ledgers, transactions, "
        "operations by type, fees, active accounts and Soroban resources. Operations include those of failed "
        "transactions. An account is active if it was the source of a transaction or of an operation.",
    ),
)

BALANCES = Table(
    "balances",
    "balances",
    keys=("entry_type", "entry_key", "ledger_sequence"),
    dag_id="balances",
    cluster=("holder", "asset", "ledger_sequence"),
    checks=(
        accepted("entry_type", "account", "trust_line", "claimable_balance", "liquidity_pool", "contract_data"),
        Check(Kind.NOT_NULL, "holder"),
        Check(Kind.RANGE, "amount", minimum=0),
    ),
    derivation=Derivation(
        DerivedKind.ENTRY,
        (
            ("a", "accounts"),
            ("t", "trustlines"),
            ("c", "claimable_balances"),
            ("p", "liquidity_pools"),
            ("d", "contract_data"),
            ("l", "ledgers"),
        ),
        title="Balances of all holders",
        definition="One row per ledger entry with a balance and per ledger that changed the entry: the holder, the "
        "asset, and the amounts after and before the ledger. Holders are accounts, claimable balances, liquidity "
        "pools, and contracts with a balance in the format of Stellar's asset contract. Amounts are whole numbers of "
        "the smallest unit: stroops, except for tokens of other contracts. Amounts of accounts, trust lines, pools and "
        "claimable balances come from floats: they are exact up to 2^51 stroops, 225 million units. A contract balance "
        "that the network archives stays with its holder.",
        chain=("entry_type", "entry_key"),
    ),
)

ASSET_SUPPLY = Table(
    "asset_supply_daily",
    "asset_supply_daily",
    keys=("day", "asset"),
    dag_id="asset_supply_daily",
    cluster=("asset", "day"),
    checks=(accepted("asset_type", "native", "credit_alphanum4", "credit_alphanum12", "contract"),),
    derivation=Derivation(
        DerivedKind.BUCKET,
        (("t", "token_transfers"), ("b", "balances"), ("l", "ledgers")),
        title="Changes of the supply of assets per day",
        definition="One row per asset and UTC day on which its supply or a balance changed: the changes according to "
        "token events, and the changes of balances per kind of holder. `difference` is 0 for every asset of the "
        "network if all ledgers up to the end of the day are loaded and derived without a gap: then the check refuses "
        "a day with a difference. Before that, the check logs the difference. Lumens paid as fees leave the accounts. "
        "The two need not agree for tokens of other contracts, which may store balances in another format. Shares of "
        "liquidity pools have no events and no rows.",
        against_sources="assets whose supply according to token events differs from their balances, or lumens that "
        "differ from the ledger headers",
        against_complete=True,
    ),
)

DERIVED: dict[str, Table] = {
    table.data_type: table
    for table in (ENRICHED_OPERATIONS, TRANSFERS, TRADE_OHLC, NETWORK_STATS, BALANCES, ASSET_SUPPLY)
}
"""The tables that are derived from published ones, by data type. They have no exports."""


@dataclass(frozen=True)
class View:
    """A view on derived tables. Its query is `dags/queries/views/<view_id>.sql`.

    Attributes:
        view_id: its name; the schema file is `{view_id}_schema.json`.
        table: its derived table, whose DAG creates the view.
        definition: the content of the view, in sentences.
        grain: the columns that identify a row.
        current: data types whose views of current entries the view reads.
    """

    view_id: str
    table: Table
    definition: str
    grain: tuple[str, ...]
    current: tuple[str, ...] = ()


VIEWS: dict[str, View] = {
    view.view_id: view
    for view in (
        View(
            "token_transfers_decimal",
            TRANSFERS,
            "Token events with amounts in whole units. Lumens and assets have seven decimals; for other tokens the "
            "contract's storage has the number. Each query reads the current storage of all contracts.",
            grain=("transaction_id", "event_index"),
            current=("contract_data",),
        ),
        View(
            "balances_daily",
            BALANCES,
            "The balance of each ledger entry at the end of each UTC day on which it changed. Balances in contracts "
            "have the name of their asset. Filter by `day`.",
            grain=("entry_type", "entry_key", "day"),
            current=("contract_data",),
        ),
        View(
            "asset_supply",
            ASSET_SUPPLY,
            "The supply of each asset after each UTC day on which it changed, and the holders: sums over all loaded "
            "days. They are the whole supply if the asset's first ledger is loaded.",
            grain=("asset", "day"),
        ),
    )
}
"""Every view on derived tables, by name."""

PUBLISHED: dict[str, Table] = {table.data_type: table for table in (*_ALL, *_ALL_CHANGES, *DERIVED.values())}
"""Every table that is published, by data type."""


def sources_of(table: Table) -> dict[str, Table]:
    """Return the sources of a derived table, by their alias in its query."""
    return {letter: PUBLISHED[data_type] for letter, data_type in table.derivation.sources} if table.derivation else {}


def loaded_by(dag_id: str) -> tuple[Table, ...]:
    """Return the tables that a DAG loads."""
    return tuple(table for table in PUBLISHED.values() if table.dag_id == dag_id)


BATCH_STATS_TABLE_ID = "history_archives_dag_runs"
"""The table with one row per published table and range."""

BATCH_STATS_POOL = f"write_{BATCH_STATS_TABLE_ID}"
"""The pool of tasks that write batch stats. One slot prevents duplicate rows from overlapping runs."""

EXPORT_POOL = "export"
"""The pool of export tasks. Its slots limit the number of concurrent export pods."""

POOLS: dict[str, dict[str, Any]] = {
    EXPORT_POOL: {
        "slots": 10,
        "description": "Concurrent export pods",
        "include_deferred": True,  # a deferred task's pod is running
    }
} | {
    pool: {
        "slots": 1,
        "description": f"One writer at a time for {table_id}",
        "include_deferred": True,  # a deferred task's merge is running
    }
    for pool, table_id in (
        *((table.pool, table.table_id) for table in PUBLISHED.values()),
        (BATCH_STATS_POOL, BATCH_STATS_TABLE_ID),
    )
}
"""The pools of the DAGs, in the format of `airflow pools import`; `airflow_pools.json` has the same."""

COVERAGE_TABLE_ID = "ledger_coverage"
"""The table with one row per finding of each coverage check."""

LEDGER_AUDITS_TABLE_ID = "ledger_audits"
"""The table with one row per audit, table and dataset: what a run of `ledger_audit` compared and found. Its schema file
describes the columns. The latest audits are those with the latest `audited_at`."""

LEDGER_BATCHES_TABLE_ID = "ledger_batches"
"""The table with one row per batch and dataset, with the watermark after it."""

RANGES_VIEW_ID = "ledger_ranges"
"""The view of all complete ranges of ledgers."""

WATERMARKS_VIEW_ID = "ledger_watermarks"
"""The view of the first complete range of each table and each dataset."""

EXPORTED_AT = "batch_insert_ts"
"""The column with the start of a row's export attempt."""
RUN_DATE = "batch_run_date"
"""The column with the start of the run's interval or range."""
BATCH_COLUMNS = ("batch_id", RUN_DATE, EXPORTED_AT)
"""Columns that describe the load of a row, not the row: keys and partitions never use them."""
