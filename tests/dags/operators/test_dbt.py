"""The pod that builds models of a dbt project."""

from __future__ import annotations

import re

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from kubernetes.client import ApiClient

from stellar_etl_airflow.settings.dbt import DbtSettings
from stellar_etl_airflow.settings.parsing import SettingsError, load
from stellar_etl_airflow.tasks.build_dbt_task import build_dbt_task
from tests.shared import REPO


@pytest.fixture
def task_of(airflow_environment, pod_request):
    """Return a task after `pre_execute`, with its pod as Kubernetes receives it."""

    def task_of(**variables):
        airflow_environment(**variables)
        pod = pod_request(build_dbt_task(["transfers_daily", "tag:stellar"]), {})
        return ApiClient().sanitize_for_serialization(pod)

    return task_of


def test_the_pod_builds_the_selected_models_with_the_settings_of_the_variables(task_of):
    pod = task_of(dbt_image_name="registry/dbt:1", dbt_dataset="models", bq_project="p", bq_dataset="stellar")
    (container,) = pod["spec"]["containers"]
    assert (container["image"], container["command"]) == ("registry/dbt:1", ["dbt"])
    assert container["args"] == ["build", "--fail-fast", "--select", "transfers_daily", "tag:stellar"]
    given = {one["name"]: one["value"] for one in container["env"]}
    assert (given["DBT_PROJECT"], given["DBT_SOURCE_DATASET"], given["DBT_DATASET"]) == ("p", "stellar", "models")
    assert given["DBT_FROM_DAY"] == "2025-12-30", "two days before the run was due"


def test_the_dbt_project_reads_the_environment_of_the_pod(task_of):
    pod = task_of(dbt_image_name="registry/dbt:1", dbt_dataset="models")
    given = {one["name"] for one in pod["spec"]["containers"][0]["env"]}
    text = "".join(path.read_text() for path in (REPO / "dbt").rglob("*") if path.suffix in (".yml", ".sql"))
    read = {*re.findall(r"""env_var\(['"](\w+)['"]""", text)}
    assert read - given == {"DBT_TARGET", "DBT_API_ENDPOINT"}, "those of a laptop"


def test_without_an_image_the_task_is_skipped_and_incomplete_settings_are_refused(task_of):
    with pytest.raises(AirflowSkipException, match="'dbt_image_name' is empty"):
        task_of()
    with pytest.raises(SettingsError, match="'dbt_image_name' is set and 'dbt_dataset' is not"):
        load(DbtSettings, {"dbt_image_name": "x", "dbt_dataset": ""}.get)
