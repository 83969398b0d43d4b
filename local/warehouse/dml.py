"""Runs BigQuery's MERGE fast on DuckDB, counts its changes by kind, and refuses what BigQuery refuses."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlglot
from bqemulator.domain.errors import InvalidQueryError
from bqemulator.sql import catalog_schema
from bqemulator.storage.sql_identifiers import quoted_table_ref
from sqlglot import exp

from local.warehouse import job_list, parsing, positions, rewriting
from local.warehouse.schema import quoted


class AffectedRows(int):
    """The rows that a statement changed, by kind; the number is their sum."""

    inserted: int
    updated: int
    deleted: int

    def __new__(cls, inserted: int = 0, updated: int = 0, deleted: int = 0) -> AffectedRows:
        """Sum the three counts."""
        rows = super().__new__(cls, inserted + updated + deleted)
        rows.inserted, rows.updated, rows.deleted = inserted, updated, deleted
        return rows

    @classmethod
    def of_statement(cls, statement_type: str, count: int) -> AffectedRows:
        """Read a count as the one kind of change that the statement can make."""
        match statement_type:
            case "INSERT":
                return cls(inserted=count)
            case "UPDATE":
                return cls(updated=count)
            case _:
                return cls(deleted=count)

    def as_dml_stats(self) -> dict[str, str]:
        """BigQuery's ``DmlStats`` resource, whose counts are strings."""
        return {
            "insertedRowCount": str(self.inserted),
            "updatedRowCount": str(self.updated),
            "deletedRowCount": str(self.deleted),
        }


async def run_statement(
    original: Any, project_id: str, sql: str, parameters: Any, context: Any, **keywords: Any
) -> Any:
    """Run one statement: a MERGE that replaces a range runs as a DELETE and an INSERT.

    DuckDB plans ``ON FALSE``, BigQuery's constant false predicate, as a nested loop: 14 s for 10 thousand rows
    into 1 million. The two statements take 0.02 s, whatever the size of the table, and the transaction of their
    job makes them one.

    Returns:
        An Arrow table: a query's rows, or what :func:`count_rows_by_kind` reads.
    """

    async def run(statement: str) -> Any:
        return await original(project_id, statement, parameters, context, **keywords)

    with job_list.readable(sql, project_id, context) as sql:
        return await _run_readable(run, sql, project_id, context)


async def _run_readable(run: Callable[[str], Awaitable[Any]], sql: str, project_id: str, context: Any) -> Any:
    sql = rewriting.rewritten(sql)
    await positions.check(run, sql, project_id, context)
    merge = replacement(sql)
    if merge is None:
        return await run(sql)
    rows = await run(merge.rows) if merge.rows and merge.reads_target else None
    counts = {}
    if merge.deletion:
        counts["deleted"] = (await run(merge.deletion)).column(0)
    if rows is not None:
        counts["inserted"] = pa.array([_insert_rows(merge, rows, project_id, context)])
    elif merge.insertion:
        counts["inserted"] = (await run(merge.insertion)).column(0)
    return pa.table(counts)


def _insert_rows(merge: Replacement, rows: pa.Table, project_id: str, context: Any) -> int:
    """Insert rows that were read before the statement changed the table."""
    reference = catalog_schema._resolve_table_ref(merge.target, project_id=project_id)
    assert reference is not None, "the target of a MERGE has a name"
    columns = ", ".join(map(quoted, merge.columns))
    connection = context.engine.connection
    connection.register(_ROWS, rows)
    try:
        context.engine.execute(
            f"INSERT INTO {quoted_table_ref(*reference)} ({columns}) SELECT * FROM {_ROWS}"  # noqa: S608
        )
    finally:
        connection.unregister(_ROWS)
    return int(rows.num_rows)


_ROWS = "rows_read_before"


@dataclass(frozen=True)
class Replacement:
    """A MERGE that matches no row, in statements of BigQuery's dialect."""

    deletion: str | None
    insertion: str | None
    rows: str | None
    """The query of the rows to insert."""
    target: exp.Table
    columns: tuple[str, ...]
    """The columns that get the rows."""
    reads_target: bool
    """Whether the rows come from the target, and must be read before it changes."""


@functools.lru_cache(maxsize=parsing.TEXTS_KEPT)
def replacement(sql: str) -> Replacement | None:
    """Take a MERGE that matches no row apart.

    Args:
        sql: One statement in BigQuery's dialect.

    Returns:
        Its parts; None if ``sql`` is not a ``MERGE … ON FALSE``.
    """
    if "MERGE" not in sql.upper():
        return None
    merge = sqlglot.parse_one(sql, read="bigquery")
    if not isinstance(merge, exp.Merge) or not _is_false(merge.args["on"]):
        return None
    target, source = merge.this, merge.args["using"]
    into = exp.Schema(this=exp.table_(target.this, target.args.get("db"), target.args.get("catalog")))
    deletion: exp.Delete | None = None
    rows: exp.Select | None = None
    for clause in merge.args["whens"].expressions:
        condition, then = clause.args.get("condition") or exp.true(), clause.args["then"]
        if clause.args["matched"]:
            continue  # never
        if clause.args["source"]:
            if deletion or then.name != "DELETE":
                return None
            deletion = exp.Delete(this=target.copy(), where=exp.Where(this=condition))
        else:
            if rows or then.name:
                return None
            rows = exp.select(*then.expression.expressions).from_(source.copy()).where(condition)
            into.set("expressions", then.this.expressions)
    return Replacement(
        deletion=deletion.sql("bigquery") if deletion else None,
        insertion=exp.Insert(this=into, expression=rows).sql("bigquery") if rows else None,
        rows=rows.sql("bigquery") if rows else None,
        target=into.this,
        columns=tuple(column.name for column in into.expressions),
        reads_target=any(_may_be(table, target) for table in source.find_all(exp.Table)),
    )


def _may_be(table: exp.Table, target: exp.Expression) -> bool:
    """Whether two names can be those of the same table; a name without a dataset can be in any dataset."""
    here, there = table.db, target.text("db")
    return table.name == target.name and (here == there or not (here and there))


def _is_false(condition: Any) -> bool:
    literal = condition.unnest()
    return isinstance(literal, exp.Boolean) and not literal.this


PLAIN_DECIMAL = exp.DataType.build("DECIMAL(18, 3)", dialect="duckdb")
"""What bqemulator makes of NUMERIC."""
NUMERIC = exp.DataType.build("DECIMAL(38, 9)", dialect="duckdb")


@functools.lru_cache(maxsize=parsing.TEXTS_KEPT)
def qualify_tables_and_check(original: Any, sql: str, project_id: str) -> str:
    """The last step of bqemulator's translation to DuckDB's dialect, with additions.

    Functions of an element are written ``LAMBDA e : …``. A MERGE gets ``RETURNING merge_action``, which distinguishes
    inserted, updated and deleted rows. NUMERIC gets its precision and scale: it is translated to a plain DECIMAL, which
    has three digits after the point in DuckDB.

    Raises:
        InvalidQueryError: A DELETE or UPDATE has no WHERE, which BigQuery requires.
    """
    duckdb_sql: str = original(sql, project_id)
    try:
        statement = sqlglot.parse_one(duckdb_sql, read="duckdb")
    except sqlglot.errors.ParseError:
        return duckdb_sql  # DuckDB reports the error
    if isinstance(statement, exp.Delete | exp.Update) and not statement.args.get("where"):
        raise InvalidQueryError(f"{statement.key.upper()} must have a WHERE clause", location="query")
    if isinstance(statement, exp.Merge):
        statement.set("returning", exp.Returning(expressions=[exp.column("merge_action")]))
    for function in statement.find_all(exp.Lambda):
        if not isinstance(function.this, exp.Literal):  # this is a path into JSON
            function.set("colon", True)
    for decimal in [kind for kind in statement.find_all(exp.DataType) if kind == PLAIN_DECIMAL]:
        decimal.replace(NUMERIC.copy())
    return statement.sql(dialect="duckdb", copy=False)


def schema_without_records(original: Any, sql: str, *, project_id: str, catalog: Any) -> Any:
    """The columns that bqemulator resolves types by; none if a table has records or arrays.

    It leaves those columns out, and ``SELECT *`` would omit them too.
    """
    for reference in parsing.references(sql, project_id):
        meta = catalog.get_table(*reference)
        if meta and any(field.fields or field.mode == "REPEATED" for field in meta.schema_.fields):
            return {}
    with parsing.shared_trees():
        return original(sql, project_id=project_id, catalog=catalog)


def count_rows_by_kind(original: Any, result: Any) -> int:
    """Return the number of rows that a statement changed, from its Arrow table."""
    if result.column_names == ["merge_action"]:
        actions = Counter(result.column(0).to_pylist())
        return AffectedRows(actions["INSERT"], actions["UPDATE"], actions["DELETE"])
    if set(result.column_names) & {"deleted", "inserted"}:
        return AffectedRows(**{kind: result.column(kind)[0].as_py() for kind in result.column_names})
    return int(original(result))


def build_statistics_with_kinds(original: Any, **arguments: Any) -> dict[str, Any]:
    """Add ``dmlStats``, which bqemulator omits from a query job's statistics."""
    statistics: dict[str, Any] = original(**arguments)
    rows = arguments["num_dml_affected_rows"]
    if rows is not None:
        if not isinstance(rows, AffectedRows):
            rows = AffectedRows.of_statement(arguments["statement_type"], rows)
        statistics["query"]["dmlStats"] = rows.as_dml_stats()
    return statistics
