"""The laptop stack for its user: up, status, query, logs, down, and recovery when its parts are killed."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.stack import Stack
from tests.shared import REPO
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.end_to_end

SERVICES = {
    "database", "bucket", "warehouse", "cluster", "dataflow", "api-server", "scheduler", "dag-processor", "triggerer",
}  # fmt: skip


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", arguments[0], "--dir", str(folder), *arguments[1:]],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return all processes with the stack's folder in their command line, environment or working folder."""
    found = []
    for process in psutil.process_iter():
        try:
            known = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(folder) in text for text in known):
            found.append(process)
    return found


def assert_nothing_is_left(folder: Path) -> None:
    wait_until(lambda: not processes_of(folder), lambda: f"still there: {processes_of(folder)}", pause=0.1)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("a stack")
    done = command(folder, "up")
    try:
        assert done.returncode == 0, done.stderr
        yield Stack(folder)
    finally:
        command(folder, "down")
        assert_nothing_is_left(folder)


def pid(stack: Stack, service: str) -> int | None:
    return next(status.pid for status in stack.status() if status.name == service)


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


def test_query_prints_three_formats(stack: Stack) -> None:
    sql = "SELECT 1 AS one, 'a,b' AS text, TIMESTAMP '2026-01-01' AS moment"
    table = command(stack.layout.root, "query", sql).stdout
    assert table.splitlines()[0].split() == ["one", "text", "moment"]
    assert "a,b" in table
    ndjson = command(stack.layout.root, "query", sql, "--format", "ndjson").stdout
    assert json.loads(ndjson) == {"one": 1, "text": "a,b", "moment": "2026-01-01T00:00:00Z"}
    rows = list(csv.reader(io.StringIO(command(stack.layout.root, "query", sql, "--format", "csv").stdout)))
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


def test_an_invalid_query_is_reported_in_one_line(stack: Stack) -> None:
    done = command(stack.layout.root, "query", "SELECT * FROM nothing_of_this_name")
    assert done.returncode == 1
    assert "nothing_of_this_name" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_syntax_error_has_no_escape_codes(stack: Stack) -> None:
    done = command(stack.layout.root, "query", "SELECT (1 FROM")
    assert done.returncode == 1
    assert "Line 1" in done.stderr
    assert "\x1b" not in done.stderr


def test_coverage_of_an_empty_dataset_shows_how_to_load_it(stack: Stack) -> None:
    done = command(stack.layout.root, "coverage")
    assert done.returncode == 1
    assert done.stderr == "local: no ledgers are loaded yet: load some with ./run_local.sh --keep\n"


def test_tables_are_listed_with_their_rows(stack: Stack) -> None:
    stack.query("CREATE OR REPLACE TABLE listed AS SELECT 1 AS one UNION ALL SELECT 2")
    done = command(stack.layout.root, "tables", "--format", "ndjson")
    assert {"table": "listed", "type": "TABLE", "rows": 2} in map(json.loads, done.stdout.splitlines())
    assert "listed" in command(stack.layout.root, "tables").stdout


def test_logs_show_one_service(stack: Stack) -> None:
    done = command(stack.layout.root, "logs", "cluster", "-n", "5")
    assert done.returncode == 0
    assert "serving on http://127.0.0.1" in done.stdout
    unknown = command(stack.layout.root, "logs", "nobody")
    assert unknown.returncode == 1
    assert "scheduler" in unknown.stderr


def test_airflow_has_the_dags_and_their_variables(stack: Stack) -> None:
    dags = {dag["dag_id"]: dag for dag in stack.rest("GET", "dags")["dags"]}
    assert {"history_archive_with_captive_core", "history_archive_without_captive_core"} <= dags.keys()
    assert [dag_id for dag_id, dag in dags.items() if not dag["is_paused"]] == ["alerts"]
    assert stack.rest("GET", "importErrors")["import_errors"] == []
    assert stack.rest("GET", "variables/bq_dataset")["value"] == "stellar"


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


def test_query_without_a_stack_shows_how_to_start_one(tmp_path: Path) -> None:
    done = command(tmp_path, "query", "SELECT 1")
    assert done.returncode == 1
    assert "python -m local up" in done.stderr


def test_clients_use_a_proxy_in_place_of_a_service(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    stack.configure(proxies={"warehouse": 1})
    environment, ports = stack.environment(), stack.state().ports
    assert environment["BIGQUERY_EMULATOR_HOST"] == "http://127.0.0.1:1"
    assert environment["STORAGE_EMULATOR_HOST"] == f"http://127.0.0.1:{ports['bucket']}"
    (warehouse,) = (service for service in stack.services() if service.name == "warehouse")
    assert str(ports["warehouse"]) in warehouse.argv
