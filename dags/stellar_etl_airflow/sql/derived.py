"""The SQL of derived tables: pending ledgers, checks of the sources, and the query that makes the rows. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from stellar_etl_airflow.model.lineage import selected_columns
from stellar_etl_airflow.model.ranges import LedgerRange, TimeRange
from stellar_etl_airflow.model.schema import Field, type_of
from stellar_etl_airflow.model.tables import BATCH_COLUMNS, LEDGERS, PUBLISHED, Table, View, sources_of
from stellar_etl_airflow.model.versions import VALID_TO, VALID_TO_LEDGER
from stellar_etl_airflow.sql.batch_stats import left_out_rows
from stellar_etl_airflow.sql.statement import (
    ArrayParameter,
    Parameter,
    Statement,
    column_list,
    identifier,
    later_predicate,
    ledgers_predicate,
    range_predicate,
    requested_parameters,
)
from stellar_etl_airflow.sql.versions import current_view_id, history_view_id, versions_table_id

_COMMENT = re.compile(r"^\s*--.*\n", re.MULTILINE)
"""A comment on a line of its own, which is removed from the statement."""

_BLOCK_BITS = 16
"""Publications are joined by blocks of 2^16 ledgers, four days of the network."""


def derive(
    query: str,
    table: Table,
    names: Mapping[Table, str],
    columns: Sequence[str] = (),
    full_loads: Mapping[Table, int] | None = None,
) -> str:
    """Return a derived table's query as the source of a merge.

    Args:
        query: the text of a file in `dags/queries`; see `in_names`.
        table: the derived table.
        names: the quoted name of each source, and of the derived table if it has a chain of rows per entry.
        columns: the derived table's columns, if it has a chain of rows per entry.
        full_loads: the ledger of the full load with which the versions of a source begin, if there is one.
    """
    text = in_names(query, table, names, full_loads)
    return f"(\n{_changed(text, table, names[table], columns) if table.chain else text})"


def in_names(
    query: str,
    table: Table,
    names: Mapping[Table, str],
    full_loads: Mapping[Table, int] | None = None,
    **others: str,
) -> str:
    """Return the text of a file in `dags/queries` with names and conditions in place of braces.

    | in braces | meaning |
    |---|---|
    | `{operations}` | the name of the table |
    | `{operations_range}` | true for its rows of the batch, with the alias in the registry |
    | `{operations_bucket_start}` | for the kind BUCKET: the start of the hour or day, as `bucket` says, of its row |
    | `{accounts}` | for a table with a chain of rows per entry: a subquery, see `_chained` |

    Args:
        query: the text.
        table: the derived table.
        names: the quoted name of each source.
        full_loads: the ledger of the full load with which the versions of a source begin, if there is one.
        others: further values of braces.
    """
    query, sources = _COMMENT.sub("", query), sources_of(table)
    values = {source.data_type: names[source] for source in sources.values()} | others
    for letter, source in sources.items():
        values[f"{source.data_type}_range"] = range_predicate(source, letter)
        values[f"{source.data_type}_bucket_start"] = _bucket_start(source, letter)
        if table.chain and source.entry_keys:
            full_load = (full_loads or {}).get(source, 0)
            values[source.data_type] = _chained(query, source, letter, names[source], full_load)
    return query.format(**values)


def _bucket_start(source: Table, letter: str) -> str:
    """Return SQL of the start of the hour or day in which a row's ledger closed: the column `bucket` says which."""
    closed_at = f"{letter}.{identifier(source.closed_at_column)}"
    return f"IF(bucket = 'hour', TIMESTAMP_TRUNC({closed_at}, HOUR), TIMESTAMP_TRUNC({closed_at}, DAY))"


def _chained(query: str, source: Table, letter: str, name: str, full_load: int) -> str:
    """Return a subquery of the rows from which a chain of rows per entry is made, with the column `is_before`.

    These are all changes from the batch's first ledger on and, with `is_before`, the versions that were valid directly
    before that ledger. The entries of a later full load are among them: the load knows what the changes before it lack.

    Args:
        query: the query that reads the rows; the subquery has the columns that the query names with the alias.
        source: the table of changes.
        letter: its alias.
        name: its quoted name.
        full_load: the ledger of the full load with which its versions begin; 0 without one.
    """
    columns = sorted({*re.findall(rf"\b{letter}\.`?(\w+)`?", query)} - {"is_before"})
    ledger = f"{letter}.{identifier(source.ledger_column)}"
    valid = f"{ledger} < @start_ledger AND {letter}.{VALID_TO_LEDGER} >= @start_ledger"
    valid = f"({valid} OR {ledger} = {full_load})" if full_load else valid
    return f"""\
(
    SELECT {column_list(columns, letter)}, FALSE AS is_before
    FROM {name} AS {letter}
    WHERE {later_predicate(source, letter)}
    UNION ALL
    SELECT {column_list(columns, letter)}, TRUE AS is_before
    FROM {beside(name, history_view_id)} AS {letter}
    WHERE {valid} AND {letter}.{VALID_TO} >= @first_closed_at
  )"""


def view_query(query: str, view: View, name: Callable[[Table], str], contract: str) -> str:
    """Return the query of a view on derived tables.

    Args:
        query: the text of a file in `dags/queries/views`. `{balances}` is the name of a table, `{accounts_current}` the
            view of current entries, `{native_contract}` the native asset contract.
        view: the view.
        name: returns the quoted name of a table in the view's dataset.
        contract: the id of the native asset contract.
    """
    values = {view.table.data_type: name(view.table), "native_contract": f"'{contract}'"}
    for data_type in view.current:
        values[f"{data_type}_current"] = beside(name(PUBLISHED[data_type]), current_view_id)
    return _COMMENT.sub("", query).format(**values).strip()


def beside(name: str, view_id: Callable[[str], str]) -> str:
    """Return the quoted name of a view in the dataset of a table.

    Args:
        name: the quoted name of the table.
        view_id: returns the view's name for the table's name.
    """
    dataset, _, table_id = name.strip("`").rpartition(".")
    return f"`{dataset}.{view_id(table_id)}`"


def _changed(text: str, table: Table, own: str, columns: Sequence[str]) -> str:
    """Return a query's rows of the batch's ledgers, and the later rows that differ from those in the table.

    A later row differs if the batch, or an earlier one that was not derived, changed what the row says of the state
    before it.
    """
    ledger, closed_at = (identifier(column) for column in (table.ledger_column, table.closed_at_column))
    same = " AND ".join(f"o.{identifier(key)} = c.{identifier(key)}" for key in table.keys)
    content = [identifier(column) for column in columns if column not in (*table.keys, *BATCH_COLUMNS)]
    differs = " OR ".join(f"o.{column} IS DISTINCT FROM c.{column}" for column in content)
    return f"""\
SELECT c.*
FROM (
{text}) AS c
LEFT JOIN (
  SELECT {column_list(column for column in columns if column not in BATCH_COLUMNS)}
  FROM {own}
  WHERE {ledger} > @end_ledger AND {closed_at} BETWEEN @last_closed_at AND @newest_closed_at
) AS o ON {same}
WHERE c.{ledger} <= @end_ledger OR o.{ledger} IS NOT NULL AND ({differs})
"""


def selected_fields(query: str, sources: Mapping[str, Sequence[Field]], own: Sequence[Field]) -> list[dict[str, Any]]:
    """Return the schema of a query's result, with record fields in the order of their source tables.

    Args:
        query: the text of a file in `dags/queries`.
        sources: the actual schema of each source table, by its alias in the query.
        own: the schema file of the derived table.

    Raises:
        ValueError: the query does not select a record unchanged on its own line, so the order of its fields is unknown.
    """
    columns = selected_columns(query, {letter: {one["name"]: one for one in some} for letter, some in sources.items()})
    fields = []
    for field in own:
        if type_of(field) == "RECORD" and field["name"] not in columns:
            raise ValueError(f"the query must select the record {field['name']} unchanged, on a line of its own")
        table, name = columns.get(field["name"], ({}, ""))
        fields.append({**table.get(name, field), "name": field["name"]})
    return fields


def publications(stats: str, source_ids: Sequence[str], own_id: str) -> Statement:
    """Return the publications that decide which ledgers of a derived table are pending.

    Columns are `table_id`, `start_ledger`, `end_ledger`, `first_closed_at`, `last_closed_at` and `moment`: when a range
    was published, or for the derived table when its sources were read. `read_at` is the current time of BigQuery's
    clock, which also records the end of merges.

    A full load of a source's entries counts as a publication of all its ranges with later ledgers.

    A range of a source is done if the derived table has a row of the same range that is not older. The query returns
    all publications of the blocks with other ranges. These are few unless many ledgers are pending.

    Args:
        stats: the quoted name of the batch stats.
        source_ids: the names of the sources in the batch stats.
        own_id: the name of the derived table.
    """
    blocks = f"UNNEST(GENERATE_ARRAY(start_ledger >> {_BLOCK_BITS}, end_ledger >> {_BLOCK_BITS})) AS block"
    sql = f"""\
WITH
published AS (
  SELECT table_id, start_ledger, end_ledger, first_closed_at, last_closed_at,
    COALESCE(GREATEST(moment, fully_loaded_at), moment) AS moment
  FROM (
    SELECT s.table_id, s.start_ledger, s.end_ledger, s.first_closed_at, s.last_closed_at,
      IF(s.table_id = @own_id, s.exported_at, COALESCE(s.published_at, s.exported_at)) AS moment,
      MAX(f.published_at) AS fully_loaded_at
    FROM {stats} AS s
    LEFT JOIN {stats} AS f
    ON f.table_id = CONCAT(s.table_id, '{versions_table_id("")}') AND f.end_ledger < s.end_ledger
    WHERE s.table_id = @own_id OR s.table_id IN UNNEST(@source_ids)
    GROUP BY s.table_id, s.start_ledger, s.end_ledger, s.first_closed_at, s.last_closed_at, s.exported_at,
      s.published_at
  )
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
    requested: TimeRange | LedgerRange,
    closed: tuple[datetime, datetime] | None = None,
) -> Statement:
    """Return one row: the loaded ledgers of a range, the expected row counts of their headers, and the actual counts.

    Rows that an export skipped are not expected. `read_at` is the current time of BigQuery's clock.

    Args:
        table: the derived table.
        names: the quoted name of each source.
        stats: the quoted name of the batch stats.
        table_ids: the name of each source in the batch stats.
        requested: the range.
        closed: for a range of ledgers: bounds of their close times; None if unknown. Without them, the query reads the
            whole ledger column of each source.
    """

    def within(source: Table) -> str:
        closed_at = identifier(source.closed_at_column)
        if isinstance(requested, LedgerRange):
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
    window_names = ("window_start", "window_end") if closed and isinstance(requested, LedgerRange) else ()
    window = [
        Parameter(name, "TIMESTAMP", moment.isoformat())
        for name, moment in zip(window_names, closed or (), strict=False)
    ]
    return Statement(sql, (*requested_parameters(requested), *window, *known))


_SPAN = """\
  MIN(sequence) AS first_ledger,
  MAX(sequence) AS last_ledger,
  MIN(closed_at) AS first_closed_at,
  MAX(closed_at) AS last_closed_at"""
"""Columns with the first and last ledger of some headers, and their close times."""


def counted_sources(table: Table) -> list[Table]:
    """Return the sources of a derived table whose rows the ledger headers count."""
    return [source for source in sources_of(table).values() if source.header_count]


def ledgers_closed(headers: str, times: TimeRange) -> Statement:
    """Return one row: the first and last ledger that closed within half-open times, their close times, and the count.

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
    return Statement(sql, requested_parameters(times))
