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
    """Return a client with the project's own connection, for a task that runs no jobs of its own."""
    return BigQueryHook(gcp_conn_id=GOOGLE_CONNECTION).get_client(project_id=config.bq_project)


def warehouse_for(context: Context) -> Warehouse:
    """Return the warehouse for a task that runs no jobs of its own but small queries."""
    config = settings(WarehouseSettings)
    return Warehouse(client_for(config), config, task_labels(context))


class BigQueryJobsOperator(SettingsAtRunTime, BigQueryInsertJobOperator):
    """Runs its jobs one after the other, each under an id that a retry finds again.

    The provider's `execute` is replaced, because neither of its ways holds: `force_rerun=True` starts a second
    job after a lost reply, and `force_rerun=False` makes a cleared task fail for ever on the job that is done.
    Here the ids are made of DAG, run, task and a counter. A try looks up the last one: a running job that does the
    same work is waited for; a job that is done, or does other work, leaves its place to the next counter.

    A job that writes a table runs as the only one that does (`bigquery.writers`). A try that is killed or times out
    cancels its job and waits until it has ended, in `on_kill` and in `resume_execution`.
    """

    waits_for_budget = True
    """Whether statements that no batch bounds are held to the Variable `daily_budget`. Not those that write down, or
    bring to its end, what was begun."""

    operator_extra_links = ()  # type: ignore[assignment]  # the provider's has two
    """None of the provider's, which lead to the job and the table of its `execute`: after each task Airflow looks for
    what they need, and logs an error for each that is missing."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(configuration={}, gcp_conn_id=GOOGLE_CONNECTION, **kwargs)

    # What an operator of ours says -------------------------------------------------------------------------

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """The jobs to run: as many at each call within a try, and the same as long as the tables are as they were."""
        raise NotImplementedError

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """What must be there before the first job runs; nothing by default."""

    def before(self, context: Context, warehouse: Warehouse, number: int) -> None:
        """What to do right before a job starts, or is found running; nothing by default.

        Args:
            context: the task's context.
            warehouse: the warehouse.
            number: the job's place in `jobs`.
        """

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
        """Find the dataset, and the jobs' place with it."""
        hook = BigQueryHook(gcp_conn_id=self.gcp_conn_id)
        self.hook = hook  # the provider cancels the job through it when the task is killed
        ti = context["ti"]
        self.task_label = task_label(ti.dag_id, ti.run_id, ti.task_id)
        labels = {**task_labels(context, **self.cost_parts()), TASK_LABEL: self.task_label}
        config = settings(WarehouseSettings)
        self.warehouse = Warehouse(hook.get_client(project_id=config.bq_project), config, labels)
        self.project_id = self.warehouse.project
        self.location = self.warehouse.location

    def execute(self, context: Context) -> Any:
        """Make sure that this deployment may write, prepare, then run the jobs.

        Raises:
            AirflowFailException: another deployment writes the datasets; no try can change that.
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
        """Comes back from the triggerer: the job that was waited for has ended, or the trigger failed.

        Raises:
            AirflowException: the trigger failed while the job runs; the next try finds the job.
            AirflowFailException: the job failed in a way that no try can change.
        """
        job = self.warehouse.get_job(job_id)
        if job.state != "DONE":
            raise AirflowException(event["message"])
        self._wait(job)
        return self._run(context, [*done, *([] if self._gives_way(job) else [job_id])])

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral; after one that timed out, cancel the job first.

        The triggerer ends a trigger that timed out without `on_kill` (Airflow 3.3), and the job would run on.
        """
        error = (next_kwargs or {}).get("error") if next_method == TRIGGER_FAIL_REPR else None
        if error == TriggerFailureReason.TRIGGER_TIMEOUT:
            self.warehouse.cancel_task(self.task_label, self.result_retry)
        return super().resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        """Cancel the job, and wait until it has ended: until then it may still change its table."""
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
        """Run a job to its end, here or in the triggerer; one that gave way to another is planned and run again."""
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
        """The job that does this work: one that is running already, or a new one."""
        ti = context["ti"]
        base = job_id_base(ti.dag_id, ti.run_id, ti.task_id, job.label)
        work = fingerprint(job.configuration)
        while True:
            running, self.job_id = self.warehouse.resume_job(base, work, self.result_retry)
            if running is not None:
                return self._noted(context, running)
            self.warehouse.wait_for_writers(job)
            self.configuration = {**job.configuration, "labels": self.warehouse.job_labels(job, work, job=job.label)}
            self.log.info("%s\n%s", self.job_id, job.configuration.get("query", {}).get("query") or job.configuration)
            assert self.hook is not None  # `apply_settings` made it
            try:
                return self._noted(context, self._submit_job(self.hook, self.job_id))
            except Conflict:
                # The id is this task's alone: an insert of ours went through and its reply was lost, or an earlier try
                # that was given up still runs, and may do other work.
                started = self.warehouse.get_job(self.job_id)
                if started.labels.get(FINGERPRINT_LABEL) == work:
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
            kwargs={"job_id": job.job_id, "done": done},
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
