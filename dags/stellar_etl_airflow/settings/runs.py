"""Variables of runs: waiting, time-outs, coverage, and the deployment that they belong to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stellar_etl_airflow.settings.base import Name, SettingsGroup


class WaitSettings(SettingsGroup):
    """How long the network is waited for."""

    ledger_wait_timeout: int = Field(
        default=3600, ge=0, description="seconds that a task waits for ledgers that have not closed, before it fails"
    )
    # If a rescheduled task starts again before the scheduler heard that its process had ended, it passes for one that
    # was killed, and the try is lost: seen with 2 seconds, and Airflow too advises a minute.
    ledger_wait_interval: Annotated[int, Field(ge=10)] = Field(
        default=60, description="seconds from one look for ledgers that have not closed to the next, at least 10"
    )


class DelaySettings(SettingsGroup):
    """When the scheduled runs of a DAG begin their work."""

    start_delay: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="seconds that the schedule's runs of a DAG wait before they begin, by DAG"
    )


class CoverageSettings(SettingsGroup):
    """How loaded history is looked over."""

    coverage_days: int = Field(
        default=7, ge=0, description="days before the newest ledger that each look takes in; 0: all loaded history"
    )
    coverage_auto_heal: bool = Field(default=False, description="whether what is wrong is loaded again at once")
    coverage_alert_lag: int = Field(
        default=3600, ge=0, description="seconds that a table may be behind the network before a look fails; 0: any"
    )


class OwnerSettings(SettingsGroup):
    """Who the DAGs belong to: the one group that is read while a DAG file is parsed."""

    owner: Name = Field(default="stellar-etl", description="who owns the tasks, in Airflow's lists")


class EnvironmentSettings(SettingsGroup):
    """Which deployment this is."""

    environment: str = Field(
        default="", description="this deployment's name, as labels of jobs and pods have it; empty: they have none"
    )


class TimeoutSettings(SettingsGroup):
    """How long tasks may run."""

    task_timeout: dict[str, Annotated[int, Field(gt=0)]] = Field(
        default_factory=dict, description="seconds that a task may run, by builder"
    )
