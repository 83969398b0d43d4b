"""A laptop warehouse for the tests of this folder, and the context in which an operator runs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from tests.local import emulators
from tests.shared import REPO

START = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)


@pytest.fixture(scope="session")
def warehouse_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    with emulators.running(emulators.warehouse(folder)) as server:
        yield server, folder / "gcs"


@pytest.fixture
def client(warehouse_server):
    """A BigQuery client with a dataset `stellar` that is empty at the start of each test."""
    client = emulators.bigquery_client(warehouse_server[0])
    client.delete_dataset("stellar", delete_contents=True, not_found_ok=True)
    client.create_dataset("stellar")
    return client


@pytest.fixture
def airflow_environment(monkeypatch):
    """The shipped Variables, as Airflow finds them in the environment; gives a setter for single ones."""

    def set_variables(**changes):
        for key, value in changes.items():
            name = f"AIRFLOW_VAR_{key.upper()}"
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value if isinstance(value, str) else json.dumps(value))

    set_variables(**json.loads((REPO / "airflow_variables.json").read_text()))
    return set_variables


@pytest.fixture
def warehouse_environment(monkeypatch, warehouse_server, airflow_environment):
    """Variables and connection that lead to the laptop's warehouse; gives a setter for single Variables."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", warehouse_server[0].url)
    monkeypatch.setenv(
        "AIRFLOW_CONN_GOOGLE_CLOUD_PLATFORM_CONNECTION",
        json.dumps(
            {
                "conn_type": "google_cloud_platform",
                "extra": {"project": "local", "is_anonymous": True, "num_retries": 0},
            }
        ),
    )
    airflow_environment(bq_project="local", bq_dataset="stellar", schema_filepath=str(REPO / "schemas"))
    return airflow_environment


@dataclass
class TaskInstance:
    """What the operators ask of Airflow's task instance: its names, and XComs of the run."""

    task_id: str
    dag_id: str = "a_dag"
    run_id: str = "scheduled__2026-01-01T00:10:00+00:00"
    try_number: int = 1
    map_index: int = -1
    xcoms: dict = field(default_factory=dict)

    def xcom_push(self, key, value):
        self.xcoms[self.task_id, key] = json.loads(json.dumps(value))

    def xcom_pull(self, task_ids, key="return_value"):
        return self.xcoms.get((task_ids, key))


@pytest.fixture
def make_context():
    """Makes the context of a task; tasks of one test share their XComs, as tasks of a run do."""
    xcoms: dict = {}

    def make(task_id, params=None, **changes):
        ti = TaskInstance(task_id, xcoms=xcoms, **changes)
        dag_run = SimpleNamespace(
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            data_interval_start=START,
            data_interval_end=START + timedelta(minutes=10),
            run_after=START + timedelta(minutes=10),
        )
        return {
            "ti": ti,
            "task_instance": ti,
            "dag": None,
            "dag_run": dag_run,
            "run_id": ti.run_id,
            "params": params or {},
        }

    make.xcoms = xcoms
    return make
