"""The DAG of ledgers and assets with immediate retries.

Further DAGs: ledgers alone, which takes less time; ledgers alone with deferrable tasks; and the backfill.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from history_archive_without_captive_core_dag import dag
from history_backfill_dag import dag as backfill
from stellar_etl_airflow.model.tables import LEDGERS
from stellar_etl_airflow.operators.defaults import get_default_dag_args, get_range_params, get_schedule_args
from stellar_etl_airflow.tasks.build_batch import build_batch

with DAG("ledgers", default_args=get_default_dag_args(), params=get_range_params(), **get_schedule_args()) as ledgers:
    build_batch([LEDGERS])

with DAG(
    "deferred",
    default_args=get_default_dag_args() | {"deferrable": True, "poll_interval": 1},
    params=get_range_params(),
    **get_schedule_args(),
) as deferred:
    build_batch([LEDGERS])

for task in (*dag.tasks, *ledgers.tasks, *deferred.tasks, *backfill.tasks):
    task.retries = 3
    task.retry_delay = timedelta(seconds=1)
    task.retry_exponential_backoff = 0
