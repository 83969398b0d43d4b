"""Secrets that a worker knows, and where they must not turn up."""

from __future__ import annotations

import json
import logging
import os

import pytest
from airflow.sdk.exceptions import AirflowException

from stellar_etl_airflow.build_export_task import build_export_task, build_verify_task
from stellar_etl_airflow.build_time_task import build_time_task
from stellar_etl_airflow.pods import KEY_ITEM, KEY_SECRET
from stellar_etl_airflow.tables import LEDGERS, OPERATIONS
from tests.local import emulators
from tests.local.cluster import NAMESPACE

TABLES = (LEDGERS, OPERATIONS)
SECRET = "7-only-in-secrets-7"


@pytest.fixture
def planted(start, airflow_environment, monkeypatch, tmp_path, cluster):
    """A secret in the Google connection, in `sentry_dsn`, in a key file and in the worker's environment."""
    connection = json.loads(os.environ["AIRFLOW_CONN_GOOGLE_CLOUD_PLATFORM_CONNECTION"])
    connection["password"] = SECRET
    connection["extra"]["a_secret_of_the_connection"] = SECRET
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_PLATFORM_CONNECTION", json.dumps(connection))
    monkeypatch.setenv("A_SECRET_OF_THE_WORKER", SECRET)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
    key = tmp_path / "key.json"
    key.write_text(json.dumps({"type": "service_account", "private_key": SECRET}))
    airflow_environment(sentry_dsn=f"http://{SECRET}@127.0.0.1:9/7", api_key_path=str(key))
    secret = {"metadata": {"name": KEY_SECRET}, "stringData": {KEY_ITEM: json.dumps({"private_key": SECRET})}}
    cluster.api.create_namespaced_secret(NAMESPACE, secret)
    yield
    cluster.api.delete_namespaced_secret(KEY_SECRET, NAMESPACE)


def rendered(task):
    return {name: getattr(task, name, None) for name in task.template_fields}


@pytest.mark.parametrize("path", [None, "/nowhere"])
def test_secrets_stay_where_they_are(
    planted,
    start,
    airflow_environment,
    make_context,
    cluster,
    bucket,
    caplog,
    capfd,
    path,
):
    """In a run that goes well, and in one whose pods fail."""
    if path:
        airflow_environment(txmeta_datastore_path=path)
    caplog.set_level(logging.DEBUG)
    watched, seen = [], []
    for build in (build_time_task, lambda: build_export_task(TABLES), lambda: build_verify_task(TABLES)):
        task, context = start(build())
        try:
            result = task.execute(context)
            make_context.xcoms[task.task_id, "return_value"] = result
        except AirflowException as error:
            assert path
            seen.append(str(error))
        if getattr(task, "pod", None) is not None:
            watched.append(json.dumps(task.pod.to_dict(), default=str))
        seen.append(repr(rendered(task)))
        if path and task.task_id == "export":
            break
    objects = emulators.storage_client(bucket).bucket(emulators.BUCKET)
    written = [blob.download_as_text() for blob in objects.list_blobs()]
    events = [json.dumps(event.to_dict(), default=str) for event in cluster.api.list_namespaced_event(NAMESPACE).items]
    told = capfd.readouterr()
    assert len(watched) == 2 and events and (path or written)
    assert "stellar-etl" in watched[0], "the pods' specs are looked at"
    places = {
        "logs": [caplog.text, told.out, told.err],
        "pods": watched,
        "templates and errors": seen,
        "XComs": [repr(make_context.xcoms)],
        "manifests and rows": written,
        "events": events,
    }
    found = [place for place, texts in places.items() if any(SECRET in text for text in texts)]
    assert not found
