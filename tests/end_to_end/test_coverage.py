"""Holes in loaded history are found and loaded again; a long range is loaded in rounds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack
from tests.end_to_end.conftest import Sample
from tests.end_to_end.rows import published
from tests.end_to_end.test_export_modes import set_variable
from tests.end_to_end.test_sample_network import trigger, wait_for
from tests.shared import REPO

pytestmark = pytest.mark.end_to_end

DAG = "ledger_coverage"
HEALING = (
    "history_archive_without_captive_core",
    "history_archive_with_captive_core",
    "enriched_history_operations",
    "state_rebuild",
)


def run(stack: Stack, dag_id: str, run_id: str, conf: dict[str, Any], *dags: str) -> str:
    trigger(stack, dag_id, run_id, conf)
    for one in (dag_id, *dags):
        stack.rest("PATCH", f"dags/{one}", {"is_paused": False})
    return wait_for(stack, f"dags/{dag_id}/dagRuns/{run_id}", "success", "failed")


def faults(stack: Stack, run_id: str) -> set[tuple[str, str, int, int]]:
    rows = stack.query(
        f"SELECT table_id, fault, start_ledger, end_ledger FROM ledger_coverage WHERE run_id = '{run_id}' "
        "AND fault <> 'lag'"
    )
    return {(row["table_id"], row["fault"], row["start_ledger"], row["end_ledger"]) for row in rows}


def test_planted_faults_are_found_and_healed(sample: Sample) -> None:
    stack = sample.stack
    tables = ("history_ledgers", "history_operations", "enriched_history_operations")
    before = {table: published(stack, table) for table in tables}
    state = stack.query("SELECT account_id, balance FROM accounts_current ORDER BY 1")
    for planted in (
        "DELETE FROM history_ledgers WHERE sequence BETWEEN 60 AND 62",
        "DELETE FROM history_operations WHERE ledger_sequence IN (70, 71)",
        "DELETE FROM enriched_history_operations WHERE ledger_sequence = 80",
        "UPDATE accounts_state SET ledger_sequence = 1, balance = 0.0 WHERE TRUE",
    ):
        stack.query(planted)
    window = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:30:00Z"}
    assert run(stack, DAG, "healed", {**window, "auto_heal": True}, *HEALING) == "success"
    found = faults(stack, "healed")
    assert {
        ("history_ledgers", "missing_ledgers", 60, 62),
        ("history_operations", "wrong_count", 70, 71),
        ("enriched_history_operations", "wrong_count", 80, 80),
    } <= found
    assert {fault for table, fault, _, _ in found if table == "accounts"} == {"state_behind"}
    assert run(stack, DAG, "whole", window) == "success"
    assert faults(stack, "whole") == set()
    assert {table: published(stack, table) for table in tables} == before
    assert stack.query("SELECT account_id, balance FROM accounts_current ORDER BY 1") == state


def test_the_picture_of_what_is_loaded(sample: Sample, tmp_path: Path) -> None:
    picture = tmp_path / "coverage.svg"
    done = subprocess.run(
        [sys.executable, "-m", "local", "coverage", "--dir", str(sample.stack.layout.root), "--svg", str(picture)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "history_operations" in done.stdout
    assert "accounts" in done.stdout
    assert picture.read_text().startswith("<svg")


@pytest.mark.slow
def test_a_backfill_goes_on_in_rounds_until_nothing_is_missing(sample: Sample) -> None:
    stack, loading = sample.stack, "history_archive_without_captive_core"
    stack.bigquery("POST", "datasets", {"datasetReference": {"projectId": "local", "datasetId": "filled"}})
    set_variable(stack, "bq_dataset", "filled")
    try:
        conf = {"start_ledger": 20, "end_ledger": 100, "chunk": 30, "parallel": 2, "dag": loading}
        assert run(stack, "history_backfill", "long", conf, loading) == "success"
        path = "dags/history_backfill/dagRuns/long__round_2"
        assert wait_for(stack, path, "success", "failed") == "success"
        (row,) = stack.query(
            "SELECT MIN(sequence) AS low, MAX(sequence) AS high, COUNT(*) AS n FROM filled.history_ledgers"
        )
        assert tuple(row.values()) == (20, 100, 81)
        runs = stack.rest("GET", f"dags/{loading}/dagRuns?limit=1000")["dag_runs"]
        ids = {one["dag_run_id"] for one in runs if one["dag_run_id"].startswith("long")}
        assert ids == {"long__20-49", "long__50-79", "long__80-100"}
    finally:
        set_variable(stack, "bq_dataset", "stellar")
