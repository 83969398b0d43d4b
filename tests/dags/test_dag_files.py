"""The DAG files as Airflow reads them: they import without settings or network, and serialise the same each time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from airflow.utils.file import list_py_file_paths

from stellar_etl_airflow.model.tables import BATCH_STATS_POOL, CHANGES, DERIVED, LOADING_DAGS, TABLES
from tests.shared import REPO

DAY = 24 * 3600.0
VARIABLES = json.loads((REPO / "airflow_variables.json").read_text())
FILES = sorted((REPO / "dags").glob("*_dag.py"))
SERVER = {"_AIRFLOW_PROCESS_CONTEXT": "server"}
OTHER_SCHEDULE = {
    "STELLAR_ETL_SCHEDULE": "*/5 * * * *",
    "STELLAR_ETL_START_DATE": "2026-02-01T00:00:00Z",
    "STELLAR_ETL_END_DATE": "2026-02-01T01:00:00Z",
    "STELLAR_ETL_CATCHUP": "false",
}
SHIPPED = {
    f"AIRFLOW_VAR_{key.upper()}": value if isinstance(value, str) else json.dumps(value)
    for key, value in VARIABLES.items()
}

EMPTY = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("empty"):
    EmptyOperator(task_id="a")
"""

CLOCK = """
from airflow.sdk import DAG
import pendulum

with DAG("clock", start_date=pendulum.today("UTC")):
    pass
"""

WITHOUT_DEADLINE = {"state_audit"}
"""Scheduled DAGs whose runs have no deadline."""

BUDGET = 30
"""The limit for a DAG file's processor time, as a multiple of that for an empty DAG file.

Airflow, its providers and libraries are imported before. The limit is three times the value when this was written.
"""


def run(jobs, **environment):
    done = subprocess.run(
        [sys.executable, str(REPO / "tests" / "dags" / "parse_dags.py")],
        input=json.dumps(jobs),
        # A busy machine needs more than Airflow's 30 s for the first file.
        env={**os.environ, "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def parses(tmp_path_factory):
    """Parse in several environments, with one import of Airflow; return the results."""
    folder = tmp_path_factory.mktemp("dags")
    (folder / "empty_dag.py").write_text(EMPTY)
    (folder / "clock_dag.py").write_text(CLOCK)
    alerts = REPO / "dags" / "alerts_dag.py"
    jobs = {
        "plain": {},
        "watched": {"clock": True, "environment": SHIPPED},
        "owned": {"environment": {"AIRFLOW_VAR_OWNER": "data-team"}},
        "no database": {"environment": SERVER, "brief": True},
        "no owner": {"environment": {"AIRFLOW_VAR_OWNER": ""}, "brief": True},
        "other schedule": {"environment": OTHER_SCHEDULE},
        "wrong start": {"environment": {"STELLAR_ETL_START_DATE": "yesterday"}, "brief": True},
        "early deadline": {"environment": {"STELLAR_ETL_DEADLINE_SECONDS": "90"}},
        "no deadline": {"environment": {"STELLAR_ETL_DEADLINE_SECONDS": "0"}},
        "wrong deadline": {"environment": {"STELLAR_ETL_DEADLINE_SECONDS": "soon"}, "brief": True},
        "other alerts": {"environment": {"STELLAR_ETL_ALERT_SCHEDULE": "*/2 * * * *"}, "files": str(alerts)},
        "rendered": {"environment": SHIPPED, "render": True, "brief": True},
        "clock": {"files": str(folder / "clock_dag.py"), "clock": True, "brief": True},
    }
    for number in range(2):
        jobs |= {("empty", number): {"files": str(folder / "empty_dag.py"), "brief": True}}
        jobs |= {(path.name, number): {"files": str(path), "brief": True} for path in FILES}
    return dict(zip(jobs, run(list(jobs.values())), strict=True))


@pytest.fixture(scope="module")
def parsed(parses):
    return parses["plain"]


@pytest.fixture(scope="module")
def about(parsed):
    return parsed["about"]


@pytest.mark.parametrize("safe_mode", [True, False], ids=["files that look like DAGs", "every file"])
def test_airflow_reads_dags_from_the_dag_files_only(tmp_path, safe_mode):
    """The folder is as after an upload to a bucket, beside the DAGs of another team."""
    shutil.copytree(REPO / "dags", tmp_path / "dags")
    shutil.copytree(REPO / "schemas", tmp_path / "dags" / "schemas")
    theirs = [tmp_path / "dags" / name for name in ("sales.py", "sales/daily.py", "sales/queries/monthly.py")]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(EMPTY)
    found = list_py_file_paths(tmp_path / "dags", safe_mode=safe_mode)
    assert sorted(found) == sorted(str(path) for path in [*theirs, *(tmp_path / "dags" / path.name for path in FILES)])


def owners(found):
    return {task["owner"] for dag in found["about"].values() for task in dag["tasks"].values()}


def test_every_dag_file_imports_without_settings_and_network(parsed):
    assert (parsed["errors"], parsed["reached"]) == ({}, [])
    assert sorted(parsed["dags"]) == [
        "alerts",
        "asset_supply_daily",
        "balances",
        "bucket_list_export",
        "dataset_reset",
        "enriched_history_operations",
        "history_archive_with_captive_core",
        "history_archive_without_captive_core",
        "history_backfill",
        "ledger_audit",
        "ledger_coverage",
        "network_stats",
        "outbound_export",
        "outbound_redeliver",
        "outbound_schedule",
        "preflight",
        "state_audit",
        "state_fold",
        "state_rebuild",
        "state_table_export",
        "token_transfers",
        "trade_ohlc",
    ]


def test_a_dag_has_the_name_of_its_file(about):
    files = {dag_id: dag["file"] for dag_id, dag in about.items()}
    derived = {table.dag_id for table in DERIVED.values()}
    assert {dag_id for dag_id, file in files.items() if file == "derived_tables_dag.py"} == derived
    assert {file: dag_id for dag_id, file in files.items() if dag_id not in derived} == {
        path.name: path.name.removesuffix("_dag.py") for path in FILES if path.name != "derived_tables_dag.py"
    }


def test_only_the_owner_variable_is_read_during_parsing(parses):
    assert owners(parses["plain"]) == {"stellar-etl"}
    assert owners(parses["owned"]) == {"data-team"}


def test_an_unreadable_owner_fails_no_import(parses):
    """First the database is unreachable; then the name is invalid."""
    assert parses["no database"]["reached"], "Airflow queried its database"
    for found in (parses["no database"], parses["no owner"]):
        assert (found["errors"], owners(found)) == ({}, {"stellar-etl"})
        assert found["dags"].keys() == parses["plain"]["dags"].keys()


def test_dag_files_serialise_the_same_in_another_process_and_hash_order(parsed):
    (again,) = run([{}], PYTHONHASHSEED="7", TZ="Asia/Tokyo")
    assert again["dags"] == parsed["dags"]


def test_no_dag_file_reads_the_clock(parses):
    assert parses["clock"]["reached"], "a file that reads the clock is found"
    assert "clock_dag.py:5 reads the clock" in parses["clock"]["reached"][0]
    assert (parses["watched"]["errors"], parses["watched"]["reached"]) == ({}, [])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_parsing_a_dag_file_costs_little_more_than_parsing_an_empty_one(parses, path):
    def cost(name):
        return min(parses[name, number]["seconds"] for number in range(2))

    assert parses[path.name, 0]["errors"] == parses["empty", 0]["errors"] == {}
    assert cost(path.name) < BUDGET * cost("empty")


@pytest.fixture(scope="module")
def forked():
    """Read each DAG file as the DAG processor does."""
    done = subprocess.run(
        [sys.executable, str(REPO / "tests" / "dags" / "fork_dag_files.py")],
        env={**os.environ, "PYTHONPATH": str(REPO / "dags"), "AIRFLOW_VAR_OWNER": "somebody"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_processor_imports_the_providers_of_a_dag_file_once_and_not_for_each_parse(forked, path):
    """It imports the modules that the file itself names before it forks the process that parses the file."""
    assert forked[path.name]["imported"] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_garbage_collections_do_not_copy_what_a_parsing_process_inherits(forked, path):
    assert forked[path.name]["skipped"] > 100_000


def test_every_template_renders_without_undefined_names(parses):
    found = parses["rendered"]
    assert (found["errors"], found["reached"]) == ({}, [])
    texts = {f"{dag}.{field}": text for dag, fields in found["rendered"].items() for field, text in fields.items()}
    assert texts["dataset_reset.approve.subject"] == f"Remove rows from {VARIABLES['bq_dataset']}?"
    assert texts["dataset_reset.approve.body"] == "<text>"
    assert not [name for name, text in texts.items() if "{{" in repr(text) or "{%" in repr(text)]


def after(dag):
    """Return the downstream tasks of each task."""
    return {task_id: task["downstream"] for task_id, task in dag["tasks"].items()}


def test_the_tasks_of_a_batch_have_one_direction(about):
    tasks = after(about["history_archive_without_captive_core"])
    assert tasks["get_ledger_range_from_times"] == ["export"]
    assert tasks["export"] == ["verify_export"]
    assert tasks["verify_export"] == ["assets.load", "ledgers.load"]
    for table in ("assets", "ledgers"):
        assert tasks[f"{table}.load"] == [f"{table}.check"]
        assert tasks[f"{table}.check"] == [f"{table}.merge"]
        assert tasks[f"{table}.merge"] == ["batch_stats", "delete_staging"]
    assert tasks["batch_stats"] == ["delete_staging"]


def test_one_task_records_a_batch_with_a_failed_table_and_the_run_still_fails(about):
    for dag_id in (*LOADING_DAGS, "bucket_list_export"):
        tasks = about[dag_id]["tasks"]
        merges = [task_id for task_id in tasks if task_id.endswith(".merge")]
        assert tasks["batch_stats"]["rule"] == "all_done"
        assert tasks["batch_stats"]["pool"] == BATCH_STATS_POOL
        assert [task_id for task_id, task in tasks.items() if "batch_stats" in task["downstream"]] == merges
        # Airflow derives a run's state from its leaf tasks: the last task succeeds if all merges did.
        assert {task_id for task_id, task in tasks.items() if not task["downstream"]} == {"delete_staging"}
        assert tasks["delete_staging"]["rule"] == "all_success"
        assert all("delete_staging" in tasks[task_id]["downstream"] for task_id in merges)


def test_a_batch_of_all_history_tables_stays_within_45_tasks(about):
    history = [dag["tasks"] for dag_id, dag in about.items() if "history_archive" in dag_id]
    assert {task.split(".")[0] for tasks in history for task in tasks if "." in task} == TABLES.keys()
    assert sum(map(len, history)) <= 45


def test_every_kind_of_change_is_published(about):
    tasks = about["state_table_export"]["tasks"]
    assert {task.split(".")[0] for task in tasks if "." in task} == CHANGES.keys()


def test_every_dag_documents_its_purpose_its_trigger_and_the_remedy_for_failures(about):
    for dag_id, dag in about.items():
        assert dag["doc"].lstrip().startswith("# "), dag_id
        assert "**Who runs it**" in dag["doc"], dag_id
        assert "**When it fails**" in dag["doc"], dag_id
        assert dag["description"], dag_id
        assert set(dag["tags"]) <= {"derived", "history", "maintenance", "outbound", "state"}, dag_id
        assert dag["tags"], dag_id


def test_every_task_has_retries_and_reports_its_last_failure(about):
    for dag_id, dag in about.items():
        for task_id, task in dag["tasks"].items():
            assert task["retries"] >= 1, f"{dag_id}.{task_id}"
            assert task["has_failure_callback"], f"{dag_id}.{task_id}"


def test_every_task_and_every_run_has_a_time_limit(about):
    """A builder without an entry in the Variable has a day at most; the shipped Variable has all builders."""
    waits = 0
    for dag_id, dag in about.items():
        for task_id, task in dag["tasks"].items():
            assert 0 < (task["limit"] or 0) <= DAY, f"{dag_id}.{task_id}"
            assert task["builder"] is None or task["builder"] in VARIABLES["task_timeout"], f"{dag_id}.{task_id}"
        # The time-out does not cover waiting for a triggered run; that run's own limit does.
        if any(task["type"] == "StartRunOperator" for task in dag["tasks"].values()):
            assert dag["limit"], dag_id
            waits += 1
    assert waits >= 2


def test_each_task_that_writes_a_table_is_in_the_tables_pool(about):
    pools = json.loads((REPO / "airflow_pools.json").read_text())
    used = {task["pool"] for dag in about.values() for task in dag["tasks"].values()}
    assert used - {"default_pool"} == pools.keys()


def timetable(parsed):
    return parsed["dags"]["history_archive_without_captive_core"]["dag"]


def test_schedule_start_and_end_come_from_the_environment(parses):
    parsed, changed = parses["plain"], parses["other schedule"]
    assert "*/10 * * * *" in json.dumps(timetable(parsed))
    assert "*/5 * * * *" in json.dumps(timetable(changed))
    assert timetable(parsed)["catchup"] is True
    assert timetable(changed)["catchup"] is False
    assert timetable(changed)["start_date"] != timetable(parsed)["start_date"]
    assert timetable(changed)["end_date"]


def test_an_invalid_start_date_is_named(parses):
    parsed, errors = parses["plain"], parses["wrong start"]["errors"]
    assert all("STELLAR_ETL_START_DATE: 'yesterday' is not a time" in text for text in errors.values())
    scheduled = {dag_id for dag_id, dag in parsed["dags"].items() if "CronTrigger" in json.dumps(dag)}
    by_hand = {"bucket_list_export", "dataset_reset", "history_backfill", "preflight", "state_rebuild"}
    by_hand |= {"outbound_export", "outbound_redeliver"}
    assert parsed["dags"].keys() - scheduled == by_hand, "only manually triggered DAGs have no schedule"
    assert files_of(parsed, scheduled - {"alerts"}) == errors.keys(), "the DAG has no separate start date"


def test_every_numeric_param_has_bounds_that_airflow_can_store(parses):
    """A number beyond 64 bits ends the DAG processor at each try, and leaves an empty log."""
    bounds = {
        (dag_id, name): (schema.get("minimum"), schema.get("maximum"))
        for dag_id, dag in parses["plain"]["dags"].items()
        for name, param in dag["dag"]["params"]
        if {"integer", "number"} & {*as_list((schema := param["schema"]["__var"]).get("type", "number"))}
    }
    assert len(bounds) > 10
    for param, (low, high) in bounds.items():
        assert low is not None, param
        assert high is not None, param
        assert -(2**63) <= low <= high < 2**63, param


def as_list(value):
    return value if isinstance(value, list) else [value]


def files_of(parsed, dag_ids):
    return {parsed["about"][dag_id]["file"] for dag_id in dag_ids}


def deadlines(parsed):
    return {dag_id: found for dag_id, dag in parsed["dags"].items() if (found := dag["dag"].get("deadline"))}


def test_scheduled_runs_have_the_deadline_of_the_environment(parses):
    found = deadlines(parses["plain"])
    assert found.keys() == {
        *(table.dag_id for table in DERIVED.values()),
        "history_archive_with_captive_core",
        "history_archive_without_captive_core",
        "ledger_audit",
        "ledger_coverage",
        "outbound_schedule",
        "state_fold",
        "state_table_export",
    }
    assert "7200" in json.dumps(found)
    assert "DagRunLogicalDateDeadline" in json.dumps(found)
    assert "90.0" in json.dumps(deadlines(parses["early deadline"]))
    assert deadlines(parses["no deadline"]) == {}


@pytest.mark.parametrize("changed", ["owned", "other schedule"])
def test_a_changed_dag_has_a_different_deadline(parses, changed):
    """Airflow gives the runs of a DAG's new version no deadline that equals the previous one."""
    before, after = deadlines(parses["plain"]), deadlines(parses[changed])
    assert before == deadlines(parses["watched"])
    assert all(after[dag_id] != before[dag_id] for dag_id in before)


def test_an_invalid_deadline_is_named(parses):
    errors = parses["wrong deadline"]["errors"]
    assert errors.keys() == files_of(parses["plain"], deadlines(parses["plain"]).keys() | WITHOUT_DEADLINE)
    assert all("STELLAR_ETL_DEADLINE_SECONDS: 'soon' is not a number of seconds" in text for text in errors.values())


def test_alerts_are_enabled_at_the_first_deployment_with_one_run_at_a_time(parses):
    alerts = parses["plain"]["dags"]["alerts"]["dag"]
    assert (alerts["is_paused_upon_creation"], alerts["max_active_runs"], alerts["catchup"]) == (False, 1, False)
    assert after(parses["plain"]["about"]["alerts"]) == {
        "gather": ["email", "slack"],
        "slack": ["forget"],
        "email": ["forget"],
        "forget": [],
    }
    assert "*/5 * * * *" in json.dumps(alerts)
    assert "*/2 * * * *" in json.dumps(parses["other alerts"]["dags"]["alerts"])


def test_scheduled_dags_are_created_paused_on_every_host(parses):
    dags = parses["plain"]["dags"]
    paused = {dag_id for dag_id, dag in dags.items() if dag["dag"].get("is_paused_upon_creation")}
    assert paused == deadlines(parses["plain"]).keys() | WITHOUT_DEADLINE


def test_waiting_for_runs_of_other_dags_uses_no_slot_in_any_mode(parses):
    about = parses["plain"]["about"]
    waits = {
        (dag_id, task_id): task["deferrable"]
        for dag_id, dag in about.items()
        for task_id, task in dag["tasks"].items()
        if (dag_id, task_id) in WAITS_FOR_RUNS
    }
    assert waits == dict.fromkeys(WAITS_FOR_RUNS, True)


WAITS_FOR_RUNS = [
    *((table.dag_id, "derive_pending") for table in DERIVED.values()),
    ("history_backfill", "load"),
    *(("ledger_coverage", task_id) for task_id in ("load_again", "rebuild_again", "derive_again")),
]


def test_in_deferrable_mode_every_waiting_task_releases_its_slot():
    """Other tasks hold a slot only while they work; `approve` defers in every mode."""
    (found,) = run([{"brief": True}], AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE="true")
    dags = {dag_id: dag["tasks"] for dag_id, dag in found["about"].items() if dag_id != "alerts"}
    blocking = {task_id for tasks in dags.values() for task_id, task in tasks.items() if not task["deferrable"]}
    plans = {task_id for task_id in blocking if task_id.endswith("_runs")}
    checks = {"check_variables", "check_datasets_and_bucket", "check_triggerer"}  # the last one always defers
    # `start` sends a few requests, `wait` is rescheduled for each check, `plan` reads files.
    assert blocking - plans - checks == {
        *(
            "verify_export",
            "delete_staging",
            "look",
            "report",
            "plan_healing",
            "approve",
            "check_schedules",
            "check_retention",
        ),
        *("start", "wait", "plan"),
    }
