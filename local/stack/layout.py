"""The paths of a stack, and its state between starts."""

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
EXPORT_DAYS = 30
"""The retention of exported files, from the Variable `export_days`."""

PORTS = ("database", "bucket", "warehouse", "cluster", "dataflow", "airflow")


@dataclass(frozen=True)
class StackLayout:
    """The folders and files of one stack, all below `root`."""

    root: Path

    @property
    def state(self) -> Path:
        """The stack's state: ports and options."""
        return self.root / "stack.json"

    @property
    def secrets(self) -> Path:
        """Airflow's keys, readable only by the owner."""
        return self.root / "secrets.json"

    @property
    def database_password(self) -> Path:
        """The database's password, readable only by the owner."""
        return self.root / "database.password"

    @property
    def token(self) -> Path:
        """The local cluster's token, readable only by the owner."""
        return self.root / "cluster" / "token"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of the local cluster, readable only by the owner."""
        return self.root / "cluster" / "kubeconfig"

    @property
    def images(self) -> Path:
        """The local cluster's mapping of images to programs."""
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
    def imported(self) -> Path:
        """The last import into Airflow's database: Variables and pools. It is deleted with the database."""
        return self.airflow_home / "imported.json"

    @property
    def cleaned(self) -> Path:
        """A file with the time of the last cleaning of Airflow's database. It is deleted with the database."""
        return self.airflow_home / "cleaned"

    @property
    def job(self) -> Path:
        """The lock of the main job, with the id of the process that holds it."""
        return self.root / "job.lock"

    @property
    def lineage(self) -> Path:
        """OpenLineage's events, one file each."""
        return self.root / "lineage"

    @property
    def logs(self) -> Path:
        """A log for each service."""
        return self.root / "logs"

    @property
    def data(self) -> tuple[Path, ...]:
        """The folders of tables, objects, pods and runs; not those of ports, keys and the sample lake."""
        return (
            self.root / "database",
            self.root / "bq",
            self.root / "gcs",
            self.root / "cluster",
            self.root / "dataflow",
            self.airflow_home,
            self.lineage,
            self.logs,
        )

    @property
    def run(self) -> Path:
        """The running services: a file for each."""
        return self.root / "run"

    @property
    def migrated(self) -> Path:
        """A file that exists once Airflow's database is migrated at this start, and has the Variables and pools."""
        return self.run / "migrated"


@dataclass(frozen=True)
class Options:
    """The options of a stack.

    Attributes:
        lake: the lake of ledgers, for the Variable `txmeta_datastore_path`.
        dataset: the BigQuery dataset, one for each network.
        schedule: a cron expression for the data DAGs.
        start_date: the start of schedules, UTC.
        end_date: the end of the last interval, UTC: an unpaused DAG has no run after it.
        dags: the folder of DAG files.
        proxies: for a service the port for its clients, if another program forwards requests to it: possible for
            `warehouse` and `bucket`.
        lineage: whether tasks report what they read and write, as OpenLineage events.
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
    """The state of a stack between starts, in `stack.json`."""

    ports: dict[str, int]
    options: Options

    def save(self, layout: StackLayout) -> None:
        """Write it atomically."""
        write_private(layout.state, json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, layout: StackLayout) -> State | None:
        """Return the saved state, None for a new stack."""
        try:
            saved = json.loads(layout.state.read_text())
        except FileNotFoundError:
            return None
        return cls(saved["ports"], Options(**saved["options"]))


def dataset_of(lake: str) -> str:
    """Return the dataset of a lake: one for each lake, so that a table never mixes networks."""
    name = re.sub(r"\W+", "_", lake.rstrip("/").rsplit("/", 1)[-1].lower())
    return f"{DATASET}_{name}"


def free_ports(wanted: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return a free loopback port for each service, all different: the wanted one if it is free."""
    sockets = {name: socket.socket() for name in PORTS}
    try:
        for name, sock in sockets.items():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that just ended is no obstacle
            try:
                sock.bind(("127.0.0.1", (wanted or {}).get(name, 0)))
            except OSError:
                sock.bind(("127.0.0.1", 0))
        return {name: sock.getsockname()[1] for name, sock in sockets.items()}
    finally:
        for sock in sockets.values():
            sock.close()


def write_private(path: Path, text: str) -> None:
    """Write a file atomically, readable only by its owner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    aside.touch(mode=0o600)
    aside.write_text(text)
    aside.replace(path)


def ensure_secrets(layout: StackLayout) -> dict[str, str]:
    """Return the stack's keys, which are generated once."""
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
