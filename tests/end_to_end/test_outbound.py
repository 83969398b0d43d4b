"""An outbound export on the stack: the receiver applies every batch once, for every killed part."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from local.stack import Stack
from tests.end_to_end.conftest import Sample
from tests.end_to_end.test_export_modes import set_variable
from tests.end_to_end.test_sample_network import trigger, wait_for
from tests.outbound.receiver import Receiver, make_python, receiving
from tests.waiting import RUN_PATIENCE, wait_until

pytestmark = pytest.mark.end_to_end

DAG, EXPORT = "outbound_export", "asset_holders"
CONNECTION = "outbound_asset_holders"


@pytest.fixture
def connect(sample: Sample) -> Iterator[Any]:
    """Point the export's connection at a receiver; the first job needs the environment with Beam."""
    stack = sample.stack
    make_python()  # the stack has no access to a package registry: see `SampleJob`

    def connect(receiver: Receiver) -> None:
        body = {"connection_id": CONNECTION, "conn_type": "http", "host": receiver.address}
        stack.rest("POST", "connections", body)

    yield connect
    stack.rest("DELETE", f"connections/{CONNECTION}")


def start(stack: Stack, run_id: str) -> str:
    trigger(stack, DAG, run_id, {"export": EXPORT})
    stack.rest("PATCH", f"dags/{DAG}", {"is_paused": False})
    return f"dags/{DAG}/dagRuns/{run_id}"


@pytest.mark.slow
def test_the_holders_of_all_assets_reach_a_receiver_once(sample: Sample, connect: Any, tmp_path: Path) -> None:
    stack = sample.stack
    with receiving(tmp_path, faults="throttle=2:1,lost=2:2", lost_seconds=40) as receiver:
        connect(receiver)
        assert wait_for(stack, start(stack, "outbound"), "success", "failed") == "success"
        seen = receiver.stats()
    (expected,) = stack.query(
        "SELECT COUNT(*) AS n FROM trust_lines_current WHERE asset_type IN ('credit_alphanum4', 'credit_alphanum12')"
    )
    assert expected["n"] > 0
    (run,) = stack.query("SELECT * FROM outbound_runs")
    assert seen["rows"] == run["row_count"] == expected["n"]
    assert (seen["batches"], seen["conflicts"]) == (run["delivered"], 0)
    assert (run["run_id"], run["dead"], run["job_count"]) == ("outbound", 0, 1)
    assert run["estimated_cost"] > 0


ROWS, BATCH = 100_000, 5_000
ALL_FAULTS = "throttle=9:1,unavailable=9:2,lost=9:3,slow=9:4,reset=9:5,error=9:6"


def job_of(stack: Stack) -> dict[str, Any] | None:
    url = f"http://127.0.0.1:{stack.state().ports['dataflow']}/v1b3/projects/local/locations/us-central1/jobs"
    jobs: list[dict[str, Any]] = requests.get(url, timeout=60).json().get("jobs", [])
    return next((job for job in jobs if job["currentState"] == "JOB_STATE_RUNNING"), None)


def kill_job(stack: Stack, job: dict[str, Any]) -> None:
    port = stack.state().ports["dataflow"]
    requests.post(f"http://127.0.0.1:{port}/control/jobs/{job['id']}/kill", timeout=60).raise_for_status()


def kill_task(stack: Stack, run: str, task_id: str) -> None:
    """Kill the process of a task while it runs; Airflow retries the task."""
    path = f"{run}/taskInstances/{task_id}"
    wait_for(stack, path, "running")
    psutil.Process(stack.rest("GET", path)["pid"]).kill()


@pytest.mark.slow
def test_a_hundred_thousand_rows_are_applied_once_with_all_faults_and_each_part_killed(
    sample: Sample, connect: Any, tmp_path: Path
) -> None:
    stack = sample.stack
    stack.bigquery("POST", "datasets", {"datasetReference": {"projectId": "local", "datasetId": "many"}})
    stack.query("CREATE TABLE many.trust_lines_current AS SELECT * FROM stellar.trust_lines_current LIMIT 0")
    stack.query(
        "INSERT INTO many.trust_lines_current (account_id, asset_code, asset_issuer, asset_type, balance) "
        f"SELECT CONCAT('G', CAST(n AS STRING)), 'USD', 'GI', 'credit_alphanum4', n / 7 "
        f"FROM UNNEST(GENERATE_ARRAY(1, {ROWS})) AS n"
    )
    set_variable(stack, "bq_dataset", "many")
    try:
        with receiving(tmp_path, faults=ALL_FAULTS, latency=1.0, lost_seconds=40) as receiver:
            connect(receiver)
            run = start(stack, "many")
            kill_task(stack, run, "export")
            wait_until(lambda: receiver.stats()["batches"] >= 2, "nothing was sent", RUN_PATIENCE)
            receiver.kill()
            receiver.start()
            job = wait_until(lambda: job_of(stack), "no job runs", RUN_PATIENCE)
            kill_job(stack, job)
            (scheduler,) = (one for one in stack.status() if one.name == "scheduler")
            assert scheduler.pid is not None
            os.kill(scheduler.pid, signal.SIGKILL)
            assert wait_for(stack, run, "success", "failed") == "success"
            seen = receiver.stats()
        (row,) = stack.query("SELECT * FROM many.outbound_runs")
        assert (seen["rows"], seen["batches"], seen["conflicts"]) == (ROWS, row["delivered"], 0)
        assert (row["row_count"], row["dead"], row["in_doubt"]) == (ROWS, 0, 0)
        assert row["delivered"] >= ROWS / BATCH
        assert row["job_count"] == 2
        ended = stack.query("SELECT batch FROM many.outbound_deliveries")
        assert sorted(one["batch"] for one in ended) == [*range(1, row["delivered"] + 1)] == seen["numbers"]
    finally:
        set_variable(stack, "bq_dataset", "stellar")
