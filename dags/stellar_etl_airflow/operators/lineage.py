"""Lineage for Airflow's OpenLineage provider.

A task only stores names that it knows anyway. Airflow's provider builds the events, with columns from the schema files,
in a separate process and only if OpenLineage is configured, for instance by `[openlineage] transport`. So the provider
need not be installed, and lineage cannot fail a task or cause requests to BigQuery.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stellar_etl_airflow.model.schema import Field, column_names

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.generated.schema_dataset import SchemaDatasetFacetFields
from stellar_etl_airflow.model.lineage import Dataset, Lineage


class ReportsLineage:
    """A mixin for operators that store their lineage. Place it before the operator's class.

    It replaces the methods of Google's operators, which would request the job and each table from BigQuery.
    """

    lineage = Lineage()
    """The datasets that the task has read and written so far."""

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the lineage. Airflow's provider calls this when the task has ended, successful or not."""
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
    """Return the input columns that a written column copies."""
    if lineage.columns is not None:
        return [lineage.columns[column]] if column in lineage.columns else []
    return [(one, column) for one in lineage.inputs if column in column_names(fields.get(one, ()))]


def as_operator_lineage(lineage: Lineage) -> OperatorLineage[Any, Any]:
    """Return lineage in the provider's format, with the columns of the schema files."""
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
