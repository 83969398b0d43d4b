"""The bytes that a query reads: BigQuery counts columns and partitions, this module whole tables."""

from __future__ import annotations

from datetime import datetime

from bqemulator.api.dependencies import AppContext
from bqemulator.catalog.models import TableMeta
from bqemulator.storage.sql_identifiers import quoted_table_ref

from local.warehouse import parsing

MEGABYTE = 1 << 20
LEAST_BILLED = 10 * MEGABYTE
"""The minimum of billed bytes per table of a query (https://cloud.google.com/bigquery/pricing#on_demand_pricing)."""

SAMPLE_ROWS = 100
"""The number of rows from which the size of a table is estimated."""
MEANS_KEPT = 1000
"""The number of tables whose estimate is kept."""


def statistics_of(sql: str, project_id: str, context: AppContext) -> dict[str, str]:
    """Return the processed and the billed bytes of a query job's statistics.

    Every table that the statement names counts as a whole, a MERGE's target too, and a view as nothing. Rows are as
    long as the text of the table's first rows is on average.
    """
    found = [context.catalog.get_table(*reference) for reference in parsing.references(sql, project_id)]
    sizes = [bytes_of(table, context) for table in found if table and table.table_type == "TABLE"]
    billed = [max(LEAST_BILLED, -(-size // MEGABYTE) * MEGABYTE) for size in sizes]
    return {"totalBytesProcessed": str(sum(sizes)), "totalBytesBilled": str(sum(billed))}


def bytes_of(table: TableMeta, context: AppContext) -> int:
    """Return the size of a table's rows: the text of all rows, estimated by that of the first ones."""
    reference = quoted_table_ref(table.project_id, table.dataset_id, table.table_id)
    row = context.engine.execute(f"SELECT count(*) FROM {reference}").fetchone()  # noqa: S608
    rows = row[0] if row else 0
    if not rows:
        return 0
    key = (reference, table.creation_time, rows)
    if key not in _means:
        # This takes 7 ms for a table with many columns, more than many queries.
        some = f"(SELECT * FROM {reference} LIMIT {SAMPLE_ROWS})"  # noqa: S608
        text = "avg(strlen(concat_ws('', *COLUMNS(*))))"
        mean = context.engine.execute(f"SELECT {text} FROM {some}").fetchone()  # noqa: S608
        _means[key] = mean[0] if mean else 0
        while len(_means) > MEANS_KEPT:
            del _means[next(iter(_means))]
    return round(rows * _means[key])


_means: dict[tuple[str, datetime, int], float] = {}
"""The mean length of the first rows' text, for a table with a number of rows."""
