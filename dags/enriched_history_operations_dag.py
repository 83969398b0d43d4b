"""
# Operations with their transactions and ledgers

Joins `history_operations`, `history_transactions` and `history_ledgers` of each data interval into
`enriched_history_operations`, one row an operation, so that questions about operations need no join. It waits for the
two DAGs that load these tables, checks that the interval's ledgers are there whole, and replaces the interval's rows by
one statement.

**Who runs it**: the schedule, every ten minutes; a backfill of the same dates as of the other two DAGs; a person, with
the params `start_time` and `end_time`, or `start_ledger` and `end_ledger`, for a range that is loaded. Any run can be
repeated.

**When it fails**: `wait_for_…`: the other DAG's run failed; see there, then clear this task. `check_sources`: the
message says what is not loaded; load it, then clear. `merge`: clear it; a job that is still running is found and waited
for.
"""

from __future__ import annotations

from airflow.sdk import DAG, chain

from stellar_etl_airflow.model.tables import ENRICHED_OPERATIONS
from stellar_etl_airflow.operators.defaults import get_default_dag_args, get_range_params, get_schedule_args
from stellar_etl_airflow.tasks.build_bq_insert_job_task import build_bq_insert_job_task, build_check_sources_task
from stellar_etl_airflow.tasks.build_cross_dependency_task import build_cross_dependency_task

with DAG(
    "enriched_history_operations",
    description="Operations with their transactions and ledgers",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    params=get_range_params(),
    tags=["history", "derived"],
    **get_schedule_args(),
):
    waits = [
        build_cross_dependency_task("history_archive_without_captive_core"),
        build_cross_dependency_task("history_archive_with_captive_core"),
    ]
    chain(waits, build_check_sources_task(), build_bq_insert_job_task(ENRICHED_OPERATIONS))
