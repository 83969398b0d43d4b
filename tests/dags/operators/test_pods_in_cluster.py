"""The pod operators run in the local cluster with the real exporter, also after pods are lost, deleted or replaced."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRescheduleException

from stellar_etl_airflow.export.manifest import ManifestError
from stellar_etl_airflow.model.batch import Batch, ExportAttempt
from stellar_etl_airflow.model.tables import LEDGERS, OPERATIONS
from stellar_etl_airflow.settings import pods as settings
from stellar_etl_airflow.tasks.build_export_task import build_export_task, build_verify_task
from stellar_etl_airflow.tasks.build_time_task import build_time_task
from tests.local import emulators
from tests.local.cluster_server import NAMESPACE
from tests.waiting import wait_until

TABLES = (LEDGERS, OPERATIONS)


def test_times_export_and_verification_run_in_pods(start, make_context, cluster, pods):
    task, context = start(build_time_task())
    make_context.xcoms["get_ledger_range_from_times", "return_value"] = task.execute(context)
    assert make_context.xcoms["get_ledger_range_from_times", "return_value"] == {"start": 9, "end": 27}
    task, context = start(build_export_task(TABLES))
    assert task.execute(context) is None
    task, context = start(build_verify_task(TABLES))
    batch = Batch.from_json(task.execute(context))
    assert (batch.range.start, batch.range.end, batch.ledgers) == (9, 26, 18)
    assert batch.files["ledgers"].rows == 18
    for task_id in ("get_ledger_range_from_times", "export"):
        used = make_context.xcoms[task_id, "usage"]
        assert used["cpu_seconds"] >= 0, "Kubernetes reports times in whole seconds"
        # Pods request half a CPU and 1 GiB, and the sidecar requests little.
        assert used["memory_gib_seconds"] == pytest.approx(2 * used["cpu_seconds"], rel=0.05)
    wait_until(lambda: not pods(), "pods are left")


@pytest.mark.parametrize("path", ["/nowhere", "/nowhere/$(HOME) $$ $(whoami)"])
def test_the_tasks_error_is_the_exporters_last_output(start, airflow_environment, path):
    airflow_environment(txmeta_datastore_path=path)
    for build in (build_time_task, lambda: build_export_task(TABLES)):
        task, context = start(build())
        with pytest.raises(AirflowException, match=re.escape(f"{path} does not exist")):
            task.execute(context)


NOWHERE = '{"conn_type": "kubernetes"}'


@pytest.mark.parametrize("place", ["gke", "composer3", "kubeconfig"])
def test_pods_run_in_each_place(place, start, airflow_environment, cluster, monkeypatch):
    """The cluster comes from the connection, from the file of Composer's workers, or from a custom file."""
    if place == "gke":
        toleration = {"key": "dedicated", "value": "etl-pool", "effect": "NoSchedule"}
        airflow_environment(tolerations=[toleration], k8s_namespace="etl", k8s_service_account="exporter")
    else:
        monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", NOWHERE)
        monkeypatch.setattr(settings, "COMPOSER_KUBECONFIG", str(cluster.kubeconfig))
        airflow_environment(pod_place=place, kube_config_location=str(cluster.kubeconfig) if place[0] == "k" else "")
    task, context = start(build_time_task())
    assert task.execute(context) == {"start": 9, "end": 27}
    namespaces = {"gke": "etl", "composer3": "composer-user-workloads", "kubeconfig": NAMESPACE}
    assert task.pod.metadata.namespace == namespaces[place]


def test_a_pod_has_the_value_of_the_clusters_secret(start, airflow_environment, cluster):
    secret = {"metadata": {"name": "exporter"}, "stringData": {"token": "out of the cluster"}}
    cluster.api.create_namespaced_secret(NAMESPACE, secret)
    airflow_environment(pod_secrets={"AN_API_TOKEN": {"secret": "exporter", "key": "token"}})
    run = cluster.root / "pods" / cluster.pod(begin(start)).metadata.uid / "containers" / "base" / "run.json"
    wait_until(run.exists, "the pod has not begun")
    assert json.loads(run.read_text())["env"]["AN_API_TOKEN"] == "out of the cluster"
    cluster.api.delete_namespaced_secret("exporter", NAMESPACE)


def test_a_secret_that_is_missing_in_the_cluster_is_named(start, airflow_environment, capsys):
    airflow_environment(pod_secrets={"AN_API_TOKEN": {"secret": "nobody-made-it", "key": "token"}})
    task, context = start(build_time_task())
    task.startup_timeout_seconds = 2
    with pytest.raises(AirflowException):
        task.execute(context)
    assert 'secret "nobody-made-it" not found' in capsys.readouterr().out


FUTURE = {"start_ledger": 20, "end_ledger": 4000}


def test_a_range_beyond_the_network_head_is_waited_for(start, airflow_environment, pods):
    """Airflow reschedules the task, which uses no try, no slot and no pod meanwhile."""
    airflow_environment(ledger_wait_interval=11)
    for build in (lambda: build_export_task(TABLES), build_time_task):
        times = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2031-01-01T00:00:00Z"}
        task, context = start(build(), params=times if build is build_time_task else FUTURE)
        before = datetime.now(UTC)
        with pytest.raises(AirflowRescheduleException) as raised:
            task.execute(context)
        assert timedelta(seconds=11) <= raised.value.reschedule_date - before < timedelta(seconds=60)
    wait_until(lambda: not pods(), "pods are left")


def test_a_range_that_is_not_reached_in_time_fails_with_the_lag(start, airflow_environment):
    airflow_environment(ledger_wait_timeout=90)
    for waited, expected in ((30, AirflowRescheduleException), (100, AirflowFailException)):
        task, context = start(build_export_task(TABLES), params=FUTURE, try_number=waited)
        context["ti"].first_reschedule = datetime.now(UTC) - timedelta(seconds=waited)
        with pytest.raises(expected) as raised:
            task.execute(context)
    assert re.search(
        r"(?s)waited 1\d\d s .*'ledger_wait_timeout'.*ledger 4000 has not closed yet.* \d+ ledgers before it",
        str(raised.value),
    )


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
    """Run a try until its pod exists, then abandon it."""
    task, context = start(build_export_task(TABLES), **changes)
    return begin_step(task, context, task.begin(context)[0])


def begin_step(task, context, step):
    task.take(step)
    return task.get_or_create_pod(task.build_pod_request_obj(context), context).metadata.name


def test_a_try_continues_with_the_pod_of_a_lost_try(start, make_context, cluster, pods):
    first = begin(start)
    attempt = make_context.xcoms["export", "attempt"]
    assert begin(start, try_number=2) == first
    assert make_context.xcoms["export", "attempt"] == attempt
    assert [pod.metadata.name for pod in pods()] == [first]


def test_a_pod_that_succeeded_while_unwatched_is_not_repeated(start, make_context, cluster, pods):
    first = begin(start)
    attempt = make_context.xcoms["export", "attempt"]
    cluster.wait_for(first, "Succeeded")
    task, context = start(build_export_task(TABLES), try_number=2)
    task.execute(context)
    assert make_context.xcoms["export", "attempt"] == attempt
    verify, context = start(build_verify_task(TABLES))
    assert verify.execute(context)["files"]["ledgers"]["rows"] == 18
    wait_until(lambda: not pods(), "the pod is left")


def test_a_pod_that_failed_while_unwatched_is_replaced(start, make_context, cluster, pods, airflow_environment, lake):
    airflow_environment(txmeta_datastore_path="/nowhere")
    first = begin(start)
    cluster.wait_for(first, "Failed")
    airflow_environment(txmeta_datastore_path=str(lake))
    attempt = make_context.xcoms["export", "attempt"]
    task, context = start(build_export_task(TABLES), try_number=2)
    task.execute(context)
    assert make_context.xcoms["export", "attempt"] != attempt


def test_a_pod_that_is_being_deleted_is_ignored(start, make_context, cluster, pods):
    first = begin(start)
    cluster.api.delete_namespaced_pod(first, NAMESPACE, grace_period_seconds=5)
    task, context = start(build_export_task(TABLES), try_number=2)
    task.execute(context)
    assert task.pod.metadata.name != first


def test_the_newest_of_two_pods_stays(start, cluster, pods):
    """A create request whose reply was lost leaves two pods."""
    first = cluster.pod(begin(start)).metadata
    time.sleep(1)  # creation times are whole seconds
    metadata = {"name": "the-second", "labels": first.labels, "annotations": first.annotations}
    cluster.create("sleep", "60", metadata=metadata)
    task, context = start(build_export_task(TABLES), try_number=2)
    assert task.find_pod(NAMESPACE, context).metadata.name == "the-second"
    wait_until(lambda: [pod.metadata.name for pod in pods()] == ["the-second"], "the first is left")
