"""The SQL of derived tables: what is pending, what the sources hold, and the query that makes the rows. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from stellar_etl_airflow.model.lineage import selected_columns
from stellar_etl_airflow.model.ranges import LedgerRange, TimeRange
from stellar_etl_airflow.model.schema import Field, type_of
from stellar_etl_airflow.model.tables import LEDGERS, PUBLISHED, Table, View, sources_of
from stellar_etl_airflow.model.versions import VALID_TO, VALID_TO_LEDGER
from stellar_etl_airflow.sql.batch_stats import left_out_rows
from stellar_etl_airflow.sql.statement import (
    ArrayParameter,
    Parameter,
    Statement,
    asked_parameters,
    column_list,
    identifier,
    later_predicate,
    ledgers_predicate,
    range_predicate,
)
from stellar_etl_airflow.sql.versions import current_view_id, history_view_id

_COMMENT = re.compile(r"^\s*--.*\n", re.MULTILINE)
"""A comment that has a line of its own: the statement does without it."""

_BLOCK_BITS = 16
"""Publications are looked up by blocks of 2^16 ledgers, four days of the network."""


def derive(query: str, table: Table, names: Mapping[Table, str]) -> str:
    """A derived table's query as the source of a merge.

    Of a table with a chain of rows per entry, `{accounts_range}` is true for all rows from the batch's first ledger on;
    `{accounts_before}` is the name of the view of all versions of these entries, and `{accounts_valid}` is true for
    those that were valid right before that ledger. Later rows are made of the entries that the batch touches: those
    that have a row in its ledgers, or had one.

    Args:
        query: the text of a file in `dags/queries`: `{operations}` is that table's name, and `{operations_range}` is
            true for its rows of the batch, under the letter that the registry gives it.
        table: the derived table.
        names: the quoted name of each source, and of the derived table if it has a chain of rows per entry.
    """
    text = in_names(query, table, names)
    return f"(\n{_touched(text, table, names[table]) if table.chain else text})"


def in_names(query: str, table: Table, names: Mapping[Table, str], **others: str) -> str:
    """The text of a file in `dags/queries` with names and conditions in place of braces, as `derive` describes them.

    Args:
        query: the text.
        table: the derived table.
        names: the quoted name of each source.
        others: what else stands in braces.
    """
    sources = sources_of(table)
    within = later_predicate if table.chain else range_predicate
    values = {source.data_type: names[source] for source in sources.values()} | others
    values |= {f"{source.data_type}_range": within(source, letter) for letter, source in sources.items()}
    for letter, source in sources.items():
        if table.chain and source.entry_keys:
            values[f"{source.data_type}_before"] = beside(names[source], history_view_id)
            values[f"{source.data_type}_valid"] = _valid_before(source, letter)
    return _COMMENT.sub("", query).format(**values)


def view_query(query: str, view: View, name: Callable[[Table], str], contract: str) -> str:
    """The query of a view on derived tables.

    Args:
        query: the text of a file in `dags/queries/views`: `{balances}` is the name of a table, `{accounts_current}` the
            view of the entries that there are now, `{native_contract}` the contract of lumens.
        view: the view.
        name: gives the quoted name of a table in the view's dataset.
        contract: the id of the contract of lumens.
    """
    values = {view.table.data_type: name(view.table), "native_contract": f"'{contract}'"}
    for data_type in view.current:
        values[f"{data_type}_current"] = beside(name(PUBLISHED[data_type]), current_view_id)
    return _COMMENT.sub("", query).format(**values).strip()


def beside(name: str, view_id: Callable[[str], str]) -> str:
    """The quoted name of a view beside a table.

    Args:
        name: the quoted name of the table.
        view_id: gives the name of the view for that of the table.
    """
    dataset, _, table_id = name.strip("`").rpartition(".")
    return f"`{dataset}.{view_id(table_id)}`"


def _valid_before(source: Table, letter: str) -> str:
    """True for the versions of entries that were valid right before the batch's first ledger."""
    return (
        f"{letter}.{identifier(source.ledger_column)} < @start_ledger AND {letter}.{VALID_TO_LEDGER} >= @start_ledger"
        f" AND {letter}.{VALID_TO} >= @first_closed_at"
    )


def _touched(text: str, table: Table, own: str) -> str:
    """A query's rows of the entries that the batch touches."""
    keys, ledger = column_list(table.chain), f"c.{identifier(table.ledger_column)}"
    same = " AND ".join(f"o.{identifier(key)} = c.{identifier(key)}" for key in table.chain)
    return f"""\
SELECT c.*
FROM (
{text}) AS c
LEFT JOIN (SELECT DISTINCT {keys} FROM {own} WHERE {range_predicate(table)}) AS o ON {same}
WHERE TRUE
QUALIFY o.{identifier(table.chain[0])} IS NOT NULL
  OR MIN({ledger}) OVER (PARTITION BY {column_list(table.chain, "c")}) <= @end_ledger
"""


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


def publications(stats: str, source_ids: Sequence[str], own_id: str) -> Statement:
    """The publications that decide which ledgers of a derived table are pending.

    Rows are of `table_id`, `start_ledger`, `end_ledger`, `first_closed_at`, `last_closed_at` and `moment`: when a range
    was published, of the derived table when its sources were read. `read_at` is now, by BigQuery's clock, which also
    notes when a merge ends.

    A range of a source is done if the derived table has a row of the same range that is not older. Only the blocks with
    other ranges are given, with all that was published in them: few, unless much is pending.

    Args:
        stats: the quoted name of the batch stats.
        source_ids: the names of the sources in the batch stats.
        own_id: that of the derived table.
    """
    blocks = f"UNNEST(GENERATE_ARRAY(start_ledger >> {_BLOCK_BITS}, end_ledger >> {_BLOCK_BITS})) AS block"
    sql = f"""\
WITH
published AS (
  SELECT table_id, start_ledger, end_ledger, first_closed_at, last_closed_at,
    IF(table_id = @own_id, exported_at, COALESCE(published_at, exported_at)) AS moment
  FROM {stats}
  WHERE table_id = @own_id OR table_id IN UNNEST(@source_ids)
),
open_blocks AS (
  SELECT DISTINCT block
  FROM (
    SELECT s.start_ledger, s.end_ledger
    FROM published AS s
    LEFT JOIN published AS d
    ON d.table_id = @own_id AND d.start_ledger = s.start_ledger AND d.end_ledger = s.end_ledger
      AND d.moment >= s.moment
    WHERE s.table_id <> @own_id AND d.table_id IS NULL
  )
  CROSS JOIN {blocks}
)
SELECT DISTINCT table_id, start_ledger, end_ledger, first_closed_at, last_closed_at, moment,
  CURRENT_TIMESTAMP() AS read_at
FROM published
CROSS JOIN {blocks}
WHERE moment IS NOT NULL AND block IN (SELECT block FROM open_blocks)"""
    return Statement(
        sql, (Parameter("own_id", "STRING", own_id), ArrayParameter("source_ids", "STRING", (*source_ids,)))
    )


def check_sources(
    table: Table,
    names: Mapping[Table, str],
    stats: str,
    table_ids: Mapping[Table, str],
    asked: TimeRange | LedgerRange,
    closed: tuple[datetime, datetime] | None = None,
) -> Statement:
    """One row: which ledgers of a range are loaded, how many rows their headers promise, and how many there are.

    Rows that an export left out are not promised. `read_at` is now, by BigQuery's clock.

    Args:
        table: the derived table.
        names: the quoted name of each source.
        stats: the quoted name of the batch stats.
        table_ids: the name of each source in the batch stats.
        asked: the range.
        closed: of a range of ledgers, close times that all of its ledgers lie between; None if they are not known, and
            the whole ledger column of each source is read.
    """

    def within(source: Table) -> str:
        closed_at = identifier(source.closed_at_column)
        if isinstance(asked, LedgerRange):
            window = f" AND {closed_at} BETWEEN @window_start AND @window_end" if closed else ""
            return ledgers_predicate(source) + window
        return f"{closed_at} >= @start_time AND {closed_at} < @end_time"

    def found(source: Table) -> str:
        return f"(SELECT COUNT(*) FROM {names[source]} WHERE {within(source)}) AS found_{source.data_type}"

    def promised(source: Table) -> str:
        left_out = left_out_rows(stats, f"@{source.data_type}_table_id")
        within_range = f"sequence IN (SELECT sequence FROM {names[LEDGERS]} WHERE {within(LEDGERS)})"
        total = f"(SELECT COALESCE(SUM(left_out), 0) FROM ({left_out}) WHERE {within_range})"
        return f"COALESCE(SUM({source.header_count}), 0) - {total} AS {source.data_type}"

    counted = counted_sources(table)
    columns = "".join(f",\n  {column}" for column in (*map(promised, counted), *map(found, counted)))
    sql = f"""\
SELECT
  COUNT(*) AS ledgers,
{_SPAN},
  CURRENT_TIMESTAMP() AS read_at{columns}
FROM {names[LEDGERS]}
WHERE {within(LEDGERS)}"""
    known = tuple(Parameter(f"{source.data_type}_table_id", "STRING", table_ids[source]) for source in counted)
    names_of_window = ("window_start", "window_end") if closed and isinstance(asked, LedgerRange) else ()
    window = [
        Parameter(name, "TIMESTAMP", moment.isoformat())
        for name, moment in zip(names_of_window, closed or (), strict=False)
    ]
    return Statement(sql, (*asked_parameters(asked), *window, *known))


_SPAN = """\
  MIN(sequence) AS first_ledger,
  MAX(sequence) AS last_ledger,
  MIN(closed_at) AS first_closed_at,
  MAX(closed_at) AS last_closed_at"""
"""The columns that say which ledgers some headers are of, and when they closed."""


def counted_sources(table: Table) -> list[Table]:
    """The sources of a derived table whose rows the ledgers' headers count."""
    return [source for source in sources_of(table).values() if source.header_count]


def ledgers_closed(headers: str, times: TimeRange) -> Statement:
    """One row: the first and the last ledger that closed within half-open times, when they closed, and how many.

    Args:
        headers: the quoted name of the published ledgers.
        times: the times.
    """
    sql = f"""\
SELECT
  COUNT(*) AS ledgers,
{_SPAN}
FROM {headers}
WHERE closed_at >= @start_time AND closed_at < @end_time"""
    return Statement(sql, asked_parameters(times))
