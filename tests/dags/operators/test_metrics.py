"""Metrics of a task reach a StatsD receiver over UDP, and an OpenTelemetry receiver over HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from stellar_etl_airflow.model.coverage import Fault, Finding
from stellar_etl_airflow.model.metrics import METRICS, Measurement, of_audit, of_coverage, of_loads
from stellar_etl_airflow.model.tables import PUBLISHED
from tests.shared import REPO

PLACE = "p.d"
IDS = {data_type: table.table_id for data_type, table in PUBLISHED.items()}
FINDINGS = [
    Finding("ledgers", Fault.LAG, 41, 50, 10, 50, dataset=PLACE),
    Finding("ledgers", Fault.LOOKED_AT, 1, 40, 40, dataset=PLACE),
    Finding("accounts", Fault.LOOKED_AT, 1, 40, 40, dataset=PLACE),
    Finding("ledgers", Fault.MISSING, 10, 12, 3, dataset=PLACE),
    Finding("ledgers", Fault.NOT_LOADED, 20, 24, 5, dataset=PLACE),
    Finding("accounts", Fault.DIRTY, 5, 6, 2, 90, dataset=PLACE),
    Finding("effects", Fault.LOST_ROWS, 5, 6, 2, dataset=PLACE),
]

TASK = """
import os, sys
from pathlib import Path
from airflow.sdk import DAG, BaseOperator
from tests.dags.task_process import Supervisor, run_task
from airflow.sdk.execution_time import task_runner
from airflow.sdk.observability.metrics import stats_utils
from airflow.sdk.observability import stats
from stellar_etl_airflow.model.metrics import Measurement
from stellar_etl_airflow.operators.metrics import send

class Sends(BaseOperator):
    def execute(self, context):
        send([
            Measurement("lag_seconds", 50, {"dataset": "p.d", "table": "history_ledgers"}),
            Measurement("day_cost", 0.25, {"table": "history_ledgers"}),
            Measurement("failed_checks", 2, {"table": "history_effects"}),
        ])

# As `task_runner.main` does, in the process of each task.
stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
with DAG("sending", schedule=None):
    task = Sends(task_id="sends")
assert run_task(task, Supervisor()) == "success"
"""


def run_in_a_process(**settings):
    """Run a task that sends metrics, in a separate process with this configuration of Airflow."""
    given = {f"AIRFLOW__METRICS__{name.upper()}": value for name, value in settings.items() if name.islower()}
    given |= {name: value for name, value in settings.items() if name.isupper()}
    done = subprocess.run(
        [sys.executable, "-c", TASK],
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": f"{REPO}:{REPO / 'dags'}", **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_statsd_receives_each_value_with_its_tags():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        port = str(receiver.getsockname()[1])
        run_in_a_process(statsd_on="True", statsd_host="127.0.0.1", statsd_port=port, statsd_influxdb_enabled="True")
        received = set()
        while not any("failed_checks" in one for one in received):
            received.add(receiver.recv(65536).decode())
    assert {one for one in received if "stellar_etl" in one} == {
        "airflow.stellar_etl.lag_seconds,dataset=p.d,table=history_ledgers:50|g",
        "airflow.stellar_etl.day_cost,table=history_ledgers:0.25|g",
        "airflow.stellar_etl.failed_checks,table=history_effects:2|c",
    }


@contextmanager
def collector():
    """Run a receiver of OpenTelemetry's protocol over HTTP; yield its address and the received data."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(ExportMetricsServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()


def test_opentelemetry_receives_each_value_with_its_attributes():
    """The task's process ends at once, and first sends its values."""
    with collector() as (address, received):
        run_in_a_process(
            otel_on="True",
            OTEL_EXPORTER_OTLP_ENDPOINT=address,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_EXPORTER_OTLP_COMPRESSION="none",
        )
    values = {
        (metric.name, *sorted(one.value.string_value for one in point.attributes)): point.as_double or point.as_int
        for request in received
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if "stellar_etl" in metric.name
        for point in (metric.gauge or metric.sum).data_points or metric.sum.data_points
    }
    assert values == {
        ("airflow.stellar_etl.lag_seconds", "history_ledgers", "p.d"): 50,
        ("airflow.stellar_etl.day_cost", "history_ledgers"): 0.25,
        ("airflow.stellar_etl.failed_checks", "history_effects"): 2,
    }


def test_a_missing_receiver_fails_no_task():
    output = run_in_a_process(statsd_on="True", statsd_host="no-such-host.invalid", statsd_port="1")
    assert "Traceback" not in output


def values(measurements):
    return {json.dumps([one.name, *one.tags.values()]): one.value for one in measurements}


def test_a_coverage_check_sends_a_value_per_table_and_fault():
    found = values(of_coverage(FINDINGS, IDS))
    expected = {
        ("lag_seconds", PLACE, "history_ledgers"): 50,
        ("lag_ledgers", PLACE, "history_ledgers"): 10,
        ("gap_ledgers", PLACE, "history_ledgers"): 8,
        ("gap_ledgers", PLACE, "accounts"): 0,
        ("oldest_dirty_seconds", PLACE, "accounts"): 90,
        ("oldest_dirty_seconds", PLACE, "history_ledgers"): 0,
        ("findings", "lost_rows"): 1,
        ("findings", "missing_ledgers"): 1,
        ("findings", "duplicates"): 0,
    }
    assert {key: found[json.dumps(key)] for key in expected} == expected
    assert json.dumps(["findings", "lag"]) not in found


def test_a_table_without_a_load_for_a_day_reports_zero():
    loads = [{"table_id": "a", "row_count": 7, "byte_count": 70, "cost": Decimal("0.5")}]
    assert values(of_loads(loads, ["a", "b"])) == {
        '["day_rows", "a"]': 7,
        '["day_bytes", "a"]': 70,
        '["day_cost", "a"]': 0.5,
        '["day_rows", "b"]': 0,
        '["day_bytes", "b"]': 0,
        '["day_cost", "b"]': 0,
    }


def test_an_audit_counts_rows_by_fault():
    rows = [Finding("ledgers", Fault.MISSING_ROWS, 1, 9, 4), Finding("effects", Fault.MISSING_ROWS, 1, 9, 3)]
    assert values(of_audit(rows, 500)) == {
        '["audited_rows"]': 500,
        '["audit_findings", "missing_rows"]': 7,
        '["audit_findings", "extra_rows"]': 0,
        '["audit_findings", "kept_rows"]': 0,
        '["audit_findings", "different_rows"]': 0,
    }


@pytest.mark.parametrize(
    "made", [of_coverage(FINDINGS, IDS), of_loads([], ["a"]), of_audit([], 0)], ids=["coverage", "loads", "audit"]
)
def test_every_metric_is_registered(made):
    assert {one.name for one in made} <= METRICS.keys()
    assert Measurement("x", 1).tags == {}
