"""The Airflow Variables as typed models, one for each place that needs them.

A task reads the group it needs when it runs, never while a DAG file is parsed: DAGs import with no Variable
set, and a missing or wrong Variable fails only the tasks that need it, with an error that names the key and
what is expected. Every key is listed, with its type and default, in `airflow_variables.json` and the README.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stellar_etl_airflow.tables import TABLES


class SettingsError(ValueError):
    """A Variable is missing, misspelt or of the wrong type; the message names it and what is expected."""


_Name = Annotated[str, Field(min_length=1)]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Partition(_Group):
    """One entry of `partition_fields`."""

    type: Literal["HOUR", "DAY", "MONTH", "YEAR"] = "DAY"
    field: _Name


@dataclass(frozen=True)
class Target:
    """A dataset that tables are published in.

    Attributes:
        label: tells the jobs of one task apart; a part of their ids.
        project: the Google Cloud project.
        dataset: the dataset.
    """

    label: str
    project: str
    dataset: str

    @property
    def dataset_id(self) -> str:
        """`project.dataset`."""
        return f"{self.project}.{self.dataset}"


class WarehouseSettings(_Group):
    """Where tables live, and how they are made."""

    bq_project: _Name = Field(description="the Google Cloud project that holds the datasets")
    bq_dataset: _Name = Field(description="the dataset that the tables are published in")
    public_project: str = Field(default="", description="the project of a second dataset; empty: `bq_project`")
    public_dataset: str = Field(
        default="", description="a second dataset that every table is published in too; empty: none"
    )
    schema_filepath: _Name = Field(description="the folder of the schema files, as the workers see it")
    table_ids: dict[str, _Name] = Field(description="the table name for each data type")
    partition_fields: dict[str, Partition] = Field(description="how each table is partitioned, by table name")
    cluster_fields: dict[str, list[_Name]] = Field(
        description="the columns that each table is clustered by, by table name"
    )
    maximum_bytes_billed: Annotated[int, Field(gt=0)] = Field(
        default=1 << 40, description="a query that would read more bytes than this is refused by BigQuery"
    )

    @model_validator(mode="after")
    def _two_targets(self) -> Self:
        if self.public_dataset and (self.public_project or self.bq_project) == self.bq_project:
            if self.public_dataset == self.bq_dataset:
                raise ValueError("'public_dataset' must be another dataset than 'bq_dataset'")
        elif self.public_project and not self.public_dataset:
            raise ValueError("'public_project' is set and 'public_dataset' is not: set both, or neither")
        return self

    @property
    def targets(self) -> tuple[Target, ...]:
        """The datasets that tables are published in: the private one, then the public one if there is one."""
        private = Target("private", self.bq_project, self.bq_dataset)
        if not self.public_dataset:
            return (private,)
        return (private, Target("public", self.public_project or self.bq_project, self.public_dataset))

    def table_id(self, data_type: str) -> str:
        """The name of a data type's table.

        Raises:
            SettingsError: `table_ids` lacks it.
        """
        return _entry("table_ids", self.table_ids, data_type)


class BucketSettings(_Group):
    """Where exported files lie until they are loaded."""

    gcs_exported_data_bucket_name: _Name = Field(description="the bucket that the export pods write to")
    gcs_exported_object_prefix: str = Field(description="the folder in the bucket, below which each run has its own")


class ExportSettings(BucketSettings):
    """What the pods are told to export."""

    output_file_names: dict[str, _Name] = Field(description="the file name for each data type")
    txmeta_datastore_path: _Name = Field(description="the lake of ledgers: gs://…, https://… or a folder")
    max_failed_transforms: int = Field(
        default=0, ge=0, description="how many rows of a batch may be left out because they could not be made"
    )
    use_testnet: bool = Field(default=False, description="export the test network")
    use_futurenet: bool = Field(default=False, description="export the future network")

    def file_name(self, data_type: str) -> str:
        """The file name of a data type's rows.

        Raises:
            SettingsError: `output_file_names` lacks it.
        """
        return _entry("output_file_names", self.output_file_names, data_type)


class PodSettings(_Group):
    """How and where pods run."""

    image_name: _Name = Field(description="the exporter's image")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="when the cluster pulls the image"
    )
    namespace: _Name = Field(default="default", description="the pods' namespace")
    k8s_namespace: str = Field(default="", description="the pods' namespace; wins over `namespace` if set")
    k8s_service_account: str = Field(default="", description="the pods' Kubernetes service account, empty: the default")
    affinity: dict[str, Any] = Field(default_factory=dict, description="the pods' affinity, as in a pod's spec")
    resources: dict[str, dict[str, dict[str, str]]] = Field(
        default_factory=dict, description="requests and limits of the pods, by builder, or `default`"
    )
    kube_config_location: str = Field(default="", description="a kubeconfig file; empty: the connection's cluster")


class TimeoutSettings(_Group):
    """How long tasks may run."""

    task_timeout: dict[str, Annotated[int, Field(gt=0)]] = Field(
        default_factory=dict, description="seconds that a task may run, by builder"
    )


GROUPS: tuple[type[_Group], ...] = (WarehouseSettings, ExportSettings, PodSettings, TimeoutSettings)
"""Together these name every Variable of the project."""

Group = TypeVar("Group", bound=_Group)


def known_keys() -> dict[str, str]:
    """Every Variable's key, with what it is for."""
    return {key: field.description or "" for group in GROUPS for key, field in group.model_fields.items()}


def _entry(variable: str, mapping: Mapping[str, str], key: str) -> str:
    try:
        return mapping[key]
    except KeyError:
        raise SettingsError(
            f"Airflow Variable {variable!r} has no entry {key!r}; add one, such as "
            f"{{{key!r}: {TABLES[key].table_id if variable == 'table_ids' and key in TABLES else key + '.txt'!r}}}"
        ) from None


def _parsed(group: type[_Group], key: str, raw: Any) -> Any:
    """A Variable's text as the value that the model validates: JSON where the field isn't text."""
    if not isinstance(raw, str):
        return raw
    annotation = group.model_fields[key].annotation
    if annotation is str or get_origin(annotation) is Literal:
        return raw
    try:
        return json.loads(raw)
    except ValueError:
        return raw  # left to the model, whose error says what it expects


def load(group: type[Group], get: Callable[[str], Any]) -> Group:
    """Reads one group of Variables.

    Args:
        group: the model to fill.
        get: gives a Variable's value by key, None where it isn't set.

    Raises:
        SettingsError: naming every key that is missing or wrong, with what is expected of it.
    """
    values = {}
    for key, field in group.model_fields.items():
        raw = get(key)
        if raw is not None:
            values[key] = _parsed(group, key, raw)
        elif field.is_required():
            raise SettingsError(
                f"Airflow Variable {key!r} is not set: {field.description}. "
                f"Import airflow_variables.json, or set it under Admin > Variables."
            )
    try:
        return group.model_validate(values)
    except ValidationError as error:
        raise SettingsError("; ".join(_explained(error, group))) from None


def _explained(error: ValidationError, group: type[_Group]) -> Iterable[str]:
    for problem in error.errors():
        if not problem["loc"]:  # of several Variables together
            yield f"Airflow Variables: {problem['msg'].removeprefix('Value error, ')}"
            continue
        key, *path = problem["loc"]
        where = "".join(f"[{part!r}]" for part in path)
        field = group.model_fields.get(str(key))
        purpose = f" ({field.description})" if field is not None else ""
        yield f"Airflow Variable {key!r}{where}{purpose}: {problem['msg']}, not {problem['input']!r}"


def check_keys(variables: Mapping[str, Any]) -> list[str]:
    """A message for each key that the project doesn't know, with the right spelling where one is close."""
    known = known_keys()
    messages = []
    for key in sorted(set(variables) - set(known)):
        close = difflib.get_close_matches(key, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        messages.append(f"unknown Airflow Variable {key!r}{hint}")
    return messages
