"""Airflow's database on a laptop: once a day the supervisor deletes old rows."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from local.stack import cleaning
from local.stack.layout import PORTS, Options, StackLayout, State
from local.stack.services import Service
from local.stack.supervisor import Child, Supervisor
from tests.local import emulators
from tests.local.airflow_server import airflow
from tests.shared import REPO
from tests.waiting import wait_until

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_cleaning_is_due_a_day_after_the_last_one_also_after_a_downtime(tmp_path):
    note = tmp_path / "cleaned"
    schedule = cleaning.Schedule(note, NOW)
    assert not schedule.is_due(NOW + timedelta(hours=23))
    assert schedule.is_due(NOW + timedelta(hours=24))
    schedule.failed(NOW)
    assert not schedule.is_due(NOW + timedelta(minutes=59))
    assert schedule.is_due(NOW + timedelta(hours=1))
    schedule.done(NOW)
    assert not schedule.is_due(NOW + timedelta(hours=1))
    os.utime(note, 2 * ((NOW - timedelta(hours=20)).timestamp(),))
    again = cleaning.Schedule(note, NOW)
    assert not again.is_due(NOW)
    assert again.is_due(NOW + timedelta(hours=4))


@pytest.fixture
def database(tmp_path):
    """Return the path of an Airflow database, and the environment of Airflow's commands."""
    server = airflow(tmp_path / "airflow")
    with emulators.running(server):
        pass  # it creates the tables
    paths = {"PYTHONPATH": f"{REPO}{os.pathsep}{REPO / 'dags'}"}
    return tmp_path / "airflow" / "airflow.db", {**os.environ, **server.environment, **paths}


@pytest.mark.slow
def test_the_supervisor_lets_airflow_delete_old_rows_and_keep_newer_ones(database, tmp_path):
    path, environment = database
    now = datetime.now(UTC)
    ages = {"old": cleaning.KEPT + timedelta(days=1), "newer": cleaning.KEPT - timedelta(days=1)}
    with closing(sqlite3.connect(path)) as rows, rows:
        for event, age in ages.items():
            rows.execute("INSERT INTO log (dttm, event) VALUES (?, ?)", (f"{now - age:%Y-%m-%d %H:%M:%S.%f}", event))
    layout = StackLayout(tmp_path / "stack")
    for folder in (layout.run, layout.logs, layout.airflow_home):
        folder.mkdir(parents=True)
    State(dict.fromkeys(PORTS, 1), Options("lake")).save(layout)
    supervisor = Supervisor(layout)
    supervisor.children = [Child(Service("scheduler", (), environment, needs_database=True))]
    supervisor.prepared = True
    layout.cleaned.touch()
    os.utime(layout.cleaned, 2 * ((now - timedelta(days=2)).timestamp(),))
    schedule = cleaning.Schedule(layout.cleaned, now)
    supervisor._clean_database(schedule)
    assert supervisor.cleaning is not None

    def ended():
        supervisor._clean_database(schedule)
        return supervisor.cleaning is None

    wait_until(ended, lambda: (layout.logs / "clean.log").read_text())
    with closing(sqlite3.connect(path)) as rows:
        left = {event for (event,) in rows.execute("SELECT event FROM log")}
    assert "newer" in left
    assert "old" not in left, (layout.logs / "clean.log").read_text()
    assert layout.cleaned.stat().st_mtime > now.timestamp() - 60
    assert not schedule.is_due(now)


def test_only_old_task_logs_are_deleted(tmp_path):
    old = (NOW - cleaning.KEPT - timedelta(days=1)).timestamp()
    for name, changed in {"a/old.log": old, "a/new.log": NOW.timestamp(), "a/old.txt": old}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (changed, changed))
    assert cleaning.delete_logs(tmp_path, NOW) == 1
    assert {path.name for path in tmp_path.rglob("*.*")} == {"new.log", "old.txt"}
