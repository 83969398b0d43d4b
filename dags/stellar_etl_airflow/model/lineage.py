"""Lineage: what a task read and what it wrote, for OpenLineage (https://openlineage.io/docs/spec/naming).

A task notes names, which it knows by then anyway. Events are made of them, with the columns out of the schema files,
where Airflow's provider asks for them: in a process of its own, and only if `[openlineage] transport` or the like says
where to. So the provider need not be installed, and nothing here can fail a task or make it ask BigQuery.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stellar_etl_airflow.model.schema import Field, SchemaError, column_names, read_schema

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.generated.schema_dataset import SchemaDatasetFacetFields


@dataclass(frozen=True)
class SchemaFile:
    """Where the columns of a dataset are described."""

    folder: str
    table_id: str

    def fields(self) -> list[dict[str, Any]]:
        """Reads it; none if that can't be done, for names are worth telling without columns."""
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


def place_at(address: str, schema: SchemaFile | None = None) -> Dataset:
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


_SELECTED = re.compile(r"^\s*(\w)\.`(\w+)`(?: AS (\w+))?,?$", re.MULTILINE)


def selected_columns(query: str, tables: Mapping[str, Dataset]) -> dict[str, tuple[Dataset, str]]:
    """Of each column of a query in `dags/queries`, the table and the column that it is; others are left out.

    Args:
        query: its text; each column stands in a line of its own.
        tables: the table for each letter that the query calls one by.
    """
    return {
        alias or column: (tables[letter], column)
        for letter, column, alias in _SELECTED.findall(query)
        if letter in tables
    }


class ReportsLineage:
    """An operator that notes its lineage; a mixin, to stand before the operator's class.

    It replaces what the provider of Google's operators has, which would ask BigQuery for the job and each table.
    """

    lineage = Lineage()
    """What the task has read and written, as far as it has come."""

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """What Airflow's provider asks for when the task has ended, well or not."""
        return as_operator_lineage(self.lineage)


def _schema(fields: Sequence[Field]) -> list[SchemaDatasetFacetFields]:
    from openlineage.client.generated.schema_dataset import SchemaDatasetFacetFields

    return [
        SchemaDatasetFacetFields(
            field["name"], field["type"], field.get("description"), fields=_schema(field.get("fields", ()))
        )
        for field in fields
    ]


def _sources(lineage: Lineage, fields: Mapping[Dataset, Sequence[Field]], column: str) -> list[tuple[Dataset, str]]:
    """The inputs and their columns that a written column is."""
    if lineage.columns is not None:
        return [lineage.columns[column]] if column in lineage.columns else []
    return [(one, column) for one in lineage.inputs if column in column_names(fields.get(one, ()))]


def as_operator_lineage(lineage: Lineage) -> OperatorLineage[Any, Any]:
    """Lineage as the provider takes it, with the columns that the schema files describe."""
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import column_lineage_dataset as columns
    from openlineage.client.facet_v2 import lifecycle_state_change_dataset as lifecycle
    from openlineage.client.facet_v2 import schema_dataset

    fields = {one: one.schema.fields() for one in (*lineage.inputs, *lineage.outputs) if one.schema}
    schemas: dict[Dataset, dict[str, Any]] = {
        one: {"schema": schema_dataset.SchemaDatasetFacet(_schema(own))} for one, own in fields.items() if own
    }
    same = columns.Transformation(type="DIRECT", subtype="IDENTITY")

    def written(dataset: Dataset) -> dict[str, Any]:
        facets: dict[str, Any] = {**schemas.get(dataset, {})}
        found = {name: _sources(lineage, fields, name) for name in column_names(fields.get(dataset, ()))}
        made_of = {
            name: columns.Fields([columns.InputField(one.namespace, one.name, source, [same]) for one, source in own])
            for name, own in found.items()
            if own
        }
        if made_of:
            facets["columnLineage"] = columns.ColumnLineageDatasetFacet(made_of)
        if dataset.dropped:
            drop = lifecycle.LifecycleStateChange.DROP
            facets["lifecycleStateChange"] = lifecycle.LifecycleStateChangeDatasetFacet(drop)
        return facets

    return OperatorLineage(
        inputs=[InputDataset(one.namespace, one.name, facets=schemas.get(one, {})) for one in lineage.inputs],
        outputs=[OutputDataset(one.namespace, one.name, facets=written(one)) for one in lineage.outputs],
    )
