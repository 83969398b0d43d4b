"""The SQL that takes over tables of another deployment. Pure, like `sql`; their tables are only read.

Such a table may hold a ledger twice, because the deployment loaded it twice and appended: of the loads of a row the one
that came last is kept. Ledgers are read by constants on the bare ledger column, so that a table that is clustered by it
is read in part, whatever it is partitioned by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stellar_etl_airflow.model.coverage import BLOCK_BITS
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.schema import SchemaError, grown
from stellar_etl_airflow.model.tables import LEDGERS, Table
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
"""The columns that distinguish loads, the one that orders them best first."""

Fields = Sequence[Mapping[str, Any]]


def misfits(table: Table, theirs: Fields, ours: Fields) -> list[str]:
    """Why rows can't be copied as they are; empty if they can.

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
        found.append(f"none of the columns {', '.join(LOADS)} exists, which distinguish rows that were loaded twice")
    for name in by_name.keys() & wanted.keys():
        try:
            grown([by_name[name]], [wanted[name]])
        except SchemaError as error:
            found.append(str(error))
    return sorted(found)


def bounds(table: Table, source: str) -> Statement:
    """One row: the first and the last ledger of a table, NULL if it has no rows."""
    ledger = ledger_of_row(table)
    return Statement(f"SELECT MIN({ledger}) AS first_ledger, MAX({ledger}) AS last_ledger FROM {source}")


def ledgers_held(source: str, ledgers: LedgerRange) -> Statement:
    """The ledgers that there are within a range, with their close times: a row per run of ledgers without a gap.

    A run ends at the latest with its block of ledgers, so that no sort is of more than a block.

    Args:
        source: the quoted name of the other deployment's table of ledgers.
        ledgers: where to look.
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
    """The query of a range's rows without those that were loaded twice.

    Of rows with the same key the last load's is kept; of a table whose rows may be identical, all rows that the last
    load of each ledger brought.

    Args:
        table: the table.
        source: the quoted name of the other deployment's table.
        columns: what to read.
        loads: those of `LOADS` that it has.
    """
    newest = ", ".join(f"{identifier(column)} DESC" for column in loads) or ledger_of_row(table)
    function, by = ("ROW_NUMBER", column_list(table.keys)) if table.unique else ("RANK", ledger_of_row(table))
    return f"""\
  SELECT {select_list(columns)}
  FROM {source}
  WHERE {range_predicate(table)}
  QUALIFY {function}() OVER (PARTITION BY {by} ORDER BY {newest}) = 1"""


def count(table: Table, source: str, loads: Sequence[str], parameters: tuple[Parameter, ...]) -> Statement:
    """Count a range's rows in one row: `row_count` by ledger, `in_range` by close time too, `kept`: those to copy."""
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
    """Publish a range's rows out of the other deployment's table, as if they were a batch's: by one statement.

    Args:
        table: the table.
        target: the quoted name of the published table.
        source: the quoted name of the other deployment's table.
        columns: the columns that both have, in the form of the published table.
        loads: those of `LOADS` that the other deployment's has.
        parameters: `range_parameters`.
    """
    rows = f"(\n{kept(table, source, columns, loads)}\n)"
    made = publish(table, target, rows, unchanged(columns), parameters)
    return Statement(made.sql, parameters)


def count_published(table: Table, target: str, parameters: tuple[Parameter, ...]) -> Statement:
    """One row: how many rows of a range a published table has, and how many of each ledger."""
    by_ledger = f"({ledger_counts(table, target, range_predicate(table))}) AS {LEDGER_COUNTS}"
    sql = f"SELECT COUNT(*) AS row_count, {by_ledger} FROM {target} WHERE {range_predicate(table)}"
    return Statement(sql, parameters)
