"""The SQL of point-in-time tables: what each ledger entry is now, merged by key out of changes. Pure, like `sql`.

A point-in-time table holds one row for each entry that ever was. A deleted entry keeps its last row, with `deleted`
set, so that an older batch that runs late can't bring it back; the view on the table hides it. A newer row is one of a
later ledger, or of the same ledger, loaded again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stellar_etl_airflow.model.tables import Table
from stellar_etl_airflow.sql.records import Columns, moved_rows, select_list, unchanged
from stellar_etl_airflow.sql.statement import Parameter, Statement, column_list, identifier

DELETED = "deleted"
"""The column that says that an entry is gone; the row is its state before that."""


def state_table_id(table_id: str) -> str:
    """The name of the point-in-time table beside a table of changes."""
    return f"{table_id}_state"


def base_table_id(table_id: str) -> str:
    """The name of the table that keeps the full load that a point-in-time table begins with."""
    return f"{table_id}_base"


def current_view_id(table_id: str) -> str:
    """The name of the view that shows what there is now."""
    return f"{table_id}_current"


def _same_entry(table: Table) -> str:
    return " AND ".join(f"T.{identifier(key)} = S.{identifier(key)}" for key in table.entry_keys)


def _newest(table: Table, source: str, columns: Columns, where: str) -> str:
    """Of each entry in a source the row of its latest ledger."""
    return f"""\
  SELECT {select_list(columns)}
  FROM {source}
  WHERE {where}
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY {column_list(table.entry_keys)} ORDER BY {identifier(table.ledger_column)} DESC
  ) = 1"""


def _overwrite(table: Table, columns: Iterable[str]) -> str:
    return ", ".join(
        f"{identifier(column)} = S.{identifier(column)}" for column in columns if column not in table.entry_keys
    )


def _base_parameter(base_ledger: int) -> Parameter:
    return Parameter("base_ledger", "INT64", str(base_ledger))


def merge_changes(table: Table, state: str, staging: str, columns: Columns, base_ledger: int) -> Statement:
    """Brings a batch of changes into the point-in-time table.

    Args:
        table: the table of changes.
        state: the quoted name of its point-in-time table.
        staging: the quoted name of the batch's staging table.
        columns: the columns of both.
        base_ledger: the ledger of the full load that the table begins with; changes up to it are in that load. 0 for a
            table without one.
    """
    ledger = identifier(table.ledger_column)
    sql = f"""\
MERGE {state} AS T
USING (
{_newest(table, staging, columns, f"{ledger} > @base_ledger")}
) AS S
ON {_same_entry(table)}
WHEN MATCHED AND S.{ledger} >= T.{ledger} THEN UPDATE SET {_overwrite(table, columns)}
WHEN NOT MATCHED THEN INSERT ({column_list(columns)}) VALUES ({column_list(columns, "S")})"""
    return Statement(sql, (_base_parameter(base_ledger),))


def replace_base(base: str, staging: str, columns: Columns) -> Statement:
    """Makes a full load the one that is kept, in place of the one before, as one statement.

    Args:
        base: the quoted name of the table that keeps the full load.
        staging: the quoted name of the staging table, which holds every entry there was.
        columns: the columns of both.
    """
    sql = f"""\
MERGE {base} AS T
USING {moved_rows(staging, columns)} AS S
ON FALSE
WHEN NOT MATCHED BY SOURCE THEN DELETE
WHEN NOT MATCHED THEN INSERT ({column_list(columns)}) VALUES ({column_list(columns)})"""
    return Statement(sql)


def merge_full_load(table: Table, state: str, staging: str, columns: Columns, base_ledger: int) -> Statement:
    """Begins the point-in-time table anew with a full load of all entries at a ledger, under what is newer.

    What the table has of that ledger and before, and the load lacks, goes, tombstones too: as changes up to the base
    never enter, nothing of it can come back, and the table ends the same whether they came before the load or after.

    Args:
        table: the table of changes.
        state: the quoted name of its point-in-time table.
        staging: the quoted name of the staging table, which holds every entry there was.
        columns: the columns of both.
        base_ledger: the ledger of the load.
    """
    ledger = identifier(table.ledger_column)
    sql = f"""\
MERGE {state} AS T
USING {moved_rows(staging, columns)} AS S
ON {_same_entry(table)}
WHEN MATCHED AND T.{ledger} <= @base_ledger THEN UPDATE SET {_overwrite(table, columns)}
WHEN NOT MATCHED BY TARGET THEN INSERT ({column_list(columns)}) VALUES ({column_list(columns, "S")})
WHEN NOT MATCHED BY SOURCE AND T.{ledger} <= @base_ledger THEN DELETE"""
    return Statement(sql, (_base_parameter(base_ledger),))


def rebuild(
    table: Table,
    state: str,
    changes: str,
    columns: Columns,
    base: tuple[str, Columns] | None = None,
    base_ledger: int = 0,
) -> Statement:
    """Recomputes the point-in-time table, as one statement: a reader sees the old rows or the new ones.

    Args:
        table: the table of changes.
        state: the quoted name of its point-in-time table.
        changes: the quoted name of the table of changes.
        columns: the columns of the changes, in the form of the point-in-time table.
        base: the quoted name of the table that keeps the full load and its columns, None if there was no full load.
        base_ledger: the ledger of that load.
    """
    ledger = identifier(table.ledger_column)
    source = _newest(table, changes, columns, "TRUE")
    parameters: tuple[Parameter, ...] = ()
    if base is not None:
        parameters = (_base_parameter(base_ledger),)
        kept, kept_columns = base
        both = f"""(
    SELECT {select_list(kept_columns)} FROM {kept}
    UNION ALL
    SELECT {select_list(columns)} FROM {changes} WHERE {ledger} > @base_ledger
  )"""
        source = _newest(table, both, unchanged(columns), "TRUE")
    sql = f"""\
MERGE {state} AS T
USING (
{source}
) AS S
ON FALSE
WHEN NOT MATCHED BY SOURCE THEN DELETE
WHEN NOT MATCHED THEN INSERT ({column_list(columns)}) VALUES ({column_list(columns)})"""
    return Statement(sql, parameters)


def current_view(state: str, columns: Sequence[str]) -> str:
    """The query of the view that shows what there is now."""
    return f"SELECT {column_list(columns)} FROM {state} WHERE NOT {identifier(DELETED)}"
