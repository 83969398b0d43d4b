"""Sentry events of a task that fails: one event after its last try, without secrets."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.sdk.execution_time import task_runner

from stellar_etl_airflow.operators.alerts import report_failure
from stellar_etl_airflow.operators.defaults import get_default_dag_args
from stellar_etl_airflow.operators.runtime import SOURCES_TASK, TIME_TASK
from stellar_etl_airflow.settings.base import SettingsError
from tests.dags import task_process
from tests.dags.task_process import RUN_ID, START, Failing, Supervisor
from tests.shared import REPO


class Receiver(BaseHTTPRequestHandler):
    """Receive envelopes, as Sentry does (https://develop.sentry.dev/sdk/data-model/envelopes/)."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.bodies.append(body.decode())
        _, *lines = body.decode().splitlines()
        for head, item in zip(lines[::2], lines[1::2], strict=True):
            if json.loads(head)["type"] == "event":
                self.server.events.append(json.loads(item))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def sentry(airflow_environment):
    """A Sentry on loopback, to which the Variables point; it keeps the events that it receives."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.events, server.bodies = [], []
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        airflow_environment(sentry_dsn=f"http://key@127.0.0.1:{server.server_port}/7", sentry_environment="trial")
        yield server
        server.shutdown()


@pytest.fixture
def run_task(monkeypatch):
    """Run a task that fails as Airflow's task process does, including its callbacks."""
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", None, raising=False)  # restored after the test

    def run_task(error, *, tries_left, xcoms=None, params=None):
        with DAG("a_dag", default_args=get_default_dag_args(), start_date=START):
            task = Failing(task_id="merge", error=error)
        return task_process.run_task(task, Supervisor(xcoms), tries_left=tries_left, params=params)

    return run_task


def test_the_last_try_sends_one_event_and_earlier_tries_none(sentry, run_task):
    assert run_task(AirflowException("boom"), tries_left=True) == "up_for_retry"
    assert sentry.bodies == []
    assert run_task(AirflowException("boom"), tries_left=False) == "failed"
    (event,) = sentry.events
    assert event["level"] == "error"
    assert event["exception"]["values"][-1]["value"] == "boom"
    assert event["environment"] == "trial"
    assert event["tags"] == {"dag_id": "a_dag", "task_id": "merge", "run_id": RUN_ID, "try_number": "6"}
    assert "/dags/a_dag/runs/" in event["extra"]["log"]


def test_a_failed_check_is_reported_at_once(sentry, run_task):
    assert run_task(AirflowFailException("2 rows twice"), tries_left=True) == "failed"
    assert [event["exception"]["values"][-1]["value"] for event in sentry.events] == ["2 rows twice"]


def test_the_release_is_the_version_of_the_project(sentry, run_task):
    run_task(AirflowException("boom"), tries_left=False)
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert sentry.events[0]["release"] == f"{project['name']}@{project['version']}"


@pytest.mark.parametrize(
    ("xcoms", "params"),
    [
        ({TIME_TASK: {"start": 3, "end": 123}}, {}),
        ({SOURCES_TASK: {"start_ledger": 3, "end_ledger": 122}}, {}),
        ({}, {"start_ledger": 3, "end_ledger": 122}),
    ],
)
def test_an_event_has_the_ledger_range_if_it_is_known(sentry, run_task, xcoms, params):
    run_task(AirflowException("boom"), tries_left=False, xcoms=xcoms, params=params)
    assert sentry.events[0]["tags"]["ledger_range"] == "3-122"


def test_no_event_contains_a_secret(sentry, run_task, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "mysql://user:pass-of-the-connection@host/db")
    monkeypatch.setenv("SOME_TOKEN", "value-of-the-environment")
    monkeypatch.setattr(sys, "argv", ["airflow", "argument-of-the-process"])
    run_task(AirflowException, tries_left=False)
    (body,) = sentry.bodies
    assert "refused ***" in body
    for secret in ("pass-of-the", "value-of-the-environment", "argument-of-the-process", "only-in-a-local-variable"):
        assert secret not in body
    assert sentry.events[0].keys().isdisjoint({"breadcrumbs", "user", "request", "modules"})


def test_a_killed_process_is_reported_without_an_exception(sentry, make_context):
    report_failure(make_context("merge"))
    assert sentry.events[0]["message"] == "a_dag.merge failed: its process was killed"


def test_an_invalid_dsn_is_reported_without_its_value(airflow_environment, make_context):
    airflow_environment(sentry_dsn="ftp//key-of-the-project")
    with pytest.raises(SettingsError, match="Airflow Variable 'sentry_dsn' is not a DSN") as caught:
        report_failure(make_context("merge"))
    assert "key-of-the-project" not in str(caught.value)


def test_without_configuration_nothing_is_imported_or_changed(airflow_environment):
    program = (
        "import asyncio, sys\n"
        "from airflow.sdk.execution_time import task_runner\n"
        "from stellar_etl_airflow.operators.alerts import report_deadline, report_failure\n"
        "import alerts_dag\n"
        "from tests.dags.task_process import Supervisor\n"
        "task_runner.SUPERVISOR_COMMS = Supervisor()\n"
        "report_failure({})\n"
        "run = {'dag_id': 'a', 'dag_run_id': 'b', 'state': 'running', 'run_type': 'manual'}\n"
        "run['queued_at'] = '2025-12-31T00:00:00Z'\n"
        "asyncio.run(report_deadline({'dag_run': run, 'deadline': {'deadline_time': '2026-01-01T00:00:00Z'}}))\n"
        "assert task_runner.SUPERVISOR_COMMS.variables == {}\n"
        "notifications = {f'airflow.providers.{name}.notifications' for name in ('slack', 'smtp')}\n"
        "assert sys.modules.keys().isdisjoint({'sentry_sdk', 'slack_sdk', *notifications})\n"
    )
    path = os.pathsep.join([str(REPO), str(REPO / "dags")])
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, check=True, timeout=120)


def test_an_unreachable_sentry_does_not_change_the_tasks_failure(sentry, run_task, airflow_environment):
    airflow_environment(sentry_dsn="http://key@127.0.0.1:1/7")
    assert run_task(AirflowException("boom"), tries_left=False) == "failed"
