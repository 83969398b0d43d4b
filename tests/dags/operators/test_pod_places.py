"""Settings for where pods run: Composer 3, GKE, and the cluster of a kubeconfig. Invalid combinations are refused."""

from __future__ import annotations

import json

import pytest

from stellar_etl_airflow.model.tables import LEDGERS
from stellar_etl_airflow.settings import pods as settings
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.checks import check
from stellar_etl_airflow.settings.environments import Environments
from stellar_etl_airflow.tasks.build_export_task import build_export_task
from stellar_etl_airflow.tasks.build_time_task import build_time_task
from tests.shared import REPO

SHIPPED = json.loads((REPO / "airflow_variables.json").read_text())
AFFINITY = SHIPPED["affinity"]
TAINT = {"key": "dedicated", "operator": "Equal", "value": "etl-pool", "effect": "NoSchedule"}
COMPOSER = {"pod_place": "composer3", "affinity": {}}
VOLUME = {
    "volume_config": {"emptyDir": {}},
    "volume_name": "data",
    "image_output_path": "/a",
    "local_output_path": "/b",
    "output_path": "/c",
}


@pytest.fixture
def composers_kubeconfig(pod_of, monkeypatch, tmp_path):
    """The file of Composer's workers, without a connection that names a cluster."""
    monkeypatch.setattr(settings, "COMPOSER_KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", '{"conn_type": "kubernetes"}')


def test_pod_place_composer3_uses_composers_cluster(pod_of, airflow_environment, composers_kubeconfig):
    airflow_environment(**COMPOSER)
    task = build_time_task()
    pod, container = pod_of(task)
    spec = pod["spec"]
    assert pod["metadata"]["namespace"] == "composer-user-workloads"
    assert not spec["tolerations"] and not spec["service_account_name"] and not spec["volumes"][1:]
    assert not spec["affinity"]
    assert [each["name"] for each in spec["containers"]] == ["base", "airflow-xcom-sidecar"]
    assert spec["containers"][1]["image"].startswith("alpine")
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "2Gi"}
    assert task.config_file == settings.COMPOSER_KUBECONFIG


def test_pod_place_gke_accepts_a_namespace_nodes_and_a_service_account(pod_of, airflow_environment):
    airflow_environment(k8s_namespace="etl", k8s_service_account="exporter", tolerations=[TAINT], **VOLUME)
    task = build_export_task((LEDGERS,))
    pod, _ = pod_of(task)
    assert pod["metadata"]["namespace"] == "etl"
    assert pod["spec"]["service_account_name"] == "exporter"
    assert pod["spec"]["tolerations"][0]["value"] == "etl-pool"
    assert "etl-pool" in str(pod["spec"]["affinity"])
    assert pod["spec"]["volumes"][0]["name"] == "data"
    assert task.config_file is None, "the connection names the cluster"


def test_pod_place_kubeconfig_uses_the_cluster_of_a_file(pod_of, airflow_environment, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", '{"conn_type": "kubernetes"}')
    airflow_environment(pod_place="kubeconfig", kube_config_location=str(tmp_path / "kubeconfig"), affinity={})
    task = build_time_task()
    pod, _ = pod_of(task)
    assert task.config_file == str(tmp_path / "kubeconfig")
    assert pod["metadata"]["namespace"] == "default"


def test_a_kubeconfig_that_is_missing_on_the_worker_is_named(pod_of, airflow_environment):
    airflow_environment(pod_place="kubeconfig", kube_config_location="/nowhere/config")
    with pytest.raises(SettingsError, match="'kube_config_location': this worker has no file '/nowhere/config'"):
        pod_of(build_time_task())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"affinity": AFFINITY}, "'affinity' is set: Composer 3 chooses the nodes of pods"),
        ({"tolerations": [TAINT]}, "'tolerations' is set: Composer 3 chooses the nodes of pods"),
        ({"k8s_service_account": "x"}, "'k8s_service_account' is set: Composer 3 runs pods under"),
        ({"kubernetes_sidecar_image": "x"}, "'kubernetes_sidecar_image' is set: Composer 3 only supports"),
        ({"kube_config_location": "/x"}, "'kube_config_location' is set: Composer 3 has its own"),
        ({"k8s_namespace": "x"}, "'k8s_namespace' is 'x': pods there run in 'composer-user-workloads'"),
        ({"namespace": "x"}, "'namespace' is 'x': pods there run in 'composer-user-workloads'"),
        ({"resources": {"default": {"limits": {"nvidia.com/gpu": "1"}}}}, "'resources' has 'nvidia.com/gpu'"),
        (VOLUME, "'volume_config' is set: Composer 3 has no volumes"),
        ({"pod_place": "kubeconfig"}, "'pod_place' is 'kubeconfig', and 'kube_config_location' is empty"),
        ({"pod_place": "kind"}, "'pod_place' (the pods' cluster"),
    ],
)
def test_an_invalid_combination_is_refused_before_the_import_and_in_the_task(
    changes, message, pod_of, airflow_environment
):
    variables = {**COMPOSER, **changes}
    (problem,) = check({**SHIPPED, **variables})
    assert message in problem
    airflow_environment(**variables)
    with pytest.raises(SettingsError) as raised:
        pod_of(build_export_task((LEDGERS,)))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("name", "place", "namespace"),
    [
        ("development", "kubeconfig", "default"),
        ("staging", "composer3", "composer-user-workloads"),
        ("production", "gke", "stellar-etl"),
    ],
)
def test_the_shipped_environments_use_the_three_places(
    name, place, namespace, pod_of, airflow_environment, monkeypatch, tmp_path
):
    monkeypatch.setattr(settings, "COMPOSER_KUBECONFIG", str(tmp_path / "kubeconfig"))
    variables = Environments.read().merged(name)
    assert variables["pod_place"] == place
    if place == "kubeconfig":
        variables["kube_config_location"] = str(tmp_path / "kubeconfig")
    airflow_environment(**variables)
    pod, _ = pod_of(build_export_task((LEDGERS,)))
    assert pod["metadata"]["namespace"] == namespace
    assert bool(pod["spec"]["tolerations"]) == (place == "gke")
