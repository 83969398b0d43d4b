"""The SQL of derived tables: their sources, and the query that makes their rows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stellar_etl_airflow.model.lineage import selected_columns
from stellar_etl_airflow.model.ranges import LedgerRange, TimeRange
from stellar_etl_airflow.model.schema import Field, type_of
from stellar_etl_airflow.model.tables import LEDGERS, OPERATIONS, TRANSACTIONS, Table
from stellar_etl_airflow.sql.statement import (
    Statement,
    asked_parameters,
    identifier,
    ledgers_predicate,
    range_predicate,
)


def derive(query: str, names: Mapping[Table, str]) -> str:
    """A derived table's query as the source of a merge.

    Args:
        query: the text of a file in `dags/queries`: `{operations}` is that table's name, which the query calls by its
            first letter, and `{operations_range}` is true for its rows of the batch.
        names: the quoted name of each table that it reads.
    """
    aliases = {table: table.data_type[0] for table in names}
    values = {table.data_type: name for table, name in names.items()}
    values |= {f"{table.data_type}_range": range_predicate(table, aliases[table]) for table in names}
    return f"(\n{query.format(**values)})"


def selected_fields(query: str, sources: Mapping[str, Sequence[Field]], own: Sequence[Field]) -> list[dict[str, Any]]:
    """The schema of a query's result, with the fields of records in the order of the tables that they come from.

    Args:
        query: the text of a file in `dags/queries`.
        sources: the schema of each table that it reads, as the table has it, by the letter that the query calls it by.
        own: the schema file of the derived table.

    Raises:
        ValueError: a record is not selected as it is, in a line of its own, so that the order of its fields is unknown.
    """
    columns = selected_columns(query, {letter: {one["name"]: one for one in some} for letter, some in sources.items()})
    fields = []
    for field in own:
        if type_of(field) == "RECORD" and field["name"] not in columns:
            raise ValueError(f"the query must select the record {field['name']} as it is, in a line of its own")
        table, name = columns.get(field["name"], ({}, ""))
        fields.append({**table.get(name, field), "name": field["name"]})
    return fields


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
