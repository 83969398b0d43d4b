"""One row for each table and range that was published: how much, how long, from where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from stellar_etl_airflow.bigquery.tables import Layout, ensure_table
from stellar_etl_airflow.model.costs import bytes_together, estimated_cost
from stellar_etl_airflow.model.lineage import Lineage
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, Table
from stellar_etl_airflow.operators.bigquery_jobs import Job, TableJobsOperator, Warehouse, query_job
from stellar_etl_airflow.operators.runtime import Run, batch_of, left_by, settings
from stellar_etl_airflow.settings.models import CostSettings
from stellar_etl_airflow.sql.publish import Parameter, upsert_stats
from stellar_etl_airflow.sql.state import state_table_id


def ensure_stats(warehouse: Warehouse) -> None:
    """Makes the table of batch stats, or adds the columns that it lacks."""
    ensure_table(
        warehouse.client,
        f"{warehouse.dataset_id}.{BATCH_STATS_TABLE_ID}",
        Layout(warehouse.schema(BATCH_STATS_TABLE_ID), cluster_fields=("table_id", "start_ledger")),
    )


class BatchStatsOperator(TableJobsOperator):
    """Writes the row of this table and range; a repeated load rewrites it."""

    builder = "build_batch_stats"

    def __init__(self, *, full_load: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.full_load = full_load

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Makes the stats table, or adds the columns that it lacks."""
        ensure_stats(warehouse)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One merge of one row."""
        statement = upsert_stats(warehouse.name(BATCH_STATS_TABLE_ID), self._row(context, warehouse))
        return [query_job("stats", statement, warehouse.config.maximum_bytes_billed)]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """A row of what tasks left."""
        return Lineage(outputs=[warehouse.table_dataset(BATCH_STATS_TABLE_ID, BATCH_STATS_TABLE_ID)])

    def _row(self, context: Context, warehouse: Warehouse) -> list[Parameter]:
        run, batch = Run.of(context), batch_of(context)
        file = batch.files[self.table.data_type]
        table_id = warehouse.config.table_id(self.table.data_type)
        group = context["ti"].task_id.rpartition(".")[0]
        names = ("load", "check", *(("keep",) if self.full_load else ()), "merge")
        results = {name: left_by(context, f"{group}.{name}" if group else name) for name in names}
        read = bytes_together(results.values())
        cost = estimated_cost(read["bytes_billed"], settings(CostSettings).price_per_tib)
        return [
            Parameter("table_id", "STRING", state_table_id(table_id) if self.full_load else table_id),
            Parameter("start_ledger", "INT64", str(batch.range.start)),
            Parameter("end_ledger", "INT64", str(batch.range.end)),
            Parameter("ledgers", "INT64", str(batch.ledgers)),
            Parameter("row_count", "INT64", str(file.rows)),
            Parameter("byte_count", "INT64", str(file.bytes)),
            Parameter("first_closed_at", "TIMESTAMP", batch.first_closed_at),
            Parameter("last_closed_at", "TIMESTAMP", batch.last_closed_at),
            Parameter("dag_id", "STRING", run.dag_id),
            Parameter("batch_id", "STRING", run.run_id),
            Parameter("batch_run_date", "DATETIME", run.batch_run_date),
            Parameter("attempt", "STRING", batch.attempt.name),
            Parameter("exported_at", "TIMESTAMP", batch.attempt.started_at),
            Parameter("loaded_at", "TIMESTAMP", results["load"]["ended_at"]),
            Parameter("published_at", "TIMESTAMP", results["merge"]["ended_at"]),
            Parameter("bytes_processed", "INT64", str(read["bytes_processed"])),
            Parameter("bytes_billed", "INT64", str(read["bytes_billed"])),
            Parameter("estimated_cost", "NUMERIC", cost),
        ]


def build_batch_stats(table: Table, *, full_load: bool = False) -> BatchStatsOperator:
    """A task that notes what was published, in `history_archives_dag_runs`.

    Args:
        table: the table.
        full_load: whether it was published into its point-in-time table alone.
    """
    return BatchStatsOperator(task_id="batch_stats", table=table, full_load=full_load, pool=table.pool)
