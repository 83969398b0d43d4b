"""Rewrites BigQuery's SQL into forms that bqemulator translates correctly, or refuses what DuckDB cannot hold."""

from __future__ import annotations

import sqlglot
from bqemulator.domain.errors import InvalidQueryError
from sqlglot import exp

_SIGNS = ("OFFSET", "DIV", "TO_JSON", "BIGNUMERIC", "BIGDECIMAL")
"""Each statement that must be rewritten has one of these words."""


def rewritten(sql: str) -> str:
    """Rewrite a statement into forms that bqemulator translates correctly.

    - `ARRAY(SELECT … FROM UNNEST(a) AS e WITH OFFSET AS o ORDER BY o)` loses the order, and fails where it is nested.
    - `DIV(a - b, c)` becomes `a - b // c`.
    - `TO_JSON_STRING(STRUCT(a, b))` loses the names of the fields.

    Args:
        sql: One statement in BigQuery's dialect.

    Raises:
        InvalidQueryError: It has a BIGNUMERIC, of which DuckDB has no type: its decimals have 38 digits.
    """
    upper = sql.upper()
    if not any(sign in upper for sign in _SIGNS):
        return sql
    try:
        tree = sqlglot.parse_one(sql, read="bigquery")
    except sqlglot.errors.ParseError:
        return sql  # bqemulator has statements of its own, and says what is wrong with the others
    if any(kind.this == exp.DataType.Type.BIGDECIMAL for kind in tree.find_all(exp.DataType)):
        raise InvalidQueryError("BIGNUMERIC is not supported by the local warehouse: no type of DuckDB is as wide")
    changed = [_divide(one) for one in tree.find_all(exp.IntDiv)]
    changed += [_name_fields(one) for one in tree.find_all(exp.JSONFormat)]
    # The innermost first: a copy of the outer one is made of what is in it.
    changed += [_map_elements(one) for one in reversed(list(tree.find_all(exp.Array)))]
    return tree.sql("bigquery") if any(changed) else sql


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
    """Put a subquery over the elements of one array, in their order, as a function of each element."""
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
