"""Query parameters, put where they stand and nowhere else."""

from __future__ import annotations

import base64
import re
from typing import Any

from bqemulator.sql import parameters

_TOKEN = re.compile(
    r"""(?i: \b e'(?: \\. | '' | [^'\\] )*' )   # a string with escapes
      | '(?: '' | [^'] )*' | "(?: "" | [^"] )*"  # a string, a name
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
        return parameters._placeholder_for(values[-1], parameter)

    return _TOKEN.sub(mark, sql), values


def extract_value(original: Any, parameter: dict[str, Any]) -> Any:
    """Read a parameter's value; BYTES come in base64, which bqemulator leaves as it is."""
    value = original(parameter)
    if parameter.get("parameterType", {}).get("type") == "BYTES" and value is not None:
        return base64.b64decode(value)
    return value
