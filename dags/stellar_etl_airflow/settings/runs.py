"""Variables of runs: waiting, time-outs, coverage, and the deployment that they belong to."""

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
"""Seconds by builder, as `airflow_variables.json` ships them: the keys that `task_timeout` may have."""

START_DELAYS = {WITH_CAPTIVE_CORE: 60, STATE_TABLES: 180}
"""Seconds by DAG, as `airflow_variables.json` ships them."""


class WaitSettings(SettingsGroup):
    """How long the network is waited for."""

    ledger_wait_timeout: int = variable(
        shipped=3600,
        ge=0,
        description="seconds that a task waits for ledgers that have not closed, before it fails",
        when="a stalled network or lake must be reported sooner, or later",
    )
    # If a rescheduled task starts again before the scheduler heard that its process had ended, it passes for one that
    # was killed, and the try is lost: seen with 2 seconds, and Airflow too advises a minute.
    ledger_wait_interval: Annotated[int, Field(ge=10)] = variable(
        shipped=60,
        description="seconds between two checks for ledgers that have not closed, at least 10",
        when="ledgers must be loaded sooner",
    )


class DelaySettings(SettingsGroup):
    """When the scheduled runs of a DAG begin their work."""

    start_delay: dict[str, Annotated[int, Field(ge=0)]] = variable(
        description="seconds by which scheduled runs are delayed, by DAG",
        when="pods of several DAGs must not all start at once, or may; what a person or a backfill starts is never "
        "delayed",
        shipped=lambda: START_DELAYS,
    )


class CoverageSettings(SettingsGroup):
    """The coverage checks of loaded history."""

    coverage_days: int = variable(
        shipped=7,
        ge=0,
        description="days of rows that each coverage check reads, up to the newest; 0: all; loads are always checked",
        when="coverage checks cost too much, or must reach back further",
    )
    coverage_auto_heal: bool = variable(
        shipped=False,
        description="whether missing and wrong ledgers are loaded again at once",
        when="gaps must be closed automatically",
    )
    coverage_alert_lag: int = variable(
        shipped=3600,
        ge=0,
        description="seconds that a table may be behind the network before a coverage check fails; 0: any",
        when="a table may be later than that, or must not",
    )


MOST_AUDITED = 5000
"""How many ledgers an audit compares at most: about eight hours of the public network."""


class AuditSettings(SettingsGroup):
    """How many ledgers are audited."""

    audit_ledgers: int = variable(
        shipped=60,
        ge=1,
        le=MOST_AUDITED,
        description=f"ledgers that each run of `ledger_audit` exports again and compares row by row, at most "
        f"{MOST_AUDITED}; how many runs there are, the schedule says",
        when="audits are to find damage with a higher probability, which their report states, or cost less",
    )


class FoldSettings(SettingsGroup):
    """When changes of ledger entries are folded into versions."""

    state_tail_hours: int = variable(
        shipped=24,
        ge=1,
        description="hours of changes that the point-in-time views may read from a change log before the DAG "
        "`state_fold` folds them",
        when="queries of the views cost too much: fewer; folds cost too much: more",
    )


class OwnerSettings(SettingsGroup):
    """Who the DAGs belong to: the one group that is read while a DAG file is parsed."""

    owner: Name = variable(
        shipped="stellar-etl",
        description="the owner of the tasks in Airflow's UI",
        when="another team operates the DAGs; takes effect when the DAG files are read again",
    )


class EnvironmentSettings(SettingsGroup):
    """Which deployment this is."""

    environment: str = variable(
        shipped="",
        description="this deployment's name, in labels of jobs, pods and datasets; empty: jobs and pods have none",
        when="several environments share a project or a cluster, and costs must be separated; then the datasets "
        "must be labelled again",
    )


class TimeoutSettings(SettingsGroup):
    """How long tasks may run."""

    task_timeout: dict[str, Annotated[int, Field(gt=0)]] = variable(
        description="seconds that a task may run, by builder",
        when="intervals are longer, and exports or merges take their time",
        shipped=lambda: TASK_TIMEOUTS,
    )
