"""The SQL that copies tables of another deployment. Pure. It only reads the other deployment's tables.

Such a table may contain a ledger twice, if the deployment loaded it twice and appended. Only the rows of the last load
are kept. Ledgers are selected by constants on the bare ledger column. A table that is clustered by it is read in part,
whatever its partitions are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stellar_etl_airflow.model.coverage import BLOCK_BITS
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.schema import SchemaError, grown
from stellar_etl_airflow.model.tables import LEDGERS, Publish, Table
from stellar_etl_airflow.sql.batch_stats import LEDGER_COUNTS, ledger_counts
from stellar_etl_airflow.sql.publish import publish
from stellar_etl_airflow.sql.records import Columns, select_list, unchanged
from stellar_etl_airflow.sql.statement import (
    Parameter,
    Statement,
    column_list,
    identifier,
    ledger_of_row,
    ledgers_parameters,
    ledgers_predicate,
    range_predicate,
)

LOADS = ("batch_insert_ts", "batch_run_date", "batch_id")
"""The columns that distinguish loads, in the order in which they are compared."""

Fields = Sequence[Mapping[str, Any]]


def misfits(table: Table, theirs: Fields, ours: Fields) -> list[str]:
    """Return the reasons why rows cannot be copied unchanged; empty if they can.

    Args:
        table: the table.
        theirs: the schema of the other deployment's table.
        ours: the schema file.
    """
    by_name, wanted = ({field["name"]: field for field in some} for some in (theirs, ours))
    found = [
        f"column {name} is missing, which identifies rows"
        for name in dict.fromkeys((*table.keys, table.ledger_column, table.closed_at_column))
        if name not in by_name
    ]
    if not table.unique and not by_name.keys() & set(LOADS):
        found.append(f"none of the columns {', '.join(LOADS)} exists; they distinguish rows that were loaded twice")
    for name in by_name.keys() & wanted.keys():
        try:
            grown([by_name[name]], [wanted[name]])
        except SchemaError as error:
            found.append(str(error))
    return sorted(found)


def bounds(table: Table, source: str) -> Statement:
    """Return one row: the first and the last ledger of a table; NULL if it has no rows."""
    ledger = ledger_of_row(table)
    return Statement(f"SELECT MIN({ledger}) AS first_ledger, MAX({ledger}) AS last_ledger FROM {source}")


def existing_ledgers(source: str, ledgers: LedgerRange) -> Statement:
    """Return the existing ledgers of a range with their close times: a row per contiguous run of ledgers.

    A run ends at the end of its block of ledgers, so that each sort covers one block.

    Args:
        source: the quoted name of the other deployment's table of ledgers.
        ledgers: the range.
    """
    block = f"sequence >> {BLOCK_BITS}"
    sql = f"""\
SELECT MIN(sequence) AS start_ledger, MAX(sequence) AS end_ledger,
  MIN(closed_at) AS first_closed_at, MAX(closed_at) AS last_closed_at
FROM (
  SELECT sequence, closed_at, {block} AS block,
    sequence - ROW_NUMBER() OVER (PARTITION BY {block} ORDER BY sequence) AS island
  FROM (SELECT sequence, MIN(closed_at) AS closed_at FROM {source} WHERE {ledgers_predicate(LEDGERS)} GROUP BY sequence)
)
GROUP BY block, island
ORDER BY start_ledger"""
    return Statement(sql, ledgers_parameters(ledgers))


def kept(table: Table, source: str, columns: Columns, loads: Sequence[str]) -> str:
    """Return the query of a range's rows without those that were loaded twice.

    Among rows with the same key, the row of the last load is kept. A table that keeps the earliest row of a key keeps
    that of the first ledger. If rows may be identical, all rows of each ledger's last load are kept.

    Args:
        table: the table.
        source: the quoted name of the other deployment's table.
        columns: the columns to read.
        loads: the columns of `LOADS` that the table has.
    """
    newest = ", ".join(f"{identifier(column)} DESC" for column in loads) or ledger_of_row(table)
    if table.publish is Publish.KEEP_EARLIEST:
        newest = f"{ledger_of_row(table)}, {newest}"
    function, by = ("ROW_NUMBER", column_list(table.keys)) if table.unique else ("RANK", ledger_of_row(table))
    return f"""\
  SELECT {select_list(columns)}
  FROM {source}
  WHERE {range_predicate(table)}
  QUALIFY {function}() OVER (PARTITION BY {by} ORDER BY {newest}) = 1"""


def count(table: Table, source: str, loads: Sequence[str], parameters: tuple[Parameter, ...]) -> Statement:
    """Count a range's rows in one row: `row_count` by ledger, `in_range` also by close time, `kept`: rows to copy."""
    sql = f"""\
SELECT
  (SELECT COUNT(*) FROM {source} WHERE {ledgers_predicate(table)}) AS row_count,
  (SELECT COUNT(*) FROM {source} WHERE {range_predicate(table)}) AS in_range,
  (SELECT COUNT(*) FROM (
{kept(table, source, unchanged((table.ledger_column,)), loads)}
  )) AS kept"""
    return Statement(sql, parameters)


def copy(
    table: Table,
    target: str,
    source: str,
    columns: Columns,
    loads: Sequence[str],
    parameters: tuple[Parameter, ...],
) -> Statement:
    """Publish a range's rows from the other deployment's table like those of a batch, by one statement.

    Args:
        table: the table.
        target: the quoted name of the published table.
        source: the quoted name of the other deployment's table.
        columns: the columns that both have, in the format of the published table.
        loads: the columns of `LOADS` that the other deployment's table has.
        parameters: `range_parameters`.
    """
    rows = f"(\n{kept(table, source, columns, loads)}\n)"
    made = publish(table, target, rows, unchanged(columns), parameters)
    return Statement(made.sql, parameters)


def count_published(table: Table, target: str, parameters: tuple[Parameter, ...]) -> Statement:
    """Return one row: the row count of a range in a published table, in total and per ledger."""
    by_ledger = f"({ledger_counts(table, target, range_predicate(table))}) AS {LEDGER_COUNTS}"
    sql = f"SELECT COUNT(*) AS row_count, {by_ledger} FROM {target} WHERE {range_predicate(table)}"
    return Statement(sql, parameters)
