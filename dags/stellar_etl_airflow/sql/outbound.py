"""The SQL of outbound exports: snapshots, batches, receipts and outstanding batches. Pure.

A snapshot's rows and batches are written once and then only read. Each job that sends them therefore finds the same
batches with the same bytes and keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from stellar_etl_airflow.model.outbound import OUTBOUND_CLUSTERS, Delivery
from stellar_etl_airflow.model.partitions import BEGINNING
from stellar_etl_airflow.model.versions import OPEN_TIME
from stellar_etl_airflow.sql.statement import (
    AnyParameter,
    ArrayParameter,
    Parameter,
    Statement,
    column_list,
    identifier,
)

BATCHES_OF_A_BUCKET = 100
"""Approximate number of batches per hash bucket: BigQuery numbers the rows of each bucket on one worker."""

BATCH_FIELDS: list[dict[str, Any]] = [
    {"name": "batch", "type": "INTEGER", "mode": "REQUIRED"},
    {"name": "key", "type": "STRING", "mode": "REQUIRED"},
    {"name": "row_count", "type": "INTEGER", "mode": "REQUIRED"},
    {"name": "byte_count", "type": "INTEGER", "mode": "REQUIRED"},
    {"name": "sha256", "type": "STRING", "mode": "REQUIRED"},
    {"name": "body", "type": "STRING", "mode": "REQUIRED"},
]
"""The columns of a table of batches. The worker reads them from its files."""

RECEIPT_FIELDS: list[dict[str, Any]] = [
    {"name": "batch", "type": "INTEGER"},
    {"name": "key", "type": "STRING"},
    {"name": "ending", "type": "STRING"},
    {"name": "http_status", "type": "INTEGER"},
    {"name": "tries", "type": "INTEGER"},
    {"name": "row_count", "type": "INTEGER"},
    {"name": "byte_count", "type": "INTEGER"},
    {"name": "sha256", "type": "STRING"},
    {"name": "latency_ms", "type": "INTEGER"},
    {"name": "throttled_ms", "type": "INTEGER"},
    {"name": "job", "type": "STRING"},
    {"name": "sent_at", "type": "TIMESTAMP"},
]
"""The columns of a receipt, as the worker writes it."""

CLOSED_BETWEEN = ("first_closed_at", "last_closed_at")
"""The parameters of a delta export's query: bounds of the close times of its ledgers."""

_BATCH_COLUMNS = [field["name"] for field in BATCH_FIELDS]
_RECEIPT_COLUMNS = [field["name"] for field in RECEIPT_FIELDS]


def _delivery_parameters(delivery: Delivery) -> tuple[Parameter, ...]:
    return (
        Parameter("export", "STRING", delivery.export),
        Parameter("snapshot", "STRING", delivery.snapshot),
        Parameter("delivery", "STRING", delivery.name),
    )


def _snapshot_parameters(delivery: Delivery) -> tuple[Parameter, ...]:
    return _delivery_parameters(delivery)[:2]


def _is_delivery(alias: str) -> str:
    return f"{alias}.export = @export AND {alias}.snapshot = @snapshot AND {alias}.delivery = @delivery"


def _closes(alias: str) -> tuple[str, str]:
    """Return SQL of the first and last close time of a load; without known times, the bounds are unlimited."""
    first, last = (f"{alias}.{name}" for name in CLOSED_BETWEEN)
    return (
        f"COALESCE({first}, TIMESTAMP '{BEGINNING:%Y-%m-%d %H:%M:%S}+00')",
        f"COALESCE({last}, TIMESTAMP '{OPEN_TIME:%Y-%m-%d %H:%M:%S}+00')",
    )


def _unsent(loads: str, runs: str, stats: str) -> str:
    """Return the FROM clause of the loads of a table, as alias `s`, that no finished run of an export has sent."""
    return f"""\
FROM {stats} AS s
WHERE s.table_id = @table_id
  AND s.published_at IS NOT NULL
  AND NOT EXISTS (
    SELECT 1
    FROM {loads} AS l
    JOIN {runs} AS r ON r.export = l.export AND r.snapshot = l.snapshot AND r.delivery = l.snapshot
    WHERE l.export = @export
      AND l.start_ledger = s.start_ledger
      AND l.end_ledger = s.end_ledger
      AND l.published_at = s.published_at
  )"""


def closed_parameters(first: datetime, last: datetime) -> tuple[Parameter, ...]:
    """Return the parameters `CLOSED_BETWEEN` with bounds of the close times of a snapshot's ledgers."""
    moments = zip(CLOSED_BETWEEN, (first, last), strict=True)
    return tuple(Parameter(name, "TIMESTAMP", moment.isoformat()) for name, moment in moments)


def loads_closed(loads: str, runs: str, stats: str, table_id: str, delivery: Delivery) -> Statement:
    """Return one row: bounds of the close times of the ledgers for a snapshot; NULL if there are none.

    Args:
        loads: the quoted name of `outbound_loads`.
        runs: the quoted name of `outbound_runs`.
        stats: the quoted name of the batch stats.
        table_id: the table whose loads are followed.
        delivery: the delivery.
    """
    first, last = _closes("s")
    selected = f"SELECT MIN({first}) AS {CLOSED_BETWEEN[0]}, MAX({last}) AS {CLOSED_BETWEEN[1]}"
    parameters = (_delivery_parameters(delivery)[0], Parameter("table_id", "STRING", table_id))
    return Statement(f"{selected}\n{_unsent(loads, runs, stats)}", parameters)


def note_loads(
    loads: str, runs: str, stats: str, table_id: str, delivery: Delivery, closed: tuple[datetime, datetime]
) -> Statement:
    """Record the loads of a table that a snapshot includes: those that no finished run has sent.

    A load is identified by its range and its publication time. A range that is loaded again is therefore sent again,
    and a load that is recorded late is not skipped.

    Args:
        loads: the quoted name of `outbound_loads`.
        runs: the quoted name of `outbound_runs`.
        stats: the quoted name of the batch stats.
        table_id: the table whose loads are followed.
        delivery: the delivery.
        closed: the result of `loads_closed`. Later loads outside of these times are left to the next run.
    """
    first, last = _closes("s")
    sql = f"""\
INSERT INTO {loads} (export, snapshot, start_ledger, end_ledger, published_at)
SELECT @export, @snapshot, s.start_ledger, s.end_ledger, s.published_at
{_unsent(loads, runs, stats)}
  AND NOT EXISTS (SELECT 1 FROM {loads} AS mine WHERE mine.export = @export AND mine.snapshot = @snapshot)
  AND {first} >= @{CLOSED_BETWEEN[0]}
  AND {last} <= @{CLOSED_BETWEEN[1]}"""
    table = Parameter("table_id", "STRING", table_id)
    return Statement(sql, (*_snapshot_parameters(delivery), table, *closed_parameters(*closed)))


def every_column(source: str) -> str:
    """Return the query of all columns.

    Args:
        source: the quoted name of a table, or a query in brackets.
    """
    return f"SELECT * FROM {source}"


def every_closed_column(source: str, closed_at: str) -> str:
    """Return the query of all columns of a table's rows in ledgers that closed within `CLOSED_BETWEEN`.

    Args:
        source: the quoted name of the table.
        closed_at: its column with the close time.
    """
    first, last = CLOSED_BETWEEN
    return f"{every_column(source)} WHERE {identifier(closed_at)} BETWEEN @{first} AND @{last}"


def in_brackets(query: str) -> str:
    """Return a user's query in brackets, as a source of another query."""
    return f"(\n{query.strip().rstrip(';')}\n) AS source"


def select_all(query: str, columns: Sequence[str]) -> Statement:
    """Return the query of a full export's snapshot.

    Args:
        query: the export's query.
        columns: the columns that are sent.
    """
    return Statement(f"SELECT {column_list(columns, 'source')}\nFROM {in_brackets(query)}")


def select_loaded(
    query: str, columns: Sequence[str], delivery: Delivery, loads: str, ledger: str, closed: tuple[datetime, datetime]
) -> Statement:
    """Return the query of a delta export's snapshot: the rows of its loads.

    Args:
        query: the export's query, which uses the parameters `CLOSED_BETWEEN`.
        columns: the columns that are sent.
        delivery: the delivery.
        loads: the quoted name of `outbound_loads`.
        ledger: the query's column with the ledger.
        closed: bounds of the close times of the loads.
    """
    sql = f"""\
{select_all(query, columns).sql}
WHERE EXISTS (
  SELECT 1
  FROM {loads} AS l
  WHERE l.export = @export
    AND l.snapshot = @snapshot
    AND source.{identifier(ledger)} BETWEEN l.start_ledger AND l.end_ledger
)"""
    return Statement(sql, (*_snapshot_parameters(delivery), *closed_parameters(*closed)))


def take_snapshot(rows: str, columns: Sequence[str], selected: Statement) -> Statement:
    """Fill the table of a snapshot's rows, unless it already has rows.

    Args:
        rows: the quoted name of the table.
        columns: its columns.
        selected: the rows, as `select_all` or `select_loaded` returns them.
    """
    sql = f"""\
INSERT INTO {rows} ({column_list(columns)})
SELECT {column_list(columns, "fresh")}
FROM (
{selected.sql}
) AS fresh
WHERE NOT EXISTS (SELECT 1 FROM {rows})"""
    return Statement(sql, selected.parameters)


def _struct(columns: Sequence[str]) -> str:
    return f"TO_JSON_STRING(STRUCT({column_list(columns)}))"


def make_batches(
    batches: str, rows: str, key: Sequence[str], columns: Sequence[str], limits: Mapping[str, int], delivery: Delivery
) -> Statement:
    """Fill the table of a snapshot's batches, unless it already has some: one row per batch, with its JSON body.

    Rows are distributed over hash buckets by their key. Each bucket is split in key order where a batch would have too
    many bytes or rows. The same rows therefore always form the same batches.

    Args:
        batches: the quoted name of the table of batches.
        rows: the quoted name of the table of rows.
        key: the columns that identify a row.
        columns: the columns that are sent.
        limits: the maximum `rows` and `bytes` of a batch.
        delivery: the delivery; its export and snapshot are parts of the idempotency keys.
    """
    sql = f"""\
INSERT INTO {batches} ({column_list(_BATCH_COLUMNS)})
WITH lines AS (
  SELECT {_struct(key)} AS row_key, {_struct(columns)} AS line FROM {rows}
),
limits AS (
  SELECT
    GREATEST(1, DIV(COUNT(*), @most_rows * {BATCHES_OF_A_BUCKET})) AS buckets,
    -- The maximum size before the last row of a batch, so that the batch fits with it, including brackets and commas.
    GREATEST(1, @most_bytes - 1 - MAX(BYTE_LENGTH(line))) AS room
  FROM lines
),
sized AS (
  SELECT
    lines.row_key,
    lines.line,
    MOD(MOD(FARM_FINGERPRINT(lines.row_key), limits.buckets) + limits.buckets, limits.buckets) AS bucket,
    -- The share of a row in a batch: of its bytes or rows, whichever is larger. A full batch is room * most_rows.
    GREATEST((BYTE_LENGTH(lines.line) + 1) * @most_rows, limits.room) AS weight,
    limits.room
  FROM lines
  CROSS JOIN limits
),
cut AS (
  SELECT
    bucket,
    row_key,
    line,
    DIV(
      SUM(weight) OVER (PARTITION BY bucket ORDER BY row_key, line ROWS UNBOUNDED PRECEDING) - weight,
      room * @most_rows
    ) AS part
  FROM sized
),
bodies AS (
  SELECT
    bucket,
    part,
    COUNT(*) AS row_count,
    CONCAT('[', STRING_AGG(line, ',' ORDER BY row_key, line), ']') AS body
  FROM cut
  GROUP BY bucket, part
),
-- Number the batches without their bodies, because one worker numbers all batches.
numbers AS (
  SELECT bucket, part, ROW_NUMBER() OVER (ORDER BY bucket, part) AS batch
  FROM (SELECT DISTINCT bucket, part FROM cut)
)
SELECT
  numbers.batch,
  TO_HEX(SHA256(CONCAT(@export, '/', @snapshot, '/', CAST(numbers.batch AS STRING)))) AS key,
  bodies.row_count,
  BYTE_LENGTH(bodies.body) AS byte_count,
  TO_HEX(SHA256(bodies.body)) AS sha256,
  bodies.body
FROM bodies
JOIN numbers ON numbers.bucket = bodies.bucket AND numbers.part = bodies.part
WHERE NOT EXISTS (SELECT 1 FROM {batches})"""
    parameters = (
        Parameter("most_rows", "INT64", str(limits["rows"])),
        Parameter("most_bytes", "INT64", str(limits["bytes"])),
    )
    return Statement(sql, (*_snapshot_parameters(delivery), *parameters))


def count_rows(rows: str, key: Sequence[str], columns: Sequence[str]) -> Statement:
    """Return one row about a snapshot's rows: count, distinct keys, rows without a key, and the longest JSON."""
    null = " OR ".join(f"{identifier(column)} IS NULL" for column in key)
    sql = f"""\
SELECT
  COUNT(*) AS row_count,
  COUNT(DISTINCT {_struct(key)}) AS key_count,
  COUNTIF({null}) AS without_key,
  COALESCE(MAX(BYTE_LENGTH({_struct(columns)})), 0) AS longest
FROM {rows}"""
    return Statement(sql)


def count_batches(batches: str) -> Statement:
    """Return one row about a snapshot's batches: count, rows and bytes, and the first body."""
    sql = f"""\
SELECT
  COUNT(*) AS batch_count,
  COALESCE(SUM(row_count), 0) AS row_count,
  COALESCE(SUM(byte_count), 0) AS byte_count,
  MAX(IF(batch = 1, body, NULL)) AS first_body
FROM {batches}"""
    return Statement(sql)


def record_batches(recorded: str, batches: str, delivery: Delivery, at: str) -> Statement:
    """Write a snapshot's batches into `outbound_batches` once, without their bodies.

    Args:
        recorded: the quoted name of `outbound_batches`.
        batches: the quoted name of the snapshot's batches.
        delivery: the delivery.
        at: when the snapshot was taken.
    """
    columns = [column for column in _BATCH_COLUMNS if column != "body"]
    sql = f"""\
INSERT INTO {recorded} (export, snapshot, {column_list(columns)}, made_at)
SELECT @export, @snapshot, {column_list(columns, "b")}, @made_at
FROM {batches} AS b
WHERE NOT EXISTS (
  SELECT 1 FROM {recorded} AS r WHERE r.export = @export AND r.snapshot = @snapshot AND r.batch = b.batch
)"""
    return Statement(sql, (*_snapshot_parameters(delivery), Parameter("made_at", "TIMESTAMP", at)))


def replace_outstanding(outstanding: str, batches: str, deliveries: str, delivery: Delivery) -> Statement:
    """Replace the rows of the table of outstanding batches by one statement, so that a repeated job doubles none.

    The export's own delivery sends the batches without an outcome. A repeated delivery sends the batches that it names,
    or all batches that the receiver rejected and did not accept later. The set stays the same while some of them
    complete.

    Args:
        outstanding: the quoted name of the table.
        batches: the quoted name of the snapshot's batches.
        deliveries: the quoted name of `outbound_deliveries`.
        delivery: the delivery.
    """
    parameters: tuple[AnyParameter, ...] = _delivery_parameters(delivery)
    if not delivery.is_repeated:
        condition = f"NOT EXISTS (SELECT 1 FROM {deliveries} AS d WHERE {_is_delivery('d')} AND d.batch = b.batch)"
    elif delivery.batches is not None:
        condition = "b.batch IN UNNEST(@batches)"
        parameters = (ArrayParameter("batches", "INT64", tuple(map(str, delivery.batches))),)
    else:
        others = f"""SELECT 1 FROM {deliveries} AS d
    WHERE d.export = @export AND d.snapshot = @snapshot AND d.delivery != @delivery AND d.batch = b.batch"""
        condition = f"""\
EXISTS ({others} AND d.ending = 'dead')
  AND NOT EXISTS ({others} AND d.ending = 'delivered')"""
    sql = f"""\
MERGE {outstanding} AS T
USING (
  SELECT {column_list(_BATCH_COLUMNS, "b")}
  FROM {batches} AS b
  WHERE {condition}
) AS S
ON FALSE
WHEN NOT MATCHED BY SOURCE THEN DELETE
WHEN NOT MATCHED THEN INSERT ({column_list(_BATCH_COLUMNS)}) VALUES ({column_list(_BATCH_COLUMNS)})"""
    return Statement(sql, parameters)


def record_deliveries(deliveries: str, receipts: str, delivery: Delivery) -> Statement:
    """Write loaded receipts into `outbound_deliveries`, once per batch of a delivery.

    Args:
        deliveries: the quoted name of `outbound_deliveries`.
        receipts: the quoted name of the table that the receipts were loaded into.
        delivery: the delivery.
    """
    sql = f"""\
INSERT INTO {deliveries} (export, snapshot, delivery, {column_list(_RECEIPT_COLUMNS)})
SELECT @export, @snapshot, @delivery, {column_list(_RECEIPT_COLUMNS, "r")}
FROM {receipts} AS r
WHERE NOT EXISTS (SELECT 1 FROM {deliveries} AS d WHERE {_is_delivery("d")} AND d.batch = r.batch)"""
    return Statement(sql, _delivery_parameters(delivery))


def check_deliveries(expected: str, deliveries: str, delivery: Delivery) -> Statement:
    """Return one row: the outcomes of a delivery, compared batch by batch.

    `missing` have no outcome, `wrong` have another key or digest than the batch, `foreign_count` belong to no batch,
    and `repeated` have more than one outcome.

    Args:
        expected: the quoted name of the table of batches that had to be sent.
        deliveries: the quoted name of `outbound_deliveries`.
        delivery: the delivery.
    """
    sql = f"""\
WITH expected AS (
  SELECT batch, key, sha256, row_count FROM {expected}
),
ended AS (
  SELECT batch, MIN(key) AS key, MIN(sha256) AS sha256, MIN(ending) AS ending, COUNT(*) AS endings
  FROM {deliveries} AS d
  WHERE {_is_delivery("d")}
  GROUP BY batch
)
SELECT
  COUNT(x.batch) AS batch_count,
  COUNTIF(x.batch IS NOT NULL AND e.ending = 'delivered') AS delivered,
  COUNTIF(x.batch IS NOT NULL AND e.ending = 'dead') AS dead,
  COUNTIF(x.batch IS NOT NULL AND e.ending = 'in_doubt') AS in_doubt,
  COUNTIF(e.batch IS NULL) AS missing,
  COUNTIF(x.batch IS NULL) AS foreign_count,
  COUNTIF(x.key != e.key OR x.sha256 != e.sha256) AS wrong,
  COUNTIF(e.endings > 1) AS repeated,
  COALESCE(SUM(IF(e.ending = 'delivered', x.row_count, 0)), 0) AS delivered_rows,
  STRING_AGG(IF(e.batch IS NULL, CAST(x.batch AS STRING), NULL), ', ' ORDER BY x.batch LIMIT 10) AS missing_batches,
  STRING_AGG(IF(e.ending = 'dead', CAST(x.batch AS STRING), NULL), ', ' ORDER BY x.batch LIMIT 10) AS dead_batches,
  STRING_AGG(IF(e.ending = 'in_doubt', CAST(x.batch AS STRING), NULL), ', ' ORDER BY x.batch LIMIT 10) AS doubted
FROM expected AS x
FULL JOIN ended AS e ON e.batch = x.batch"""
    return Statement(sql, _delivery_parameters(delivery))


RUN_TYPES = {
    "run_id": "STRING",
    "mode": "STRING",
    "sink": "STRING",
    "started_at": "TIMESTAMP",
    "finished_at": "TIMESTAMP",
    "row_count": "INT64",
    "batch_count": "INT64",
    "byte_count": "INT64",
    "delivered": "INT64",
    "dead": "INT64",
    "in_doubt": "INT64",
    "retries": "INT64",
    "throttled_seconds": "INT64",
    "batch_bytes_min": "INT64",
    "batch_bytes_mean": "FLOAT64",
    "batch_bytes_max": "INT64",
    "latency_ms_min": "INT64",
    "latency_ms_mean": "FLOAT64",
    "latency_ms_max": "INT64",
    "job_count": "INT64",
    "vcpu_hours": "FLOAT64",
    "gb_hours": "FLOAT64",
    "shuffle_gb": "FLOAT64",
    "bytes_billed": "INT64",
    "estimated_cost": "NUMERIC",
}
"""The columns of `outbound_runs` besides its keys, with their types in BigQuery."""


def record_run(runs: str, delivery: Delivery, values: Mapping[str, Any]) -> Statement:
    """Write the row of a delivery, and replace the row of an earlier try.

    Args:
        runs: the quoted name of `outbound_runs`.
        delivery: the delivery.
        values: the columns; missing ones are NULL.

    Raises:
        KeyError: a column does not exist.
    """
    keys = OUTBOUND_CLUSTERS["outbound_runs"]
    parameters = [
        Parameter(name, RUN_TYPES[name], None if value is None else str(value)) for name, value in values.items()
    ]
    every = [*_delivery_parameters(delivery), *parameters]
    selected = ", ".join(f"@{one.name} AS {identifier(one.name)}" for one in every)
    match = " AND ".join(f"T.{identifier(key)} = S.{identifier(key)}" for key in keys)
    update = ", ".join(f"{identifier(one.name)} = S.{identifier(one.name)}" for one in parameters)
    names = [one.name for one in every]
    sql = f"""\
MERGE {runs} AS T
USING (SELECT {selected}) AS S
ON {match}
WHEN MATCHED THEN UPDATE SET {update}
WHEN NOT MATCHED THEN INSERT ({column_list(names)}) VALUES ({column_list(names, "S")})"""
    return Statement(sql, tuple(every))
