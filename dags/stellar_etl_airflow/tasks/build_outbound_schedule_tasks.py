"""Plan outbound exports by their declared schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException
from croniter import croniter

from stellar_etl_airflow.model.schedule import loaded_by_run
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.outbound import declared, find_declaration
from stellar_etl_airflow.tasks.build_trigger_tasks import PlannedRun, run_of

EXPORT_DAG = "outbound_export"


def due(schedule: str, start: datetime, end: datetime) -> datetime | None:
    """Return the latest time of a schedule after `start` and up to `end`; None if there is none."""
    latest: datetime = croniter(schedule, end, ret_type=datetime, expand_from_start_time=False).get_prev()
    if croniter.match(schedule, end):
        latest = end.replace(second=0, microsecond=0)
    return latest if start < latest <= end else None


class PlanExportsOperator(BaseOperator):
    """Plans a run per export that became due in the run's data interval."""

    def execute(self, context: Context) -> dict[str, list[PlannedRun]]:
        """Return the planned runs.

        Raises:
            AirflowFailException: a declaration is invalid.
        """
        dag_run: Any = context["dag_run"]
        period = loaded_by_run(dag_run.data_interval_start, dag_run.data_interval_end)
        runs = []
        for name in declared():
            try:
                schedule = find_declaration(name).schedule
            except SettingsError as error:
                raise AirflowFailException(str(error)) from None
            if period and schedule and (at := due(schedule, period.start, period.end)) is not None:
                runs.append(run_of("schedule", EXPORT_DAG, f"{name}-{at:%Y%m%dT%H%M%SZ}", {"export": name}))
        return {"exports": runs}


def build_plan_exports_task() -> PlanExportsOperator:
    """Return the task that plans the runs of due exports."""
    return PlanExportsOperator(task_id="plan")
