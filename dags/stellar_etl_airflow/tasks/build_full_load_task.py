"""A full load of all entries at one ledger: store it, then make it the start of the versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow.sdk import Context

from stellar_etl_airflow.bigquery.jobs import Job
from stellar_etl_airflow.bigquery.versions import Versions
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.lineage import Lineage
from stellar_etl_airflow.model.schema import Field
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, Table
from stellar_etl_airflow.model.versions import Plan
from stellar_etl_airflow.operators.runtime import PUBLISHED_ATTEMPT, batch_of
from stellar_etl_airflow.operators.staged import StagedTableOperator
from stellar_etl_airflow.operators.versions import VersionsOperator
from stellar_etl_airflow.settings.warehouse import Target
from stellar_etl_airflow.sql.newer import newer_loads, newer_rows
from stellar_etl_airflow.sql.statement import Statement, batch_parameters
from stellar_etl_airflow.sql.versions import replace_base, versions_table_id


class KeepFullLoadOperator(StagedTableOperator):
    """Stores the staged rows in the base table of the versions. A rebuild reads them again."""

    builder = "build_full_load_task"

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Create the base table, and the table of batch stats."""
        warehouse.ensure_base(self.table)
        warehouse.ensure_batch_stats()

    def targets(self, context: Context, warehouse: Warehouse) -> list[Target]:
        """Return the targets without a later full load. In the others, an earlier full load changes nothing."""
        ledger, self.chosen = batch_of(context).range.end, list[Target]()
        for target in warehouse.config.targets:
            stored_ledger = warehouse.base_ledger(self.table, target)
            if stored_ledger <= ledger:
                self.chosen.append(target)
            else:
                self.log.warning(
                    "%s of %s begin with the full load of ledger %d: the load of ledger %d is older and is skipped",
                    self.table.data_type,
                    target.dataset_id,
                    stored_ledger,
                    ledger,
                )
        return self.chosen

    def staged(self, context: Context, warehouse: Warehouse) -> tuple[Sequence[Field], datetime]:
        """Return the schema of the staging table, and when its rows were found to be publishable, by BigQuery's clock.

        Raises:
            AirflowFailException: the staging table does not exist, or a newer load of this ledger is published.
        """
        fields = self.staged_fields(context, warehouse)
        batch, versions = batch_of(context), versions_table_id(warehouse.config.table_id(self.table.data_type))
        stats, since = warehouse.name(BATCH_STATS_TABLE_ID), batch.attempt.started_at
        queries = [warehouse.ask(newer_loads(stats, versions, batch.range, since))]
        for target in warehouse.config.targets:
            base = warehouse.base(self.table, target)
            warehouse.wait_for_writers_of(base)
            queries.append(warehouse.ask(newer_rows(self.table, base, batch_parameters(batch), since)))
        self.refuse_if_stale(context, [row for query in queries for row in query.result()], full_load=True)
        return fields, min(query.created for query in queries)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return one statement per target, which replaces the stored full load."""
        staging = warehouse.name(self.staging_id(context))
        staged, looked_at = self.staged(context, warehouse)

        def statement(target: Target) -> Statement:
            base = warehouse.base(self.table, target)
            return replace_base(base, staging, warehouse.moved(self.table, staged, warehouse.fields(base)))

        jobs = warehouse.jobs("keep", statement, self.targets(context, warehouse))
        return [replace(job, looked_at=looked_at) for job in jobs]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the staging table, and the base table of each chosen target."""
        outputs = [warehouse.base_dataset(self.table, target) for target in self.chosen]
        return Lineage([self.staging_dataset(context)], outputs)

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """Record the ledger last, when the stored load is complete."""
        for target in self.targets(context, warehouse):
            warehouse.note_base_ledger(self.table, target, batch_of(context).range.end)
        return super().done(context, warehouse, jobs)


class MergeFullLoadOperator(VersionsOperator):
    """Makes the stored full load the start of the versions, before newer changes."""

    builder = "build_full_load_task"

    def plans(self, context: Context, versions: Versions) -> Iterator[Plan]:
        """Yield a fold up to the load's ledger, then the load; none if a later load is stored.

        The load moves the mark past versions whose changes were removed after their fold. The fold removes them.
        """
        batch, before = batch_of(context), versions.folded()
        ledger, closed_at = batch.range.end, datetime.fromisoformat(batch.last_closed_at)
        if versions.warehouse.base_ledger(self.table, versions.target) != ledger:
            return
        clean = before.cleaned()
        if clean.ledger <= ledger:
            first = versions.plan(before, clean, ledger, removed=True)
            yield first
            before, clean = first.after, first.after
        yield versions.plan(before, clean.begun(ledger, closed_at), begins=True, folds=False)

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """Return the jobs' result and the published export attempt."""
        return {**super().done(context, warehouse, jobs), PUBLISHED_ATTEMPT: batch_of(context).attempt.name}


def build_keep_full_load_task(table: Table) -> KeepFullLoadOperator:
    """Return a task that stores a full load. Place it before the task that merges the load."""
    return KeepFullLoadOperator(task_id="keep", table=table, pool=table.pool)


def build_merge_full_load_task(table: Table) -> MergeFullLoadOperator:
    """Return a task that makes a full load the start of the versions."""
    return MergeFullLoadOperator(task_id="merge", table=table, pool=table.pool)
