"""A full load of all entries at one ledger: kept, then made what the versions begin with."""

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
    """Keeps the staged rows beside the versions, which begin with them; a rebuild does so again."""

    builder = "build_full_load_task"

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Make the tables that keep full loads, and that of the batch stats."""
        warehouse.ensure_base(self.table)
        warehouse.ensure_batch_stats()

    def targets(self, context: Context, warehouse: Warehouse) -> list[Target]:
        """The targets that keep no later full load: in those a load of an earlier ledger changes nothing."""
        ledger, self.chosen = batch_of(context).range.end, list[Target]()
        for target in warehouse.config.targets:
            held = warehouse.base_ledger(self.table, target)
            if held <= ledger:
                self.chosen.append(target)
            else:
                self.log.warning(
                    "%s of %s begin with the full load of ledger %d: that of ledger %d is older, and left out",
                    self.table.data_type,
                    target.dataset_id,
                    held,
                    ledger,
                )
        return self.chosen

    def staged(self, context: Context, warehouse: Warehouse) -> tuple[Sequence[Field], datetime]:
        """The schema of the staging table, if its rows may be published; and when that was found, by BigQuery's clock.

        Raises:
            AirflowFailException: the staging table is gone, or a newer load of this ledger is published.
        """
        fields = self.staged_fields(context, warehouse)
        batch, versions = batch_of(context), versions_table_id(warehouse.config.table_id(self.table.data_type))
        stats, since = warehouse.name(BATCH_STATS_TABLE_ID), batch.attempt.started_at
        looks = [warehouse.ask(newer_loads(stats, versions, batch.range, since))]
        for target in warehouse.config.targets:
            base = warehouse.base(self.table, target)
            warehouse.wait_for_writers_of(base)
            looks.append(warehouse.ask(newer_rows(self.table, base, batch_parameters(batch), since)))
        self.refuse_if_stale(context, [row for look in looks for row in look.result()], full_load=True)
        return fields, min(look.created for look in looks)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One statement for each target: the load that was kept before gives way as a whole."""
        staging = warehouse.name(self.staging_id(context))
        staged, looked_at = self.staged(context, warehouse)

        def statement(target: Target) -> Statement:
            base = warehouse.base(self.table, target)
            return replace_base(base, staging, warehouse.moved(self.table, staged, warehouse.fields(base)))

        jobs = warehouse.jobs("keep", statement, self.targets(context, warehouse))
        return [replace(job, looked_at=looked_at) for job in jobs]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """The staging table, into the table that keeps full loads, of each chosen target."""
        outputs = [warehouse.base_dataset(self.table, target) for target in self.chosen]
        return Lineage([self.staging_dataset(context)], outputs)

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """Notes the ledger, last: the load is whole."""
        for target in self.targets(context, warehouse):
            warehouse.note_base_ledger(self.table, target, batch_of(context).range.end)
        return super().done(context, warehouse, jobs)


class MergeFullLoadOperator(VersionsOperator):
    """Makes the versions begin with the full load that is kept, under what is newer."""

    builder = "build_full_load_task"

    def plans(self, context: Context, versions: Versions) -> Iterator[Plan]:
        """First a fold of all changes up to the load's ledger, if they are not folded; none if a later load is kept."""
        batch, before = batch_of(context), versions.folded()
        ledger, closed_at = batch.range.end, datetime.fromisoformat(batch.last_closed_at)
        if versions.warehouse.base_ledger(self.table, versions.target) != ledger:
            return
        clean = before.cleaned()
        if clean.ledger <= ledger:
            first = versions.plan(before, clean, ledger)
            yield first
            before, clean = first.after, first.after
        yield versions.plan(before, clean.begun(ledger, closed_at), begins=True, folds=False)

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """The jobs' result, and the export attempt that is published."""
        return {**super().done(context, warehouse, jobs), PUBLISHED_ATTEMPT: batch_of(context).attempt.name}


def build_keep_full_load_task(table: Table) -> KeepFullLoadOperator:
    """A task that keeps a full load; put it before the one that merges it."""
    return KeepFullLoadOperator(task_id="keep", table=table, pool=table.pool)


def build_merge_full_load_task(table: Table) -> MergeFullLoadOperator:
    """A task that makes the versions begin with a full load."""
    return MergeFullLoadOperator(task_id="merge", table=table, pool=table.pool)
