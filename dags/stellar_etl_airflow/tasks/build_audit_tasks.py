"""Comparison of the views on versions with a history archive at a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.versions import Versions
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.coverage import Fault, Finding, whole
from stellar_etl_airflow.model.lineage import Lineage
from stellar_etl_airflow.model.ranges import CHECKPOINT_LEDGERS, LedgerRange
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, STATES, Table
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator, TableJobsOperator
from stellar_etl_airflow.operators.runtime import (
    TIME_TASK,
    Run,
    SettingsAtRunTime,
    batch_of,
    pull_result,
)
from stellar_etl_airflow.settings.warehouse import Target
from stellar_etl_airflow.sql.coverage import compare_with_archive, newest_loaded
from stellar_etl_airflow.sql.statement import Statement
from stellar_etl_airflow.tasks.build_coverage_tasks import LOOK_TASK

COMPARE_TASK = "compare"


class ChooseCheckpointOperator(BigQueryJobsOperator):
    """Chooses the latest checkpoint that all tables of changes have, unless the run names one. Result: its ledger."""

    builder = "build_audit_tasks"

    def cost_parts(self) -> dict[str, str]:
        """Return the table of batch stats as the cost's table."""
        return {"table": BATCH_STATS_TABLE_ID}

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return a query of the batch stats, unless the run names a checkpoint."""
        if isinstance(Run.of(context).requested, LedgerRange):
            return []
        ids = [warehouse.config.table_id(data_type) for data_type in STATES]
        statement = newest_loaded(warehouse.name(BATCH_STATS_TABLE_ID), ids)
        return [query_job("newest", statement, warehouse.config.maximum_bytes_billed)]

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> dict[str, int]:
        """Return the checkpoint as a range, in the format of the task that finds ledgers by times.

        Raises:
            AirflowSkipException: not all tables have a checkpoint yet.
        """
        requested = Run.of(context).requested
        if isinstance(requested, LedgerRange):
            return {"start": requested.start, "end": requested.end + 1}
        newest = [int(row["end_ledger"]) for job in jobs for row in job.result()]
        checkpoint = (min(newest, default=0) + 1) // CHECKPOINT_LEDGERS * CHECKPOINT_LEDGERS - 1
        if len(newest) < len(STATES) or checkpoint < 1:
            raise AirflowSkipException("no checkpoint is loaded into all tables of changes: nothing to compare yet")
        self.log.info("the latest checkpoint that all tables have is ledger %d", checkpoint)
        return {"start": checkpoint, "end": checkpoint + 1}


class CompareOperator(TableJobsOperator):
    """Compares the staged entries of the archive with those of the views, per target. Result: the findings."""

    builder = "build_audit_tasks"

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return one query per target."""
        batch, staging = batch_of(context), warehouse.name(self.staging_id(context))
        staged = warehouse.fields(staging)
        closed_at = datetime.fromisoformat(batch.last_closed_at)

        def compare(target: Target) -> Statement:
            versions = Versions(warehouse, self.table, target)
            log = versions.log()
            columns = warehouse.moved(self.table, staged, warehouse.fields(log.versions))
            history = warehouse.name(versions.view_ids()[1], target)
            return compare_with_archive(log, history, staging, columns, batch.range.end, closed_at)

        return warehouse.jobs("compare", compare)

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the staging table, and the changes and versions of each target."""
        targets = warehouse.config.targets
        logs = [warehouse.published_dataset(self.table, target) for target in targets]
        versions = [warehouse.versions_dataset(self.table, target) for target in targets]
        return Lineage([self.staging_dataset(context), *logs, *versions])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """Return the jobs' result and the distinct findings."""
        found = {
            Finding(
                self.table.data_type,
                Fault(row["fault"]),
                int(row["start_ledger"]),
                int(row["end_ledger"]),
                int(row["found"]),
            )
            for job in jobs
            for row in job.result()
        }
        findings = whole(sorted(found, key=lambda one: one.start_ledger))
        return {**super().done(context, warehouse, jobs), "findings": [one.to_json() for one in findings]}


class CollectOperator(SettingsAtRunTime, BaseOperator):
    """Collects the findings of the comparisons, in the format of a coverage check."""

    builder = "build_audit_tasks"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the time of the check and the findings."""
        findings = [
            Finding.from_json(one)
            for data_type in STATES
            for one in pull_result(context, f"{data_type}.{COMPARE_TASK}")["findings"]
        ]
        for finding in findings:
            self.log.info("%s", finding.text)
        return {"checked_at": datetime.now(UTC).isoformat(), "findings": [one.to_json() for one in findings]}


def build_checkpoint_task() -> ChooseCheckpointOperator:
    """Return a task that chooses the checkpoint. The export reads it like the ledgers of a data interval."""
    return ChooseCheckpointOperator(task_id=TIME_TASK)


def build_compare_task(table: Table) -> CompareOperator:
    """Return a task that compares a table's entries with those of the archive."""
    return CompareOperator(task_id=COMPARE_TASK, table=table)


def build_collect_task() -> CollectOperator:
    """Return a task that collects the findings of all comparisons."""
    return CollectOperator(task_id=LOOK_TASK)
