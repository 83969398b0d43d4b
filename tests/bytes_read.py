"""The bytes that BigQuery reads for a statement: of partitioned tables only the days between its constants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sqlglot
from sqlglot import exp

from tests.dags.sql.test_sql_as_bigquery import PARTITION_COLUMNS, unbound

Query = Callable[[str, Mapping[str, str]], Iterable[Mapping[str, Any]]]
"""Run a query with time parameters, by name; return its rows."""


def bytes_read(sql: str, times: Mapping[str, str], query: Query) -> int:
    """Return the bytes of the rows that a statement reads, at their size as JSON.

    A table partitioned by close time counts with the days from `@first_closed_at` to `@last_closed_at`, if the
    statement compares the close time with them; any other table counts completely. Of a view of versions only those
    valid at `@first_closed_at` or later count, because its table is partitioned by the end of each version.

    Args:
        sql: the statement.
        times: both parameters.
        query: runs a query.
    """
    tree, total = sqlglot.parse_one(sql, dialect="bigquery"), 0
    loose = {one.partition(":")[0] for one in unbound(sql)}
    tables = {table.sql(dialect="bigquery", comments=False): table for table in tree.find_all(exp.Table) if table.db}
    for table in {table.name: table for table in tables.values()}.values():
        column = PARTITION_COLUMNS.get(table.name)
        bound = column is not None and table.name not in loose and "@first_closed_at" in sql
        days = f"DATE({column}) BETWEEN DATE(@first_closed_at) AND DATE(@last_closed_at)" if bound else "TRUE"
        if table.name.endswith("_history") and "valid_to >= @first_closed_at" in sql.replace("`", ""):
            bound, days = True, "valid_to >= @first_closed_at AND @last_closed_at IS NOT NULL"
        name = ".".join(part.name for part in (table.args["catalog"], table.args["db"], table.this))
        counted = f"SELECT COALESCE(SUM(LENGTH(TO_JSON_STRING(t))), 0) AS n FROM `{name}` AS t WHERE {days}"
        (row,) = query(counted, times if bound else {})
        total += int(row["n"])
    return total
