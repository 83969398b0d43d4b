"""Variables of runs: waiting, timeouts, coverage checks, and the deployment's name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stellar_etl_airflow.model.tables import STATE_TABLES, WITH_CAPTIVE_CORE
from stellar_etl_airflow.settings.base import Name, SettingsGroup, variable

TASK_TIMEOUTS = {
    "build_apply_gcs_changes_to_bq_task": 1800,
    "build_audit_tasks": 7200,
    "build_backfill_tasks": 600,
    "build_batch_stats": 600,
    "build_bq_insert_job_task": 1800,
    "build_check_task": 600,
    "build_coverage_tasks": 3600,
    "build_dataset_reset_task": 7200,
    "build_dbt_task": 3600,
    "build_delete_data_task": 600,
    "build_export_task": 3600,
    "build_full_load_task": 7200,
    "build_gcs_to_bq_task": 1800,
    "build_ledger_audit_tasks": 3600,
    "build_outbound_job_tasks": 600,
    "build_outbound_tasks": 7200,
    "build_preflight_tasks": 1200,
    "build_state_fold_task": 7200,
    "build_state_rebuild_task": 7200,
    "build_time_task": 600,
    "build_verify_task": 600,
}
"""Seconds by builder, as `airflow_variables.json` ships them. `task_timeout` has these keys."""

START_DELAYS = {WITH_CAPTIVE_CORE: 60, STATE_TABLES: 180}
"""Seconds by DAG, as `airflow_variables.json` ships them."""


class WaitSettings(SettingsGroup):
    """Waiting for ledgers that have not closed."""

    ledger_wait_timeout: int = variable(
        shipped=3600,
        ge=0,
        description="maximum seconds that a task waits for ledgers that have not closed, before it fails",
        when="a stalled network or lake must be reported earlier or later",
    )
    # If a rescheduled task starts before the scheduler knows that its last process ended, the scheduler takes it for a
    # killed task and the try is lost. This happened with 2 seconds; Airflow recommends a minute.
    ledger_wait_interval: Annotated[int, Field(ge=10)] = variable(
        shipped=60,
        description="seconds between two checks for ledgers that have not closed, at least 10",
        when="ledgers must be loaded sooner",
    )


class DelaySettings(SettingsGroup):
    """Delays of scheduled runs."""

    start_delay: dict[str, Annotated[int, Field(ge=0)]] = variable(
        description="seconds by which scheduled runs are delayed, by DAG; manual runs and backfills are not delayed",
        when="pods of several DAGs must not start at the same time, or may",
        shipped=lambda: START_DELAYS,
    )


class CoverageSettings(SettingsGroup):
    """Coverage checks of loaded history."""

    coverage_days: int = variable(
        shipped=7,
        ge=0,
        description="days of rows that each coverage check reads, up to the latest; 0: all; loads are always checked",
        when="coverage checks cost too much, or must reach back further",
    )
    coverage_auto_heal: bool = variable(
        shipped=False,
        description="whether missing and wrong ledgers are reloaded automatically",
        when="gaps must be closed automatically",
    )
    coverage_alert_lag: int = variable(
        shipped=3600,
        ge=0,
        description="seconds that a table may lag behind the network before a coverage check fails; 0: no limit",
        when="a table may lag more, or must lag less",
    )


MOST_AUDITED = 5000
"""Maximum number of ledgers that an audit compares: about eight hours of the public network."""


class AuditSettings(SettingsGroup):
    """Audits of ledgers."""

    audit_ledgers: int = variable(
        shipped=60,
        ge=1,
        le=MOST_AUDITED,
        description=f"ledgers that each run of `ledger_audit` exports again and compares row by row, at most "
        f"{MOST_AUDITED}; `STELLAR_ETL_LEDGER_AUDIT_SCHEDULE` sets the number of runs",
        when="audits must find damage with a higher probability, which their report states, or must cost less",
    )


class FoldSettings(SettingsGroup):
    """Folding changes of ledger entries into versions."""

    state_tail_hours: int = variable(
        shipped=24,
        ge=1,
        description="hours of changes that the point-in-time views may read from a change log before the DAG "
        "`state_fold` folds them",
        when="queries of the views cost too much: decrease it; folds cost too much: increase it",
    )


class OwnerSettings(SettingsGroup):
    """The owner of the DAGs: the only group that is read while Airflow parses DAG files."""

    owner: Name = variable(
        shipped="stellar-etl",
        description="the owner of the tasks in Airflow's UI",
        when="another team operates the DAGs; takes effect when Airflow parses the DAG files again",
    )


class EnvironmentSettings(SettingsGroup):
    """The deployment's name."""

    environment: str = variable(
        shipped="",
        description="this deployment's name in labels of jobs, pods and datasets; empty: jobs and pods get no label",
        when="several environments share a project or a cluster and costs must be separated; relabel the datasets "
        "after a change",
    )


class TimeoutSettings(SettingsGroup):
    """Timeouts of tasks."""

    task_timeout: dict[str, Annotated[int, Field(gt=0)]] = variable(
        description="seconds that a task may run, by builder",
        when="intervals are longer, so that exports or merges take longer",
        shipped=lambda: TASK_TIMEOUTS,
    )
