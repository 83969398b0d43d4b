"""Variables of runs: waiting, time-outs, coverage, and the deployment that they belong to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stellar_etl_airflow.model.tables import STATE_TABLES, WITH_CAPTIVE_CORE
from stellar_etl_airflow.settings.base import Name, SettingsGroup, variable

TASK_TIMEOUTS = {
    "build_apply_gcs_changes_to_bq_task": 1800,
    "build_backfill_tasks": 600,
    "build_batch_stats": 600,
    "build_bq_insert_job_task": 1800,
    "build_check_task": 600,
    "build_coverage_tasks": 3600,
    "build_dataset_reset_task": 7200,
    "build_delete_data_task": 600,
    "build_export_task": 3600,
    "build_full_load_task": 7200,
    "build_gcs_to_bq_task": 1800,
    "build_state_rebuild_task": 7200,
    "build_time_task": 600,
    "build_verify_task": 600,
}
"""Seconds by builder, as `airflow_variables.json` ships them: the keys that `task_timeout` may have."""

START_DELAYS = {WITH_CAPTIVE_CORE: 60, STATE_TABLES: 180}
"""Seconds by DAG, as `airflow_variables.json` ships them."""


class WaitSettings(SettingsGroup):
    """How long the network is waited for."""

    ledger_wait_timeout: int = variable(
        shipped=3600,
        ge=0,
        description="seconds that a task waits for ledgers that have not closed, before it fails",
        when="people are to hear sooner, or later, of a network or lake that stands still",
    )
    # If a rescheduled task starts again before the scheduler heard that its process had ended, it passes for one that
    # was killed, and the try is lost: seen with 2 seconds, and Airflow too advises a minute.
    ledger_wait_interval: Annotated[int, Field(ge=10)] = variable(
        shipped=60,
        description="seconds from one look for ledgers that have not closed to the next, at least 10",
        when="ledgers are wanted sooner",
    )


class DelaySettings(SettingsGroup):
    """When the scheduled runs of a DAG begin their work."""

    start_delay: dict[str, Annotated[int, Field(ge=0)]] = variable(
        description="seconds that the schedule's runs of a DAG wait before they begin, by DAG",
        when="pods of several DAGs must not all start at once, or may; what a person or a backfill starts is never "
        "delayed",
        shipped=lambda: START_DELAYS,
    )


class CoverageSettings(SettingsGroup):
    """How loaded history is looked over."""

    coverage_days: int = variable(
        shipped=7,
        ge=0,
        description="days before the newest ledger that each look takes in; 0: all loaded history",
        when="looks cost too much, or are to reach back further",
    )
    coverage_auto_heal: bool = variable(
        shipped=False,
        description="whether what is wrong is loaded again at once",
        when="holes are to be closed without a person",
    )
    coverage_alert_lag: int = variable(
        shipped=3600,
        ge=0,
        description="seconds that a table may be behind the network before a look fails; 0: any",
        when="a table may be later than that, or must not",
    )


class OwnerSettings(SettingsGroup):
    """Who the DAGs belong to: the one group that is read while a DAG file is parsed."""

    owner: Name = variable(
        shipped="stellar-etl",
        description="who owns the tasks, in Airflow's lists",
        when="another team looks after the DAGs; takes effect when the DAG files are read again",
    )


class EnvironmentSettings(SettingsGroup):
    """Which deployment this is."""

    environment: str = variable(
        shipped="",
        description="this deployment's name, as labels of jobs and pods have it; empty: they have none",
        when="several environments share a project or a cluster, and costs are to be told apart",
    )


class TimeoutSettings(SettingsGroup):
    """How long tasks may run."""

    task_timeout: dict[str, Annotated[int, Field(gt=0)]] = variable(
        description="seconds that a task may run, by builder",
        when="intervals are longer, and exports or merges take their time",
        shipped=lambda: TASK_TIMEOUTS,
    )
