"""The summary for the page *Ledger coverage* in Airflow's UI: one object in the bucket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from airflow.providers.google.cloud.hooks.gcs import GCSHook
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.tables import read_dataset
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.export.storage import Bucket
from stellar_etl_airflow.model.lineage import Lineage
from stellar_etl_airflow.model.network import NETWORK_LABEL
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.summary import COST_DAYS, HISTORY_DAYS, Found, Repair, Summary
from stellar_etl_airflow.model.tables import (
    BATCH_STATS_TABLE_ID,
    COVERAGE_TABLE_ID,
    DERIVED,
    LEDGER_AUDITS_TABLE_ID,
    LEDGER_BATCHES_TABLE_ID,
    PUBLISHED,
    RANGES_VIEW_ID,
    WATERMARKS_VIEW_ID,
)
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator
from stellar_etl_airflow.operators.runtime import GOOGLE_CONNECTION, find_result, pull_result, settings
from stellar_etl_airflow.settings.alerts import MessageSettings
from stellar_etl_airflow.settings.export import BucketSettings
from stellar_etl_airflow.sql import summary as sql
from stellar_etl_airflow.sql.audits import last_audits
from stellar_etl_airflow.tasks.build_coverage_tasks import HEALING_TASK, LOOK_TASK

FINDING_DAYS = 400
"""Age of the findings that are read, to explain incomplete ledgers."""

REPAIRS = ("loads", "derived")
"""The parts of a plan whose runs reload or derive ledgers."""


def summary_object(object_prefix: str) -> str:
    """Return the summary's object name, outside the folder whose files a lifecycle rule deletes.

    The plugin repeats this rule, because it runs where the DAGs are not installed.

    Args:
        object_prefix: the Variable `gcs_exported_object_prefix`. It differs between environments that share a bucket.
    """
    return f"coverage_page/{object_prefix}/summary.json"


class SummaryOperator(BigQueryJobsOperator):
    """Overwrites the summary. Result: its `object` and `bytes`."""

    builder = "build_coverage_tasks"
    waits_for_budget = False

    def __init__(self, *, repairing: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.repairing = repairing

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Create the views of watermarks if they are missing.

        Raises:
            AirflowSkipException: the check has no result, or this is the summary of repairs and there are none.
        """
        if find_result(context, LOOK_TASK) is None:
            raise AirflowSkipException(f"task {LOOK_TASK!r} has no result: the summary is unchanged")
        if self.repairing and not self._repairs(context):
            raise AirflowSkipException("this run repairs nothing: the summary is written at its end")
        warehouse.ensure_watermarks()

    @cached_property
    def _audits(self) -> bool:
        """Whether the audits' table exists; the same for each call within a try."""
        return self.warehouse.has(LEDGER_AUDITS_TABLE_ID)

    def _repairs(self, context: Context) -> list[Repair]:
        """Return the planned runs that reload or derive ledgers, until they end."""
        plan = (find_result(context, HEALING_TASK) or {}) if self.repairing else {}
        return [
            Repair(
                run["trigger_dag_id"],
                run["trigger_run_id"],
                LedgerRange(run["conf"]["start_ledger"], run["conf"]["end_ledger"]),
            )
            for part in REPAIRS
            for run in plan.get(part, ())
        ]

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return a query per list of rows in the summary, named after the list."""
        stats, coverage = warehouse.name(BATCH_STATS_TABLE_ID), warehouse.name(COVERAGE_TABLE_ID)
        ids = {table: warehouse.config.table_id(table.data_type) for table in PUBLISHED.values()}
        networks = {
            target.dataset_id: read_dataset(warehouse.client, target.dataset_id).labels.get(NETWORK_LABEL)
            for target in warehouse.config.targets
        }
        derived = [ids[table] for table in DERIVED.values()]
        checked_at = datetime.fromisoformat(pull_result(context, LOOK_TASK)["checked_at"])
        history, costs, findings = (
            checked_at - timedelta(days=days) for days in (HISTORY_DAYS, COST_DAYS, FINDING_DAYS)
        )
        statements = {
            "watermarks": sql.all_watermarks(warehouse.name(WATERMARKS_VIEW_ID)),
            "complete": sql.complete_ranges_of_tables(
                warehouse.name(RANGES_VIEW_ID), stats, coverage, networks, derived
            ),
            "loaded": sql.loaded_islands(stats, list(ids.values())),
            "findings": sql.known_findings(coverage, findings),
            "lags": sql.lags_since(coverage, history),
            "batches": sql.watermarks_since(warehouse.name(LEDGER_BATCHES_TABLE_ID), history),
            "costs": sql.costs_since(stats, costs),
        }
        if self._audits:
            statements["audits"] = last_audits(warehouse.name(LEDGER_AUDITS_TABLE_ID), costs)
        self.names = list(statements)
        limit = warehouse.config.maximum_bytes_billed
        return [query_job(name, statement, limit) for name, statement in statements.items()]

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> dict[str, Any]:
        """Make the document from the jobs' rows, and write it."""
        rows = {name: [dict(row.items()) for row in job.result()] for name, job in zip(self.names, jobs, strict=True)}
        ids = {warehouse.config.table_id(data_type): table for data_type, table in PUBLISHED.items()}
        summary = Summary(Found(**rows), ids, self._repairs(context))
        places = sorted({problem.place for problem in summary.problems})
        stats = warehouse.name(BATCH_STATS_TABLE_ID)
        loads = warehouse.query(sql.loads_of(stats, places)) if places else []
        times = warehouse.query(sql.times_of(stats, places)) if places else []
        text = summary.to_json(datetime.now(UTC), loads, times, {"runbook": settings(MessageSettings).runbook_url})
        bucket = settings(BucketSettings)
        name = summary_object(bucket.gcs_exported_object_prefix)
        client = GCSHook(gcp_conn_id=GOOGLE_CONNECTION).get_conn()
        Bucket(client, bucket.gcs_exported_data_bucket_name).write(name, text)
        self.log.info("gs://%s/%s: %d bytes", bucket.gcs_exported_data_bucket_name, name, len(text))
        return {"object": name, "bytes": len(text), **super().done(context, warehouse, jobs)}

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the tables that the summary reads."""
        names = [BATCH_STATS_TABLE_ID, COVERAGE_TABLE_ID, LEDGER_BATCHES_TABLE_ID]
        names += [LEDGER_AUDITS_TABLE_ID] if self._audits else []
        return Lineage([warehouse.table_dataset(name, name) for name in names])


def build_repairing_summary_task() -> SummaryOperator:
    """Return a task that writes the summary while ledgers are repaired. It is skipped if there are no repairs."""
    return SummaryOperator(task_id="summarize_repairs", repairing=True)


def build_summary_task() -> SummaryOperator:
    """Return a task that writes the summary at the end of a coverage check, even if the check fails.

    The task is a teardown, so that its success does not make a failed run succeed.
    """
    task = SummaryOperator(task_id="summarize", repairing=False)
    task.as_teardown()
    return task
