"""Tables on a terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any


def as_text(value: Any) -> str:
    """Return a value as text for display."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, (dict, list)):
        return json.dumps(value, default=as_text, ensure_ascii=False)
    if isinstance(value, bytes):
        return value.hex()
    return "" if value is None else str(value)


def bar(done: int, total: int, width: int = 20) -> str:
    """Return a progress bar."""
    full = width * done // total
    return f"[{'#' * full}{'.' * (width - full)}]"


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    """Print rows as a table with aligned columns; numbers are right-aligned."""
    if not rows:
        print("(no rows)")
        return
    columns = list(rows[0])
    cells = [[as_text(row[column]) for column in columns] for row in rows]
    widths = [max(len(name), *(len(row[index]) for row in cells)) for index, name in enumerate(columns)]
    right = [all(isinstance(row[column], (int, float, type(None))) for row in rows) for column in columns]

    def line(values: Sequence[str]) -> str:
        aligned = (
            value.rjust(width) if number else value.ljust(width)
            for value, width, number in zip(values, widths, right, strict=True)
        )
        return "  ".join(aligned).rstrip()

    print(line(columns))
    print("  ".join("-" * width for width in widths))
    for row in cells:
        print(line(row))
