"""Views that Hubble's public dbt project can read as its sources. Pure.

They have the names, columns and types of https://github.com/stellar/stellar-dbt-public, which reads tables of earlier
exporters.
"""

from __future__ import annotations

from collections.abc import Sequence

from stellar_etl_airflow.model.schema import Field
from stellar_etl_airflow.model.tables import (
    ASSETS,
    CONFIG_SETTINGS,
    CONTRACT_CODE,
    CONTRACT_DATA,
    EFFECTS,
    OPERATIONS,
    RUN_DATE,
    TRANSACTIONS,
    TTL,
    Table,
)
from stellar_etl_airflow.sql.statement import identifier

_VIEW_IDS = {ASSETS: "history_assets_staging"}
"""View names that differ from the registry's table names."""

_RECORDS = {OPERATIONS: ("details", "ledgers_to_expire"), EFFECTS: ("details", "ledgers_to_expire")}
"""A record field that the network no longer has: the view returns NULL."""

_COLUMNS = {
    TRANSACTIONS: {
        "refundable_fee": "CAST(NULL AS INT64)",
        "application_order": "(`id` >> 12) & 1048575",
    },
    CONFIG_SETTINGS: {
        "min_temp_entry_ttl": "`min_temporary_ttl`",
        "min_persistent_entry_ttl": "`min_persistent_ttl`",
        "max_entries_to_ttl": "`max_entries_to_archive`",
    },
}
"""Columns of earlier releases: NULL if they no longer exist, or else the current equivalent."""

_EVICTED = (CONTRACT_DATA, CONTRACT_CODE, TTL)
"""The tables that have rows for evictions. The tables of earlier exporters have none."""


def compatibility_view_id(table: Table) -> str:
    """Return the name of the view on a loaded table."""
    return _VIEW_IDS.get(table, table.table_id)


def compatibility_view(table: Table, name: str, fields: Sequence[Field]) -> str:
    """Return the query of the view on a loaded table.

    `batch_run_date` is the close time of the row's ledger. Models that filter by it then find each row on the day of
    its ledger, whenever it was loaded.

    Args:
        table: the table.
        name: its quoted name.
        fields: its columns.
    """
    columns = [_column(table, field) for field in fields]
    columns += [f"{value} AS {identifier(column)}" for column, value in _COLUMNS.get(table, {}).items()]
    evicted = "\nWHERE NOT (`deleted` AND `last_modified_ledger` IS NULL)" if table in _EVICTED else ""
    listed = ",\n".join(f"  {column}" for column in columns)
    return f"SELECT\n{listed}\nFROM {name}{evicted}"


def _column(table: Table, field: Field) -> str:
    column = identifier(field["name"])
    if field["name"] == RUN_DATE:
        return f"DATETIME({identifier(table.closed_at_column)}) AS {column}"
    record, removed = _RECORDS.get(table, ("", ""))
    if field["name"] != record:
        return column
    parts = ", ".join(f"{column}.{identifier(part['name'])} AS {identifier(part['name'])}" for part in field["fields"])
    return f"IF({column} IS NULL, NULL, STRUCT({parts}, CAST(NULL AS INT64) AS {identifier(removed)})) AS {column}"
