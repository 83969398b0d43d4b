"""Every pod that the DAGs can create is valid by Kubernetes' own schemas in strict mode.

A field that the schema lacks, or a wrong type, is an error.
"""

from __future__ import annotations

import copy
import functools
import importlib

import kubernetes_validate
import kubernetes_validate.utils
import pytest
from kubernetes.client import ApiClient

from stellar_etl_airflow.export.exports import Export, FullLoad
from stellar_etl_airflow.model.tables import LOADING_DAGS, STATES, loaded_by
from stellar_etl_airflow.operators.pods import StellarPodOperator
from stellar_etl_airflow.settings import pods as settings
from stellar_etl_airflow.settings.environments import Environments
from stellar_etl_airflow.settings.export import ExportSettings
from stellar_etl_airflow.settings.pods import PodSettings
from stellar_etl_airflow.tasks.build_coverage_tasks import build_newest_ledger_task
from stellar_etl_airflow.tasks.build_dbt_task import build_dbt_task
from stellar_etl_airflow.tasks.build_export_task import ExportOperator, build_export_task
from stellar_etl_airflow.tasks.build_ledger_audit_tasks import AUDITED
from stellar_etl_airflow.tasks.build_preflight_tasks import build_preflight_tasks
from stellar_etl_airflow.tasks.build_time_task import build_time_task
from tests.dags.operators.test_pod_places import COMPOSER, TAINT, VOLUME
from tests.shared import MODULES

VERSIONS = ("1.30", "1.36", "1.37")
"""GKE's oldest (Extended channel) and newest (Rapid channel) version by https://cloud.google.com/kubernetes-engine/docs/release-notes
as of mid-2026, and the newest that the package has."""

CHECKPOINT = {"checkpoint_ledger": 127}

TASKS = {
    "time": (build_time_task, {}),
    "newest ledger": (build_newest_ledger_task, {}),
    "image": (lambda: build_preflight_tasks()[-1], {}),
    "dbt": (lambda: build_dbt_task(["tag:stellar"]), {}),
    "full load": (lambda: build_export_task(tuple(STATES.values()), FullLoad), CHECKPOINT),
    "audit": (lambda: build_export_task(tuple(AUDITED.values())), {}),
    **{dag_id: (lambda dag_id=dag_id: build_export_task(loaded_by(dag_id)), {}) for dag_id in LOADING_DAGS},
}
"""The builders of all tasks that start pods, with params of their run."""

SIZES = {"cpu": "500m", "memory": "1.5Gi", "ephemeral-storage": "10Gi", "nvidia.com/gpu": "1"}
AFFINITY = {
    **settings.NODE_POOL,
    "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 1,
                "podAffinityTerm": {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": {"matchLabels": {"app": "stellar-etl"}},
                },
            }
        ]
    },
}
TOLERATIONS = [TAINT, {"operator": "Exists"}, {**TAINT, "effect": "NoExecute", "tolerationSeconds": 30}]
VOLUMES = {
    "claim": {"persistentVolumeClaim": {"claimName": "exports", "readOnly": False}},
    "nfs": {"nfs": {"server": "10.0.0.1", "path": "/exports"}},
    "csi": {"csi": {"driver": "gcsfuse.csi.storage.gke.io", "volumeAttributes": {"bucketName": "exports"}}},
}

SETTINGS = {
    "shipped": {},
    "names": {
        "image_name": "registry.example/etl@sha256:" + "0" * 64,
        "image_pull_policy": "Always",
        "namespace": "a",
        "k8s_namespace": "b",
        "k8s_service_account": "etl",
        "environment": "production",
        "gcs_exported_data_bucket_name": "a-bucket",
        "gcs_exported_object_prefix": "a/folder",
        "output_file_names": {"ledgers": "headers.txt"},
        "txmeta_datastore_path": "/a lake/$(HOME)",
        "kubernetes_sidecar_image": "registry.example/alpine:3",
    },
    "nodes": {
        "affinity": AFFINITY,
        "tolerations": TOLERATIONS,
        "resources": {"default": {"limits": SIZES, "requests": SIZES}},
    },
    "no limits": {"resources": {}, "affinity": {}, "task_timeout": {"build_export_task": 7, "build_time_task": 7}},
    "secrets": {"api_key_path": __file__, "pod_secrets": {"TOKEN": {"secret": "exporter", "key": "token"}}},
    "network": {
        "network_passphrase": "a network",
        "history_archive_path": "https://archive.example",
        "use_captive_core": True,
        "use_testnet": True,
        "use_futurenet": True,
    },
    "Go image": {"export_mode": "per_type", "manifest": "derived", "max_failed_transforms": 3},
    "composer3": COMPOSER,
    "kubeconfig": {"pod_place": "kubeconfig", "kube_config_location": __file__, "affinity": {}},
    "empty volume": {**VOLUME, "export_mode": "per_type"},
    **{f"{name} volume": {**VOLUME, "volume_config": source} for name, source in VOLUMES.items()},
    **{f"environment {name}": Environments.read().merged(name) for name in ("development", "staging", "production")},
}
"""Variables by test case; together the cases set each Variable that affects pods."""


@pytest.fixture(scope="module", autouse=True)
def schemas_are_read_once():
    """The package reads its files again for each pod, which takes 30 ms."""
    with pytest.MonkeyPatch.context() as patch:
        read = functools.cache(kubernetes_validate.utils.schema_contents)
        patch.setattr(kubernetes_validate.utils, "schema_contents", read)
        yield


def check(pod):
    """Validate a pod with the schemas of all versions."""
    for version in VERSIONS:
        assert kubernetes_validate.validate(pod, version, strict=True) == version


@pytest.fixture
def pods(pod_request, airflow_environment, monkeypatch, tmp_path):
    """Return a function that lists each pod of each task for some Variables, in the form of the API."""
    monkeypatch.setattr(settings, "COMPOSER_KUBECONFIG", str(tmp_path / "kubeconfig"))

    def pods(variables, tasks=TASKS):
        if variables.get("pod_place", "gke") != "gke":
            monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", '{"conn_type": "kubernetes"}')
        if variables.get("pod_place") == "kubeconfig":
            variables = {**variables, "kube_config_location": str(tmp_path / "kubeconfig")}
        airflow_environment(**variables | {"dbt_image_name": "registry.example/dbt:1", "dbt_dataset": "models"})
        for name in tasks:
            build, params = TASKS[name]
            task = build()
            requests = [pod_request(task, params)]
            if isinstance(task, ExportOperator):
                for step in task.export.steps(task.attempt)[1:]:
                    task.take(step)
                    requests.append(task.build_pod_request_obj(None))
            for request in requests:
                yield ApiClient().sanitize_for_serialization(request)

    return pods


@pytest.mark.parametrize("case", SETTINGS)
def test_all_pods_are_valid_kubernetes_pods(case, pods):
    found = list(pods(SETTINGS[case]))
    for pod in found:
        check(pod)
    assert len(found) >= len(TASKS)


def test_the_cases_set_every_variable_that_affects_pods():
    varied = {key for variables in SETTINGS.values() for key in variables}
    assert {*PodSettings.model_fields, *ExportSettings.model_fields} <= varied


def test_the_list_has_all_tasks_that_start_pods():
    for module in MODULES:
        importlib.import_module(module)
    kinds = {type(build()) for build, _ in TASKS.values()}
    assert kinds == set(StellarPodOperator.__subclasses__())
    assert {Export, *Export.__subclasses__()} == {Export, FullLoad}


def unknown_in_the_spec(pod):
    pod["spec"]["terminationGracePeriod"] = 30


def unknown_in_a_container(pod):
    pod["spec"]["containers"][0]["imagePullPolicies"] = "Always"


def unknown_in_a_toleration(pod):
    pod["spec"]["tolerations"] = [{**TAINT, "seconds": 3}]


def wrong_type(pod):
    pod["spec"]["activeDeadlineSeconds"] = "30"


def no_image_name(pod):
    del pod["spec"]["containers"][0]["name"]


@pytest.mark.parametrize(
    "fault", [unknown_in_the_spec, unknown_in_a_container, unknown_in_a_toleration, wrong_type, no_image_name]
)
def test_a_planted_fault_is_found(fault, pods):
    (pod,) = pods({}, ["time"])
    check(pod)
    planted = copy.deepcopy(pod)
    fault(planted)
    for version in VERSIONS:
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(planted, version, strict=True)
