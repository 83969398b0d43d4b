"""The SQL of the report on tables, of the laptop or of a deployment: rows, gaps, duplicates. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, LEDGERS, Table
from stellar_etl_airflow.sql.statement import identifier, ledger_of_row

Names = Mapping[str, str]
"""The names of tables by data type; for missing types the registry's name is used."""
NO_NAMES: Names = {}


def name_of(table: Table, names: Names) -> str:
    """Return a table's name."""
    return names.get(table.data_type, table.table_id)


def closed_within(column: str, start: datetime, end: datetime) -> str:
    """Return SQL that is true for rows of ledgers that closed in [start, end), by constants on the partition column."""
    low, high = (moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (start, end))
    return f"{column} >= TIMESTAMP '{low}' AND {column} < TIMESTAMP '{high}'"


def totals_sql(table: Table, names: Names = NO_NAMES, times: tuple[datetime, datetime] | None = None) -> str:
    """Return the query of rows, ledgers and duplicates of a table, or of its ledgers that closed within some times."""
    ledger, keys = ledger_of_row(table), ", ".join(map(identifier, table.keys))
    where = f" WHERE {closed_within(table.closed_at_column, *times)}" if times else ""
    rows = f"`{name_of(table, names)}`{where}"
    distinct = f"(SELECT COUNT(*) FROM (SELECT DISTINCT {keys} FROM {rows}))"
    duplicates = f"COUNT(*) - {distinct}" if table.unique else "CAST(NULL AS INT64)"
    return (
        f"SELECT COUNT(*) AS row_count, MIN({ledger}) AS first_ledger, MAX({ledger}) AS last_ledger, "
        f"{duplicates} AS duplicates FROM {rows}"
    )


def gaps_sql(table: Table, start: datetime, end: datetime, names: Names = NO_NAMES) -> str | None:
    """Return the query of the number of missing or incomplete ledgers that closed in [start, end); None if unknown."""
    headers = f"FROM `{name_of(LEDGERS, names)}` WHERE {closed_within(LEDGERS.closed_at_column, start, end)}"
    if table is LEDGERS:
        missing = "MAX(sequence) - MIN(sequence) + 1 - COUNT(DISTINCT sequence)"
        return f"SELECT COALESCE({missing}, 1) AS gaps {headers}"
    if not table.header_count:
        return None
    return (
        f"SELECT COUNT(*) AS gaps FROM (SELECT sequence, {table.header_count} AS expected {headers}) AS a "
        f"FULL JOIN (SELECT {ledger_of_row(table)} AS sequence, COUNT(*) AS found FROM `{name_of(table, names)}` "
        f"WHERE {closed_within(table.closed_at_column, start, end)} GROUP BY 1) AS b ON a.sequence = b.sequence "
        "WHERE COALESCE(a.expected, -1) <> COALESCE(b.found, 0)"
    )


def loaded_ledgers_sql(requested: LedgerRange, names: Names = NO_NAMES) -> str:
    """Return the query of the number of ledgers of a range that have a row in the table of ledgers."""
    within = f"sequence BETWEEN {requested.start} AND {requested.end}"
    return f"SELECT COUNT(DISTINCT sequence) AS held FROM `{name_of(LEDGERS, names)}` WHERE {within}"


def loads_sql(table: Table, names: Names = NO_NAMES) -> str:
    """Return the query of a table's loaded ranges."""
    where = f"table_id = '{name_of(table, names)}'"
    return f"SELECT start_ledger, end_ledger FROM {BATCH_STATS_TABLE_ID} WHERE {where}"


def newest_close_sql() -> str:
    """Return the query of the latest loaded close time."""
    return f"SELECT MAX(last_closed_at) AS closed_at FROM {BATCH_STATS_TABLE_ID}"


def ledgers_within_sql(start: datetime, end: datetime, names: Names = NO_NAMES) -> str:
    """Return the query of the first and the last ledger that closed within some times."""
    within = closed_within(LEDGERS.closed_at_column, start, end)
    return f"SELECT MIN(sequence) AS first, MAX(sequence) AS last FROM `{name_of(LEDGERS, names)}` WHERE {within}"
