"""From staging into the published table, by one statement: a reader never sees a hole."""

from __future__ import annotations

from collections.abc import Sequence

from airflow.sdk import Context

from stellar_etl_airflow.build_check_task import parameters_of
from stellar_etl_airflow.jobs import Job, TableJobsOperator, Warehouse, query_job
from stellar_etl_airflow.runtime import batch_of
from stellar_etl_airflow.sql import publish
from stellar_etl_airflow.tables import Table


class PublishOperator(TableJobsOperator):
    """Merges a staging table into the published table of each target, as the registry says for the table."""

    builder = "build_apply_gcs_changes_to_bq_task"

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One merge for each target."""
        staging, columns = warehouse.name(self.staging_id(context)), warehouse.columns(self.table.table_id)
        parameters = parameters_of(batch_of(context))
        return [
            query_job(
                f"merge_{target.label}",
                publish(self.table, warehouse.published(self.table, target), staging, columns, parameters),
                warehouse.config.maximum_bytes_billed,
            )
            for target in warehouse.config.targets
        ]


def build_apply_gcs_changes_to_bq_task(table: Table) -> PublishOperator:
    """A task that publishes a table's staged rows: its range is replaced, or missing keys are inserted."""
    return PublishOperator(task_id="merge", table=table, pool=table.pool)
