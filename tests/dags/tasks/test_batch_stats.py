"""One task records all published tables of a batch, whatever the result of the other tasks."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from stellar_etl_airflow.model.batch import Batch, ExportAttempt, ExportedFile
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import ACCOUNTS, ASSETS, LEDGERS, OFFERS
from stellar_etl_airflow.operators.runtime import PUBLISHED_ATTEMPT, VERIFY_TASK
from stellar_etl_airflow.operators.watermarks import WATERMARK
from stellar_etl_airflow.tasks.build_batch_stats import build_batch_stats

ATTEMPT = ExportAttempt(LedgerRange(10, 12), "bucket/run/20260101T000000Z-a", "2026-01-01T00:00:00Z")
STEPS = ("load", "check", "merge")


@pytest.fixture
def write_stats(client, warehouse_environment, make_context):
    """Run the task after those of some tables; return the rows of the batch stats."""
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
        write_stats.events = context["outlet_events"][WATERMARK].asset_alias_events
        rows = client.query(
            "SELECT table_id, start_ledger, row_count, attempt, bytes_billed, published_at "
            "FROM local.stellar.history_archives_dag_runs ORDER BY 1"
        ).result()
        return [tuple(row.values())[:-1] for row in rows], len(jobs)

    return write_stats


def noted(client):
    sql = "SELECT * FROM local.stellar.ledger_batches ORDER BY dataset"
    return [dict(row.items()) for row in client.query(sql).result()]


def test_one_summary_is_written_per_batch_and_dataset(write_stats, client, warehouse_environment):
    client.create_dataset("published", exists_ok=True)
    warehouse_environment(public_project="local", public_dataset="published")
    for _ in range(2):
        write_stats(dict.fromkeys((LEDGERS, ASSETS), ATTEMPT.name))
    rows = noted(client)
    assert [row["dataset"] for row in rows] == ["local.published", "local.stellar"]
    for row in rows:
        assert (row["start_ledger"], row["end_ledger"], row["complete_from"], row["complete_through"]) == (
            10,
            12,
            10,
            12,
        )
        assert (row["tables_published"], row["tables_not_published"], row["row_count"]) == (2, 0, 14)
        assert (row["byte_count"], row["bytes_billed"]) == (140, 12)


def test_an_asset_event_carries_the_watermark(write_stats):
    write_stats({LEDGERS: ATTEMPT.name})
    (event,) = write_stats.events
    assert event.dest_asset_key.uri == "bigquery://local/stellar/ledger_watermarks"
    assert event.extra == {
        "network": None,
        "dataset": "local.stellar",
        "complete_from": 10,
        "complete_through": 12,
        "complete_through_closed_at": "2026-01-01T00:00:10+00:00",
        "start_ledger": 10,
        "end_ledger": 12,
    }


def row(table_id, steps=3):
    return (table_id, 10, 7, ATTEMPT.name, 2 * steps)


def test_one_statement_writes_the_rows_of_all_tables(write_stats):
    both = dict.fromkeys((LEDGERS, ASSETS), ATTEMPT.name)
    for _ in range(2):
        assert write_stats(both) == ([row("history_assets"), row("history_ledgers")], 2)


def test_a_table_that_failed_has_no_row_until_it_is_published(write_stats):
    assert write_stats({ASSETS: ATTEMPT.name}) == ([row("history_assets")], 2)
    both = dict.fromkeys((LEDGERS, ASSETS), ATTEMPT.name)
    assert write_stats(both) == ([row("history_assets"), row("history_ledgers")], 2)


def test_tables_of_an_earlier_attempt_are_not_recorded(write_stats):
    published = {ASSETS: ATTEMPT.name, LEDGERS: "20251231T000000Z-b"}
    assert write_stats(published) == ([row("history_assets")], 2)


def test_a_failed_check_does_not_keep_other_tables_from_being_recorded(write_stats, make_context):
    write_stats(dict.fromkeys((LEDGERS, ASSETS), ATTEMPT.name))
    del make_context.xcoms["ledgers.check", "return_value"]
    assert write_stats({ASSETS: ATTEMPT.name}) == ([row("history_assets"), row("history_ledgers")], 2)


def test_a_batch_without_published_tables_is_skipped(write_stats):
    with pytest.raises(AirflowSkipException, match="no table of this batch is published"):
        write_stats({})


def test_a_run_whose_export_failed_is_skipped_and_creates_no_table(client, write_stats, make_context):
    del make_context.xcoms[VERIFY_TASK, "return_value"]
    with pytest.raises(AirflowSkipException, match="no export of this run is verified"):
        write_stats({})
    assert list(client.list_tables("stellar")) == []


def test_merges_of_the_previous_release_have_no_attempt(write_stats, make_context):
    write_stats({LEDGERS: ATTEMPT.name, ASSETS: ATTEMPT.name})
    del make_context.xcoms["ledgers.merge", "return_value"][PUBLISHED_ATTEMPT]
    assert write_stats({}) == ([row("history_assets"), row("history_ledgers")], 2)


def test_a_full_load_is_recorded_for_its_point_in_time_tables(write_stats):
    steps, tables = (*STEPS, "keep"), (OFFERS, ACCOUNTS)
    rows = write_stats(dict.fromkeys(tables, ATTEMPT.name), tables, steps, full_load=True)
    assert rows == ([row("accounts_versions", 4), row("offers_versions", 4)], 1)
