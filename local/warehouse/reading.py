"""The bytes that a query reads: BigQuery counts columns and partitions, this module whole tables."""

from __future__ import annotations

import sqlglot
from bqemulator.api.dependencies import AppContext
from bqemulator.sql import catalog_schema
from bqemulator.storage.sql_identifiers import quoted_table_ref
from sqlglot import exp

MEGABYTE = 1 << 20
LEAST_BILLED = 10 * MEGABYTE
"""The minimum of billed bytes per table of a query (https://cloud.google.com/bigquery/pricing#on_demand_pricing)."""

SAMPLE_ROWS = 100
"""The number of rows from which the size of a table is estimated."""


def statistics_of(sql: str, project_id: str, context: AppContext) -> dict[str, str]:
    """Return the processed and the billed bytes of a query job's statistics.

    Every table that the statement names counts as a whole, a MERGE's target too, and a view as nothing. Rows are as
    long as the text of the table's first rows is on average.
    """
    sizes = [bytes_of(table, context) for table in _tables(sql, project_id, context)]
    billed = [max(LEAST_BILLED, -(-size // MEGABYTE) * MEGABYTE) for size in sizes]
    return {"totalBytesProcessed": str(sum(sizes)), "totalBytesBilled": str(sum(billed))}


def _tables(sql: str, project_id: str, context: AppContext) -> set[str]:
    """Return the quoted names of existing tables in a statement."""
    try:
        statements = sqlglot.parse(sql, read="bigquery")
    except sqlglot.errors.ParseError:
        return set()  # it ran: bqemulator uses its own statements
    named = (table for statement in statements if statement for table in statement.find_all(exp.Table))
    references = {catalog_schema._resolve_table_ref(table, project_id=project_id) for table in named}
    found = [context.catalog.get_table(*reference) for reference in references if reference]
    return {
        quoted_table_ref(meta.project_id, meta.dataset_id, meta.table_id)
        for meta in found
        if meta is not None and meta.table_type == "TABLE"
    }


def bytes_of(table: str, context: AppContext) -> int:
    """Return the size of a table's rows, given its quoted name: the text of all rows, by that of the first ones."""
    some = f"(SELECT * FROM {table} LIMIT {SAMPLE_ROWS})"  # noqa: S608  a quoted reference
    mean = f"(SELECT avg(strlen(concat_ws('', *COLUMNS(*)))) FROM {some})"  # noqa: S608
    row = context.engine.execute(f"SELECT count(*), {mean} FROM {table}").fetchone()  # noqa: S608
    return round(row[0] * row[1]) if row and row[0] else 0
