"""What all DAGs share: arguments, schedule, params. All of it is fixed while a file is parsed.

The schedule comes from the environment of the Airflow processes, so that one set of DAG files serves every
deployment. Importing them touches nothing else but one Variable, the owner's name.
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
from airflow.sdk import (  # type: ignore[attr-defined]  # its stub lacks what deadlines need
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
"""The DAG that sends alerts to chat and email."""

DEFAULT_SCHEDULES = {
    SCHEDULE: "*/10 * * * *",
    COVERAGE_SCHEDULE: "35 * * * *",
    FOLD_SCHEDULE: "15 * * * *",
    AUDIT_SCHEDULE: "45 4 * * 0",
    LEDGER_AUDIT_SCHEDULE: "25 * * * *",
    ALERT_SCHEDULE: "*/5 * * * *",
}
"""By environment variable."""
DEFAULT_START = datetime(2026, 1, 1, tzinfo=UTC)
DEFAULT_DEADLINE_SECONDS = 7200

TASK_TIMEOUT = timedelta(days=1)
"""How long a try may take where the Variable `task_timeout` has nothing for its builder: no task hangs for ever."""


def _moment(name: str) -> datetime | None:
    text = os.environ.get(name)
    return parse_utc(f"environment variable {name}", text) if text else None


@cache
def _owner() -> str:
    """The Variable `owner`: Airflow takes it from the DAG file, so that it can't wait until a task runs.

    It is asked for once a process, which reads one DAG file.
    """
    try:
        return settings(OwnerSettings).owner
    except Exception as error:  # a DAG must import even if its owner's name can't be read
        owner = str(shipped_value(OwnerSettings.model_fields["owner"]))
        log.warning("Airflow Variable 'owner' can't be read, so that the owner is %s: %s", owner, error)
        return owner


def get_default_dag_args() -> dict[str, Any]:
    """`default_args` of every DAG: owner, retries and their delays, time-out, and alerts about failures."""
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


def _version() -> str:
    """Stands for whatever these DAGs are made of: it changes with their code, what they take from outside, and Airflow.

    Airflow 3.3.1 ties a deadline to the version of a DAG that first had it, and looks for one tied to the version that
    a run is made of. While a deadline stays the same, it stays with the older version, so that the runs of a newer one
    have none (`SerializedDagModel._try_reuse_deadline_uuids`, `SerializedDAG._process_dagrun_deadline_alerts`). So a
    deadline carries this, and is another one in each version.
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
    """By when a run has to be done, counted from its logical date, which is when it is due.

    Not from when it was queued: of a run with such a deadline no task can be cleared with Airflow 3.3.1
    (https://github.com/apache/airflow/issues/70368). So runs by params have none, for they have no logical date.

    The environment says it, not a Variable: `VariableInterval` is read while a run is made, and where the Variable is
    missing, or is 0 for no deadline, no run is made, and the scheduler of Airflow 3.3.1 ends with an error, again and
    again (https://github.com/apache/airflow/pull/68917).
    """
    text = os.environ.get(DEADLINE) or str(DEFAULT_DEADLINE_SECONDS)
    if not text.isdecimal():
        raise ValueError(f"environment variable {DEADLINE}: {text!r} is not a number of seconds; 0: no deadline")
    if not int(text):
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
        interval=timedelta(seconds=int(text)),
        callback=AsyncCallback(report_deadline, {"version": _version()}),
    )


def _schedule(name: str) -> tuple[str, timedelta]:
    """Return a cron expression of the environment, and the longest time between two of its ticks."""
    cron = os.environ.get(name) or DEFAULT_SCHEDULES[name]
    try:
        return cron, period_of(cron)
    except ValueError as error:
        raise ValueError(f"environment variable {name}: {error}") from None


def get_schedule(name: str, *, exports: bool = False) -> CronTriggerTimetable:
    """Return the schedule of a DAG that loads no interval.

    Args:
        name: the environment variable.
        exports: whether its runs export something: they have an interval then, as those of loading DAGs.

    Raises:
        ValueError: the schedule can't be read; it names the environment variable.
    """
    cron, period = _schedule(name)
    return CronTriggerTimetable(cron, timezone="UTC", interval=mark_of(period) if exports else timedelta())


def get_period(name: str) -> timedelta:
    """Return the longest time between two runs of a schedule, given by its environment variable."""
    return _schedule(name)[1]


def get_periods() -> dict[str, timedelta]:
    """Return the longest time between two runs of each DAG that must not stop, except the one that watches them."""
    deriving = [table.dag_id for table in DERIVED.values()]
    loading = dict.fromkeys([*LOADING_DAGS, *deriving], _schedule(SCHEDULE)[1])
    return {**loading, ALERTS: _schedule(ALERT_SCHEDULE)[1]}


def get_schedule_args() -> dict[str, Any]:
    """When a scheduled DAG runs, and by when a run has to be done: all of it from the environment.

    `STELLAR_ETL_SCHEDULE` is a cron expression (every ten minutes by default). `STELLAR_ETL_START_DATE` is where what
    is loaded begins, `STELLAR_ETL_END_DATE` where the schedule ends. `STELLAR_ETL_CATCHUP=false` leaves intervals out
    that passed while the DAG was paused. `STELLAR_ETL_ACTIVE_RUNS` is how many runs of a DAG there may be at a time
    (3). A run that is not done `STELLAR_ETL_DEADLINE_SECONDS` after it was due is reported (7200; 0: never).
    `model.schedule` says what a run loads, and why a DAG's schedule can be changed at any time.

    These DAGs are made paused, whatever the configuration of the host says: a new deployment loads nothing before
    somebody unpauses them.

    Raises:
        ValueError: a value can't be read; it names the environment variable.
    """
    cron, period = _schedule(SCHEDULE)
    return {
        "schedule": CronTriggerTimetable(cron, timezone="UTC", interval=mark_of(period)),
        # A run is due at the end of what it loads: none at the start itself.
        "start_date": (_moment(START_DATE) or DEFAULT_START) + timedelta(seconds=1),
        # Airflow leaves all tasks out of a manual run whose logical date is later, and the empty run succeeds.
        "end_date": _moment(END_DATE),
        "catchup": (os.environ.get(CATCHUP) or "true").lower() not in ("false", "0", "no"),
        "max_active_runs": int(os.environ.get(ACTIVE_RUNS) or 3),
        "deadline": _deadline(),
        "is_paused_upon_creation": True,
    }


_MOMENT = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:?\d{2})$"
"""A time with its zone. Airflow checks no `date-time` by itself: the format makes the UI's form show a calendar."""


def get_ledger_param(description: str, *, minimum: int = 1) -> Param:
    """A param that may name a ledger.

    Args:
        description: which ledger.
        minimum: the lowest that there can be.
    """
    return Param(None, type=["null", "integer"], minimum=minimum, maximum=LAST_LEDGER, description=description)


def get_range_params() -> dict[str, Param]:
    """The params by which a run is asked for a range of its own, in place of its data interval."""
    return {
        "start_time": Param(
            None,
            type=["null", "string"],
            format="date-time",
            pattern=_MOMENT,
            description="load ledgers that closed from here on, such as 2026-01-01T00:10:00Z",
        ),
        "end_time": Param(
            None,
            type=["null", "string"],
            format="date-time",
            pattern=_MOMENT,
            description="load ledgers that closed before this, such as 2026-01-01T00:20:00Z",
        ),
        "start_ledger": get_ledger_param("the first ledger to load, in place of times"),
        "end_ledger": get_ledger_param("the last ledger to load"),
    }
