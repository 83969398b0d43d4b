"""What all DAGs share: arguments, schedule, params. All of it is fixed while a file is parsed.

The schedule comes from the environment of the Airflow processes, so that one set of DAG files serves every
deployment and importing them touches nothing else.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param

SCHEDULE = "STELLAR_ETL_SCHEDULE"
START_DATE = "STELLAR_ETL_START_DATE"
END_DATE = "STELLAR_ETL_END_DATE"
CATCHUP = "STELLAR_ETL_CATCHUP"

DEFAULT_SCHEDULE = "*/10 * * * *"
DEFAULT_START = datetime(2026, 1, 1, tzinfo=UTC)


def _moment(name: str) -> datetime | None:
    text = os.environ.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"environment variable {name}: {text!r} is not a time like 2026-01-01T00:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"environment variable {name}: {text!r} has no time zone; write it like 2026-01-01T00:00:00Z")
    return moment.astimezone(UTC)


def get_default_dag_args() -> dict[str, Any]:
    """`default_args` of every DAG: owner, retries and their pace."""
    return {
        "owner": "stellar-etl",
        "depends_on_past": False,
        "retries": 5,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=10),
    }


def get_schedule_args() -> dict[str, Any]:
    """When a data DAG runs: schedule, start, end and catch-up, from the environment.

    `STELLAR_ETL_SCHEDULE` is a cron expression (every ten minutes by default), `STELLAR_ETL_START_DATE` and
    `STELLAR_ETL_END_DATE` bound the data intervals, `STELLAR_ETL_CATCHUP=false` leaves intervals out that passed while
    the DAG was paused.

    Raises:
        ValueError: a value can't be read; it names the environment variable.
    """
    return {
        # A cron string alone would give intervals of length zero in Airflow 3.
        "schedule": CronDataIntervalTimetable(os.environ.get(SCHEDULE) or DEFAULT_SCHEDULE, timezone="UTC"),
        "start_date": _moment(START_DATE) or DEFAULT_START,
        "end_date": _moment(END_DATE),
        "catchup": (os.environ.get(CATCHUP) or "true").lower() not in ("false", "0", "no"),
        "max_active_runs": 3,
    }


def get_range_params() -> dict[str, Param]:
    """The params by which a run is asked for a range of its own, in place of its data interval."""
    return {
        "start_time": Param(
            None,
            type=["null", "string"],
            format="date-time",
            description="load ledgers that closed from here on",
        ),
        "end_time": Param(
            None,
            type=["null", "string"],
            format="date-time",
            description="load ledgers that closed before this",
        ),
        "start_ledger": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            description="the first ledger to load, in place of times",
        ),
        "end_ledger": Param(None, type=["null", "integer"], minimum=1, description="the last ledger to load"),
    }
