"""The supervisor starts each service as soon as Airflow's database has what the service needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.stack import Stack
from local.stack.supervisor import Child, Supervisor

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
