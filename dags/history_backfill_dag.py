"""
# A long range, loaded in pieces

Loads all ledgers of a range that are not loaded yet: it asks the batch stats what each table has, starts runs of the
loading DAGs over what is missing, `chunk` ledgers each and `parallel` at a time, oldest first; then derives what is
made of them, and goes on with another run of itself until nothing is missing. So it can be stopped and started at any
time: what is loaded is not loaded again. Large chunks are better than many: BigQuery queues at most 20 changes of a
table, and each table has one writer at a time anyway.

**Who runs it**: a person, for instance `airflow dags trigger history_backfill --conf '{"start_ledger": 3, "end_ledger":
500000, "chunk": 20000, "parallel": 8}'`, or with `start_time` and `end_time`; `dag` for one of the loading DAGs alone.
These must not be paused, and run as many at a time as their `max_active_runs` lets (3, or `STELLAR_ETL_ACTIVE_RUNS`).
Airflow's own `airflow backfill create` makes runs for a DAG's own intervals instead.

**When it fails**: `load` or `derive`: look at the run that it started, mend that, then clear the task, or start a new
backfill over the same range. `plan`: clear it. A round that is not through after seven days fails, and what it started
goes on: start a new backfill.
"""

from __future__ import annotations

from datetime import timedelta

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
    description="Loads a long range in pieces, only what is not loaded yet",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    schedule=None,
    # Of one round: a task that waits for another DAG's run heeds no time-out of its own.
    dagrun_timeout=timedelta(days=7),
    max_active_runs=1,
    params={
        **get_range_params(),
        DAG_PARAM: Param(
            None, type=["null", "string"], enum=[None, *LOADING_DAGS], description="one of the loading DAGs alone"
        ),
        CHUNK_PARAM: Param(7200, type="integer", minimum=1, maximum=1_000_000, description="ledgers of one run"),
        PARALLEL_PARAM: Param(3, type="integer", minimum=1, maximum=100, description="runs at a time"),
    },
    tags=["maintenance"],
) as dag:
    plan = build_plan_backfill_task()
    chain(build_time_task(), plan)
    loads = build_trigger_tasks("load", plan, "loads")
    derived = build_trigger_tasks("derive", plan, "derived", after=loads)
    build_trigger_tasks("again", plan, "again", after=derived, wait=False)
