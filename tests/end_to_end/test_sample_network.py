"""The main job over the sample network, then each way to load its ranges again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.plan import make_plan
from local.run import USUAL_DAGS, News, Runs
from local.sample import START
from local.stack import Stack, StackError
from stellar_etl_airflow.model.batch import staging_table_id
from stellar_etl_airflow.model.tables import CHANGES, ENRICHED_OPERATIONS, PUBLISHED, STATES, TABLES, Publish
from tests.end_to_end.conftest import EXPORTED, Sample, run_local
from tests.end_to_end.rows import as_set, published
from tests.waiting import RUN_PATIENCE, wait_until

pytestmark = pytest.mark.end_to_end

FIRST, LAST = 3, 362
"""The ledgers that closed in the sample's intervals, one every five seconds."""
CAPTIVE_DAG, OTHER_DAG = "history_archive_with_captive_core", "history_archive_without_captive_core"


@pytest.fixture(scope="module")
def exported(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that the exporter alone writes for these ledgers."""
    folder = tmp_path_factory.mktemp("export")
    subprocess.run(
        [
            str(Path(sys.executable).with_name("stellar-etl")),
            *("export_all_history", "-s", str(FIRST), "-e", str(LAST)),
            *("--datastore-path", str(sample.stack.sample_lake), "-o", str(folder)),
        ],
        check=True,
        capture_output=True,
    )
    return {
        type_: [json.loads(line) for line in (folder / f"{FIRST}-{LAST}-{type_}.txt").read_text().splitlines()]
        for type_ in EXPORTED.values()
    }


def expected(table_id: str, exported: dict[str, list[dict[str, Any]]]) -> list[str]:
    table, rows = TABLES[EXPORTED[table_id]], exported[EXPORTED[table_id]]
    if table.publish is Publish.KEEP_EARLIEST:
        by_key: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in sorted(rows, key=lambda row: row[table.ledger_column]):
            by_key.setdefault(tuple(row[key] for key in table.keys), row)
        rows = list(by_key.values())
    return as_set(rows, table_id)


def assert_tables_hold(
    stack: Stack, exported: dict[str, list[dict[str, Any]]], tables: Iterable[str] = EXPORTED
) -> None:
    for table_id in tables:
        assert published(stack, table_id) == expected(table_id, exported), table_id


def trigger(stack: Stack, dag_id: str, run_id: str, conf: dict[str, Any], logical_date: str | None = None) -> None:
    """Trigger a run until Airflow has it. A reply may be lost on a busy machine; the id prevents a second run."""
    body = {"dag_run_id": run_id, "logical_date": logical_date, "conf": conf}
    tries = 0

    def is_made() -> bool:
        nonlocal tries
        tries += 1
        try:
            stack.rest("POST", f"dags/{dag_id}/dagRuns", body)
        except StackError as error:
            if tries > 1 and "Unique constraint" in str(error):
                return True
            if "does not answer" not in str(error):
                raise
            return False
        return True

    wait_until(is_made, f"Airflow created no run {run_id} of {dag_id}", RUN_PATIENCE)


def wait_for(stack: Stack, path: str, *states: str) -> str:
    """Wait until a run or a task is in one of the states."""
    seen: list[str] = []

    def is_reached() -> bool:
        seen.append(str(stack.rest("GET", path)["state"]))
        return seen[-1] in states

    wait_until(is_reached, lambda: f"{path} is {seen[-1]}", RUN_PATIENCE, pause=0.3)
    return seen[-1]


def staging_tables(stack: Stack) -> list[str]:
    """Return the staging tables that successful runs left. Those of a run that failed are kept for a week."""
    listed = stack.bigquery("GET", "datasets/stellar/tables?maxResults=1000")
    names = {table["tableReference"]["tableId"] for table in listed.get("tables", [])}
    runs = stack.rest("GET", "dags/~/dagRuns?state=success&limit=1000")["dag_runs"]
    assert runs, "no run succeeded"
    left = {staging_table_id(one.table_id, run["dag_id"], run["dag_run_id"]) for run in runs for one in TABLES.values()}
    return sorted(names & left)


def test_the_report_shows_success(sample: Sample) -> None:
    report = sample.report
    assert report["ok"]
    assert report["asked"] == {"start": FIRST, "end": LAST}
    assert {table["not_loaded"] for table in report["tables"]} == {0, None}
    assert [len(runs) for runs in report["runs"].values()] == [sample.intervals] * 4
    tables = {table["table"]: table for table in report["tables"]}
    assert tables.keys() == {table.table_id for table in PUBLISHED.values() if table.dag_id in USUAL_DAGS}
    (watermark,) = report["watermarks"]
    assert (watermark["complete_from"], watermark["complete_through"]) == (FIRST, LAST)
    states = {table["table"]: table for table in report["states"]}
    assert states.keys() == {f"{table.table_id}_current" for table in STATES.values()}
    assert all(states[name]["entries"] > 0 for name in ("accounts_current", "trust_lines_current", "offers_current"))
    assert states["offers_current"]["deleted"] > 0
    assert max(table["last_ledger"] for table in states.values()) == LAST
    for table_id in ("history_ledgers", "history_transactions", "history_operations", "enriched_history_operations"):
        table = tables[table_id]
        assert (table["first_ledger"], table["last_ledger"]) == (FIRST, LAST)
        assert (table["gaps"], table["duplicates"], table["failed_checks"]) == (0, 0, 0)
    assert all(table_id in sample.output for table_id in EXPORTED)
    assert report["ui"] in sample.output
    assert {stage["stage"] for stage in report["stages"]} >= {"export", "verify", "load into staging", "merge"}


def test_the_tables_have_the_exporters_rows(sample: Sample, exported: dict[str, Any]) -> None:
    assert_tables_hold(sample.stack, exported)
    assert staging_tables(sample.stack) == []


def test_enriched_operations_are_operations_with_their_transactions(sample: Sample) -> None:
    sql = (
        "SELECT COUNT(*) AS n FROM history_operations AS o JOIN history_transactions AS t ON t.id = o.transaction_id "
        "JOIN enriched_history_operations AS e ON e.op_id = o.id AND e.transaction_hash = t.transaction_hash"
    )
    (joined,), (operations,) = (
        sample.stack.query(sql),
        sample.stack.query("SELECT COUNT(*) AS n FROM history_operations"),
    )
    assert joined["n"] == operations["n"] > 0


def test_unpausing_created_no_additional_run(sample: Sample) -> None:
    def dags_of(run_type: str) -> list[str]:
        found = sample.stack.rest("GET", f"dags/~/dagRuns?run_type={run_type}&limit=100")["dag_runs"]
        return [run["dag_id"] for run in found]

    assert len(dags_of("backfill")) == 4 * sample.intervals
    assert set(dags_of("scheduled")) <= {"alerts"}, "the only DAG that is not created paused"


def test_batch_stats_have_one_row_per_table_and_range(sample: Sample) -> None:
    ledgers = sample.minutes * 60 // 5
    rows = sample.stack.query(
        "SELECT table_id, start_ledger, end_ledger, COUNT(*) AS times FROM history_archives_dag_runs "
        f"WHERE end_ledger - start_ledger = {ledgers - 1} AND MOD(start_ledger, {ledgers}) = {FIRST} GROUP BY 1, 2, 3"
    )
    assert len(rows) == sample.intervals * (len(TABLES) + len(CHANGES) + len({ENRICHED_OPERATIONS}))
    assert {row["times"] for row in rows} == {1}


@pytest.mark.slow
def test_other_chunks_in_other_runs_give_the_same_rows(sample: Sample, exported: dict[str, Any]) -> None:
    done = run_local(
        sample.stack.layout.root,
        *("--keep", "--interval", "10", "--from", "2026-01-01T00:04:00Z", "--to", "2026-01-01T00:27:30Z"),
        *("--dags", "history_archive_without_captive_core,history_archive_with_captive_core"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert_tables_hold(sample.stack, exported)
    batches = sample.stack.query("SELECT DISTINCT batch_id FROM history_operations ORDER BY 1")
    assert sum(row["batch_id"].startswith("range__") for row in batches) == 3


@pytest.mark.slow
def test_a_run_by_ledgers_gives_the_same_rows(sample: Sample, exported: dict[str, Any]) -> None:
    dag_id, run_id = "history_archive_with_captive_core", "by-ledgers~1+1:00"
    trigger(sample.stack, dag_id, run_id, {"start_ledger": 100, "end_ledger": 140})
    path = f"dags/{dag_id}/dagRuns/by-ledgers~1%2B1:00"
    assert wait_for(sample.stack, path, "success", "failed") == "success"
    assert_tables_hold(sample.stack, exported)
    rows = sample.stack.query(
        "SELECT batch_id, MIN(ledger_sequence) AS low, MAX(ledger_sequence) AS high FROM history_transactions "
        "WHERE ledger_sequence BETWEEN 100 AND 140 GROUP BY 1"
    )
    assert [tuple(row.values()) for row in rows] == [(run_id, 100, 140)]


@pytest.mark.parametrize(
    ("dag_id", "merge"),
    [(OTHER_DAG, "ledgers.merge"), pytest.param(CAPTIVE_DAG, "operations.merge", marks=pytest.mark.slow)],
)
def test_tasks_cleared_during_a_run_give_the_same_rows(
    sample: Sample, exported: dict[str, Any], dag_id: str, merge: str
) -> None:
    run_id = "cleared"
    trigger(sample.stack, dag_id, run_id, {"start_time": "2026-01-01T00:10:00Z", "end_time": "2026-01-01T00:20:00Z"})
    path = f"dags/{dag_id}/dagRuns/{run_id}"
    for task_id in ("export", merge):
        wait_for(sample.stack, f"{path}/taskInstances/{task_id}", "running", "success")
        sample.stack.rest(
            "POST",
            f"dags/{dag_id}/clearTaskInstances",
            {
                "dry_run": False,
                "dag_run_id": run_id,
                "task_ids": [task_id],
                "include_downstream": True,
                "only_failed": False,
                "reset_dag_runs": True,
            },
        )
    assert wait_for(sample.stack, path, "success", "failed") == "success"
    loaded = {table.table_id for table in PUBLISHED.values() if table.dag_id == dag_id}
    assert_tables_hold(sample.stack, exported, loaded)
    assert staging_tables(sample.stack) == []


@pytest.mark.slow
def test_the_job_can_be_repeated_at_once(sample: Sample) -> None:
    """Airflow allows one backfill per DAG at a time, and records the end of a backfill late."""
    # Another test may have changed the stack's interval.
    minutes = int(sample.stack.state().options.schedule.removeprefix("*/").partition(" ")[0])
    plan = make_plan(START, START + timedelta(minutes=minutes), minutes)
    assert plan.schedule == sample.stack.state().options.schedule
    for _ in range(2):
        runs = Runs(sample.stack, plan, ["history_archive_without_captive_core"], News())
        assert [state for found in runs.do().values() for state in found.values()] == ["success"]


@pytest.mark.slow
def test_another_interval_on_the_same_stack_loads_all_requested_ledgers(
    sample: Sample, exported: dict[str, Any], tmp_path: Path
) -> None:
    """Runs of the former interval are due at the same times, so Airflow would create no others.

    Afterwards the stack has the new interval.
    """
    report = tmp_path / "report.json"
    done = run_local(
        sample.stack.layout.root,
        *("--keep", "--interval", "30", "--dags", "history_archive_without_captive_core", "--json", str(report)),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"requested: ledgers {FIRST} to {LAST}" in done.stdout
    assert json.loads(report.read_text())["asked"] == {"start": FIRST, "end": LAST}
    batches = sample.stack.query("SELECT batch_id, COUNT(*) AS n FROM history_ledgers GROUP BY 1")
    assert [row["n"] for row in batches] == [LAST - FIRST + 1]
    assert_tables_hold(sample.stack, exported)
