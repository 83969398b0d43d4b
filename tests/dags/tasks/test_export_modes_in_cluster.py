"""Real operators and exporter give the same rows for every combination of settings.

The combinations: one pod or many, with or without a manifest, bucket or volume.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from stellar_etl_airflow.export.manifest import ManifestError
from stellar_etl_airflow.model.batch import ExportAttempt
from stellar_etl_airflow.model.tables import BATCH_COLUMNS, LEDGERS, OFFERS, OPERATIONS
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.tasks import build_export_task as module
from stellar_etl_airflow.tasks.build_export_task import build_export_task, build_verify_task
from tests.local import emulators
from tests.local.cluster_server import NAMESPACE
from tests.shared import REPO
from tests.waiting import wait_until

TABLES = (OPERATIONS, LEDGERS)
SAMPLE = "Stellar Sample Network ; generated, not real ; 2026"
DERIVED = {"manifest": "derived", "network_passphrase": SAMPLE}
MODES = [
    {},
    pytest.param(DERIVED, marks=pytest.mark.slow),
    pytest.param({"export_mode": "per_type"}, marks=pytest.mark.slow),
    {"export_mode": "per_type", **DERIVED},
]


@pytest.fixture
def objects(bucket):
    return emulators.storage_client(bucket).bucket(emulators.BUCKET)


@pytest.fixture
def volume(tmp_path, airflow_environment):
    """A volume that pods and workers share, and the folder to which finished files are moved."""

    def volume(**changes):
        shared, finished = tmp_path / "shared", tmp_path / "finished"
        for folder in (shared, finished):
            folder.mkdir(exist_ok=True)
        airflow_environment(
            volume_config={"hostPath": {"path": str(shared)}},
            volume_name="exports",
            image_output_path="/data",
            local_output_path=str(shared),
            output_path=str(finished),
        )
        airflow_environment(**changes)
        return shared, finished

    return volume


@pytest.fixture
def run(start):
    """Run a task to its end; return its result."""

    def run(task, **changes):
        task, context = start(task, **changes)
        return task.execute(context)

    return run


def attempt_left(make_context):
    return ExportAttempt.from_json(make_context.xcoms["export", "attempt"])


def rows(objects, attempt, tables=TABLES):
    """Return the exported rows of each table, without the columns of the load."""
    found = {}
    for table in tables:
        lines = objects.blob(attempt.object_name(f"{table.data_type}.txt")).download_as_text().split("\n")
        parsed = [json.loads(line) for line in lines if line]
        assert all(row["batch_insert_ts"] == attempt.started_at for row in parsed)
        found[table.data_type] = [{k: v for k, v in row.items() if k not in BATCH_COLUMNS} for row in parsed]
    return found


@pytest.fixture(scope="module")
def expected(lake, tmp_path_factory):
    """Return the exporter's own output."""
    folder = tmp_path_factory.mktemp("expected")
    command = ["export_all_history", "-s", "9", "-e", "26", "--datastore-path", str(lake), "-o", str(folder)]
    subprocess.run([Path(sys.executable).with_name("stellar-etl"), *command], check=True, capture_output=True)
    return {
        table.data_type: [
            json.loads(line) for line in (folder / f"9-26-{table.data_type}.txt").read_text().split("\n") if line
        ]
        for table in TABLES
    }


@pytest.mark.parametrize("variables", MODES)
def test_all_settings_give_the_same_rows(variables, run, airflow_environment, make_context, objects, expected, pods):
    airflow_environment(**variables)
    run(build_export_task(TABLES))
    batch = run(build_verify_task(TABLES))
    assert rows(objects, attempt_left(make_context)) == expected
    assert {name: file["rows"] for name, file in batch["files"].items()} == {
        name: len(found) for name, found in expected.items()
    }
    assert batch["network_passphrase"] == SAMPLE
    assert (batch["ledgers"], batch["first_closed_at"], batch["last_closed_at"]) == (
        18,
        expected["ledgers"][0]["closed_at"],
        expected["ledgers"][-1]["closed_at"],
    )
    wait_until(lambda: not pods(), "pods are left")


@pytest.mark.parametrize("variables", MODES)
def test_history_and_changes_of_one_attempt_become_one_batch(
    variables, run, airflow_environment, make_context, objects, expected
):
    airflow_environment(**variables)
    tables = (*TABLES, OFFERS)
    run(build_export_task(tables))
    batch = run(build_verify_task(tables))
    found = rows(objects, attempt_left(make_context), tables)
    assert {name: found[name] for name in expected} == expected
    assert found["offers"]
    assert {name: file["rows"] for name, file in batch["files"].items()} == {
        name: len(some) for name, some in found.items()
    }


@pytest.mark.parametrize("mode", ["one_pass", "per_type"])
def test_headers_are_exported_for_the_row_count_and_never_loaded(mode, run, airflow_environment, make_context, objects):
    airflow_environment(manifest="derived", network_passphrase=SAMPLE, export_mode=mode)
    run(build_export_task((OPERATIONS,)))
    assert run(build_verify_task((OPERATIONS,)))["files"].keys() == {"operations"}
    blob = objects.blob(attempt_left(make_context).object_name("operations.txt"))
    blob.upload_from_string(blob.download_as_bytes().split(b"\n", 1)[1])
    with pytest.raises(AirflowFailException, match="1 rows are missing in the export .*: 1 operations of ledgers 9"):
        run(build_verify_task((OPERATIONS,)))


def test_without_a_manifest_the_network_comes_from_the_variables(run, airflow_environment):
    airflow_environment(manifest="derived")
    run(build_export_task((LEDGERS,)))
    airflow_environment(use_futurenet=True)
    assert run(build_verify_task((LEDGERS,)))["network_passphrase"] == "Test SDF Future Network ; October 2022"


def test_network_passphrase_refuses_another_network(run, airflow_environment):
    run(build_export_task((LEDGERS,)))
    airflow_environment(network_passphrase="Another Network")
    with pytest.raises(AirflowFailException, match=f"of the network '{SAMPLE}', but .* is 'Another Network'"):
        run(build_verify_task((LEDGERS,)))


@pytest.mark.parametrize(
    ("manifest", "mode", "suffix"), [("required", "per_type", ".manifest.json"), ("derived", "one_pass", "")]
)
def test_a_missing_file_is_named(manifest, mode, suffix, run, airflow_environment, make_context, objects):
    airflow_environment(manifest=manifest, export_mode=mode)
    run(build_export_task(TABLES))
    objects.blob(attempt_left(make_context).object_name("operations.txt") + suffix).delete()
    with pytest.raises(ManifestError, match=rf"9-26-operations\.txt{suffix}: the export pod ended too early"):
        run(build_verify_task(TABLES))


# Tries --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def per_type(airflow_environment):
    airflow_environment(export_mode="per_type")


def broken(task, context, after):
    """Run a try that is lost after the given number of its pods has ended."""
    for step in task.begin(context)[:after]:
        task.take(step)
        task.execute_sync(context)


def steps_of(task, context):
    return [step.name for step in task.begin(context)]


def test_a_retry_skips_types_that_are_done(per_type, start, run, make_context, objects, expected):
    broken(*start(build_export_task(TABLES)), after=1)
    attempt = attempt_left(make_context)
    generations = {blob.name: blob.generation for blob in objects.list_blobs(prefix=attempt.prefix)}
    assert len(generations) == 2
    assert steps_of(*start(build_export_task(TABLES), try_number=2)) == ["ledgers"]
    run(build_export_task(TABLES), try_number=2)
    assert attempt_left(make_context) == attempt
    assert rows(objects, attempt) == expected
    now = {blob.name: blob.generation for blob in objects.list_blobs(prefix=attempt.prefix)}
    assert generations.items() <= now.items()
    run(build_verify_task(TABLES))


def test_a_failed_pod_is_retried_in_the_same_attempt(per_type, start, run, make_context, lake, objects):
    task, context = start(build_export_task(TABLES))
    first, second = task.begin(context)
    task.take(first)
    task.execute_sync(context)
    task.take(second)
    task.arguments[task.arguments.index("--datastore-path") + 1] = "/nowhere"
    with pytest.raises(AirflowException, match="/nowhere does not exist"):
        task.execute_sync(context)
    attempt = attempt_left(make_context)
    assert steps_of(*start(build_export_task(TABLES), try_number=2)) == ["ledgers"]
    assert attempt_left(make_context) == attempt


def test_files_made_with_other_variables_are_not_reused(per_type, start, make_context, airflow_environment):
    broken(*start(build_export_task(TABLES)), after=1)
    attempt = attempt_left(make_context)
    for changes in ({"use_captive_core": True}, {"image_name": "tools:2"}, {"manifest": "derived"}):
        airflow_environment(**changes)
        assert steps_of(*start(build_export_task(TABLES), try_number=2)) == ["operations", "ledgers"]
        assert attempt_left(make_context).prefix != attempt.prefix


def test_a_cleared_task_exports_the_range_again(per_type, start, make_context):
    broken(*start(build_export_task(TABLES)), after=2)
    attempt = attempt_left(make_context)
    assert len(steps_of(*start(build_export_task(TABLES), try_number=2))) == 2
    assert attempt_left(make_context) != attempt


def begin_pod(task, context, place=0):
    """Run a try until it has created or found a pod, then abandon it."""
    task.take(task.begin(context)[place])
    return task.get_or_create_pod(task.build_pod_request_obj(context), context).metadata.name


@pytest.mark.parametrize("ended", [False, True])
def test_a_try_continues_with_the_pod_of_a_lost_try(per_type, ended, start, run, make_context, cluster, pods):
    broken(*start(build_export_task(TABLES)), after=1)
    name = begin_pod(*start(build_export_task(TABLES)))
    attempt = attempt_left(make_context)
    if ended:
        cluster.wait_for(name, "Succeeded")
    assert steps_of(*start(build_export_task(TABLES), try_number=2)) == ["ledgers"]
    assert begin_pod(*start(build_export_task(TABLES), try_number=2)) == name
    run(build_export_task(TABLES), try_number=3)
    assert attempt_left(make_context) == attempt
    assert run(build_verify_task(TABLES))["ledgers"] == 18
    wait_until(lambda: not pods(), "pods are left")


def test_the_pod_of_another_attempt_is_deleted(per_type, start, run, cluster, airflow_environment, make_context):
    name = begin_pod(*start(build_export_task(TABLES)))
    airflow_environment(use_captive_core=True)
    run(build_export_task(TABLES), try_number=2)
    assert run(build_verify_task(TABLES))["ledgers"] == 18
    wait_until(lambda: cluster.is_gone(name), "the other pod is left")


def test_a_retry_does_not_continue_while_a_pod_is_ending(per_type, start, make_context, cluster):
    task, context = start(build_export_task(TABLES))
    broken(task, context, after=1)
    attempt = attempt_left(make_context)
    labels = task.build_pod_request_obj(context).metadata.labels
    script = "trap '' TERM; while true; do sleep 1; done"
    name = cluster.create("sh", "-c", script, metadata={"labels": labels})
    cluster.wait_for(name, "Running")
    cluster.api.delete_namespaced_pod(name, NAMESPACE, grace_period_seconds=60)
    assert len(steps_of(*start(build_export_task(TABLES), try_number=2))) == 2
    assert attempt_left(make_context) != attempt
    cluster.api.delete_namespaced_pod(name, NAMESPACE, grace_period_seconds=0)


def test_a_task_that_is_killed_between_two_pods_starts_no_other_pod(per_type, start, pods):
    task, context = start(build_export_task(TABLES))
    task.on_kill()
    with pytest.raises(AirflowException, match="was killed"):
        task.execute(context)
    assert not pods()


def event_of(trigger):
    """Return the first event of a trigger, as the triggerer does."""

    async def first():
        return await anext(trigger.run())

    return asyncio.run(first()).payload


def deferred(task, context):
    """Run a deferrable task as Airflow does, with a new operator per deferral; return the number of deferrals."""
    task.deferrable = True
    context["ti"].start_date = datetime.now(UTC)
    try:
        task.execute(context)
    except TaskDeferred as left:
        trigger, times = left.trigger, 1
    while True:
        event = event_of(trigger)
        task = build_export_task(TABLES)
        task.deferrable = True
        task.pre_execute(context)
        try:
            task.trigger_reentry(context, event)
        except TaskDeferred as left:
            trigger, times = left.trigger, times + 1
        else:
            return times


def test_in_deferrable_mode_the_task_defers_for_each_pod(per_type, start, run, make_context, objects, expected, pods):
    assert deferred(*start(build_export_task(TABLES))) == 2
    assert rows(objects, attempt_left(make_context)) == expected
    assert run(build_verify_task(TABLES))["ledgers"] == 18
    wait_until(lambda: not pods(), "pods are left")


def test_variables_that_change_during_a_deferred_pod_end_the_try(per_type, start, airflow_environment):
    task, context = start(build_export_task(TABLES))
    task.deferrable = True
    context["ti"].start_date = datetime.now(UTC)
    with pytest.raises(TaskDeferred) as left:
        task.execute(context)
    event = event_of(left.value.trigger)
    airflow_environment(use_captive_core=True)
    task, _ = start(build_export_task(TABLES))
    with pytest.raises(AirflowException, match="Variables of the export changed"):
        task.trigger_reentry(context, event)


# Volume -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variables", [MODES[0], MODES[3]])
def test_files_on_a_volume_are_verified_and_copied_to_the_bucket(
    variables, volume, run, make_context, objects, expected, tmp_path
):
    shared, finished = volume(**variables)
    with subprocess.Popen(
        ["bash", str(REPO / "poststart.sh"), str(shared), str(finished)],
        env={"PATH": "/usr/bin:/bin", "STELLAR_ETL_QUIET_SECONDS": "1", "STELLAR_ETL_POLL_SECONDS": "0.2"},
        stdout=subprocess.DEVNULL,
    ) as mover:
        try:
            run(build_export_task(TABLES))
            attempt = attempt_left(make_context)
            assert not list(objects.list_blobs(prefix=attempt.prefix))
            batch = run(build_verify_task(TABLES))
        finally:
            mover.terminate()
    assert rows(objects, attempt) == expected
    assert batch["network_passphrase"] == SAMPLE
    assert batch["files"]["ledgers"]["uri"] == f"gs://{emulators.BUCKET}/{attempt.object_name('ledgers.txt')}"
    assert {path.name for path in finished.rglob("*") if path.is_file()} >= {"9-26-ledgers.txt", "9-26-operations.txt"}
    assert not [path for path in shared.rglob("*") if path.is_file()]


def test_local_output_path_is_where_a_retry_finds_finished_files(volume, start, make_context, airflow_environment):
    shared, _ = volume(export_mode="per_type")
    airflow_environment(local_output_path=str(shared))
    broken(*start(build_export_task(TABLES)), after=1)
    attempt = attempt_left(make_context)
    assert steps_of(*start(build_export_task(TABLES), try_number=2)) == ["ledgers"]
    assert attempt_left(make_context) == attempt


def test_files_are_uploaded_from_output_path_unless_they_have_changed(volume, run, make_context, objects):
    shared, _ = volume()
    volume(output_path=str(shared))
    run(build_export_task(TABLES))
    attempt = attempt_left(make_context)
    path = shared / attempt.object_name("operations.txt")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ManifestError, match=r"9-26-operations\.txt has .* bytes"):
        run(build_verify_task(TABLES))
    assert not list(objects.list_blobs(prefix=attempt.prefix))


def test_missing_files_are_reported_with_the_script_that_moves_them(volume, run, monkeypatch):
    monkeypatch.setattr(module, "MOVED_SECONDS", -1)
    volume()
    run(build_export_task(TABLES))
    with pytest.raises(ManifestError, match=r"9-26-ledgers\.txt.*did not arrive in .*poststart\.sh"):
        run(build_verify_task(TABLES))


@pytest.mark.parametrize(
    "source",
    [
        {"persistentVolumeClaim": {"claimname": "x"}},
        {"persistentVolumeClam": {"claimName": "x"}},
        {"hostPath": {"path": "/a", "sort": "Directory"}},
        {"hostPath": {"path": "/a"}, "emptyDir": {}},
        {"hostPath": 7},
    ],
)
def test_an_invalid_kubernetes_volume_is_refused(volume, source, start):
    volume(volume_config=source)
    with pytest.raises(SettingsError, match="'volume_config'"):
        start(build_export_task(TABLES))
