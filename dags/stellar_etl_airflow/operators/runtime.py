"""What a task finds when it runs: its Variables, its run's range, what the tasks before it left.

The Airflow edge that all our operators share. Nothing here is called while a DAG file is parsed.
"""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from airflow.sdk import Context, Variable
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from stellar_etl_airflow.model.batch import Batch, ExportAttempt
from stellar_etl_airflow.model.costs import Usage, cost_labels
from stellar_etl_airflow.model.deployment import deployment_name
from stellar_etl_airflow.model.ranges import (
    CHECKPOINT_PARAM,
    RANGE_PARAMS,
    LedgerRange,
    RangeError,
    TimeRange,
    asked_range,
)
from stellar_etl_airflow.model.schedule import loaded_by_run
from stellar_etl_airflow.operators.lineage import ReportsLineage
from stellar_etl_airflow.settings.base import Group, SettingsError
from stellar_etl_airflow.settings.parsing import MissingError, load
from stellar_etl_airflow.settings.pods import GoogleSettings
from stellar_etl_airflow.settings.runs import EnvironmentSettings, TimeoutSettings

GOOGLE_CONNECTION = "google_cloud_platform_connection"
"""The one Google connection of the project."""

TIME_TASK = "get_ledger_range_from_times"
EXPORT_TASK = "export"
VERIFY_TASK = "verify_export"
SOURCES_TASK = "check_sources"

TYPES_KEY = "types"
"""The key under which the result of a task that chooses ledgers may name the types to export."""

SCHEDULED = "scheduled"
"""The type of the runs that the schedule makes, as they fall due or to catch up; backfills have one of their own."""

ATTEMPT_KEY = "attempt"
"""The XCom key under which the export task leaves its `ExportAttempt`."""


def _variable(key: str) -> Any:
    return Variable.get(key, default=None)


def settings(group: type[Group]) -> Group:
    """One group of Airflow Variables, read now.

    Raises:
        SettingsError: naming the keys that are missing, could not be read or are wrong. Airflow retries the task: the
            SDK gives None for a Variable that it could not read (https://github.com/apache/airflow/issues/71307).
    """
    try:
        return load(group, _variable)
    except MissingError as error:
        raise SettingsError(f"{error} If it is set, Airflow could not read it: the next try reads it again.") from None


def task_labels(context: Context, **parts: str) -> dict[str, str]:
    """The labels of a task's resources and jobs, by which costs are separated.

    Args:
        context: the task's context.
        parts: what else is known, such as `table`.
    """
    ti = context["ti"]
    return cost_labels(dag=ti.dag_id, task=ti.task_id, environment=settings(EnvironmentSettings).environment, **parts)


def this_deployment() -> str:
    """This deployment, as the label of the datasets that it writes names it."""
    return deployment_name(settings(EnvironmentSettings).environment, os.environ)


def _check_names(params: Mapping[str, Any]) -> None:
    """Refuses a param that looks misspelt: the run would load its interval in place of the range."""
    for name in sorted(set(params) - {*RANGE_PARAMS, CHECKPOINT_PARAM}):
        if close := difflib.get_close_matches(name, RANGE_PARAMS, n=1):
            raise RangeError(f"there is no param {name!r}; did you mean {close[0]!r}?")


@dataclass(frozen=True)
class Run:
    """The DAG run that a task belongs to."""

    dag_id: str
    run_id: str
    task_id: str
    asked: TimeRange | LedgerRange
    run_after: datetime

    @classmethod
    def of(cls, context: Context) -> Run:
        """Read it from the task's context.

        Raises:
            AirflowFailException: the run's params don't say a range; no retry would find another.
        """
        dag_run, params = context["dag_run"], context.get("params") or {}
        try:
            _check_names(params)
            asked = asked_range(params, loaded_by_run(dag_run.data_interval_start, dag_run.data_interval_end))
        except RangeError as error:
            raise AirflowFailException(str(error)) from None
        return cls(
            dag_id=dag_run.dag_id,
            run_id=dag_run.run_id,
            task_id=context["ti"].task_id,
            asked=asked,
            run_after=dag_run.run_after,
        )

    @property
    def batch_run_date(self) -> str:
        """The column's value in exported files: UTC start of the asked times.

        A run by ledgers has only the time it was due: when its ledgers closed, `batch_run_date_of` knows.
        """
        start = self.asked.start if isinstance(self.asked, TimeRange) else self.run_after
        return f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


USAGE_KEY = "usage"
"""The XCom key under which a task notes what its pods used, as `Usage`."""

PUBLISHED_ATTEMPT = "attempt"
"""The key under which the result of a merge names the export attempt whose rows it published."""


def find_result(context: Context, task_id: str, key: str = "return_value") -> Mapping[str, Any] | None:
    """What another task of this run left under a key; None if it left nothing."""
    value = context["ti"].xcom_pull(task_ids=task_id, key=key)
    return value if isinstance(value, Mapping) else None


def usage_of(context: Context, task_id: str) -> Usage:
    """What the pods of a task of this run used; nothing if it noted nothing."""
    return Usage(**(find_result(context, task_id, USAGE_KEY) or {}))


def pull_result(context: Context, task_id: str, key: str = "return_value") -> Mapping[str, Any]:
    """What another task of this run left under a key.

    Raises:
        AirflowException: nothing, naming the task, and the command that runs it alone.
    """
    ti, value = context["ti"], find_result(context, task_id, key)
    if value is None:
        command = shlex.join(["airflow", "tasks", "test", ti.dag_id, task_id, ti.run_id])
        raise AirflowException(
            f"task {task_id!r} left no result in this run: clear it together with this task; "
            f"or, in a run that `airflow dags trigger` made, run it by hand first: {command}"
        )
    return value


def ledgers_of(context: Context) -> LedgerRange:
    """The ledgers of this run: those it was asked for, or those that the time task found."""
    asked = Run.of(context).asked
    return asked if isinstance(asked, LedgerRange) else LedgerRange.from_half_open(pull_result(context, TIME_TASK))


def attempt_of(context: Context) -> ExportAttempt:
    """The export attempt whose files are this run's."""
    return ExportAttempt.from_json(pull_result(context, EXPORT_TASK, ATTEMPT_KEY))


def batch_of(context: Context) -> Batch:
    """The verified export of this run, or the ledgers from which it derives rows."""
    if (batch := find_batch(context)) is None:
        return Batch.from_json(pull_result(context, VERIFY_TASK))
    return batch


def find_batch(context: Context) -> Batch | None:
    """The verified export of this run, or the ledgers from which it derives rows; None if it has neither."""
    if exported := find_result(context, VERIFY_TASK):
        return Batch.from_json(exported)
    derived = find_result(context, SOURCES_TASK)
    return Batch.from_json(derived["batch"]) if derived else None


def batch_run_date_of(context: Context) -> str:
    """The column's value in published rows: UTC start of the asked times, or the first close time of asked ledgers.

    It is the same at each try, and near the ledgers: those who read what came lately find repaired rows too.
    """
    run = Run.of(context)
    if isinstance(run.asked, TimeRange):
        return run.batch_run_date
    first_closed_at = datetime.fromisoformat(batch_of(context).first_closed_at)
    return f"{first_closed_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def _use_key(path: str) -> None:
    """Let Google's clients of this process, which runs one task, use a key file if the connection names none.

    Raises:
        SettingsError: there is no such file.
    """
    if not path:
        return
    if not Path(path).is_file():
        raise SettingsError(f"Airflow Variable 'api_key_path': this worker has no file {path!r}")
    os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = path


class SettingsAtRunTime(ReportsLineage):
    """Sets an operator's settings right before it runs, also when it resumes after a deferral.

    A mixin, to stand before the operator's class. `builder` is the key of `task_timeout`.
    """

    builder: ClassVar[str]
    execution_timeout: timedelta | None

    def pre_execute(self, context: Context) -> None:
        """Set the time-out that the Variable gives, then whatever else the operator applies."""
        seconds = settings(TimeoutSettings).task_timeout.get(self.builder)
        if seconds is not None:
            self.execution_timeout = timedelta(seconds=seconds)
        _use_key(settings(GoogleSettings).api_key_path)
        self.apply_settings(context)

    def apply_settings(self, context: Context) -> None:
        """Apply the operator's own settings; nothing by default."""
