"""SQL statements, their parameters and their common parts. Pure.

Identifiers come from the registry, the schema files and checked Variables, and are checked again here. Values are query
parameters. Statements use only forms that BigQuery and the laptop's warehouse run alike: explicit column lists, no
`INSERT ROW`, one statement per job.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from stellar_etl_airflow.model.batch import Batch
from stellar_etl_airflow.model.ranges import LedgerRange, TimeRange
from stellar_etl_airflow.model.tables import Table

_PROJECT = re.compile(r"[a-z0-9][a-z0-9.:-]{1,61}[a-z0-9]")


_NAME = re.compile(r"[A-Za-z_0-9][A-Za-z_0-9-]{0,1023}")


_COLUMN = re.compile(r"[A-Za-z_][A-Za-z_0-9]{0,299}")


@dataclass(frozen=True)
class Parameter:
    """A query parameter: BigQuery's type name, and the value as text; None for NULL."""

    name: str
    type: str
    value: str | None


@dataclass(frozen=True)
class ArrayParameter:
    """An array as one query parameter.

    Attributes:
        name: the parameter's name.
        type: BigQuery's type name of the values.
        values: the values as text.
    """

    name: str
    type: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class RowsParameter:
    """An array of rows as one query parameter.

    Attributes:
        name: the parameter's name.
        columns: BigQuery's type name of each column.
        rows: the values of each row as text in the order of the columns; None for NULL.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str | None, ...], ...]


AnyParameter = Parameter | ArrayParameter | RowsParameter


@dataclass(frozen=True)
class Statement:
    """One SQL statement and its parameters."""

    sql: str
    parameters: tuple[AnyParameter, ...] = ()


def identifier(value: str) -> str:
    """Return a column name in backticks.

    Raises:
        ValueError: the name is not a valid BigQuery column.
    """
    if not _COLUMN.fullmatch(value):
        raise ValueError(f"{value!r} is not a column name")
    return f"`{value}`"


def table_name(project: str, dataset: str, table_id: str) -> str:
    """Return `project.dataset.table` in backticks.

    Raises:
        ValueError: a part has characters that BigQuery does not allow.
    """
    for part, pattern in ((project, _PROJECT), (dataset, _NAME), (table_id, _NAME)):
        if not pattern.fullmatch(part):
            raise ValueError(f"{part!r} is not a project, dataset or table name")
    return f"`{project}.{dataset}.{table_id}`"


def range_parameters(start: int, end: int, first_closed_at: str, last_closed_at: str) -> tuple[Parameter, ...]:
    """Return the parameters of `range_predicate`."""
    return (
        Parameter("start_ledger", "INT64", str(start)),
        Parameter("end_ledger", "INT64", str(end)),
        Parameter("first_closed_at", "TIMESTAMP", first_closed_at),
        Parameter("last_closed_at", "TIMESTAMP", last_closed_at),
    )


def batch_parameters(batch: Batch) -> tuple[Parameter, ...]:
    """Return the parameters of `range_predicate` for a batch, and those of `later_predicate` if it has later rows."""
    later = (newest_parameter(batch.newest_closed_at),) if batch.newest_closed_at else ()
    return (
        *range_parameters(batch.range.start, batch.range.end, batch.first_closed_at, batch.last_closed_at),
        *later,
    )


def newest_parameter(closed_at: str) -> Parameter:
    """Return the parameter that `later_predicate` uses in addition to those of `range_predicate`."""
    return Parameter("newest_closed_at", "TIMESTAMP", closed_at)


def ledger_of_row(table: Table) -> str:
    """Return SQL of the ledger sequence of a table's row."""
    column = identifier(table.ledger_column)
    return f"({column} >> {table.ledger_shift})" if table.ledger_shift else column


def ledger_bounds(table: Table) -> tuple[str, str]:
    """Return SQL of the bounds of the ledger column in the ledgers @start_ledger to @end_ledger."""
    if not table.ledger_shift:
        return "@start_ledger", "@end_ledger"
    factor = 1 << table.ledger_shift  # the laptop's warehouse shifts parameters within 32 bits
    return f"@start_ledger * {factor}", f"(@end_ledger + 1) * {factor} - 1"


def ledgers_predicate(table: Table, alias: str = "") -> str:
    """Return SQL that is true for rows of @start_ledger to @end_ledger: constants on a bare column, which can prune."""
    prefix = f"{alias}." if alias else ""
    start, end = ledger_bounds(table)
    return f"{prefix}{identifier(table.ledger_column)} BETWEEN {start} AND {end}"


def ledgers_parameters(ledgers: LedgerRange) -> tuple[Parameter, ...]:
    """Return the parameters of `ledgers_predicate`."""
    return (Parameter("start_ledger", "INT64", str(ledgers.start)), Parameter("end_ledger", "INT64", str(ledgers.end)))


def outside_predicate(table: Table, ranges: Sequence[LedgerRange]) -> str:
    """Return ` AND …`, true for rows outside the ledger ranges of `outside_parameters`; empty without ranges."""
    column, factor = identifier(table.ledger_column), 1 << table.ledger_shift
    if factor == 1:
        bounds = [f"{column} BETWEEN @kept_{number}_start AND @kept_{number}_end" for number in range(len(ranges))]
    else:
        bounds = [
            f"{column} BETWEEN @kept_{number}_start * {factor} AND (@kept_{number}_end + 1) * {factor} - 1"
            for number in range(len(ranges))
        ]
    return f" AND NOT ({' OR '.join(bounds)})" if bounds else ""


def outside_parameters(ranges: Sequence[LedgerRange]) -> tuple[Parameter, ...]:
    """Return the parameters of `outside_predicate`."""
    return tuple(
        Parameter(f"kept_{number}_{name}", "INT64", str(value))
        for number, one in enumerate(ranges)
        for name, value in (("start", one.start), ("end", one.end))
    )


def range_predicate(table: Table, alias: str = "") -> str:
    """Return SQL that is true for a table's rows of the batch's ledgers.

    The condition on the close time is redundant, but limits the query to the batch's partitions.
    """
    prefix = f"{alias}." if alias else ""
    return (
        f"{ledgers_predicate(table, alias)}"
        f" AND {prefix}{identifier(table.closed_at_column)} BETWEEN @first_closed_at AND @last_closed_at"
    )


def later_predicate(table: Table, alias: str = "") -> str:
    """Return SQL that is true for a table's rows of the batch's ledgers and of all later ones."""
    prefix = f"{alias}." if alias else ""
    start, _ = ledger_bounds(table)
    return (
        f"{prefix}{identifier(table.ledger_column)} >= {start}"
        f" AND {prefix}{identifier(table.closed_at_column)} BETWEEN @first_closed_at AND @newest_closed_at"
    )


def column_list(columns: Iterable[str], alias: str = "") -> str:
    """Return column names in backticks, separated by commas, with an alias if given."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + identifier(column) for column in columns)


def requested_parameters(requested: TimeRange | LedgerRange) -> tuple[Parameter, ...]:
    """Return the parameters of a requested range."""
    if isinstance(requested, LedgerRange):
        return ledgers_parameters(requested)
    return (
        Parameter("start_time", "TIMESTAMP", requested.start.isoformat()),
        Parameter("end_time", "TIMESTAMP", requested.end.isoformat()),
    )


def listed(parameters: Iterable[Parameter]) -> str:
    """Return the names of parameters in SQL, separated by commas."""
    return ", ".join(f"@{parameter.name}" for parameter in parameters)


def since_parameter(moment: datetime) -> Parameter:
    """Return the parameter `since`."""
    return Parameter("since", "TIMESTAMP", moment.isoformat())


def table_parameters(table_ids: Iterable[str]) -> tuple[Parameter, ...]:
    """Return a parameter per table name: `@table_0` and so on."""
    return tuple(Parameter(f"table_{number}", "STRING", table_id) for number, table_id in enumerate(table_ids))
