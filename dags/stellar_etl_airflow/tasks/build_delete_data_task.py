"""Delete a run's staging tables after publishing, or a ledger range of a published table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context

from stellar_etl_airflow.bigquery.jobs import Job
from stellar_etl_airflow.bigquery.versions import Versions
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.batch import staging_table_id
from stellar_etl_airflow.model.lineage import Lineage, table_at
from stellar_etl_airflow.model.ranges import LedgerRange, RangeError
from stellar_etl_airflow.model.tables import Table
from stellar_etl_airflow.operators.bigquery_jobs import TableJobsOperator, client_for
from stellar_etl_airflow.operators.runtime import Run, SettingsAtRunTime, settings
from stellar_etl_airflow.settings.warehouse import Target, WarehouseSettings


class DeleteStagingOperator(SettingsAtRunTime, BaseOperator):
    """Deletes the run's staging tables. A missing table is not an error."""

    builder = "build_delete_data_task"

    def __init__(self, *, tables: Sequence[Table], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table_ids = [table.table_id for table in tables]

    def execute(self, context: Context) -> None:
        """Delete the tables."""
        config = settings(WarehouseSettings)
        client = client_for(config)
        warehouse = Warehouse(client, config)
        ti = context["ti"]
        for table_id in self.table_ids:
            staging = f"{warehouse.dataset_id}.{staging_table_id(table_id, ti.dag_id, ti.run_id)}"
            warehouse.client.delete_table(staging, not_found_ok=True)
            self.log.info("deleted %s", staging)
            self.lineage = Lineage(outputs=[*self.lineage.outputs, table_at(staging, dropped=True)])


class DeleteRangeOperator(TableJobsOperator):
    """Deletes the rows of the ledgers in the run's params from a published table."""

    builder = "build_delete_data_task"

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return one DELETE per target; several if the range has more partitions than a job may change.

        Raises:
            RangeError: the run has no ledger range in its params.
        """
        requested = Run.of(context).requested
        if not isinstance(requested, LedgerRange):
            raise RangeError("set the params start_ledger and end_ledger to the ledgers to delete")
        until, jobs = context["dag_run"].run_after, list[Job]()
        self.first_of: dict[int, Target] = {}
        for target in warehouse.config.targets:
            self.first_of[len(jobs)] = target
            jobs += warehouse.delete_jobs(self.table, requested, until, target)
        return jobs

    def before(self, context: Context, warehouse: Warehouse, number: int) -> None:
        """Set the views on versions back, to read the change log from the first deleted ledger on."""
        requested, target = Run.of(context).requested, self.first_of.get(number)
        if isinstance(requested, LedgerRange) and target is not None and self.table.entry_keys:
            Versions(warehouse, self.table, target).set_back_to_delete(requested)

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the table of each target."""
        return Lineage(outputs=[warehouse.published_dataset(self.table, one) for one in warehouse.config.targets])


def build_delete_staging_task(tables: Sequence[Table]) -> DeleteStagingOperator:
    """Return a task that deletes the run's staging tables. Place it after all tasks that read them."""
    return DeleteStagingOperator(task_id="delete_staging", tables=tables)


def build_delete_data_task(table: Table) -> DeleteRangeOperator:
    """Return a task that deletes the run's ledger range from a published table."""
    return DeleteRangeOperator(task_id=f"delete_{table.data_type}", table=table, pool=table.pool)
