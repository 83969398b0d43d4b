"""BigQuery jobs of a task: retries find them again; they run one after the other, synchronously or deferred."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook
from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator
from airflow.providers.google.cloud.triggers.bigquery import BigQueryInsertJobTrigger
from airflow.sdk import Context
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, TriggerFailureReason
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from google.api_core.exceptions import Conflict
from google.cloud import bigquery

from stellar_etl_airflow.bigquery.jobs import (
    FINGERPRINT_LABEL,
    TASK_LABEL,
    Job,
    fingerprint,
    job_id_base,
    task_label,
)
from stellar_etl_airflow.bigquery.tables import WarehouseError
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.batch import staging_table_id
from stellar_etl_airflow.model.costs import bytes_of
from stellar_etl_airflow.model.lineage import Dataset, Lineage
from stellar_etl_airflow.model.tables import Table
from stellar_etl_airflow.operators.budget import wait_for_statements
from stellar_etl_airflow.operators.runtime import (
    GOOGLE_CONNECTION,
    SettingsAtRunTime,
    settings,
    task_labels,
    this_deployment,
)
from stellar_etl_airflow.settings.warehouse import WarehouseSettings


def client_for(config: WarehouseSettings) -> bigquery.Client:
    """Return a client with the project's connection, for a task without jobs."""
    return BigQueryHook(gcp_conn_id=GOOGLE_CONNECTION).get_client(project_id=config.bq_project)


def warehouse_for(context: Context) -> Warehouse:
    """Return the warehouse for a task that only runs small queries."""
    config = settings(WarehouseSettings)
    return Warehouse(client_for(config), config, task_labels(context))


class BigQueryJobsOperator(SettingsAtRunTime, BigQueryInsertJobOperator):
    """Runs its jobs one after the other, each with an id that a retry finds again.

    The provider's `execute` is replaced, because neither of its modes works. `force_rerun=True` starts a second job
    after a lost response. With `force_rerun=False`, a cleared task always fails because its job exists. Here the ids
    consist of DAG, run, task, target and a counter. A try looks up the last job. If that job does the same work and is
    running, the try waits for it. Otherwise the try starts a job with the next counter.

    A job that writes a table is its only writer (`bigquery.writers`). A try that is killed or times out cancels its job
    and waits until it has ended, in `on_kill` and in `resume_execution`.
    """

    waits_for_budget = True
    """Whether statements that are not bounded by a batch wait for the Variable `daily_budget`. False for tasks that
    record or complete work that has begun."""

    operator_extra_links = ()  # type: ignore[assignment]  # the provider has two
    """No links. The provider's links show the job and the table of its `execute`. After each task, Airflow looks for
    their XComs and logs an error per missing one."""

    template_fields: Sequence[str] = ()
    """No templates. The provider's fields have no value when Airflow renders them, and each task would store them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(configuration={}, gcp_conn_id=GOOGLE_CONNECTION, **kwargs)

    # Implemented by subclasses -----------------------------------------------------------------------------

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return the jobs to run.

        Each call within a try returns the same number of jobs, and the same jobs if the tables are unchanged.
        """
        raise NotImplementedError

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Prepare what the first job needs; nothing by default."""

    def before(self, context: Context, warehouse: Warehouse, number: int) -> None:
        """Run directly before a job is started or found running; nothing by default.

        Args:
            context: the task's context.
            warehouse: the warehouse.
            number: the job's index in `jobs`.
        """

    def cost_parts(self) -> dict[str, str]:
        """Return further labels of the jobs, besides DAG, task and environment; none by default."""
        return {}

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[bigquery.job.QueryJob]) -> Any:
        """Return the task's result: the jobs' ids and bytes, and when the last one ended."""
        return {
            "jobs": [job.job_id for job in jobs],
            **bytes_of(jobs),
            "ended_at": max((job.ended for job in jobs), default=datetime.now(UTC)).isoformat(),
        }

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the lineage of the jobs, after `jobs` was called; none by default."""
        return Lineage()

    # Execution ---------------------------------------------------------------------------------------------

    def apply_settings(self, context: Context) -> None:
        """Read the settings of the dataset, and the jobs' project and location."""
        hook = BigQueryHook(gcp_conn_id=self.gcp_conn_id)
        self.hook = hook  # the provider uses it to cancel the job when the task is killed
        ti = context["ti"]
        self.task_label = task_label(ti.dag_id, ti.run_id, ti.task_id)
        labels = {**task_labels(context, **self.cost_parts()), TASK_LABEL: self.task_label}
        config = settings(WarehouseSettings)
        self.warehouse = Warehouse(hook.get_client(project_id=config.bq_project), config, labels)
        self.project_id = self.warehouse.project
        self.location = self.warehouse.location

    def execute(self, context: Context) -> Any:
        """Check that this deployment may write, prepare, then run the jobs.

        Raises:
            AirflowFailException: another deployment writes to the datasets. A retry cannot change that.
        """
        try:
            self.warehouse.claim(this_deployment())
        except WarehouseError as error:
            raise AirflowFailException(str(error)) from None
        self.prepare(context, self.warehouse)
        return self._run(context, [])

    def execute_complete(
        self, context: Context, event: dict[str, Any], job_id: str = "", done: Sequence[str] = ()
    ) -> Any:
        """Resume after the triggerer's event: the job has ended, or the trigger failed.

        Raises:
            AirflowException: the trigger failed while the job runs. The next try finds the job.
            AirflowFailException: the job failed in a way that a retry cannot change.
        """
        job = self.warehouse.get_job(job_id)
        if job.state != "DONE":
            raise AirflowException(event["message"])
        self._wait(job)
        return self._run(context, [*done, *([] if self._gives_way(job) else [job_id])])

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after a deferral. If it timed out, cancel the job first.

        If a trigger times out, the triggerer ends it without `on_kill` (Airflow 3.3), and the job would continue.
        """
        error = (next_kwargs or {}).get("error") if next_method == TRIGGER_FAIL_REPR else None
        if error == TriggerFailureReason.TRIGGER_TIMEOUT:
            self.warehouse.cancel_task(self.task_label, self.result_retry)
        return super().resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        """Cancel the job, and wait until it has ended, because until then it may still change its table."""
        if self.job_id and self.cancel_on_kill:
            self.warehouse.cancel(self.job_id, self.result_retry)

    def _run(self, context: Context, done: list[str]) -> Any:
        planned = self.jobs(context, self.warehouse)
        self.lineage = self.reads_and_writes(context, self.warehouse)
        if self.waits_for_budget and not done:
            wait_for_statements(context, self.warehouse, planned)
        finished = [self.warehouse.get_job(job_id) for job_id in done]
        for number, job in enumerate(planned[len(done) :], len(done)):
            self.before(context, self.warehouse, number)
            finished.append(self._finish(context, number, job, [before.job_id for before in finished]))
        return self.done(context, self.warehouse, finished)

    def _finish(self, context: Context, number: int, job: Job, before: list[str]) -> Any:
        """Run a job to its end, here or in the triggerer. If it gave way to another job, plan and run it again."""
        while True:
            running = self._start(context, job)
            if running.state == "DONE" or not self._gives_way(running):
                if self.deferrable and running.running():
                    self._defer(running, before)
                self._wait(running)
                if not self._gives_way(running):
                    return running
            job = self.jobs(context, self.warehouse)[number]

    def _gives_way(self, job: Any) -> bool:
        return self.warehouse.gives_way(job, self.result_retry)

    def _start(self, context: Context, job: Job) -> Any:
        """Return the job that does this work: one that is already running, or a new one."""
        ti = context["ti"]
        base = job_id_base(ti.dag_id, ti.run_id, ti.task_id, job.label)
        work = fingerprint(job.configuration)
        while True:
            running, self.job_id = self.warehouse.resume_job(base, work, self.result_retry)
            if running is not None:
                return self._noted(running)
            self.warehouse.wait_for_writers(job)
            self.configuration = {**job.configuration, "labels": self.warehouse.job_labels(job, work, job=job.label)}
            self.log.info("%s\n%s", self.job_id, job.configuration.get("query", {}).get("query") or job.configuration)
            assert self.hook is not None  # set by `apply_settings`
            try:
                return self._noted(self._submit_job(self.hook, self.job_id))
            except Conflict:
                # The id belongs to this task. Either our insert succeeded and its response was lost, or an earlier
                # try's job is still running, which may do other work.
                started = self.warehouse.get_job(self.job_id)
                if started.labels.get(FINGERPRINT_LABEL) == work:
                    return self._noted(started)

    def _noted(self, job: Any) -> Any:
        self.job_id = job.job_id
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
            kwargs={"job_id": job.job_id, "done": done},
        )


class TableJobsOperator(BigQueryJobsOperator):
    """Works on one table of the registry, and on the run's staging table for it."""

    def __init__(self, *, table: Table, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table = table

    def cost_parts(self) -> dict[str, str]:
        """Return the table as the cost's table."""
        return {"table": self.table.table_id}

    def staging_id(self, context: Context) -> str:
        """Return the name of the run's staging table."""
        ti = context["ti"]
        return staging_table_id(self.table.table_id, ti.dag_id, ti.run_id)

    def staging_dataset(self, context: Context) -> Dataset:
        """Return the lineage dataset of the run's staging table."""
        return self.warehouse.table_dataset(self.staging_id(context), self.table)
