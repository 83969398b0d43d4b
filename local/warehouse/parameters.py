"""Query parameters, replaced only where they are parameters."""

from __future__ import annotations

import base64
import re
from typing import Any

from bqemulator.domain.errors import InvalidQueryError
from bqemulator.sql import parameters

from local.warehouse.schema import quoted

_TOKEN = re.compile(
    r"""(?i: \b e'(?: \\. | '' | [^'\\] )*' )   # a string with escapes
      | '(?: '' | [^'] )*' | "(?: "" | [^"] )*"  # a string, a name
      | /\*.*?\*/                                # a comment, which a view can have
      | [@$](\w+)                                # a parameter, as BigQuery or as SQLGlot writes it""",
    re.VERBOSE | re.DOTALL,
)


def bind_named(_original: Any, sql: str, given: list[dict[str, Any]]) -> tuple[str, list[Any]]:
    """Replace named parameters by DuckDB's ``?``; bqemulator replaces them inside strings and names too.

    Args:
        sql: A statement in DuckDB's dialect.
        given: BigQuery's ``QueryParameter`` resources.

    Returns:
        The statement, and the values in the order of their marks.
    """
    by_name = {parameter["name"]: parameter for parameter in given}
    values: list[Any] = []

    def mark(token: re.Match[str]) -> str:
        parameter = by_name.get(token.group(1))
        if parameter is None:
            return token.group()
        values.append(parameters._extract_value(parameter))
        kind = parameter["parameterType"]
        if kind["type"] == "ARRAY":
            return f"CAST(? AS {_array_type(kind)})"
        return parameters._placeholder_for(values[-1], parameter)

    return _TOKEN.sub(mark, sql), values


def _array_type(kind: dict[str, Any]) -> str:
    """The DuckDB type of an array, which DuckDB would guess from its first values: there may be none, or NULL."""
    element = kind["arrayType"]
    if element["type"] == "STRUCT":
        fields = (
            f"{quoted(one['name'])} {parameters._bq_to_duckdb_type(one['type'])}" for one in element["structTypes"]
        )
        return f"STRUCT({', '.join(fields)})[]"
    return f"{parameters._bq_to_duckdb_type(element)}[]"


def extract_value(original: Any, parameter: dict[str, Any]) -> Any:
    """Return a parameter's value; BYTES are in base64, which bqemulator does not decode.

    Raises:
        InvalidQueryError: It is a BIGNUMERIC, for which DuckDB has no type.
    """
    kind = parameter.get("parameterType", {}).get("type")
    if kind == "BIGNUMERIC":
        raise InvalidQueryError("BIGNUMERIC is not supported by the local warehouse: no type of DuckDB is as wide")
    value = original(parameter)
    if kind == "BYTES" and value is not None:
        return base64.b64decode(value)
    return value
