"""Features of pods that the DAGs use, on any cluster: the laptop's own, or the one of `--kubeconfig FILE`.

These tests ensure that the laptop's cluster answers as Kubernetes does. They read pods through the API only.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.stream import stream

from tests.local.cluster_server import IMAGE, Cluster, Pods
from tests.waiting import wait_until

PATIENCE = 120
"""Seconds: a real cluster may have to pull the image first."""

LABELS = {"app": "stellar-etl-test"}


class Shell(Pods):
    """Pods that run scripts; the image has `sh`."""

    def script(self, script: str, *arguments: str, **changes: Any) -> str:
        """Make a pod that runs a script by `sh`; `changes` are parts of its spec. Return its name."""
        container = {"terminationMessagePolicy": "FallbackToLogsOnError", **changes.pop("container", {})}
        return self.create("sh", "-c", script, "sh", *arguments, container=container, **changes)


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    kubeconfig = request.config.getoption("--kubeconfig")
    own = None if kubeconfig else Cluster.make(tmp_path_factory.mktemp("cluster"))
    pods = Shell(
        Path(kubeconfig) if own is None else own.kubeconfig,
        namespace=request.config.getoption("--pod-namespace"),
        image=request.config.getoption("--pod-image") if own is None else IMAGE,
        labels=LABELS,
    )
    pods.connect()
    yield pods
    for pod in pods.api.list_namespaced_pod(pods.namespace, label_selector="app=stellar-etl-test").items:
        pods.api.delete_namespaced_pod(pod.metadata.name, pods.namespace, grace_period_seconds=0)
    if own:
        own.stop()


def test_a_pod_runs_and_succeeds(cluster: Shell) -> None:
    name = cluster.script("echo begun; sleep 3; echo done")
    cluster.wait(name, lambda pod: pod.status.phase == "Running")
    assert (cluster.ended(name).exit_code, cluster.ended(name).reason) == (0, "Completed")
    assert cluster.log(name) == "begun\ndone\n"


def test_a_failure_has_its_status_and_its_last_output(cluster: Shell) -> None:
    terminated = cluster.ended(cluster.script("echo ledger 7 is missing >&2; exit 75"))
    assert (terminated.exit_code, terminated.reason, terminated.message) == (75, "Error", "ledger 7 is missing\n")


def test_arguments_arrive_unchanged_and_dollars_are_escaped(cluster: Shell) -> None:
    texts = ["a b", "'; exit 3 #", "$$(HOME)", "$(MADE)", "line\nbreak", ""]
    script = 'for one in "$@"; do printf "%s|" "$one"; done; echo'
    name = cluster.script(script, *texts, container={"env": [{"name": "MADE", "value": "x"}]})
    assert cluster.ended(name).exit_code == 0
    assert cluster.log(name) == "a b|'; exit 3 #|$(HOME)|x|line\nbreak||\n"


def test_a_deleted_pod_receives_sigterm_and_disappears(cluster: Shell) -> None:
    name = cluster.script("trap 'echo asked to end; exit 0' TERM; echo ready; while :; do sleep 0.2; done")
    cluster.wait(name, lambda pod: pod.status.phase == "Running" and "ready" in cluster.log(name))
    cluster.api.delete_namespaced_pod(name, cluster.namespace)
    wait_until(lambda: cluster.is_gone(name), "the pod still exists", PATIENCE)


def test_a_pod_that_ignores_sigterm_is_killed_after_its_grace_period(cluster: Shell) -> None:
    name = cluster.script("trap '' TERM; echo ready; while :; do sleep 0.2; done", terminationGracePeriodSeconds=2)
    cluster.wait(name, lambda pod: pod.status.phase == "Running" and "ready" in cluster.log(name))
    cluster.api.delete_namespaced_pod(name, cluster.namespace)
    assert cluster.pod(name).metadata.deletion_timestamp, "the pod is being deleted"
    wait_until(lambda: cluster.is_gone(name), "the pod still exists", PATIENCE)


def test_a_deadline_ends_a_pod(cluster: Shell) -> None:
    name = cluster.script("while :; do sleep 0.2; done", activeDeadlineSeconds=3)
    pod = cluster.wait(name, lambda pod: pod.status.phase == "Failed")
    assert pod.status.reason == "DeadlineExceeded"


def test_a_missing_image_leaves_the_pod_pending_with_a_reason(cluster: Shell) -> None:
    name = cluster.script("true", container={"image": "registry.invalid/none:1", "imagePullPolicy": "IfNotPresent"})

    def waiting(pod: Any) -> Any:
        return pod.status.container_statuses and pod.status.container_statuses[0].state.waiting

    pod = cluster.wait(name, lambda pod: waiting(pod) and waiting(pod).reason in ("ErrImagePull", "ImagePullBackOff"))
    assert pod.status.phase == "Pending"


def test_a_name_can_be_used_once(cluster: Shell) -> None:
    name = cluster.script("sleep 1")
    with pytest.raises(client.ApiException) as raised:
        cluster.script("sleep 1", metadata={"name": name})
    assert raised.value.status == 409
    assert json.loads(raised.value.body)["reason"] == "AlreadyExists"


def test_pods_are_found_by_their_labels(cluster: Shell) -> None:
    mark = secrets.token_hex(4)
    name = cluster.script("true", metadata={"labels": {**LABELS, "mark": mark}})
    for selector, names in ((f"mark={mark}", [name]), (f"mark={mark},app!=stellar-etl-test", [])):
        found = cluster.api.list_namespaced_pod(cluster.namespace, label_selector=selector).items
        assert [pod.metadata.name for pod in found] == names


def test_a_log_is_followed_to_the_end(cluster: Shell) -> None:
    name = cluster.script("for i in 1 2 3; do echo line $i; sleep 1; done")
    cluster.wait(name, lambda pod: pod.status.phase in ("Running", "Succeeded"))
    begun = time.monotonic()
    assert cluster.log(name, follow=True) == "line 1\nline 2\nline 3\n"
    assert time.monotonic() - begun < PATIENCE


def test_a_command_runs_in_a_running_container(cluster: Shell) -> None:
    name = cluster.script("echo started > /tmp/answer; while :; do sleep 0.2; done")
    cluster.wait(name, lambda pod: pod.status.phase == "Running")
    answer = stream(
        cluster.api.connect_get_namespaced_pod_exec,
        name,
        cluster.namespace,
        container="base",
        command=["sh", "-c", "cat /tmp/answer"],
        stdin=False,
        stdout=True,
        stderr=True,
        tty=False,
    )
    assert answer == "started\n"


def test_an_evicted_pod_ends(cluster: Shell) -> None:
    name = cluster.script("while :; do sleep 0.2; done")
    cluster.wait(name, lambda pod: pod.status.phase == "Running")
    body = client.V1Eviction(metadata=client.V1ObjectMeta(name=name, namespace=cluster.namespace))
    cluster.api.create_namespaced_pod_eviction(name, cluster.namespace, body)
    wait_until(lambda: cluster.is_gone(name), "the pod still exists", PATIENCE)
