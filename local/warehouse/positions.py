"""Refuses to move a record into one with another order of fields.

BigQuery accepts such a statement and puts each value into the field at the same position. DuckDB puts it into the field
of the same name, so that the laptop would hide the error.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pyarrow as pa
import sqlglot
from bqemulator.domain.errors import InvalidQueryError
from bqemulator.sql import catalog_schema
from sqlglot import exp

from local.warehouse.parsing import TEXTS_KEPT


async def check(run: Callable[[str], Awaitable[pa.Table]], sql: str, project_id: str, context: Any) -> None:
    """Compare the records of the rows that a MERGE or an INSERT writes with those of its target, and within a UNION.

    Args:
        run: Runs a statement in BigQuery's dialect with the parameters of this one.
        sql: The statement.
        project_id: The project of names that have none.
        context: The server's parts.

    Raises:
        InvalidQueryError: The fields of a record are in another order, or have other names.
    """
    written = _written(sql)
    if written is None:
        return
    target, columns, rows = written
    reference = catalog_schema._resolve_table_ref(target, project_id=project_id)
    table = context.catalog.get_table(*reference) if reference else None
    records = (
        {field.name.lower(): _names(field.fields) for field in table.schema_.fields if field.fields} if table else {}
    )
    if not records.keys() & {column.lower() for column in columns}:
        return
    given = (await run(rows.limit(0).sql("bigquery"))).schema
    for column, kind in zip(columns, given.types, strict=True):
        _compare(column, _names_of_type(kind), records.get(column.lower()), "the table's")
    for union in rows.find_all(exp.SetOperation):
        first, second = [
            (await run(exp.select("*").from_(side.copy().subquery("side")).limit(0).sql("bigquery"))).schema
            for side in (union.left, union.right)
        ]
        for column, one, other in zip(first.names, first.types, second.types, strict=True):
            _compare(column, _names_of_type(other), _names_of_type(one), "those above UNION")


def _compare(column: str, names: list[Any], wanted: list[Any] | None, others: str) -> None:
    if wanted and names and names != wanted:
        raise InvalidQueryError(
            f"Column {column}: BigQuery matches the fields of a RECORD by position, and these are in another order "
            f"or have other names: {names}, and {others} {wanted}"
        )


@functools.lru_cache(maxsize=TEXTS_KEPT)
def _written(sql: str) -> tuple[exp.Table, list[str], exp.Select] | None:
    """Return a statement's target, the columns that it writes, and the query of the rows; None for other statements."""
    if not sql.lstrip().upper().startswith(("MERGE", "INSERT")):
        return None
    statement = sqlglot.parse_one(sql, read="bigquery")
    if isinstance(statement, exp.Insert):
        into, rows = statement.this, statement.expression
        if isinstance(into, exp.Schema) and isinstance(rows, exp.Query):
            return into.this, [one.name for one in into.expressions], exp.select("*").from_(rows.subquery("rows_"))
    if isinstance(statement, exp.Merge):
        for clause in statement.args["whens"].expressions:
            then = clause.args["then"]
            if isinstance(then, exp.Insert) and then.expression:
                rows = exp.select(*then.expression.expressions).from_(statement.args["using"].copy())
                return statement.this, [one.name for one in then.this.expressions], rows
    return None


def _names(fields: Sequence[Any]) -> list[Any]:
    return [(field.name.lower(), _names(field.fields)) for field in fields]


def _names_of_type(kind: pa.DataType) -> list[Any]:
    if pa.types.is_list(kind):
        return _names_of_type(kind.value_type)
    if not pa.types.is_struct(kind):
        return []
    return [(field.name.lower(), _names_of_type(field.type)) for field in kind]
