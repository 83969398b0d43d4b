"""Runs the local warehouse and the local bucket as processes, as the laptop stack does."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import google.cloud.bigquery as bq
import google.cloud.storage as gcs
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials

from tests import forked_programs
from tests.shared import REPO
from tests.waiting import PATIENCE, wait_until

PROJECT = "local"
BUCKET = "stellar-etl-local"
DATASET = "local.stellar"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@dataclass
class Server:
    """One server process with a port and a folder; tests can kill it and start it again on the same data."""

    arguments: list[str]
    health: str
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | forked_programs.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        program, *arguments = [*self.arguments, "--port", str(self.port)]
        path = os.pathsep.join([str(REPO), str(REPO / "dags")])
        environment = {**os.environ, **self.environment, "PYTHONPATH": path}
        if program in forked_programs.PROGRAMS:
            process = forked_programs.start(program, arguments, env=environment, cwd=Path.cwd())
        else:
            process = subprocess.Popen([sys.executable, "-m", program, *arguments], env=environment)
        self.process = process

        def answers_or_ended() -> bool:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(self.url + self.health, timeout=PATIENCE).close()
                return True
            return process.poll() is not None

        wait_until(answers_or_ended, f"{self.arguments} did not start")
        assert process.poll() is None, f"{self.arguments} ended with status {process.poll()}"

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(by)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()


def warehouse(folder: Path, *options: str, **environment: str) -> Server:
    arguments = ["local.warehouse", "--data-dir", str(folder / "bq"), "--gcs-root", str(folder / "gcs"), *options]
    return Server(arguments, "/healthz", environment)


def bucket(folder: Path, **environment: str) -> Server:
    return Server(["local.bucket", "--root", str(folder), "--bucket", BUCKET], "/", environment)


def bigquery_client(server: Server) -> bq.Client:
    return bq.Client(
        project=PROJECT,
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=server.url),
    )


def storage_client(server: Server) -> gcs.Client:
    return gcs.Client(
        project=PROJECT,
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=server.url),
    )
