"""The first task of a batch: find the ledgers that closed in the run's interval."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import Context

from stellar_etl_airflow.export.exports import network_arguments
from stellar_etl_airflow.model.lineage import Lineage, dataset_at
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.operators.pods import LAKE_VARIABLE, XCOM_FILE, StellarPodOperator
from stellar_etl_airflow.operators.runtime import SCHEDULED, TIME_TASK, Run, settings
from stellar_etl_airflow.settings.export import NetworkSettings
from stellar_etl_airflow.settings.runs import DelaySettings


def _utc_text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


class TimeToLedgerRangeOperator(StellarPodOperator):
    """Converts the run's times to ledgers, in a pod that reads the lake.

    Result: `{"start": N, "end": M}`, half-open. A run with ledgers in its params starts no pod.

    In scheduled runs, the task first waits in the triggerer for the DAG's `start_delay`. DAGs with the same schedule
    need the same logical dates but should not all start at once. Airflow's cron timetables have no such delay, and a
    custom timetable requires a plugin.
    """

    builder = "build_time_task"

    def pod_arguments(self, context: Context) -> list[str]:
        """Return `get_ledger_range_from_times` with the run's interval or the times of its params."""
        requested = Run.of(context).requested
        if isinstance(requested, LedgerRange):
            return []
        network = settings(NetworkSettings)
        self.lineage = Lineage([dataset_at(network.txmeta_datastore_path)])
        return [
            "get_ledger_range_from_times",
            "--start-time", _utc_text(requested.start),
            "--end-time", _utc_text(requested.end),
            "--output", XCOM_FILE,
            *network_arguments(network),
        ]  # fmt: skip

    def pod_environment(self, context: Context) -> dict[str, str]:
        """Return the variable with the lake of ledgers."""
        return {LAKE_VARIABLE: settings(NetworkSettings).txmeta_datastore_path}

    def execute(self, context: Context) -> Any:
        """Return the ledger range of the run, after its start delay."""
        begins = _begin(context)
        if begins > datetime.now(UTC):
            self.log.info("waiting for Airflow Variable 'start_delay' of this DAG until %s", begins)
            self.defer(trigger=DateTimeTrigger(moment=begins), method_name=self.execute_late.__name__)
        return self._range(context)

    def execute_late(self, context: Context, event: Any) -> Any:
        """Resume after the delay."""
        return self._range(context)

    def _range(self, context: Context) -> Any:
        requested = Run.of(context).requested
        if isinstance(requested, LedgerRange):
            self.log.info("the params have ledgers %d to %d: no pod is needed", requested.start, requested.end)
            return {"start": requested.start, "end": requested.end + 1}
        return super().execute(context)


def _begin(context: Context) -> datetime:
    """Return when a run begins its work: when it is due, plus a delay if it is a scheduled run."""
    run = context["dag_run"]
    delay = settings(DelaySettings).start_delay.get(run.dag_id, 0) if run.run_type == SCHEDULED else 0
    return run.run_after + timedelta(seconds=delay)


def build_time_task() -> TimeToLedgerRangeOperator:
    """Return a task that finds the run's ledger range for the export task."""
    return TimeToLedgerRangeOperator(task_id=TIME_TASK, do_xcom_push=True)
