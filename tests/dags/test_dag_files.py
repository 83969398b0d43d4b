"""The DAG files as Airflow sees them: they import with nothing set, reach nothing, and mean the same twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stellar_etl_airflow.tables import CHANGES, TABLES
from tests.shared import REPO

PARSE = """
import inspect, json, socket, sqlite3, sys
reached = []
def refused(*args, **kwargs):
    reached.append("a DAG file reached outside while it was parsed: %r" % (args,))
    raise AssertionError(reached[-1])
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
import airflow.sdk.definitions.variable as variable, airflow.sdk.definitions.connection as connection
get = variable.Variable.get
variable.Variable.get = lambda key, **kwargs: get(key, **kwargs) if key == "owner" else refused(key)
connection.Connection.get = refused
def deferrable(task):
    if not task.is_mapped:
        return getattr(task, "deferrable", False)
    return inspect.signature(task.operator_class.__init__).parameters["deferrable"].default  # a mapped one's
socket.socket.connect = sqlite3.connect = sqlite3.dbapi2.connect = refused
bag = DagBag(sys.argv[1], load_op_links=False)
dags = {dag_id: DagSerialization.to_dict(dag) for dag_id, dag in sorted(bag.dags.items())}
for dag in dags.values():
    dag["dag"].pop("_processor_dags_folder", None)
print(json.dumps({
    "errors": {str(key): str(value) for key, value in bag.import_errors.items()},
    "dags": dags,
    "tasks": {dag_id: {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
              for dag_id, dag in bag.dags.items()},
    "deferrable": {dag_id: {task.task_id: deferrable(task) for task in dag.tasks}
                   for dag_id, dag in bag.dags.items()},
    "retries": {dag_id: [task.retries for task in dag.tasks] for dag_id, dag in bag.dags.items()},
    "owners": sorted({dag.owner for dag in bag.dags.values()}),
    "reached": reached,
    "docs": {dag_id: dag.doc_md or "" for dag_id, dag in bag.dags.items()},
}))
"""


def parse(**environment):
    result = subprocess.run(
        [sys.executable, "-c", PARSE, str(REPO / "dags")],
        env={**os.environ, "PYTHONPATH": str(REPO / "dags"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def parsed():
    return parse()


def test_every_dag_file_imports_with_nothing_set_and_nothing_reachable(parsed):
    assert (parsed["errors"], parsed["reached"]) == ({}, [])
    assert sorted(parsed["dags"]) == [
        "alerts",
        "bucket_list_export",
        "dataset_reset",
        "enriched_history_operations",
        "history_archive_with_captive_core",
        "history_archive_without_captive_core",
        "history_backfill",
        "ledger_coverage",
        "state_rebuild",
        "state_table_export",
    ]


def test_the_owner_is_the_one_variable_that_is_read_while_parsing(parsed):
    assert parsed["owners"] == ["stellar-etl"]
    assert parse(AIRFLOW_VAR_OWNER="data-team")["owners"] == ["data-team"]


def test_an_owner_that_cannot_be_read_stops_no_import(parsed):
    """The database can't be reached; then a name that is none."""
    found = parse(_AIRFLOW_PROCESS_CONTEXT="server")
    assert found["reached"], "Airflow asked its database"
    assert (found["errors"], found["owners"]) == ({}, ["stellar-etl"])
    found = parse(AIRFLOW_VAR_OWNER="")
    assert (found["errors"], found["owners"]) == ({}, ["stellar-etl"])
    assert sorted(found["dags"]) == sorted(parsed["dags"])


def test_the_same_files_serialise_the_same_twice(parsed):
    assert parse()["dags"] == parsed["dags"]


def test_a_batch_flows_one_way(parsed):
    tasks = parsed["tasks"]["history_archive_without_captive_core"]
    assert tasks["get_ledger_range_from_times"] == ["export"]
    assert tasks["export"] == ["verify_export"]
    assert tasks["verify_export"] == ["assets.load", "ledgers.load"]
    for table in ("assets", "ledgers"):
        assert tasks[f"{table}.load"] == [f"{table}.check"]
        assert tasks[f"{table}.check"] == [f"{table}.merge"]
        assert tasks[f"{table}.merge"] == [f"{table}.batch_stats"]
        assert tasks[f"{table}.batch_stats"] == ["delete_staging"]


def test_a_batch_of_all_history_tables_stays_within_45_tasks(parsed):
    history = [tasks for dag_id, tasks in parsed["tasks"].items() if "history_archive" in dag_id]
    assert {task.split(".")[0] for tasks in history for task in tasks if "." in task} == TABLES.keys()
    assert sum(map(len, history)) <= 45


def test_every_kind_of_change_is_published(parsed):
    tasks = parsed["tasks"]["state_table_export"]
    assert {task.split(".")[0] for task in tasks if "." in task} == CHANGES.keys()


def test_every_dag_says_what_to_do_when_it_fails_and_retries(parsed):
    for dag_id, text in parsed["docs"].items():
        assert "**When it fails**" in text, dag_id
        assert "**Who runs it**" in text, dag_id
        assert min(parsed["retries"][dag_id]) >= 1, dag_id


def timetable(parsed):
    return parsed["dags"]["history_archive_without_captive_core"]["dag"]


def test_schedule_start_and_end_come_from_the_environment(parsed):
    changed = parse(
        STELLAR_ETL_SCHEDULE="*/5 * * * *",
        STELLAR_ETL_START_DATE="2026-02-01T00:00:00Z",
        STELLAR_ETL_END_DATE="2026-02-01T01:00:00Z",
        STELLAR_ETL_CATCHUP="false",
    )
    assert "*/10 * * * *" in json.dumps(timetable(parsed))
    assert "*/5 * * * *" in json.dumps(timetable(changed))
    assert timetable(parsed)["catchup"] is True
    assert timetable(changed)["catchup"] is False
    assert timetable(changed)["start_date"] != timetable(parsed)["start_date"]
    assert timetable(changed)["end_date"]


def test_a_wrong_start_date_is_named(parsed):
    errors = parse(STELLAR_ETL_START_DATE="yesterday")["errors"]
    assert all("STELLAR_ETL_START_DATE: 'yesterday' is not a time" in text for text in errors.values())
    scheduled = {dag_id for dag_id, dag in parsed["dags"].items() if "CronDataInterval" in json.dumps(dag)}
    by_hand = {"bucket_list_export", "dataset_reset", "history_backfill", "state_rebuild"}
    assert parsed["dags"].keys() - scheduled == {*by_hand, "alerts"}, "only what a person starts has no schedule"
    assert {Path(name).name.removesuffix("_dag.py") for name in errors} == scheduled


def deadlines(parsed):
    return {dag_id: found for dag_id, dag in parsed["dags"].items() if (found := dag["dag"].get("deadline"))}


def test_scheduled_runs_have_a_deadline_that_the_environment_says(parsed):
    found = deadlines(parsed)
    assert found.keys() == {
        "enriched_history_operations",
        "history_archive_with_captive_core",
        "history_archive_without_captive_core",
        "ledger_coverage",
        "state_table_export",
    }
    assert "7200" in json.dumps(found)
    assert "DagRunQueuedAtDeadline" in json.dumps(found)
    assert "90.0" in json.dumps(deadlines(parse(STELLAR_ETL_DEADLINE_SECONDS="90")))
    assert deadlines(parse(STELLAR_ETL_DEADLINE_SECONDS="0")) == {}


def test_a_wrong_deadline_is_named(parsed):
    errors = parse(STELLAR_ETL_DEADLINE_SECONDS="soon")["errors"]
    assert {Path(name).name.removesuffix("_dag.py") for name in errors} == deadlines(parsed).keys()
    assert all("STELLAR_ETL_DEADLINE_SECONDS: 'soon' is not a number of seconds" in text for text in errors.values())


def test_alerts_are_told_from_the_beginning_one_run_at_a_time(parsed):
    alerts = parsed["dags"]["alerts"]["dag"]
    assert (alerts["is_paused_upon_creation"], alerts["max_active_runs"], alerts["catchup"]) == (False, 1, False)
    assert parsed["tasks"]["alerts"] == {
        "gather": ["email", "forget", "slack"],
        "slack": ["forget"],
        "email": ["forget"],
        "forget": [],
    }
    assert "*/5 * * * *" in json.dumps(alerts)
    assert "*/2 * * * *" in json.dumps(parse(STELLAR_ETL_ALERT_SCHEDULE="*/2 * * * *")["dags"]["alerts"])


def test_in_deferrable_mode_every_task_that_waits_leaves_its_slot():
    """What is left holds one for as long as it works itself; `approve` leaves it in any mode."""
    found = parse(AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE="true")["deferrable"]
    held = {task for tasks in found.values() for task, deferrable in tasks.items() if not deferrable}
    plans = {task for task in held if task.endswith("_runs")}
    assert held - plans == {"verify_export", "delete_staging", "report", "plan_healing", "approve"}
