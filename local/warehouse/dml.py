"""Makes DuckDB run BigQuery's MERGE fast and say what it did, and refuse what BigQuery refuses."""

from __future__ import annotations

from typing import Any

import sqlglot
from bqemulator.domain.errors import InvalidQueryError
from sqlglot import exp

NEVER = "_never"
"""Name of the column that is joined on instead of FALSE; no row id equals it."""


def qualify_tables_and_prepare(original: Any, duckdb_sql: str, project_id: str) -> str:
    """The last step of bqemulator's translation, with :func:`prepare` after it."""
    return prepare(original(duckdb_sql, project_id))


def prepare(duckdb_sql: str) -> str:
    """Rewrite a MERGE so that DuckDB runs it as a hash join and returns one row for each row it changed.

    * ``ON FALSE`` is BigQuery's constant false predicate: replace a range of rows in one statement. DuckDB
      plans it as a nested loop (14 s for 10 thousand rows into 1 million). An equality that never holds,
      between the target's row id and a column that is always -1, gives the same rows by a hash join (0.02 s).
    * ``RETURNING merge_action`` tells inserted, updated and deleted rows apart, which BigQuery reports as
      ``dmlStats``; DuckDB's own count is their sum.

    Args:
        duckdb_sql: One statement in DuckDB's dialect, tables already qualified.

    Returns:
        The statement to run; anything but a MERGE comes back as it was.

    Raises:
        InvalidQueryError: A DELETE or UPDATE has no WHERE, which BigQuery demands.
    """
    if not duckdb_sql.lstrip().upper().startswith(("MERGE", "DELETE", "UPDATE")):
        return duckdb_sql
    statement = sqlglot.parse_one(duckdb_sql, read="duckdb")
    if isinstance(statement, exp.Delete | exp.Update) and not statement.args.get("where"):
        raise InvalidQueryError(f"{statement.key.upper()} must have a WHERE clause", location="query")
    if not isinstance(statement, exp.Merge):
        return duckdb_sql
    if _is_false(statement.args["on"]):
        _join_on_an_equality_that_never_holds(statement)
    statement.set("returning", exp.Returning(expressions=[exp.column("merge_action")]))
    return statement.sql(dialect="duckdb")


def _is_false(condition: Any) -> bool:
    literal = condition.unnest()
    return isinstance(literal, exp.Boolean) and not literal.this


def _join_on_an_equality_that_never_holds(merge: exp.Merge) -> None:
    source = merge.args["using"]
    source_name = source.alias_or_name
    relation = source.copy()
    if isinstance(relation, exp.Table):
        relation.set("alias", None)
    else:
        relation.set("alias", exp.TableAlias(this=exp.to_identifier("_source")))
    never = exp.alias_(exp.Literal.number(-1), NEVER)
    merge.set("using", exp.select(exp.Star(), never).from_(relation).subquery(source_name))
    merge.set(
        "on",
        exp.column("rowid", table=merge.this.alias_or_name).eq(exp.column(NEVER, table=source_name)),
    )
