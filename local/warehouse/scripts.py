"""Statements of scripts: bqemulator runs them past what single statements get, and sets no variables from a STRUCT."""

from __future__ import annotations

import re
from typing import Any

from bqemulator.domain.errors import InvalidQueryError

from local.warehouse import rewriting

_OF_STRUCT = re.compile(r"\A\s*\(\s*SELECT\s+AS\s+STRUCT\b(.*)\)\s*\Z", re.IGNORECASE | re.DOTALL)


async def translate(original: Any, sql: str, **keywords: Any) -> Any:
    """Rewrite a statement of a script as a statement of its own is rewritten, then translate it."""
    return await original(rewriting.rewritten(sql), **keywords)


async def set_variables(original: Any, interpreter: Any, statement: Any) -> None:
    """Run ``SET (a, b) = (SELECT AS STRUCT …)``: each variable gets the field in its place.

    ``SET v = (SELECT AS STRUCT …)`` sets the whole STRUCT if that is what ``v`` is. The parser drops the parentheses of
    ``SET (v) = …``, so that the type of ``v`` distinguishes the two.

    Raises:
        InvalidQueryError: There are more or fewer fields than variables.
    """
    query, names = _OF_STRUCT.match(statement.source_expr), statement.targets
    if not query or (len(names) == 1 and _is_struct(interpreter._frames, names[0])):
        await original(interpreter, statement)
        return
    rows = await interpreter._run_query(f"SELECT {query[1]}")
    if rows.num_columns != len(names):
        raise InvalidQueryError(f"SET has {len(names)} variables, and the STRUCT has {rows.num_columns} fields")
    for name, values in zip(names, rows.columns, strict=True):
        interpreter._frames.set(name, values[0].as_py() if rows.num_rows else None)


def _is_struct(frames: Any, name: str) -> bool:
    for frame in reversed(frames._frames):
        if name in frame.variables:
            return str(frame.variables[name].type_name).upper().lstrip().startswith("STRUCT")
    return False
