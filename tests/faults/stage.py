"""The real stack with a proxy before each service, a batch on it, and operations on both."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from kubernetes import client as kubernetes
from kubernetes import config

from local.cluster.container import Container
from local.plan import format_time
from local.sample import END, START
from local.stack import Stack
from local.stack.layout import BUCKET, PROJECT
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID
from tests.end_to_end.rows import as_set, published
from tests.faults.claims import Claim, false_claims
from tests.faults.proxy import Proxy
from tests.local.cluster_server import is_alive
from tests.waiting import RUN_PATIENCE, wait_until

LEDGERS_AND_ASSETS, LEDGERS, DEFERRED = "history_archive_without_captive_core", "ledgers", "deferred"
BACKFILL = "history_backfill"
TABLES = ("history_ledgers", "history_assets")
ALL = {"start_ledger": 3, "end_ledger": 42}
"""The ledgers that are loaded before any fault."""
FIRST, LAST = 13, 32
"""The ledgers that every batch loads again."""
BY_LEDGERS = {"start_ledger": FIRST, "end_ledger": LAST}
BY_CHUNKS = {**BY_LEDGERS, "chunk": LAST - FIRST + 1, "parallel": 2, "dag": LEDGERS_AND_ASSETS}
BY_TIMES = {"start_time": "2026-01-01T00:00:50Z", "end_time": "2026-01-01T00:02:30Z"}
NUMBERS = {"history_ledgers": "sequence", "history_assets": "ledger_sequence"}
"""The column of each table that has a row's ledger."""
STATS = "table_id, start_ledger, end_ledger, ledgers, row_count, first_closed_at, last_closed_at"
FINAL = ("success", "failed")
NAMESPACE = "default"
SERVICES = ("warehouse", "bucket", "cluster")

COMPLETE = [(table, ALL["start_ledger"], ALL["end_ledger"]) for table in ("", *sorted(NUMBERS))]
"""The complete ranges of the watermark without missing ledgers: for the whole dataset, and for each table."""

Rows = dict[str, Counter[str]]


def has_ended(process: psutil.Process) -> bool:
    try:
        return not is_alive(process)
    except psutil.NoSuchProcess:  # it ended meanwhile
        return True


class RunningStack:
    """A stack, and operations on its services."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def port(self, service: str) -> int:
        return self.stack.state().ports[service]

    def set_variable(self, key: str, value: str) -> None:
        self.stack.rest("PATCH", f"variables/{key}", {"key": key, "value": value})

    def service(self, name: str) -> psutil.Process:
        """Return the process of a service."""
        noted = json.loads((self.stack.layout.run / f"{name}.json").read_text())
        return psutil.Process(noted["pid"])

    def kill_service(self, name: str) -> None:
        """Kill a service by kill -9; the stack's supervisor restarts it."""
        process = self.service(name)
        process.kill()
        process.wait(10)

    def staging_tables(self) -> list[str]:
        listed = self.stack.bigquery("GET", "datasets/stellar/tables?maxResults=1000")
        names = [table["tableReference"]["tableId"] for table in listed.get("tables", [])]
        return [name for name in names if "staging" in name]


class Stage(RunningStack):
    """The stack with its proxies, and its tables after a run without a fault."""

    def __init__(self, root: Path, lake: Path) -> None:
        super().__init__(Stack(root))
        self.proxies = {name: Proxy(lambda name=name: self.port(name)) for name in SERVICES}
        self.lake = lake
        self.dags = root / "dags"
        self.seconds: dict[tuple[str, ...], float] = {}
        """The duration of a batch without a fault, by DAG and params."""

    def up(self) -> None:
        """Start the stack, and load the ledgers that are loaded before any fault."""
        shutil.copytree(Path(__file__).with_name("dags"), self.dags)
        self.stack.up(
            lake=str(self.lake),
            start_date=format_time(START),
            end_date=format_time(END),
            dags=str(self.dags),
            proxies={name: self.proxies[name].port for name in ("warehouse", "bucket")},
        )
        kubeconfig = self.stack.layout.kubeconfig
        self.api = kubernetes.CoreV1Api(config.new_client_from_config(str(kubeconfig)))
        through = kubeconfig.with_name("kubeconfig-through-proxy")
        through.write_text(
            kubeconfig.read_text().replace(f":{self.port('cluster')}", f":{self.proxies['cluster'].port}")
        )
        self.set_variable("kube_config_location", str(through))
        self.bucket = storage.Client(
            project=PROJECT,
            credentials=AnonymousCredentials(),
            client_options=ClientOptions(api_endpoint=f"http://127.0.0.1:{self.port('bucket')}"),
        ).bucket(BUCKET)
        for dag_id in (LEDGERS_AND_ASSETS, LEDGERS, DEFERRED, BACKFILL):
            wait_until(lambda dag_id=dag_id: self._knows(dag_id), f"Airflow has not read {dag_id}")
            self.stack.rest("PATCH", f"dags/{dag_id}", {"is_paused": False})
        first = Batch(self, LEDGERS_AND_ASSETS, ALL).begin()
        assert first.wait() == "success"
        self.usual(LEDGERS_AND_ASSETS, BY_LEDGERS)
        self.tables, self.counts = self.rows(), self.rows_per_ledger()
        assert self.claims() == COMPLETE, "the watermark omits loaded ledgers"

    def usual(self, dag_id: str, asks: dict[str, Any]) -> float:
        """Return the duration of such a batch without a fault, in seconds."""
        kind = (dag_id, *asks)
        if kind not in self.seconds:
            began = time.monotonic()
            assert Batch(self, dag_id, asks).begin().wait() == "success"
            self.seconds[kind] = time.monotonic() - began
        return self.seconds[kind]

    def _knows(self, dag_id: str) -> bool:
        assert self.stack.rest("GET", "importErrors")["import_errors"] == []
        return any(dag["dag_id"] == dag_id for dag in self.stack.rest("GET", "dags?limit=200")["dags"])

    def down(self) -> None:
        self.stack.down()
        for proxy in self.proxies.values():
            proxy.close()

    # The tables ------------------------------------------------------------------------------------------------------

    def rows(self) -> Rows:
        """Return the rows of the tables, without the columns that describe the load."""
        rows = {table: Counter(published(self.stack, table)) for table in TABLES}
        stats = self.stack.query(f"SELECT {STATS} FROM {BATCH_STATS_TABLE_ID} WHERE start_ledger = {FIRST}")
        rows[BATCH_STATS_TABLE_ID] = Counter(as_set(stats, BATCH_STATS_TABLE_ID))
        return rows

    def rows_per_ledger(self) -> dict[str, dict[int, int]]:
        """Return the number of rows per table and ledger."""
        return {
            table: {
                row["ledger"]: row["n"]
                for row in self.stack.query(f"SELECT {ledger} AS ledger, COUNT(*) AS n FROM {table} GROUP BY 1")
            }
            for table, ledger in NUMBERS.items()
        }

    def claims(self) -> list[Claim]:
        """Return the ranges that the watermark reports as complete."""
        rows = self.stack.query(
            "SELECT COALESCE(table_id, '') AS name, complete_from, complete_through FROM ledger_ranges ORDER BY 1, 2"
        )
        return [(row["name"], row["complete_from"], row["complete_through"]) for row in rows]

    def false_claims(self) -> list[str]:
        """Return the claims of the watermark that the rows of a table contradict.

        The claims are read first: ledgers that were complete then have their rows now.
        """
        claims = self.claims()
        return false_claims(claims, (ALL["start_ledger"], ALL["end_ledger"]), self.counts, self.rows_per_ledger())

    def note(self, table: str, first: int, last: int) -> None:
        """Record the finding of a coverage check in advance: the watermark must exclude these ledgers."""
        self.stack.query(
            "INSERT INTO ledger_coverage "
            "(run_id, checked_at, table_id, fault, start_ledger, end_ledger, found, dataset) VALUES "
            f"('taken', TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 2 SECOND), '{table}', 'lost_rows', "
            f"{first}, {last}, {last - first + 1}, '{PROJECT}.stellar')"
        )

    def take_away(self, dag_id: str) -> None:
        """Delete half of the rows that a batch publishes, so that lost rows and duplicates show.

        A row that the batch fails to publish is lost. A row that the batch only adds is a duplicate.
        """
        middle = (FIRST + LAST) // 2
        self.note("history_ledgers", FIRST, middle)
        if dag_id in (LEDGERS_AND_ASSETS, BACKFILL):
            self.note("history_assets", FIRST, LAST)
        self.stack.query(f"DELETE FROM history_ledgers WHERE sequence BETWEEN {FIRST} AND {middle}")
        self.stack.query(
            f"DELETE FROM {BATCH_STATS_TABLE_ID} WHERE start_ledger = {FIRST} AND table_id = 'history_ledgers'"
        )
        if dag_id == BACKFILL:  # the backfill loads the ledgers that the batch stats lack
            overlapping = f"start_ledger <= {LAST} AND end_ledger >= {FIRST}"
            self.stack.query(f"DELETE FROM {BATCH_STATS_TABLE_ID} WHERE {overlapping}")
            beside = ((ALL["start_ledger"], FIRST - 1), (LAST + 1, ALL["end_ledger"]))
            loads = [
                f"('{table}', {first}, {last}, CURRENT_TIMESTAMP())" for table in NUMBERS for first, last in beside
            ]
            self.stack.query(
                f"INSERT INTO {BATCH_STATS_TABLE_ID} (table_id, start_ledger, end_ledger, published_at) "
                f"VALUES {', '.join(loads)}"
            )
        if dag_id in (LEDGERS_AND_ASSETS, BACKFILL):
            self.stack.query(f"DELETE FROM history_assets WHERE ledger_sequence BETWEEN {FIRST} AND {LAST}")

    def merges(self, since: float) -> dict[str, list[tuple[int, int]]]:
        """Return the start and end of the merge jobs per table, in milliseconds and in the order of their requests."""
        spans = defaultdict(list)
        for job in self.stack.bigquery("GET", "jobs?maxResults=1000&projection=full").get("jobs", []):
            times = job["statistics"]
            found = re.search(r"_(ledgers|assets)_merge_merge_", job["jobReference"]["jobId"])
            if found and int(times["creationTime"]) >= since * 1000:
                spans[found[1]].append((int(times["creationTime"]), int(times["endTime"])))
        return {table: sorted(each) for table, each in spans.items()}

    # Targets of faults -----------------------------------------------------------------------------------------------

    def pods(self) -> list[Any]:
        return list(self.api.list_namespaced_pod(NAMESPACE).items)

    def container(self, pod: Any) -> Container:
        """Return the container in which a pod's program runs."""
        root = self.stack.layout.root / "cluster" / "pods"
        (folder,) = root.glob(f"*{pod.metadata.uid}*/containers/base")
        return Container(folder)


@dataclass
class Batch:
    """One run, and operations on its parts.

    Attributes:
        asks: its params.
        others: runs that were started beside it.
        to_mend: repairs that are due after its end.
    """

    stage: RunningStack
    dag_id: str
    asks: dict[str, Any]
    others: list[Batch] = field(default_factory=list)
    to_mend: list[Callable[[], Any]] = field(default_factory=list)
    run_id: str = field(default_factory=lambda: f"batch-{time.time_ns() // 1_000_000}")

    def begin(self) -> Batch:
        body = {"dag_run_id": self.run_id, "logical_date": None, "conf": self.asks}
        self.stage.stack.rest("POST", f"dags/{self.dag_id}/dagRuns", body)
        return self

    def beside(self, asks: dict[str, Any]) -> None:
        """Start another run while this one runs."""
        self.others.append(Batch(self.stage, self.dag_id, asks).begin())

    @property
    def path(self) -> str:
        return f"dags/{self.dag_id}/dagRuns/{quote(self.run_id)}"

    def get(self, path: str = "") -> dict[str, Any]:
        return self.stage.stack.rest("GET", f"{self.path}{path}")

    @property
    def ended(self) -> bool:
        return self.get()["state"] in FINAL

    def wait(self) -> str:
        """Wait for the end of the run; return its state."""
        wait_until(lambda: self.ended, f"{self.run_id} has not ended", RUN_PATIENCE, pause=0.3)
        return str(self.get()["state"])

    def failures(self) -> list[str]:
        """Return the tasks that failed."""
        tasks = self.get("/taskInstances?limit=100")["task_instances"]
        return [task["task_id"] for task in tasks if task["state"] == "failed"]

    def task(self, task_id: str) -> dict[str, Any]:
        return self.get(f"/taskInstances/{task_id}")

    def tries(self, task_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/taskInstances/{task_id}/tries")["task_instances"]
        return found

    def process(self, task_id: str) -> psutil.Process:
        """Return the process in which a task runs."""
        return psutil.Process(self.task(task_id)["pid"])

    def kill(self, task_id: str, *signals: signal.Signals) -> None:
        """Send signals to a task's process, each if the process outlives the previous one by some seconds."""
        process = self.process(task_id)
        for each in signals:
            process.send_signal(each)
            with suppress(AssertionError):
                wait_until(lambda: has_ended(process), "the process still runs", 5, 0.05)
                return

    def kill_worker(self, task_id: str) -> None:
        """Kill a worker: the task's process and its supervisor."""
        process = self.process(task_id)
        worker = process.parent()
        assert worker is not None
        for each in (worker, process):
            each.kill()

    def clear(self, task_id: str | None) -> None:
        """Clear a task with its downstream tasks, or only the failed ones, as an operator does."""
        body: dict[str, Any] = {"dry_run": False, "dag_run_id": self.run_id, "reset_dag_runs": True}
        body |= {"only_failed": task_id is None}
        if task_id:
            body |= {"task_ids": [task_id], "include_downstream": True}
        self.stage.stack.rest("POST", f"dags/{self.dag_id}/clearTaskInstances", body)

    def objects(self) -> list[Any]:
        """Return the run's objects in the bucket."""
        return [blob for blob in self.stage.bucket.list_blobs() if f"/{self.run_id}/" in blob.name]
