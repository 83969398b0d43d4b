"""
# Chat and email: one message of all that failed

Tells Slack (Variable `slack_connection`) and those whom `alert_email_to` names of tasks that failed for good and of
runs that missed their deadline, one message of all of them: what failed, the error's first line, the ledgers, the run,
its log, and where the runbook tells what to do. After a message there is none for `alert_window` seconds; the next one
says how many alerts were held back. Sentry hears of each failure at once, without this DAG.

**Who runs it**: the schedule, every five minutes (`STELLAR_ETL_ALERT_SCHEDULE`), from the beginning: it is the one DAG
that is not made paused. Pause it for silence; what happens meanwhile is told afterwards. Without a channel it finds
nothing to tell.

**When it fails**: `slack` or `email`: the other channel has been told, and so has Sentry. Its message says what is
wrong with the connection. What nobody could be told waits for the next run.
"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from stellar_etl_airflow.operators.alerts import report_failure_to_sentry
from stellar_etl_airflow.operators.defaults import DEFAULT_START, get_default_dag_args
from stellar_etl_airflow.tasks.build_alert_tasks import build_alert_tasks

with DAG(
    "alerts",
    description="Tells chat and email of failures, many in one message",
    doc_md=__doc__,
    # An alert of an alert that can't be told would go the same way; and the next run is not to wait long for this one.
    default_args={
        **get_default_dag_args(),
        "on_failure_callback": report_failure_to_sentry,
        "retries": 2,
        "max_retry_delay": timedelta(seconds=30),
    },
    schedule=CronTriggerTimetable(os.environ.get("STELLAR_ETL_ALERT_SCHEDULE") or "*/5 * * * *", timezone="UTC"),
    start_date=DEFAULT_START,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["maintenance"],
):
    build_alert_tasks()
