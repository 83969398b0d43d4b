"""Common arguments, schedules and params of all DAGs, all fixed while Airflow parses a file.

Schedules come from environment variables of the Airflow processes, so that one set of DAG files serves every
deployment. Parsing reads only one Variable, the owner's name.
"""

from __future__ import annotations

import hashlib
import logging
import os
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import airflow
from airflow.sdk import (  # type: ignore[attr-defined]  # its stub lacks the classes for deadlines
    AsyncCallback,
    CronTriggerTimetable,
    DeadlineAlert,
    DeadlineReference,
    Param,
)

from stellar_etl_airflow.model.ranges import LAST_LEDGER, parse_utc
from stellar_etl_airflow.model.schedule import mark_of, period_of
from stellar_etl_airflow.model.tables import DERIVED, LOADING_DAGS
from stellar_etl_airflow.operators.alerts import report_deadline, report_failure
from stellar_etl_airflow.operators.runtime import settings
from stellar_etl_airflow.settings.base import shipped_value
from stellar_etl_airflow.settings.runs import OwnerSettings

log = logging.getLogger(__name__)

SCHEDULE = "STELLAR_ETL_SCHEDULE"
COVERAGE_SCHEDULE = "STELLAR_ETL_COVERAGE_SCHEDULE"
FOLD_SCHEDULE = "STELLAR_ETL_FOLD_SCHEDULE"
AUDIT_SCHEDULE = "STELLAR_ETL_AUDIT_SCHEDULE"
LEDGER_AUDIT_SCHEDULE = "STELLAR_ETL_LEDGER_AUDIT_SCHEDULE"
ALERT_SCHEDULE = "STELLAR_ETL_ALERT_SCHEDULE"
START_DATE = "STELLAR_ETL_START_DATE"
END_DATE = "STELLAR_ETL_END_DATE"
CATCHUP = "STELLAR_ETL_CATCHUP"
ACTIVE_RUNS = "STELLAR_ETL_ACTIVE_RUNS"
DEADLINE = "STELLAR_ETL_DEADLINE_SECONDS"
ALERTS = "alerts"
"""The DAG that sends alerts to Slack and email."""

DEFAULT_SCHEDULES = {
    SCHEDULE: "*/10 * * * *",
    COVERAGE_SCHEDULE: "35 * * * *",
    FOLD_SCHEDULE: "15 * * * *",
    AUDIT_SCHEDULE: "45 4 * * 0",
    LEDGER_AUDIT_SCHEDULE: "25 * * * *",
    ALERT_SCHEDULE: "*/5 * * * *",
}
"""Default schedules by environment variable."""
DEFAULT_START = datetime(2026, 1, 1, tzinfo=UTC)
DEFAULT_DEADLINE_SECONDS = 7200

TASK_TIMEOUT = timedelta(days=1)
"""Timeout of a try if the Variable `task_timeout` has none for its builder, so that no task hangs forever."""


def _moment(name: str) -> datetime | None:
    text = os.environ.get(name)
    return parse_utc(f"environment variable {name}", text) if text else None


@cache
def _owner() -> str:
    """Return the Variable `owner`. Airflow reads the owner from the DAG file, before any task runs.

    It is read once per process, which parses one DAG file.
    """
    try:
        return settings(OwnerSettings).owner
    except Exception as error:  # a DAG must import even if the Variable cannot be read
        owner = str(shipped_value(OwnerSettings.model_fields["owner"]))
        log.warning("Airflow Variable 'owner' can't be read; using %s: %s", owner, error)
        return owner


def get_default_dag_args() -> dict[str, Any]:
    """Return `default_args` of every DAG: owner, retries and their delays, timeout, and alerts about failures."""
    return {
        "owner": _owner(),
        "on_failure_callback": report_failure,
        "depends_on_past": False,
        "retries": 5,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": TASK_TIMEOUT,
    }


@cache
def _version() -> str:
    """Return a hash of the code of these DAGs, their environment variables and Airflow's version.

    Airflow 3.3.1 ties a deadline to the DAG version that first had it, and looks for deadlines of the version of the
    run. If a deadline stays the same, it stays with the older version, and runs of the newer version have none
    (`SerializedDagModel._try_reuse_deadline_uuids`, `SerializedDAG._process_dagrun_deadline_alerts`). With this hash,
    the deadline is different in each version. It is computed once per process, which parses one DAG file.
    """
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256(f"{airflow.__version__} {_owner()}".encode())
    for name, value in sorted(os.environ.items()):
        if name.startswith("STELLAR_ETL_"):
            digest.update(f"\n{name}={value}".encode())
    for file in sorted([*package.rglob("*.py"), *package.parent.glob("*_dag.py")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _deadline() -> DeadlineAlert | None:
    """Return the deadline of a run, counted from its logical date, which is when it is due; None for no deadline.

    The deadline does not count from when the run was queued: with such a deadline, tasks of the run cannot be cleared
    in Airflow 3.3.1 (https://github.com/apache/airflow/issues/70368). Manual runs have no logical date and no deadline.

    The interval is an environment variable, not an Airflow Variable. Airflow reads a `VariableInterval` while it
    creates a run. If the Variable is missing, or is 0 for no deadline, no run is created, and the scheduler of Airflow
    3.3.1 fails repeatedly (https://github.com/apache/airflow/pull/68917).
    """
    text = os.environ.get(DEADLINE) or str(DEFAULT_DEADLINE_SECONDS)
    if not text.isdecimal():
        raise ValueError(f"environment variable {DEADLINE}: {text!r} is not a number of seconds; 0 is no deadline")
    if not int(text):
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
        interval=timedelta(seconds=int(text)),
        callback=AsyncCallback(report_deadline, {"version": _version()}),
    )


def _schedule(name: str) -> tuple[str, timedelta]:
    """Return a cron expression from the environment, and the longest time between two of its ticks."""
    cron = os.environ.get(name) or DEFAULT_SCHEDULES[name]
    try:
        return cron, period_of(cron)
    except ValueError as error:
        raise ValueError(f"environment variable {name}: {error}") from None


def get_schedule(name: str, *, exports: bool = False) -> CronTriggerTimetable:
    """Return the schedule of a DAG that does not load its data interval.

    Args:
        name: the environment variable.
        exports: whether its runs export; such runs need a data interval, like those of loading DAGs.

    Raises:
        ValueError: the schedule is invalid; the message names the environment variable.
    """
    cron, period = _schedule(name)
    return CronTriggerTimetable(cron, timezone="UTC", interval=mark_of(period) if exports else timedelta())


def get_period(name: str) -> timedelta:
    """Return the longest time between two runs of the schedule in an environment variable."""
    return _schedule(name)[1]


def get_periods() -> dict[str, timedelta]:
    """Return the longest time between two runs of each DAG that is monitored for missing runs."""
    deriving = [table.dag_id for table in DERIVED.values()]
    loading = dict.fromkeys([*LOADING_DAGS, *deriving], _schedule(SCHEDULE)[1])
    return {**loading, ALERTS: _schedule(ALERT_SCHEDULE)[1]}


def get_schedule_args() -> dict[str, Any]:
    """Return the schedule arguments of the loading DAGs, all from the environment.

    `STELLAR_ETL_SCHEDULE` is a cron expression (default: every ten minutes). Loaded history begins at
    `STELLAR_ETL_START_DATE`; the schedule ends at `STELLAR_ETL_END_DATE`. `STELLAR_ETL_CATCHUP=false` skips intervals
    that passed while the DAG was paused. `STELLAR_ETL_ACTIVE_RUNS` limits the active runs per DAG (default: 3). A run
    that is not done `STELLAR_ETL_DEADLINE_SECONDS` after it was due is reported (default: 7200; 0: never).
    `model.schedule` describes what a run loads, and why the schedule can be changed at any time.

    The DAGs are created paused, whatever Airflow's configuration says: a new deployment loads nothing until a user
    unpauses them.

    Raises:
        ValueError: a value is invalid; the message names the environment variable.
    """
    cron, period = _schedule(SCHEDULE)
    return {
        "schedule": CronTriggerTimetable(cron, timezone="UTC", interval=mark_of(period)),
        # A run is due at the end of its period, so there is no run at the start itself.
        "start_date": (_moment(START_DATE) or DEFAULT_START) + timedelta(seconds=1),
        # Airflow skips all tasks of a manual run with a later logical date, and the empty run succeeds.
        "end_date": _moment(END_DATE),
        "catchup": (os.environ.get(CATCHUP) or "true").lower() not in ("false", "0", "no"),
        "max_active_runs": int(os.environ.get(ACTIVE_RUNS) or 3),
        "deadline": _deadline(),
        "is_paused_upon_creation": True,
    }


_MOMENT = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:?\d{2})$"
"""A time with its time zone. Airflow does not validate `date-time`; the format only shows a calendar in the UI."""


def get_ledger_param(description: str, *, minimum: int = 1) -> Param:
    """Return an optional param for a ledger.

    Args:
        description: which ledger.
        minimum: the lowest valid ledger.
    """
    return Param(None, type=["null", "integer"], minimum=minimum, maximum=LAST_LEDGER, description=description)


def get_range_params() -> dict[str, Param]:
    """Return the params for a range that a run loads instead of its data interval."""
    return {
        "start_time": Param(
            None,
            type=["null", "string"],
            format="date-time",
            pattern=_MOMENT,
            description="load ledgers that closed at this time or later, such as 2026-01-01T00:10:00Z",
        ),
        "end_time": Param(
            None,
            type=["null", "string"],
            format="date-time",
            pattern=_MOMENT,
            description="load ledgers that closed before this time, such as 2026-01-01T00:20:00Z",
        ),
        "start_ledger": get_ledger_param("the first ledger to load, instead of times"),
        "end_ledger": get_ledger_param("the last ledger to load"),
    }
