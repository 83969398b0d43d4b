"""What a task reads and writes, by the names of OpenLineage (https://openlineage.io/docs/spec/naming). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from stellar_etl_airflow.model.schema import SchemaError, read_schema


@dataclass(frozen=True)
class SchemaFile:
    """Where the columns of a dataset are described."""

    folder: str
    table_id: str

    def fields(self) -> list[dict[str, Any]]:
        """Read it; none if that fails, because names are useful without columns too."""
        try:
            return read_schema(self.folder, self.table_id)
        except SchemaError:
            return []


@dataclass(frozen=True)
class Dataset:
    """What OpenLineage calls so: a table, an object, a lake.

    Attributes:
        namespace: the service that holds it.
        name: its name there.
        schema: its columns, None if it has none that are described.
        dropped: whether the task deleted it.
    """

    namespace: str
    name: str
    schema: SchemaFile | None = None
    dropped: bool = False


@dataclass(frozen=True)
class Lineage:
    """What a task read and wrote.

    Attributes:
        inputs: what it read.
        outputs: what it wrote.
        columns: of each column that it wrote, the input and the column that it is; None if columns keep their names.
    """

    inputs: Sequence[Dataset] = ()
    outputs: Sequence[Dataset] = ()
    columns: Mapping[str, tuple[Dataset, str]] | None = None


def table_at(table: str, schema: SchemaFile | None = None, *, dropped: bool = False) -> Dataset:
    """A BigQuery table, `project.dataset.table`."""
    return Dataset("bigquery", table, schema, dropped)


def dataset_at(address: str, schema: SchemaFile | None = None) -> Dataset:
    """A folder, a file, an object or a lake: `gs://bucket/name`, `https://host/path`, `file://…` or a path.

    A user, a password and a query of an address are no part of its name, and may be secret.
    """
    scheme, mark, rest = address.partition("://")
    if not mark or scheme == "file":
        return Dataset("file", rest if mark else address, schema)
    host, _, name = rest.partition("/")
    if scheme.startswith("http"):
        name = re.split("[?#]", name)[0]
    return Dataset(f"{scheme}://{host.rpartition('@')[2]}", name.strip("/") or "/", schema)


Source = TypeVar("Source")

_SELECTED = re.compile(r"^\s*(\w)\.`(\w+)`(?: AS (\w+))?,?$", re.MULTILINE)


def selected_columns(query: str, tables: Mapping[str, Source]) -> dict[str, tuple[Source, str]]:
    """Of each column of a query in `dags/queries`, the table and the column that it is; others are left out.

    Args:
        query: its text; each column stands in a line of its own.
        tables: what stands for the table of each letter that the query calls one by.
    """
    return {
        alias or column: (tables[letter], column)
        for letter, column, alias in _SELECTED.findall(query)
        if letter in tables
    }
