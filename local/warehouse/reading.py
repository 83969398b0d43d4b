"""How much a query reads: BigQuery counts the bytes of columns and partitions, here it is those of whole tables."""

from __future__ import annotations

import sqlglot
from bqemulator.api.dependencies import AppContext
from bqemulator.sql import catalog_schema
from bqemulator.storage.sql_identifiers import quoted_table_ref
from sqlglot import exp

MEGABYTE = 1 << 20
LEAST_BILLED = 10 * MEGABYTE
"""What a query is billed at least for each table (https://cloud.google.com/bigquery/pricing#on_demand_pricing)."""

SAMPLE_ROWS = 100
"""By so many rows the size of all rows of a table is estimated."""


def statistics_of(sql: str, project_id: str, context: AppContext) -> dict[str, str]:
    """The two figures of a query job's statistics that tell what it reads and what is billed.

    Every table that the statement names counts as a whole, a MERGE's target too, and a view as nothing. Rows are as
    long as the text of the table's first rows is on average.
    """
    sizes = [_bytes_of(table, context) for table in _tables(sql, project_id, context)]
    billed = [max(LEAST_BILLED, -(-size // MEGABYTE) * MEGABYTE) for size in sizes]
    return {"totalBytesProcessed": str(sum(sizes)), "totalBytesBilled": str(sum(billed))}


def _tables(sql: str, project_id: str, context: AppContext) -> set[str]:
    """The quoted names of the tables that a statement names, and that are there."""
    try:
        statements = sqlglot.parse(sql, read="bigquery")
    except sqlglot.errors.ParseError:
        return set()  # it ran: bqemulator has statements of its own
    named = (table for statement in statements if statement for table in statement.find_all(exp.Table))
    references = {catalog_schema._resolve_table_ref(table, project_id=project_id) for table in named}
    found = [context.catalog.get_table(*reference) for reference in references if reference]
    return {
        quoted_table_ref(meta.project_id, meta.dataset_id, meta.table_id)
        for meta in found
        if meta is not None and meta.table_type == "TABLE"
    }


def _bytes_of(table: str, context: AppContext) -> int:
    some = f"(SELECT * FROM {table} LIMIT {SAMPLE_ROWS})"  # noqa: S608  a quoted reference
    mean = f"(SELECT avg(strlen(concat_ws('', *COLUMNS(*)))) FROM {some})"  # noqa: S608
    row = context.engine.execute(f"SELECT count(*), {mean} FROM {table}").fetchone()  # noqa: S608
    return round(row[0] * row[1]) if row and row[0] else 0
