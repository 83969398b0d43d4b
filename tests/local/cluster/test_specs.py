"""Specs of the local cluster's pods: supported fields, and the handling of impossible ones."""

from __future__ import annotations

import base64
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from kubernetes import client

from tests.local.cluster_server import IMAGE, NAMESPACE, Cluster
from tests.waiting import PATIENCE, wait_until

PRINT_ARGUMENTS = "import json, sys; print(json.dumps(sys.argv[1:]))"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster.make(tmp_path_factory.mktemp("a cluster's folder"))
    yield cluster
    cluster.stop()


def waiting(cluster: Cluster, name: str) -> client.V1ContainerStateWaiting | None:
    statuses = cluster.pod(name).status.container_statuses or []
    return statuses[0].state.waiting if statuses else None


def warnings(cluster: Cluster, name: str) -> list[str]:
    events = cluster.api.list_namespaced_event(NAMESPACE, field_selector=f"involvedObject.name={name}").items
    return [event.message for event in events if event.type == "Warning"]


def answer(cluster: Cluster, path: str, **body: Any) -> requests.Response:
    """Return the server's answer to a request that the client would not make."""
    headers = {"Authorization": f"Bearer {cluster.token}"}
    method = "POST" if body else "GET"
    return requests.request(
        method, f"{cluster.url}/api/v1/{path}", headers=headers, json=body or None, timeout=PATIENCE
    )


# Environment and arguments ------------------------------------------------------------------------------------------


def test_only_variables_of_the_spec_are_expanded(cluster: Cluster) -> None:
    """Kubernetes expands no variable of an image or of the container's runtime."""
    container = {
        "env": [{"name": "WHERE", "value": "$(HOME)"}, {"name": "LATER", "value": "$(LAST)"}, {"name": "LAST"}],
        "args": ["$(PATH)", "$(WHERE)", "$(LATER)", "<$(LAST)>"],
    }
    log = cluster.run(sys.executable, "-c", PRINT_ARGUMENTS, container=container)
    assert json.loads(log) == ["$(PATH)", "$(HOME)", "$(LAST)", "<>"]


def test_a_pod_can_read_its_own_fields(cluster: Cluster) -> None:
    fields = {"NAME": "metadata.name", "SPACE": "metadata.namespace", "UID": "metadata.uid", "IP": "status.podIP"}
    env = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()]
    name = cluster.create("sh", "-c", 'echo "$NAME $SPACE $UID $IP"', container={"env": env})
    pod = cluster.wait_for(name, "Succeeded")
    assert cluster.log(name).split() == [name, NAMESPACE, pod.metadata.uid, "127.0.0.1"]


def test_the_environment_comes_from_complete_maps(cluster: Cluster) -> None:
    cluster.api.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "colours"}, "data": {"A": "red"}})
    cluster.api.create_namespaced_secret(NAMESPACE, {"metadata": {"name": "words"}, "stringData": {"B": "hush"}})
    sources = [
        {"configMapRef": {"name": "colours"}, "prefix": "COLOUR_"},
        {"secretRef": {"name": "words"}},
        {"secretRef": {"name": "nothing", "optional": True}},
    ]
    assert cluster.run("sh", "-c", "echo $COLOUR_A $B", container={"envFrom": sources}) == "red hush\n"


# Volumes ------------------------------------------------------------------------------------------------------------


def test_mount_paths_are_rewritten_in_arguments_and_environment(cluster: Cluster) -> None:
    container = {
        "volumeMounts": [{"name": "data", "mountPath": "/data/"}],
        "env": [{"name": "TARGET", "value": "/data/out"}],
        "args": ["--out=/data/x", "/data", "/database/x", "/other/data/x", "gs://b/data/x", "$(TARGET)", "a:/data"],
    }
    name = cluster.create(
        *(sys.executable, "-c", "import os; " + PRINT_ARGUMENTS + "; print(os.environ['TARGET'])"),
        container=container,
        volumes=[{"name": "data", "emptyDir": {}}],
    )
    cluster.wait_for(name, "Succeeded")
    arguments, target = cluster.log(name).splitlines()
    option, folder, *others, expanded, after_colon = json.loads(arguments)
    assert Path(folder).resolve().is_relative_to(cluster.root.resolve()), "possibly a link without special characters"
    assert (option, expanded, target) == (f"--out={folder}/x", f"{folder}/out", f"{folder}/out")
    assert others == ["/database/x", "/other/data/x", "gs://b/data/x"]
    assert after_colon == f"a:{folder}"


def test_secrets_and_config_maps_become_files(cluster: Cluster) -> None:
    key = {"key.json": base64.b64encode(b"{}\n").decode()}
    cluster.api.create_namespaced_secret(NAMESPACE, {"metadata": {"name": "account"}, "data": key})
    cluster.api.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "etc"}, "data": {"a": "1\n", "b": "2\n"}})
    log = cluster.run(
        *("sh", "-c", "cat /secret/key.json /etc/app/deep/b; ls /etc/app"),
        container={
            "volumeMounts": [{"name": "s", "mountPath": "/secret"}, {"name": "c", "mountPath": "/etc/app"}],
        },
        volumes=[
            {"name": "s", "secret": {"secretName": "account"}},
            {"name": "c", "configMap": {"name": "etc", "items": [{"key": "b", "path": "deep/b"}]}},
        ],
    )
    assert log == "{}\n2\ndeep\n"


def test_a_mounted_part_of_a_volume_can_be_the_working_directory(cluster: Cluster) -> None:
    mounts = [
        {"name": "data", "mountPath": "/part", "subPath": "in/ner"},
        {"name": "data", "mountPath": "/whole"},
    ]
    log = cluster.run(
        *("sh", "-c", "echo hello > x; cat /part/x /whole/in/ner/x"),
        container={"volumeMounts": mounts, "workingDir": "/part"},
        volumes=[{"name": "data", "emptyDir": {}}],
    )
    assert log == "hello\nhello\n"


# Several containers -------------------------------------------------------------------------------------------------


def test_init_containers_run_first_and_one_after_the_other(cluster: Cluster) -> None:
    mounts = {"image": IMAGE, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    name = cluster.create(
        *("sh", "-c", "cat /data/x"),
        container=mounts,
        initContainers=[
            {"name": "one", "command": ["sh", "-c", "sleep 0.3; echo one >> /data/x"], **mounts},
            {"name": "two", "command": ["sh", "-c", "echo two >> /data/x"], **mounts},
        ],
        volumes=[{"name": "data", "emptyDir": {}}],
    )
    pod = cluster.wait_for(name, "Succeeded")
    assert cluster.log(name, container="base") == "one\ntwo\n"
    assert [status.name for status in pod.status.init_container_statuses] == ["one", "two"]


def test_a_failed_init_container_fails_the_pod(cluster: Cluster) -> None:
    name = cluster.create("echo", "never", initContainers=[{"name": "one", "image": IMAGE, "command": ["false"]}])
    pod = cluster.wait_for(name, "Failed")
    assert pod.status.init_container_statuses[0].state.terminated.exit_code == 1
    assert pod.status.container_statuses[0].state.waiting.reason == "PodInitializing"


def test_a_pod_runs_until_its_last_container_has_ended(cluster: Cluster, tmp_path: Path) -> None:
    go = tmp_path / "go"
    containers = [
        {"name": "short", "image": IMAGE, "command": ["sh", "-c", "exit 3"]},
        {"name": "long", "image": IMAGE, "command": ["sh", "-c", f"while [ ! -e {go} ]; do sleep 0.05; done"]},
    ]
    name = cluster.create(containers=containers)

    def states() -> dict[str, client.V1ContainerState]:
        return {status.name: status.state for status in cluster.pod(name).status.container_statuses or []}

    wait_until(lambda: "short" in states() and states()["short"].terminated, "the short one did not end")
    cluster.wait_for(name, "Running")
    assert states()["short"].terminated
    go.touch()
    cluster.wait_for(name, "Failed")
    assert {key: state.terminated.exit_code for key, state in states().items()} == {"short": 3, "long": 0}


# Termination messages -----------------------------------------------------------------------------------------------


def test_termination_messages_follow_their_policy(cluster: Cluster) -> None:
    fallback = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    own_place = {"terminationMessagePath": "/run/last-words"}
    cases: list[tuple[str, dict[str, str], str | None]] = [
        ("echo log; printf file > /dev/termination-log; exit 1", fallback, "file"),
        ("echo log; exit 1", fallback, "log\n"),
        ("echo log; exit 0", fallback, None),
        ("for i in $(seq 200); do echo $i; done; exit 1", fallback, "".join(f"{i}\n" for i in range(121, 201))),
        ("echo log; exit 1", {}, None),
        ("printf own > /run/last-words", own_place, "own"),
    ]
    names = [cluster.create("sh", "-c", script, container=container) for script, container, _ in cases]
    pods = [cluster.wait_for(name, "Succeeded", "Failed") for name in names]
    messages = [pod.status.container_statuses[0].state.terminated.message for pod in pods]
    assert messages == [message for _, _, message in cases]


# Impossible specs ---------------------------------------------------------------------------------------------------


def test_a_container_waits_for_its_secret(cluster: Cluster) -> None:
    env = [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "late", "key": "key"}}}]
    name = cluster.create("sh", "-c", "echo $KEY", container={"env": env})
    wait_until(lambda: (state := waiting(cluster, name)) and state.reason == "CreateContainerConfigError", "no error")
    assert any('"late" not found' in message for message in warnings(cluster, name))
    cluster.api.create_namespaced_secret(NAMESPACE, {"metadata": {"name": "late"}, "stringData": {"key": "hush"}})
    cluster.wait_for(name, "Succeeded")
    assert cluster.log(name) == "hush\n"


def test_containers_that_cannot_be_created_report_the_reason_and_can_be_deleted(cluster: Cluster) -> None:
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"env": [{"name": "A", "value": 1}]}, {}),
        ({"command": ["echo", 1]}, {}),
        ({"command": []}, {}),
        ({"volumeMounts": [{"name": "none", "mountPath": "/x"}]}, {}),
        ({"volumeMounts": [{"name": "s", "mountPath": "/x"}]}, {"volumes": [{"name": "s", "secret": {}}]}),
    ]
    names = [cluster.create("true", container=container, **changes) for container, changes in cases]

    def is_reported(name: str) -> bool:
        state = waiting(cluster, name)
        return state is not None and state.reason.startswith("CreateContainer") and bool(state.message)

    for name, case in zip(names, cases, strict=True):
        wait_until(lambda name=name: is_reported(name), f"no event reports {case}")
        assert warnings(cluster, name)
        cluster.api.delete_namespaced_pod(name, NAMESPACE)
    wait_until(lambda: all(map(cluster.is_gone, names)), "a pod is still there")


@pytest.mark.parametrize("field", ["activeDeadlineSeconds", "terminationGracePeriodSeconds"])
@pytest.mark.parametrize("value", ["1", 1.5, -1])
def test_times_have_whole_seconds(cluster: Cluster, field: str, value: object) -> None:
    with pytest.raises(client.ApiException) as raised:
        cluster.create("true", **{field: value})
    assert raised.value.status == 422
    assert f"spec.{field}" in raised.value.body


def test_null_fields_are_not_set(cluster: Cluster) -> None:
    name = cluster.create("true", terminationGracePeriodSeconds=None, activeDeadlineSeconds=None)
    cluster.wait_for(name, "Succeeded")
    assert cluster.pod(name).spec.termination_grace_period_seconds == 30
    cluster.api.delete_namespaced_pod(name, NAMESPACE)
    wait_until(lambda: cluster.is_gone(name), "the pod is still there")


@pytest.mark.parametrize(
    "query",
    [
        "labelSelector=a in (",
        "labelSelector=a=1,b in (",
        "labelSelector=a=1&fieldSelector=b",
        "labelSelector=a=1&fieldSelector=b&watch=1",
    ],
)
def test_an_invalid_selector_is_refused_with_any_other_terms(cluster: Cluster, query: str) -> None:
    assert answer(cluster, f"pods?{query}").status_code == 400


def test_names_are_made_from_a_prefix(cluster: Cluster) -> None:
    spec = {"restartPolicy": "Never", "containers": [{"name": "base", "image": IMAGE, "command": ["true"]}]}
    body = {"metadata": {"generateName": "made-"}, "spec": spec}
    names = {cluster.api.create_namespaced_pod(NAMESPACE, body).metadata.name for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("made-") and name != "made-" for name in names)


def test_a_patch_is_checked_and_changes_nothing_else(cluster: Cluster) -> None:
    name = cluster.create("true")
    with pytest.raises(client.ApiException) as raised:
        cluster.api.patch_namespaced_pod(name, NAMESPACE, {"metadata": {"labels": {"a": "not a label"}}})
    assert raised.value.status == 422
    cluster.api.patch_namespaced_pod(name, NAMESPACE, {"metadata": {"labels": {"a": "b"}}, "spec": {"nodeName": "x"}})
    pod = cluster.wait_for(name, "Succeeded")
    assert (pod.metadata.labels, pod.spec.node_name) == ({"a": "b"}, "localhost")


def test_a_deleted_pod_stays_deleted_after_a_restart(cluster: Cluster) -> None:
    for name in ("kept", "dropped"):
        cluster.api.create_namespaced_secret(NAMESPACE, {"metadata": {"name": name}})
        cluster.api.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": name}})
    cluster.api.delete_namespaced_secret("dropped", NAMESPACE)
    cluster.api.delete_namespaced_config_map("dropped", NAMESPACE)
    cluster.stop(by=signal.SIGKILL)
    cluster.start()
    for found in (cluster.api.list_namespaced_secret(NAMESPACE), cluster.api.list_namespaced_config_map(NAMESPACE)):
        names = {item.metadata.name for item in found.items}
        assert "kept" in names
        assert "dropped" not in names
