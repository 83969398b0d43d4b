"""BigQuery jobs as a task runs them: found again by a retry, one after the other, synchronous or deferred."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook
from airflow.providers.google.cloud.links.bigquery import BigQueryJobDetailLink
from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator
from airflow.providers.google.cloud.triggers.bigquery import BigQueryInsertJobTrigger
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException
from google.api_core.exceptions import Conflict, GoogleAPICallError, NotFound
from google.cloud import bigquery

from stellar_etl_airflow.bigquery.tables import (
    MOST_CLUSTER_FIELDS,
    Layout,
    WarehouseError,
    base_ledger,
    check_partition,
    ensure_table,
    ensure_view,
    note_base_ledger,
)
from stellar_etl_airflow.model.batch import staging_table_id
from stellar_etl_airflow.model.costs import bytes_of, cost_labels
from stellar_etl_airflow.model.lineage import Dataset, Lineage, SchemaFile, table_at
from stellar_etl_airflow.model.schema import column_names, read_schema
from stellar_etl_airflow.model.tables import Table
from stellar_etl_airflow.operators.runtime import GOOGLE_CONNECTION, SettingsAtRunTime, labels_of, settings
from stellar_etl_airflow.settings.models import Target, WarehouseSettings
from stellar_etl_airflow.sql.publish import Statement, table_name
from stellar_etl_airflow.sql.state import DELETED, base_table_id, current_view, current_view_id, rebuild, state_table_id

FINGERPRINT_LABEL = "stellar_fingerprint"
"""The job label that tells a retry whether a job that it finds does the same work."""


@dataclass(frozen=True)
class Job:
    """One BigQuery job of a task.

    Attributes:
        label: what it does, in a few characters; a part of the job's id.
        configuration: the `configuration` of a job resource
            (https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfiguration).
    """

    label: str
    configuration: dict[str, Any]


def query_job(label: str, statement: Statement, maximum_bytes_billed: int) -> Job:
    """A job that runs one statement with its parameters."""
    return Job(
        label,
        {
            "query": {
                "query": statement.sql,
                "useLegacySql": False,
                "maximumBytesBilled": str(maximum_bytes_billed),
                "parameterMode": "NAMED",
                "queryParameters": [
                    {
                        "name": parameter.name,
                        "parameterType": {"type": parameter.type},
                        "parameterValue": {"value": parameter.value},
                    }
                    for parameter in statement.parameters
                ],
            }
        },
    )


def job_id_base(dag_id: str, run_id: str, task_id: str, label: str) -> str:
    """What the ids of a task's jobs have in common; a counter follows it.

    Readable as far as a job id's characters allow, with a hash that keeps two different tasks apart.
    """
    parts = (dag_id, run_id, task_id, label)
    readable = "_".join(re.sub(r"[^A-Za-z0-9-]+", "_", part) for part in parts)
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    return f"{readable[:800]}_{digest}"


def fingerprint(configuration: dict[str, Any]) -> str:
    """A label value that is the same for the same work."""
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:40]


class Warehouse:
    """The dataset that a task works in: its names, its client, its tables."""

    def __init__(
        self, client: bigquery.Client, config: WarehouseSettings, labels: Mapping[str, str] | None = None
    ) -> None:
        self.client = client
        self.config = config
        self.labels = labels or {}  # of every job
        self.project = config.bq_project
        self.dataset = config.bq_dataset

    @property
    def dataset_id(self) -> str:
        """`project.dataset`."""
        return f"{self.project}.{self.dataset}"

    def location(self) -> str:
        """Where the dataset lies: its jobs must be looked for there.

        Raises:
            WarehouseError: there is no such dataset.
        """
        try:
            return str(self.client.get_dataset(self.dataset_id).location)
        except NotFound:
            raise WarehouseError(
                f"dataset {self.dataset_id} does not exist: make it in the location of the bucket, or correct the "
                f"Airflow Variables 'bq_project' and 'bq_dataset'"
            ) from None

    def name(self, table_id: str, target: Target | None = None) -> str:
        """A table's name between backticks, for SQL: in the dataset of the work, or in a target."""
        if target is not None:
            return table_name(target.project, target.dataset, table_id)
        return table_name(self.project, self.dataset, table_id)

    def published(self, table: Table, target: Target | None = None) -> str:
        """A published table's name between backticks."""
        return self.name(self.config.table_id(table.data_type), target)

    def holds(self, table: Table, target: Target | None = None) -> bool:
        """Whether a published table is there."""
        return self.has(self.config.table_id(table.data_type), target)

    def has(self, table_id: str, target: Target | None = None) -> bool:
        """Whether a table is there."""
        dataset_id = target.dataset_id if target else self.dataset_id
        try:
            self.client.get_table(f"{dataset_id}.{table_id}")
        except NotFound:
            return False
        return True

    def jobs(
        self, label: str, statement: Callable[[Target], Statement], targets: Iterable[Target] | None = None
    ) -> list[Job]:
        """A job for each target, each under a label of its own.

        Args:
            label: what the jobs do.
            statement: gives a target's statement.
            targets: some of the targets; all if none are given.
        """
        limit = self.config.maximum_bytes_billed
        chosen = self.config.targets if targets is None else targets
        return [query_job(f"{label}_{target.label}", statement(target), limit) for target in chosen]

    def reference(self, table_id: str) -> dict[str, str]:
        """The table's name as job configurations spell it."""
        return {"projectId": self.project, "datasetId": self.dataset, "tableId": table_id}

    def schema(self, table_id: str) -> list[dict[str, Any]]:
        """The fields of the table's schema file."""
        return read_schema(self.config.schema_filepath, table_id)

    def columns(self, table_id: str) -> list[str]:
        """The columns of the table's schema file."""
        return column_names(self.schema(table_id))

    def table_dataset(self, table_id: str, described: Table | str, target: Target | None = None) -> Dataset:
        """A table as lineage names it: in the dataset of the work, or in a target.

        Args:
            table_id: its name.
            described: what names the schema file with its columns.
            target: the target.
        """
        schema_id = described if isinstance(described, str) else described.table_id
        schema = SchemaFile(self.config.schema_filepath, schema_id)
        return table_at(f"{target.dataset_id if target else self.dataset_id}.{table_id}", schema)

    def published_dataset(self, table: Table, target: Target | None = None) -> Dataset:
        """A published table as lineage names it."""
        return self.table_dataset(self.config.table_id(table.data_type), table, target)

    def state_dataset(self, table: Table, target: Target) -> Dataset:
        """A point-in-time table as lineage names it."""
        return self.table_dataset(state_table_id(self.config.table_id(table.data_type)), table, target)

    def base_dataset(self, table: Table, target: Target) -> Dataset:
        """The table that keeps a full load, as lineage names it."""
        return self.table_dataset(base_table_id(self.config.table_id(table.data_type)), table, target)

    def ensure_published(self, table: Table) -> list[dict[str, Any]]:
        """Makes or grows a published table in each target, as the Variables say; gives its schema in the first.

        Raises:
            WarehouseError: the partition is not by close time, or not as the table has it.
            SchemaError: a column has another type than in the schema file.
        """
        table_id = self.config.table_id(table.data_type)
        partition = self.config.partition_fields.get(table_id)
        if partition:
            check_partition(table_id, partition.field, table.closed_at_column)
        layout = Layout(
            self.schema(table.table_id),
            partition_type=partition.type if partition else None,
            partition_field=partition.field if partition else None,
            cluster_fields=tuple(self.config.cluster_fields.get(table_id, ())),
            needed=(*table.keys, table.ledger_column, table.closed_at_column),
        )
        made = []
        for target in self.config.targets:
            made.append(ensure_table(self.client, f"{target.dataset_id}.{table_id}", layout))
            if table.entry_keys:
                self._ensure_state(table, target)
        return made[0]

    def _ensure_state(self, table: Table, target: Target) -> None:
        """Makes or grows the point-in-time table beside a table of changes, and the view on it."""
        table_id = self.config.table_id(table.data_type)
        layout = Layout(
            self.schema(table.table_id),
            cluster_fields=table.entry_keys[:MOST_CLUSTER_FIELDS],
            needed=(*table.entry_keys, table.ledger_column, DELETED),
            description=f"What {table.data_type} there are, and were: the last change of each, deleted ones too",
        )
        ensure_table(self.client, f"{target.dataset_id}.{state_table_id(table_id)}", layout)
        query = current_view(self.state(table, target), self.columns(table.table_id))
        ensure_view(self.client, f"{target.dataset_id}.{current_view_id(table_id)}", query)

    def state(self, table: Table, target: Target) -> str:
        """The point-in-time table's name between backticks."""
        return self.name(state_table_id(self.config.table_id(table.data_type)), target)

    def base(self, table: Table, target: Target) -> str:
        """The name between backticks of the table that keeps a point-in-time table's full load."""
        return self.name(base_table_id(self.config.table_id(table.data_type)), target)

    def ensure_base(self, table: Table) -> None:
        """Makes or grows the table that keeps the full load, in each target."""
        layout = Layout(
            self.schema(table.table_id),
            cluster_fields=table.entry_keys[:MOST_CLUSTER_FIELDS],
            needed=(*table.entry_keys, table.ledger_column, DELETED),
            description=f"All {table.data_type} at one ledger: the full load that the point-in-time table begins with",
        )
        for target in self.config.targets:
            ensure_table(self.client, self._base_id(table, target), layout)

    def base_ledger(self, table: Table, target: Target) -> int:
        """The ledger of the full load that a point-in-time table begins with, 0 if there was none."""
        return base_ledger(self.client, self._base_id(table, target))

    def note_base_ledger(self, table: Table, target: Target, ledger: int) -> None:
        """Notes that the full load of a ledger is kept: changes up to it no longer enter the point-in-time table."""
        note_base_ledger(self.client, self._base_id(table, target), ledger)

    def rebuild(self, table: Table, target: Target) -> Statement:
        """The statement that recomputes a point-in-time table."""
        ledger = self.base_ledger(table, target)
        base = self.base(table, target) if ledger else None
        state, changes = self.state(table, target), self.published(table, target)
        return rebuild(table, state, changes, self.columns(table.table_id), base, ledger)

    def _base_id(self, table: Table, target: Target) -> str:
        return f"{target.dataset_id}.{base_table_id(self.config.table_id(table.data_type))}"


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
        labels = labels_of(context, **self.cost_parts())
        config = settings(WarehouseSettings)
        self.warehouse = Warehouse(hook.get_client(project_id=config.bq_project), config, labels)
        self.project_id = self.warehouse.project
        self.location = self.warehouse.location()

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
        finished = [self._get(job_id) for job_id in done]
        for job in planned[len(done) :]:
            running = self._start(context, job)
            if self.deferrable and running.running():
                self._defer(running, [*(before.job_id for before in finished)])
            self._wait(running)
            finished.append(running)
        return self.done(context, self.warehouse, finished)

    def _get(self, job_id: str) -> Any:
        return self.warehouse.client.get_job(job_id, project=self.project_id, location=self.location)

    def _earlier(self, base: str) -> Iterator[Any]:
        counter = 1
        while True:
            try:
                yield self._get(f"{base}_{counter}")
            except NotFound:
                return
            counter += 1

    def _start(self, context: Context, job: Job) -> Any:
        """The job that does this work: one that is running already, or a new one."""
        ti = context["ti"]
        base = job_id_base(ti.dag_id, ti.run_id, ti.task_id, job.label)
        work = fingerprint(job.configuration)
        earlier = list(self._earlier(base))
        if earlier and earlier[-1].state != "DONE":
            last = earlier[-1]
            if last.labels.get(FINGERPRINT_LABEL) == work:
                self.log.info("job %s of an earlier try is still running: waiting for it", last.job_id)
                return self._noted(context, last)
            self.log.info("job %s of an earlier try does other work: letting it end first", last.job_id)
            with suppress(GoogleAPICallError):  # how it ends doesn't matter: its work is done again
                last.result(retry=self.result_retry)
        labels = {**self.warehouse.labels, **cost_labels(job=job.label), FINGERPRINT_LABEL: work}
        self.configuration = {**job.configuration, "labels": labels}
        self.job_id = f"{base}_{len(earlier) + 1}"
        self.log.info("%s\n%s", self.job_id, job.configuration.get("query", {}).get("query") or job.configuration)
        assert self.hook is not None  # `apply_settings` made it
        try:
            started = self._submit_job(self.hook, self.job_id)
        except Conflict:
            # The id is this task's alone: an insert of ours went through and its reply was lost.
            started = self._get(self.job_id)
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
