"""Wait for another DAG's run of the same tick of the schedule."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import Context

from stellar_etl_airflow.model.ranges import has_range_params
from stellar_etl_airflow.operators.runtime import SCHEDULED

WAIT = timedelta(days=1)
POLL_SECONDS = 10


class CrossDependencySensor(ExternalTaskSensor):
    """Waits, without a worker slot, until the other DAG's run of this logical date has succeeded.

    A run with its own range has no counterpart: it proceeds, and the next task checks the tables. A scheduled run
    also proceeds if the other DAG skips its logical date. This happens if that DAG lagged behind when the schedule
    changed: a run of the new schedule then loads this time.
    """

    def execute(self, context: Context) -> None:
        """Wait, or proceed."""
        if has_range_params(context.get("params") or {}):
            self.log.info(
                "this run has its own range: not waiting for %s, the next task checks the tables", self.external_dag_id
            )
            return
        if self._has_no_counterpart(context):
            self.log.info("%s has a later run next: not waiting, the next task checks the tables", self.external_dag_id)
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
    """Return a task that waits for another DAG's run of the same interval, and fails if that run failed."""
    return CrossDependencySensor(
        task_id=f"wait_for_{dag_id}",
        external_dag_id=dag_id,
        allowed_states=["success"],
        failed_states=["failed"],
        deferrable=True,
        poke_interval=POLL_SECONDS,
        timeout=WAIT.total_seconds(),
    )
