"""The context of a running task: its Variables, its run's range, and the results of earlier tasks.

All our operators use this module. Nothing in it is called while Airflow parses a DAG file.
"""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, cast

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
    requested_range,
)
from stellar_etl_airflow.model.schedule import loaded_by_run
from stellar_etl_airflow.operators.lineage import ReportsLineage
from stellar_etl_airflow.settings.base import Group, SettingsError
from stellar_etl_airflow.settings.parsing import READ_AGAIN, MissingError, load, read
from stellar_etl_airflow.settings.pods import GoogleSettings
from stellar_etl_airflow.settings.runs import EnvironmentSettings, TimeoutSettings

GOOGLE_CONNECTION = "google_cloud_platform_connection"
"""The only Google connection of the project."""

TIME_TASK = "get_ledger_range_from_times"
EXPORT_TASK = "export"
VERIFY_TASK = "verify_export"
SOURCES_TASK = "check_sources"

TYPES_KEY = "types"
"""The key of the types to export in the result of a task that chooses ledgers."""

SCHEDULED = "scheduled"
"""The type of runs that the schedule creates, including catch-up; backfill runs have another type."""

ATTEMPT_KEY = "attempt"
"""The XCom key of the export task's `ExportAttempt`."""


_read: dict[str, Any] | None = None
"""The Variables that the task of this process has read in this try; None in a process without a task."""


def begin_try() -> None:
    """Forget the Variables of an earlier try: within a try each Variable is read once and keeps its value."""
    global _read
    _read = {}


def _variable(key: str) -> Any:
    if _read is None:
        return Variable.get(key, default=None)
    if _read.get(key) is None:  # a failed read also returns None, and is repeated
        _read[key] = Variable.get(key, default=None)
    return _read[key]


def settings(group: type[Group]) -> Group:
    """Return one group of Airflow Variables. This try reads each Variable when it first uses it.

    Raises:
        SettingsError: a Variable is missing, unreadable or invalid; the message names it. The use of a Variable raises
            the same error. Airflow retries the task, because the SDK returns None for a Variable that it failed to read
            (https://github.com/apache/airflow/issues/71307).
    """
    return read(group, _variable)


def all_settings(group: type[Group]) -> Group:
    """Return one group of Airflow Variables after reading all of them.

    Raises:
        SettingsError: Variables are missing, unreadable or invalid; the message names each.
    """
    try:
        return load(group, _variable)
    except MissingError as error:
        raise SettingsError(f"{error} {READ_AGAIN}") from None


def task_labels(context: Context, **parts: str) -> dict[str, str]:
    """Return the labels of a task's resources and jobs, which separate costs.

    Args:
        context: the task's context.
        parts: further labels, such as `table`.
    """
    ti = context["ti"]
    return cost_labels(dag=ti.dag_id, task=ti.task_id, environment=settings(EnvironmentSettings).environment, **parts)


def this_deployment() -> str:
    """Return this deployment's value of the datasets' deployment label."""
    return deployment_name(settings(EnvironmentSettings).environment, os.environ)


def _check_names(params: Mapping[str, Any]) -> None:
    """Reject a param that looks misspelt: the run would load its interval instead of the range."""
    for name in sorted(set(params) - {*RANGE_PARAMS, CHECKPOINT_PARAM}):
        if close := difflib.get_close_matches(name, RANGE_PARAMS, n=1):
            raise RangeError(f"unknown param {name!r}; did you mean {close[0]!r}?")


@dataclass(frozen=True)
class Run:
    """The DAG run that a task belongs to."""

    dag_id: str
    run_id: str
    task_id: str
    requested: TimeRange | LedgerRange
    run_after: datetime

    @classmethod
    def of(cls, context: Context) -> Run:
        """Return the run of a task's context.

        Raises:
            AirflowFailException: the run's params are not a valid range. A retry would not change them.
        """
        dag_run, params = context["dag_run"], context.get("params") or {}
        try:
            _check_names(params)
            requested = requested_range(params, loaded_by_run(dag_run.data_interval_start, dag_run.data_interval_end))
        except RangeError as error:
            raise AirflowFailException(str(error)) from None
        return cls(
            dag_id=dag_run.dag_id,
            run_id=dag_run.run_id,
            task_id=context["ti"].task_id,
            requested=requested,
            run_after=dag_run.run_after,
        )

    @property
    def batch_run_date(self) -> str:
        """The column's value in exported files: the UTC start of the requested times.

        For a run by ledgers it is only when the run was due; `batch_run_date_of` knows when its ledgers closed.
        """
        start = self.requested.start if isinstance(self.requested, TimeRange) else self.run_after
        return f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


USAGE_KEY = "usage"
"""The XCom key of a task's pod usage, as `Usage`."""

PUBLISHED_ATTEMPT = "attempt"
"""The key of the published export attempt in the result of a merge."""


_RESULTS = "stellar_etl_results"
"""The key of the pulled XComs in a task's context, which lasts as long as the try."""


def find_result(context: Context, task_id: str, key: str = "return_value") -> Mapping[str, Any] | None:
    """Return the XCom of a task of this run; None if there is none.

    A try pulls each XCom of another task once.
    """
    ti, pulled = context["ti"], cast("dict[str, Any]", context).setdefault(_RESULTS, {})
    if task_id == ti.task_id or (task_id, key) not in pulled:
        pulled[task_id, key] = ti.xcom_pull(task_ids=task_id, key=key)
    value = pulled[task_id, key]
    return value if isinstance(value, Mapping) else None


def usage_of(context: Context, task_id: str) -> Usage:
    """Return the usage of the pods of a task of this run; zero if it stored none."""
    return Usage(**(find_result(context, task_id, USAGE_KEY) or {}))


def pull_result(context: Context, task_id: str, key: str = "return_value") -> Mapping[str, Any]:
    """Return the XCom of another task of this run.

    Raises:
        AirflowException: the task left no result; the message names the task and the command that runs it alone.
    """
    ti, value = context["ti"], find_result(context, task_id, key)
    if value is None:
        command = shlex.join(["airflow", "tasks", "test", ti.dag_id, task_id, ti.run_id])
        raise AirflowException(
            f"task {task_id!r} left no result in this run: clear it together with this task; or, in a manual run, run "
            f"the task alone first: {command}"
        )
    return value


def ledgers_of(context: Context) -> LedgerRange:
    """Return the ledgers of this run: those of its params, or those that the time task found."""
    requested = Run.of(context).requested
    return (
        requested if isinstance(requested, LedgerRange) else LedgerRange.from_half_open(pull_result(context, TIME_TASK))
    )


def attempt_of(context: Context) -> ExportAttempt:
    """Return the export attempt of this run's files."""
    return ExportAttempt.from_json(pull_result(context, EXPORT_TASK, ATTEMPT_KEY))


def batch_of(context: Context) -> Batch:
    """Return the verified export of this run, or the ledgers from which it derives rows."""
    if (batch := find_batch(context)) is None:
        return Batch.from_json(pull_result(context, VERIFY_TASK))
    return batch


def find_batch(context: Context) -> Batch | None:
    """Return the verified export of this run, or the ledgers from which it derives rows; None if it has neither."""
    if exported := find_result(context, VERIFY_TASK):
        return Batch.from_json(exported)
    derived = find_result(context, SOURCES_TASK)
    return Batch.from_json(derived["batch"]) if derived else None


def batch_run_date_of(context: Context) -> str:
    """Return the column's value in published rows: the UTC start of the requested times, or the first close time.

    The value is the same for each try and close to the ledgers' times, so that queries of recent rows also find
    repaired rows.
    """
    run = Run.of(context)
    if isinstance(run.requested, TimeRange):
        return run.batch_run_date
    first_closed_at = datetime.fromisoformat(batch_of(context).first_closed_at)
    return f"{first_closed_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def _use_key(path: str) -> None:
    """Let Google's clients of this process, which runs one task, use a key file if the connection has none.

    Raises:
        SettingsError: the file does not exist.
    """
    if not path:
        return
    if not Path(path).is_file():
        raise SettingsError(f"Airflow Variable 'api_key_path': this worker has no file {path!r}")
    os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = path


class SettingsAtRunTime(ReportsLineage):
    """Applies an operator's settings directly before it runs, also when it resumes after a deferral.

    A mixin; place it before the operator's class. `builder` is the key of `task_timeout`.
    """

    builder: ClassVar[str]
    execution_timeout: timedelta | None

    def pre_execute(self, context: Context) -> None:
        """Set the timeout of the Variable, then apply the operator's other settings."""
        begin_try()
        seconds = settings(TimeoutSettings).task_timeout.get(self.builder)
        if seconds is not None:
            self.execution_timeout = timedelta(seconds=seconds)
        _use_key(settings(GoogleSettings).api_key_path)
        self.apply_settings(context)

    def apply_settings(self, context: Context) -> None:
        """Apply the operator's own settings; none by default."""
