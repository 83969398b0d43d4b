"""One task records all tables of a batch that were published, whatever became of the others."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from stellar_etl_airflow.model.batch import Batch, ExportAttempt, ExportedFile
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import ACCOUNTS, ASSETS, LEDGERS, OFFERS
from stellar_etl_airflow.operators.runtime import PUBLISHED_ATTEMPT, VERIFY_TASK
from stellar_etl_airflow.tasks.build_batch_stats import build_batch_stats

ATTEMPT = ExportAttempt(LedgerRange(10, 12), "bucket/run/20260101T000000Z-a", "2026-01-01T00:00:00Z")
STEPS = ("load", "check", "merge")


@pytest.fixture
def write_stats(client, warehouse_environment, make_context):
    """Runs the task after those of some tables; gives what each row of the batch stats says."""
    files = {one.data_type: ExportedFile("gs://b/o", 7, 70) for one in (LEDGERS, ASSETS, OFFERS, ACCOUNTS)}
    batch = Batch(ATTEMPT, "a network", 3, "2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z", files)
    make_context.xcoms[VERIFY_TASK, "return_value"] = batch.to_json()

    def write_stats(published, tables=(LEDGERS, ASSETS), steps=STEPS, **changes):
        for table, attempt in published.items():
            for step in steps:
                result = {"bytes_processed": 1, "bytes_billed": 2, "ended_at": f"2026-01-01T00:0{len(step)}:00Z"}
                made = result | ({PUBLISHED_ATTEMPT: attempt} if step == "merge" else {})
                make_context.xcoms[f"{table.data_type}.{step}", "return_value"] = made
        task = build_batch_stats(tables, **changes)
        task.deferrable = False
        context = make_context(task.task_id)
        task.pre_execute(context)
        jobs = task.execute(context)["jobs"]
        rows = client.query(
            "SELECT table_id, start_ledger, row_count, attempt, bytes_billed, published_at "
            "FROM local.stellar.history_archives_dag_runs ORDER BY 1"
        ).result()
        return [tuple(row.values())[:-1] for row in rows], len(jobs)

    return write_stats


def row(table_id, steps=3):
    return (table_id, 10, 7, ATTEMPT.name, 2 * steps)


def test_one_statement_writes_the_rows_of_all_tables(write_stats):
    both = dict.fromkeys((LEDGERS, ASSETS), ATTEMPT.name)
    for _ in range(2):
        assert write_stats(both) == ([row("history_assets"), row("history_ledgers")], 1)


def test_a_table_that_failed_has_no_row_until_it_is_published(write_stats):
    assert write_stats({ASSETS: ATTEMPT.name}) == ([row("history_assets")], 1)
    both = dict.fromkeys((LEDGERS, ASSETS), ATTEMPT.name)
    assert write_stats(both) == ([row("history_assets"), row("history_ledgers")], 1)


def test_what_an_earlier_attempt_published_is_not_this_ones(write_stats):
    published = {ASSETS: ATTEMPT.name, LEDGERS: "20251231T000000Z-b"}
    assert write_stats(published) == ([row("history_assets")], 1)


def test_a_table_whose_check_failed_this_time_keeps_the_others_from_nothing(write_stats, make_context):
    write_stats(dict.fromkeys((LEDGERS, ASSETS), ATTEMPT.name))
    del make_context.xcoms["ledgers.check", "return_value"]
    assert write_stats({ASSETS: ATTEMPT.name}) == ([row("history_assets"), row("history_ledgers")], 1)


def test_a_batch_of_which_nothing_is_published_is_skipped(write_stats):
    with pytest.raises(AirflowSkipException, match="no table of this batch is published"):
        write_stats({})


def test_a_run_whose_export_failed_is_skipped_and_makes_no_table(client, write_stats, make_context):
    del make_context.xcoms[VERIFY_TASK, "return_value"]
    with pytest.raises(AirflowSkipException, match="no export of this run is verified"):
        write_stats({})
    assert list(client.list_tables("stellar")) == []


def test_a_merge_of_the_release_before_names_no_attempt(write_stats, make_context):
    write_stats({LEDGERS: ATTEMPT.name, ASSETS: ATTEMPT.name})
    del make_context.xcoms["ledgers.merge", "return_value"][PUBLISHED_ATTEMPT]
    assert write_stats({}) == ([row("history_assets"), row("history_ledgers")], 1)


def test_a_full_load_is_recorded_under_its_point_in_time_tables(write_stats):
    steps, tables = (*STEPS, "keep"), (OFFERS, ACCOUNTS)
    rows = write_stats(dict.fromkeys(tables, ATTEMPT.name), tables, steps, full_load=True)
    assert rows == ([row("accounts_state", 4), row("offers_state", 4)], 1)
