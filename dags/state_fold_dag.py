"""
# Fold changes into versions

Folds the changes of ledger entries into `<table>_versions`, one row per version of an entry. The views
`<table>_current` and `<table>_history` are correct before, during and after a fold: they read versions up to a ledger
and the change log from there on. A fold moves that ledger forward, so that queries of the views read few changes.

A table is folded if its views read more than `state_tail_hours` hours of changes. It is also folded if ledgers much
older
than the last fold were published again and have waited for a day (`ledger_coverage` reports them as `dirty`). A long
range is folded in pieces of at most 2,000 days, oldest first. Loads of the same table wait until a fold is done.

**Who runs it**: the schedule, every hour (`STELLAR_ETL_FOLD_SCHEDULE`). A manual run immediately folds all unfolded
changes, or only one type with the param `table` (`accounts`, `trustlines`, …).

**When it fails**: clear the task. It plans again from the labels of the table and continues where it stopped.
"""

from __future__ import annotations

# The DAG processor imports these once, before it starts a process for this file; see docs/extending.md.
import airflow.providers.google.cloud.operators.bigquery  # noqa: F401
from airflow.sdk import DAG, Param

from stellar_etl_airflow.model.coverage import TABLE_PARAM
from stellar_etl_airflow.model.tables import STATES
from stellar_etl_airflow.operators.defaults import (
    FOLD_SCHEDULE,
    get_default_dag_args,
    get_schedule,
    get_schedule_args,
)
from stellar_etl_airflow.tasks.build_state_fold_task import build_state_fold_task

with DAG(
    "state_fold",
    description="Folds changes of ledger entries into versions",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    params={
        TABLE_PARAM: Param(
            None, type=["null", "string"], enum=[None, *STATES], description="the type to fold; null folds all"
        )
    },
    tags=["state"],
    **{
        **get_schedule_args(),
        "schedule": get_schedule(FOLD_SCHEDULE),
        "catchup": False,
        "max_active_runs": 1,
    },
) as dag:
    for table in STATES.values():
        build_state_fold_task(table)
