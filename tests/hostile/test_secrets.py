"""Secrets of a worker, and the places where they must not appear."""

from __future__ import annotations

import json
import logging
import os

import pytest
from airflow.sdk.configuration import clear_secrets_backends_cache
from airflow.sdk.exceptions import AirflowException

from stellar_etl_airflow.model.tables import LEDGERS, OPERATIONS
from stellar_etl_airflow.operators.pods import KEY_ITEM, KEY_SECRET
from stellar_etl_airflow.tasks.build_export_task import build_export_task, build_verify_task
from stellar_etl_airflow.tasks.build_time_task import build_time_task
from tests import listener
from tests.local import emulators
from tests.local.cluster_server import NAMESPACE

TABLES = (LEDGERS, OPERATIONS)
SECRET = "7-only-in-secrets-7"
PREFIX = "as-the-backend-says"
POD_SECRETS = {"AN_API_TOKEN": {"secret": "exporter", "key": "token"}}


@pytest.fixture
def planted(start, airflow_environment, monkeypatch, tmp_path, cluster):
    """Place a secret in the Google connection and `sentry_dsn` of a secrets backend, and in other sources.

    The other sources are a key file, the worker's environment, and two Kubernetes secrets.
    """
    key = tmp_path / "key.json"
    key.write_text(json.dumps({"type": "service_account", "private_key": SECRET}))
    google, kubernetes = "GOOGLE_CLOUD_PLATFORM_CONNECTION", "KUBERNETES_DEFAULT"
    connections = {name.lower(): json.loads(os.environ[f"AIRFLOW_CONN_{name}"]) for name in (google, kubernetes)}
    connections[google.lower()]["password"] = SECRET
    connections[google.lower()]["extra"]["a_secret_of_the_connection"] = SECRET
    variables = {"sentry_dsn": f"http://{SECRET}@127.0.0.1:9/7", "gcs_exported_object_prefix": PREFIX}
    secrets_backend(monkeypatch, tmp_path, variables, connections)
    airflow_environment(**dict.fromkeys(variables), api_key_path=str(key), pod_secrets=POD_SECRETS)
    for name in (google, kubernetes):
        monkeypatch.delenv(f"AIRFLOW_CONN_{name}")
    monkeypatch.setenv("A_SECRET_OF_THE_WORKER", SECRET)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
    secrets = {KEY_SECRET: {KEY_ITEM: json.dumps({"private_key": SECRET})}, "exporter": {"token": SECRET}}
    for name, data in secrets.items():
        cluster.api.create_namespaced_secret(NAMESPACE, {"metadata": {"name": name}, "stringData": data})
    yield
    for name in secrets:
        cluster.api.delete_namespaced_secret(name, NAMESPACE)
    clear_secrets_backends_cache()  # Airflow keeps a custom backend as long as the process lives


def secrets_backend(monkeypatch, folder, variables, connections):
    """Airflow's backend of files, in place of Secret Manager."""
    paths = {}
    for kind, content in (("variables", variables), ("connections", connections)):
        path = folder / f"{kind}.json"
        path.write_text(json.dumps(content))
        paths[f"{kind}_file_path"] = str(path)
    backend = "airflow.secrets.local_filesystem.LocalFilesystemBackend"
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", backend)
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", json.dumps(paths))


def rendered(task):
    return {name: getattr(task, name, None) for name in task.template_fields}


def lineage_events(folder):
    """Return the text of OpenLineage's events."""
    return [path.read_text() for path in folder.glob("event-*.json")]


@pytest.mark.parametrize("path", [None, "/nowhere"])
def test_secrets_appear_nowhere_else(
    planted,
    start,
    airflow_environment,
    make_context,
    cluster,
    bucket,
    caplog,
    capfd,
    monkeypatch,
    tmp_path,
    path,
):
    """The runs are one that succeeds, and one whose pods fail; lineage has all its optional facets."""
    transport = {"type": "file", "log_file_path": str(tmp_path / "event"), "debug_mode": True}
    policy = [{"scope": {}, "controls": {"include_full_task_info": True}}]
    listener.options(monkeypatch, transport=transport, emission_policy=policy, debug_mode="True")
    if path:
        airflow_environment(txmeta_datastore_path=path)
    caplog.set_level(logging.DEBUG)
    watched, seen = [], []
    for build in (build_time_task, lambda: build_export_task(TABLES), lambda: build_verify_task(TABLES)):
        task, context = start(build())
        try:
            result = task.execute(context)
            make_context.xcoms[task.task_id, "return_value"] = result
            listener.notify(task, context)
        except AirflowException as error:
            assert path
            seen.append(str(error))
            listener.notify(task, context, error)
        if getattr(task, "pod", None) is not None:
            watched.append(json.dumps(task.pod.to_dict(), default=str))
        seen.append(repr(rendered(task)))
        if path and task.task_id == "export":
            break
    objects = emulators.storage_client(bucket).bucket(emulators.BUCKET)
    written = [blob.download_as_text() for blob in objects.list_blobs()]
    events = [json.dumps(event.to_dict(), default=str) for event in cluster.api.list_namespaced_event(NAMESPACE).items]
    captured = capfd.readouterr()
    assert len(watched) == 2 and events and (path or written)
    assert all("AN_API_TOKEN" in pod for pod in watched), "the pods' specs are checked"
    assert path or any(blob.name.startswith(f"{PREFIX}/") for blob in objects.list_blobs())
    assert len(lineage_events(tmp_path)) == (4 if path else 6), "each task has a start and an end event"
    places = {
        "logs": [caplog.text, captured.out, captured.err],
        "pods": watched,
        "templates and errors": seen,
        "XComs": [repr(make_context.xcoms)],
        "manifests and rows": written,
        "events": events,
        "lineage": lineage_events(tmp_path),
    }
    found = [place for place, texts in places.items() if any(SECRET in text for text in texts)]
    assert not found
