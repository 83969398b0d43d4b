"""Processes of the local cluster's pods: every process ends with its pod, whatever is killed."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from kubernetes import client, watch

from tests.local.cluster_server import NAMESPACE, Cluster, is_alive
from tests.waiting import PATIENCE, wait_until

FAMILY = (
    "sleep {mark} & "  # a child in the background
    "setsid sleep {mark} & "  # a child in a new session
    "(setsid sh -c 'sleep {mark} & exec sleep {mark}' &); "  # orphans
    "trap '' TERM; while true; do sleep {mark}; done"
)
"""A script that starts five processes, does not wait for them, and ignores SIGTERM."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster.make(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


def new_mark() -> str:
    """Return a time to sleep that no other process of the machine has among its arguments."""
    return f"300.{secrets.randbelow(10**9):09}"


def marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(mark in part for part in process.cmdline()) and is_alive(process):
                found.append(process)
    return found


def supervisor(cluster: Cluster, name: str) -> psutil.Process:
    return psutil.Process(int(cluster.pod(name).status.container_statuses[0].container_id.rpartition("/")[2]))


def terminated(pod: client.V1Pod) -> client.V1ContainerStateTerminated:
    return pod.status.container_statuses[0].state.terminated


def start_family(cluster: Cluster, **changes: object) -> tuple[str, str]:
    """Start a pod with many processes; return its name and their mark."""
    mark = new_mark()
    spec = {"terminationGracePeriodSeconds": 1, **changes}
    return cluster.create("sh", "-c", FAMILY.format(mark=mark), **spec), mark


def test_no_process_is_left_for_any_end_of_a_pod(cluster: Cluster) -> None:
    ends: dict[str, Callable[[str], object]] = {
        "deleted": lambda name: cluster.api.delete_namespaced_pod(name, NAMESPACE),
        "evicted": lambda name: cluster.control(name, "evict"),
        "too large": lambda name: cluster.control(name, "out-of-memory"),
        "vanished": lambda name: cluster.control(name, "vanish"),
        "lost": lambda name: supervisor(cluster, name).kill(),
    }
    pods = {end: start_family(cluster) for end in ends}
    for end, (name, mark) in pods.items():
        cluster.wait_for(name, "Running")
        wait_until(lambda mark=mark: len(marked(mark)) > 5, f"the processes of the {end} pod did not start")
        ends[end](name)
    for end, (name, mark) in pods.items():
        if end in ("deleted", "vanished"):
            wait_until(lambda name=name: cluster.is_gone(name), f"the {end} pod is still there")
        else:
            cluster.wait_for(name, "Failed")
        if end != "lost":  # no parent waited for the end of these processes
            assert not marked(mark), f"processes of the {end} pod are left"
        wait_until(lambda mark=mark: not marked(mark), f"processes of the {end} pod are left")
    lost = cluster.pod(pods["lost"][0])
    assert (lost.status.reason, terminated(lost).reason) == ("NodeLost", "ContainerStatusUnknown")


def test_background_processes_end_with_the_first_process(cluster: Cluster) -> None:
    mark = new_mark()
    name = cluster.create("sh", "-c", f"setsid sleep {mark} & echo done")
    cluster.wait_for(name, "Succeeded")
    assert cluster.log(name) == "done\n"
    assert not marked(mark)


def test_a_pod_that_handles_sigterm_ends_at_once_with_its_last_state_reported(cluster: Cluster) -> None:
    script = "trap 'echo asked; exit 7' TERM; echo ready; while true; do sleep 0.05; done"
    name = cluster.create("sh", "-c", script, terminationGracePeriodSeconds=600)
    cluster.wait_for(name, "Running")
    wait_until(lambda: "ready" in cluster.log(name), "the trap is not set")
    version = cluster.pod(name).metadata.resource_version
    cluster.api.delete_namespaced_pod(name, NAMESPACE)
    wait_until(lambda: cluster.is_gone(name), "the pod is still there")
    selector = {
        "field_selector": f"metadata.name={name}",
        "resource_version": version,
        "timeout_seconds": PATIENCE,
    }
    events = watch.Watch().stream(cluster.api.list_namespaced_pod, NAMESPACE, **selector)
    last = next(event["object"] for event in events if event["type"] == "DELETED")
    assert terminated(last).exit_code == 7


def test_a_second_deletion_can_only_shorten_the_grace_period(cluster: Cluster) -> None:
    name, mark = start_family(cluster)
    wait_until(lambda: marked(mark), "no process")
    for grace in (600, 1200):
        cluster.api.delete_namespaced_pod(name, NAMESPACE, grace_period_seconds=grace)
    assert cluster.pod(name).metadata.deletion_grace_period_seconds == 600
    cluster.api.delete_namespaced_pod(name, NAMESPACE, grace_period_seconds=0)
    wait_until(lambda: cluster.is_gone(name), "the pod is still there")
    assert not marked(mark)


def test_faults_apply_to_running_pods_only(cluster: Cluster) -> None:
    ended, unstarted = cluster.create("true"), cluster.create("true", container={"image": "nobody/nothing:1"})
    assert cluster.control(unstarted, "out-of-memory") == 409
    cluster.wait_for(ended, "Succeeded")
    assert {cluster.control(ended, fault) for fault in ("evict", "out-of-memory")} == {409}
    pod = cluster.pod(ended)
    assert (pod.status.phase, pod.status.reason, terminated(pod).reason) == ("Succeeded", None, "Completed")
    assert cluster.control(unstarted, "evict") == 200
    assert cluster.wait_for(unstarted, "Failed").status.reason == "Evicted"


def test_a_new_server_continues_after_a_killed_one(cluster: Cluster, tmp_path: Path) -> None:
    go = tmp_path / "go"
    version = cluster.api.list_namespaced_pod(NAMESPACE).metadata.resource_version
    deleted, deleted_mark = start_family(cluster)
    steps = f"echo one; while [ ! -e {go} ]; do sleep 0.05; done; for i in $(seq 3000); do echo line $i; done; exit 3"
    ended = cluster.create("sh", "-c", steps)
    for name in (deleted, ended):
        cluster.wait_for(name, "Running")
    late, late_mark = start_family(cluster, activeDeadlineSeconds=3)
    wait_until(lambda: marked(late_mark), "no process")
    cluster.api.delete_namespaced_pod(deleted, NAMESPACE)
    new = cluster.create("sh", "-c", f"echo once >> {tmp_path / 'runs'}")
    cluster.stop(by=signal.SIGKILL)
    go.touch()
    time.sleep(3)  # a deadline and an end pass while no server runs
    assert marked(late_mark)
    cluster.start()
    assert terminated(cluster.wait_for(ended, "Failed")).exit_code == 3
    assert cluster.log(ended).splitlines() == ["one", *(f"line {i}" for i in range(1, 3001))]
    assert cluster.wait_for(late, "Failed").status.reason == "DeadlineExceeded"
    wait_until(lambda: cluster.is_gone(deleted), "the deleted pod is still there")
    assert not marked(late_mark) + marked(deleted_mark)
    cluster.wait_for(new, "Succeeded")
    assert (tmp_path / "runs").read_text() == "once\n"
    found = cluster.api.list_namespaced_pod(NAMESPACE)
    assert int(found.metadata.resource_version) > int(version)
    with pytest.raises(client.ApiException) as raised:
        next(watch.Watch().stream(cluster.api.list_namespaced_pod, NAMESPACE, resource_version=version))
    assert raised.value.status == 410


def test_pods_of_a_stopped_server_have_ended(cluster: Cluster) -> None:
    mark = new_mark()
    running = cluster.create("sh", "-c", f"setsid sleep {mark} & sleep {mark}")
    done = cluster.create("true")
    cluster.wait_for(running, "Running")
    cluster.wait_for(done, "Succeeded")
    assert cluster.stop() == 0
    assert not marked(mark)
    cluster.start()
    assert terminated(cluster.wait_for(running, "Failed")).exit_code == 128 + signal.SIGTERM
    assert cluster.pod(done).status.phase == "Succeeded"
