"""The API of the local cluster: objects, selectors, watches, logs, commands."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from kubernetes import client, watch
from kubernetes.stream import stream

from tests.local.cluster_server import NAMESPACE, Cluster
from tests.waiting import PATIENCE, wait_until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster.make(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


def refused(status: int, call: object, *arguments: object, **options: object) -> str:
    with pytest.raises(client.ApiException) as raised:
        call(*arguments, **options)  # type: ignore[operator]
    assert raised.value.status == status
    return str(raised.value.body)


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}])
@pytest.mark.parametrize("path", ["version", "api/v1/pods", "control/pods/x/evict"])
def test_a_request_without_the_token_is_refused(cluster: Cluster, header: dict[str, str], path: str) -> None:
    assert requests.get(f"{cluster.url}/{path}", headers=header, timeout=PATIENCE).status_code == 401
    assert requests.post(f"{cluster.url}/{path}", headers=header, timeout=PATIENCE).status_code == 401


def test_the_server_listens_on_loopback_only(cluster: Cluster) -> None:
    assert cluster.process is not None
    listening = [c for c in psutil.Process(cluster.process.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


def test_only_the_owner_can_read_files_with_secrets(cluster: Cluster) -> None:
    name = cluster.create("true", container={"env": [{"name": "PASSWORD", "value": "hush"}]})
    cluster.wait_for(name, "Succeeded")
    holding = [path for path in cluster.root.rglob("*") if path.is_file() and "hush" in path.read_text()]
    assert holding
    assert {path.stat().st_mode & 0o077 for path in [*holding, cluster.kubeconfig]} == {0}


def test_missing_and_existing_objects_are_errors(cluster: Cluster) -> None:
    assert "not found" in refused(404, cluster.api.read_namespaced_pod, "nobody", NAMESPACE)
    refused(404, cluster.api.delete_namespaced_pod, "nobody", NAMESPACE)
    name = cluster.create("true")
    body = {"metadata": {"name": name}, "spec": cluster.pod(name).to_dict()["spec"]}
    body["spec"] = {"restartPolicy": "Never", "containers": [{"name": "base", "image": "tools:1", "command": ["true"]}]}
    assert "already exists" in refused(409, cluster.api.create_namespaced_pod, NAMESPACE, body)


@pytest.mark.parametrize(
    ("metadata", "spec", "words"),
    [
        ({"name": "Upper"}, {}, "metadata.name"),
        ({"name": "x", "labels": {"a": "not a label"}}, {}, "metadata.labels"),
        ({"name": "x"}, {"restartPolicy": "Always"}, "spec.restartPolicy"),
        ({"name": "x"}, {"containers": []}, "spec.containers"),
    ],
)
def test_invalid_objects_are_refused(cluster: Cluster, metadata: dict, spec: dict, words: str) -> None:
    good = {"restartPolicy": "Never", "containers": [{"name": "base", "image": "tools:1", "command": ["true"]}]}
    body = {"metadata": metadata, "spec": {**good, **spec}}
    assert words in refused(422, cluster.api.create_namespaced_pod, NAMESPACE, body)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("set=s1", {"a", "b", "c"}),
        ("set=s1,kind=x", {"a", "b"}),
        ("set=s1,kind!=x", {"c"}),
        ("set=s1,kind in (y, z)", {"c"}),
        ("set=s1,kind notin (y)", {"a", "b"}),
        ("set=s1,extra", {"b"}),
        ("set=s1,!extra", {"a", "c"}),
        ("set=none", set()),
    ],
)
def test_label_selectors(cluster: Cluster, selector: str, expected: set[str]) -> None:
    labels = {"a": {"kind": "x"}, "b": {"kind": "x", "extra": "1"}, "c": {"kind": "y"}}
    for name, more in labels.items():
        try:
            cluster.pod(f"sel-{name}")
        except client.ApiException:
            cluster.create("true", metadata={"name": f"sel-{name}", "labels": {"set": "s1", **more}})
    found = cluster.api.list_namespaced_pod(NAMESPACE, label_selector=selector).items
    assert {pod.metadata.name.removeprefix("sel-") for pod in found} == expected


def test_field_selectors_and_broken_ones(cluster: Cluster) -> None:
    name = cluster.create("true")
    cluster.wait_for(name, "Succeeded")
    selector = f"metadata.name={name},status.phase=Succeeded"
    assert len(cluster.api.list_namespaced_pod(NAMESPACE, field_selector=selector).items) == 1
    assert len(cluster.api.list_pod_for_all_namespaces(field_selector=selector).items) == 1
    assert not cluster.api.list_namespaced_pod("elsewhere", field_selector=selector).items
    refused(400, cluster.api.list_namespaced_pod, NAMESPACE, label_selector="a in (")


def test_a_patch_adds_changes_and_removes_labels(cluster: Cluster) -> None:
    name = cluster.create("true", metadata={"labels": {"keep": "1", "drop": "1", "change": "1"}})
    patch = {"metadata": {"labels": {"drop": None, "change": "2", "add": "3"}, "annotations": {"note": "x"}}}
    cluster.api.patch_namespaced_pod(name, NAMESPACE, patch)
    metadata = cluster.pod(name).metadata
    assert metadata.labels == {"keep": "1", "change": "2", "add": "3"}
    assert metadata.annotations == {"note": "x"}


# Watches ----------------------------------------------------------------------------------------------------------


def test_a_watch_sends_everything_after_its_version(cluster: Cluster) -> None:
    version = cluster.api.list_namespaced_pod(NAMESPACE).metadata.resource_version
    name = cluster.create("sh", "-c", "sleep 0.5")
    cluster.wait_for(name, "Succeeded")
    cluster.api.delete_namespaced_pod(name, NAMESPACE, grace_period_seconds=0)
    wait_until(lambda: cluster.is_gone(name), "not deleted")
    events = watch.Watch().stream(
        cluster.api.list_namespaced_pod,
        NAMESPACE,
        field_selector=f"metadata.name={name}",
        resource_version=version,
        timeout_seconds=PATIENCE,
    )
    seen = []
    while not seen or seen[-1][0] != "DELETED":
        event = next(events)
        seen.append((event["type"], event["object"].status.phase))
    assert seen[0] == ("ADDED", "Pending")
    assert seen[-1] == ("DELETED", "Succeeded")
    assert ("MODIFIED", "Running") in seen


def test_a_watch_without_a_version_begins_with_existing_objects(cluster: Cluster) -> None:
    name = cluster.create("true")
    events = watch.Watch().stream(
        cluster.api.list_namespaced_pod,
        NAMESPACE,
        field_selector=f"metadata.name={name}",
        timeout_seconds=PATIENCE,
    )
    first = next(iter(events))
    assert (first["type"], first["object"].metadata.name) == ("ADDED", name)


def test_history_that_is_no_longer_stored_is_reported(cluster: Cluster) -> None:
    headers = {"Authorization": f"Bearer {cluster.token}"}
    answer = requests.get(f"{cluster.url}/api/v1/pods?watch=1&resourceVersion=1", headers=headers, timeout=PATIENCE)
    assert answer.json()["type"] == "ERROR"
    assert answer.json()["object"]["code"] == 410


# Logs -------------------------------------------------------------------------------------------------------------


def test_logs_can_be_complete_or_a_tail_and_have_times(cluster: Cluster) -> None:
    name = cluster.create("sh", "-c", "for i in 1 2 3; do echo out $i; done; echo err >&2")
    cluster.wait_for(name, "Succeeded")
    assert sorted(cluster.log(name).splitlines()) == ["err", "out 1", "out 2", "out 3"]
    assert len(cluster.log(name, tail_lines=2).splitlines()) == 2
    assert cluster.log(name, tail_lines=0) == ""
    assert cluster.log(name, since_seconds=60) == cluster.log(name)
    times = [line.split(" ", 1)[0] for line in cluster.log(name, timestamps=True).splitlines()]
    assert times == sorted(times)
    assert all(time.endswith("Z") for time in times)


def test_a_log_is_followed_to_its_end(cluster: Cluster, tmp_path: Path) -> None:
    go = tmp_path / "go"
    name = cluster.create("sh", "-c", f"echo first; while [ ! -e {go} ]; do sleep 0.05; done; echo last")
    cluster.wait_for(name, "Running")
    response = cluster.api.read_namespaced_pod_log(name, NAMESPACE, follow=True, _preload_content=False)
    lines = iter(response)
    assert next(lines) == b"first\n"
    threading.Timer(0.3, go.touch).start()
    assert list(lines) == [b"last\n"]


def test_logs_of_waiting_or_missing_containers_are_errors(cluster: Cluster) -> None:
    name = cluster.create("true", container={"image": "nobody/nothing:1"})
    assert "waiting to start" in refused(400, cluster.api.read_namespaced_pod_log, name, NAMESPACE)
    refused(400, cluster.api.read_namespaced_pod_log, name, NAMESPACE, container="other")


# Commands ---------------------------------------------------------------------------------------------------------


def test_a_command_runs_beside_the_container(cluster: Cluster) -> None:
    mounts = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    volumes = [{"name": "data", "emptyDir": {}}]
    name = cluster.create("sh", "-c", "echo 42 > /data/x; sleep 60", container=mounts, volumes=volumes)
    cluster.wait_for(name, "Running")

    def run(*command: str) -> tuple[str, int]:
        socket = stream(
            cluster.api.connect_get_namespaced_pod_exec,
            name,
            NAMESPACE,
            command=list(command),
            stdin=False,
            stdout=True,
            stderr=True,
            tty=False,
            _preload_content=False,
        )
        socket.run_forever(timeout=PATIENCE)
        code = socket.returncode  # first, because reading the whole output drops the channel of each message
        return socket.read_all(), code

    wait_until(lambda: run("cat", "/data/x") == ("42\n", 0), "no file")
    assert run("sh", "-c", "exit 3")[1] == 3
    cluster.api.delete_namespaced_pod(name, NAMESPACE, grace_period_seconds=0)


def test_commands_need_a_running_container(cluster: Cluster) -> None:
    name = cluster.create("true")
    cluster.wait_for(name, "Succeeded")
    answer = requests.get(
        f"{cluster.url}/api/v1/namespaces/{NAMESPACE}/pods/{name}/exec?command=true",
        headers={"Authorization": f"Bearer {cluster.token}"},
        timeout=PATIENCE,
    )
    assert answer.status_code == 400
    assert "not running" in answer.json()["message"]
