"""Backfills of long ranges in rounds. Each round loads only missing ledgers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.coverage import backfill_round
from stellar_etl_airflow.model.lineage import Lineage
from stellar_etl_airflow.model.ranges import LedgerRange, intersection
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, LOADING_DAGS, loaded_by
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator
from stellar_etl_airflow.operators.runtime import ledgers_of
from stellar_etl_airflow.sql.coverage import loaded_ranges
from stellar_etl_airflow.tasks.build_trigger_tasks import range_run, run_of, run_prefix

DAG_PARAM, CHUNK_PARAM, PARALLEL_PARAM = "dag", "chunk", "parallel"

ROUND = "round_"
"""Suffix of the run ids of later rounds, before the round's number."""


class PlanBackfillOperator(BigQueryJobsOperator):
    """Plans the next runs. Result: `loads` and `again`, both empty if everything is loaded."""

    builder = "build_backfill_tasks"

    def _tables(self, context: Context, warehouse: Warehouse) -> dict[str, list[str]]:
        """Return the table names per requested DAG."""
        requested = context["params"].get(DAG_PARAM)
        return {
            dag_id: [warehouse.config.table_id(table.data_type) for table in loaded_by(dag_id)]
            for dag_id in LOADING_DAGS
            if requested in (None, dag_id)
        }

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return one query of the loaded ranges in the batch stats; none before the first load."""
        if not warehouse.has(BATCH_STATS_TABLE_ID):
            return []
        table_ids = [table_id for ids in self._tables(context, warehouse).values() for table_id in ids]
        statement = loaded_ranges(warehouse.name(BATCH_STATS_TABLE_ID), table_ids, ledgers_of(context))
        return [query_job("loaded", statement, warehouse.config.maximum_bytes_billed)]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the batch stats."""
        return Lineage([warehouse.table_dataset(BATCH_STATS_TABLE_ID, BATCH_STATS_TABLE_ID)])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> dict[str, Any]:
        """Plan the round."""
        loaded: dict[str, list[LedgerRange]] = {}
        for row in (row for job in jobs for row in job.result()):
            loaded.setdefault(row["table_id"], []).append(LedgerRange(int(row["start_ledger"]), int(row["end_ledger"])))
        by_dag = {
            dag_id: intersection([loaded.get(table_id, []) for table_id in ids])
            for dag_id, ids in self._tables(context, warehouse).items()
        }
        params = context["params"]
        found = backfill_round(ledgers_of(context), by_dag, params[CHUNK_PARAM], params[PARALLEL_PARAM])
        self.log.info("starting %d runs; %d ledgers remain for later rounds", len(found.loads), found.rest)
        ti = context["ti"]
        root, _, number = ti.run_id.partition(f"__{ROUND}")
        root = run_prefix(context, root, self.retries or 0)
        return {
            "loads": [range_run(root, dag_id, one) for dag_id, one in found.loads],
            "again": [run_of(root, ti.dag_id, f"{ROUND}{int(number or 1) + 1}", params)] if found.rest else [],
        }


def build_plan_backfill_task() -> PlanBackfillOperator:
    """Return a task that plans the next runs."""
    return PlanBackfillOperator(task_id="plan")
