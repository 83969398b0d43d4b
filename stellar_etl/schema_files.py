"""The columns of tables, from the schema files of BigQuery's tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from stellar_etl.errors import ExportError

BATCH_COLUMNS = frozenset(("batch_id", "batch_run_date", "batch_insert_ts"))
"""The columns of the load, which `--extra-fields` adds: rows do not have them otherwise."""


@dataclass(frozen=True)
class Column:
    """One column, or one field of a record.

    Attributes:
        type: as BigQuery calls it: STRING, INTEGER, FLOAT, NUMERIC, BOOLEAN, TIMESTAMP, BYTES, JSON or RECORD.
        mode: NULLABLE, REQUIRED, or REPEATED, which is a list.
        fields: the fields of a RECORD.
    """

    type: str
    mode: str = "NULLABLE"
    fields: Columns = field(default_factory=dict)


Columns = Mapping[str, Column]


def schema_folder() -> Path:
    """Return the folder of the schema files: in the installed package, or beside the package in a checkout."""
    package = Path(__file__).parent
    installed = package / "schemas"
    return installed if installed.is_dir() else package.parent / "schemas"


@cache
def read_columns(table: str) -> Columns:
    """Return a table's columns in the order of its schema file, without those of the load.

    Raises:
        ExportError: the schema file is missing or is not a list of fields.
    """
    path = schema_folder() / f"{table}_schema.json"
    try:
        columns = _columns(json.loads(path.read_text()))
    except FileNotFoundError:
        raise ExportError(f"{path} is missing: reinstall stellar-etl with its schema files") from None
    except (KeyError, TypeError, ValueError) as error:
        raise ExportError(f"{path} is not a schema file: {error!r}") from None
    return {name: column for name, column in columns.items() if name not in BATCH_COLUMNS}


def _columns(fields: Iterable[Mapping[str, Any]]) -> Columns:
    return {field["name"]: Column(field["type"], field["mode"], _columns(field.get("fields", ()))) for field in fields}
