"""The checks before the first run: each names a missing part, and passes once that part exists."""

from __future__ import annotations

import asyncio
import json

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from stellar_etl_airflow.bigquery.tables import guard_network
from stellar_etl_airflow.operators.preflight import PreflightTrigger
from stellar_etl_airflow.tasks.build_preflight_tasks import build_preflight_tasks, location_problems
from tests.dags.conftest import KUBECONFIG
from tests.local import emulators

CALLBACK = "stellar_etl_airflow.operators.alerts.report_deadline"


@pytest.fixture
def run(make_context):
    """Run one of the tasks; return its context and result."""

    def run(task_id):
        (task,) = [task for task in build_preflight_tasks() if task.task_id == task_id]
        context = make_context(task_id)
        task.pre_execute(context)
        return task.execute(context)

    return run


def test_all_variables_are_read_and_each_problem_is_named(airflow_environment, run):
    run("check_variables")
    airflow_environment(price_per_tib=None, coverage_days="many")
    with pytest.raises(AirflowFailException) as found:
        run("check_variables")
    assert "2 problems" in str(found.value)
    assert "'price_per_tib' is not set" in str(found.value)
    assert "'coverage_days'" in str(found.value)


def test_datasets_and_bucket_must_exist_and_belong_to_the_network(
    warehouse_environment, client, bucket, run, monkeypatch
):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.url)
    warehouse_environment(gcs_exported_data_bucket_name=emulators.BUCKET)
    exports = emulators.storage_client(bucket).get_bucket(emulators.BUCKET)
    exports.lifecycle_rules = [{"action": {"type": "Delete"}, "condition": {"age": 30}}]
    exports.patch()
    run("check_datasets_and_bucket")
    exports.clear_lifecycle_rules()
    exports.patch()
    with pytest.raises(AirflowFailException, match="1 problems:\nbucket gs://.* deletes no old exports"):
        run("check_datasets_and_bucket")
    guard_network(client, "local.stellar", "another network")
    warehouse_environment(gcs_exported_data_bucket_name="nowhere", public_dataset="not_there")
    with pytest.raises(AirflowFailException) as found:
        run("check_datasets_and_bucket")
    assert "3 problems" in str(found.value)
    assert "dataset local.stellar has ledgers of another network" in str(found.value)
    assert "dataset local.not_there does not exist" in str(found.value)
    assert "bucket gs://nowhere does not exist" in str(found.value)


def test_a_bucket_must_have_the_location_of_the_datasets():
    assert location_problems("b", "EU", ["eu"]) == []
    assert location_problems("b", "EU", ["us"]) == [
        "bucket gs://b is in eu, but a dataset is in us: use one location for both"
    ]


def looked(trigger: PreflightTrigger) -> list[str]:
    """Return the findings of a trigger, created from its serialized form as in the triggerer."""
    path, arguments = trigger.serialize()
    assert path == "stellar_etl_airflow.operators.preflight.PreflightTrigger"

    async def look():
        return await anext(PreflightTrigger(**json.loads(json.dumps(arguments))).run())

    return asyncio.run(look()).payload["problems"]


def connection(monkeypatch, **extra):
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps({"conn_type": "kubernetes", "extra": extra}))


def test_the_triggerer_reports_missing_parts(monkeypatch):
    connection(monkeypatch, kube_config=json.dumps(KUBECONFIG))
    assert looked(PreflightTrigger(CALLBACK, "kubernetes_default", None)) == []
    assert looked(PreflightTrigger(CALLBACK, None, None)) == []
    (problem,) = looked(PreflightTrigger("not_here.report", None, None))
    assert "can't import not_here.report" in problem
    connection(monkeypatch, kube_config_path="/home/airflow/gcs/data/stellar-etl/kubeconfig")
    (problem,) = looked(PreflightTrigger(CALLBACK, "kubernetes_default", None))
    assert "instead of `kube_config_path`" in problem
    plugin = {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "no-such-plugin"}}
    lacking = {**KUBECONFIG, "users": [{"name": "c", "user": plugin}]}
    connection(monkeypatch, kube_config=json.dumps(lacking))
    (problem,) = looked(PreflightTrigger(CALLBACK, "kubernetes_default", None))
    assert "no-such-plugin" in problem


def test_the_task_defers_to_the_triggerer_and_fails_with_the_missing_parts(airflow_environment, make_context, run):
    with pytest.raises(TaskDeferred) as left:
        run("check_triggerer")
    assert left.value.trigger.serialize()[1]["callback"] == CALLBACK
    (task,) = [task for task in build_preflight_tasks() if task.task_id == "check_triggerer"]
    task.report(make_context("check_triggerer"), {"problems": []})
    with pytest.raises(AirflowFailException, match="1 problems:\nthe triggerer"):
        task.report(make_context("check_triggerer"), {"problems": ["the triggerer lacks something"]})


def test_the_image_runs_in_a_pod(start, pods, capsys):
    (task,) = [task for task in build_preflight_tasks() if task.task_id == "run_image"]
    task, context = start(task)
    assert task.execute(context) is None
    assert "stellar-etl 0." in capsys.readouterr().out
