"""Streams of the local cluster: logs, events, the output of commands, and results from the XCom sidecar."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from kubernetes import watch
from kubernetes.stream import stream
from kubernetes.stream.ws_client import WSClient

from tests.local.cluster_server import IMAGE, NAMESPACE, Cluster, is_alive
from tests.waiting import PATIENCE, wait_until

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
SIDECAR = "airflow-xcom-sidecar"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster.make(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def worker(cluster: Cluster) -> str:
    """A pod that runs during all tests, with a volume and a variable."""
    container = {
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "env": [{"name": "WORD", "value": "hello"}],
    }
    name = cluster.create(
        *("sh", "-c", "echo 42 > /data/x; exec sleep 600"),
        container=container,
        volumes=[{"name": "data", "emptyDir": {}}],
    )
    cluster.wait_for(name, "Running")
    return name


def open_exec(cluster: Cluster, pod: str, *command: str, stdin: bool = False, container: str = "base") -> WSClient:
    return stream(
        cluster.api.connect_get_namespaced_pod_exec,
        pod,
        NAMESPACE,
        container=container,
        command=list(command),
        stdin=stdin,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )


def finish(socket: WSClient) -> tuple[str, str, int]:
    """Wait for a command's end; return its output, its errors and its exit code."""
    socket.run_forever(timeout=PATIENCE)
    return socket.read_stdout(timeout=0), socket.read_stderr(timeout=0), socket.returncode


# Commands -----------------------------------------------------------------------------------------------------------


def test_output_errors_and_exit_code_are_separate(cluster: Cluster, worker: str) -> None:
    script = "cat /data/x; echo $WORD >&2; exit 3"
    assert finish(open_exec(cluster, worker, "sh", "-c", script)) == ("42\n", "hello\n", 3)


def test_arguments_of_commands_reach_the_process_unchanged(cluster: Cluster, worker: str) -> None:
    program = "import json, sys; print(json.dumps(sys.argv[1:]))"
    words = ["$(whoami)", "$(WORD)", "a b", "'; id", ""]
    output, _, code = finish(open_exec(cluster, worker, sys.executable, "-c", program, *words))
    assert (json.loads(output), code) == (words, 0)


def test_a_shell_reads_its_commands_from_standard_input(cluster: Cluster, worker: str) -> None:
    socket = open_exec(cluster, worker, "/bin/sh", stdin=True)
    socket.write_stdin("cat /data/x\n")
    socket.write_stdin("exit 5\n")
    assert finish(socket) == ("42\n", "", 5)


def test_a_missing_program_is_an_error(cluster: Cluster, worker: str) -> None:
    _, errors, code = finish(open_exec(cluster, worker, "no-such-program"))
    assert code == 126
    assert "no-such-program" in errors


def test_long_output_is_complete(cluster: Cluster, worker: str) -> None:
    output, _, code = finish(open_exec(cluster, worker, "seq", "100000"))
    assert (output, code) == ("".join(f"{i}\n" for i in range(1, 100001)), 0)


def test_a_disconnected_client_ends_its_command(cluster: Cluster, worker: str) -> None:
    socket = open_exec(cluster, worker, "sh", "-c", "sleep 600 & echo $$ $!; wait")
    processes = [psutil.Process(int(pid)) for pid in socket.readline_stdout(timeout=PATIENCE).split()]
    assert all(map(is_alive, processes))
    socket.close()
    wait_until(lambda: not any(map(is_alive, processes)), "the command still runs")
    assert cluster.pod(worker).status.phase == "Running"


# Results in the sidecar ---------------------------------------------------------------------------------------------


def test_a_result_is_fetched_from_the_sidecar(cluster: Cluster, tmp_path: Path) -> None:
    """The request is Airflow's, with an image without a local program.

    If its `kill` ran here, it would hit the bystander.
    """
    mount = {"volumeMounts": [{"name": "xcom", "mountPath": "/airflow/xcom"}]}
    bystander = subprocess.Popen(["sh", "-c", f"read line; : {tmp_path}"], stdin=subprocess.PIPE)
    script = """echo '{"start": 3}' > /airflow/xcom/return.json"""
    loop = 'trap "exit 0" INT; while true; do sleep 1; done;'
    name = cluster.create(
        containers=[
            {"name": "base", "image": IMAGE, "command": ["sh", "-c", script], **mount},
            {"name": SIDECAR, "image": "alpine", "command": ["sh", "-c", loop], **mount},
        ],
        volumes=[{"name": "xcom", "emptyDir": {}}],
    )

    def exit_codes() -> dict[str, Any]:
        states = {status.name: status.state for status in cluster.pod(name).status.container_statuses or []}
        return {key: state.terminated and state.terminated.exit_code for key, state in states.items()}

    wait_until(lambda: exit_codes() == {"base": 0, SIDECAR: None}, "base did not end")
    cluster.wait_for(name, "Running")  # the sidecar keeps it
    fetched = open_exec(cluster, name, "/bin/sh", "-c", "cat /airflow/xcom/return.json", container=SIDECAR)
    output, _, code = finish(fetched)
    assert (json.loads(output), code) == ({"start": 3}, 0)
    shell = open_exec(cluster, name, "/bin/sh", container=SIDECAR, stdin=True)
    shell.write_stdin(f"touch {tmp_path}/ran\n")
    assert "only knows" in shell.readline_stderr(timeout=PATIENCE)
    shell.write_stdin(f"kill -2 $(pgrep -u $(id -u) -f '{tmp_path}')\n")
    finish(shell)
    cluster.wait_for(name, "Succeeded")
    assert exit_codes() == {"base": 0, SIDECAR: 0}
    assert not (tmp_path / "ran").exists()
    assert bystander.poll() is None, "the command killed a shell of the host"
    bystander.communicate(b"\n")


# Logs ---------------------------------------------------------------------------------------------------------------


def test_a_log_can_begin_some_seconds_ago(cluster: Cluster) -> None:
    name = cluster.create("sh", "-c", "echo first; while true; do sleep 0.1; echo again; done")
    cluster.wait_for(name, "Running")

    def words(**options: int) -> set[str]:
        return set(cluster.log(name, **options).split())

    assert "first" in words(since_seconds=600)
    wait_until(lambda: words(since_seconds=1) == {"again"}, "the first line counts as new")
    assert "first" in words()
    cluster.api.delete_namespaced_pod(name, NAMESPACE, grace_period_seconds=0)


def test_a_followed_log_has_times_and_begins_at_its_tail(cluster: Cluster, tmp_path: Path) -> None:
    go = tmp_path / "go"
    name = cluster.create("sh", "-c", f"seq 3; while [ ! -e {go} ]; do sleep 0.05; done; seq 4 2000; printf end")
    wait_until(lambda: cluster.pod(name).status.phase == "Running" and "3" in cluster.log(name), "no line")
    options = {"follow": True, "timestamps": True, "tail_lines": 1, "_preload_content": False}
    lines = iter(cluster.api.read_namespaced_pod_log(name, NAMESPACE, **options))
    received = [next(lines)]
    go.touch()
    received += lines
    times, texts = zip(*(line.decode().rstrip("\n").split(" ", 1) for line in received), strict=True)
    assert list(texts) == [*map(str, range(3, 2001)), "end"]
    assert all(map(TIME.fullmatch, times))
    assert list(times) == sorted(times)


def test_a_log_has_the_written_bytes(cluster: Cluster) -> None:
    lines = [b"", b" two  spaces ", b"\xff\xfe no UTF-8", "ünïcode".encode(), b"tab\tand\rreturn", b"x" * 50_000]
    program = "import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))"
    name = cluster.create(sys.executable, "-c", program, b"\n".join(lines).hex())
    cluster.wait_for(name, "Succeeded")
    answer = cluster.api.read_namespaced_pod_log(name, NAMESPACE, _preload_content=False)
    assert answer.data == b"\n".join(lines) + b"\n"


# Events -------------------------------------------------------------------------------------------------------------


def test_events_are_watched(cluster: Cluster) -> None:
    version = cluster.api.list_namespaced_event(NAMESPACE).metadata.resource_version
    name = cluster.create("true")
    cluster.wait_for(name, "Succeeded")
    cluster.api.delete_namespaced_pod(name, NAMESPACE)
    reasons = []
    for event in watch.Watch().stream(
        cluster.api.list_namespaced_event,
        NAMESPACE,
        field_selector=f"involvedObject.name={name}",
        resource_version=version,
        timeout_seconds=PATIENCE,
    ):
        assert event["type"] == "ADDED"
        assert event["object"].involved_object.name == name
        reasons.append(event["object"].reason)
        if reasons[-1] == "Killing":
            break
    assert reasons == ["Scheduled", "Started", "Killing"]


def test_a_watch_sends_only_selected_objects(cluster: Cluster) -> None:
    version = cluster.api.list_namespaced_pod(NAMESPACE).metadata.resource_version
    cluster.create("true", metadata={"labels": {"team": "others"}})
    name = cluster.create("true", metadata={"labels": {"team": "ours"}})
    events = watch.Watch().stream(
        cluster.api.list_namespaced_pod,
        NAMESPACE,
        label_selector="team=ours",
        resource_version=version,
        timeout_seconds=PATIENCE,
    )
    phases = []
    for event in events:
        assert event["object"].metadata.name == name
        phases.append(event["object"].status.phase)
        if phases[-1] == "Succeeded":
            break
    assert phases[0] == "Pending"
