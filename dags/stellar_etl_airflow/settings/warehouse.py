"""Variables that say where tables live and how they are made, checked and paid for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from stellar_etl_airflow.model.checks import Check
from stellar_etl_airflow.model.tables import TABLES
from stellar_etl_airflow.settings.base import Name, SettingsError, SettingsGroup


class Partition(SettingsGroup):
    """One entry of `partition_fields`."""

    type: Literal["HOUR", "DAY", "MONTH", "YEAR"] = "DAY"
    field: Name


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


class SchemaSettings(SettingsGroup):
    """Where columns are described."""

    schema_filepath: Name = Field(description="the folder of the schema files, as the workers see it")


class WarehouseSettings(SchemaSettings):
    """Where tables live, and how they are made."""

    bq_project: Name = Field(description="the Google Cloud project that holds the datasets")
    bq_dataset: Name = Field(description="the dataset that the tables are published in")
    public_project: str = Field(default="", description="the project of a second dataset; empty: `bq_project`")
    public_dataset: str = Field(
        default="", description="a second dataset that every table is published in too; empty: none"
    )
    table_ids: dict[str, Name] = Field(description="the table name for each data type")
    partition_fields: dict[str, Partition] = Field(description="how each table is partitioned, by table name")
    cluster_fields: dict[str, list[Name]] = Field(
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
        return entry_of("table_ids", self.table_ids, data_type)


class TableCheck(SettingsGroup):
    """One entry of `checks`: the check's own parts stand beside the table's name."""

    table: Name
    check: Check

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "check" in value:
            raise ValueError("a check is an object with table, kind, column and so on")
        return {"table": value.get("table"), "check": {key: part for key, part in value.items() if key != "table"}}


class CheckSettings(SettingsGroup):
    """What rows are held to beside what the registry says."""

    checks: list[TableCheck] = Field(
        default_factory=list, description="checks of your own on staged rows: table, kind, column and so on"
    )

    def of(self, table_id: str) -> list[Check]:
        """The checks of one table."""
        return [entry.check for entry in self.checks if entry.table == table_id]


class CostSettings(SettingsGroup):
    """What BigQuery's work costs."""

    price_per_tib: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=6.25, description="what BigQuery takes for reading a TiB, in your currency; 0: nothing by the byte"
    )


def entry_of(variable: str, mapping: Mapping[str, str], key: str) -> str:
    """Return the entry of a Variable that is a map.

    Raises:
        SettingsError: the map lacks it; the message shows an entry that fits.
    """
    try:
        return mapping[key]
    except KeyError:
        raise SettingsError(
            f"Airflow Variable {variable!r} has no entry {key!r}; add one, such as "
            f"{{{key!r}: {TABLES[key].table_id if variable == 'table_ids' and key in TABLES else key + '.txt'!r}}}"
        ) from None
