"""Pods of the local cluster: their processes, their environment, their ends."""

from __future__ import annotations

import base64
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from kubernetes import client

from tests.local.cluster_server import NAMESPACE, Cluster, is_alive
from tests.waiting import wait_until

PRINT_ARGUMENTS = "import json, sys; print(json.dumps(sys.argv[1:]))"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster.make(tmp_path_factory.mktemp("cluster"))
    yield cluster
    assert cluster.stop() == 0


def terminated(pod: client.V1Pod) -> client.V1ContainerStateTerminated:
    return pod.status.container_statuses[0].state.terminated


def test_a_pod_is_pending_then_running_then_succeeded(cluster: Cluster, tmp_path: Path) -> None:
    go = tmp_path / "go"
    name = cluster.create("sh", "-c", f"while [ ! -e {go} ]; do sleep 0.05; done")
    assert cluster.pod(name).status.phase == "Pending"
    pod = cluster.wait_for(name, "Running")
    assert pod.status.container_statuses[0].state.running.started_at
    go.touch()
    pod = cluster.wait_for(name, "Succeeded")
    assert (terminated(pod).exit_code, terminated(pod).reason) == (0, "Completed")


def test_reported_states_lag_behind_the_process(cluster: Cluster, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    name = cluster.create("touch", str(ended))
    wait_until(ended.exists, "the process did not run")
    assert cluster.pod(name).status.phase in ("Pending", "Running")
    cluster.wait_for(name, "Succeeded")


def test_a_failure_has_its_exit_code_and_last_output(cluster: Cluster) -> None:
    policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    name = cluster.create("sh", "-c", "echo ledger 7 is missing >&2; exit 75", container=policy)
    pod = cluster.wait_for(name, "Failed")
    assert (terminated(pod).exit_code, terminated(pod).reason) == (75, "Error")
    assert terminated(pod).message == "ledger 7 is missing\n"


def test_the_termination_message_comes_from_its_file(cluster: Cluster) -> None:
    name = cluster.create("sh", "-c", "printf done > /dev/termination-log")
    assert terminated(cluster.wait_for(name, "Succeeded")).message == "done"


def test_a_missing_command_is_a_start_error(cluster: Cluster) -> None:
    pod = cluster.wait_for(cluster.create("no-such-program"), "Failed")
    assert terminated(pod).reason == "StartError"
    assert "no-such-program" in terminated(pod).message


def test_an_unmapped_image_cannot_be_pulled(cluster: Cluster) -> None:
    name = cluster.create("true", container={"image": "nobody/nothing:1"})

    def reasons() -> list[str]:
        statuses = cluster.pod(name).status.container_statuses or []
        return [status.state.waiting.reason for status in statuses if status.state.waiting]

    wait_until(lambda: reasons() == ["ErrImagePull"], "no ErrImagePull")
    assert cluster.pod(name).status.phase == "Pending"
    events = cluster.api.list_namespaced_event(NAMESPACE, field_selector=f"involvedObject.name={name}").items
    assert any(event.type == "Warning" and "nobody/nothing:1" in event.message for event in events)


def test_arguments_reach_the_process_unchanged(cluster: Cluster) -> None:
    words = ["$(whoami)", "`id`", "a b", "'; rm -rf /", "$HOME", "$$(A)", "ünïcode", ""]
    log = cluster.run(sys.executable, "-c", PRINT_ARGUMENTS, container={"args": words})
    assert eval(log) == ["$(whoami)", "`id`", "a b", "'; rm -rf /", "$HOME", "$(A)", "ünïcode", ""]


def test_known_variables_are_expanded_as_kubernetes_does(cluster: Cluster) -> None:
    container = {
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2"}],
        "args": ["$(B)", "$(UNKNOWN)", "$$(A)"],
    }
    log = cluster.run(sys.executable, "-c", PRINT_ARGUMENTS, container=container)
    assert eval(log) == ["12", "$(UNKNOWN)", "$(A)"]


def test_the_environment_has_fields_and_secrets_and_nothing_else(cluster: Cluster) -> None:
    data = {"password": base64.b64encode(b"hush").decode()}
    cluster.api.create_namespaced_secret(NAMESPACE, {"metadata": {"name": "keys"}, "data": data})
    container = {
        "env": [
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "password"}}},
        ]
    }
    log = cluster.run("env", container=container, metadata={"labels": {"app": "etl"}})
    environment = dict(line.split("=", 1) for line in log.splitlines())
    assert (environment["NAME"], environment["PASSWORD"]) == ("etl", "hush")
    assert not [name for name in environment if name.startswith(("AIRFLOW", "PYTEST"))]


def test_containers_share_a_volume_at_different_paths(cluster: Cluster) -> None:
    volume = {"volumes": [{"name": "shared", "emptyDir": {}}]}
    writer = {"name": "writer", "image": "tools:1", "command": ["sh", "-c", "echo hello > /out/note"]}
    name = cluster.create(
        *("sh", "-c", "while [ ! -s /in/note ]; do sleep 0.05; done; cat /in/note"),
        **volume,
        containers=[
            {
                "name": "base",
                "image": "tools:1",
                "command": ["sh", "-c", "while [ ! -s /in/note ]; do sleep 0.05; done; cat /in/note"],
                "volumeMounts": [{"name": "shared", "mountPath": "/in"}],
            },
            {**writer, "volumeMounts": [{"name": "shared", "mountPath": "/out"}]},
        ],
    )
    cluster.wait_for(name, "Succeeded")
    assert cluster.log(name, container="base") == "hello\n"
    assert not Path("/out/note").exists()


def test_a_deadline_ends_a_pod_with_all_its_processes(cluster: Cluster, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    name = cluster.create(
        *("sh", "-c", f"sleep 300 & echo $! > {pids}; sleep 300"),
        activeDeadlineSeconds=1,
        terminationGracePeriodSeconds=1,
    )
    pod = cluster.wait_for(name, "Failed")
    assert pod.status.reason == "DeadlineExceeded"
    wait_until(lambda: not psutil.pid_exists(int(pids.read_text())), "a process of the pod is left")


def test_a_deletion_sends_sigterm_then_sigkill(cluster: Cluster, tmp_path: Path) -> None:
    signalled, pids = tmp_path / "asked", tmp_path / "pids"
    script = f"trap 'touch {signalled}' TERM; echo $$$$ > {pids}; while true; do sleep 0.1; done"
    name = cluster.create("sh", "-c", script)
    wait_until(pids.exists, "the pod did not start")
    cluster.wait_for(name, "Running")
    cluster.api.delete_namespaced_pod(name, NAMESPACE, grace_period_seconds=1)
    assert cluster.pod(name).metadata.deletion_timestamp
    wait_until(signalled.exists, "no SIGTERM came")
    wait_until(lambda: cluster.is_gone(name), "the pod is still there")
    assert not psutil.pid_exists(int(pids.read_text()))


@pytest.mark.parametrize(("fault", "reason"), [("evict", "Evicted"), ("out-of-memory", "OOMKilled"), ("vanish", None)])
def test_faults_of_real_clusters_are_simulated(cluster: Cluster, fault: str, reason: str | None) -> None:
    name = cluster.create("sleep", "300")
    cluster.wait_for(name, "Running")
    assert cluster.control(name, fault) == 200
    if reason is None:
        wait_until(lambda: cluster.is_gone(name), "the pod is still there")
        return
    pod = cluster.wait_for(name, "Failed")
    assert reason in (pod.status.reason, terminated(pod).reason)
    assert terminated(pod).exit_code == 137


def test_unknown_faults_and_pods_are_refused(cluster: Cluster) -> None:
    assert cluster.control("nobody", "evict") == 404
    name = cluster.create("true")
    assert cluster.control(name, "explode") == 404


# A killed server --------------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster.make(tmp_path / "own")
    yield cluster
    cluster.stop()


def test_pods_outlive_a_killed_server_and_are_found_again(own: Cluster) -> None:
    name = own.create("sh", "-c", "for i in $(seq 1 40); do echo line $i; sleep 0.05; done")
    own.wait_for(name, "Running")
    own.stop(by=signal.SIGKILL)
    time.sleep(0.5)
    own.start()
    own.wait_for(name, "Succeeded")
    assert own.log(name).splitlines() == [f"line {i}" for i in range(1, 41)]


def test_a_process_that_ended_meanwhile_is_reported(own: Cluster) -> None:
    name = own.create("sleep", "300")
    own.wait_for(name, "Running")
    supervisor = int(own.pod(name).status.container_statuses[0].container_id.rpartition("/")[2])
    processes = [psutil.Process(supervisor), *psutil.Process(supervisor).children(recursive=True)]
    own.stop(by=signal.SIGKILL)
    processes[0].kill()
    own.start()
    pod = own.wait_for(name, "Failed")
    assert pod.status.reason == "NodeLost"
    wait_until(lambda: not any(map(is_alive, processes[1:])), "a process is left")


def test_a_stopped_server_leaves_no_process(own: Cluster) -> None:
    name = own.create("sh", "-c", "sleep 300 & sleep 300")
    own.wait_for(name, "Running")
    supervisor = int(own.pod(name).status.container_statuses[0].container_id.rpartition("/")[2])
    processes = [psutil.Process(supervisor), *psutil.Process(supervisor).children(recursive=True)]
    assert own.stop() == 0
    assert not any(map(is_alive, processes))
    own.start()


def test_pods_of_a_killed_server_can_be_stopped(own: Cluster) -> None:
    name = own.create("sleep", "300")
    own.wait_for(name, "Running")
    supervisor = psutil.Process(int(own.pod(name).status.container_statuses[0].container_id.rpartition("/")[2]))
    own.stop(by=signal.SIGKILL)
    done = subprocess.run(
        [sys.executable, "-m", "local.cluster", "--root", str(own.root), "--stop-pods"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "stopped 1 containers\n"
    assert not is_alive(supervisor)
    own.start()
