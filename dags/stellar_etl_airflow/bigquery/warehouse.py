"""The warehouse: the datasets, tables and statements of one deployment, through BigQuery's client."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, cast

from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_JOB_RETRY, DEFAULT_RETRY

from stellar_etl_airflow.bigquery.jobs import (
    FINGERPRINT_LABEL,
    LOOKED_AT_LABEL,
    TARGET_LABEL,
    TASK_LABEL,
    Job,
    fingerprint,
    query_job,
    target_label,
)
from stellar_etl_airflow.bigquery.tables import (
    MOST_CLUSTER_FIELDS,
    TableLayout,
    WarehouseError,
    base_ledger,
    check_partition,
    ensure_table,
    ensure_view,
    guard_deployment,
    note_base_ledger,
    read_dataset,
)
from stellar_etl_airflow.bigquery.writers import (
    cancel,
    earlier_writers,
    running_jobs,
    wait_for_end,
    wait_for_writers,
)
from stellar_etl_airflow.model.costs import cost_labels, label_value
from stellar_etl_airflow.model.lineage import Dataset, SchemaFile, table_at
from stellar_etl_airflow.model.network import NETWORK_LABEL
from stellar_etl_airflow.model.partitions import MOST_PARTITIONS, spanned, windows
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.schema import Field, column_names, read_schema
from stellar_etl_airflow.model.tables import (
    BATCH_STATS_TABLE_ID,
    COVERAGE_TABLE_ID,
    LEDGER_AUDITS_TABLE_ID,
    LEDGER_BATCHES_TABLE_ID,
    PUBLISHED,
    RANGES_VIEW_ID,
    WATERMARKS_VIEW_ID,
    Table,
)
from stellar_etl_airflow.model.versions import VALID_TO
from stellar_etl_airflow.settings.warehouse import Target, WarehouseSettings
from stellar_etl_airflow.sql.compatibility import compatibility_view, compatibility_view_id
from stellar_etl_airflow.sql.publish import delete_range
from stellar_etl_airflow.sql.records import Columns, moved
from stellar_etl_airflow.sql.statement import Statement, table_name
from stellar_etl_airflow.sql.versions import (
    DELETED,
    ENDS,
    base_table_id,
    current_view_id,
    history_view_id,
    versions_table_id,
)
from stellar_etl_airflow.sql.watermarks import ranges_view, watermarks_view

log = logging.getLogger(__name__)


class Warehouse:
    """The datasets of a deployment: names, client and tables."""

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

    @property
    def label(self) -> str:
        """The value of the label `stellar_dataset` of all jobs on this dataset."""
        return label_value(self.dataset_id)

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
            NotFound: the job does not exist.
        """
        return self.client.get_job(job_id, project=self.project, location=self.location)

    def resume_job(self, base: str, work: str, retry: Any = DEFAULT_RETRY) -> tuple[Any | None, str]:
        """Find the job of an earlier try, or the id of the next one.

        The ids of the tries are `base` with a counter. If a job with the same work is running, it is returned. If a job
        with other work is running, this method waits for its end, because two writers of one table must not overlap.

        Args:
            base: the common prefix of the ids, as `job_id_base` returns it.
            work: the `fingerprint` of the job's configuration.
            retry: the client's retry while it waits for a job.

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
            wait_for_end(last, retry)  # its result does not matter, because the work is repeated
        return None, f"{base}_{number}"

    def _find_job(self, job_id: str) -> Any | None:
        try:
            return self.get_job(job_id)
        except NotFound:
            return None

    def job_labels(self, job: Job, work: str = "", /, **parts: str) -> dict[str, str]:
        """Return the labels of a job: the task's, its target, the time of planning, and the fingerprint.

        Args:
            job: the job.
            work: the `fingerprint` of its configuration.
            parts: further labels, such as `table`.
        """
        target = {TARGET_LABEL: target_label(job.target)} if job.target else {}
        own = cost_labels(dataset=self.dataset_id, **parts)
        lookup_label = {LOOKED_AT_LABEL: str(int(job.looked_at.timestamp() * 1000))} if job.looked_at else {}
        known = {FINGERPRINT_LABEL: work} if work else {}
        return {**self.labels, **own, **target, **lookup_label, **known}

    def claim(self, deployment: str) -> None:
        """Check that this deployment is the writer of all targets, and that all targets are in one location.

        Raises:
            WarehouseError: another deployment writes a target, or a target is in another location.
        """
        for target in self.config.targets:
            found = guard_deployment(self.client, target.dataset_id, deployment)
            if found.location != self.location:
                raise WarehouseError(
                    f"dataset {target.dataset_id} is in {found.location}, but {self.dataset_id} is in {self.location}: "
                    f"a BigQuery job runs in one location. Create the dataset in {self.location}, or correct the "
                    f"Airflow Variables 'public_project' and 'public_dataset'"
                )

    def wait_for_writers(self, job: Job) -> None:
        """Wait until no other job writes the target table of a job."""
        if job.target:
            self.wait_for_writers_of(job.target)

    def wait_for_writers_of(self, table: str) -> None:
        """Wait until no job writes a table, given as `project.dataset.table`, with or without backticks."""
        wait_for_writers(self.client, self.project, self.location, target_label(table.strip("`")))

    def drop(self, table: str) -> None:
        """Delete a table, given as `project.dataset.table`, when no job writes it. A missing table is not an error."""
        self.wait_for_writers_of(table)
        self.client.delete_table(table, not_found_ok=True)

    def gives_way(self, job: Any, retry: Any = DEFAULT_RETRY) -> bool:
        """Whether a job must run again because an earlier job wrote the same table at the same time.

        If so, and the job is still running, it is cancelled, and has ended when this returns.

        Args:
            job: a BigQuery job, running or done.
            retry: the client's retry while it waits for a job.
        """
        earlier = earlier_writers(self.client, self.project, self.location, job)
        if earlier:
            log.info("job %s must run again after %s, which write the same table", job.job_id, ", ".join(earlier))
            if job.state != "DONE":
                self.cancel(job.job_id, retry)
        return bool(earlier)

    def cancel(self, job_id: str, retry: Any = DEFAULT_RETRY) -> None:
        """Cancel a job, and wait until it has ended."""
        cancel(self.client, self.project, self.location, job_id, retry)

    def cancel_task(self, label: str, retry: Any = DEFAULT_RETRY) -> None:
        """Cancel the jobs of a task that are pending or running, and wait until they have ended.

        Args:
            label: the task, as `task_label` returns it.
            retry: the client's retry while it waits for a job.
        """
        for job in running_jobs(self.client, self.project, self.location, TASK_LABEL, label):
            self.cancel(job.job_id, retry)

    def run(self, job: Job, base: str = "", **parts: str) -> Any:
        """Run a query job to its end, as the only writer of its table.

        Args:
            job: the job, as `query_job` returns it.
            base: the common prefix of the job ids, as `job_id_base` returns it. A running job of an earlier call is
                then found and waited for. If empty, the client chooses an id.
            parts: labels of the job, such as `table`.

        Raises:
            GoogleAPICallError: the job failed.
        """
        work = fingerprint(job.configuration) if base else ""
        while True:
            found, job_id = self.resume_job(base, work) if base else (None, None)
            if found is None:
                self.wait_for_writers(job)
            running = found or self._start(job, job_id, work, parts)
            if running.state != "DONE" and self.gives_way(running):
                continue
            try:
                running.result()
            except GoogleAPICallError:
                if found is None:
                    raise
                continue  # after a failed job, use the next number
            if not self.gives_way(running):
                return running

    def _start(self, job: Job, job_id: str | None, work: str, parts: Mapping[str, str]) -> Any:
        resource = {**job.configuration, "labels": self.job_labels(job, work, **parts)}
        config = cast("bigquery.QueryJobConfig", bigquery.QueryJobConfig.from_api_repr(resource))
        sql = job.configuration["query"]["query"]
        retry = None if job_id else DEFAULT_JOB_RETRY  # a failed job cannot run again under its own id
        return self.client.query(sql, config, job_id=job_id, location=self.location, job_retry=retry)

    def query(self, statement: Statement, **parts: str) -> list[Any]:
        """Return the rows of a small query.

        Args:
            statement: the query and its parameters.
            parts: labels of the job, such as `table`.
        """
        return list(self.ask(statement, **parts).result())

    def ask(self, statement: Statement, **parts: str) -> Any:
        """Run a small query, and return its job, which has ended and has its creation time.

        Args:
            statement: the query and its parameters.
            parts: labels of the job, such as `table`.
        """
        return self.run(query_job("query", statement, self.config.maximum_bytes_billed), **parts)

    def schema_of(self, statement: Statement, **parts: str) -> list[bigquery.SchemaField]:
        """Return the columns of a query's result, from a dry run, which is free.

        Args:
            statement: the query and its parameters.
            parts: labels of the job, such as `table`.

        Raises:
            GoogleAPICallError: BigQuery rejects the query.
        """
        job = query_job("schema", statement, self.config.maximum_bytes_billed)
        return list(self._dry_run(job, **parts).schema or ())

    def bytes_to_read(self, job: Job) -> int:
        """Return the bytes that a statement would read, estimated by a dry run, which is free.

        If a table does not exist yet, an earlier statement of the task writes it, and the result is 0.
        """
        try:
            return int(self._dry_run(job).total_bytes_processed or 0)
        except NotFound:
            return 0

    def _dry_run(self, job: Job, **parts: str) -> Any:
        resource = {**job.configuration, "dryRun": True, "labels": self.job_labels(job, **parts)}
        config = cast("bigquery.QueryJobConfig", bigquery.QueryJobConfig.from_api_repr(resource))
        sql = job.configuration["query"]["query"]
        return self.client.query(sql, config, location=self.location, job_retry=None)

    def name(self, table_id: str, target: Target | None = None) -> str:
        """Return a table's name in backticks: in the default dataset, or in a target."""
        if target is not None:
            return table_name(target.project, target.dataset, table_id)
        return table_name(self.project, self.dataset, table_id)

    def published(self, table: Table, target: Target | None = None) -> str:
        """Return a published table's name in backticks."""
        return self.name(self.config.table_id(table.data_type), target)

    def holds(self, table: Table, target: Target | None = None) -> bool:
        """Whether a published table exists."""
        return self.has(self.config.table_id(table.data_type), target)

    def has(self, table_id: str, target: Target | None = None) -> bool:
        """Whether a table exists."""
        dataset_id = target.dataset_id if target else self.dataset_id
        try:
            self.client.get_table(f"{dataset_id}.{table_id}")
        except NotFound:
            return False
        return True

    def fields(self, name: str) -> list[dict[str, Any]]:
        """Return the current schema of a table. Its nested columns may have another order than in the schema file.

        Args:
            name: the table's name in backticks.

        Raises:
            NotFound: the table does not exist.
        """
        return [field.to_api_repr() for field in self.client.get_table(name.strip("`")).schema]

    def moved(self, table: Table, source: Sequence[Field], target: Sequence[Field]) -> Columns:
        """Return the columns of the table's schema file, copied from one table to another. Both tables have them.

        Args:
            table: the table of the registry.
            source: the schema of the source table, as `fields` returns it.
            target: the schema of the target table.
        """
        return moved(source, target, self.columns(table.table_id))

    def has_columns(self, table_id: str, columns: Iterable[str], target: Target | None = None) -> bool:
        """Whether a table has columns. Tables of an older release get new columns with their next load."""
        dataset_id = target.dataset_id if target else self.dataset_id
        return {*columns} <= {field.name for field in self.client.get_table(f"{dataset_id}.{table_id}").schema}

    def jobs(
        self, label: str, statement: Callable[[Target], Statement], targets: Iterable[Target] | None = None
    ) -> list[Job]:
        """Return a job per target, each with its own label.

        Args:
            label: the purpose of the jobs.
            statement: returns a target's statement.
            targets: some of the targets; None for all.
        """
        limit = self.config.maximum_bytes_billed
        chosen = self.config.targets if targets is None else targets
        return [query_job(f"{label}_{target.label}", statement(target), limit) for target in chosen]

    def reference(self, table_id: str) -> dict[str, str]:
        """Return the table reference for job configurations."""
        return {"projectId": self.project, "datasetId": self.dataset, "tableId": table_id}

    def schema(self, table_id: str) -> list[dict[str, Any]]:
        """Return the fields of the table's schema file."""
        return read_schema(self.config.schema_filepath, table_id)

    def columns(self, table_id: str) -> list[str]:
        """Return the columns of the table's schema file."""
        return column_names(self.schema(table_id))

    def table_dataset(self, table_id: str, described: Table | str, target: Target | None = None) -> Dataset:
        """Return the lineage dataset of a table: in the default dataset, or in a target.

        Args:
            table_id: its name.
            described: the table, or the name of the schema file, with the columns.
            target: the target.
        """
        schema_id = described if isinstance(described, str) else described.table_id
        schema = SchemaFile(self.config.schema_filepath, schema_id)
        return table_at(f"{target.dataset_id if target else self.dataset_id}.{table_id}", schema)

    def published_dataset(self, table: Table, target: Target | None = None) -> Dataset:
        """Return the lineage dataset of a published table."""
        return self.table_dataset(self.config.table_id(table.data_type), table, target)

    def versions_dataset(self, table: Table, target: Target) -> Dataset:
        """Return the lineage dataset of a table of versions."""
        return self.table_dataset(versions_table_id(self.config.table_id(table.data_type)), table, target)

    def base_dataset(self, table: Table, target: Target) -> Dataset:
        """Return the lineage dataset of a base table, which stores a full load."""
        return self.table_dataset(base_table_id(self.config.table_id(table.data_type)), table, target)

    def ensure_batch_stats(self) -> None:
        """Create the table of batch stats, or add missing columns."""
        ensure_table(self.client, f"{self.dataset_id}.{BATCH_STATS_TABLE_ID}", self.batch_stats_layout())

    def batch_stats_layout(self) -> TableLayout:
        """Return the layout of the table of batch stats."""
        return TableLayout(self.schema(BATCH_STATS_TABLE_ID), cluster_fields=("table_id", "start_ledger"))

    def ensure_coverage(self) -> None:
        """Create the table of findings, or add missing columns."""
        ensure_table(self.client, f"{self.dataset_id}.{COVERAGE_TABLE_ID}", self.coverage_layout())

    def ensure_watermarks(self) -> None:
        """Create or update the tables and views of complete ledgers."""
        self.ensure_batch_stats()
        self.ensure_coverage()
        ensure_table(self.client, f"{self.dataset_id}.{LEDGER_BATCHES_TABLE_ID}", self.batches_layout())
        for view_id, query in self.watermark_views().items():
            ensure_view(self.client, f"{self.dataset_id}.{view_id}", query)

    def ensure_audits(self) -> None:
        """Create the table of audits, or add missing columns."""
        ensure_table(self.client, f"{self.dataset_id}.{LEDGER_AUDITS_TABLE_ID}", self.audits_layout())

    def watermark_views(self) -> dict[str, str]:
        """Return the queries of the views of complete ranges and of watermarks, in the order of creation.

        Derived tables are left out, because they follow the loaded tables.
        """
        stats, coverage = self.name(BATCH_STATS_TABLE_ID), self.name(COVERAGE_TABLE_ID)
        ids = [self.config.table_id(table.data_type) for table in PUBLISHED.values() if not table.derivation]
        networks = {
            target.dataset_id: read_dataset(self.client, target.dataset_id).labels.get(NETWORK_LABEL)
            for target in self.config.targets
        }
        return {
            RANGES_VIEW_ID: ranges_view(stats, coverage, networks, ids),
            WATERMARKS_VIEW_ID: watermarks_view(self.name(RANGES_VIEW_ID), stats, coverage, networks, ids),
        }

    def ensure_compatibility(self, table: Table) -> None:
        """Create the view on a loaded table for Hubble's public dbt project, if `compatibility_dataset` is set.

        Raises:
            WarehouseError: the dataset does not exist, or is a dataset of published tables.
        """
        dataset = self.config.compatibility_dataset
        if not dataset or table.derivation:
            return
        if any((target.project, target.dataset) == (self.project, dataset) for target in self.config.targets):
            raise WarehouseError(
                f"Airflow Variable 'compatibility_dataset': {dataset} has the published tables; choose another dataset"
            )
        read_dataset(self.client, f"{self.project}.{dataset}", "compatibility_dataset")
        name = self.published(table)
        query = compatibility_view(table, name, self.fields(name))
        ensure_view(self.client, f"{self.project}.{dataset}.{compatibility_view_id(table)}", query)

    def batches_layout(self) -> TableLayout:
        """Return the layout of the table of batches."""
        return TableLayout(
            self.schema(LEDGER_BATCHES_TABLE_ID),
            partition_type="DAY",
            partition_field="noted_at",
            cluster_fields=("dataset", "dag_id"),
            description="Each batch and the watermark of each dataset after it",
        )

    def audits_layout(self) -> TableLayout:
        """Return the layout of the table of audits."""
        return TableLayout(
            self.schema(LEDGER_AUDITS_TABLE_ID),
            partition_type="DAY",
            partition_field="audited_at",
            cluster_fields=("table_id",),
            description="Each audit: the rows of a new export against those of each published table",
        )

    def coverage_layout(self) -> TableLayout:
        """Return the layout of the table of findings."""
        return TableLayout(
            self.schema(COVERAGE_TABLE_ID),
            partition_type="DAY",
            partition_field="checked_at",
            cluster_fields=("table_id", "fault"),
            description="Findings of coverage checks",
        )

    def ensure_published(self, table: Table) -> list[dict[str, Any]]:
        """Create or extend a published table in each target from the Variables; return its schema in the first.

        Raises:
            WarehouseError: the partition is not by close time, or differs from the existing table's.
            SchemaError: a column has another type than in the schema file.
        """
        table_id = self.config.table_id(table.data_type)
        layout = self.published_layout(table)
        made = []
        for target in self.config.targets:
            made.append(ensure_table(self.client, f"{target.dataset_id}.{table_id}", layout))
        return made[0]

    def published_layout(self, table: Table) -> TableLayout:
        """Return the layout of a published table according to the Variables.

        Raises:
            WarehouseError: the partition is not by close time.
        """
        partition = self.config.partition(table)
        if partition:
            check_partition(self.config.table_id(table.data_type), partition.field, table.closed_at_column)
        return TableLayout(
            self.schema(table.table_id),
            partition_type=partition.type if partition else None,
            partition_field=partition.field if partition else None,
            cluster_fields=self.config.cluster(table),
            needed=(*table.keys, table.ledger_column, table.closed_at_column),
        )

    def versions_layout(self, table: Table) -> TableLayout:
        """Return the layout of a table of versions."""
        table_id = self.config.table_id(table.data_type)
        return TableLayout(
            [*self.schema(table.table_id), *ENDS],
            partition_type="DAY",
            partition_field=VALID_TO,
            partition_days=self.config.history_days,
            cluster_fields=table.entry_keys[:MOST_CLUSTER_FIELDS],
            needed=(*table.entry_keys, table.ledger_column, table.closed_at_column, DELETED),
            description=f"Versions of {table.data_type}, for the views {current_view_id(table_id)} and "
            f"{history_view_id(table_id)}",
        )

    def check_partitions(self, table: Table, first_closed_at: str, last_closed_at: str) -> None:
        """Reject a batch that spans more partitions than one statement may change.

        Raises:
            WarehouseError: there are too many partitions; the message names the table and the remedy.
        """
        partition = self.config.partition(table)
        if partition is None:
            return
        count = spanned(partition.type, *map(datetime.fromisoformat, (first_closed_at, last_closed_at)))
        if count > MOST_PARTITIONS:
            raise WarehouseError(
                f"ledgers that closed from {first_closed_at} to {last_closed_at} are in {count} partitions of "
                f"{self.config.table_id(table.data_type)} ({partition.type}), but a statement changes at most "
                f"{MOST_PARTITIONS}: load them in smaller ranges"
            )

    def delete_jobs(self, table: Table, ledgers: LedgerRange, until: datetime, target: Target) -> list[Job]:
        """Return the jobs that delete a ledger range in a target: several if one would change too many partitions.

        Args:
            table: the table.
            ledgers: the ledgers.
            until: the close time of the latest ledger, or later; the same for each call within a try.
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

    def base(self, table: Table, target: Target) -> str:
        """Return the name in backticks of the base table, which stores the full load of a table of changes."""
        return self.name(base_table_id(self.config.table_id(table.data_type)), target)

    def ensure_base(self, table: Table) -> None:
        """Create or extend the base table in each target."""
        for target in self.config.targets:
            ensure_table(self.client, self._base_id(table, target), self.base_layout(table))

    def base_layout(self, table: Table) -> TableLayout:
        """Return the layout of a base table."""
        return TableLayout(
            self.schema(table.table_id),
            cluster_fields=table.entry_keys[:MOST_CLUSTER_FIELDS],
            needed=(*table.entry_keys, table.ledger_column, DELETED),
            description=f"All {table.data_type} at one ledger: the full load that the versions begin with",
        )

    def layouts(self) -> Iterator[tuple[str, TableLayout]]:
        """Yield each table of the DAGs, as `project.dataset.table`, with its layout.

        Raises:
            WarehouseError: a partition is not by close time.
            SchemaError: a schema file is missing or unusable.
        """
        yield f"{self.dataset_id}.{BATCH_STATS_TABLE_ID}", self.batch_stats_layout()
        yield f"{self.dataset_id}.{COVERAGE_TABLE_ID}", self.coverage_layout()
        yield f"{self.dataset_id}.{LEDGER_AUDITS_TABLE_ID}", self.audits_layout()
        yield f"{self.dataset_id}.{LEDGER_BATCHES_TABLE_ID}", self.batches_layout()
        for target in self.config.targets:
            for table in PUBLISHED.values():
                table_id = self.config.table_id(table.data_type)
                yield f"{target.dataset_id}.{table_id}", self.published_layout(table)
                if table.entry_keys:
                    yield f"{target.dataset_id}.{versions_table_id(table_id)}", self.versions_layout(table)
                    yield self._base_id(table, target), self.base_layout(table)

    def base_ledger(self, table: Table, target: Target) -> int:
        """Return the ledger of the stored full load; 0 without one."""
        return base_ledger(self.client, self._base_id(table, target))

    def note_base_ledger(self, table: Table, target: Target, ledger: int) -> None:
        """Record the ledger of the stored full load."""
        note_base_ledger(self.client, self._base_id(table, target), ledger)

    def _base_id(self, table: Table, target: Target) -> str:
        return f"{target.dataset_id}.{base_table_id(self.config.table_id(table.data_type))}"
