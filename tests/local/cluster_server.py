"""Runs the local cluster's server as a process, with Kubernetes' own client."""

from __future__ import annotations

import contextlib
import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import requests
from kubernetes import client, config

from tests.local.emulators import free_port
from tests.shared import REPO
from tests.waiting import PATIENCE, wait_until

NAMESPACE = "default"
IMAGE = "tools:1"


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process runs; a zombie does not."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


class Pods:
    """Pods of one namespace, through Kubernetes' own client.

    `kubeconfig` names the cluster; `labels` are those of all pods that are created here.
    """

    def __init__(
        self,
        kubeconfig: Path,
        *,
        namespace: str = NAMESPACE,
        image: str = IMAGE,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self.kubeconfig, self.namespace, self.image = kubeconfig, namespace, image
        self.metadata = {"labels": dict(labels)} if labels else {}

    def connect(self) -> None:
        configuration = client.Configuration()
        config.load_kube_config(config_file=str(self.kubeconfig), client_configuration=configuration)
        self.api = client.CoreV1Api(client.ApiClient(configuration))

    def create(self, *argv: str, **changes: Any) -> str:
        """Create a pod with one container, `base`; `changes` are parts of its spec. Return its name."""
        name = f"stellar-etl-test-{secrets.token_hex(4)}"
        container = {"name": "base", "image": self.image, "command": list(argv), **changes.pop("container", {})}
        metadata = {"name": name, **self.metadata, **changes.pop("metadata", {})}
        spec = {"restartPolicy": "Never", "containers": [container], "terminationGracePeriodSeconds": 5, **changes}
        self.api.create_namespaced_pod(self.namespace, {"metadata": metadata, "spec": spec})
        return name

    def pod(self, name: str) -> client.V1Pod:
        return self.api.read_namespaced_pod(name, self.namespace)

    def wait(self, name: str, condition: Callable[[client.V1Pod], Any]) -> client.V1Pod:
        """Wait until a pod meets a condition; return it."""
        wait_until(lambda: condition(self.pod(name)), f"{name} did not reach the wanted state")
        return self.pod(name)

    def wait_for(self, name: str, *phases: str) -> client.V1Pod:
        wait_until(lambda: self.pod(name).status.phase in phases, f"{name} did not become {phases}")
        return self.pod(name)

    def ended(self, name: str) -> client.V1ContainerStateTerminated:
        """Wait for a pod's end; return the state of its container."""
        pod = self.wait_for(name, "Succeeded", "Failed")
        return pod.status.container_statuses[0].state.terminated

    def log(self, name: str, **options: Any) -> str:
        # Otherwise the client returns the text of a bytes object.
        answer = self.api.read_namespaced_pod_log(name, self.namespace, _preload_content=False, **options)
        return str(answer.data.decode())

    def run(self, *argv: str, **changes: Any) -> str:
        """Run a pod to its end; return its log."""
        name = self.create(*argv, **changes)
        self.wait_for(name, "Succeeded", "Failed")
        return self.log(name, container="base")

    def events(self, name: str) -> list[str]:
        """Return the events of a pod, oldest first, also of deleted pods."""
        found = self.api.list_namespaced_event(self.namespace, field_selector=f"involvedObject.name={name}").items
        return [f"{event.last_timestamp} {event.reason}: {event.message}" for event in found]

    def is_gone(self, name: str) -> bool:
        try:
            self.pod(name)
        except client.ApiException as error:
            return error.status == 404
        return False


class Cluster(Pods):
    """The laptop's cluster: one server and its folder. Images use this environment's programs, and `env`."""

    def __init__(self, root: Path, port: int, env: dict[str, str], lag: float) -> None:
        super().__init__(root / "kubeconfig")
        self.root, self.port, self.env, self.lag = root, port, env, lag
        self.process: subprocess.Popen[bytes] | None = None
        self.root.mkdir(parents=True, exist_ok=True)
        self.token = secrets.token_hex(8)
        (self.root / "token").write_text(self.token)
        image = {"path": [str(Path(sys.executable).parent)], "env": self.env}
        (self.root / "images.json").write_text(json.dumps({"tools:*": image}))

    @classmethod
    def make(cls, root: Path, lag: float = 0.2, **env: str) -> Cluster:
        """Start a cluster; ``lag`` is the delay of its reports in seconds."""
        cluster = cls(root, free_port(), env, lag)
        cluster.start()
        return cluster

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "local.cluster", "--root", str(self.root), "--port", str(self.port)),
                *("--images", str(self.root / "images.json"), "--token-file", str(self.root / "token")),
                *("--kubeconfig", str(self.kubeconfig), "--lag", str(self.lag)),
            ],
            cwd=REPO,
        )

        def answers() -> bool:
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(f"{self.url}/version", timeout=PATIENCE).status_code == 401
            return False

        wait_until(answers, "the cluster did not start")
        self.connect()

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(by)
        return self.process.wait(PATIENCE)

    def control(self, pod: str, fault: str) -> int:
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.post(f"{self.url}/control/pods/{pod}/{fault}", headers=headers, timeout=PATIENCE).status_code
