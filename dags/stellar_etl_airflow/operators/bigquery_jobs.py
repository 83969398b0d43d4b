"""BigQuery jobs as a task runs them: found again by a retry, one after the other, synchronous or deferred."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook
from airflow.providers.google.cloud.links.bigquery import BigQueryJobDetailLink
from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator
from airflow.providers.google.cloud.triggers.bigquery import BigQueryInsertJobTrigger
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException
from google.api_core.exceptions import Conflict
from google.cloud import bigquery

from stellar_etl_airflow.bigquery.jobs import Job, fingerprint, job_id_base
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.batch import staging_table_id
from stellar_etl_airflow.model.costs import bytes_of
from stellar_etl_airflow.model.lineage import Dataset, Lineage
from stellar_etl_airflow.model.tables import Table
from stellar_etl_airflow.operators.runtime import GOOGLE_CONNECTION, SettingsAtRunTime, settings, task_labels
from stellar_etl_airflow.settings.warehouse import WarehouseSettings


class BigQueryJobsOperator(SettingsAtRunTime, BigQueryInsertJobOperator):
    """Runs its jobs one after the other, each under an id that a retry finds again.

    The provider's `execute` is replaced, because neither of its ways holds: `force_rerun=True` starts a second
    job after a lost reply, and `force_rerun=False` makes a cleared task fail for ever on the job that is done.
    Here the ids are made of DAG, run, task and a counter. A try looks up the last one: a running job that does the
    same work is waited for; a job that is done, or does other work, leaves its place to the next counter.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(configuration={}, gcp_conn_id=GOOGLE_CONNECTION, **kwargs)

    # What an operator of ours says -------------------------------------------------------------------------

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """The jobs to run, the same at each call within a try."""
        raise NotImplementedError

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """What must be there before the first job runs; nothing by default."""

    def cost_parts(self) -> dict[str, str]:
        """What the jobs' labels say beside DAG, task and environment; nothing by default."""
        return {}

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[bigquery.job.QueryJob]) -> Any:
        """The task's result, given its jobs: their ids, what they read, and when the last one ended."""
        return {
            "jobs": [job.job_id for job in jobs],
            **bytes_of(jobs),
            "ended_at": max((job.ended for job in jobs), default=datetime.now(UTC)).isoformat(),
        }

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """What the jobs read and write, once `jobs` has said which they are; nothing by default."""
        return Lineage()

    # How it runs -------------------------------------------------------------------------------------------

    def apply_settings(self, context: Context) -> None:
        """Finds the dataset, and the jobs' place with it."""
        hook = BigQueryHook(gcp_conn_id=self.gcp_conn_id)
        self.hook = hook  # the provider cancels the job through it when the task is killed
        labels = task_labels(context, **self.cost_parts())
        config = settings(WarehouseSettings)
        self.warehouse = Warehouse(hook.get_client(project_id=config.bq_project), config, labels)
        self.project_id = self.warehouse.project
        self.location = self.warehouse.location

    def execute(self, context: Context) -> Any:
        """Prepares, then runs the jobs."""
        self.prepare(context, self.warehouse)
        return self._run(context, [])

    def execute_complete(self, context: Context, event: dict[str, Any], done: Sequence[str] = ()) -> Any:
        """Comes back from the triggerer: the job that was waited for has ended."""
        ids = [*done, event["job_id"]] if event.get("job_id") else list(done)
        if event["status"] == "error":
            raise AirflowException(event["message"])
        return self._run(context, ids)

    def _run(self, context: Context, done: list[str]) -> Any:
        planned = self.jobs(context, self.warehouse)
        self.lineage = self.reads_and_writes(context, self.warehouse)
        finished = [self.warehouse.get_job(job_id) for job_id in done]
        for job in planned[len(done) :]:
            running = self._start(context, job)
            if self.deferrable and running.running():
                self._defer(running, [*(before.job_id for before in finished)])
            self._wait(running)
            finished.append(running)
        return self.done(context, self.warehouse, finished)

    def _start(self, context: Context, job: Job) -> Any:
        """The job that does this work: one that is running already, or a new one."""
        ti = context["ti"]
        base = job_id_base(ti.dag_id, ti.run_id, ti.task_id, job.label)
        work = fingerprint(job.configuration)
        running, self.job_id = self.warehouse.resume_job(base, work, self.result_retry)
        if running is not None:
            return self._noted(context, running)
        self.configuration = {**job.configuration, "labels": self.warehouse.job_labels(work, job=job.label)}
        self.log.info("%s\n%s", self.job_id, job.configuration.get("query", {}).get("query") or job.configuration)
        assert self.hook is not None  # `apply_settings` made it
        try:
            started = self._submit_job(self.hook, self.job_id)
        except Conflict:
            # The id is this task's alone: an insert of ours went through and its reply was lost.
            started = self.warehouse.get_job(self.job_id)
        return self._noted(context, started)

    def _noted(self, context: Context, job: Any) -> Any:
        self.job_id = job.job_id
        BigQueryJobDetailLink.persist(
            context=context, project_id=self.project_id, location=self.location, job_id=job.job_id
        )
        return job

    def _wait(self, job: Any) -> None:
        job.result(retry=self.result_retry)
        self._handle_job_error(job)

    def _defer(self, job: Any, done: list[str]) -> None:
        self.defer(
            timeout=self.execution_timeout,
            trigger=BigQueryInsertJobTrigger(
                conn_id=self.gcp_conn_id,
                job_id=job.job_id,
                project_id=self.project_id,
                location=self.location,
                poll_interval=self.poll_interval,
                cancel_on_kill=self.cancel_on_kill,
            ),
            method_name="execute_complete",
            kwargs={"done": done},
        )


class TableJobsOperator(BigQueryJobsOperator):
    """Works on one table of the registry, and on the staging table that the run has for it."""

    def __init__(self, *, table: Table, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table = table

    def cost_parts(self) -> dict[str, str]:
        """The table."""
        return {"table": self.table.table_id}

    def staging_id(self, context: Context) -> str:
        """The name of the run's staging table."""
        ti = context["ti"]
        return staging_table_id(self.table.table_id, ti.dag_id, ti.run_id)

    def staging_dataset(self, context: Context) -> Dataset:
        """The run's staging table as lineage names it."""
        return self.warehouse.table_dataset(self.staging_id(context), self.table)
