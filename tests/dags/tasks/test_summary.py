"""The task that writes the summary: its content for planted loads and findings, and safe repetition."""

from __future__ import annotations

import json
from collections import namedtuple
from datetime import UTC, datetime, timedelta

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagrun import DagRun
from airflow.sdk.exceptions import AirflowSkipException

from stellar_etl_airflow.model.coverage import Fault, Finding
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import (
    BATCH_STATS_TABLE_ID,
    COVERAGE_TABLE_ID,
    EFFECTS,
    LEDGER_AUDITS_TABLE_ID,
    LEDGERS,
    OPERATIONS,
    PUBLISHED,
    TRANSFERS,
)
from stellar_etl_airflow.operators.bigquery_jobs import warehouse_for
from stellar_etl_airflow.sql.audits import AUDIT_RUN_TYPES, AUDIT_TYPES, record_audit
from stellar_etl_airflow.sql.batch_stats import stats_row, upsert_stats
from stellar_etl_airflow.sql.coverage import record
from stellar_etl_airflow.tasks.build_coverage_tasks import HEALING_TASK, LOOK_TASK
from stellar_etl_airflow.tasks.build_summary_tasks import (
    build_repairing_summary_task,
    build_summary_task,
    summary_object,
)
from stellar_etl_airflow.tasks.build_trigger_tasks import range_run
from tests.local import emulators
from tests.shared import REPO

NOW = datetime.now(UTC).replace(microsecond=0)
"""Costs and lags cover the last days."""
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
IDS = {data_type: table.table_id for data_type, table in PUBLISHED.items()}


def closed_at(ledger):
    return BEGIN + timedelta(seconds=5 * ledger)


@pytest.fixture
def coverage(client, bucket, warehouse_environment, make_context, monkeypatch):
    """Planted loads and findings, and the summary that the task writes then."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.url)
    warehouse_environment(gcs_exported_data_bucket_name=emulators.BUCKET, runbook_url="https://example.com/runbook.md")
    warehouse = warehouse_for(make_context("any"))
    warehouse.ensure_watermarks()
    storage = emulators.storage_client(bucket).bucket(emulators.BUCKET)

    class Coverage:
        minutes = 0

        def load(self, *loads):
            """Record loads: each is a table, its first and last ledger, and a run, newer than the previous ones."""
            rows = []
            for table, start, end, *run in loads:
                self.minutes += 1
                at = NOW - timedelta(hours=1) + timedelta(minutes=self.minutes)
                values = {
                    "table_id": table.table_id,
                    "first_closed_at": closed_at(start),
                    "last_closed_at": closed_at(end),
                    "exported_at": at,
                    "published_at": at,
                    "dag_id": table.dag_id,
                    "batch_id": run[0] if run else "a-run",
                    "bytes_billed": 1 << 30,
                    "estimated_cost": "0.25",
                    "pod_cost": "0.5",
                }
                rows.append(stats_row(LedgerRange(start, end), values))
            warehouse.query(upsert_stats(warehouse.name(BATCH_STATS_TABLE_ID), rows))

        def check(self, *findings):
            self.minutes += 1
            self.checked_at = NOW - timedelta(hours=1) + timedelta(minutes=self.minutes)
            lag = Finding("ledgers", Fault.LAG, 31, 35, 5, 25, "local.stellar")
            name = warehouse.name(COVERAGE_TABLE_ID)
            for statement in record(name, f"check-{self.minutes}", self.checked_at, IDS, [lag, *findings]):
                warehouse.query(statement)

        def run(self, task=None):
            make_context.xcoms[LOOK_TASK, "return_value"] = {"checked_at": self.checked_at.isoformat()}
            task = task or build_summary_task()
            task.deferrable = False
            context = make_context(task.task_id)
            task.pre_execute(context)
            result = task.execute(context)
            assert result["object"] == summary_object("dag-exported")
            return json.loads(storage.blob(result["object"]).download_as_text())

    made = Coverage()
    made.warehouse = warehouse
    thirds = ((1, 10, "first"), (11, 20, "middle"), (21, 30, "last"))
    tables = (LEDGERS, OPERATIONS, EFFECTS, TRANSFERS)
    made.load(*((table, *third) for table in tables for third in thirds if (table, third[0]) != (EFFECTS, 11)))
    return made


def states(document, table):
    found = document["datasets"][0]["tables"][table.table_id]
    return list(zip(found["starts"], (document["states"][letter] for letter in found["states"]), strict=True))


WHOLE = [(1, "complete"), (31, "not_loaded")]


def test_a_gap_is_shown_until_it_is_loaded(coverage):
    coverage.check()
    document = coverage.run()
    assert (document["head"], document["last_ledger"]) == (35, 35)
    assert states(document, EFFECTS) == [(1, "complete"), (11, "gap"), (21, "complete"), (31, "not_loaded")]
    assert states(document, LEDGERS) == states(document, TRANSFERS) == WHOLE
    (gap,) = document["problems"]
    assert (gap["table"], gap["start"], gap["end"], gap["runs"]) == ("history_effects", 11, 20, [])
    assert gap["closed"] == ["2026-01-01T00:00:50Z", "2026-01-01T00:01:45Z"]
    watermark = document["datasets"][0]["watermark"]
    assert (watermark["complete_through"], watermark["lag_ledgers"]) == (10, 25)

    coverage.load((EFFECTS, 11, 20))
    document = coverage.run()
    assert (states(document, EFFECTS), document["problems"]) == (WHOLE, [])
    assert document["datasets"][0]["watermark"]["complete_through"] == 30


def test_a_finding_makes_a_range_dirty_until_a_reload_repairs_it(coverage, make_context):
    coverage.load((EFFECTS, 11, 20))
    coverage.check(
        Finding("operations", Fault.LOST_ROWS, 15, 16, 2, dataset="local.stellar"),
        Finding("accounts", Fault.DIRTY, 5, 6, 2, dataset="local.stellar"),
    )
    coverage.check(Finding("operations", Fault.LOST_ROWS, 15, 16, 2, dataset="local.stellar"))
    document = coverage.run()
    assert states(document, OPERATIONS) == [(1, "complete"), (15, "dirty"), (17, "complete"), (31, "not_loaded")]
    (dirty,) = document["problems"]
    assert (dirty["faults"], dirty["runs"]) == (["lost_rows"], [[OPERATIONS.dag_id, "middle"]])
    first = coverage.checked_at - timedelta(minutes=1)
    assert dirty["since"] == f"{first:%Y-%m-%dT%H:%M:%SZ}", "the time when a check first found it"

    with pytest.raises(AirflowSkipException, match="repairs nothing"):
        coverage.run(build_repairing_summary_task())
    runs = [range_run("heal", OPERATIONS.dag_id, LedgerRange(15, 16))]
    make_context.xcoms[HEALING_TASK, "return_value"] = {"loads": runs, "derived": [], "rebuilds": [], "folds": []}
    document = coverage.run(build_repairing_summary_task())
    assert states(document, OPERATIONS)[1] == (15, "repairing")
    assert document["problems"][0]["runs"] == [[OPERATIONS.dag_id, "heal__15-16"]]

    coverage.load((OPERATIONS, 15, 16))
    document = coverage.run()
    assert (states(document, OPERATIONS), document["problems"]) == (WHOLE, [])


@pytest.mark.slow
def test_point_in_time_views_are_dirty_until_a_check_finds_them_folded(coverage):
    accounts = PUBLISHED["accounts"]
    coverage.load((accounts, 1, 30))
    coverage.check(Finding("accounts", Fault.DIRTY, 5, 6, 2, dataset="local.stellar"))
    assert states(coverage.run(), accounts)[1] == (5, "dirty")
    coverage.check()
    assert states(coverage.run(), accounts) == WHOLE


def test_costs_lags_and_links_are_included_and_a_repeated_task_writes_the_same(coverage):
    coverage.check()
    document = coverage.run()
    costs = [one for one in document["costs"] if one[1] == "history_ledgers"]
    assert [sum(column) for column in list(zip(*costs, strict=True))[2:]] == [3, 3.0, 0.75, 1.5, 0.0]
    checked = f"{coverage.checked_at:%Y-%m-%dT%H:%M:%SZ}"
    assert document["lags"] == {"history_ledgers": [[checked, 5, 25]]}
    assert document["links"] == {"runbook": "https://example.com/runbook.md"}
    assert {**coverage.run(), "made_at": ""} == {**document, "made_at": ""}


@pytest.mark.slow
def test_the_latest_audits_are_included(coverage):
    coverage.check()
    assert coverage.run()["audits"] == []
    warehouse = coverage.warehouse
    warehouse.ensure_audits()
    texts = {"run_id": "an-audit", "start_ledger": "5", "end_ledger": "9", "is_healed": "false"}
    run = dict.fromkeys(AUDIT_RUN_TYPES, "1") | texts
    row = dict.fromkeys(AUDIT_TYPES, "0") | {"dataset": "local.stellar", "table_id": "history_ledgers"}
    warehouse.query(record_audit(warehouse.name(LEDGER_AUDITS_TABLE_ID), coverage.checked_at, run, [row]))
    (audit,) = coverage.run()["audits"]
    assert (audit["run_id"], audit["start_ledger"], audit["end_ledger"]) == ("an-audit", 5, 9)
    assert audit["audited_at"] == f"{coverage.checked_at:%Y-%m-%dT%H:%M:%SZ}"


def test_a_skipped_check_leaves_the_summary_unchanged(coverage, make_context):
    task = build_summary_task()
    context = make_context(task.task_id)
    task.pre_execute(context)
    with pytest.raises(AirflowSkipException, match="the summary is unchanged"):
        task.execute(context)


@pytest.mark.slow
def test_the_summary_of_an_empty_dataset_shows_no_load(coverage, client):
    client.query("DELETE FROM local.stellar.history_archives_dag_runs WHERE TRUE").result()
    coverage.check()
    document = coverage.run()
    assert document["problems"] == []
    assert states(document, LEDGERS) == [(1, "not_loaded")]


Ended = namedtuple("Ended", "task_id state")
"""The fields of a task instance that determine a run's state."""


def test_a_failed_check_fails_the_run_although_the_summary_follows():
    """Airflow derives a run's state from its leaf tasks; Airflow's own function lists them."""
    dag = DagBag(str(REPO / "dags" / "ledger_coverage_dag.py"), load_op_links=False).dags["ledger_coverage"]
    tasks = [Ended(task_id, None) for task_id in dag.task_ids]
    judged = {ti.task_id for ti in DagRun._tis_for_dagrun_state(None, dag=dag, tis=tasks)}
    assert judged == {"check_schedules", "check_retention", "report", "summarize_repairs", "derive_again"}
    assert {"summarize_repairs", "derive_again"} == dag.get_task("summarize").upstream_task_ids
