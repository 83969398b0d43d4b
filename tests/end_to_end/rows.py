"""Comparison of published with exported rows, both in the form of their table's schema."""

from __future__ import annotations

import base64
import json
from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from local.stack import Stack
from stellar_etl_airflow.model.tables import BATCH_COLUMNS
from tests.shared import REPO

Field = Mapping[str, Any]


def schema(table_id: str) -> list[Field]:
    fields = json.loads((REPO / "schemas" / f"{table_id}_schema.json").read_text())
    return [field for field in fields if field["name"] not in BATCH_COLUMNS]


def _value(value: Any, field: Field) -> Any:
    if field["mode"] == "REPEATED":
        items = [value] if isinstance(value, dict) else value or []
        return [_value(item, {**field, "mode": "NULLABLE"}) for item in items]
    if field["type"] == "RECORD":
        parts = {inner["name"]: inner["type"] for inner in field["fields"]}
        # Queries return JSON inside a record as text.
        decoded = {
            name: json.loads(item) if parts.get(name) == "JSON" and isinstance(item, str) else item
            for name, item in (value or {}).items()
        }
        value = canonical(decoded, field["fields"])
        return value if any(item not in (None, []) for item in value.values()) else None
    if value is None:
        return None
    if field["type"] == "TIMESTAMP":
        if isinstance(value, int):  # seconds since 1970
            value = datetime.fromtimestamp(value, UTC)
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.astimezone(UTC).isoformat()
    if field["type"] in ("INTEGER", "FLOAT"):
        return int(value) if field["type"] == "INTEGER" else float(value)
    if field["type"] == "STRING":
        return str(value)
    if field["type"] == "NUMERIC":
        return str(Decimal(str(value)).normalize())
    if field["type"] == "BYTES":
        return (base64.b64decode(value) if isinstance(value, str) else value).hex()
    return value


def canonical(row: Mapping[str, Any], fields: Iterable[Field]) -> dict[str, Any]:
    """Return a row in the form of its schema: a missing value is null, numbers are numbers, times are in UTC."""
    return {field["name"]: _value(row.get(field["name"]), field) for field in fields}


def as_set(rows: Iterable[Mapping[str, Any]], table_id: str, without: Container[str] = ()) -> list[str]:
    """Return rows in a comparable form, with duplicates, without the columns that describe the load.

    Args:
        rows: the rows.
        table_id: their table.
        without: columns to omit.
    """
    fields = [field for field in schema(table_id) if field["name"] not in without]
    return sorted(json.dumps(canonical(row, fields), sort_keys=True) for row in rows)


def published(stack: Stack, table_id: str, without: Container[str] = (), dataset: str = "") -> list[str]:
    """Return the rows of a table as `as_set` does; the dataset is the stack's by default."""
    rows = stack.query(f"SELECT * FROM {dataset and f'{dataset}.'}{table_id}")
    return as_set(rows, table_id, without)
