"""Schemas: BigQuery's fields as DuckDB types, and the allowed changes of a schema. No IO.

A field is a dict in the form of BigQuery's REST API: ``name``, ``type``, ``mode``, ``description``, ``fields``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bqemulator.domain.errors import ValidationError
from bqemulator.storage.type_map import bq_to_duckdb

from stellar_etl_airflow.model.schema import mode_of, type_of

Field = dict[str, Any]


def quoted(name: str) -> str:
    """A DuckDB identifier. Columns of ours are called ``from``, ``and``, ``not``."""
    return '"' + name.replace('"', '""') + '"'


def duckdb_type(field: Field) -> str:
    """The DuckDB type of a column, nested fields included.

    Raises:
        ValidationError: The column is a BIGNUMERIC, for which DuckDB has no type: its decimals have 38 digits.
    """
    if type_of(field) == "RECORD":
        parts = (f"{quoted(part['name'])} {duckdb_type(part)}" for part in field["fields"])
        single = f"STRUCT({', '.join(parts)})"
    elif type_of(field) == "BIGNUMERIC":
        raise ValidationError(f"Field {field['name']} is a BIGNUMERIC, which the local warehouse does not support")
    else:
        single = bq_to_duckdb(type_of(field))
    return f"{single}[]" if mode_of(field) == "REPEATED" else single


def duckdb_columns(fields: Sequence[Field]) -> list[tuple[str, str]]:
    """Name and DuckDB type of each column."""
    return [(field["name"], duckdb_type(field)) for field in fields]


def quoted_duckdb_columns(_original: Any, fields: Sequence[Field]) -> list[tuple[str, str]]:
    """Replace bqemulator's ``bq_schema_to_duckdb_columns``, which does not quote names of nested fields."""
    return duckdb_columns(fields)


@dataclass(frozen=True)
class AddedColumn:
    """A column that a new schema has and the old one lacks."""

    path: tuple[str, ...]
    """Names from the top down for ``ALTER TABLE``, where an array's element is called ``element``."""
    field: Field

    def ddl(self, table: str) -> str:
        """The statement that adds it to ``table``, a quoted reference."""
        where = ".".join(map(quoted, self.path))
        return f"ALTER TABLE {table} ADD COLUMN {where} {duckdb_type(self.field)}"


def merge_fields(
    old: Sequence[Field], new: Sequence[Field], path: tuple[str, ...] = ()
) -> tuple[list[Field], list[AddedColumn]]:
    """Accept a changed schema like BigQuery: columns can only be added, described and relaxed.

    Args:
        old: The table's fields.
        new: The fields that a request gives.
        path: The path of the fields, for nested ones.

    Returns:
        The fields of the changed table, old ones first, and the columns to add.

    Raises:
        ValidationError: A column is missing, changed its type, or became REQUIRED (HTTP 400).
    """
    given = {field["name"].lower(): field for field in new}
    merged: list[Field] = []
    added: list[AddedColumn] = []
    for field in old:
        after = given.pop(field["name"].lower(), None)
        name = ".".join((*_without_elements(path), field["name"]))
        if after is None:
            raise _mismatch(f"Field {name} is missing in new schema")
        if type_of(after) != type_of(field):
            raise _mismatch(f"Field {name} has changed type from {type_of(field)} to {type_of(after)}")
        if mode_of(after) != mode_of(field) and (mode_of(field), mode_of(after)) != ("REQUIRED", "NULLABLE"):
            raise _mismatch(f"Field {name} has changed mode from {mode_of(field)} to {mode_of(after)}")
        changed = {**after, "name": field["name"]}
        if type_of(field) == "RECORD":
            inner = (*path, field["name"]) + (("element",) if mode_of(field) == "REPEATED" else ())
            changed["fields"], nested = merge_fields(field["fields"], after.get("fields", []), inner)
            added += nested
        merged.append(changed)
    for field in given.values():
        if mode_of(field) == "REQUIRED":
            raise _mismatch(f"Cannot add required fields to an existing schema. (field: {field['name']})")
        merged.append(field)
        added.append(AddedColumn((*path, field["name"]), field))
    return merged, added


def _without_elements(path: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in path if name != "element")


def _mismatch(problem: str) -> ValidationError:
    return ValidationError(f"Provided Schema does not match Table. {problem}")
