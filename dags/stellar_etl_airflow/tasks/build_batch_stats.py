"""One row for each table and range that was published: how much, how long, from where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.batch import Batch
from stellar_etl_airflow.model.costs import bytes_together, estimated_cost
from stellar_etl_airflow.model.lineage import Lineage
from stellar_etl_airflow.model.tables import BATCH_STATS_POOL, BATCH_STATS_TABLE_ID, Table
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator
from stellar_etl_airflow.operators.runtime import PUBLISHED_ATTEMPT, VERIFY_TASK, Run, batch_of, find_result, settings
from stellar_etl_airflow.settings.warehouse import CostSettings
from stellar_etl_airflow.sql.batch_stats import stats_row, upsert_stats
from stellar_etl_airflow.sql.state import state_table_id


class BatchStatsOperator(BigQueryJobsOperator):
    """Writes the rows of the batch's published tables; a repeated load rewrites them.

    It runs after all merges, also if some of them failed or were skipped. A table that is not published has no row:
    `ledger_coverage` reports its ledgers as not loaded. Its row is written when its tasks are cleared with their
    downstream tasks.
    """

    builder = "build_batch_stats"

    def __init__(self, *, tables: Sequence[Table], full_load: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tables = tables
        self.full_load = full_load

    def cost_parts(self) -> dict[str, str]:
        """The table of batch stats."""
        return {"table": BATCH_STATS_TABLE_ID}

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Makes the stats table, or adds the columns that it lacks.

        Raises:
            AirflowSkipException: no export of this run is verified.
        """
        if find_result(context, VERIFY_TASK) is None:
            raise AirflowSkipException("no export of this run is verified: there is nothing to record")
        warehouse.ensure_batch_stats()

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One merge of all rows.

        Raises:
            AirflowSkipException: no table of the batch is published.
        """
        batch, rows = batch_of(context), []
        for table in self.tables:
            results = self._results(context, batch, table)
            if results:
                rows.append(self._row(context, warehouse, batch, table, results))
            else:
                self.log.warning("%s of this batch are not published: they have no row", table.data_type)
        if not rows:
            raise AirflowSkipException("no table of this batch is published: there is nothing to record")
        statement = upsert_stats(warehouse.name(BATCH_STATS_TABLE_ID), rows)
        return [query_job("stats", statement, warehouse.config.maximum_bytes_billed)]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Rows of what the tasks of the tables left."""
        return Lineage(outputs=[warehouse.table_dataset(BATCH_STATS_TABLE_ID, BATCH_STATS_TABLE_ID)])

    def _results(self, context: Context, batch: Batch, table: Table) -> dict[str, Mapping[str, Any]]:
        """What the tasks of a table left; empty if the rows of this export attempt are not published.

        The result of a merge stays if the task was cleared and did not run again: it may be of an earlier attempt.
        """
        names = ("load", "check", *(("keep",) if self.full_load else ()), "merge")
        found = {name: find_result(context, f"{table.data_type}.{name}") for name in names}
        results = {name: result for name, result in found.items() if result is not None}
        attempt = batch.attempt.name
        published = results.get("merge", {}).get(PUBLISHED_ATTEMPT, attempt)  # the release before named no attempt
        return results if published == attempt and len(results) == len(names) else {}

    def _row(
        self,
        context: Context,
        warehouse: Warehouse,
        batch: Batch,
        table: Table,
        results: Mapping[str, Mapping[str, Any]],
    ) -> dict[str, str]:
        run = Run.of(context)
        file = batch.files[table.data_type]
        table_id = warehouse.config.table_id(table.data_type)
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


def build_batch_stats(tables: Sequence[Table], *, full_load: bool = False) -> BatchStatsOperator:
    """A task that records what was published in `history_archives_dag_runs`; put it after the merges of all tables.

    Args:
        tables: the tables of the batch.
        full_load: whether they were published into their point-in-time tables alone.
    """
    return BatchStatsOperator(
        task_id="batch_stats",
        tables=tables,
        full_load=full_load,
        pool=BATCH_STATS_POOL,
        trigger_rule="all_done",
    )
