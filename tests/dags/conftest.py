"""A laptop warehouse for the tests of this folder, and the context in which an operator runs."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.providers.cncf.kubernetes.pod_generator import make_safe_label_value as safe
from airflow.sdk.execution_time.context import OutletEventAccessors

from local.recording import RECORD_VARIABLE
from stellar_etl_airflow.operators.runtime import begin_try
from stellar_etl_airflow.ops.airflow_api import AirflowApi
from tests.google_api import assert_right, read_record
from tests.local import emulators
from tests.local.airflow_server import airflow
from tests.local.cluster_server import IMAGE, NAMESPACE, Cluster
from tests.shared import REPO

START = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
TIMES = {"start_time": "2026-01-01T00:00:30Z", "end_time": "2026-01-01T00:02:00Z"}
"""Between these times ledgers 9 to 26 of the small sample lake closed."""


@pytest.fixture(scope="session")
def record(tmp_path_factory):
    """The folder for all recorded requests of this folder's tests, which are compared with Google's APIs."""
    folder = tmp_path_factory.mktemp("requests")
    yield folder
    assert_right(read_record(folder))


@pytest.fixture(scope="session")
def warehouse_server(tmp_path_factory, record):
    folder = tmp_path_factory.mktemp("stack")
    with emulators.running(emulators.warehouse(folder, **{RECORD_VARIABLE: str(record)})) as server:
        yield server, folder / "gcs"


@pytest.fixture
def client(warehouse_server):
    """A BigQuery client with an empty dataset `stellar` for each test."""
    client = emulators.bigquery_client(warehouse_server[0])
    client.delete_dataset("stellar", delete_contents=True, not_found_ok=True)
    client.create_dataset("stellar")
    return client


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory):
    return tmp_path_factory.mktemp("airflow") / "home"


@pytest.fixture(scope="session")
def airflow_server(airflow_home):
    with emulators.running(airflow(airflow_home)) as server:
        yield server


@pytest.fixture
def airflow_api(airflow_server, airflow_home):
    """Airflow's API, without this project's Variables and pools of earlier tests."""
    with closing(sqlite3.connect(airflow_home / "airflow.db")) as database, database:
        database.execute("DELETE FROM variable")
        database.execute("DELETE FROM slot_pool WHERE pool <> 'default_pool'")
    return AirflowApi(airflow_server.url)


def create_all(api, what, entities):
    """Create Variables or pools in one call, which is faster than one call each."""
    api.call("PATCH", what, {"actions": [{"action": "create", "entities": entities}]})


@pytest.fixture
def airflow_environment(monkeypatch):
    """Put the shipped Variables into the environment, where Airflow finds them; yield a setter for single ones."""

    def set_variables(**changes):
        for key, value in changes.items():
            name = f"AIRFLOW_VAR_{key.upper()}"
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value if isinstance(value, str) else json.dumps(value))
        begin_try()  # a task's next try reads the new values

    set_variables(**json.loads((REPO / "airflow_variables.json").read_text()))
    return set_variables


@pytest.fixture
def warehouse_environment(monkeypatch, warehouse_server, airflow_environment):
    """Set the Variables and the connection of the laptop's warehouse; yield a setter for single Variables."""
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
    """The part of Airflow's task instance that operators use: its names, and XComs of the run."""

    task_id: str
    dag_id: str = "a_dag"
    run_id: str = "scheduled__2026-01-01T00:10:00+00:00"
    try_number: int = 1
    map_index: int = -1
    max_tries: int = 0
    xcoms: dict = field(default_factory=dict)
    log_url: str = "http://airflow/log"

    first_reschedule: datetime | None = None

    def get_first_reschedule_date(self, context):
        return self.first_reschedule

    def xcom_push(self, key, value):
        self.xcoms[self.task_id, key] = json.loads(json.dumps(value))

    def xcom_pull(self, task_ids, key="return_value"):
        return self.xcoms.get((task_ids, key))


@pytest.fixture
def make_context():
    """Make the context of a task. Tasks of one test share their XComs, as tasks of a run do."""
    xcoms: dict = {}

    def make(task_id, params=None, **changes):
        ti = TaskInstance(task_id, xcoms=xcoms, **changes)
        dag_run = SimpleNamespace(
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            run_type="manual",
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
            "outlet_events": OutletEventAccessors(),
        }

    make.xcoms = xcoms
    return make


KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "c", "user": {}}],
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
}


@pytest.fixture
def pod_request(airflow_environment, make_context, monkeypatch, tmp_path):
    """Return the pod that a task would create, as the provider passes it to the Kubernetes API, without a cluster."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(KUBECONFIG))
    monkeypatch.setenv(
        "AIRFLOW_CONN_KUBERNETES_DEFAULT",
        json.dumps({"conn_type": "kubernetes", "extra": {"kube_config_path": str(kubeconfig)}}),
    )

    def pod_request(task, params=None, **changes):
        context = make_context(task.task_id, params, **changes)
        task.pre_execute(context)
        task.name = task._set_name(task.name)
        return task.build_pod_request_obj(context)

    make_context.xcoms["get_ledger_range_from_times", "return_value"] = {"start": 100, "end": 220}
    return pod_request


@pytest.fixture
def pod_of(pod_request):
    """Return the pod that a task would create, and its first container, as dicts."""

    def pod_of(task, params=None, **changes):
        pod = pod_request(task, params, **changes).to_dict()
        return pod, pod["spec"]["containers"][0]

    return pod_of


@pytest.fixture(scope="session")
def bucket(tmp_path_factory, record):
    folder = tmp_path_factory.mktemp("bucket")
    with emulators.running(emulators.bucket(folder, **{RECORD_VARIABLE: str(record)})) as server:
        yield server


@pytest.fixture(scope="session")
def cluster(tmp_path_factory, bucket):
    # A status that lags costs each pod a second, for which the provider waits. The stack's cluster has such a lag.
    cluster = Cluster.make(tmp_path_factory.mktemp("cluster"), lag=0, STORAGE_EMULATOR_HOST=bucket.url)
    yield cluster
    cluster.stop()


@pytest.fixture
def start(cluster, bucket, lake, airflow_environment, make_context, monkeypatch, request):
    """Begin a try of a task; return the operator and its context. Each test has a separate run."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.url)
    connections = {
        "KUBERNETES_DEFAULT": {"conn_type": "kubernetes", "extra": {"kube_config_path": str(cluster.kubeconfig)}},
        "GOOGLE_CLOUD_PLATFORM_CONNECTION": {
            "conn_type": "google_cloud_platform",
            "extra": {"project": "local", "is_anonymous": True},
        },
    }
    for name, connection in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))
    airflow_environment(
        image_name=IMAGE,
        namespace=NAMESPACE,
        affinity={},
        txmeta_datastore_path=str(lake),
        gcs_exported_data_bucket_name=emulators.BUCKET,
    )

    def start(task, params=TIMES, **changes):
        context = make_context(task.task_id, params, run_id=request.node.name, **changes)
        task.startup_check_interval_seconds = 0.2  # this cluster starts pods at once
        task.pre_execute(context)
        return task, context

    make_context.xcoms["get_ledger_range_from_times", "return_value"] = {"start": 9, "end": 27}
    return start


@pytest.fixture
def pods(cluster, request):
    """Return a function that lists the pods of the test's run."""

    def pods():
        found = cluster.api.list_namespaced_pod(NAMESPACE).items
        return [pod for pod in found if pod.metadata.labels.get("run_id") == safe(request.node.name)]

    return pods
