"""Airflow's own KubernetesPodOperator in the local cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowException
from kubernetes.client import ApiException

from tests.dags.conftest import START, TaskInstance
from tests.local.cluster_server import IMAGE, NAMESPACE, Cluster
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster.make(tmp_path_factory.mktemp("a cluster's folder"))
    yield cluster
    cluster.stop()


@pytest.fixture
def operator(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """Make an operator whose pod runs a shell script."""
    connection = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(cluster.kubeconfig)}}
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))

    def make(script: str, **options: Any) -> KubernetesPodOperator:
        return KubernetesPodOperator(
            task_id="a_task",
            name=request.node.name.replace("_", "-")[:40],
            namespace=NAMESPACE,
            image=IMAGE,
            cmds=["sh", "-c", script],
            **{"startup_check_interval_seconds": 1, **options},
        )

    return make


@pytest.fixture
def context(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the context that Airflow passes to a task, with a separate run per test."""
    ti = TaskInstance("a_task", run_id=request.node.name)
    dag_run = SimpleNamespace(dag_id=ti.dag_id, run_id=ti.run_id, data_interval_start=START, run_after=START)
    return {"ti": ti, "task_instance": ti, "dag": None, "dag_run": dag_run, "run_id": ti.run_id, "params": {}}


def test_a_pod_returns_a_result(cluster: Cluster, operator: Any, context: dict[str, Any]) -> None:
    script = """echo '{"start": 3, "end": 42}' > /airflow/xcom/return.json"""
    task = operator(script, do_xcom_push=True)
    assert task.execute(context) == {"start": 3, "end": 42}
    wait_until(lambda: cluster.is_gone(task.pod.metadata.name), "the pod is left")


def test_a_pod_without_a_result_succeeds(
    cluster: Cluster, operator: Any, context: dict[str, Any], tmp_path: Path
) -> None:
    task = operator(f"touch {tmp_path / 'done'}", do_xcom_push=False)
    assert task.execute(context) is None
    assert (tmp_path / "done").exists()
    wait_until(lambda: cluster.is_gone(task.pod.metadata.name), "the pod is left")


def test_a_failed_pod_fails_its_task(cluster: Cluster, operator: Any, context: dict[str, Any]) -> None:
    task = operator("exit 3", do_xcom_push=False, on_finish_action="keep_pod")
    with pytest.raises(AirflowException, match="exit_code': 3,"):
        task.execute(context)
    name, host = task.pod.metadata.name, task.client.api_client.configuration.host
    try:
        pod = task.client.read_namespaced_pod(name, NAMESPACE)  # by the client of the cluster that ran it
    except ApiException as error:
        error.add_note(f"{name} was made in {host}; the cluster {cluster.url} reported {cluster.events(name)}")
        raise
    assert pod.status.phase == "Failed"
    assert pod.metadata.labels["already_checked"] == "True"


def test_a_missing_image_fails_the_task(cluster: Cluster, operator: Any, context: dict[str, Any]) -> None:
    task = operator("true", do_xcom_push=False, startup_timeout_seconds=2)
    task.image = "nobody/nothing:1"
    with pytest.raises(AirflowException, match="ErrImagePull"):
        task.execute(context)
    wait_until(lambda: cluster.is_gone(task.pod.metadata.name), "the pod is left")
