"""Older rows never replace newer rows, whichever task is cleared; and a missing staging table is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from stellar_etl_airflow.model.batch import Batch, ExportAttempt, ExportedFile
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import OFFERS
from stellar_etl_airflow.operators.runtime import VERIFY_TASK
from stellar_etl_airflow.tasks.build_apply_gcs_changes_to_bq_task import build_apply_gcs_changes_to_bq_task
from stellar_etl_airflow.tasks.build_batch_stats import build_batch_stats
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_delete_data_task import build_delete_staging_task
from stellar_etl_airflow.tasks.build_full_load_task import build_keep_full_load_task, build_merge_full_load_task
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def closed_at(ledger):
    return f"2026-01-01T00:{ledger * 5 // 60:02}:{ledger * 5 % 60:02}Z"


class Run:
    """The tasks of one table of a run, whose export attempt began some minutes after noon.

    Its rows are one offer per ledger, except for the ledgers in `empty`. The amount of an offer is the attempt's
    minute.
    """

    def __init__(self, do, folder, first, last, minute, loaded=None, empty=()):
        self.do, self.minute, self.id = do, minute, f"{first}-{last}-{minute}"
        self.loaded_at = NOON + timedelta(minutes=minute + 1 if loaded is None else loaded)
        started_at = f"{NOON + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}"
        common = {"batch_id": self.id, "batch_run_date": "2026-01-01T00:00:00", "batch_insert_ts": started_at}
        rows = [
            {
                "offer_id": n,
                "amount": minute,
                "ledger_sequence": n,
                "deleted": False,
                "closed_at": closed_at(n),
                **common,
            }
            for n in range(first, last + 1)
            if n not in empty
        ]
        (folder / "exports").mkdir(parents=True, exist_ok=True)
        (folder / "exports" / self.id).write_text("".join(json.dumps(row) + "\n" for row in rows))
        attempt = ExportAttempt(LedgerRange(first, last), f"p/attempt-{minute}", started_at)
        files = {"offers": ExportedFile(f"gs://exports/{self.id}", len(rows), 1)}
        batch = Batch(attempt, "a network", last - first + 1, closed_at(first), closed_at(last), files)
        self.xcoms = {(VERIFY_TASK, "return_value"): batch.to_json()}

    def run(self, *builders):
        for build in builders:
            task = build(OFFERS)
            result = self.do(task, self)
            name = task.task_id if task.task_id == "batch_stats" else f"offers.{task.task_id}"
            result["ended_at"] = self.loaded_at.isoformat()
            self.xcoms[name, "return_value"] = result
        return self


STAGE = (build_gcs_to_bq_task, build_check_task)
MERGE = (build_apply_gcs_changes_to_bq_task,)
FULL = (build_keep_full_load_task, build_merge_full_load_task)


def stats(table):
    return build_batch_stats([table])


def full_load_stats(table):
    return build_batch_stats([table], full_load=True)


@pytest.fixture
def make(client, warehouse_server, warehouse_environment, make_context):
    def do(task, run):
        make_context.xcoms.clear()
        make_context.xcoms.update(run.xcoms)
        task.deferrable = False
        context = make_context(task.task_id, run_id=run.id)
        task.pre_execute(context)
        return task.execute(context)

    return lambda *arguments, **changes: Run(do, warehouse_server[1], *arguments, **changes)


@pytest.fixture
def contents(client):
    def contents(table="offers"):
        sql = f"SELECT ledger_sequence, CAST(amount AS INT64) FROM local.stellar.{table} ORDER BY 1"
        return dict(tuple(row.values()) for row in client.query(sql).result())

    return contents


AGAIN = r"offers of ledgers 12 to 14 were exported again at 2026-01-01 12:30:00 UTC .*clear the task 'export'"


@pytest.mark.parametrize("noted", [True, False])
def test_a_failed_run_that_is_cleared_after_a_reload_publishes_nothing(make, contents, noted):
    failed = make(10, 15, 1).run(*STAGE)
    make(12, 14, 30).run(*STAGE, *MERGE, *([stats] if noted else []))
    before = {12: 30, 13: 30, 14: 30}
    message = AGAIN if noted else AGAIN.replace("12 to 14", "1[234] to 1[234]")
    with pytest.raises(AirflowFailException, match=message):
        failed.run(*MERGE)
    assert contents() == contents("offers_current") == before


def test_a_reload_without_rows_counts_as_newer(make, contents):
    failed = make(10, 15, 1).run(*STAGE)
    make(12, 14, 30, empty=(12, 13, 14)).run(*STAGE, *MERGE, stats)
    with pytest.raises(AirflowFailException, match=AGAIN):
        failed.run(*MERGE)
    assert contents() == {}


@pytest.mark.slow
def test_the_same_attempt_and_a_newer_one_are_published(make, contents):
    make(10, 15, 1).run(*STAGE, *MERGE, stats)
    again = make(12, 16, 30).run(*STAGE)
    for _ in range(2):
        again.run(*MERGE, stats)
    assert contents() == {10: 1, 11: 1, **dict.fromkeys(range(12, 17), 30)}


@pytest.mark.slow
@pytest.mark.parametrize("noted", [True, False])
def test_of_two_simultaneous_exports_the_newer_rows_remain(make, contents, noted):
    """The older attempt staged its rows after the newer one had begun, and no user cleared it."""
    older, newer = make(10, 15, 1, loaded=9).run(*STAGE), make(12, 18, 3).run(*STAGE)
    both = {10: 1, 11: 1, **dict.fromkeys(range(12, 19), 3)}
    newer.run(*MERGE, *([stats] if noted else []))
    older.run(*MERGE, stats)
    assert contents() == contents("offers_current") == both
    newer.run(*MERGE)
    assert contents() == contents("offers_current") == both


def test_a_run_whose_ledgers_are_all_newer_in_the_table_changes_nothing(make, contents):
    older = make(13, 14, 1, loaded=9).run(*STAGE)
    make(12, 18, 3).run(*STAGE, *MERGE)
    older.run(*MERGE)
    assert contents() == dict.fromkeys(range(12, 19), 3)


@pytest.mark.slow
def test_the_batch_stats_of_a_newer_attempt_stay(client, make):
    older = make(10, 15, 1).run(*STAGE, *MERGE, stats)
    make(10, 15, 30).run(*STAGE, *MERGE, stats)
    older.run(stats)
    sql = "SELECT attempt FROM local.stellar.history_archives_dag_runs"
    assert [row[0] for row in client.query(sql).result()] == ["attempt-30"]


@pytest.mark.slow
@pytest.mark.parametrize("noted", [True, False])
def test_an_older_full_load_of_a_ledger_is_refused(make, contents, noted):
    failed = make(63, 63, 1, loaded=40).run(*STAGE)
    make(63, 63, 30).run(*STAGE, *FULL, *([full_load_stats] if noted else []))
    with pytest.raises(AirflowFailException, match="ledgers 63 to 63 were exported again"):
        failed.run(FULL[0])
    assert contents("offers_base") == {63: 30}


@pytest.mark.slow
def test_a_full_load_of_another_ledger_is_ignored(make, contents):
    first = make(63, 63, 1).run(*STAGE)
    make(62, 62, 30).run(*STAGE, *FULL, full_load_stats)
    first.run(*FULL, full_load_stats)
    assert contents("offers_base") == {63: 1}


# Missing staging tables --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [build_check_task, *MERGE, FULL[0]])
def test_a_task_cleared_alone_names_the_missing_staging_table_and_the_task_to_clear(make, build):
    run = make(10, 12, 1).run(build_gcs_to_bq_task)
    run.do(build_delete_staging_task([OFFERS]), run)
    with pytest.raises(
        AirflowFailException,
        match=r"staging table local\.stellar\.offers_staging_\w+ does not exist.*Clear the task 'offers.load'",
    ):
        run.run(build)


def test_a_run_without_a_load_to_record_is_skipped(make):
    with pytest.raises(AirflowSkipException):
        make(10, 12, 1).run(stats)
