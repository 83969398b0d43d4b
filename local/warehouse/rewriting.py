"""Rewrites BigQuery's SQL into forms that bqemulator translates correctly, or refuses what DuckDB cannot hold."""

from __future__ import annotations

import functools
import re

import sqlglot
from bqemulator.domain.errors import InvalidQueryError
from sqlglot import exp

from local.warehouse.parsing import TEXTS_KEPT

_SIGNS = re.compile(
    r"OFFSET|DIV|TO_JSON|BIGNUMERIC|BIGDECIMAL|DISTINCT.*IGNORE\s+NULLS|\w-\w[\w-]*\.\w", re.IGNORECASE | re.DOTALL
)
"""What each statement to rewrite has."""

_COMMENT = re.compile(
    r"""(?P<kept> '''.*?''' | \"\"\".*?\"\"\" | '(?: \\. | [^'\\] )*' | "(?: \\. | [^"\\] )*" | `[^`]*` )
      | --[^\n]* | \#[^\n]* | /\*.*?\*/""",
    re.VERBOSE | re.DOTALL,
)
"""A string, a name, or a comment."""


def without_comments(sql: str) -> str:
    """Replace comments by blanks, so that names stay where an error names them.

    bqemulator takes an apostrophe in a comment for the start of a string.
    """
    return _COMMENT.sub(lambda found: found["kept"] or re.sub(r"[^\n]", " ", found.group()), sql)


@functools.lru_cache(maxsize=TEXTS_KEPT)
def rewritten(sql: str) -> str:
    """Rewrite a statement into forms that bqemulator translates correctly.

    - `ARRAY(SELECT … FROM UNNEST(a) AS e WITH OFFSET AS o ORDER BY o)` loses the order, and fails where it is nested.
    - `DIV(a - b, c)` becomes `a - b // c`.
    - `TO_JSON_STRING(STRUCT(a, b))` loses the names of the fields.
    - `ARRAY_AGG(DISTINCT a IGNORE NULLS)` gets a condition that is no SQL.
    - `my-project.dataset.table` without backticks is taken for a difference.
    - An apostrophe in a comment is taken for the start of a string.

    Args:
        sql: One statement in BigQuery's dialect.

    Raises:
        InvalidQueryError: It has a BIGNUMERIC, for which DuckDB has no type: its decimals have 38 digits.
    """
    sql = without_comments(sql)
    if not _SIGNS.search(sql):
        return sql
    try:
        tree = sqlglot.parse_one(sql, read="bigquery")
    except sqlglot.errors.ParseError:
        return sql  # bqemulator uses its own statements, and reports the errors of others
    if any(kind.this == exp.DataType.Type.BIGDECIMAL for kind in tree.find_all(exp.DataType)):
        raise InvalidQueryError("BIGNUMERIC is not supported by the local warehouse: no type of DuckDB is as wide")
    changed = [_quote_project(one) for one in tree.find_all(exp.Table)]
    changed += [_filter_nulls(one) for one in list(tree.find_all(exp.IgnoreNulls))]
    changed += [_divide(one) for one in tree.find_all(exp.IntDiv)]
    changed += [_name_fields(one) for one in tree.find_all(exp.JSONFormat)]
    # The innermost first: the outer one is copied with its content.
    changed += [_map_elements(one) for one in reversed(list(tree.find_all(exp.Array)))]
    return tree.sql("bigquery") if any(changed) else sql


def _quote_project(table: exp.Expression) -> bool:
    """`my-project.dataset.table` is a name in BigQuery, and a difference in DuckDB."""
    project = table.args.get("catalog")
    if not isinstance(project, exp.Identifier) or project.args.get("quoted") or "-" not in project.name:
        return False
    project.set("quoted", True)
    return True


def _filter_nulls(nulls: exp.Expression) -> bool:
    distinct = nulls.this.find(exp.Distinct) if isinstance(nulls.this, exp.ArrayAgg) else None
    if distinct is None or len(distinct.expressions) != 1:
        return False
    known = exp.Not(this=exp.Is(this=distinct.expressions[0].copy(), expression=exp.Null()))
    nulls.replace(exp.Filter(this=nulls.this.copy(), expression=exp.Where(this=known)))
    return True


def _divide(division: exp.Expression) -> bool:
    for part in ("this", "expression"):
        division.set(part, exp.Paren(this=division.args[part]))
    return True


def _name_fields(json: exp.Expression) -> bool:
    fields = json.this.expressions if isinstance(json.this, exp.Struct) else []
    columns = [field for field in fields if isinstance(field, exp.Column)]
    for column in columns:
        column.replace(exp.PropertyEQ(this=exp.to_identifier(column.name), expression=column.copy()))
    return bool(columns)


def _map_elements(array: exp.Expression) -> bool:
    """Replace a subquery over the elements of one array, in their order, by a function of each element."""
    query = array.expressions[0] if len(array.expressions) == 1 else None
    if not isinstance(query, exp.Select) or len(query.expressions) != 1:
        return False
    given = {key for key, value in query.args.items() if value} - {"expressions", "from_", "order"}
    unnest = query.args["from_"].this if query.args.get("from_") else None
    if given or not isinstance(unnest, exp.Unnest) or not isinstance(unnest.args.get("offset"), exp.Identifier):
        return False
    order = query.args.get("order")
    if order is None or [one.this.name for one in order.expressions] != [unnest.args["offset"].name]:
        return False
    (element,) = unnest.args["alias"].columns
    (values,) = unnest.expressions
    each = exp.Lambda(this=query.expressions[0].copy(), expressions=[element.copy()])
    mapped = exp.Anonymous(this="LIST_TRANSFORM", expressions=[values.copy(), each])
    array.replace(exp.Coalesce(this=mapped, expressions=[exp.Array()]))
    return True
