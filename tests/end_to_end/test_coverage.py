"""Coverage checks find gaps and faults of loaded history and reload them; a backfill loads a long range in rounds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack
from stellar_etl_airflow.model.tables import CHANGES, LOADING_DAGS, TABLES
from tests.end_to_end.conftest import Sample
from tests.end_to_end.rows import published
from tests.end_to_end.test_export_modes import set_variable
from tests.end_to_end.test_sample_network import RUN_PATIENCE, trigger, wait_for
from tests.shared import REPO
from tests.waiting import wait_until

pytestmark = pytest.mark.end_to_end

DAG = "ledger_coverage"
LOST_EFFECTS = ("history_effects", "lost_rows")
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
        "AND fault NOT IN ('lag', 'looked_at', 'audited')"
    )
    return {(row["table_id"], row["fault"], row["start_ledger"], row["end_ledger"]) for row in rows}


def watermarks(stack: Stack) -> list[dict[str, Any]]:
    """Return the watermark of each table, and of the whole dataset."""
    sql = "SELECT table_id, complete_from, complete_through FROM ledger_watermarks ORDER BY table_id"
    return stack.query(sql)


ACCOUNTS_NOW = "SELECT account_id, balance FROM accounts_current ORDER BY 1"
ACCOUNTS_THEN = "SELECT account_id, valid_from_ledger, valid_to_ledger, balance FROM accounts_history ORDER BY 1, 2"


def fold_before_readers(stack: Stack, run_id: str) -> None:
    """Fold all changes while a reader repeats a query: its result stays the same."""
    expected = stack.query(ACCOUNTS_NOW)
    assert expected
    trigger(stack, "state_fold", run_id, {})
    stack.rest("PATCH", "dags/state_fold", {"is_paused": False})
    seen: list[str] = []

    def is_folded() -> bool:
        assert stack.query(ACCOUNTS_NOW) == expected
        seen.append(str(stack.rest("GET", f"dags/state_fold/dagRuns/{run_id}")["state"]))
        return seen[-1] in ("success", "failed")

    wait_until(is_folded, lambda: f"the fold is {seen[-1]}", RUN_PATIENCE, pause=0.3)
    stack.rest("PATCH", "dags/state_fold", {"is_paused": True})
    assert seen[-1] == "success"


WINDOW = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:30:00Z"}


def test_lost_ledgers_are_found_and_healed(sample: Sample) -> None:
    stack = sample.stack
    before, complete = published(stack, "history_ledgers"), watermarks(stack)
    assert all(row["complete_through"] for row in complete)
    stack.query("DELETE FROM history_ledgers WHERE sequence BETWEEN 60 AND 62")
    around = {"start_time": "2026-01-01T00:04:00Z", "end_time": "2026-01-01T00:06:00Z"}
    assert run(stack, DAG, "lost", {**around, "auto_heal": True}, HEALING[0]) == "success"
    assert faults(stack, "lost") == {("history_ledgers", "missing_ledgers", 60, 62)}
    assert published(stack, "history_ledgers") == before
    assert watermarks(stack) == complete


@pytest.mark.slow
def test_a_check_after_healing_finds_nothing(sample: Sample) -> None:
    complete = watermarks(sample.stack)
    assert run(sample.stack, DAG, "found", {}) == "success"
    assert faults(sample.stack, "found") == set()
    assert watermarks(sample.stack) == complete


@pytest.mark.slow
def test_faults_of_all_kinds_are_found_and_healed(sample: Sample) -> None:
    stack = sample.stack
    tables = ("history_ledgers", "history_operations", "history_effects", "enriched_history_operations")
    before, complete = {table: published(stack, table) for table in tables}, watermarks(stack)
    assert all(row["complete_through"] for row in complete)
    state = stack.query(ACCOUNTS_NOW)
    history = stack.query(ACCOUNTS_THEN)
    stack.query("UPDATE accounts SET balance = 1.0 WHERE ledger_sequence BETWEEN 90 AND 95")  # a faulty batch
    fold_before_readers(stack, "faulty")
    assert stack.query(ACCOUNTS_THEN) != history
    assert run(stack, DAG, "faulty", {}) == "failed"
    assert {fault for table, fault, *_ in faults(stack, "faulty") if table == "accounts"} == {"lumens"}
    assert run(stack, "state_table_export", "corrected", {"start_ledger": 90, "end_ledger": 95}) == "success"
    assert stack.query(ACCOUNTS_NOW) == state, "the view is correct before the next fold"
    assert stack.query(ACCOUNTS_THEN) == history
    fold_before_readers(stack, "again")
    assert stack.query(ACCOUNTS_THEN) == history
    # The test reloads a part of a load: the check still finds the lost rows beside it.
    assert run(stack, HEALING[1], "part", {"start_ledger": 45, "end_ledger": 47}, HEALING[1]) == "success"
    lost = {
        row["ledger_sequence"]
        for row in stack.query(
            "SELECT DISTINCT ledger_sequence FROM history_effects WHERE ledger_sequence BETWEEN 40 AND 50"
        )
    }
    for planted in (
        "DELETE FROM history_ledgers WHERE sequence BETWEEN 60 AND 62",
        "DELETE FROM history_operations WHERE ledger_sequence IN (70, 71)",
        "DELETE FROM history_effects WHERE ledger_sequence BETWEEN 40 AND 50",
        "DELETE FROM enriched_history_operations WHERE ledger_sequence = 80",
        "UPDATE accounts_versions SET ledger_sequence = 1, balance = 0.0 WHERE TRUE",
    ):
        stack.query(planted)
    assert run(stack, DAG, "healed", {**WINDOW, "auto_heal": True}, *HEALING) == "success"
    found = faults(stack, "healed")
    assert {
        ("history_ledgers", "missing_ledgers", 60, 62),
        ("history_operations", "wrong_count", 70, 71),
        ("enriched_history_operations", "wrong_count", 80, 80),
    } <= found
    named = [range(first, last + 1) for table, fault, first, last in found if (table, fault) == LOST_EFFECTS]
    assert {ledger for ledgers in named for ledger in ledgers} == lost
    assert {fault for table, fault, _, _ in found if table == "accounts"} == {"state_behind"}
    assert run(stack, DAG, "whole", {}) == "success", "lumens agree with the header, too"
    assert faults(stack, "whole") == set()
    assert {table: published(stack, table) for table in tables} == before
    assert stack.query(ACCOUNTS_NOW) == state
    assert watermarks(stack) == complete


def test_other_dags_receive_the_watermark(sample: Sample) -> None:
    events = sample.stack.rest("GET", "assets/events?limit=1000")["asset_events"]
    extras = [event["extra"] for event in events if event["uri"].endswith("/stellar/ledger_watermarks")]
    (whole,) = [row for row in watermarks(sample.stack) if row["table_id"] is None]
    assert max(extra["complete_through"] or 0 for extra in extras) == whole["complete_through"]
    assert {extra["dataset"] for extra in extras} == {"local.stellar"}


CHECKPOINT = 255
AUDITED = "SELECT ledger_key, valid_from_ledger, balance FROM trust_lines_history ORDER BY 1, 2"


@pytest.mark.slow
def test_an_audit_finds_a_corrupted_range_and_repairs_it(sample: Sample) -> None:
    stack = sample.stack
    history = stack.query(AUDITED)
    faulty = stack.query(
        "SELECT ledger_key, valid_from_ledger FROM trust_lines_history "
        f"WHERE valid_from_ledger BETWEEN 200 AND 210 AND valid_to_ledger > {CHECKPOINT}"
    )
    assert faulty
    which = " OR ".join(
        f"(ledger_key = '{row['ledger_key']}' AND ledger_sequence = {row['valid_from_ledger']})" for row in faulty
    )
    for table in ("trust_lines", "trust_lines_versions"):  # the position after the last fold
        stack.query(f"UPDATE {table} SET balance = balance + 1.0 WHERE {which}")
    assert stack.query(AUDITED) != history
    conf = {"checkpoint_ledger": CHECKPOINT, "auto_heal": True}
    assert run(stack, "state_audit", "corrupted", conf, "state_table_export", "state_fold") == "success"
    found = {one for one in faults(stack, "corrupted") if one[0] == "trust_lines"}
    assert found
    assert all(fault == "not_as_archive" and 200 <= first <= last <= 210 for _, fault, first, last in found)
    assert stack.query(AUDITED) == history
    assert run(stack, "state_audit", "repaired", conf, "state_table_export", "state_fold") == "success"
    # The signer of the account from before the first ledger never changed.
    assert {table for table, *_ in faults(stack, "repaired")} <= {"account_signers"}


@pytest.mark.slow
def test_an_audit_finds_and_repairs_a_manually_changed_row(sample: Sample) -> None:
    stack, tables = sample.stack, ("history_operations", "history_ledgers", "trust_lines")
    before = {table: published(stack, table) for table in tables}
    conf = {"start_ledger": 120, "end_ledger": 125, "auto_heal": True}
    (row,) = stack.query(
        "SELECT MIN(id) AS id, MIN(ledger_sequence) AS ledger FROM history_operations WHERE ledger_sequence >= 121"
    )
    for planted in (
        f"UPDATE history_operations SET source_account = 'G' WHERE id = {row['id']}",
        "DELETE FROM history_ledgers WHERE sequence = 124",
    ):
        stack.query(planted)
    assert {table: published(stack, table) for table in tables} != before
    assert run(stack, "ledger_audit", "by_hand", conf, *LOADING_DAGS) == "success"
    assert faults(stack, "by_hand") == {
        ("history_operations", "different_rows", row["ledger"], row["ledger"]),
        ("history_ledgers", "missing_rows", 124, 124),
    }
    compared = stack.query(
        "SELECT table_id, row_count, missing_rows, different_rows, differing_columns FROM ledger_audits "
        "WHERE run_id = 'by_hand'"
    )
    assert {one["table_id"] for one in compared} == {table.table_id for table in (*TABLES.values(), *CHANGES.values())}
    found = {one["table_id"]: one for one in compared}
    assert found["history_operations"]["differing_columns"] == "source_account"
    assert (found["history_ledgers"]["row_count"], found["history_ledgers"]["missing_rows"]) == (6, 1)
    assert {table: published(stack, table) for table in tables} == before


def test_the_picture_shows_loaded_ledgers(sample: Sample, tmp_path: Path) -> None:
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
def test_a_backfill_continues_in_rounds_until_every_ledger_is_loaded(sample: Sample) -> None:
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
