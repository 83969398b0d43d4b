"""
# Backfill a long range in pieces

Loads all ledgers of a range that are not loaded yet. It reads the loaded ledgers of each table from the batch stats and
triggers runs of the loading DAGs for the missing ones: `chunk` ledgers per run, `parallel` runs at a time, oldest
first.
It continues with another run of itself until nothing is missing. You can interrupt and restart it at any time: loaded
ledgers are not loaded again. The DAGs of derived tables then derive the new ledgers. Prefer large chunks: BigQuery
queues at most 20 changes of a table, and each table has one writer at a time.

**Who runs it**: a user, for instance `airflow dags trigger history_backfill --conf '{"start_ledger": 3, "end_ledger":
500000, "chunk": 20000, "parallel": 8}'`, or with `start_time` and `end_time`. `dag` selects one of the loading DAGs.
These must be unpaused. Their `max_active_runs` limits the concurrent runs (3, or `STELLAR_ETL_ACTIVE_RUNS`).
In contrast, `airflow backfill create` creates runs for a DAG's own intervals.

**When it fails**: `load`: find the run that it triggered and fix the cause there. Then clear the task, which clears
that run if it failed, or start a new backfill of the same range. `plan`: clear it. A round times out after seven days,
and the runs that it triggered continue: start a new backfill.
"""

from __future__ import annotations

from datetime import timedelta

# The DAG processor imports these once, before it starts a process for this file; see docs/extending.md.
import airflow.providers.cncf.kubernetes.operators.pod
import airflow.providers.google.cloud.operators.bigquery  # noqa: F401
from airflow.sdk import DAG, Param, chain

from stellar_etl_airflow.model.tables import LOADING_DAGS
from stellar_etl_airflow.operators.defaults import get_default_dag_args, get_range_params
from stellar_etl_airflow.tasks.build_backfill_tasks import (
    CHUNK_PARAM,
    DAG_PARAM,
    PARALLEL_PARAM,
    build_plan_backfill_task,
)
from stellar_etl_airflow.tasks.build_time_task import build_time_task
from stellar_etl_airflow.tasks.build_trigger_tasks import build_trigger_tasks

with DAG(
    "history_backfill",
    description="Loads missing ledgers of a long range in pieces",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    schedule=None,
    # For one round. A task that waits for another DAG's run ignores its own timeout.
    dagrun_timeout=timedelta(days=7),
    max_active_runs=1,
    params={
        **get_range_params(),
        DAG_PARAM: Param(
            None, type=["null", "string"], enum=[None, *LOADING_DAGS], description="only this loading DAG; null: all"
        ),
        CHUNK_PARAM: Param(7200, type="integer", minimum=1, maximum=1_000_000, description="ledgers per run"),
        PARALLEL_PARAM: Param(3, type="integer", minimum=1, maximum=100, description="concurrent runs"),
    },
    tags=["maintenance"],
) as dag:
    plan = build_plan_backfill_task()
    chain(build_time_task(), plan)
    loads = build_trigger_tasks("load", plan, "loads")
    build_trigger_tasks("again", plan, "again", after=loads, wait=False)
