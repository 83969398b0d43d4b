"""DAGs of one schedule have the same intervals, and begin their work at staggered times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.api.datamodels._generated import DagRunType
from airflow.sdk.exceptions import TaskDeferred

from stellar_etl_airflow.tasks.build_time_task import build_time_task


@pytest.fixture
def due(start, airflow_environment):
    """Return a time task of a run that is due now, with its context; its DAG begins a minute later."""

    def due(run_type, since=timedelta()):
        airflow_environment(start_delay={"a_dag": 60, "another": 5})
        task, context = start(build_time_task())
        context["dag_run"].run_type = run_type
        context["dag_run"].run_after = datetime.now(UTC) - since
        return task, context

    return due


def test_start_delay_postpones_scheduled_runs_of_a_dag(due, pods):
    task, context = due(DagRunType.SCHEDULED)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    assert deferred.value.trigger.moment == context["dag_run"].run_after + timedelta(seconds=60)
    assert pods() == []
    late = getattr(task, deferred.value.method_name)
    assert late(context, event=None) == {"start": 9, "end": 27}


@pytest.mark.parametrize(
    ("run_type", "since"),
    [
        (DagRunType.MANUAL, timedelta()),
        (DagRunType.BACKFILL, timedelta()),
        (DagRunType.OPERATOR_TRIGGERED, timedelta()),
        (DagRunType.SCHEDULED, timedelta(minutes=2)),
    ],
)
def test_manual_and_late_runs_are_not_delayed(due, run_type, since):
    task, context = due(run_type, since)
    assert task.execute(context) == {"start": 9, "end": 27}
