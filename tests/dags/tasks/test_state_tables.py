"""Changes of ledger entries are published twice: as a log, and as what there is now."""

from __future__ import annotations

import json

import google.cloud.bigquery as bq
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from stellar_etl_airflow.bigquery.tables import WarehouseError
from stellar_etl_airflow.model.batch import Batch, ExportAttempt, ExportedFile
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import OFFERS
from stellar_etl_airflow.operators.runtime import VERIFY_TASK
from stellar_etl_airflow.tasks.build_apply_gcs_changes_to_bq_task import build_apply_gcs_changes_to_bq_task
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_full_load_task import build_keep_full_load_task, build_merge_full_load_task
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task
from stellar_etl_airflow.tasks.build_state_rebuild_task import build_state_rebuild_task

BATCH = {"batch_id": "x", "batch_run_date": "2026-01-01T00:00:00", "batch_insert_ts": "2026-01-01T00:00:00Z"}


def closed_at(ledger):
    return f"2026-01-01T00:{ledger * 5 // 60:02}:{ledger * 5 % 60:02}Z"


@pytest.fixture
def run(client, warehouse_server, make_context, warehouse_environment):
    """Publishes changes of offers, `(offer_id, amount, ledger, deleted)`, for a range of ledgers."""
    _, folder = warehouse_server

    def run(first, last, changes, publish=(build_apply_gcs_changes_to_bq_task,)):
        rows = [
            {
                "offer_id": offer,
                "amount": amount,
                "ledger_sequence": ledger,
                "deleted": deleted,
                "closed_at": closed_at(ledger),
                **BATCH,
            }
            for offer, amount, ledger, deleted in changes
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "exports").mkdir(parents=True, exist_ok=True)
        (folder / "exports" / "offers.txt").write_text(lines)
        attempt = ExportAttempt(LedgerRange(first, last), "prefix", "2026-01-01T00:00:00Z")
        file = ExportedFile("gs://exports/offers.txt", len(rows), len(lines))
        batch = Batch(attempt, "a network", last - first + 1, closed_at(first), closed_at(last), {"offers": file})
        make_context.xcoms[VERIFY_TASK, "return_value"] = batch.to_json()
        for build in (build_gcs_to_bq_task, build_check_task, *publish):
            task = build(OFFERS)
            task.deferrable = False
            context = make_context(task.task_id, run_id=f"{first}-{last}")
            task.pre_execute(context)
            result = task.execute(context)
        return result

    return run


@pytest.fixture
def held(client):
    def held(table, dataset="stellar"):
        sql = f"SELECT offer_id, amount, ledger_sequence, deleted FROM local.{dataset}.{table} ORDER BY 1, 3"
        return [tuple(row.values()) for row in client.query(sql).result()]

    return held


FIRST = [(1, 1.0, 10, False), (1, 2.0, 12, False), (2, 5.0, 11, False)]
SECOND = [(1, 2.0, 14, True), (3, 7.0, 15, False)]
NOW = [(2, 5.0, 11, False), (3, 7.0, 15, False)]


def test_a_log_the_newest_row_of_each_and_what_there_is_now(run, held):
    run(10, 13, FIRST)
    run(14, 16, SECOND)
    assert held("offers") == sorted(FIRST + SECOND, key=lambda row: (row[0], row[2]))
    assert held("offers_state") == [(1, 2.0, 14, True), *NOW]
    assert held("offers_current") == NOW


def test_batches_in_another_order_and_again_end_in_the_same_rows(run, held):
    run(14, 16, SECOND)
    run(10, 13, FIRST)
    run(14, 16, SECOND)
    assert held("offers") == sorted(FIRST + SECOND, key=lambda row: (row[0], row[2]))
    assert held("offers_current") == NOW


def test_both_datasets_have_both(client, run, held, warehouse_environment):
    client.delete_dataset("public", delete_contents=True, not_found_ok=True)
    client.create_dataset("public")
    warehouse_environment(public_dataset="public")
    jobs = run(10, 13, FIRST)["jobs"]
    assert [job.rsplit("_", 3)[-3] for job in jobs] == ["private", "private", "public", "public"]
    assert held("offers_current", "public") == held("offers_current") == [(1, 2.0, 12, False), (2, 5.0, 11, False)]
    client.delete_dataset("public", delete_contents=True)


FULL_LOAD = (build_keep_full_load_task, build_merge_full_load_task)


def test_a_full_load_begins_the_state_and_leaves_the_changes_alone(run, held):
    run(10, 13, FIRST)
    run(14, 16, SECOND)
    run(14, 14, [(2, 5.0, 14, False), (4, 1.0, 14, False)], FULL_LOAD)
    assert held("offers") == sorted(FIRST + SECOND, key=lambda row: (row[0], row[2]))
    assert held("offers_state") == [(2, 5.0, 14, False), (3, 7.0, 15, False), (4, 1.0, 14, False)]


def test_a_full_load_with_an_entry_twice_is_refused_before_it_is_merged(run, held):
    """BigQuery would fail the merge: a row of the target may match one row of the source."""
    run(10, 13, FIRST)
    with pytest.raises(AirflowFailException, match="1 rows that repeat another row's key"):
        run(14, 14, [(2, 5.0, 14, False), (2, 6.0, 14, False)], FULL_LOAD)
    with pytest.raises(AirflowFailException, match="1 rows whose ledger is not in the batch"):
        run(14, 14, [(2, 5.0, 14, False), (2, 6.0, 13, False)], FULL_LOAD)
    assert held("offers_current") == [(1, 2.0, 12, False), (2, 5.0, 11, False)]


def test_changes_up_to_a_full_load_stay_out_of_the_state_and_later_ones_enter(run, held):
    run(13, 13, [(2, 5.0, 13, False)], FULL_LOAD)
    run(10, 13, FIRST)
    assert held("offers_current") == [(2, 5.0, 13, False)]
    run(14, 16, SECOND)
    assert held("offers_current") == [(2, 5.0, 13, False), (3, 7.0, 15, False)]
    assert len(held("offers")) == 5


def test_a_full_load_older_than_the_one_that_is_kept_changes_nothing(run, held):
    run(15, 15, [(3, 7.0, 15, False)], FULL_LOAD)
    jobs = run(12, 12, [(1, 2.0, 12, False)], FULL_LOAD)["jobs"]
    assert (jobs, held("offers_current")) == ([], [(3, 7.0, 15, False)])


def test_a_rebuild_begins_with_the_full_load_even_an_empty_one(client, run, held, rebuild):
    run(10, 13, FIRST)
    run(14, 14, [], FULL_LOAD)
    run(15, 16, SECOND[1:])
    client.query("DELETE FROM local.stellar.offers_state WHERE TRUE").result()
    rebuild()
    assert held("offers_state") == [(3, 7.0, 15, False)]


@pytest.fixture
def rebuild(make_context):
    def rebuild(table=None, run_id="rebuild"):
        task = build_state_rebuild_task(OFFERS)
        task.deferrable = False
        context = make_context(task.task_id, {"table": table}, run_id=run_id)
        task.pre_execute(context)
        task.execute(context)

    return rebuild


def test_a_rebuild_makes_a_spoilt_state_right_again(client, run, held, rebuild):
    run(10, 13, FIRST)
    run(14, 16, SECOND)
    client.query("UPDATE local.stellar.offers_state SET amount = 99.0, deleted = FALSE WHERE TRUE").result()
    client.query(
        "INSERT INTO local.stellar.offers_state (offer_id, ledger_sequence, deleted) VALUES (9, 9, FALSE)"
    ).result()
    rebuild("offers")
    assert held("offers_state") == [(1, 2.0, 14, True), *NOW]


def test_a_rebuild_of_another_table_leaves_this_one(run, rebuild):
    run(10, 13, FIRST)
    with pytest.raises(AirflowSkipException, match="asked for accounts"):
        rebuild("accounts")


def test_a_table_of_the_views_name_is_not_replaced(client, run):
    client.create_table(bq.Table("local.stellar.offers_current", schema=[bq.SchemaField("x", "STRING")]))
    with pytest.raises(WarehouseError, match="local.stellar.offers_current is no view"):
        run(10, 13, FIRST)
