"""The warehouse: the datasets, tables and statements of one deployment, through BigQuery's client."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from typing import Any, cast

from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_JOB_RETRY, DEFAULT_RETRY

from stellar_etl_airflow.bigquery.jobs import FINGERPRINT_LABEL, Job, fingerprint, query_job
from stellar_etl_airflow.bigquery.tables import (
    MOST_CLUSTER_FIELDS,
    TableLayout,
    WarehouseError,
    base_ledger,
    check_partition,
    ensure_table,
    ensure_view,
    note_base_ledger,
    read_dataset,
)
from stellar_etl_airflow.model.costs import cost_labels
from stellar_etl_airflow.model.lineage import Dataset, SchemaFile, table_at
from stellar_etl_airflow.model.partitions import MOST_PARTITIONS, spanned, windows
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.schema import Field, column_names, read_schema
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, Table
from stellar_etl_airflow.settings.warehouse import Target, WarehouseSettings
from stellar_etl_airflow.sql.publish import delete_range
from stellar_etl_airflow.sql.records import Columns, moved
from stellar_etl_airflow.sql.state import DELETED, base_table_id, current_view, current_view_id, rebuild, state_table_id
from stellar_etl_airflow.sql.statement import Statement, table_name

log = logging.getLogger(__name__)


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

    @cached_property
    def location(self) -> str:
        """The dataset's location, where its jobs run.

        Raises:
            WarehouseError: the dataset does not exist.
        """
        return str(read_dataset(self.client, self.dataset_id).location)

    def get_job(self, job_id: str) -> Any:
        """Read a job of this project.

        Raises:
            NotFound: it does not exist.
        """
        return self.client.get_job(job_id, project=self.project, location=self.location)

    def resume_job(self, base: str, work: str, retry: Any = DEFAULT_RETRY) -> tuple[Any | None, str]:
        """Find the job of an earlier try, or the id of the next one.

        The ids of the tries are `base` with a counter. A running job that does the same work is the one to wait for. A
        running job that does other work is waited for here, however it ends: two writers of one table must not overlap.

        Args:
            base: what the ids have in common, as `job_id_base` makes it.
            work: the `fingerprint` of the job's configuration.
            retry: how the client asks for the end of a job.

        Returns:
            The running job and its id, or None and the id of the next job.
        """
        last, number = None, 1
        while (found := self._find_job(f"{base}_{number}")) is not None:
            last, number = found, number + 1
        if last is not None and last.state != "DONE":
            if last.labels.get(FINGERPRINT_LABEL) == work:
                log.info("job %s of an earlier try is still running: waiting for it", last.job_id)
                return last, last.job_id
            log.info("job %s of an earlier try does other work: waiting until it ends", last.job_id)
            with suppress(GoogleAPICallError):  # its work is done again
                last.result(retry=retry)
        return None, f"{base}_{number}"

    def _find_job(self, job_id: str) -> Any | None:
        try:
            return self.get_job(job_id)
        except NotFound:
            return None

    def job_labels(self, work: str = "", **parts: str) -> dict[str, str]:
        """The labels of a job: those of the task, the parts that are known, and the fingerprint of its work."""
        return {**self.labels, **cost_labels(**parts), **({FINGERPRINT_LABEL: work} if work else {})}

    def run(self, job: Job, job_id: str | None = None, **parts: str) -> Any:
        """Run a query job to its end.

        Args:
            job: the job, as `query_job` makes it.
            job_id: its id; the client makes one where none is given.
            parts: labels of the job, such as `table`.

        Raises:
            GoogleAPICallError: the job failed.
        """
        work = fingerprint(job.configuration) if job_id else ""
        resource = {**job.configuration, "labels": self.job_labels(work, **parts)}
        config = cast("bigquery.QueryJobConfig", bigquery.QueryJobConfig.from_api_repr(resource))
        sql = job.configuration["query"]["query"]
        retry = None if job_id else DEFAULT_JOB_RETRY  # a job that failed cannot run again under its own id
        started = self.client.query(sql, config, job_id=job_id, location=self.location, job_retry=retry)
        started.result()
        return started

    def query(self, statement: Statement, **parts: str) -> list[Any]:
        """The rows of a small query.

        Args:
            statement: the query and its parameters.
            parts: labels of the job, such as `table`.
        """
        return list(self.run(query_job("query", statement, self.config.maximum_bytes_billed), **parts).result())

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

    def fields(self, name: str) -> list[dict[str, Any]]:
        """The schema of a table as it is now, which may hold its nested columns in another order than the schema file.

        Args:
            name: the table's name between backticks.

        Raises:
            NotFound: it does not exist.
        """
        return [field.to_api_repr() for field in self.client.get_table(name.strip("`")).schema]

    def moved(self, table: Table, source: Sequence[Field], target: Sequence[Field]) -> Columns:
        """The columns of the table's schema file, from one table into another: both have them.

        Args:
            table: the table of the registry.
            source: the schema of the table whose rows move, as `fields` gives it.
            target: the schema of the table that they move into.
        """
        return moved(source, target, self.columns(table.table_id))

    def has_columns(self, table_id: str, columns: Iterable[str]) -> bool:
        """Whether a table has columns: one that was made by an older release gets new ones with its next load."""
        return {*columns} <= {field.name for field in self.client.get_table(f"{self.dataset_id}.{table_id}").schema}

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

    def ensure_batch_stats(self) -> None:
        """Make the table of batch stats, or add the columns that it lacks."""
        layout = TableLayout(self.schema(BATCH_STATS_TABLE_ID), cluster_fields=("table_id", "start_ledger"))
        ensure_table(self.client, f"{self.dataset_id}.{BATCH_STATS_TABLE_ID}", layout)

    def ensure_published(self, table: Table) -> list[dict[str, Any]]:
        """Makes or grows a published table in each target, as the Variables say; gives its schema in the first.

        Raises:
            WarehouseError: the partition is not by close time, or not as the table has it.
            SchemaError: a column has another type than in the schema file.
        """
        table_id = self.config.table_id(table.data_type)
        partition = self.config.partition(table)
        if partition:
            check_partition(table_id, partition.field, table.closed_at_column)
        layout = TableLayout(
            self.schema(table.table_id),
            partition_type=partition.type if partition else None,
            partition_field=partition.field if partition else None,
            cluster_fields=self.config.cluster(table),
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
        layout = TableLayout(
            self.schema(table.table_id),
            cluster_fields=table.entry_keys[:MOST_CLUSTER_FIELDS],
            needed=(*table.entry_keys, table.ledger_column, DELETED),
            description=f"What {table.data_type} there are, and were: the last change of each, deleted ones too",
        )
        ensure_table(self.client, f"{target.dataset_id}.{state_table_id(table_id)}", layout)
        query = current_view(self.state(table, target), self.columns(table.table_id))
        ensure_view(self.client, f"{target.dataset_id}.{current_view_id(table_id)}", query)

    def check_partitions(self, table: Table, first_closed_at: str, last_closed_at: str) -> None:
        """Refuses a batch that spans more partitions than one statement may change.

        Raises:
            WarehouseError: naming the table and what to do.
        """
        partition = self.config.partition(table)
        if partition is None:
            return
        count = spanned(partition.type, *map(datetime.fromisoformat, (first_closed_at, last_closed_at)))
        if count > MOST_PARTITIONS:
            raise WarehouseError(
                f"ledgers that closed from {first_closed_at} to {last_closed_at} lie in {count} partitions of "
                f"{self.config.table_id(table.data_type)} ({partition.type}), and a statement changes at most "
                f"{MOST_PARTITIONS}: load them in smaller ranges"
            )

    def delete_jobs(self, table: Table, ledgers: LedgerRange, until: datetime, target: Target) -> list[Job]:
        """The jobs that delete a ledger range from a target's table: one, or several where one would change too much.

        Args:
            table: the table.
            ledgers: the ledgers.
            until: when the newest ledger closed, or later; the same at each call within a try.
            target: the target.
        """
        partition, published = self.config.partition(table), self.published(table, target)
        parts = windows(partition.type if partition else None, ledgers, until)
        statements = [delete_range(table, published, ledgers, window) for window in parts]
        limit, label = self.config.maximum_bytes_billed, f"delete_{target.label}"
        return [
            query_job(label if number == 0 else f"{label}_{number}", statement, limit)
            for number, statement in enumerate(statements)
        ]

    def state(self, table: Table, target: Target) -> str:
        """The point-in-time table's name between backticks."""
        return self.name(state_table_id(self.config.table_id(table.data_type)), target)

    def base(self, table: Table, target: Target) -> str:
        """The name between backticks of the table that keeps a point-in-time table's full load."""
        return self.name(base_table_id(self.config.table_id(table.data_type)), target)

    def ensure_base(self, table: Table) -> None:
        """Makes or grows the table that keeps the full load, in each target."""
        layout = TableLayout(
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
        state, changes, base = self.state(table, target), self.published(table, target), self.base(table, target)
        into = self.fields(state)
        kept = (base, self.moved(table, self.fields(base), into)) if ledger else None
        return rebuild(table, state, changes, self.moved(table, self.fields(changes), into), kept, ledger)

    def _base_id(self, table: Table, target: Target) -> str:
        return f"{target.dataset_id}.{base_table_id(self.config.table_id(table.data_type))}"
