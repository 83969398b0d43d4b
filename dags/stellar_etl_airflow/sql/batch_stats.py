"""The SQL that writes and removes batch stats. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID
from stellar_etl_airflow.sql.statement import (
    RowsParameter,
    Statement,
    column_list,
    identifier,
    ledgers_parameters,
    listed,
    table_parameters,
)

STATS_KEYS = ("table_id", "start_ledger", "end_ledger")
"""What identifies a row of the batch stats: a repeated load of the same range rewrites its row."""


STATS_TYPES = {
    "table_id": "STRING",
    "start_ledger": "INT64",
    "end_ledger": "INT64",
    "ledgers": "INT64",
    "row_count": "INT64",
    "byte_count": "INT64",
    "first_closed_at": "TIMESTAMP",
    "last_closed_at": "TIMESTAMP",
    "dag_id": "STRING",
    "batch_id": "STRING",
    "batch_run_date": "DATETIME",
    "attempt": "STRING",
    "exported_at": "TIMESTAMP",
    "loaded_at": "TIMESTAMP",
    "published_at": "TIMESTAMP",
    "bytes_processed": "INT64",
    "bytes_billed": "INT64",
    "estimated_cost": "NUMERIC",
}
"""The columns of a row, with their types in BigQuery; the schema file describes them."""


def stats_row(ledgers: LedgerRange, values: Mapping[str, Any]) -> dict[str, str]:
    """A row of the batch stats: the text of each column's value.

    Args:
        ledgers: the range that was published.
        values: the other columns; one that is left out stays NULL.

    Raises:
        KeyError: there is no such column.
    """
    row = {"start_ledger": ledgers.start, "end_ledger": ledgers.end, **values}
    if unknown := row.keys() - STATS_TYPES.keys():
        raise KeyError(f"{BATCH_STATS_TABLE_ID} has no column {', '.join(sorted(unknown))}")
    return {name: str(value) for name, value in row.items()}


def upsert_stats(target: str, rows: Sequence[Mapping[str, str]]) -> Statement:
    """Writes rows into the batch stats, each over the row of the same table and range if there is one.

    One statement for all tables of a batch: BigQuery runs 2 mutating statements of a table at a time and queues 20
    (https://cloud.google.com/bigquery/docs/data-manipulation-language#concurrent_jobs).

    Args:
        target: the quoted name of the table `history_archives_dag_runs`.
        rows: the rows, each as `stats_row` makes it; a column that a row does not have becomes NULL.

    Raises:
        ValueError: two rows are of the same table and range, or a row does not say which these are.
    """
    keys = [tuple(row.get(key) for key in STATS_KEYS) for row in rows]
    if any(None in key for key in keys) or len(set(keys)) < len(keys):
        raise ValueError(f"the rows of {BATCH_STATS_TABLE_ID} need {', '.join(STATS_KEYS)}, each row its own: {keys}")
    names = [name for name in STATS_TYPES if any(name in row for row in rows)]
    match = " AND ".join(f"T.{identifier(key)} = S.{identifier(key)}" for key in STATS_KEYS)
    update = ", ".join(f"{identifier(name)} = S.{identifier(name)}" for name in names if name not in STATS_KEYS)
    sql = f"""\
MERGE {target} AS T
USING (SELECT {column_list(names, "entry")} FROM UNNEST(@entries) AS entry) AS S
ON {match}
WHEN MATCHED THEN UPDATE SET {update}
WHEN NOT MATCHED THEN INSERT ({column_list(names)}) VALUES ({column_list(names, "S")})"""
    columns = tuple((name, STATS_TYPES[name]) for name in names)
    return Statement(sql, (RowsParameter("entries", columns, tuple(tuple(map(row.get, names)) for row in rows)),))


def forget_stats(stats: str, table_ids: Sequence[str], ledgers: LedgerRange | None) -> Statement:
    """Deletes the batch stats of tables: of all loads, or of those that lie within a range of ledgers.

    Args:
        stats: the quoted name of the table `history_archives_dag_runs`.
        table_ids: the names of the tables, at least one.
        ledgers: the range; None for all.
    """
    named = table_parameters(table_ids)
    sql = f"DELETE FROM {stats} WHERE table_id IN ({listed(named)})"
    if ledgers is None:
        return Statement(sql, named)
    sql += " AND start_ledger >= @start_ledger AND end_ledger <= @end_ledger"
    return Statement(sql, (*named, *ledgers_parameters(ledgers)))
