"""Variables of the warehouse: datasets, partitions, clusters, checks and costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from stellar_etl_airflow.model.checks import Check
from stellar_etl_airflow.model.tables import PUBLISHED, Table
from stellar_etl_airflow.settings.base import Name, SettingsError, SettingsGroup, unknown, variable


class Partition(SettingsGroup):
    """One entry of `partition_fields`."""

    type: Literal["HOUR", "DAY", "MONTH", "YEAR"] = "DAY"
    field: Name


@dataclass(frozen=True)
class Target:
    """A dataset that tables are published in.

    Attributes:
        label: distinguishes the jobs of one task, as a part of their ids.
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
    """Where the schema files are."""

    schema_filepath: Name = variable(
        description="the folder of the schema files, as a path on the workers",
        when="the DAG folder has another path than on Composer",
        shipped="/home/airflow/gcs/dags/schemas",
    )


class WarehouseSettings(SchemaSettings):
    """Names of datasets and tables, and how tables are created."""

    bq_project: Name = variable(
        description="the Google Cloud project of the datasets", when="at first", shipped="my-project"
    )
    bq_dataset: Name = variable(
        description="the dataset that the tables are published in",
        when="for each network and each environment",
        shipped="stellar",
    )
    public_project: str = variable(
        shipped="",
        description="the project of a second dataset; empty: `bq_project`",
        when="the public dataset is in another project",
    )
    public_dataset: str = variable(
        shipped="",
        description="a second dataset that every table is also published in; empty: none",
        when="other users read a copy of the tables",
    )
    compatibility_dataset: str = variable(
        shipped="",
        description="an existing dataset of `bq_project` for views with the names, columns and types that Hubble's "
        "public dbt project reads; empty: no views",
        when="models of that dbt project run on these tables: [dbt.md](dbt.md)",
    )
    table_ids: dict[str, Name] = variable(
        description="the table name for each data type",
        when="tables must have other names; a renamed table is created again",
        shipped=lambda: {one.data_type: one.table_id for one in PUBLISHED.values()},
    )
    partition_fields: dict[str, Partition] = variable(
        description="how each table is partitioned, by table name",
        when="before tables are created: `HOUR`, `MONTH` or `YEAR`; an existing table's partition cannot change",
        shipped=lambda: {
            one.table_id: {"type": one.partition, "field": one.closed_at_column}
            for one in PUBLISHED.values()
            if one.partition
        },
    )
    cluster_fields: dict[str, list[Name]] = variable(
        description="the columns that each table is clustered by, by table name",
        when="queries filter by other columns; change an existing table first, as the error says",
        shipped=lambda: {one.table_id: list(one.cluster) for one in PUBLISHED.values()},
    )
    history_days: int = variable(
        shipped=0,
        ge=0,
        description="days for which versions of ledger entries are kept after they ended; 0: forever",
        when="the views `<table>_history` need not reach back further, and storage costs too much",
    )
    maximum_bytes_billed: Annotated[int, Field(gt=0)] = variable(
        shipped=1 << 40,
        description="BigQuery rejects a query that would read more bytes than this",
        when="a query was rejected, or might cost too much",
    )

    def check_together(self) -> None:
        """Check that the two datasets differ, and that both Variables of the second one are set or neither.

        Raises:
            ValueError: they contradict each other; the message names them.
        """
        if self.public_dataset and (self.public_project or self.bq_project) == self.bq_project:
            if self.public_dataset == self.bq_dataset:
                raise ValueError("'public_dataset' must be another dataset than 'bq_dataset'")
        elif self.public_project and not self.public_dataset:
            raise ValueError("'public_project' is set and 'public_dataset' is not: set both, or neither")

    @property
    def targets(self) -> tuple[Target, ...]:
        """The datasets that tables are published in: the private one, and the public one if it is set."""
        private = Target("private", self.bq_project, self.bq_dataset)
        if not self.public_dataset:
            return (private,)
        return (private, Target("public", self.public_project or self.bq_project, self.public_dataset))

    def table_id(self, data_type: str) -> str:
        """Return the name of a data type's table: from the Variable, or else from the registry.

        Raises:
            SettingsError: the data type is unknown.
        """
        return self.table_ids.get(data_type) or registered(data_type).table_id

    def partition(self, table: Table) -> Partition | None:
        """Return a table's partition: from the Variable, or else from the registry; None without partition."""
        entry = self.partition_fields.get(self.table_id(table.data_type))
        if entry is None and table.partition:
            return Partition(type=table.partition, field=table.closed_at_column)
        return entry

    def cluster(self, table: Table) -> tuple[str, ...]:
        """Return the columns that a table is clustered by: from the Variable, or else from the registry."""
        return tuple(self.cluster_fields.get(self.table_id(table.data_type), table.cluster))


class TableCheck(SettingsGroup):
    """One entry of `checks`: a table and the fields of its check."""

    table: Name
    check: Check

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "check" in value:
            raise ValueError("a check is an object with table, kind, column and so on")
        return {"table": value.get("table"), "check": {key: part for key, part in value.items() if key != "table"}}


class CheckSettings(SettingsGroup):
    """Checks in addition to those of the registry."""

    checks: list[TableCheck] = variable(
        shipped=[],
        description="additional checks of staged rows: table, kind, column and so on",
        when="some rows must not be published",
    )

    def of(self, table_id: str) -> list[Check]:
        """Return the checks of one table."""
        return [entry.check for entry in self.checks if entry.table == table_id]


class ResourcePrices(SettingsGroup):
    """Prices of pods and stored data."""

    vcpu_hour: float = Field(ge=0, allow_inf_nan=False)
    gib_hour: float = Field(ge=0, allow_inf_nan=False)
    stored_gib_month: float = Field(ge=0, allow_inf_nan=False)


class CostSettings(SettingsGroup):
    """Prices, and a limit of the costs."""

    daily_budget: Annotated[float, Field(ge=0, allow_inf_nan=False)] = variable(
        shipped=0.0,
        description="maximum cost of the work on `bq_dataset` per UTC day, in the currency of `price_per_tib`; a task "
        "that would cost more waits for the next day; 0: no limit",
        when="a mistake in a schedule or a backfill must not cost more than this in a day",
    )

    price_per_tib: Annotated[float, Field(ge=0, allow_inf_nan=False)] = variable(
        shipped=6.25,
        description="BigQuery's price per TiB read, in your currency; 0: not billed by bytes",
        when="the region or the currency has another price; you pay for slots: 0",
    )

    resource_prices: ResourcePrices = variable(
        shipped={"gib_hour": 0.00292, "stored_gib_month": 0.02, "vcpu_hour": 0.0218},
        description="prices of pods and storage, in your currency: per requested vCPU and hour, per requested GiB of "
        "memory and hour, per stored GiB and month",
        when="the region, the pods' machines or the currency have other prices",
    )


def registered(data_type: str) -> Table:
    """Return the registry's table of a data type.

    Raises:
        SettingsError: the data type is unknown; the message suggests a close spelling.
    """
    if data_type in PUBLISHED:
        return PUBLISHED[data_type]
    raise SettingsError("; ".join(unknown("data type", [data_type], PUBLISHED)))
