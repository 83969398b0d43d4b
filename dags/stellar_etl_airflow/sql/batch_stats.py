"""The SQL that writes and deletes batch stats. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, EXPORTED_AT, Table
from stellar_etl_airflow.sql.statement import (
    Parameter,
    RowsParameter,
    Statement,
    column_list,
    identifier,
    ledger_of_row,
    ledgers_parameters,
    listed,
    since_parameter,
    table_name,
    table_parameters,
)

STATS_KEYS = ("table_id", "start_ledger", "end_ledger")
"""The keys of a row of the batch stats. A repeated load of the same range rewrites its row."""


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
    "cpu_seconds": "FLOAT64",
    "memory_gib_seconds": "FLOAT64",
    "pod_cost": "NUMERIC",
    "stored_bytes": "INT64",
    "storage_cost": "NUMERIC",
    "rows_per_ledger": "STRING",
    "left_out": "STRING",
}
"""The columns of a row, with their types in BigQuery. The schema file describes them."""


LOADED_AT = "COALESCE({0}.exported_at, {0}.published_at)"
"""The order of the loads of a ledger: rows of an older export attempt never replace those of a newer one. Rows that
were copied from another deployment have no attempt."""

ROWS_PER_LEDGER = "rows_per_ledger"
"""The column with the number of rows in each ledger of a load; also the key of this text in a check's result."""


LEDGER_COUNTS = "ledger_counts"
"""The column with the result of `ledger_counts`."""

MOST_COUNTED = 1 << 17
"""Loads of more ledgers store no row counts per ledger, because the request to BigQuery would be too large."""


def ledger_counts(table: Table, source: str, where: str = "TRUE") -> str:
    """Return a query of one text, the row count per ledger in the order of ledgers: `3:17,5:2`; NULL without rows.

    Args:
        table: the table of the registry.
        source: the quoted name of the table whose rows are counted.
        where: the condition of the rows to count.
    """
    counts = f"SELECT {ledger_of_row(table)} AS ledger, COUNT(*) AS found FROM {source} WHERE {where} GROUP BY 1"
    text = "STRING_AGG(CONCAT(CAST(ledger AS STRING), ':', CAST(found AS STRING)), ',' ORDER BY ledger)"
    return f"SELECT {text} FROM ({counts})"


def rows_per_ledger(by_ledger: str, ledgers: LedgerRange) -> str:
    """Return the column's value: the row count of each ledger of a range, in order: `17,0,2`; empty if it is too long.

    Args:
        by_ledger: the row counts as `ledger_counts` returns them: `3:17,5:2`.
        ledgers: the range.
    """
    if ledgers.end - ledgers.start >= MOST_COUNTED:
        return ""
    found = dict(one.split(":") for one in by_ledger.split(",")) if by_ledger else {}
    return ",".join(found.get(str(ledger), "0") for ledger in range(ledgers.start, ledgers.end + 1))


def stats_row(ledgers: LedgerRange, values: Mapping[str, Any]) -> dict[str, str]:
    """Return a row of the batch stats: the text of each column's value.

    Args:
        ledgers: the published range.
        values: the other columns; missing ones stay NULL.

    Raises:
        KeyError: a column does not exist.
    """
    row = {"start_ledger": ledgers.start, "end_ledger": ledgers.end, **values}
    if unknown := row.keys() - STATS_TYPES.keys():
        raise KeyError(f"{BATCH_STATS_TABLE_ID} has no column {', '.join(sorted(unknown))}")
    return {name: str(value) for name, value in row.items()}


def upsert_stats(target: str, rows: Sequence[Mapping[str, str]]) -> Statement:
    """Write rows into the batch stats, and replace rows of the same table and range.

    It is one statement for all tables of a batch: BigQuery runs 2 mutating statements of a table at a time and queues
    20 (https://cloud.google.com/bigquery/docs/data-manipulation-language#concurrent_jobs).

    Args:
        target: the quoted name of the table `history_archives_dag_runs`.
        rows: the rows as `stats_row` makes them; missing columns become NULL.

    Raises:
        ValueError: two rows have the same table and range, or a row lacks them.
    """
    keys = [tuple(row.get(key) for key in STATS_KEYS) for row in rows]
    if any(None in key for key in keys) or len(set(keys)) < len(keys):
        raise ValueError(f"rows of {BATCH_STATS_TABLE_ID} need distinct values of {', '.join(STATS_KEYS)}: {keys}")
    names = [name for name in STATS_TYPES if any(name in row for row in rows)]
    match = " AND ".join(f"T.{identifier(key)} = S.{identifier(key)}" for key in STATS_KEYS)
    update = ", ".join(f"{identifier(name)} = S.{identifier(name)}" for name in names if name not in STATS_KEYS)
    # Keep the row of a newer export attempt, whose rows are the published ones.
    as_new = " AND COALESCE(S.exported_at >= T.exported_at, TRUE)" if "exported_at" in names else ""
    sql = f"""\
MERGE {target} AS T
USING (SELECT {column_list(names, "entry")} FROM UNNEST(@entries) AS entry) AS S
ON {match}
WHEN MATCHED{as_new} THEN UPDATE SET {update}
WHEN NOT MATCHED THEN INSERT ({column_list(names)}) VALUES ({column_list(names, "S")})"""
    columns = tuple((name, STATS_TYPES[name]) for name in names)
    return Statement(sql, (RowsParameter("entries", columns, tuple(tuple(map(row.get, names)) for row in rows)),))


def publish_corrected(
    stats: str, table: Table, name: str, table_id: str, published_at: str, parameters: tuple[Parameter, ...]
) -> Statement:
    """Mark the ranges of a table as published again whose later rows a run has corrected.

    Tables that are derived from this one then derive these ranges again.

    Args:
        stats: the quoted name of the table `history_archives_dag_runs`.
        table: a table with a chain of rows per entry.
        name: its quoted name.
        table_id: its name in the batch stats.
        published_at: when the run published its rows.
        parameters: `batch_parameters` of the run, and `exported_at`, which identifies its rows.
    """
    ledger, closed_at = identifier(table.ledger_column), identifier(table.closed_at_column)
    sql = f"""\
MERGE {stats} AS T
USING (
  SELECT DISTINCT s.start_ledger, s.end_ledger
  FROM {stats} AS s
  JOIN (
    SELECT DISTINCT {ledger} AS ledger
    FROM {name}
    WHERE {ledger} > @end_ledger AND {closed_at} BETWEEN @last_closed_at AND @newest_closed_at
      AND {identifier(EXPORTED_AT)} = @exported_at
  ) AS c
  ON c.ledger BETWEEN s.start_ledger AND s.end_ledger
  WHERE s.table_id = @table_id
) AS S
ON T.table_id = @table_id AND T.start_ledger = S.start_ledger AND T.end_ledger = S.end_ledger
WHEN MATCHED AND T.published_at < @published_at THEN UPDATE SET published_at = @published_at"""
    own = (Parameter("table_id", "STRING", table_id), Parameter("published_at", "TIMESTAMP", published_at))
    return Statement(sql, (*parameters, *own))


def left_out_rows(stats: str, table: str) -> str:
    """Return a query of `sequence` and `left_out`: the number of rows that the last load of each ledger skipped.

    Args:
        stats: the quoted name of the table `history_archives_dag_runs`.
        table: SQL of the table's name.
    """
    return f"""\
SELECT CAST(one AS INT64) AS sequence, COUNT(*) AS left_out
FROM {stats} AS load
CROSS JOIN UNNEST(SPLIT(load.left_out)) AS one
LEFT JOIN {stats} AS later
ON later.table_id = load.table_id AND {LOADED_AT.format("later")} > {LOADED_AT.format("load")}
  AND CAST(one AS INT64) BETWEEN later.start_ledger AND later.end_ledger
WHERE load.table_id = {table} AND later.table_id IS NULL
GROUP BY 1"""


def forget_stats(stats: str, table_ids: Sequence[str], ledgers: LedgerRange | None) -> Statement:
    """Delete the batch stats of tables: of all loads, or of loads within a range of ledgers.

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


def _sum_of(*columns: str) -> str:
    """Return the sum of columns over rows. Rows of older releases have NULL in some."""
    return " + ".join(f"COALESCE(SUM({column}), 0)" for column in columns)


COST = _sum_of("estimated_cost", "pod_cost", "storage_cost")
"""The cost of loads: queries, pods, and storage for a month."""


def jobs_view(project: str, location: str) -> str:
    """Return the quoted name of BigQuery's view of all jobs of a project in a location.

    See https://cloud.google.com/bigquery/docs/information-schema-jobs. It requires `bigquery.jobs.listAll`.

    Raises:
        ValueError: a part has invalid characters.
    """
    return f"{table_name(project, f'region-{location.lower()}', 'INFORMATION_SCHEMA')[:-1]}.JOBS_BY_PROJECT`"


def billed_since(jobs: str, dataset: str, today: datetime) -> Statement:
    """Return the bytes billed for the jobs of a dataset since a time (`bytes_billed`), including failed jobs.

    Args:
        jobs: the quoted name of the view, as `jobs_view` returns it.
        dataset: the value of the label `stellar_dataset` of these jobs.
        today: the time.
    """
    sql = f"""\
SELECT COALESCE(SUM(total_bytes_billed), 0) AS bytes_billed
FROM {jobs}
WHERE creation_time >= @today AND EXISTS (
  SELECT 1 FROM UNNEST(labels) AS label WHERE label.key = 'stellar_dataset' AND label.value = @dataset
)"""
    return Statement(sql, (Parameter("dataset", "STRING", dataset), Parameter("today", "TIMESTAMP", today.isoformat())))


def spent(stats: str, dag_id: str, today: datetime, since: datetime) -> Statement:
    """Return today's cost of pods and storage (`spent`), and the cost per ledger of a DAG's loads (`cost_per_ledger`).

    Args:
        stats: the quoted name of the table `history_archives_dag_runs`.
        dag_id: the DAG.
        today: the start of the day.
        since: the start of the loads from which the cost per ledger is estimated.
    """
    sql = f"""\
SELECT
  COALESCE(SUM(IF(published_at >= @today, beside_queries, 0)), 0) AS spent,
  COALESCE(SAFE_DIVIDE(SUM(IF(dag_id = @dag_id, cost, 0)), SUM(IF(dag_id = @dag_id, ledgers, 0))), 0) AS cost_per_ledger
FROM (
  SELECT dag_id, start_ledger, end_ledger, end_ledger - start_ledger + 1 AS ledgers,
    MAX(published_at) AS published_at, CAST({COST} AS FLOAT64) AS cost,
    CAST({_sum_of("pod_cost", "storage_cost")} AS FLOAT64) AS beside_queries
  FROM {stats}
  WHERE published_at >= LEAST(@today, @since)
  GROUP BY dag_id, start_ledger, end_ledger
)"""
    moments = {"today": today, "since": since}
    parameters = [Parameter(name, "TIMESTAMP", moment.isoformat()) for name, moment in moments.items()]
    return Statement(sql, (Parameter("dag_id", "STRING", dag_id), *parameters))


COST_COLUMNS = f"""\
ROUND(SUM(bytes_billed) / POW(1024, 3), 3) AS gib_billed,
  ROUND(SUM(estimated_cost), 4) AS queries, ROUND({_sum_of("pod_cost")}, 4) AS pods,
  ROUND({_sum_of("storage_cost")}, 4) AS storage, ROUND({COST}, 4) AS cost"""
"""Columns with the cost of loads: parts and total."""


def costs_by_table(stats: str, since: datetime) -> Statement:
    """Return the cost of loads by table, highest first.

    Args:
        stats: the quoted name of the table `history_archives_dag_runs`.
        since: the start of the loads.
    """
    sql = f"""\
SELECT table_id, COUNT(*) AS loads, {COST_COLUMNS}
FROM {stats}
WHERE published_at >= @since
GROUP BY table_id
ORDER BY cost DESC, table_id"""
    return Statement(sql, (since_parameter(since),))


def loads_by_table(stats: str, since: datetime) -> Statement:
    """Return the loads since a time, by table: `row_count`, `byte_count` and `cost`.

    Args:
        stats: the quoted name of the table `history_archives_dag_runs`.
        since: the start of the loads.
    """
    sql = f"""\
SELECT table_id, COALESCE(SUM(row_count), 0) AS row_count, COALESCE(SUM(byte_count), 0) AS byte_count,
  COALESCE({COST}, 0) AS cost
FROM {stats}
WHERE published_at >= @since
GROUP BY table_id
ORDER BY table_id"""
    return Statement(sql, (since_parameter(since),))


def costs_by_day(stats: str, since: datetime) -> Statement:
    """Return the cost of loads by day and DAG, latest first.

    Args:
        stats: the quoted name of the table `history_archives_dag_runs`.
        since: the start of the loads.
    """
    sql = f"""\
SELECT DATE(published_at) AS day, dag_id, COUNT(*) AS loads, SUM(row_count) AS row_count, {COST_COLUMNS}
FROM {stats}
WHERE published_at >= @since
GROUP BY day, dag_id
ORDER BY day DESC, cost DESC, dag_id"""
    return Statement(sql, (since_parameter(since),))
