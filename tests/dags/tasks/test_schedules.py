"""A DAG without new runs is reported, although it has no run that could fail or miss a deadline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk import DAG

from stellar_etl_airflow.model.schedule import mark_of, overdue
from stellar_etl_airflow.tasks.build_coverage_tasks import build_schedules_task
from tests.dags.task_process import Supervisor, dag_result, run_task

PERIOD = timedelta(minutes=10)
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
DUE = datetime(2026, 1, 1, 11, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("planned", "active", "ends", "words"),
    [
        (DUE, 0, False, "the run of 2026-01-01 11:40 UTC was not created, 20 minutes after it was due"),
        (DUE + PERIOD, 0, False, ""),
        (NOW + PERIOD, 0, False, ""),
        (DUE - timedelta(days=9), 3, False, ""),
        (None, 0, False, "Airflow plans no further run"),
        (None, 0, True, ""),
    ],
    ids=["late", "late by one interval", "to come", "catching up", "none is planned", "the schedule has ended"],
)
def test_a_missing_scheduled_run_is_reported(planned, active, ends, words):
    logical_date = planned and planned - mark_of(PERIOD)
    assert overdue(logical_date, PERIOD, NOW, active=active, ends=ends) == words


@pytest.fixture
def state(airflow_environment, capsys):
    """Run the task for DAGs, each given as paused, next logical date and active runs; return its state and output."""

    def state(**dags):
        with DAG("watching", schedule=None):
            task = build_schedules_task(dict.fromkeys(dags, PERIOD), ends=False)
        found = {
            dag_id: dag_result(dag_id, paused=paused, planned=planned) for dag_id, (paused, planned, _) in dags.items()
        }
        active = {dag_id: active for dag_id, (_, _, active) in dags.items()}
        ended = run_task(task, Supervisor(dags=found, active=active))
        return ended, "".join(capsys.readouterr())

    return state


def test_only_unpaused_dags_must_have_runs(state):
    now = datetime.now(UTC)
    long_ago, soon = now - timedelta(hours=1), now + timedelta(minutes=1)
    assert state(paused=(True, long_ago, 0), busy=(False, long_ago, 3), idle=(False, soon, 0))[0] == "success"
    ended, said = state(stuck=(False, long_ago, 0), idle=(False, soon, 0))
    assert ended == "failed"
    assert "stuck: the run of" in said
    assert "idle: " not in said
