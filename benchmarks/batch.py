"""One batch on the real stack: the share of time in which pods and jobs run, and their numbers."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import uuid4

import requests

from benchmarks import inputs
from benchmarks.rows import Benchmark, Row
from local.stack import Stack
from stellar_etl_airflow.model.tables import WITH_CAPTIVE_CORE, loaded_by

ASKED = {"start_time": "2026-01-01T00:01:40Z", "end_time": "2026-01-01T00:09:55Z"}
"""The time range of the measured ledgers of the generated network except the last one, so that the time pod runs."""
POLL_SECONDS = 0.5
READ_SECONDS = 180

_REQUEST = re.compile(r" method=(\w+) path=/execution/(\S+)")
"""A request of a task, in the access log of Airflow's API server."""


class Span(NamedTuple):
    """A time span, in seconds since 1970."""

    start: float
    end: float


@dataclass(frozen=True)
class Batch:
    """The times of one batch.

    Attributes:
        whole: from the trigger to the last table's published rows.
        pods: from the start to the end of each pod's program.
        jobs: from the start to the end of each BigQuery job.
        tasks: the task instances from Airflow's REST API.
        requests: the requests of the tasks to Airflow's API server, by kind.
    """

    whole: Span
    pods: list[Span]
    jobs: list[Span]
    tasks: list[dict[str, Any]]
    requests: Mapping[str, int]

    @property
    def waiting(self) -> float:
        """The percentage of the time in which no pod and no job ran."""
        return 100 - 100 * covered([*self.pods, *self.jobs], self.whole) / (self.whole.end - self.whole.start)

    @property
    def by_stage(self) -> dict[str, float]:
        """Seconds of all tasks together by Airflow's clock: due and not queued, queued and not started, running."""
        steps = ("scheduled_when", "queued_when", "start_date", "end_date")
        names = ("waiting for the scheduler", "waiting for a process", "tasks running")
        return {
            name: sum(_seconds(task[after]) - _seconds(task[before]) for task in self.tasks if task[before])
            for name, before, after in zip(names, steps, steps[1:], strict=False)
        }


def covered(spans: Iterable[Span], within: Span) -> float:
    """The seconds of an interval that at least one of the others covers."""
    total, reached = 0.0, within.start
    for span in sorted(spans):
        start, end = max(span.start, reached), min(span.end, within.end)
        total += max(end - start, 0)
        reached = max(reached, end)
    return total


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def pods_of(stack: Stack) -> dict[str, Span]:
    """The programs of pods that have ended and still exist."""
    headers = {"Authorization": f"Bearer {stack.layout.token.read_text()}"}
    url = f"http://127.0.0.1:{stack.state().ports['cluster']}/api/v1/pods"
    ended = {}
    for pod in requests.get(url, headers=headers, timeout=30).json()["items"]:
        for status in pod["status"].get("containerStatuses", []):
            if status["name"] == "base" and (state := status["state"].get("terminated")):
                ended[pod["metadata"]["name"]] = Span(_seconds(state["startedAt"]), _seconds(state["finishedAt"]))
    return ended


def _jobs_of(stack: Stack) -> dict[str, Span]:
    jobs = stack.bigquery("GET", "jobs?projection=full&maxResults=1000").get("jobs", [])
    times: dict[str, Mapping[str, str]] = {job["id"]: job["statistics"] for job in jobs}
    return {
        name: Span(int(when["startTime"]) / 1000, int(when["endTime"]) / 1000)
        for name, when in times.items()
        if "endTime" in when
    }


def requests_in(log: str) -> Counter[str]:
    """Count the requests of tasks in an access log by kind, without heartbeats, whose number depends on the time."""
    found: Counter[str] = Counter()
    for method, path in _REQUEST.findall(log):
        if path.startswith("variables/"):
            found["Variables"] += 1
        elif path.startswith("xcoms/"):
            found["XComs read" if method == "GET" else "XComs written"] += 1
        elif not path.endswith("/heartbeat"):
            found["other"] += 1
    return found


def run_batch(stack: Stack) -> Batch:
    """Run the DAG with the most tables once, on 99 ledgers of the public network's size."""
    run_id, path = f"benchmark-{uuid4().hex}", f"dags/{WITH_CAPTIVE_CORE}/dagRuns"
    jobs_before, pods = set(_jobs_of(stack)), {}
    pods_before = set(pods_of(stack))
    log = stack.layout.logs / "api-server.log"
    logged = log.stat().st_size
    triggered = time.time()
    stack.rest("POST", path, {"dag_run_id": run_id, "logical_date": None, "conf": ASKED})
    while (state := stack.rest("GET", f"{path}/{run_id}")["state"]) not in ("success", "failed"):
        pods |= pods_of(stack)
        time.sleep(POLL_SECONDS)
    assert state == "success", f"{stack.ui}/dags/{WITH_CAPTIVE_CORE}/runs/{run_id}"
    tasks = stack.rest("GET", f"{path}/{run_id}/taskInstances?limit=200")["task_instances"]
    published = max(_seconds(task["end_date"]) for task in tasks if task["task_id"].endswith(".merge"))
    return Batch(
        Span(triggered, published),
        [span for name, span in pods.items() if name not in pods_before],
        [span for name, span in _jobs_of(stack).items() if name not in jobs_before],
        tasks,
        requests_in(log.read_bytes()[logged:].decode(errors="replace")),
    )


def _ready(stack: Stack) -> None:
    """Wait until Airflow has read the DAG file, and unpause the DAG."""
    deadline = time.monotonic() + READ_SECONDS
    while not any(dag["dag_id"] == WITH_CAPTIVE_CORE for dag in stack.rest("GET", "dags?limit=200")["dags"]):
        assert time.monotonic() < deadline, "Airflow does not read the DAG files"
        time.sleep(1)
    stack.rest("PATCH", f"dags/{WITH_CAPTIVE_CORE}", {"is_paused": False})


@cache
def run_batches(rounds: int) -> list[Batch]:
    """Run one batch after the other on one stack; the first one, which creates the tables, does not count.

    The benchmarks of one command share the batches.
    """
    stack = Stack(inputs.MADE / "stack")
    try:
        stack.up(lake=str(inputs.network()), schedule="0 0 1 1 *")  # only requested runs are due
        _ready(stack)
        return [run_batch(stack) for _ in range(rounds + 1)][1:]
    finally:
        stack.down()


def run(rounds: int) -> list[Row]:
    """Measure the times and numbers of each batch."""
    batches = run_batches(rounds)
    tables = len(loaded_by(WITH_CAPTIVE_CORE))
    stages = {name: [batch.by_stage[name] for batch in batches] for name in batches[0].by_stage}
    pods = [float(len(batch.pods)) for batch in batches]
    jobs = [float(len(batch.jobs)) for batch in batches]
    tasks = [float(len(batch.tasks)) for batch in batches]
    each = "one pod and one load per table"
    return [
        Row("no pod and no job at work", "%", [batch.waiting for batch in batches], target=35, at_most=True),
        Row("from trigger to published rows", "s elapsed", [batch.whole.end - batch.whole.start for batch in batches]),
        Row("pods at work", "s elapsed", [covered(batch.pods, batch.whole) for batch in batches]),
        Row("BigQuery jobs at work", "s elapsed", [covered(batch.jobs, batch.whole) for batch in batches]),
        *(Row(f"all tasks together: {name}", "s elapsed", values) for name, values in stages.items()),
        Row(
            "tasks",
            "a batch",
            tasks,
            f"five, and three for each of {tables} tables",
            target=5 + 3 * tables,
            at_most=True,
        ),
        Row("pods", "a batch", pods, each, [count / (tables + 1) for count in pods], 1 / 3, at_most=True),
        Row("BigQuery jobs", "a batch", jobs, each, [count / tables for count in jobs]),
    ]


BENCHMARK = Benchmark(
    "A batch",
    "The laptop stack, `history_archive_with_captive_core` by REST over 99 ledgers of the public network's size: "
    "from the trigger to the last table's published rows, and the share of it in which no pod's program and no "
    "BigQuery job ran. Pods are compared with a time pod and one export pod for each of the six tables. Jobs (a "
    "load, a check, a merge and a row of batch stats for each table) are compared with one load per table. A job's "
    "end is recorded before its commit, so that commits count as waiting.",
    run,
    missed="18 of 23 tasks begin after the export's pod, and their processes wait for two processors.",
)
