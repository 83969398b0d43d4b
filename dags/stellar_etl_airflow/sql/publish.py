"""The SQL that publishes staged rows, and deletes published ones. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stellar_etl_airflow.model.partitions import Window
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import BATCH_COLUMNS, EXPORTED_AT, RUN_DATE, Publish, Table
from stellar_etl_airflow.sql.records import Columns, moved_rows, select_list
from stellar_etl_airflow.sql.statement import (
    Parameter,
    Statement,
    column_list,
    identifier,
    ledgers_parameters,
    ledgers_predicate,
    outside_parameters,
    outside_predicate,
    range_predicate,
    table_parameters,
)


@dataclass(frozen=True)
class Attempt:
    """The export attempt whose rows are published, and the ledgers that newer attempts have published.

    Attributes:
        started_at: its start, RFC 3339: `batch_insert_ts` of its rows.
        newer: the ledgers of newer attempts.
    """

    started_at: str
    newer: Sequence[LedgerRange] = ()

    @property
    def parameter(self) -> Parameter:
        """The parameter of `_OLDER`."""
        return Parameter("exported_at", "TIMESTAMP", self.started_at)


_OLDER = "(T.{0} <= @exported_at OR T.{0} IS NULL)".format(identifier(EXPORTED_AT))
"""SQL that is true for published rows of this attempt, of older ones, and of unknown ones."""


def _same_keys(table: Table) -> str:
    return " AND ".join(f"T.{identifier(key)} = S.{identifier(key)}" for key in table.keys)


def _updates(table: Table, columns: Columns) -> str:
    return ", ".join(f"{identifier(one)} = S.{identifier(one)}" for one in columns if one not in table.keys)


def replace_range(
    table: Table,
    target: str,
    staging: str,
    columns: Columns,
    parameters: tuple[Parameter, ...],
    attempt: Attempt | None = None,
) -> Statement:
    """Replace the batch's ledgers in `target` by the rows of `staging`, a table or a query, in one statement.

    With an attempt, rows of newer attempts stay, even if they were unknown when the statement was made. Rows of this
    attempt and of older ones are replaced. The statement can therefore be made again after it ran beside that of a
    newer attempt.

    `ON FALSE` is BigQuery's constant false predicate. It avoids a join, so the number of identical rows is kept, and
    `NOT MATCHED BY SOURCE` with constants on the partition column reads only those partitions
    (https://cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax#merge_statement).
    """
    rows, replaced = moved_rows(staging, columns), range_predicate(table, "T")
    if attempt:
        replaced += f" AND {_OLDER}"
        parameters += (attempt.parameter, *outside_parameters(attempt.newer))
        if attempt.newer:
            outside = outside_predicate(table, attempt.newer)
            rows = f"(\n  SELECT {select_list(columns)}\n  FROM {staging}\n  WHERE TRUE{outside}\n)"
    sql = f"""\
MERGE {target} AS T
USING {rows} AS S
ON FALSE
WHEN NOT MATCHED BY SOURCE AND {replaced} THEN DELETE
WHEN NOT MATCHED THEN INSERT ({column_list(columns)}) VALUES ({column_list(columns)})"""
    return Statement(sql, parameters)


def replace_chain(
    table: Table,
    target: str,
    staging: str,
    columns: Columns,
    parameters: tuple[Parameter, ...],
    attempt: Attempt,
) -> Statement:
    """Replace the batch's ledgers in `target` by staged rows, and correct later rows by the staged ones.

    Later rows are never inserted: the run that derives their ledgers inserts them. Unchanged later rows are not
    updated, so that few partitions change. Rows of newer attempts stay.
    """
    closed_at = f"T.{identifier(table.closed_at_column)}"
    content = [identifier(column) for column in columns if column not in (*table.keys, *BATCH_COLUMNS)]
    differs = " OR ".join([ledgers_predicate(table, "T"), *(f"T.{one} IS DISTINCT FROM S.{one}" for one in content)])
    sql = f"""\
MERGE {target} AS T
USING {moved_rows(staging, columns)} AS S
ON {_same_keys(table)} AND {closed_at} BETWEEN @first_closed_at AND @newest_closed_at
WHEN MATCHED AND {_OLDER} AND ({differs}) THEN UPDATE SET {_updates(table, columns)}
WHEN NOT MATCHED BY SOURCE AND {range_predicate(table, "T")} AND {_OLDER} THEN DELETE
WHEN NOT MATCHED AND {ledgers_predicate(table, "S")} THEN INSERT ({column_list(columns)})
  VALUES ({column_list(columns, "S")})"""
    return Statement(sql, (*parameters, attempt.parameter))


def keep_earliest(
    table: Table,
    target: str,
    staging: str,
    columns: Columns,
    parameters: tuple[Parameter, ...] = (),
    attempt: Attempt | None = None,
) -> Statement:
    """Insert staged keys that are missing. An existing row is replaced by a row of an older ledger.

    With an attempt, a row of the same ledger also replaces it, unless a newer attempt exported it: a load corrects the
    rows of its ledgers. Nothing is deleted by range: a key that the batch lacks may be in later ledgers, whose loads
    found it already published.
    """
    ledger = identifier(table.ledger_column)
    gives_way = f"S.{ledger} < T.{ledger}"
    if attempt:
        gives_way = f"({gives_way} OR S.{ledger} = T.{ledger} AND {_OLDER})"
        parameters += (attempt.parameter,)
    sql = f"""\
MERGE {target} AS T
USING (
  SELECT {select_list(columns)}
  FROM {staging}
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY {column_list(table.keys)} ORDER BY {ledger}) = 1
) AS S
ON {_same_keys(table)}
WHEN MATCHED AND {gives_way} THEN UPDATE SET {_updates(table, columns)}
WHEN NOT MATCHED THEN INSERT ({column_list(columns)}) VALUES ({column_list(columns, "S")})"""
    return Statement(sql, parameters)


def publish(
    table: Table,
    target: str,
    staging: str,
    columns: Columns,
    parameters: tuple[Parameter, ...],
    attempt: Attempt | None = None,
) -> Statement:
    """Return the statement that publishes a staging table, by the method of the registry.

    Rows that newer attempts have published stay.
    """
    if table.publish is Publish.KEEP_EARLIEST:
        dated = tuple(one for one in parameters if one.name == RUN_DATE)
        return keep_earliest(table, target, staging, columns, dated, attempt)
    if table.chain and attempt:
        return replace_chain(table, target, staging, columns, parameters, attempt)
    return replace_range(table, target, staging, columns, parameters, attempt)


def delete_range(table: Table, target: str, ledgers: LedgerRange, window: Window = (None, None)) -> Statement:
    """Delete a table's rows of a ledger range, both ends included.

    It filters by ledgers, because the close times of wrong rows are unknown. It therefore reads the ledger column of
    the whole table, or of a window of it.

    Args:
        table: the table.
        target: its quoted name.
        ledgers: the ledgers.
        window: the close times of the rows; rows without a close time belong to the window without a first bound.
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
    """Return a row per table, `table_id` and `row_count`: its number of rows, of some ledgers or of all.

    Args:
        names: the table and its quoted name, by the name in the result; at least one.
        ledgers: the ledgers; None for all.
    """
    where = {table: f" WHERE {ledgers_predicate(table)}" if ledgers else "" for table, _ in names.values()}
    sql = "\nUNION ALL\n".join(
        f"SELECT @table_{number} AS table_id, COUNT(*) AS row_count FROM {name}{where[table]}"
        for number, (table, name) in enumerate(names.values())
    )
    return Statement(sql, (*table_parameters(names), *(ledgers_parameters(ledgers) if ledgers else ())))
