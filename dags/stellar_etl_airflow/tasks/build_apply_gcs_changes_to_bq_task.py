"""Publish staged rows by one statement, so that readers never see a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow.sdk import Context

from stellar_etl_airflow.bigquery.jobs import Job
from stellar_etl_airflow.bigquery.versions import Versions
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.lineage import Lineage
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import RUN_DATE, Table
from stellar_etl_airflow.operators.runtime import PUBLISHED_ATTEMPT, Run, batch_of, batch_run_date_of
from stellar_etl_airflow.operators.staged import StagedTableOperator
from stellar_etl_airflow.settings.warehouse import Target
from stellar_etl_airflow.sql.publish import publish
from stellar_etl_airflow.sql.statement import Parameter, Statement, batch_parameters


class PublishOperator(StagedTableOperator):
    """Merges a staging table into the published table of each target, by the method of the registry."""

    builder = "build_apply_gcs_changes_to_bq_task"

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Create the table of batch stats, which says what was published before, or add missing columns to it."""
        warehouse.ensure_batch_stats()
        warehouse.ensure_compatibility(self.table)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return one merge per target.

        Raises:
            AirflowFailException: the staging table does not exist, or its rows are older than the published ones.
        """
        table, staging = self.table, warehouse.name(self.staging_id(context))
        parameters, dated = batch_parameters(batch_of(context)), isinstance(Run.of(context).requested, LedgerRange)
        if dated:  # the files have the run's start time
            parameters += (Parameter(RUN_DATE, "DATETIME", batch_run_date_of(context)),)
        staged = self.staged_fields(context, warehouse)
        looks: list[datetime] = []

        def merge(target: Target) -> Statement:
            attempt, looked_at = self.attempt(context, warehouse, target)
            looks.append(looked_at)
            published = warehouse.published(table, target)
            columns = warehouse.moved(table, staged, warehouse.fields(published))
            columns = {**columns, RUN_DATE: f"@{RUN_DATE}"} if dated else columns
            return publish(table, published, staging, columns, parameters, attempt)

        jobs = warehouse.jobs("merge", merge)
        return [replace(job, looked_at=looked_at) for job, looked_at in zip(jobs, looks, strict=True)]

    def before(self, context: Context, warehouse: Warehouse, number: int) -> None:
        """Make the views on versions read the batch's ledgers from the change log, if they are already folded."""
        if self.table.entry_keys:
            batch, target = batch_of(context), warehouse.config.targets[number]
            first_closed_at = datetime.fromisoformat(batch.first_closed_at)
            Versions(warehouse, self.table, target).set_back(batch.range, first_closed_at)

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the staging table, and the published table of each target."""
        outputs = [warehouse.published_dataset(self.table, target) for target in warehouse.config.targets]
        return Lineage([self.staging_dataset(context)], outputs)

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """Return the jobs' result and the published export attempt."""
        return {**super().done(context, warehouse, jobs), PUBLISHED_ATTEMPT: batch_of(context).attempt.name}


def build_apply_gcs_changes_to_bq_task(table: Table) -> PublishOperator:
    """Return a task that publishes a table's staged rows: it replaces their range, or inserts missing keys."""
    return PublishOperator(task_id="merge", table=table, pool=table.pool)
