"""
# Loaded history, looked over

Looks for what is missing or wrong in all tables: ledgers that are missing or don't name the hash of the one before;
transactions and operations that are more or fewer than the headers say; ledgers that were never loaded into a table, or
whose rows are not as many as were loaded; rows of another close time than their ledger's; duplicates; entries of
point-in-time tables that are behind their changes. And how far each table is behind the network, by its own lake. Each
finding is a row of `ledger_coverage`, and an event in Sentry.

Events whose `event_index` is NULL cannot be checked for duplicates: rows of older releases, and of the Go image. Their
number is a row of `ledger_coverage` too (`unidentified`), which alerts nobody and loads nothing again.

It looks at the last days that were loaded (Variable `coverage_days`), or at the window that a run's params name. A look
reads keys, ledgers and close times of the window's partitions alone.

**Who runs it**: the schedule, every hour (`STELLAR_ETL_COVERAGE_SCHEDULE`); a person, with the params `start_time` and
`end_time`, or `start_ledger` and `end_ledger`. With the param `auto_heal`, or the Variable `coverage_auto_heal`,
exactly the ledgers that findings name are loaded again, then what is made of them; a DAG that is paused is waited for.

**When it fails**: `report` fails on purpose: its message says what is wrong in which ledgers. Load them again, by
`auto_heal` or by runs of your own, then clear the run: it looks anew. A lag: see whether the DAG that loads the table
is paused or failing, or the lake stands still. `load_again`, `rebuild_again`, `derive_again`: see the run that it
started. A run that is not through after a day fails, and what it started goes on; the next one looks anew.
"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, chain

from stellar_etl_airflow.operators.defaults import get_default_dag_args, get_range_params, get_schedule_args
from stellar_etl_airflow.tasks.build_coverage_tasks import (
    HEAL_PARAM,
    build_look_task,
    build_newest_ledger_task,
    build_plan_healing_task,
    build_record_task,
    build_report_task,
)
from stellar_etl_airflow.tasks.build_trigger_tasks import build_trigger_tasks

with DAG(
    "ledger_coverage",
    description="What is missing or wrong in loaded history, and how far behind it is",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    params={
        **get_range_params(),
        HEAL_PARAM: Param(
            None, type=["null", "boolean"], description="load again what is wrong; none: as the Variable"
        ),
    },
    tags=["maintenance"],
    # A task that waits for another DAG's run heeds no time-out of its own, and would keep the next looks from starting.
    dagrun_timeout=timedelta(days=1),
    **{
        **get_schedule_args(),
        "schedule": CronDataIntervalTimetable(
            os.environ.get("STELLAR_ETL_COVERAGE_SCHEDULE") or "35 * * * *", timezone="UTC"
        ),
        "catchup": False,
        "max_active_runs": 1,
    },
) as dag:
    look, plan = build_look_task(), build_plan_healing_task()
    chain(build_newest_ledger_task(), look, build_record_task(), build_report_task())
    chain(look, plan)
    loads = build_trigger_tasks("load_again", plan, "loads")
    rebuilds = build_trigger_tasks("rebuild_again", plan, "rebuilds", after=loads)
    build_trigger_tasks("derive_again", plan, "derived", after=rebuilds)
