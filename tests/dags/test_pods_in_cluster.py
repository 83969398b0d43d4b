"""The pod operators at work: in the local cluster, with the real exporter, and after what happens to pods."""

from __future__ import annotations

import json
import time

import pytest
from airflow.sdk.exceptions import AirflowException

from stellar_etl_airflow.batch import Batch, ExportAttempt
from stellar_etl_airflow.build_export_task import build_export_task, build_verify_task
from stellar_etl_airflow.build_time_task import build_time_task
from stellar_etl_airflow.manifest import ManifestError
from stellar_etl_airflow.tables import LEDGERS, OPERATIONS
from tests.local import emulators
from tests.local.cluster import IMAGE, NAMESPACE, Cluster, wait_until

TABLES = (LEDGERS, OPERATIONS)
TIMES = {"start_time": "2026-01-01T00:00:30Z", "end_time": "2026-01-01T00:02:00Z"}


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    with emulators.running(emulators.bucket(tmp_path_factory.mktemp("bucket"))) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, bucket):
    cluster = Cluster.make(tmp_path_factory.mktemp("cluster"), STORAGE_EMULATOR_HOST=bucket.url)
    yield cluster
    cluster.stop()


@pytest.fixture
def start(cluster, bucket, lake, airflow_environment, make_context, monkeypatch, request):
    """Begins a try of a task: gives the operator and its context. Each test has a run of its own."""
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

    def start(task, **changes):
        context = make_context(task.task_id, TIMES, run_id=request.node.name, **changes)
        task.pre_execute(context)
        return task, context

    make_context.xcoms["get_ledger_range_from_times", "return_value"] = {"start": 9, "end": 27}
    return start


def pods_of(cluster, request):
    found = cluster.api.list_namespaced_pod(NAMESPACE).items
    return [pod for pod in found if pod.metadata.labels.get("run_id") == request.node.name]


def test_times_export_and_verification(start, make_context, cluster, request):
    task, context = start(build_time_task())
    make_context.xcoms["get_ledger_range_from_times", "return_value"] = task.execute(context)
    assert make_context.xcoms["get_ledger_range_from_times", "return_value"] == {"start": 9, "end": 27}
    task, context = start(build_export_task(TABLES))
    assert task.execute(context) is None
    task, context = start(build_verify_task(TABLES))
    batch = Batch.from_json(task.execute(context))
    assert (batch.range.start, batch.range.end, batch.ledgers) == (9, 26, 18)
    assert batch.files["ledgers"].rows == 18
    wait_until(lambda: not pods_of(cluster, request), "pods are left")


def test_the_exporters_last_words_are_the_tasks_error(start, airflow_environment):
    airflow_environment(txmeta_datastore_path="/nowhere")
    task, context = start(build_time_task())
    with pytest.raises(AirflowException, match="/nowhere does not exist"):
        task.execute(context)


def test_a_file_that_was_changed_in_the_bucket_is_found(start, make_context, bucket):
    task, context = start(build_export_task(TABLES))
    task.execute(context)
    attempt = ExportAttempt.from_json(make_context.xcoms["export", "attempt"])
    blob = emulators.storage_client(bucket).bucket(emulators.BUCKET).blob(attempt.object_name("ledgers.txt"))
    blob.upload_from_string(blob.download_as_bytes()[:-5])
    task, context = start(build_verify_task(TABLES))
    with pytest.raises(ManifestError, match=r"ledgers\.txt"):
        task.execute(context)


def begin(start, **changes):
    """A try that makes its pod, and is then lost."""
    task, context = start(build_export_task(TABLES), **changes)
    request = task.build_pod_request_obj(context)
    return task.get_or_create_pod(request, context).metadata.name


def test_a_try_goes_on_with_the_pod_of_a_lost_one(start, make_context, cluster, request):
    first = begin(start)
    attempt = make_context.xcoms["export", "attempt"]
    assert begin(start, try_number=2) == first
    assert make_context.xcoms["export", "attempt"] == attempt
    assert [pod.metadata.name for pod in pods_of(cluster, request)] == [first]


def test_a_pod_that_ended_well_unwatched_has_done_the_work(start, make_context, cluster, request):
    first = begin(start)
    attempt = make_context.xcoms["export", "attempt"]
    cluster.wait_for(first, "Succeeded")
    task, context = start(build_export_task(TABLES), try_number=2)
    task.execute(context)
    assert make_context.xcoms["export", "attempt"] == attempt
    verify, context = start(build_verify_task(TABLES))
    assert verify.execute(context)["files"]["ledgers"]["rows"] == 18
    wait_until(lambda: not pods_of(cluster, request), "the pod is left")


def test_a_pod_that_failed_unwatched_is_replaced(start, make_context, cluster, request, airflow_environment, lake):
    airflow_environment(txmeta_datastore_path="/nowhere")
    first = begin(start)
    cluster.wait_for(first, "Failed")
    airflow_environment(txmeta_datastore_path=str(lake))
    attempt = make_context.xcoms["export", "attempt"]
    task, context = start(build_export_task(TABLES), try_number=2)
    task.execute(context)
    assert make_context.xcoms["export", "attempt"] != attempt


def test_a_pod_that_is_being_deleted_is_nobodys(start, make_context, cluster, request):
    first = begin(start)
    cluster.api.delete_namespaced_pod(first, NAMESPACE, grace_period_seconds=5)
    task, context = start(build_export_task(TABLES), try_number=2)
    task.execute(context)
    assert task.pod.metadata.name != first


def test_of_two_pods_the_newest_stays(start, cluster, request):
    """As after a create whose reply was lost."""
    first = cluster.pod(begin(start)).metadata
    time.sleep(1)  # times of creation are whole seconds
    metadata = {"name": "the-second", "labels": first.labels, "annotations": first.annotations}
    cluster.create("sleep", "60", metadata=metadata)
    task, context = start(build_export_task(TABLES), try_number=2)
    assert task.find_pod(NAMESPACE, context).metadata.name == "the-second"
    wait_until(lambda: [pod.metadata.name for pod in pods_of(cluster, request)] == ["the-second"], "the first is left")
