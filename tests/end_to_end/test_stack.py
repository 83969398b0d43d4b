"""The laptop stack for its user: up, status, query, logs, and recovery when its parts are killed.

These tests run on the shared stack after all others: they end its services, then its supervisor.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from local.commands import main
from local.run import USUAL_DAGS
from local.stack import Stack
from local.stack.layout import PROJECT, State
from tests.end_to_end.airflow_shell import AirflowShell
from tests.end_to_end.conftest import Sample
from tests.end_to_end.rows import published
from tests.end_to_end.test_sample_network import staging_tables, wait_for
from tests.faults.stage import LEDGERS_AND_ASSETS, TABLES, Batch, RunningStack
from tests.faults.table import merge_jobs
from tests.local.stack.processes import assert_nothing_is_left, command, processes_of
from tests.shared import REPO
from tests.waiting import PATIENCE, RUN_PATIENCE, wait_until

pytestmark = pytest.mark.end_to_end

SERVICES = {
    "database", "bucket", "warehouse", "cluster", "dataflow", "api-server", "scheduler", "dag-processor", "triggerer",
}  # fmt: skip


@pytest.fixture(scope="module")
def stack(sample: Sample, airflow: AirflowShell) -> Stack:
    """The shared stack, and no process of a test in its environment."""
    airflow.close()
    return sample.stack


def pid(stack: Stack, service: str) -> int | None:
    return next(status.pid for status in stack.status() if status.name == service)


FIRST, LAST = 200, 219


@dataclass(frozen=True)
class Interrupted:
    """A run whose merge was running when the scheduler was killed, with another, and the tables' rows before both."""

    batch: Batch
    rows: dict[str, Counter[str]]


def rows_of(stack: Stack) -> dict[str, Counter[str]]:
    return {table_id: Counter(published(stack, table_id)) for table_id in TABLES}


def has_merge(batch: Batch) -> bool:
    """Return whether the newest jobs of the warehouse include the batch's merge of ledgers."""
    newest = batch.stage.stack.bigquery("GET", "jobs?maxResults=5").get("jobs", [])
    return any(f"_{batch.run_id}_ledgers_merge_" in job["jobReference"]["jobId"] for job in newest)


@pytest.fixture(scope="module")
def interrupted(stack: Stack) -> Interrupted:
    """Kill the scheduler while a merge runs that replaces deleted and existing rows; the next tests run meanwhile.

    The task's process is suspended as soon as it has inserted the job, so that it cannot read the reply before.
    """
    before = rows_of(stack)
    stack.query(f"DELETE FROM history_ledgers WHERE sequence BETWEEN {FIRST} AND {(FIRST + LAST) // 2}")
    stack.rest("PATCH", f"dags/{LEDGERS_AND_ASSETS}", {"is_paused": False})
    asks = {"start_ledger": FIRST, "end_ledger": LAST}
    batch = Batch(RunningStack(stack), LEDGERS_AND_ASSETS, asks, run_id="killed-scheduler").begin()
    batch.beside({"start_ledger": LAST + 1, "end_ledger": LAST + LAST - FIRST + 1})
    wait_for(stack, f"{batch.path}/taskInstances/ledgers.merge", "running")
    process = batch.process("ledgers.merge")

    def is_suspended_in_merge() -> bool:
        process.suspend()
        if has_merge(batch):
            return True
        process.resume()
        return False

    wait_until(is_suspended_in_merge, "the task inserts no job", RUN_PATIENCE, pause=0.02)
    batch.stage.kill_service("scheduler")
    wait_until(lambda: pid(stack, "scheduler"), "the scheduler was not restarted", pause=0.1)
    return Interrupted(batch, before)


def test_a_killed_scheduler_restarts(stack: Stack, interrupted: Interrupted) -> None:
    (scheduler,) = (status for status in stack.status() if status.name == "scheduler")
    assert scheduler.restarts >= 1


def test_a_second_up_changes_nothing(stack: Stack) -> None:
    before = {status.name: status.pid for status in stack.status()}
    done = command(stack.layout.root, "up")
    assert done.returncode == 0
    assert "already" in done.stdout
    assert stack.ui in done.stdout
    assert {status.name: status.pid for status in stack.status()} == before


def test_status_shows_every_service_and_is_0_once_all_respond(stack: Stack) -> None:
    shown: list[str] = []

    def all_answer() -> bool:  # a busy machine's API server can miss one health check
        done = command(stack.layout.root, "status", "--json")
        shown.append(done.stdout)
        return done.returncode == 0

    wait_until(all_answer, lambda: shown[-1])
    services = json.loads(shown[-1])["services"]
    assert {service["name"] for service in services} == SERVICES
    assert all(service["well"] for service in services)
    assert set(command(stack.layout.root, "status").stdout.split()) >= SERVICES


def test_every_server_listens_on_loopback_only(stack: Stack) -> None:
    listening = []
    for process in processes_of(stack.layout.root):
        with contextlib.suppress(psutil.NoSuchProcess):
            connections = process.net_connections("inet")
            listening += [connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN]
    assert len(listening) >= 5
    assert set(listening) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_no_command_line_contains_a_secret(stack: Stack) -> None:
    secrets = [*json.loads(stack.layout.secrets.read_text()).values()]
    secrets += [path.read_text() for path in (stack.layout.token, stack.layout.database_password)]
    words = []
    for process in processes_of(stack.layout.root):
        with contextlib.suppress(psutil.NoSuchProcess):
            words += process.cmdline()
    assert not [word for word in words if any(secret in word for secret in secrets)]


Here = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(stack: Stack, capsys: pytest.CaptureFixture[str]) -> Here:
    """Run a command of `python -m local` in this process; return its status, output and errors.

    Another process would import the client of BigQuery first.
    """

    def here(name: str, *arguments: str) -> tuple[int, str, str]:
        status = main([name, "--dir", str(stack.layout.root), *arguments])
        return status, *capsys.readouterr()

    return here


def test_query_prints_three_formats(here: Here) -> None:
    sql = "SELECT 1 AS one, 'a,b' AS text, TIMESTAMP '2026-01-01' AS moment"
    _, table, _ = here("query", sql)
    assert table.splitlines()[0].split() == ["one", "text", "moment"]
    assert "a,b" in table
    _, ndjson, _ = here("query", sql, "--format", "ndjson")
    assert json.loads(ndjson) == {"one": 1, "text": "a,b", "moment": "2026-01-01T00:00:00Z"}
    rows = list(csv.reader(io.StringIO(here("query", sql, "--format", "csv")[1])))
    assert rows == [["one", "text", "moment"], ["1", "a,b", "2026-01-01T00:00:00Z"]]


def test_a_reader_that_closes_the_pipe_causes_no_traceback(stack: Stack) -> None:
    sql = "SELECT n FROM UNNEST(GENERATE_ARRAY(1, 50000)) AS n ORDER BY n"
    argv = [sys.executable, "-m", "local", "query", "--dir", str(stack.layout.root), "--format", "ndjson", sql]
    with subprocess.Popen(argv, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as query:
        assert query.stdout is not None
        assert query.stderr is not None
        assert json.loads(query.stdout.readline()) == {"n": 1}
        query.stdout.close()
        assert query.stderr.read() == ""


def test_an_invalid_query_is_reported_in_one_line(here: Here) -> None:
    status, _, errors = here("query", "SELECT * FROM nothing_of_this_name")
    assert status == 1
    assert "nothing_of_this_name" in errors
    assert len(errors.strip().splitlines()) == 1


def test_a_syntax_error_has_no_escape_codes(here: Here) -> None:
    status, _, errors = here("query", "SELECT (1 FROM")
    assert status == 1
    assert "Line 1" in errors
    assert "\x1b" not in errors


def test_coverage_of_an_empty_dataset_shows_how_to_load_it(stack: Stack, tmp_path: Path) -> None:
    stack.bigquery("POST", "datasets", {"datasetReference": {"projectId": PROJECT, "datasetId": "empty"}})
    other, state = Stack(tmp_path), stack.state()
    State(state.ports, replace(state.options, dataset="empty")).save(other.layout)
    shutil.copytree(stack.layout.run, other.layout.run, dirs_exist_ok=True)
    done = command(tmp_path, "coverage")
    assert done.returncode == 1
    assert done.stderr == "local: no ledgers are loaded yet: load some with ./run_local.sh --keep\n"


def test_tables_are_listed_with_their_rows(stack: Stack, here: Here) -> None:
    stack.query("CREATE OR REPLACE TABLE listed AS SELECT 1 AS one UNION ALL SELECT 2")
    _, rows, _ = here("tables", "--format", "ndjson")
    assert {"table": "listed", "type": "TABLE", "rows": 2} in map(json.loads, rows.splitlines())
    assert "listed" in here("tables")[1]


def test_a_table_that_is_dropped_after_the_list_is_left_out(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.query("CREATE OR REPLACE TABLE dropped AS SELECT 1 AS one")
    call = stack.bigquery

    def bigquery(method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = call(method, path, **options)
        if "maxResults" in path:
            call("DELETE", "datasets/stellar/tables/dropped")
        return answer

    monkeypatch.setattr(stack, "bigquery", bigquery)
    names = [table["table"] for table in stack.tables()]
    assert "history_ledgers" in names
    assert "dropped" not in names


def test_logs_show_one_service(stack: Stack) -> None:
    done = command(stack.layout.root, "logs", "cluster", "-n", "100000")
    assert done.returncode == 0
    assert "serving on http://127.0.0.1" in done.stdout
    assert len(command(stack.layout.root, "logs", "cluster", "-n", "5").stdout.splitlines()) == 5
    unknown = command(stack.layout.root, "logs", "nobody")
    assert unknown.returncode == 1
    assert "scheduler" in unknown.stderr


def test_airflow_has_the_dags_and_their_variables(stack: Stack, sample: Sample) -> None:
    dags = {dag["dag_id"]: dag for dag in stack.rest("GET", "dags")["dags"]}
    assert {"history_archive_with_captive_core", "history_archive_without_captive_core"} <= dags.keys()
    assert sample.unpaused == {"alerts", *USUAL_DAGS}
    assert stack.rest("GET", "importErrors")["import_errors"] == []
    assert stack.rest("GET", "variables/bq_dataset")["value"] == "stellar"


def test_a_run_loses_no_row_if_the_scheduler_is_killed_during_a_merge(stack: Stack, interrupted: Interrupted) -> None:
    batch = interrupted.batch
    for each in (batch, *batch.others):
        assert each.wait() == "success", each.failures()
    tries = [each["state"] for each in batch.tries("ledgers.merge")]
    assert "success" not in tries[:-1], f"a killed try reports success: {tries}"
    merges = [job for each in (batch, *batch.others) for job in merge_jobs(each)]
    assert not [job for job in merges if job["status"].get("errorResult")]
    times = sorted([int(job["statistics"][name]) for name in ("creationTime", "endTime")] for job in merges)
    assert all(after[0] >= before[1] for before, after in pairwise(times)), f"merges overlapped: {times}"
    assert rows_of(stack) == interrupted.rows
    assert staging_tables(stack) == []
    stats = stack.query(f"SELECT table_id FROM history_archives_dag_runs WHERE batch_id = '{batch.run_id}' ORDER BY 1")
    assert [row["table_id"] for row in stats] == sorted(TABLES)


KEEPS_DATA = {"warehouse", "database"}
"""The services whose kill would lose data if they kept it in memory; tests/faults kills services too."""


@pytest.mark.parametrize(
    "service",
    [pytest.param(one, marks=() if one in KEEPS_DATA else pytest.mark.slow) for one in sorted(SERVICES)],
)
def test_a_killed_service_restarts_with_the_same_data(stack: Stack, service: str) -> None:
    # Services that the previous kill stopped may still be starting.
    wait_until(lambda: all(status.well for status in stack.status()), "the stack did not become healthy", pause=0.1)
    before = pid(stack, service)
    assert before is not None
    if service == "warehouse":
        stack.query("CREATE OR REPLACE TABLE kept AS SELECT 42 AS answer")
    psutil.Process(before).kill()
    wait_until(lambda: pid(stack, service) not in (None, before), f"{service} was not restarted", pause=0.1)
    wait_until(lambda: all(status.well for status in stack.status()), f"{service} did not become healthy", pause=0.1)
    if service == "warehouse":
        assert stack.query("SELECT answer FROM kept") == [{"answer": 42}]
    if service == "database":
        assert "dags" in stack.rest("GET", "dags")


def test_a_killed_supervisor_ends_all_processes(stack: Stack) -> None:
    stack.rest("PATCH", "variables/ledger_wait_interval", {"key": "ledger_wait_interval", "value": "7"})
    pool = {"pool": "export", "slots": 3, "include_deferred": stack.rest("GET", "pools/export")["include_deferred"]}
    stack.rest("PATCH", "pools/export?update_mask=slots", pool)
    stack.rest("DELETE", "variables/bq_dataset")
    supervisor = stack.supervisor()
    assert supervisor is not None
    supervisor.kill()
    assert_nothing_is_left(stack.layout.root)
    assert command(stack.layout.root, "status").returncode == 1


@pytest.mark.slow
def test_up_restarts_with_the_same_data_and_ctrl_c_stops_every_process(stack: Stack) -> None:
    """The stack starts after the kill, in the foreground, and keeps a user's changes in Airflow."""
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "up", "--foreground", "--dir", str(stack.layout.root)],
        cwd=REPO,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert any("the stack is up" in line for line in process.stdout)
    assert stack.query("SELECT answer FROM kept") == [{"answer": 42}]
    assert stack.rest("GET", "variables/ledger_wait_interval")["value"] == "7"
    assert stack.rest("GET", "pools/export")["slots"] == 3
    assert stack.rest("GET", "variables/bq_dataset")["value"] == "stellar", "a deleted Variable is imported"
    os.killpg(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=PATIENCE)
    assert rest == "interrupted: stopping the stack\n"
    assert process.returncode == 0
    assert_nothing_is_left(stack.layout.root)
    assert stack.supervisor() is None
