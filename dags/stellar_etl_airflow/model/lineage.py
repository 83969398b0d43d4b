"""The inputs and outputs of a task, named as in OpenLineage (https://openlineage.io/docs/spec/naming). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from stellar_etl_airflow.model.schema import SchemaError, read_schema


@dataclass(frozen=True)
class SchemaFile:
    """The schema file with the columns of a dataset."""

    folder: str
    table_id: str

    def fields(self) -> list[dict[str, Any]]:
        """Return the columns; none if reading fails, because lineage is useful without columns too."""
        try:
            return read_schema(self.folder, self.table_id)
        except SchemaError:
            return []


@dataclass(frozen=True)
class Dataset:
    """An OpenLineage dataset: a table, an object, a lake.

    Attributes:
        namespace: the service that stores it.
        name: its name in the service.
        schema: its columns; None if no schema file describes them.
        dropped: whether the task deleted it.
    """

    namespace: str
    name: str
    schema: SchemaFile | None = None
    dropped: bool = False


@dataclass(frozen=True)
class Lineage:
    """The datasets that a task read and wrote.

    Attributes:
        inputs: the datasets read.
        outputs: the datasets written.
        columns: for each written column, its source dataset and column; None if columns keep their names.
    """

    inputs: Sequence[Dataset] = ()
    outputs: Sequence[Dataset] = ()
    columns: Mapping[str, tuple[Dataset, str]] | None = None


def table_at(table: str, schema: SchemaFile | None = None, *, dropped: bool = False) -> Dataset:
    """Return a BigQuery table, named `project.dataset.table`."""
    return Dataset("bigquery", table, schema, dropped)


def dataset_at(address: str, schema: SchemaFile | None = None) -> Dataset:
    """Return a folder, a file, an object or a lake: `gs://bucket/name`, `https://host/path`, `file://…` or a path.

    User, password and query of an address are removed, because they may be secret.
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
    """Return the source table and column of each column of a query in `dags/queries`. Computed columns are left out.

    Args:
        query: its text, with one column per line.
        tables: the source per table alias, a letter.
    """
    return {
        alias or column: (tables[letter], column)
        for letter, column, alias in _SELECTED.findall(query)
        if letter in tables
    }
