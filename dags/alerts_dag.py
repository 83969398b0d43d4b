"""
# Report failures to Slack and email

Sends one message with all tasks that exhausted their retries and all runs that missed their deadline, to Slack
(Variable `slack_connection`) and to the addresses of `alert_email_to`. The message names what failed, the first line of
the error, the ledgers, the run, its log, and the section of the runbook. After a message the DAG sends nothing for
`alert_window` seconds; the next message counts the alerts that were held back. Sentry receives each failure
immediately, without this DAG.

**Who runs it**: the schedule, every five minutes (`STELLAR_ETL_ALERT_SCHEDULE`). It is the only DAG that is created
unpaused. Pause it to silence the alerts; after you unpause it, it sends them. Without a channel it sends nothing.

**When it fails**: `slack` or `email`: the message describes the problem of the connection. The other channel and Sentry
have received the alerts. Alerts that could not be sent wait for the next run.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from stellar_etl_airflow.operators.alerts import report_failure_to_sentry
from stellar_etl_airflow.operators.defaults import (
    ALERT_SCHEDULE,
    ALERTS,
    DEFAULT_START,
    get_default_dag_args,
    get_schedule,
)
from stellar_etl_airflow.tasks.build_alert_tasks import build_alert_tasks

with DAG(
    ALERTS,
    description="Reports failures to Slack and email, combined in one message",
    doc_md=__doc__,
    # Alerts about this DAG would fail in the same way, and a long retry would delay the next run.
    default_args={
        **get_default_dag_args(),
        "on_failure_callback": report_failure_to_sentry,
        "retries": 2,
        "max_retry_delay": timedelta(seconds=30),
    },
    schedule=get_schedule(ALERT_SCHEDULE),
    start_date=DEFAULT_START,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["maintenance"],
):
    build_alert_tasks()
