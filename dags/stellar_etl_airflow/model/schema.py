"""Table schemas in the format of BigQuery's REST API: read from files, compared and extended. Pure except reading.

A schema is a list of fields, each a mapping with `name`, `type`, `mode`, `description` and, for a RECORD, `fields`
(https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#TableFieldSchema).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Field = Mapping[str, Any]

_SAME_TYPE = {
    "INT64": "INTEGER",
    "FLOAT64": "FLOAT",
    "BOOL": "BOOLEAN",
    "STRUCT": "RECORD",
}


class SchemaError(ValueError):
    """A schema file is missing or unusable, or an existing table cannot be extended to it."""


def read_schema(folder: str, table_id: str) -> list[dict[str, Any]]:
    """Return the fields of `{folder}/{table_id}_schema.json`.

    Raises:
        SchemaError: the file is missing or is not a list of fields.
    """
    path = Path(folder) / f"{table_id}_schema.json"
    try:
        fields: list[dict[str, Any]] = json.loads(path.read_text())
    except FileNotFoundError:
        raise SchemaError(
            f"no schema file {path}: upload it, or correct the Airflow Variable 'schema_filepath'"
        ) from None
    except OSError as error:
        raise SchemaError(f"schema file {path} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"schema file {str(path)!r} is not JSON: {error}") from None
    if not _are_fields(fields):
        raise SchemaError(f"schema file {path} must be a list of fields, each with a name and a type")
    return fields


def _are_fields(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(field, dict)
        and all(_is_word(field.get(key)) for key in ("name", "type"))
        and (field.get("mode") is None or _is_word(field["mode"]))
        and _are_fields(field.get("fields", []))
        for field in value
    )


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def column_names(fields: Sequence[Field]) -> list[str]:
    """Return the names of the top-level columns, in order."""
    return [field["name"] for field in fields]


def type_of(field: Field) -> str:
    """Return the type's name as the REST API spells it: `INTEGER`, not `INT64`."""
    name = str(field["type"]).upper()
    return _SAME_TYPE.get(name, name)


def mode_of(field: Field) -> str:
    """Return `NULLABLE`, `REQUIRED` or `REPEATED`."""
    return str(field.get("mode") or "NULLABLE").upper()


def grown(existing: Sequence[Field], wanted: Sequence[Field], path: str = "") -> list[dict[str, Any]]:
    """Return `existing` with the columns of `wanted` that it lacks, including nested ones.

    Existing columns keep their order and new ones come last, as BigQuery requires. Columns that only the table has
    stay. New columns are nullable whatever the file says, because existing rows have no value. A REQUIRED column that
    is NULLABLE in the file becomes NULLABLE.

    Raises:
        SchemaError: a column has another type, or cannot get the mode of the file.
    """
    by_name = {field["name"].lower(): field for field in wanted}
    result = []
    for field in existing:
        name = f"{path}{field['name']}"
        new = by_name.pop(field["name"].lower(), None)
        field = dict(field)
        if new is not None:
            if type_of(field) != type_of(new) or (mode_of(field) == "REPEATED") != (mode_of(new) == "REPEATED"):
                had, has = (f"{type_of(one)} {mode_of(one)}" for one in (field, new))
                raise SchemaError(
                    f"column {name} is {had} in the table and {has} in the schema file; BigQuery can't change that: "
                    f"rename the column, or rename the table"
                )
            if mode_of(field) == "REQUIRED" and mode_of(new) == "NULLABLE":
                field["mode"] = "NULLABLE"
            if "fields" in field or "fields" in new:
                field["fields"] = grown(field.get("fields", ()), new.get("fields", ()), f"{name}.")
        result.append(field)
    for new in by_name.values():
        relaxed = {**new, "mode": "REPEATED" if mode_of(new) == "REPEATED" else "NULLABLE"}
        result.append(relaxed)
    return result


def same_fields(one: Sequence[Field], other: Sequence[Field]) -> bool:
    """Whether two schemas have the same names, also nested ones, in the same order: BigQuery matches by position."""
    return _names(one) == _names(other)


def _names(fields: Sequence[Field]) -> list[Any]:
    return [(field["name"].lower(), _names(field.get("fields", ()))) for field in fields]


def lacking(fields: Sequence[Field], other: Sequence[Field], path: str = "") -> list[str]:
    """Return the fields that another schema lacks, nested ones by their path."""
    found, by_name = [], {field["name"].lower(): field for field in other}
    for field in fields:
        match = by_name.get(field["name"].lower())
        if match is None:
            found.append(f"{path}{field['name']}")
        else:
            found += lacking(field.get("fields", ()), match.get("fields", ()), f"{path}{field['name']}.")
    return found


def relaxed_fields(existing: Sequence[Field], fields: Sequence[Field], path: str = "") -> list[str]:
    """Return the columns that are REQUIRED in `existing` and NULLABLE in `fields`, nested ones by their path."""
    found, by_name = [], {field["name"].lower(): field for field in fields}
    for field in existing:
        match = by_name[field["name"].lower()]
        if mode_of(field) != mode_of(match):
            found.append(f"{path}{field['name']}")
        found += relaxed_fields(field.get("fields", ()), match.get("fields", ()), f"{path}{field['name']}.")
    return found


def has_grown(existing: Sequence[Field], fields: Sequence[Field]) -> bool:
    """Whether `fields`, made by `grown(existing, …)`, has more than `existing`."""

    def shape(some: Sequence[Field]) -> list[Any]:
        return [(field["name"], mode_of(field), shape(field.get("fields", ()))) for field in some]

    return shape(existing) != shape(fields)
