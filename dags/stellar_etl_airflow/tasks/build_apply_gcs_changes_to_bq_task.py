"""From staging into the published table, by one statement: a reader never sees a hole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.lineage import Lineage
from stellar_etl_airflow.model.tables import Table
from stellar_etl_airflow.operators.bigquery_jobs import TableJobsOperator
from stellar_etl_airflow.operators.runtime import PUBLISHED_ATTEMPT, batch_of
from stellar_etl_airflow.sql.publish import publish
from stellar_etl_airflow.sql.state import merge_changes
from stellar_etl_airflow.sql.statement import batch_parameters


class PublishOperator(TableJobsOperator):
    """Merges a staging table into the published table of each target, as the registry says for the table."""

    builder = "build_apply_gcs_changes_to_bq_task"

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One merge for each target; of changes another one, into the point-in-time table."""
        table, limit, staging = (
            self.table,
            warehouse.config.maximum_bytes_billed,
            warehouse.name(self.staging_id(context)),
        )
        parameters = batch_parameters(batch_of(context))
        staged, jobs = warehouse.fields(staging), []
        for target in warehouse.config.targets:
            published = warehouse.published(table, target)
            columns = warehouse.moved(table, staged, warehouse.fields(published))
            merge = publish(table, published, staging, columns, parameters)
            jobs.append(query_job(f"merge_{target.label}", merge, limit))
            if table.entry_keys:
                base, state = warehouse.base_ledger(table, target), warehouse.state(table, target)
                columns = warehouse.moved(table, staged, warehouse.fields(state))
                changes = merge_changes(table, state, staging, columns, base)
                jobs.append(query_job(f"state_{target.label}", changes, limit))
        return jobs

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """The staging table, into the published table of each target; of changes, into the point-in-time table too."""
        published = [warehouse.published_dataset, *([warehouse.state_dataset] if self.table.entry_keys else [])]
        outputs = [name(self.table, target) for target in warehouse.config.targets for name in published]
        return Lineage([self.staging_dataset(context)], outputs)

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """The jobs' result, and the export attempt that is published."""
        return {**super().done(context, warehouse, jobs), PUBLISHED_ATTEMPT: batch_of(context).attempt.name}


def build_apply_gcs_changes_to_bq_task(table: Table) -> PublishOperator:
    """A task that publishes a table's staged rows: its range is replaced, or missing keys are inserted."""
    return PublishOperator(task_id="merge", table=table, pool=table.pool)
