"""Where a stack keeps its things, and what it remembers between starts."""

from __future__ import annotations

import json
import re
import secrets
import socket
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
PROJECT = "local"
DATASET = "stellar"
BUCKET = "stellar-etl-local"

PORTS = ("database", "bucket", "warehouse", "cluster", "airflow")


@dataclass(frozen=True)
class StackLayout:
    """The folders and files of one stack, all below `root`."""

    root: Path

    @property
    def state(self) -> Path:
        """What the stack remembers: ports and options."""
        return self.root / "stack.json"

    @property
    def secrets(self) -> Path:
        """Airflow's keys, readable by the owner alone."""
        return self.root / "secrets.json"

    @property
    def database_password(self) -> Path:
        """The database's password, readable by the owner alone."""
        return self.root / "database.password"

    @property
    def token(self) -> Path:
        """The local cluster's token, readable by the owner alone."""
        return self.root / "cluster" / "token"

    @property
    def kubeconfig(self) -> Path:
        """How Airflow reaches the local cluster, readable by the owner alone."""
        return self.root / "cluster" / "kubeconfig"

    @property
    def images(self) -> Path:
        """What the local cluster runs for an image."""
        return self.root / "cluster" / "images.json"

    @property
    def airflow_home(self) -> Path:
        """Airflow's home: its configuration and task logs."""
        return self.root / "airflow"

    @property
    def variables(self) -> Path:
        """The Airflow Variables that the stack imports."""
        return self.root / "airflow_variables.json"

    @property
    def lineage(self) -> Path:
        """OpenLineage's events, a file each."""
        return self.root / "lineage"

    @property
    def logs(self) -> Path:
        """A log for each service."""
        return self.root / "logs"

    @property
    def data(self) -> tuple[Path, ...]:
        """What holds tables, objects, pods and runs; ports, keys and the sample lake are not among them."""
        return (
            self.root / "database",
            self.root / "bq",
            self.root / "gcs",
            self.root / "cluster",
            self.airflow_home,
            self.lineage,
            self.logs,
        )

    @property
    def run(self) -> Path:
        """What is running: a file for each service."""
        return self.root / "run"


@dataclass(frozen=True)
class Options:
    """What a stack is started with.

    Attributes:
        lake: the lake of ledgers, as the Variable `txmeta_datastore_path` has it.
        dataset: the BigQuery dataset, one for each network.
        schedule: a cron expression for the data DAGs.
        start_date: UTC, where schedules begin.
        end_date: UTC, the last data interval: an unpaused DAG makes no run after it.
        dags: the folder of DAG files.
        proxies: for a service its clients' port, where that is another program's which passes requests on: `warehouse`
            and `bucket` can have one.
        lineage: whether tasks tell of what they read and wrote, in OpenLineage's events.
    """

    lake: str
    dataset: str = DATASET
    schedule: str = "*/10 * * * *"
    start_date: str = ""
    end_date: str = ""
    dags: str = str(REPO / "dags")
    proxies: Mapping[str, int] = field(default_factory=dict)
    lineage: bool = False


@dataclass
class State:
    """What a stack remembers between starts, in `stack.json`."""

    ports: dict[str, int]
    options: Options

    def save(self, layout: StackLayout) -> None:
        """Writes it, whole or not at all."""
        write_private(layout.state, json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, layout: StackLayout) -> State | None:
        """What was saved, None for a new stack."""
        try:
            saved = json.loads(layout.state.read_text())
        except FileNotFoundError:
            return None
        return cls(saved["ports"], Options(**saved["options"]))


def dataset_of(lake: str) -> str:
    """The dataset for a lake that a user names: one for each, so that networks don't meet in a table."""
    name = re.sub(r"\W+", "_", lake.rstrip("/").rsplit("/", 1)[-1].lower())
    return f"{DATASET}_{name}"


def free_ports(wanted: Mapping[str, int] | None = None) -> dict[str, int]:
    """A free loopback port for each service, all different: the wanted one if it is free."""
    sockets = {name: socket.socket() for name in PORTS}
    try:
        for name, held in sockets.items():
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that just ended is no obstacle
            try:
                held.bind(("127.0.0.1", (wanted or {}).get(name, 0)))
            except OSError:
                held.bind(("127.0.0.1", 0))
        return {name: held.getsockname()[1] for name, held in sockets.items()}
    finally:
        for held in sockets.values():
            held.close()


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner reads, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    aside.touch(mode=0o600)
    aside.write_text(text)
    aside.replace(path)


def ensure_secrets(layout: StackLayout) -> dict[str, str]:
    """The stack's keys, made once."""
    if not layout.secrets.exists():
        made = {
            "jwt_secret": secrets.token_urlsafe(48),
            "secret_key": secrets.token_urlsafe(48),
            "fernet_key": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        }
        write_private(layout.secrets, json.dumps(made))
    for path in (layout.token, layout.database_password):
        if not path.exists():
            write_private(path, secrets.token_urlsafe(32))
    kept: dict[str, str] = json.loads(layout.secrets.read_text())
    return kept
