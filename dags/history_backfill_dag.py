"""
# Load a long range in pieces

Loads all ledgers of a range that are not loaded yet. It reads from the batch stats what each table has and starts runs
of the loading DAGs for the missing ledgers: `chunk` ledgers each, `parallel` at a time, oldest first. It continues with
another run of itself until nothing is missing. You can stop and start it at any time: loaded ledgers are not loaded
again. The DAGs of derived tables then derive what was loaded. Prefer large chunks: BigQuery queues at most 20 changes
of a table, and each table has one writer at a time.

**Who runs it**: a user, for instance `airflow dags trigger history_backfill --conf '{"start_ledger": 3, "end_ledger":
500000, "chunk": 20000, "parallel": 8}'`, or with `start_time` and `end_time`. `dag` selects one of the loading DAGs.
These must be unpaused. Their `max_active_runs` limits how many run at a time (3, or `STELLAR_ETL_ACTIVE_RUNS`).
Airflow's own `airflow backfill create` instead creates runs for a DAG's own intervals.

**When it fails**: `load`: find the run that it started and fix what failed there. Then clear the task,
which clears that run if it failed, or start a new backfill over the same range. `plan`: clear it. A round that is not
done after seven days fails, and the runs that it started continue: start a new backfill.
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
            None, type=["null", "string"], enum=[None, *LOADING_DAGS], description="only one of the loading DAGs"
        ),
        CHUNK_PARAM: Param(7200, type="integer", minimum=1, maximum=1_000_000, description="ledgers of one run"),
        PARALLEL_PARAM: Param(3, type="integer", minimum=1, maximum=100, description="concurrent runs"),
    },
    tags=["maintenance"],
) as dag:
    plan = build_plan_backfill_task()
    chain(build_time_task(), plan)
    loads = build_trigger_tasks("load", plan, "loads")
    build_trigger_tasks("again", plan, "again", after=loads, wait=False)
