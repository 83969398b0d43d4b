"""Runs the local cluster's server as a process, and asks it through Kubernetes' own client."""

from __future__ import annotations

import contextlib
import json
import secrets
import signal
import subprocess
import sys
from dataclasses import dataclass, field
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
    """Whether a process runs; one that ended, and that nobody has asked about, does not."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@dataclass
class Cluster:
    """One server, its folder, and a client. Images find this environment's programs, and `env`."""

    root: Path
    port: int
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.token = secrets.token_hex(8)
        (self.root / "token").write_text(self.token)
        image = {"path": [str(Path(sys.executable).parent)], "env": self.env}
        (self.root / "images.json").write_text(json.dumps({"tools:*": image}))

    @classmethod
    def make(cls, root: Path, **env: str) -> Cluster:
        cluster = cls(root, free_port(), env)
        cluster.start()
        return cluster

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "local.cluster", "--root", str(self.root), "--port", str(self.port)),
                *("--images", str(self.root / "images.json"), "--token-file", str(self.root / "token")),
                *("--kubeconfig", str(self.kubeconfig), "--lag", "0.2"),
            ],
            cwd=REPO,
        )

        def answers() -> bool:
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(f"{self.url}/version", timeout=PATIENCE).status_code == 401
            return False

        wait_until(answers, "the cluster did not start")
        configuration = client.Configuration()
        config.load_kube_config(config_file=str(self.kubeconfig), client_configuration=configuration)
        self.api = client.CoreV1Api(client.ApiClient(configuration))

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(by)
        return self.process.wait(PATIENCE)

    def control(self, pod: str, fault: str) -> int:
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.post(f"{self.url}/control/pods/{pod}/{fault}", headers=headers, timeout=PATIENCE).status_code

    def create(self, *argv: str, **changes: Any) -> str:
        """Makes a pod of one container, `base`; `changes` are parts of its spec. Gives its name."""
        name = f"pod-{secrets.token_hex(4)}"
        container = {"name": "base", "image": IMAGE, "command": list(argv), **changes.pop("container", {})}
        metadata = {"name": name, **changes.pop("metadata", {})}
        spec = {"restartPolicy": "Never", "containers": [container], "terminationGracePeriodSeconds": 5, **changes}
        self.api.create_namespaced_pod(NAMESPACE, {"metadata": metadata, "spec": spec})
        return name

    def pod(self, name: str) -> client.V1Pod:
        return self.api.read_namespaced_pod(name, NAMESPACE)

    def wait_for(self, name: str, *phases: str) -> client.V1Pod:
        wait_until(lambda: self.pod(name).status.phase in phases, f"{name} did not become {phases}")
        return self.pod(name)

    def log(self, name: str, **options: Any) -> str:
        # The client gives the text of a bytes object otherwise.
        answer = self.api.read_namespaced_pod_log(name, NAMESPACE, _preload_content=False, **options)
        return str(answer.data.decode())

    def run(self, *argv: str, **changes: Any) -> str:
        """Runs a pod to its end; gives its log."""
        name = self.create(*argv, **changes)
        self.wait_for(name, "Succeeded", "Failed")
        return self.log(name, container="base")

    def is_gone(self, name: str) -> bool:
        try:
            self.pod(name)
        except client.ApiException as error:
            return error.status == 404
        return False
