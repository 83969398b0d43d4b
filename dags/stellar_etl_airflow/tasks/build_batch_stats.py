"""One row for each table and range that was published: how much, how long, from where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.costs import bytes_together, estimated_cost
from stellar_etl_airflow.model.lineage import Lineage
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, Table
from stellar_etl_airflow.operators.bigquery_jobs import TableJobsOperator
from stellar_etl_airflow.operators.runtime import Run, batch_of, pull_result, settings
from stellar_etl_airflow.settings.warehouse import CostSettings
from stellar_etl_airflow.sql.batch_stats import stats_row, upsert_stats
from stellar_etl_airflow.sql.state import state_table_id
from stellar_etl_airflow.sql.statement import Parameter


class BatchStatsOperator(TableJobsOperator):
    """Writes the row of this table and range; a repeated load rewrites it."""

    builder = "build_batch_stats"

    def __init__(self, *, full_load: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.full_load = full_load

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Makes the stats table, or adds the columns that it lacks."""
        warehouse.ensure_batch_stats()

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One merge of one row."""
        statement = upsert_stats(warehouse.name(BATCH_STATS_TABLE_ID), self._row(context, warehouse))
        return [query_job("stats", statement, warehouse.config.maximum_bytes_billed)]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """A row of what tasks left."""
        return Lineage(outputs=[warehouse.table_dataset(BATCH_STATS_TABLE_ID, BATCH_STATS_TABLE_ID)])

    def _row(self, context: Context, warehouse: Warehouse) -> tuple[Parameter, ...]:
        run, batch = Run.of(context), batch_of(context)
        file = batch.files[self.table.data_type]
        table_id = warehouse.config.table_id(self.table.data_type)
        group = context["ti"].task_id.rpartition(".")[0]
        names = ("load", "check", *(("keep",) if self.full_load else ()), "merge")
        results = {name: pull_result(context, f"{group}.{name}" if group else name) for name in names}
        read = bytes_together(results.values())
        cost = estimated_cost(read["bytes_billed"], settings(CostSettings).price_per_tib)
        values = {
            "table_id": state_table_id(table_id) if self.full_load else table_id,
            "ledgers": batch.ledgers,
            "row_count": file.rows,
            "byte_count": file.bytes,
            "first_closed_at": batch.first_closed_at,
            "last_closed_at": batch.last_closed_at,
            "dag_id": run.dag_id,
            "batch_id": run.run_id,
            "batch_run_date": run.batch_run_date,
            "attempt": batch.attempt.name,
            "exported_at": batch.attempt.started_at,
            "loaded_at": results["load"]["ended_at"],
            "published_at": results["merge"]["ended_at"],
            "bytes_processed": read["bytes_processed"],
            "bytes_billed": read["bytes_billed"],
            "estimated_cost": cost,
        }
        return stats_row(batch.range, values)


def build_batch_stats(table: Table, *, full_load: bool = False) -> BatchStatsOperator:
    """A task that notes what was published, in `history_archives_dag_runs`.

    Args:
        table: the table.
        full_load: whether it was published into its point-in-time table alone.
    """
    return BatchStatsOperator(task_id="batch_stats", table=table, full_load=full_load, pool=table.pool)
