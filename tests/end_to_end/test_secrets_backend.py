"""A run of a stack with Variables and connections from a secrets backend only, and with a pod's secret."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import hvac
import psutil
import pytest
from kubernetes import client, config

from local.stack import Stack
from tests import vault
from tests.end_to_end.test_sample_network import trigger
from tests.local.stack.processes import assert_nothing_is_left, command, processes_of
from tests.waiting import RUN_PATIENCE

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]

DAG = "history_archive_without_captive_core"
SECRET = "7-only-in-the-backend-7"
PREFIX = "as-the-backend-says"


@contextlib.contextmanager
def in_files(folder: Path, secrets: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Airflow's own backend: a file of Variables, and a file of connections."""
    for kind, content in secrets.items():
        (folder / f"{kind}.json").write_text(json.dumps(content))
    paths = {f"{kind}_file_path": str(folder / f"{kind}.json") for kind in secrets}
    yield "airflow.secrets.local_filesystem.LocalFilesystemBackend", paths


@contextlib.contextmanager
def in_vault(folder: Path, secrets: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The provider's backend, on a server with Vault's API."""
    with vault.running() as server:
        server_client = hvac.Client(server.url, token=vault.TOKEN)
        for kind, content in secrets.items():
            for name, value in content.items():
                path, data = f"airflow/{kind}/{name}", value if kind == "connections" else {"value": value}
                server_client.secrets.kv.v2.create_or_update_secret(path, data)
        (folder / "token").write_text(vault.TOKEN)
        paths = {f"{kind}_path": f"airflow/{kind}" for kind in secrets} | {"config_path": None, "mount_point": "secret"}
        arguments = {**paths, "url": server.url, "auth_type": "token", "token_path": str(folder / "token")}
        yield "airflow.providers.hashicorp.secrets.vault.VaultBackend", arguments


@pytest.fixture(params=[in_files, in_vault], ids=["files", "vault"])
def stack(
    request: pytest.FixtureRequest, tmp_path: Path, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stack]:
    """A stack with unusable connections and missing Variables: the backend has the real ones."""
    stack, kubeconfig = Stack(tmp_path / "stack"), tmp_path / "kubeconfig"
    google = {"project": "local", "is_anonymous": True, "num_retries": 1, "a_secret": SECRET}
    secrets: dict[str, Any] = {
        "connections": {
            "google_cloud_platform_connection": {
                "conn_type": "google_cloud_platform",
                "password": SECRET,
                "extra": google,
            },
            "kubernetes_default": {"conn_type": "kubernetes", "extra": {"kube_config_path": str(kubeconfig)}},
        },
        "variables": {
            "gcs_exported_object_prefix": PREFIX,
            "pod_secrets": json.dumps({"AN_API_TOKEN": {"secret": "exporter", "key": "token"}}),
            "sentry_dsn": f"http://{SECRET}@127.0.0.1:9/7",
        },
    }
    with request.param(tmp_path, secrets) as (backend, arguments):
        monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", backend)
        monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", json.dumps(arguments))
        try:
            stack.up(lake=str(lake), start_date="2026-01-01T00:00:00Z", end_date="2026-01-01T00:00:00Z")
            shutil.move(stack.layout.kubeconfig, kubeconfig)
            for key in secrets["variables"]:
                stack.rest("DELETE", f"variables/{key}")
            api = client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))
            api.create_namespaced_secret("default", {"metadata": {"name": "exporter"}, "stringData": {"token": SECRET}})
            yield stack
        finally:
            command(stack.layout.root, "down")
            assert_nothing_is_left(stack.layout.root)


def watched(stack: Stack, path: str) -> tuple[str, list[str], set[str]]:
    """Watch a run; return its end, the command lines seen meanwhile, and the secrets of its pods."""
    words: list[str] = []
    given: set[str] = set()
    deadline = time.monotonic() + RUN_PATIENCE
    while (state := stack.rest("GET", path)["state"]) not in ("success", "failed"):
        assert time.monotonic() < deadline, state
        for process in processes_of(stack.layout.root):
            with contextlib.suppress(psutil.Error):
                words += process.cmdline()
                given.add(process.environ().get("AN_API_TOKEN", ""))
        time.sleep(0.1)
    return str(state), words, given - {""}


def test_the_run_uses_its_secrets_and_shows_none(stack: Stack) -> None:
    path = f"dags/{DAG}/dagRuns/by-the-backend"
    stack.rest("PATCH", f"dags/{DAG}", {"is_paused": False})
    trigger(stack, DAG, "by-the-backend", {"start_ledger": 3, "end_ledger": 12})
    state, words, given = watched(stack, path)
    assert state == "success"
    assert given == {SECRET}, "the pod has the cluster's secret"
    tasks = stack.rest("GET", f"{path}/taskInstances")["task_instances"]
    xcoms = stack.rest("GET", f"{path}/taskInstances/~/xcomEntries?limit=100")["xcom_entries"]
    values = [
        stack.rest("GET", f"{path}/taskInstances/{entry['task_id']}/xcomEntries/{entry['key']}") for entry in xcoms
    ]
    assert PREFIX in str(values), "the backend's Variable sets the path of exports"
    shown = {"argv": words, "tasks and templates": [str(tasks)], "XComs": [str(values)]}
    assert not [place for place, texts in shown.items() if any(SECRET in text for text in texts)]
    files = [file for file in stack.layout.root.rglob("*") if file.is_file()]
    logs = [file for file in files if file.is_relative_to(stack.layout.airflow_home / "logs")]
    assert len(logs) > len(tasks) / 2, "tasks have no logs"
    own = stack.layout.root / "cluster" / "secrets"
    holding = [file for file in files if own not in file.parents and SECRET.encode() in read(file)]
    assert not holding, "logs, the database, objects and tables contain no secret"


def read(file: Path) -> bytes:
    """Return a file's content, empty if the file is gone meanwhile."""
    with contextlib.suppress(OSError):
        return file.read_bytes()
    return b""
