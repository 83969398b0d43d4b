"""The pods of the tasks: commands, settings and results."""

from __future__ import annotations

import csv
import json
import os

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from stellar_etl_airflow.export.exports import FullLoad
from stellar_etl_airflow.model.batch import ExportAttempt
from stellar_etl_airflow.model.tables import ACCOUNTS, LEDGERS, OPERATIONS, SIGNERS, TOKEN_TRANSFERS
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.pods import SHIPPED_IMAGE
from stellar_etl_airflow.tasks.build_export_task import ATTEMPT_ANNOTATION, STEP_ANNOTATION, build_export_task
from stellar_etl_airflow.tasks.build_time_task import build_time_task


def option(arguments, name):
    return arguments[arguments.index(name) + 1]


def test_the_time_pod_uses_the_data_interval(pod_of):
    _, container = pod_of(build_time_task())
    assert container["command"] == ["stellar-etl"]
    assert container["args"][0] == "get_ledger_range_from_times"
    assert option(container["args"], "--start-time") == "2026-01-01T00:10:00+00:00"
    assert option(container["args"], "--end-time") == "2026-01-01T00:20:00+00:00"
    assert option(container["args"], "--output") == "/airflow/xcom/return.json"


def test_the_time_pod_uses_the_times_of_the_params(pod_of):
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
    assert len(pod["spec"]["containers"]) == 1, "an export pod returns no result"


def test_every_row_has_the_id_of_its_run(pod_of):
    run_id = 'manual, "quoted"'
    _, container = pod_of(build_export_task((LEDGERS,)), run_id=run_id)
    (pairs,) = csv.reader([option(container["args"], "--extra-fields")])
    fields = dict(pair.split("=", 1) for pair in pairs)
    assert fields["batch_id"] == run_id
    assert fields["batch_run_date"] == "2026-01-01T00:10:00"
    assert fields["batch_insert_ts"].endswith("Z")


def test_text_of_a_user_stays_one_argument(pod_of, airflow_environment):
    path = "gs://bucket/a b; rm -rf / $(whoami) {{ ds }}"
    airflow_environment(txmeta_datastore_path=path)
    _, container = pod_of(build_export_task((LEDGERS,)))
    assert option(container["args"], "--datastore-path") == path.replace("$", "$$"), "Kubernetes reads $$ as $"
    assert container["command"] == ["stellar-etl"]


def test_every_attempt_writes_below_a_separate_prefix(pod_of):
    prefixes = {option(pod_of(build_export_task((LEDGERS,)))[1]["args"], "--output") for _ in range(3)}
    assert len(prefixes) == 3


def test_the_variables_set_where_and_how_pods_run(pod_of, airflow_environment):
    airflow_environment(
        image_name="registry.example/etl:7",
        image_pull_policy="Always",
        namespace="a",
        k8s_namespace="b",
        k8s_service_account="etl",
        resources={"build_export_task": {"requests": {"memory": "3Gi"}, "limits": {"memory": "4Gi"}}},
        task_timeout={"build_export_task": 99},
        tolerations=[{"key": "dedicated", "value": "etl", "effect": "NoExecute", "tolerationSeconds": 9}],
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
    (toleration,) = sanitized(pod["spec"]["tolerations"])
    assert toleration == {
        "key": "dedicated",
        "operator": "Equal",
        "value": "etl",
        "effect": "NoExecute",
        "toleration_seconds": 9,
    }


TERM = {"topologyKey": "kubernetes.io/hostname"}


@pytest.mark.parametrize(
    "affinity",
    [
        {"nodeAffinty": {}},
        {"nodeAffinity": {"requiredDuringScheduling": {"nodeSelectorTerms": []}}},
        {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}},
        {
            "podAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": "1", "podAffinityTerm": TERM}]
            }
        },
    ],
    ids=["the kind", "a part", "a part is missing", "a type"],
)
def test_an_affinity_that_kubernetes_would_drop_is_refused(affinity, pod_of, airflow_environment):
    airflow_environment(affinity=affinity)
    with pytest.raises(SettingsError, match="'affinity' must be an affinity as in a pod's spec"):
        pod_of(build_time_task())


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
    with pytest.raises(AirflowException, match="its result was lost"):
        build_time_task()._checked(None)


def test_the_time_pod_finds_the_lake_by_its_environment_variables(pod_of):
    """The Go program's command has no option for the lake."""
    _, container = pod_of(build_time_task())
    assert "--datastore-path" not in container["args"]
    assert environment(container) == {"STELLAR_ETL_DATASTORE_PATH": "gs://my-project-ledgers/pubnet"}


def sanitized(value):
    """Return the dict without unset values."""
    return [{key: part for key, part in item.items() if part is not None} for item in value]


def environment(container):
    return {variable["name"]: variable["value"] for variable in container["env"] or []}


# The options of the Go program's export commands, and of its command for times.
GO_EXPORT = {
    "--start-ledger", "--end-ledger", "--output", "--extra-fields", "--cloud-provider", "--cloud-storage-bucket",
    "--datastore-path", "--captive-core", "--testnet", "--futurenet", "--strict-export",
}  # fmt: skip
GO_TIMES = {"--start-time", "--end-time", "--output", "--testnet", "--futurenet"}


def options(arguments):
    return {argument for argument in arguments if argument.startswith("--")}


def test_export_mode_per_type_exports_one_table_per_pod_with_the_go_programs_options(pod_of, airflow_environment):
    airflow_environment(export_mode="per_type", manifest="derived", use_captive_core=True, use_testnet=True)
    commands = {}
    for table in (LEDGERS, OPERATIONS, TOKEN_TRANSFERS):
        pod, container = pod_of(build_export_task((table,)))
        attempt = ExportAttempt.from_json(json.loads(pod["metadata"]["annotations"][ATTEMPT_ANNOTATION]))
        assert options(container["args"]) <= GO_EXPORT
        assert option(container["args"], "--output") == attempt.object_name(f"{table.data_type}.txt")
        commands[table.data_type] = container["args"][0]
    assert commands == {
        "ledgers": "export_ledgers",
        "operations": "export_operations",
        "token_transfers": "export_token_transfer",
    }
    _, container = pod_of(build_time_task())
    assert options(container["args"]) <= GO_TIMES


def test_export_mode_per_type_runs_one_pod_per_table_in_sequence(pod_of, airflow_environment):
    airflow_environment(export_mode="per_type")
    task = build_export_task((LEDGERS, OPERATIONS))
    pod, _ = pod_of(task)
    assert pod["metadata"]["annotations"][STEP_ANNOTATION] == "ledgers"
    steps = task.export.steps(task.attempt)
    assert [step.name for step in steps] == ["ledgers", "operations"]
    task.take(steps[1])
    pod = task.build_pod_request_obj(None)
    assert pod.spec.containers[0].args[0] == "export_operations"
    assert pod.metadata.annotations[STEP_ANNOTATION] == "operations"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {"changes": ["3-4-manifest.json"], "all": ["3-4-history-manifest.json"]}),
        ({"manifest": "derived"}, {"changes": [], "all": []}),
        (
            {"export_mode": "per_type"},
            {
                "changes": ["3-4-manifest.json"],
                "ledgers": ["3-4-ledgers.txt.manifest.json"],
                "operations": ["3-4-operations.txt.manifest.json"],
            },
        ),
    ],
)
def test_history_and_changes_are_exported_by_separate_pods_with_separate_manifests(
    variables, expected, pod_of, airflow_environment
):
    airflow_environment(**variables)
    task = build_export_task((LEDGERS, ACCOUNTS, OPERATIONS))
    pod_of(task, {"start_ledger": 3, "end_ledger": 4})
    steps = {step.name: step for step in task.export.steps(task.attempt)}
    assert {name: [path.split("/")[-1] for path in step.manifests] for name, step in steps.items()} == expected
    if history := steps.get("all"):
        assert history.arguments[0] == "export_all_history"
        assert option(history.arguments, "--types") == "ledgers,operations"
        assert ("--manifest-name" in history.arguments) == bool(history.manifests)


def test_an_export_of_history_only_names_no_manifest(pod_of):
    task = build_export_task((LEDGERS, OPERATIONS))
    pod_of(task)
    (step,) = task.export.steps(task.attempt)
    assert "--manifest-name" not in step.arguments
    assert step.manifests == (task.attempt.manifest_object,)


@pytest.mark.parametrize(
    ("manifest", "allowed", "strict"), [("required", 0, False), ("derived", 0, True), ("derived", 1, False)]
)
def test_manifest_derived_stops_the_exporter_at_a_row_that_cannot_be_exported(
    manifest, allowed, strict, pod_of, airflow_environment
):
    airflow_environment(manifest=manifest, max_failed_transforms=allowed)
    _, container = pod_of(build_export_task((OPERATIONS,)))
    assert ("--strict-export" in container["args"]) == strict
    assert option(container["args"], "--types") == ("operations" if manifest == "required" else "operations,ledgers")


def test_use_captive_core_adds_its_option_to_export_commands_only(pod_of, airflow_environment):
    assert "--captive-core" not in pod_of(build_export_task((LEDGERS,)))[1]["args"]
    airflow_environment(use_captive_core=True)
    assert "--captive-core" in pod_of(build_export_task((LEDGERS,)))[1]["args"]
    assert "--captive-core" not in pod_of(build_time_task())[1]["args"]


@pytest.mark.parametrize(
    ("variables", "flags"),
    [
        ({"use_testnet": True}, ["--testnet"]),
        ({"use_futurenet": True}, ["--futurenet"]),
        ({"use_testnet": True, "use_futurenet": True}, ["--testnet"]),
        ({}, []),
    ],
)
def test_the_network_of_the_variables_reaches_both_pods(variables, flags, pod_of, airflow_environment):
    airflow_environment(**variables)
    for task in (build_time_task(), build_export_task((LEDGERS,))):
        assert [argument for argument in pod_of(task)[1]["args"] if argument in ("--testnet", "--futurenet")] == flags


def test_kubernetes_sidecar_image_is_the_image_of_the_xcom_sidecar(pod_of, airflow_environment):
    pod, _ = pod_of(build_time_task())
    assert pod["spec"]["containers"][1]["image"].startswith("alpine")
    airflow_environment(kubernetes_sidecar_image="registry.example/alpine:3")
    pod, container = pod_of(build_time_task())
    assert pod["spec"]["containers"][1]["image"] == "registry.example/alpine:3"
    assert container["image"] == SHIPPED_IMAGE


def test_api_key_path_mounts_a_secret_and_never_shows_the_key(
    pod_of, airflow_environment, tmp_path, monkeypatch, caplog
):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
    key = tmp_path / "key.json"
    key.write_text('{"private_key": "do not show"}')
    airflow_environment(api_key_path=str(key))
    for task in (build_time_task(), build_export_task((LEDGERS,))):
        pod, container = pod_of(task)
        (volume,) = [volume for volume in pod["spec"]["volumes"] if volume["secret"]]
        assert volume["secret"]["secret_name"] == "stellar-etl-api-key"
        (mount,) = [mount for mount in container["volume_mounts"] if mount["name"] == volume["name"]]
        assert mount["read_only"]
        path = f"{mount['mount_path']}/{volume['secret']['items'][0]['path']}"
        assert environment(container)["GOOGLE_APPLICATION_CREDENTIALS"] == path
        assert "do not show" not in json.dumps(pod, default=str) + caplog.text
        assert os.environ["GOOGLE_APPLICATION_CREDENTIALS"] == str(key)


def test_without_an_api_key_path_pods_use_their_service_account(pod_of):
    pod, container = pod_of(build_export_task((LEDGERS,)))
    assert not pod["spec"]["volumes"]
    assert not container["volume_mounts"]
    assert environment(container) == {}


POD_SECRETS = {"AN_API_TOKEN": {"secret": "exporter", "key": "token"}}


def test_pod_secrets_are_passed_to_pods_by_reference(pod_of, airflow_environment):
    airflow_environment(pod_secrets=POD_SECRETS)
    for task in (build_time_task(), build_export_task((LEDGERS,))):
        _, container = pod_of(task)
        variables = {variable["name"]: variable for variable in container["env"]}
        reference = variables["AN_API_TOKEN"]["value_from"]["secret_key_ref"]
        assert (reference["name"], reference["key"]) == ("exporter", "token")
        assert variables["AN_API_TOKEN"]["value"] is None


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ({"STELLAR_ETL_DATASTORE_PATH": POD_SECRETS["AN_API_TOKEN"]}, r"'pod_secrets'\['STELLAR.* sets .* itself"),
        ({"A=B": POD_SECRETS["AN_API_TOKEN"]}, r"'pod_secrets'\['A=B'\].*match pattern"),
        ({"A": {"secret": "exporter"}}, r"'pod_secrets'\['A'\]\['key'\].*Field required"),
        ({"A": "the secret itself"}, r"'pod_secrets'\['A'\].*valid dictionary"),
    ],
)
def test_invalid_pod_secrets_are_refused(secrets, message, pod_of, airflow_environment):
    airflow_environment(pod_secrets=secrets)
    with pytest.raises(SettingsError, match=message):
        pod_of(build_time_task())


def test_an_api_key_path_that_is_missing_on_the_worker_is_named(pod_of, airflow_environment):
    airflow_environment(api_key_path="/nowhere/key.json")
    with pytest.raises(SettingsError, match="'api_key_path': this worker has no file '/nowhere/key.json'"):
        pod_of(build_export_task((LEDGERS,)))


VOLUME = {
    "volume_config": {"persistentVolumeClaim": {"claimName": "exports"}},
    "volume_name": "etl-data",
    "image_output_path": "/data/",
    "local_output_path": "/mnt/data",
    "output_path": "/mnt/finished",
}


@pytest.mark.parametrize("mode", ["one_pass", "per_type"])
def test_volume_config_volume_name_and_image_output_path_make_pods_write_to_the_volume(
    mode, pod_of, airflow_environment
):
    airflow_environment(export_mode=mode, **VOLUME)
    pod, container = pod_of(build_export_task((LEDGERS,)))
    (volume,), (mount,) = pod["spec"]["volumes"], container["volume_mounts"]
    assert volume["persistent_volume_claim"]["claim_name"] == "exports", VOLUME["volume_config"]
    assert volume["name"] == mount["name"] == VOLUME["volume_name"]
    assert mount["mount_path"] == VOLUME["image_output_path"].rstrip("/")
    assert option(container["args"], "--output").startswith("/data/dag-exported/")
    assert not options(container["args"]) & {"--cloud-provider", "--cloud-storage-bucket"}
    assert "etl-data" not in str(pod_of(build_time_task()))


@pytest.mark.parametrize("key", VOLUME)
def test_an_incomplete_volume_is_refused(key, pod_of, airflow_environment):
    airflow_environment(**{name: value for name, value in VOLUME.items() if name != key})
    with pytest.raises(SettingsError, match=f"and {key!r} is not: set all five and pods write to a volume"):
        pod_of(build_export_task((LEDGERS,)))


@pytest.mark.parametrize("key", ["image_output_path", "local_output_path", "output_path"])
def test_a_path_that_is_not_absolute_is_refused(key, pod_of, airflow_environment):
    airflow_environment(**{**VOLUME, key: "data"})
    with pytest.raises(SettingsError, match=f"{key!r} must be an absolute path, not 'data'"):
        pod_of(build_export_task((LEDGERS,)))


def test_an_empty_volume_config_means_no_volume(pod_of, airflow_environment):
    airflow_environment(volume_config="")
    assert not pod_of(build_export_task((LEDGERS,)))[0]["spec"]["volumes"]


CHECKPOINT = {"checkpoint_ledger": 127}


def test_a_full_load_reads_the_bucket_list_of_its_checkpoint_in_one_pod(pod_of, airflow_environment):
    airflow_environment(export_mode="per_type", manifest="derived", output_file_names={"ledgers": "ledgers.txt"})
    _, container = pod_of(build_export_task((ACCOUNTS, SIGNERS), FullLoad), CHECKPOINT)
    arguments = container["args"]
    assert arguments[0] == "export_bucket_list"
    assert option(arguments, "--end-ledger") == "127"
    assert option(arguments, "--types") == "accounts,signers"
    assert option(arguments, "--cloud-storage-bucket") == "my-project-stellar-etl"
    assert "--datastore-path" not in arguments


def test_history_archive_path_sets_the_archive_of_the_bucket_list(pod_of, airflow_environment):
    _, container = pod_of(build_export_task((ACCOUNTS,), FullLoad), CHECKPOINT)
    assert "--history-archive-path" not in container["args"], "the exporter has the archives of each network"
    airflow_environment(history_archive_path="https://archive.example/pubnet")
    _, container = pod_of(build_export_task((ACCOUNTS,), FullLoad), CHECKPOINT)
    assert option(container["args"], "--history-archive-path") == "https://archive.example/pubnet"


def test_a_ledger_that_is_not_a_checkpoint_is_refused_before_a_pod_starts(pod_of):
    with pytest.raises(AirflowFailException, match="100 is not a checkpoint; the nearest: 63 and 127"):
        pod_of(build_export_task((ACCOUNTS,), FullLoad), {"checkpoint_ledger": 100})
