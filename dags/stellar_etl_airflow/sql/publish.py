"""The SQL that publishes staged rows, and removes published ones. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from stellar_etl_airflow.model.partitions import Window
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import Publish, Table
from stellar_etl_airflow.sql.records import Columns, moved_rows, select_list
from stellar_etl_airflow.sql.statement import (
    Parameter,
    Statement,
    column_list,
    identifier,
    ledgers_parameters,
    ledgers_predicate,
    range_predicate,
    table_parameters,
)


def replace_range(
    table: Table, target: str, staging: str, columns: Columns, parameters: tuple[Parameter, ...]
) -> Statement:
    """Replaces the batch's ledgers in `target` by the rows of `staging`, a table or a query, in one statement.

    `ON FALSE` is BigQuery's constant false predicate: no join, so identical rows stay as many as they are, and
    `NOT MATCHED BY SOURCE` with constants on the partition column reads just those partitions
    (https://cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax#merge_statement).
    """
    sql = f"""\
MERGE {target} AS T
USING {moved_rows(staging, columns)} AS S
ON FALSE
WHEN NOT MATCHED BY SOURCE AND {range_predicate(table, "T")} THEN DELETE
WHEN NOT MATCHED THEN INSERT ({column_list(columns)}) VALUES ({column_list(columns)})"""
    return Statement(sql, parameters)


def keep_earliest(table: Table, target: str, staging: str, columns: Columns) -> Statement:
    """Inserts staged keys that are missing; a row that is there gives way only to one of an older ledger.

    Nothing is deleted by range: the row of a key may have come from any batch.
    """
    ledger = identifier(table.ledger_column)
    match = " AND ".join(f"T.{identifier(key)} = S.{identifier(key)}" for key in table.keys)
    update = ", ".join(
        f"{identifier(column)} = S.{identifier(column)}" for column in columns if column not in table.keys
    )
    sql = f"""\
MERGE {target} AS T
USING (
  SELECT {select_list(columns)}
  FROM {staging}
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY {column_list(table.keys)} ORDER BY {ledger}) = 1
) AS S
ON {match}
WHEN MATCHED AND S.{ledger} < T.{ledger} THEN UPDATE SET {update}
WHEN NOT MATCHED THEN INSERT ({column_list(columns)}) VALUES ({column_list(columns, "S")})"""
    return Statement(sql)


def publish(table: Table, target: str, staging: str, columns: Columns, parameters: tuple[Parameter, ...]) -> Statement:
    """The statement that publishes a staging table, as the registry says for this table."""
    if table.publish is Publish.KEEP_EARLIEST:
        return keep_earliest(table, target, staging, columns)
    return replace_range(table, target, staging, columns, parameters)


def delete_range(table: Table, target: str, ledgers: LedgerRange, window: Window = (None, None)) -> Statement:
    """Deletes a table's rows of a ledger range, both ends included.

    It goes by ledgers, because nothing says when ledgers closed whose rows may be wrong: it reads the ledger column of
    the whole table, or of a window of it.

    Args:
        table: the table.
        target: its quoted name.
        ledgers: the ledgers.
        window: the close times whose rows go; rows without a close time go with the window that has no first bound.
    """
    start, end = window
    closed_at, conditions, parameters = identifier(table.closed_at_column), [ledgers_predicate(table)], []
    if start is not None:
        conditions.append(f"{closed_at} >= @window_start")
        parameters.append(Parameter("window_start", "TIMESTAMP", start.isoformat()))
    if end is not None:
        before = f"{closed_at} < @window_end"
        conditions.append(before if start is not None else f"({before} OR {closed_at} IS NULL)")
        parameters.append(Parameter("window_end", "TIMESTAMP", end.isoformat()))
    sql = f"DELETE FROM {target} WHERE {' AND '.join(conditions)}"
    return Statement(sql, (*ledgers_parameters(ledgers), *parameters))


def count_rows(names: Mapping[str, tuple[Table, str]], ledgers: LedgerRange | None) -> Statement:
    """A row for each table, `table_id` and `row_count`: how many rows it has, of some ledgers or of all.

    Args:
        names: by what the result calls a table, the table, and its name in quotes; at least one.
        ledgers: the ledgers; None for all.
    """
    where = {table: f" WHERE {ledgers_predicate(table)}" if ledgers else "" for table, _ in names.values()}
    sql = "\nUNION ALL\n".join(
        f"SELECT @table_{number} AS table_id, COUNT(*) AS row_count FROM {name}{where[table]}"
        for number, (table, name) in enumerate(names.values())
    )
    return Statement(sql, (*table_parameters(names), *(ledgers_parameters(ledgers) if ledgers else ())))
