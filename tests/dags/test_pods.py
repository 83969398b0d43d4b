"""The pods that the tasks ask for: what runs in them, where, and what becomes of them."""

from __future__ import annotations

import csv
import json

import pytest
from airflow.sdk.exceptions import AirflowException

from stellar_etl_airflow.batch import ExportAttempt
from stellar_etl_airflow.build_export_task import ATTEMPT_ANNOTATION, build_export_task
from stellar_etl_airflow.build_time_task import build_time_task
from stellar_etl_airflow.settings import SettingsError
from stellar_etl_airflow.tables import LEDGERS, OPERATIONS

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "c", "user": {}}],
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
}


@pytest.fixture
def pod_of(airflow_environment, make_context, monkeypatch, tmp_path):
    """The pod that a task would create, as the Kubernetes API would get it; no cluster is asked."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(KUBECONFIG))
    monkeypatch.setenv(
        "AIRFLOW_CONN_KUBERNETES_DEFAULT",
        json.dumps({"conn_type": "kubernetes", "extra": {"kube_config_path": str(kubeconfig)}}),
    )

    def pod_of(task, params=None, **changes):
        context = make_context(task.task_id, params, **changes)
        task.pre_execute(context)
        task.name = task._set_name(task.name)
        pod = task.build_pod_request_obj(context).to_dict()
        return pod, pod["spec"]["containers"][0]

    make_context.xcoms["get_ledger_range_from_times", "return_value"] = {"start": 100, "end": 220}
    return pod_of


def option(arguments, name):
    return arguments[arguments.index(name) + 1]


def test_the_time_pod_asks_for_the_data_interval(pod_of):
    _, container = pod_of(build_time_task())
    assert container["command"] == ["stellar-etl"]
    assert container["args"][0] == "get_ledger_range_from_times"
    assert option(container["args"], "--start-time") == "2026-01-01T00:10:00+00:00"
    assert option(container["args"], "--end-time") == "2026-01-01T00:20:00+00:00"
    assert option(container["args"], "--output") == "/airflow/xcom/return.json"


def test_the_time_pod_asks_for_the_times_of_the_params(pod_of):
    params = {"start_time": "2020-07-28T00:10:40Z", "end_time": "2020-07-28T00:11:01Z"}
    _, container = pod_of(build_time_task(), params)
    assert option(container["args"], "--start-time") == "2020-07-28T00:10:40+00:00"


def test_a_run_by_ledgers_starts_no_pod(airflow_environment, make_context):
    task = build_time_task()
    context = make_context(task.task_id, {"start_ledger": 7, "end_ledger": 9})
    task.pre_execute(context)
    assert task.execute(context) == {"start": 7, "end": 10}


def test_the_export_pod_reads_each_ledger_once_for_all_tables(pod_of):
    pod, container = pod_of(build_export_task((LEDGERS, OPERATIONS)))
    arguments = container["args"]
    attempt = ExportAttempt.from_json(json.loads(pod["metadata"]["annotations"][ATTEMPT_ANNOTATION]))
    assert arguments[0] == "export_all_history"
    assert (option(arguments, "--start-ledger"), option(arguments, "--end-ledger")) == ("100", "219")
    assert option(arguments, "--types") == "ledgers,operations"
    assert option(arguments, "--file-names") == "ledgers=ledgers.txt,operations=operations.txt"
    assert option(arguments, "--output") == attempt.prefix
    assert option(arguments, "--cloud-storage-bucket") == "my-project-stellar-etl"
    assert option(arguments, "--datastore-path") == "gs://my-project-ledgers/pubnet"
    assert len(pod["spec"]["containers"]) == 1, "nothing comes out of an export pod but its files"


def test_every_row_says_which_run_brought_it(pod_of):
    run_id = 'manual, "quoted"'
    _, container = pod_of(build_export_task((LEDGERS,)), run_id=run_id)
    (pairs,) = csv.reader([option(container["args"], "--extra-fields")])
    fields = dict(pair.split("=", 1) for pair in pairs)
    assert fields["batch_id"] == run_id
    assert fields["batch_run_date"] == "2026-01-01T00:10:00"
    assert fields["batch_insert_ts"].endswith("Z")


def test_what_a_user_types_stays_one_argument(pod_of, airflow_environment):
    path = "gs://bucket/a b; rm -rf / $(whoami) {{ ds }}"
    airflow_environment(txmeta_datastore_path=path)
    _, container = pod_of(build_export_task((LEDGERS,)))
    assert option(container["args"], "--datastore-path") == path
    assert container["command"] == ["stellar-etl"]


def test_every_attempt_writes_below_a_prefix_of_its_own(pod_of):
    prefixes = {option(pod_of(build_export_task((LEDGERS,)))[1]["args"], "--output") for _ in range(3)}
    assert len(prefixes) == 3


def test_the_variables_say_where_and_how_pods_run(pod_of, airflow_environment):
    airflow_environment(
        image_name="registry.example/etl:7",
        image_pull_policy="Always",
        namespace="a",
        k8s_namespace="b",
        k8s_service_account="etl",
        resources={"build_export_task": {"requests": {"memory": "3Gi"}, "limits": {"memory": "4Gi"}}},
        task_timeout={"build_export_task": 99},
        use_testnet=True,
    )
    pod, container = pod_of(build_export_task((LEDGERS,)))
    assert pod["metadata"]["namespace"] == "b"
    assert container["image"] == "registry.example/etl:7"
    assert container["image_pull_policy"] == "Always"
    assert container["resources"]["requests"] == {"memory": "3Gi"}
    assert pod["spec"]["service_account_name"] == "etl"
    assert pod["spec"]["active_deadline_seconds"] == 99
    assert pod["spec"]["termination_grace_period_seconds"] == 30
    assert "--testnet" in container["args"]
    terms = pod["spec"]["affinity"]["node_affinity"]["required_during_scheduling_ignored_during_execution"]
    assert terms["node_selector_terms"][0]["match_expressions"][0]["values"] == ["etl-pool"]


def test_pods_have_no_fixed_name(pod_of):
    names = {pod_of(build_export_task((LEDGERS,)))[0]["metadata"]["name"] for _ in range(2)}
    assert len(names) == 2


def test_a_missing_variable_is_named_before_a_pod_starts(pod_of, airflow_environment):
    airflow_environment(image_name=None)
    with pytest.raises(SettingsError, match="'image_name' is not set"):
        pod_of(build_time_task())


def test_an_export_without_its_range_names_the_task_to_run(pod_of, make_context):
    make_context.xcoms.clear()
    with pytest.raises(AirflowException, match="task 'get_ledger_range_from_times' left no result"):
        pod_of(build_export_task((LEDGERS,)))


def test_a_killed_task_fails(pod_of):
    task = build_export_task((LEDGERS,))
    task.on_kill()
    with pytest.raises(AirflowException, match="killed"):
        task.cleanup(None, None)


def test_a_pod_whose_result_was_lost_fails_the_task():
    with pytest.raises(AirflowException, match="its result is lost"):
        build_time_task()._checked(None)
