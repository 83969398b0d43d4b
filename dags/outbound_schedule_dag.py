"""
# Run outbound exports when they are due

Triggers a run of `outbound_export` for each export whose `schedule` is due: one run per time of the schedule, and only
the latest time of an interval.

**Who runs it**: the schedule, every ten minutes (`STELLAR_ETL_SCHEDULE`). Unpause it and `outbound_export` to send
exports with a schedule. A manual run triggers the exports that were due in its data interval.

**When it fails**: `plan`: a declaration is invalid; its message names the file (`python -m stellar_etl_airflow.settings
check` reports it earlier). Clear the task. `start_export`: clear it; the run that it triggers has the same id each
time.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from stellar_etl_airflow.operators.defaults import get_default_dag_args, get_schedule_args
from stellar_etl_airflow.tasks.build_outbound_schedule_tasks import build_plan_exports_task
from stellar_etl_airflow.tasks.build_trigger_tasks import build_trigger_tasks

with DAG(
    "outbound_schedule",
    description="Triggers the outbound exports that are due",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    tags=["outbound"],
    dagrun_timeout=timedelta(days=1),
    **{**get_schedule_args(), "catchup": False, "max_active_runs": 1},
) as dag:
    build_trigger_tasks("start_export", build_plan_exports_task(), "exports", wait=False)
