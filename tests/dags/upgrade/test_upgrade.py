"""Upgrade of a deployment with data: Airflow's own API server, and the laptop's warehouse."""

from __future__ import annotations

import gzip
import json
import sqlite3

import google.cloud.bigquery as bq
import pytest

from stellar_etl_airflow.model.schema import lacking, read_schema
from stellar_etl_airflow.model.tables import POOLS, PUBLISHED, STATES
from stellar_etl_airflow.ops.airflow_api import AirflowApi, AirflowApiError
from stellar_etl_airflow.sql.versions import current_view_id, history_view_id, versions_table_id
from stellar_etl_airflow.upgrade.__main__ import UpgradeError, main, upgrade
from stellar_etl_airflow.upgrade.deployment import Deployment
from stellar_etl_airflow.upgrade.steps import STEPS, Change, Step
from tests.dags.conftest import create_all
from tests.shared import REPO

RELEASES = sorted((REPO / "tests" / "data" / "releases").glob("*.json.gz"))
assert RELEASES, "tests/data/releases/make.py records them"
SHIPPED = json.loads((REPO / "airflow_variables.json").read_text())
OWN = {
    "bq_project": "local",
    "bq_dataset": "stellar",
    "image_name": "a/registry/stellar-etl:7",
    "network_passphrase": "A network of our own",
    "price_per_tib": 7.5,
    "start_delay": {"state_table_export": 240},
    "task_timeout": {"build_export_task": 7200},
}
"""Changes by users of the old release."""
NOT_OURS = {"of_another_team": "x"}
NOT_YET = ("runbook_url", "coverage_days")
"""Variables that releases before the recorded ones did not have."""


def stored(folder):
    """Return the values of the Variables in Airflow's database, because its API hides some."""
    with sqlite3.connect(folder / "airflow.db") as database:
        raw = dict(database.execute("SELECT key, val FROM variable"))
    return {key: value if isinstance(SHIPPED.get(key, ""), str) else json.loads(value) for key, value in raw.items()}


def rows_of(client, release):
    """Return the rows of each table, by the columns of the release."""
    found = {}
    for resource in release["tables"]:
        if "view" not in resource:
            names = ", ".join(f"`{field['name']}`" for field in resource["schema"]["fields"])
            rows = client.query(f"SELECT {names} FROM `local.stellar.{table_of(resource)}`").result()
            found[table_of(resource)] = [{key: plain(value) for key, value in row.items()} for row in rows]
    return found


def plain(value):
    """Return a value without empty fields of records, which are added as the schema grows."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items() if part is not None} or None
    return value


@pytest.fixture(params=RELEASES, ids=lambda path: path.name.split(".")[0])
def release(request, airflow_api, client):
    """A deployment of an older release: Variables and pools with users' changes, and tables with rows."""
    api, release = airflow_api, json.loads(gzip.decompress(request.param.read_bytes()))
    variables = {key: value for key, value in {**release["variables"], **OWN, **NOT_OURS}.items() if key not in NOT_YET}
    create_all(api, "variables", [{"key": key, "value": value} for key, value in variables.items()])
    pools = {**release["pools"], "export": {"slots": 3, "include_deferred": True}}
    create_all(api, "pools", [{"name": name, **pool} for name, pool in pools.items()])
    for resource in release["tables"]:
        client.create_table(bq.Table.from_api_repr(resource))
    return release


def fill(client, release):
    """Insert a row with the required columns into each table; return the number of rows by table."""
    for resource in release["tables"]:
        if "view" not in resource:
            required = [field for field in resource["schema"]["fields"] if field.get("mode") == "REQUIRED"]
            values = {"INTEGER": "7", "STRING": "'x'", "BOOLEAN": "FALSE", "TIMESTAMP": "TIMESTAMP '2026-01-01'",
                      "FLOAT": "1.5", "DATETIME": "DATETIME '2026-01-01'", "NUMERIC": "1"}  # fmt: skip
            names = ", ".join(f"`{field['name']}`" for field in required) or resource["schema"]["fields"][0]["name"]
            row = ", ".join(values[field["type"]] for field in required) or "NULL"
            client.query(f"INSERT INTO `local.stellar.{table_of(resource)}` ({names}) VALUES ({row})").result()


def table_of(resource):
    return resource["tableReference"]["tableId"]


@pytest.fixture
def deployment(airflow_api, client):
    return Deployment(airflow_api, SHIPPED, lambda project: client)


@pytest.fixture
def run(airflow_api, warehouse_server, monkeypatch, capsys):
    """Run the command as a user does; return its lines."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", warehouse_server[0].url)

    def run(*arguments):
        status = main(["--airflow", airflow_api.url, *arguments])
        printed = capsys.readouterr()
        assert (status, printed.err) == (0, "")
        return printed.out.splitlines()

    return run


def test_a_deployment_of_an_older_release_is_upgraded(release, airflow_api, airflow_home, client, run):
    api, folder = airflow_api, airflow_home
    fill(client, release)
    rows, before = rows_of(client, release), (stored(folder), api.pools())
    assert all(rows.values())
    planned = run()
    assert planned[-1].endswith("nothing was changed, use --go to make them")
    assert '  set runbook_url to ""' in planned
    assert "  create pool write_history_archives_dag_runs with 1 slot" in planned
    assert "  local.stellar.history_contract_events: add event_index, event_source" in planned
    assert (stored(folder), api.pools()) == before, "a dry run changes nothing"
    assert "event_index" not in [field.name for field in client.get_table("local.stellar.token_transfers_raw").schema]

    done = run("--go")
    assert done[:-1] == planned[:-1]
    kept = {key: value for key, value in release["variables"].items() if key not in NOT_YET}
    assert stored(folder) == {**SHIPPED, **kept, **OWN, **NOT_OURS}
    assert set(POOLS) <= set(api.pools())
    assert api.pools()["export"]["slots"] == 3
    there = {table_of(resource) for resource in release["tables"]}
    for table in PUBLISHED.values():
        if table.derivation and table.table_id not in there:
            continue  # its first run creates it
        names = [table.table_id, *([versions_table_id(table.table_id)] if table.data_type in STATES else [])]
        for name in names:
            fields = [field.to_api_repr() for field in client.get_table(f"local.stellar.{name}").schema]
            assert lacking(read_schema(str(REPO / "schemas"), table.table_id), fields) == []
    old = {f"{table.table_id}_state" for table in STATES.values()}
    assert any("offers_state has 1 extra entries: replace it by local.stellar.offers_versions" in one for one in done)
    assert not old & {table.table_id for table in client.list_tables("stellar")}, "versions have replaced it"
    release["tables"] = [resource for resource in release["tables"] if table_of(resource) not in old]
    assert rows_of(client, release) == {name: some for name, some in rows.items() if name not in old}
    for table in STATES.values():
        for view in (current_view_id, history_view_id):
            client.query(f"SELECT * FROM `local.stellar.{view(table.table_id)}`").result()

    assert [line for line in run("--go")[1:] if "up to date" not in line] == ["0 changes"]


def test_a_value_that_this_release_refuses_stops_the_upgrade(airflow_api, deployment):
    airflow_api.add_variable("coverage_alert_lag", "much", "")
    with pytest.raises(UpgradeError, match="'coverage_alert_lag'.*\n.*nothing was changed"):
        upgrade(deployment, go=True, say=lambda line: None)
    assert "runbook_url" not in airflow_api.variables()


def test_an_incomplete_step_is_an_error(deployment):
    never = Step("columns", lambda _: iter([Change("add a column", lambda: None)]))
    with pytest.raises(UpgradeError, match="columns: changes are left: add a column"):
        upgrade(deployment, go=True, steps=[never], say=lambda line: None)


class FakeDags(AirflowApi):
    """DAGs, one of them paused and with a run; Airflow's server has none without a scheduler."""

    def dags(self):
        return {"a": {"is_paused": False}, "b": {"is_paused": True}, "c": {"is_paused": True}}

    def active_runs(self, dag_id):
        return ["run_1"] if dag_id == "b" else []


def test_a_migration_waits_until_its_dags_are_paused(airflow_api, client):
    deployment = Deployment(FakeDags(airflow_api.url), SHIPPED, lambda project: client)
    done = []
    change = Change("move rows", lambda: done.append(1))
    step = Step("migration", lambda _: iter([] if done else [change]), paused=("a", "b", "c", "not_there_yet"))
    said = []
    upgrade(deployment, go=False, steps=[step], say=said.append)
    assert [line for line in said if line.startswith("before --go")] == [
        "before --go: DAG a is not paused: airflow dags pause -y a",
        "before --go: DAG b has active runs: wait for run_1",
    ]
    with pytest.raises(UpgradeError, match="airflow dags pause -y a"):
        upgrade(deployment, go=True, steps=[step], say=said.append)
    assert not done
    upgrade(deployment, go=True, steps=[Step("migration", step.changes, paused=("c",))], say=said.append)
    assert done == [1]


def test_values_that_airflow_hides_come_from_the_files(airflow_api, client):
    api = airflow_api
    own = {**SHIPPED, "table_ids": {**SHIPPED["table_ids"], "token_transfers": "transfers", "ledgers": "our_ledgers"}}
    for key in ("table_ids", "network_passphrase"):
        api.add_variable(key, own[key] or "a network", "")
    deployment = Deployment(api, SHIPPED, lambda project: client)
    assert deployment.hidden() == ["network_passphrase", "table_ids"]
    assert deployment.warehouse.config.table_id("ledgers") == "our_ledgers"
    assert deployment.warehouse.config.table_id("token_transfers") == "token_transfers_raw"
    exported = Deployment(api, own, lambda project: client)
    assert exported.warehouse.config.table_id("token_transfers") == "transfers"


def test_an_invalid_address_is_named(airflow_api):
    with pytest.raises(AirflowApiError, match="does not respond"):
        AirflowApi("http://127.0.0.1:9").variables()
    with pytest.raises(AirflowApiError, match="AIRFLOW_API_TOKEN"):
        AirflowApi("http://airflow.example.com").variables()
    with pytest.raises(AirflowApiError, match="404"):
        airflow_api.call("GET", "nothing")


def test_steps_have_unique_names():
    assert len({step.name for step in STEPS}) == len(STEPS)
