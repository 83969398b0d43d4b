"""The operator's commands report on a deployment: Airflow's own API server, and the laptop's warehouse."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import LEDGERS, OPERATIONS, POOLS
from stellar_etl_airflow.ops.__main__ import main
from stellar_etl_airflow.ops.reports import dag_rows
from stellar_etl_airflow.settings.parsing import load
from stellar_etl_airflow.settings.warehouse import WarehouseSettings
from stellar_etl_airflow.sql.batch_stats import stats_row, upsert_stats
from tests.dags.conftest import create_all
from tests.shared import REPO

OWN = {"bq_project": "local", "bq_dataset": "stellar", "table_ids": {"ledgers": "our_ledgers"}}


@pytest.fixture
def run(airflow_api, warehouse_server, client, monkeypatch, capsys):
    """Run the command on a deployment with separate Variables; return its status and its output."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", warehouse_server[0].url)
    variables = json.loads((REPO / "airflow_variables.json").read_text()) | OWN
    create_all(airflow_api, "variables", [{"key": key, "value": value} for key, value in variables.items()])
    create_all(airflow_api, "pools", [{"name": name, **pool} for name, pool in POOLS.items()])

    def run(*arguments):
        status = main([*arguments, "--airflow", airflow_api.url])
        printed = capsys.readouterr()
        assert printed.err == ""
        return status, printed.out

    return run


@pytest.mark.slow
def test_status_lists_what_needs_an_operator(run, airflow_api):
    status, printed = run("status")
    # Without its scheduler this Airflow is unhealthy.
    assert (status, "scheduler is unhealthy" in printed) == (1, True)
    assert "is not set" not in printed
    airflow_api.call("DELETE", "variables/coverage_days")
    airflow_api.call("DELETE", "pools/export")
    _, printed = run("status")
    assert "Variable coverage_days is not set: run the command upgrade" in printed
    assert "pool export is missing: run the command upgrade" in printed


def test_status_reports_on_the_tables_and_the_stages(run, loaded, airflow_api):
    """The newest load is that of ledger 40. Operations of its last 10 ledgers are not loaded."""
    _, printed = run("status", "--days", "30")
    report = next(line.split() for line in printed.splitlines() if line.startswith("our_ledgers"))
    assert report == ["our_ledgers", "40", "1", "40", "0", "0", "0", "0"]
    assert re.search("table history_operations has .* 10 ledgers that are not loaded, 0 duplicates", printed)
    assert "table our_ledgers" not in printed


def test_a_dags_runs_are_counted_by_state():
    states = [("a", "running"), ("b", "success"), ("a", "failed"), ("a", "success")]
    runs = [{"dag_id": dag, "state": state, "run_after": f"t{number}"} for number, (dag, state) in enumerate(states)]
    rows = dag_rows({"a": {"is_paused": False}, "b": {"is_paused": True}, "c": {"is_paused": True}}, runs)
    assert [tuple(row.values()) for row in rows] == [
        ("a", "active", 1, 1, 1, "t0", "running"),
        ("b", "paused", 1, 0, 0, "t1", "success"),
        ("c", "paused", 0, 0, 0, None, None),
    ]


@pytest.fixture
def loaded(client):
    """Ledgers 1 to 40 are loaded, operations of 1 to 30 are recorded, with costs of today and a month ago."""
    shipped = json.loads((REPO / "airflow_variables.json").read_text())
    settings = shipped | OWN | {"schema_filepath": str(REPO / "schemas")}
    warehouse = Warehouse(client, load(WarehouseSettings, settings.get))
    warehouse.ensure_batch_stats()
    for table in (LEDGERS, OPERATIONS):
        warehouse.ensure_published(table)
    client.query(
        f"INSERT INTO {warehouse.published(LEDGERS)} (sequence, closed_at) "
        "SELECT n, TIMESTAMP '2026-01-01T00:00:00Z' FROM UNNEST(GENERATE_ARRAY(1, 40)) AS n"
    ).result()
    now = datetime.now(UTC)
    for dag, ledgers, published in [
        ("with", LedgerRange(1, 20), now),
        ("with", LedgerRange(21, 30), now),
        ("without", LedgerRange(1, 10), now - timedelta(days=40)),
    ]:
        values = {
            "table_id": "history_operations",
            "dag_id": dag,
            "row_count": 7,
            "published_at": published.isoformat(),
            "bytes_billed": 1 << 30,
            "estimated_cost": "0.25",
            "last_closed_at": "2026-01-01T00:00:00Z",
            "pod_cost": "0.125",
            "storage_cost": "0.0625",
        }
        warehouse.query(upsert_stats(warehouse.name("history_archives_dag_runs"), [stats_row(ledgers, values)]))


def test_coverage_and_costs_come_from_the_deployments_tables(run, loaded, tmp_path):
    status, printed = run("coverage", "--svg", str(tmp_path / "picture.svg"))
    assert status == 1
    _, ledgers, operations, _, _, _, cost = printed.splitlines()
    parts = ["2", "2.0", "0.5000", "0.2500", "0.1250", "0.8750"]
    assert cost.split() == ["history_operations", *parts]
    assert ledgers.split()[0::2] == ["our_ledgers", "complete"]
    assert operations.endswith("lacks 10: 31-40")
    assert "31 to 40: missing" in (tmp_path / "picture.svg").read_text()
    status, printed = run("costs")
    assert status == 0
    _, _, *rows = printed.splitlines()
    assert [row.split() for row in rows] == [[f"{datetime.now(UTC):%Y-%m-%d}", "with", "2", "14", *parts[1:]]]
    assert len(run("costs", "--days", "60")[1].splitlines()) == 4
