"""What a stack is made of: the programs, their environment, and how they show that they are well. Pure."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass

from local.stack.environment import airflow_environment, base_environment, bin_folder, emulator_hosts
from local.stack.layout import BUCKET, StackLayout, State


@dataclass(frozen=True)
class Service:
    """One program of the stack.

    Attributes:
        name: what people call it.
        argv: its command line.
        env: its environment.
        port: where it listens, None if it doesn't.
        health: the URL that answers when it is well, empty if there is none.
        leaves: whether what it started goes on when it dies: pods do.
        stop: the signal that ends it in good order.
        needs_database: whether it waits until Airflow's database is made.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    port: int | None = None
    health: str = ""
    leaves: bool = False
    stop: signal.Signals = signal.SIGTERM
    needs_database: bool = False


def services(layout: StackLayout, state: State, keys: Mapping[str, str], inherited: Mapping[str, str]) -> list[Service]:
    """The services of a stack, in the order in which they start."""
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

    def airflow_service(name: str, *arguments: str, port: int | None = None, health: str = "") -> Service:
        return Service(name, (airflow, name, *arguments), airflow_env, port, health, needs_database=True)

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
        emulator("bucket", "--root", str(layout.root), "--bucket", BUCKET, health="/"),
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
        airflow_service("api-server", port=api, health=f"http://127.0.0.1:{api}/api/v2/version"),
        airflow_service("scheduler", "--skip-serve-logs"),
        airflow_service("dag-processor"),
        airflow_service("triggerer", "--skip-serve-logs"),
    ]  # fmt: skip


def image_map(ports: Mapping[str, int]) -> dict[str, object]:
    """What the local cluster runs for an image: the exporter of this checkout."""
    return {
        "*stellar-etl*": {
            "path": [bin_folder()],
            "env": {"STORAGE_EMULATOR_HOST": emulator_hosts(ports)["STORAGE_EMULATOR_HOST"]},
        }
    }
