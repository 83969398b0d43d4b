"""Waits for another DAG's run of the same tick of the schedule."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import Context

from stellar_etl_airflow.model.ranges import has_range_params
from stellar_etl_airflow.operators.runtime import SCHEDULED

WAIT = timedelta(days=1)
POLL_SECONDS = 10


class CrossDependencySensor(ExternalTaskSensor):
    """Waits, without holding a slot, until the other DAG's run of this logical date has succeeded.

    A run for a range of its own has no such counterpart: it goes on, and the task after it looks into the tables. So
    does a scheduled run whose counterpart will not be made: the other DAG was behind when the schedule changed, and
    loads this time by a run of the new schedule.
    """

    def execute(self, context: Context) -> None:
        """Wait, or go on."""
        if has_range_params(context.get("params") or {}):
            self.log.info("this run has a range of its own: the tables are looked at, not %s", self.external_dag_id)
            return
        if self._has_no_counterpart(context):
            self.log.info("%s goes on with a later run: the tables are looked at", self.external_dag_id)
            return
        super().execute(context)

    def _has_no_counterpart(self, context: Context) -> bool:
        ti, run = context["ti"], context["dag_run"]
        date = run.logical_date
        if run.run_type != SCHEDULED or date is None or ti.get_dr_count(self.external_dag_id, logical_dates=[date]):
            return False
        planned = ti.get_dag(self.external_dag_id).next_dagrun
        return planned is not None and planned > date


def build_cross_dependency_task(dag_id: str) -> CrossDependencySensor:
    """A task that waits for another DAG's run of the same interval; it fails if that run failed."""
    return CrossDependencySensor(
        task_id=f"wait_for_{dag_id}",
        external_dag_id=dag_id,
        allowed_states=["success"],
        failed_states=["failed"],
        deferrable=True,
        poke_interval=POLL_SECONDS,
        timeout=WAIT.total_seconds(),
    )
