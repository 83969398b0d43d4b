"""The SQL of audits: compare the rows of a new export with published rows, and record the result. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from stellar_etl_airflow.model.coverage import Fault
from stellar_etl_airflow.model.schema import Field
from stellar_etl_airflow.model.tables import Publish, Table
from stellar_etl_airflow.sql.digests import certified_fields, exact_form
from stellar_etl_airflow.sql.records import Columns, select_list
from stellar_etl_airflow.sql.statement import (
    Parameter,
    RowsParameter,
    Statement,
    column_list,
    identifier,
    ledger_of_row,
    range_predicate,
    since_parameter,
)


def complete_ranges_of_datasets(ranges: str) -> Statement:
    """Return the complete ranges of each dataset: `dataset`, `complete_from` and `complete_through`.

    Args:
        ranges: the quoted name of the view of complete ranges.
    """
    return Statement(
        f"SELECT dataset, complete_from, complete_through FROM {ranges} WHERE table_id IS NULL "
        "ORDER BY dataset, complete_from"
    )


def key_of(table: Table) -> tuple[str, ...]:
    """Return the columns by which a missing row and an extra row are paired as one row that differs.

    If rows may be identical, the keys cover most of the row; then only the first key is used.
    """
    return table.keys if table.unique else table.keys[:1]


def _earliest(table: Table, published: str, exported: str) -> str:
    """Return the exported rows whose key has no older published row, which the table would keep."""
    keys, ledger = column_list(table.keys), identifier(table.ledger_column)
    same = " AND ".join(f"p.{identifier(key)} = e.{identifier(key)}" for key in table.keys)
    return f"""\
(
      SELECT e.* FROM (
        SELECT * FROM {exported} WHERE TRUE
        QUALIFY ROW_NUMBER() OVER (PARTITION BY {keys} ORDER BY {ledger}) = 1
      ) AS e
      LEFT JOIN (SELECT {keys}, {ledger} FROM {published}) AS p ON {same} AND p.{ledger} < e.{ledger}
      WHERE p.{ledger} IS NULL
    )"""


def compare_rows(
    table: Table,
    published: str,
    exported: str,
    fields: Sequence[Field],
    columns: Columns,
    parameters: tuple[Parameter, ...],
) -> Statement:
    """Compare the published rows of a ledger range with those of a new export, row by row.

    Returns `fault`, `start_ledger`, `end_ledger`, `found` and `differing_columns`: one row per fault and contiguous run
    of ledgers. Equal rows cancel each other out, as many times as they occur. Of the rest, an exported and a published
    row of the same ledger and key count as one row that differs. Columns that describe the load are ignored.

    Args:
        table: the table of the registry.
        published: its quoted name.
        exported: the quoted name of the staging table, which has exactly the rows of these ledgers.
        fields: the columns of the schema file.
        columns: the columns of the published table, in the format of the staging table.
        parameters: `range_parameters`.
    """
    compared = certified_fields(fields)
    names = [f"c{number}" for number in range(len(compared))]
    places = {field["name"]: name for name, field in zip(names, compared, strict=True)}
    every, key = ", ".join(names), ", ".join(places[column] for column in key_of(table))
    forms = ",\n    ".join(
        f"{exact_form(field, 't.' + identifier(field['name']))} AS {name}"
        for name, field in zip(names, compared, strict=True)
    )
    source, extra = exported, Fault.EXTRA_ROWS
    if table.publish is Publish.KEEP_EARLIEST:
        source, extra = _earliest(table, published, exported), Fault.KEPT_ROWS
    own = {field["name"]: columns[field["name"]] for field in compared}
    differs = ",\n    ".join(
        f"MIN(IF(copies > 0, {name}, NULL)) <> MIN(IF(copies < 0, {name}, NULL)) "
        f"OR MAX(IF(copies > 0, {name}, NULL)) <> MAX(IF(copies < 0, {name}, NULL)) AS d{number}"
        for number, name in enumerate(names)
    )
    any_differs = ", ".join(f"LOGICAL_OR(d{number}) AS d{number}" for number in range(len(names)))
    named = ", ".join(
        f"IF(fault = '{Fault.DIFFERENT_ROWS}' AND LOGICAL_OR(d{number}), '{field['name']}', NULL)"
        for number, field in enumerate(compared)
    )
    sql = f"""\
WITH unequal AS (
  SELECT ledger, {every}, SUM(side) AS copies
  FROM (
    SELECT {ledger_of_row(table)} AS ledger, side,
    {forms}
    FROM (
      SELECT 1 AS side, {column_list(own)} FROM {source}
      UNION ALL
      SELECT -1 AS side, {select_list(own)} FROM {published} WHERE {range_predicate(table)}
    ) AS t
  )
  GROUP BY ledger, {every}
  HAVING SUM(side) <> 0
),
by_key AS (
  SELECT ledger, SUM(GREATEST(copies, 0)) AS exported, SUM(GREATEST(-copies, 0)) AS published,
    {differs}
  FROM unequal
  GROUP BY ledger, {key}
),
by_ledger AS (
  SELECT ledger, SUM(GREATEST(exported - published, 0)) AS missing, SUM(GREATEST(published - exported, 0)) AS extra,
    SUM(LEAST(exported, published)) AS different, {any_differs}
  FROM by_key
  GROUP BY ledger
),
by_fault AS (
  SELECT fault, b.*, CASE fault WHEN '{Fault.MISSING_ROWS}' THEN b.missing WHEN '{extra}' THEN b.extra
    ELSE b.different END AS row_count
  FROM by_ledger AS b
  CROSS JOIN UNNEST(['{Fault.MISSING_ROWS}', '{extra}', '{Fault.DIFFERENT_ROWS}']) AS fault
)
SELECT fault, MIN(ledger) AS start_ledger, MAX(ledger) AS end_ledger, SUM(row_count) AS found,
  NULLIF(ARRAY_TO_STRING([{named}], ', '), '') AS differing_columns
FROM (
  SELECT f.*, f.ledger - ROW_NUMBER() OVER (PARTITION BY f.fault ORDER BY f.ledger) AS island
  FROM by_fault AS f
  WHERE f.row_count > 0
)
GROUP BY fault, island
ORDER BY start_ledger, fault"""
    return Statement(sql, parameters)


AUDIT_TYPES = {
    "dataset": "STRING",
    "table_id": "STRING",
    "row_count": "INT64",
    "missing_rows": "INT64",
    "extra_rows": "INT64",
    "different_rows": "INT64",
    "differing_columns": "STRING",
}
"""The columns that differ between the rows of one audit, with their types in BigQuery."""

AUDIT_RUN_TYPES = {
    "run_id": "STRING",
    "audited_at": "TIMESTAMP",
    "start_ledger": "INT64",
    "end_ledger": "INT64",
    "is_healed": "BOOL",
    "complete_ledgers": "INT64",
    "runs_per_year": "FLOAT64",
    "detection_probability": "FLOAT64",
}
"""The columns that are the same in all rows of one audit."""


def record_audit(
    target: str, audited_at: datetime, run: Mapping[str, str | None], rows: Sequence[Mapping[str, str | None]]
) -> Statement:
    """Write one row per table and dataset of an audit, and replace the rows of an earlier try of the run.

    Args:
        target: the quoted name of the table `ledger_audits`.
        audited_at: when the run finished comparing all tables.
        run: the text of each other column of `AUDIT_RUN_TYPES`.
        rows: the text of each column of `AUDIT_TYPES`.
    """
    names = column_list((*AUDIT_RUN_TYPES, *AUDIT_TYPES))
    given = ", ".join(f"@{name} AS {name}" for name in AUDIT_RUN_TYPES)
    sql = f"""\
MERGE {target} AS T
USING (
  SELECT {given}, {column_list(AUDIT_TYPES, "audit")}
  FROM UNNEST(@audits) AS audit
) AS S
ON FALSE
WHEN NOT MATCHED BY SOURCE AND T.run_id = @run_id THEN DELETE
WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({names})"""
    values = {**run, "audited_at": audited_at.isoformat()}
    parameters = tuple(Parameter(name, type_, values[name]) for name, type_ in AUDIT_RUN_TYPES.items())
    texts = tuple(tuple(row[name] for name in AUDIT_TYPES) for row in rows)
    return Statement(sql, (*parameters, RowsParameter("audits", tuple(AUDIT_TYPES.items()), texts)))


def last_audits(audits: str, since: datetime) -> Statement:
    """Return one row per audit since a time, latest first, with totals over tables and datasets.

    Args:
        audits: the quoted name of the table `ledger_audits`.
        since: the time.
    """
    return Statement(
        "SELECT run_id, MAX(audited_at) AS audited_at, MIN(start_ledger) AS start_ledger, MAX(end_ledger) AS "
        "end_ledger, COUNT(DISTINCT table_id) AS table_count, SUM(row_count) AS row_count, SUM(missing_rows) AS "
        "missing_rows, SUM(extra_rows) AS extra_rows, SUM(different_rows) AS different_rows, LOGICAL_OR(is_healed) "
        f"AS is_healed, MAX(detection_probability) AS detection_probability FROM {audits} "
        "WHERE audited_at >= @since GROUP BY run_id ORDER BY audited_at DESC",
        (since_parameter(since),),
    )
