"""One row per published table and range: size, times and source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.batch import Batch
from stellar_etl_airflow.model.costs import Usage, bytes_together, estimated_cost, storage_cost
from stellar_etl_airflow.model.lineage import Lineage
from stellar_etl_airflow.model.metrics import Measurement
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import (
    BATCH_STATS_POOL,
    BATCH_STATS_TABLE_ID,
    LEDGER_BATCHES_TABLE_ID,
    WATERMARKS_VIEW_ID,
    Table,
)
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator
from stellar_etl_airflow.operators.metrics import send
from stellar_etl_airflow.operators.runtime import (
    EXPORT_TASK,
    PUBLISHED_ATTEMPT,
    SOURCES_TASK,
    TIME_TASK,
    Run,
    batch_of,
    batch_run_date_of,
    find_batch,
    find_result,
    settings,
    usage_of,
)
from stellar_etl_airflow.operators.watermarks import WATERMARK, announce_watermark
from stellar_etl_airflow.settings.warehouse import CostSettings
from stellar_etl_airflow.sql.batch_stats import ROWS_PER_LEDGER, publish_corrected, stats_row, upsert_stats
from stellar_etl_airflow.sql.statement import Parameter, Statement, batch_parameters
from stellar_etl_airflow.sql.versions import versions_table_id
from stellar_etl_airflow.sql.watermarks import note_batch, noted_batch


class BatchStatsOperator(BigQueryJobsOperator):
    """Writes the rows of the batch's published tables. A repeated load rewrites them.

    The task runs after all merges, even if some failed or were skipped. A table that is not published gets no row, and
    `ledger_coverage` reports its ledgers as not loaded. To write its row, clear its tasks with their downstream tasks.
    """

    builder = "build_batch_stats"
    waits_for_budget = False

    def __init__(self, *, tables: Sequence[Table], full_load: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tables = tables
        self.full_load = full_load
        self.notes_watermark = not full_load and not any(table.derivation for table in tables)

    def cost_parts(self) -> dict[str, str]:
        """Return the table of batch stats as the cost's table."""
        return {"table": BATCH_STATS_TABLE_ID}

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Create or update the stats table and the views of watermarks.

        Raises:
            AirflowSkipException: no export of this run is verified.
        """
        if find_batch(context) is None:
            raise AirflowSkipException("no export of this run is verified: nothing to record")
        warehouse.ensure_watermarks()

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return one merge of all rows, and a statement that writes a row per dataset with the watermark.

        Raises:
            AirflowSkipException: no table of the batch is published.
        """
        batch, published = batch_of(context), {}
        for table in self.tables:
            results = self._results(context, batch, table)
            if results:
                published[table] = results
            else:
                self.log.warning("%s of this batch are not published: no row is written", table.data_type)
        if not published:
            raise AirflowSkipException("no table of this batch is published: nothing to record")
        pods = usage_of(context, TIME_TASK) + usage_of(context, EXPORT_TASK)
        # An empty file has a share too, because pods also run for batches without rows.
        files = {table: batch.files.get(table.data_type) for table in published}
        sizes = {table: file.bytes + 1 if file else 1 for table, file in files.items()}
        rows = [
            self._row(context, warehouse, batch, table, results, pods.share(sizes[table], sum(sizes.values())))
            for table, results in published.items()
        ]
        consumed = [one for row in rows for one in self._consumed_rows(context, batch, row)]
        statement = upsert_stats(warehouse.name(BATCH_STATS_TABLE_ID), [*rows, *consumed])
        limit = warehouse.config.maximum_bytes_billed
        jobs = [query_job("stats", statement, limit)]
        for table, results in published.items():
            if table.chain:
                jobs.append(query_job("corrected", self._corrected(warehouse, batch, table, results), limit))
        if self.notes_watermark:
            values = self.noted = self._summary(context, batch, rows)
            noted = note_batch(warehouse.name(LEDGER_BATCHES_TABLE_ID), warehouse.name(WATERMARKS_VIEW_ID), values)
            jobs.append(query_job("note", noted, limit))
        return jobs

    def _corrected(
        self, warehouse: Warehouse, batch: Batch, table: Table, results: Mapping[str, Mapping[str, Any]]
    ) -> Statement:
        parameters = (*batch_parameters(batch), Parameter("exported_at", "TIMESTAMP", batch.attempt.started_at))
        names = (warehouse.published(table), warehouse.config.table_id(table.data_type))
        stats, published_at = warehouse.name(BATCH_STATS_TABLE_ID), results["merge"]["ended_at"]
        return publish_corrected(stats, table, *names, published_at, parameters)

    def _summary(self, context: Context, batch: Batch, rows: Sequence[Mapping[str, str]]) -> dict[str, str]:
        """Return the totals of the batch over all tables; the same for each call within a try."""
        totals = {
            name: sum((Decimal(row.get(name, 0)) for row in rows), Decimal(0))
            for name in ("row_count", "byte_count", "bytes_billed", "estimated_cost")
        }
        values = {
            "dag_id": context["ti"].dag_id,
            "batch_id": context["ti"].run_id,
            "start_ledger": batch.range.start,
            "end_ledger": batch.range.end,
            "tables_published": len(rows),
            "tables_not_published": len(self.tables) - len(rows),
            "noted_at": max(row["published_at"] for row in rows),
            **totals,
        }
        return {name: f"{value:f}" if isinstance(value, Decimal) else str(value) for name, value in values.items()}

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """Return the jobs' result, and emit an asset event with the watermark of each dataset."""
        if self.notes_watermark:
            key = (self.noted[name] for name in ("dag_id", "batch_id", "noted_at"))
            for row in warehouse.query(noted_batch(warehouse.name(LEDGER_BATCHES_TABLE_ID), *key)):
                announce_watermark(context, row)
                if (closed_at := row["complete_through_closed_at"]) is not None:
                    age = max(0.0, (datetime.now(UTC) - closed_at).total_seconds())
                    send([Measurement("watermark_age_seconds", age, {"dataset": row["dataset"]})])
        return super().done(context, warehouse, jobs)

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the tables that get rows."""
        names = [BATCH_STATS_TABLE_ID, *([] if not self.notes_watermark else [LEDGER_BATCHES_TABLE_ID])]
        return Lineage(outputs=[warehouse.table_dataset(name, name) for name in names])

    def _results(self, context: Context, batch: Batch, table: Table) -> dict[str, Mapping[str, Any]]:
        """Return the results of a table's tasks; empty if the rows of this export attempt are not published.

        A merge task that was cleared and did not run again keeps its result, which may be of an earlier attempt.
        """
        names = ("load", "check", *(("keep",) if self.full_load else ()), "merge")
        found = {name: find_result(context, f"{table.data_type}.{name}") for name in names}
        results = {name: result for name, result in found.items() if result is not None}
        attempt = batch.attempt.name
        published = results.get("merge", {}).get(PUBLISHED_ATTEMPT, attempt)  # the previous release has no attempt
        return results if published == attempt and len(results) == len(names) else {}

    def _row(
        self,
        context: Context,
        warehouse: Warehouse,
        batch: Batch,
        table: Table,
        results: Mapping[str, Mapping[str, Any]],
        pods: Usage,
    ) -> dict[str, str]:
        run = Run.of(context)
        file = batch.files.get(table.data_type)
        table_id = warehouse.config.table_id(table.data_type)
        read = bytes_together(results.values())
        costs = settings(CostSettings)
        prices, cost = costs.resource_prices, estimated_cost(read["bytes_billed"], costs.price_per_tib)
        stored = read["bytes_loaded"] * len(warehouse.config.targets)
        values = {
            "table_id": versions_table_id(table_id) if self.full_load else table_id,
            "ledgers": batch.ledgers,
            "row_count": file.rows if file else results["check"]["counts"]["row_count"],
            "first_closed_at": batch.first_closed_at,
            "last_closed_at": batch.last_closed_at,
            "dag_id": run.dag_id,
            "batch_id": run.run_id,
            "batch_run_date": batch_run_date_of(context),
            "attempt": batch.attempt.name,
            "exported_at": batch.attempt.started_at,
            "loaded_at": results["load"]["ended_at"],
            "published_at": results["merge"]["ended_at"],
            "bytes_processed": read["bytes_processed"],
            "bytes_billed": read["bytes_billed"],
            "estimated_cost": cost,
            "cpu_seconds": pods.cpu_seconds,
            "memory_gib_seconds": pods.memory_gib_seconds,
            "pod_cost": pods.cost(prices.vcpu_hour, prices.gib_hour),
            "stored_bytes": stored,
            "storage_cost": storage_cost(stored + (file.bytes if file else 0), prices.stored_gib_month),
        }
        known = {
            ROWS_PER_LEDGER: results["check"].get(ROWS_PER_LEDGER),  # the previous release does not count them
            "left_out": ",".join(map(str, file.left_out)) if file else None,
        }
        values |= {"byte_count": file.bytes} if file else {}
        return stats_row(batch.range, values | {name: value for name, value in known.items() if value})

    def _consumed_rows(self, context: Context, batch: Batch, row: Mapping[str, str]) -> Iterator[dict[str, str]]:
        """Yield a row per range in which the sources were published, because pending ranges are computed per range.

        A row has the counts of its ledgers. Only `row` has the cost of the run.
        """
        derived, counts = find_result(context, SOURCES_TASK), row.get(ROWS_PER_LEDGER)
        if not derived or not counts:
            return
        per_ledger = counts.split(",")
        run = ("table_id", "dag_id", "batch_id", "batch_run_date", "attempt")
        same = (*run, "exported_at", "loaded_at", "published_at")
        for start, end in derived["consumed"]:
            own = per_ledger[start - batch.range.start : end + 1 - batch.range.start]
            yield stats_row(
                LedgerRange(start, end),
                {
                    **{name: row[name] for name in same},
                    "ledgers": end - start + 1,
                    "row_count": sum(map(int, own)),
                    ROWS_PER_LEDGER: ",".join(own),
                },
            )


def build_batch_stats(tables: Sequence[Table], *, full_load: bool = False) -> BatchStatsOperator:
    """Return a task that records publications in `history_archives_dag_runs`. Place it after the merges of all tables.

    Args:
        tables: the tables of the batch.
        full_load: whether the batch was published only into tables of versions.
    """
    return BatchStatsOperator(
        task_id="batch_stats",
        tables=tables,
        full_load=full_load,
        pool=BATCH_STATS_POOL,
        trigger_rule="all_done",
        outlets=[] if full_load or any(table.derivation for table in tables) else [WATERMARK],
    )
