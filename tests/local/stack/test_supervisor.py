"""The supervisor starts a service as soon as Airflow's database has what it needs, and ends it before that database."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from local.stack import Stack
from local.stack.environment import base_environment
from local.stack.services import Service
from local.stack.supervisor import Child, Supervisor
from tests.waiting import wait_until

EMULATORS = {"database", "bucket", "warehouse", "cluster", "dataflow"}
WITHOUT_DAGS = {"api-server", "triggerer"}
WITH_DAGS = {"scheduler", "dag-processor"}


def test_services_without_dags_start_before_the_dag_files_are_read(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    stack.configure()
    supervisor = Supervisor(stack.layout)

    def can_start() -> set[str]:
        return {service.name for service in stack.services() if supervisor._can_start(service)}

    assert can_start() == EMULATORS
    stack.layout.run.mkdir()
    stack.layout.migrated.touch()
    assert can_start() == EMULATORS | WITHOUT_DAGS
    supervisor.prepared = True
    assert can_start() == EMULATORS | WITHOUT_DAGS | WITH_DAGS


def test_the_migration_of_an_earlier_start_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(tmp_path)
    stack.configure()
    supervisor = Supervisor(stack.layout)
    supervisor.children = [Child(service) for service in stack.services()]
    stack.layout.run.mkdir()
    stack.layout.migrated.touch()
    begun: list[str] = []
    monkeypatch.setattr(supervisor, "_spawn", lambda argv, service, name: begun.append(name))
    supervisor._begin_preparation()
    assert begun == ["prepare"]
    assert not stack.layout.migrated.exists()


NOTES_ITS_END = """
import pathlib, signal, sys, time
def end(*_):
    time.sleep(float(sys.argv[3]))
    with open(sys.argv[1], "a") as file:
        file.write(sys.argv[2] + "\\n")
    sys.exit()
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[2]).touch()
while True:
    signal.pause()
"""


def test_the_database_ends_after_the_services_that_need_it(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    stack.configure()
    for folder in (stack.layout.run, stack.layout.logs):
        folder.mkdir()
    supervisor, names, environment = Supervisor(stack.layout), ("database", "scheduler"), base_environment(os.environ)
    for name in names:
        delay = "0" if name == "database" else "0.5"  # a database that ended at the same time would be first
        argv = (sys.executable, "-c", NOTES_ITS_END, str(tmp_path / "ends"), str(tmp_path / name), delay)
        supervisor.children.append(Child(Service(name, argv, environment, needs_database=name == "scheduler")))
        supervisor._start(supervisor.children[-1], 0)
    wait_until(lambda: all((tmp_path / name).exists() for name in names), "both services have started")
    supervisor._end()
    assert [Path(line).name for line in (tmp_path / "ends").read_text().split()] == ["scheduler", "database"]
