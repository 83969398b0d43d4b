"""A full load of what there is at one ledger: kept, then made what the point-in-time table begins with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from stellar_etl_airflow.bigquery.jobs import Job
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.lineage import Dataset, Lineage
from stellar_etl_airflow.model.tables import Table
from stellar_etl_airflow.operators.bigquery_jobs import TableJobsOperator
from stellar_etl_airflow.operators.runtime import PUBLISHED_ATTEMPT, batch_of
from stellar_etl_airflow.settings.warehouse import Target
from stellar_etl_airflow.sql.state import merge_full_load, replace_base
from stellar_etl_airflow.sql.statement import Statement


class _FullLoadOperator(TableJobsOperator):
    builder = "build_full_load_task"

    def targets(self, context: Context, warehouse: Warehouse) -> list[Target]:
        """The targets that begin with no later full load: in those a load of an earlier ledger changes nothing."""
        ledger, self.chosen = batch_of(context).range.end, []
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

    def written(self, warehouse: Warehouse, target: Target) -> Dataset:
        """The table of a target that is written, as lineage names it."""
        raise NotImplementedError

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """The staging table, into the table of each chosen target."""
        return Lineage([self.staging_dataset(context)], [self.written(warehouse, target) for target in self.chosen])


class KeepFullLoadOperator(_FullLoadOperator):
    """Keeps the staged rows beside the point-in-time table: a rebuild begins with them."""

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Makes the tables that keep full loads."""
        warehouse.ensure_base(self.table)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One statement for each target: the load that was kept before gives way as a whole."""
        staging = warehouse.name(self.staging_id(context))
        staged = warehouse.fields(staging)

        def statement(target: Target) -> Statement:
            base = warehouse.base(self.table, target)
            return replace_base(base, staging, warehouse.moved(self.table, staged, warehouse.fields(base)))

        return warehouse.jobs("keep", statement, self.targets(context, warehouse))

    def written(self, warehouse: Warehouse, target: Target) -> Dataset:
        """The table that keeps full loads."""
        return warehouse.base_dataset(self.table, target)

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """Notes the ledger, last: from here on, changes up to it stay out of the point-in-time table."""
        for target in self.targets(context, warehouse):
            warehouse.note_base_ledger(self.table, target, batch_of(context).range.end)
        return super().done(context, warehouse, jobs)


class MergeFullLoadOperator(_FullLoadOperator):
    """Brings the staged rows into the point-in-time table, under what is newer."""

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One merge for each target."""
        staging, ledger = warehouse.name(self.staging_id(context)), batch_of(context).range.end
        staged = warehouse.fields(staging)

        def statement(target: Target) -> Statement:
            state = warehouse.state(self.table, target)
            columns = warehouse.moved(self.table, staged, warehouse.fields(state))
            return merge_full_load(self.table, state, staging, columns, ledger)

        return warehouse.jobs("state", statement, self.targets(context, warehouse))

    def written(self, warehouse: Warehouse, target: Target) -> Dataset:
        """The point-in-time table."""
        return warehouse.state_dataset(self.table, target)

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """The jobs' result, and the export attempt that is published."""
        return {**super().done(context, warehouse, jobs), PUBLISHED_ATTEMPT: batch_of(context).attempt.name}


def build_keep_full_load_task(table: Table) -> KeepFullLoadOperator:
    """A task that keeps a full load; put it before the one that merges it."""
    return KeepFullLoadOperator(task_id="keep", table=table, pool=table.pool)


def build_merge_full_load_task(table: Table) -> MergeFullLoadOperator:
    """A task that begins a point-in-time table with a full load."""
    return MergeFullLoadOperator(task_id="merge", table=table, pool=table.pool)
