"""The services of a stack: programs, environment, health checks. Pure."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace

from local.stack.environment import (
    airflow_environment,
    base_environment,
    bin_folder,
    emulator_hosts,
    proxy_environment,
)
from local.stack.layout import BUCKET, EXPORT_DAYS, StackLayout, State


@dataclass(frozen=True)
class Service:
    """One program of the stack.

    Attributes:
        name: its name.
        argv: its command line.
        env: its environment.
        port: its port, None if it does not listen.
        health: the URL of its health check, empty without one.
        leaves: whether its children continue when it dies, as pods do.
        stop: the signal that stops it cleanly.
        needs_database: whether it starts after Airflow's database is migrated.
        needs_dags: whether it starts after the DAG files are read.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    port: int | None = None
    health: str = ""
    leaves: bool = False
    stop: signal.Signals = signal.SIGTERM
    needs_database: bool = False
    needs_dags: bool = False


def preparation(layout: StackLayout) -> list[str]:
    """Return the command that prepares Airflow's database; it needs the environment of the Airflow processes."""
    return [
        sys.executable,
        "-m",
        "local.stack.prepare",
        str(layout.variables),
        str(layout.imported),
        str(layout.migrated),
    ]


def services(layout: StackLayout, state: State, keys: Mapping[str, str], inherited: Mapping[str, str]) -> list[Service]:
    """The services of a stack, in their start order."""
    ports = state.ports
    python, airflow = f"{bin_folder()}/python", f"{bin_folder()}/airflow"
    plain = base_environment(inherited)
    airflow_env = airflow_environment(layout, ports, state.options, keys, inherited)

    def emulator(name: str, *arguments: str, health: str, leaves: bool = False) -> Service:
        port = ports[name]
        return Service(
            name,
            (python, "-m", f"local.{name}", "--port", str(port), *arguments),
            plain,
            port,
            f"http://127.0.0.1:{port}{health}",
            leaves,
        )

    def airflow_service(name: str, *arguments: str, needs_dags: bool = False) -> Service:
        argv = (airflow, name, *arguments)
        return Service(name, argv, airflow_env, needs_database=True, needs_dags=needs_dags)

    api = ports["airflow"]
    return [
        Service(
            "database",
            (
                python, "-m", "local.database",
                "--data-dir", str(layout.root / "database"),
                "--port", str(ports["database"]),
                "--password-file", str(layout.database_password),
            ),
            plain,
            ports["database"],
            f"tcp://127.0.0.1:{ports['database']}",
            stop=signal.SIGINT,
        ),
        emulator(
            "bucket",
            "--root", str(layout.root),
            "--bucket", BUCKET,
            "--delete-after", str(EXPORT_DAYS),
            health="/",
        ),
        emulator(
            "warehouse",
            "--data-dir", str(layout.root / "bq"),
            "--gcs-root", str(layout.root / "gcs"),
            health="/healthz",
        ),
        emulator(
            "cluster",
            "--root", str(layout.root / "cluster"),
            "--images", str(layout.images),
            "--token-file", str(layout.token),
            "--kubeconfig", str(layout.kubeconfig),
            health="/version",
            leaves=True,
        ),
        replace(
            emulator("dataflow", "--root", str(layout.root / "dataflow"), health="/healthz"),
            env={
                **plain,
                "STORAGE_EMULATOR_HOST": emulator_hosts(ports)["STORAGE_EMULATOR_HOST"],
                "NO_GCE_CHECK": "true",  # without an account Beam would search for one for 20 s
            },
        ),
        # The API server builds the part for tasks at its first request, which blocks all others for 5 s: do so at once.
        replace(airflow_service("api-server"), port=api, health=f"http://127.0.0.1:{api}/execution/health"),
        airflow_service("scheduler", "--skip-serve-logs", needs_dags=True),
        airflow_service("dag-processor", needs_dags=True),
        airflow_service("triggerer", "--skip-serve-logs"),
    ]  # fmt: skip


def image_map(ports: Mapping[str, int], inherited: Mapping[str, str]) -> dict[str, object]:
    """The local cluster's programs for images: the exporter of this checkout."""
    storage = {"STORAGE_EMULATOR_HOST": emulator_hosts(ports)["STORAGE_EMULATOR_HOST"]}
    return {"*stellar-etl*": {"path": [bin_folder()], "env": {**proxy_environment(inherited), **storage}}}
