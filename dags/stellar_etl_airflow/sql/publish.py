"""From the registry to SQL: pure functions, no Airflow and no client.

Identifiers come from the registry, the schema files and checked Variables, and are checked again here;
values travel as query parameters. The statements keep to the forms that BigQuery and the laptop's warehouse
run alike: explicit column lists, no `INSERT ROW`, one statement a job.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stellar_etl_airflow.model.batch import LedgerRange, TimeRange
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, LEDGERS, OPERATIONS, TRANSACTIONS, Publish, Table

_PROJECT = re.compile(r"[a-z0-9][a-z0-9.:-]{1,61}[a-z0-9]")
_NAME = re.compile(r"[A-Za-z_0-9][A-Za-z_0-9-]{0,1023}")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z_0-9]{0,299}")


@dataclass(frozen=True)
class Parameter:
    """A query parameter: BigQuery's type name and the value as text, None for NULL."""

    name: str
    type: str
    value: str | None


@dataclass(frozen=True)
class Statement:
    """One SQL statement and its parameters."""

    sql: str
    parameters: tuple[Parameter, ...] = ()


def identifier(value: str) -> str:
    """A column name between backticks.

    Raises:
        ValueError: the name can't be a BigQuery column.
    """
    if not _COLUMN.fullmatch(value):
        raise ValueError(f"{value!r} is not a column name")
    return f"`{value}`"


def table_name(project: str, dataset: str, table_id: str) -> str:
    """`project.dataset.table` between backticks.

    Raises:
        ValueError: a part has characters that BigQuery doesn't allow there.
    """
    for part, pattern in ((project, _PROJECT), (dataset, _NAME), (table_id, _NAME)):
        if not pattern.fullmatch(part):
            raise ValueError(f"{part!r} is not a project, dataset or table name")
    return f"`{project}.{dataset}.{table_id}`"


def range_parameters(start: int, end: int, first_closed_at: str, last_closed_at: str) -> tuple[Parameter, ...]:
    """The parameters that `range_predicate` names."""
    return (
        Parameter("start_ledger", "INT64", str(start)),
        Parameter("end_ledger", "INT64", str(end)),
        Parameter("first_closed_at", "TIMESTAMP", first_closed_at),
        Parameter("last_closed_at", "TIMESTAMP", last_closed_at),
    )


def ledger_of_row(table: Table) -> str:
    """The ledger sequence of a table's row."""
    column = identifier(table.ledger_column)
    return f"({column} >> {table.ledger_shift})" if table.ledger_shift else column


def ledger_bounds(table: Table) -> tuple[str, str]:
    """The lowest and the highest value of the ledger column in the ledgers @start_ledger to @end_ledger."""
    if not table.ledger_shift:
        return "@start_ledger", "@end_ledger"
    factor = 1 << table.ledger_shift  # the laptop's warehouse shifts a parameter within 32 bits
    return f"@start_ledger * {factor}", f"(@end_ledger + 1) * {factor} - 1"


def ledgers_predicate(table: Table, alias: str = "") -> str:
    """True for rows of the ledgers @start_ledger to @end_ledger: constants on a bare column, so that clusters prune."""
    prefix = f"{alias}." if alias else ""
    start, end = ledger_bounds(table)
    return f"{prefix}{identifier(table.ledger_column)} BETWEEN {start} AND {end}"


def ledgers_parameters(ledgers: LedgerRange) -> tuple[Parameter, ...]:
    """The parameters that `ledgers_predicate` names."""
    return (Parameter("start_ledger", "INT64", str(ledgers.start)), Parameter("end_ledger", "INT64", str(ledgers.end)))


def range_predicate(table: Table, alias: str = "") -> str:
    """True for a table's rows of the batch's ledgers.

    The close time says the same as the ledger; it stands there so that only the batch's partitions are read.
    """
    prefix = f"{alias}." if alias else ""
    return (
        f"{ledgers_predicate(table, alias)}"
        f" AND {prefix}{identifier(table.closed_at_column)} BETWEEN @first_closed_at AND @last_closed_at"
    )


def column_list(columns: Iterable[str], alias: str = "") -> str:
    """Column names between backticks, with a comma between them, behind an alias if one is given."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + identifier(column) for column in columns)


def replace_range(
    table: Table, target: str, staging: str, columns: Sequence[str], parameters: tuple[Parameter, ...]
) -> Statement:
    """Replaces the batch's ledgers in `target` by the rows of `staging`, a table or a query, in one statement.

    `ON FALSE` is BigQuery's constant false predicate: no join, so identical rows stay as many as they are, and
    `NOT MATCHED BY SOURCE` with constants on the partition column reads just those partitions
    (https://cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax#merge_statement).
    """
    sql = f"""\
MERGE {target} AS T
USING {staging} AS S
ON FALSE
WHEN NOT MATCHED BY SOURCE AND {range_predicate(table, "T")} THEN DELETE
WHEN NOT MATCHED THEN INSERT ({column_list(columns)}) VALUES ({column_list(columns)})"""
    return Statement(sql, parameters)


def keep_earliest(table: Table, target: str, staging: str, columns: Sequence[str]) -> Statement:
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
  SELECT {column_list(columns)}
  FROM {staging}
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY {column_list(table.keys)} ORDER BY {ledger}) = 1
) AS S
ON {match}
WHEN MATCHED AND S.{ledger} < T.{ledger} THEN UPDATE SET {update}
WHEN NOT MATCHED THEN INSERT ({column_list(columns)}) VALUES ({column_list(columns, "S")})"""
    return Statement(sql)


def derive(query: str, names: Mapping[Table, str]) -> str:
    """A derived table's query as the source of a merge.

    Args:
        query: the text of a file in `dags/queries`: `{operations}` is that table's name, which the query calls by its
            first letter, and `{operations_range}` is true for its rows of the batch.
        names: the quoted name of each table that it reads.
    """
    aliases = {table: table.data_type[0] for table in names}
    places = {table.data_type: name for table, name in names.items()}
    places |= {f"{table.data_type}_range": range_predicate(table, aliases[table]) for table in names}
    return f"(\n{query.format(**places)})"


def asked_parameters(asked: TimeRange | LedgerRange) -> tuple[Parameter, ...]:
    """The parameters that name an asked range."""
    if isinstance(asked, LedgerRange):
        return ledgers_parameters(asked)
    return (
        Parameter("start_time", "TIMESTAMP", asked.start.isoformat()),
        Parameter("end_time", "TIMESTAMP", asked.end.isoformat()),
    )


def check_sources(names: Mapping[Table, str], asked: TimeRange | LedgerRange) -> Statement:
    """One row: which ledgers of a range are loaded, how many rows their headers promise, and how many there are."""

    def within(table: Table) -> str:
        if isinstance(asked, LedgerRange):
            return ledgers_predicate(table)
        closed_at = identifier(table.closed_at_column)
        return f"{closed_at} >= @start_time AND {closed_at} < @end_time"

    def found(table: Table) -> str:
        return f"(SELECT COUNT(*) FROM {names[table]} WHERE {within(table)}) AS found_{table.data_type}"

    sql = f"""\
SELECT
  COUNT(*) AS ledgers,
  MIN(sequence) AS first_ledger,
  MAX(sequence) AS last_ledger,
  MIN(closed_at) AS first_closed_at,
  MAX(closed_at) AS last_closed_at,
  COALESCE(SUM(successful_transaction_count + failed_transaction_count), 0) AS transactions,
  COALESCE(SUM(tx_set_operation_count), 0) AS operations,
  {found(TRANSACTIONS)},
  {found(OPERATIONS)}
FROM {names[LEDGERS]}
WHERE {within(LEDGERS)}"""
    return Statement(sql, asked_parameters(asked))


def publish(
    table: Table, target: str, staging: str, columns: Sequence[str], parameters: tuple[Parameter, ...]
) -> Statement:
    """The statement that publishes a staging table, as the registry says for this table."""
    if table.publish is Publish.KEEP_EARLIEST:
        return keep_earliest(table, target, staging, columns)
    return replace_range(table, target, staging, columns, parameters)


def delete_range(table: Table, target: str, ledgers: LedgerRange) -> Statement:
    """Deletes a table's rows of a ledger range, both ends included.

    It goes by ledgers alone, because nothing says when ledgers closed whose rows may be wrong: it reads the ledger
    column of the whole table.
    """
    return Statement(f"DELETE FROM {target} WHERE {ledgers_predicate(table)}", ledgers_parameters(ledgers))


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


def listed(parameters: Iterable[Parameter]) -> str:
    """Parameters as SQL names them, with a comma between them."""
    return ", ".join(f"@{parameter.name}" for parameter in parameters)


def table_parameters(table_ids: Iterable[str]) -> tuple[Parameter, ...]:
    """A parameter for each table's name: `@table_0` and so on."""
    return tuple(Parameter(f"table_{number}", "STRING", table_id) for number, table_id in enumerate(table_ids))


STATS_KEYS = ("table_id", "start_ledger", "end_ledger")
"""What identifies a row of the batch stats: a repeated load of the same range rewrites its row."""


def upsert_stats(target: str, row: Sequence[Parameter]) -> Statement:
    """Writes one row into the batch stats, over the row of the same table and range if there is one.

    Args:
        target: the quoted name of the table `history_archives_dag_runs`.
        row: a parameter for each column, named after it.
    """
    names = [parameter.name for parameter in row]
    assert set(STATS_KEYS) <= set(names), f"a row of {BATCH_STATS_TABLE_ID} needs {STATS_KEYS}"
    source = ", ".join(f"@{name} AS {identifier(name)}" for name in names)
    match = " AND ".join(f"T.{identifier(key)} = S.{identifier(key)}" for key in STATS_KEYS)
    update = ", ".join(f"{identifier(name)} = S.{identifier(name)}" for name in names if name not in STATS_KEYS)
    sql = f"""\
MERGE {target} AS T
USING (SELECT {source}) AS S
ON {match}
WHEN MATCHED THEN UPDATE SET {update}
WHEN NOT MATCHED THEN INSERT ({column_list(names)}) VALUES ({column_list(names, "S")})"""
    return Statement(sql, tuple(row))


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
