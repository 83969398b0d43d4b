"""Rows are staged once and published in each target dataset, by one writer per table."""

from __future__ import annotations

import itertools
import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.exceptions import AirflowFailException

from stellar_etl_airflow.bigquery.tables import WarehouseError, guard_network
from stellar_etl_airflow.model.batch import Batch, ExportAttempt, ExportedFile
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import ASSETS, POOLS
from stellar_etl_airflow.operators.runtime import VERIFY_TASK
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.tasks.build_apply_gcs_changes_to_bq_task import build_apply_gcs_changes_to_bq_task
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_delete_data_task import build_delete_data_task
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task
from tests.shared import REPO

FIRST, LAST = 10, 12


@pytest.fixture
def public(client, warehouse_environment):
    """The Variables name a second dataset, which exists and is empty."""
    client.delete_dataset("public", delete_contents=True, not_found_ok=True)
    client.create_dataset("public")
    warehouse_environment(public_dataset="public")
    yield warehouse_environment
    client.delete_dataset("public", delete_contents=True, not_found_ok=True)


@pytest.fixture
def run(warehouse_server, make_context, warehouse_environment):
    """Load, check and merge assets of three ledgers."""
    _, folder = warehouse_server

    def run(run_id="run", codes=("USD", "EUR"), last_closed_at="2026-01-01T00:00:10Z", params=None):
        rows = [
            {
                "asset_code": code,
                "asset_issuer": "G",
                "asset_type": "credit_alphanum4",
                "asset_id": 1,
                "ledger_sequence": FIRST,
                "closed_at": "2026-01-01T00:00:00Z",
                "batch_id": run_id,
                "batch_run_date": "2026-03-04T05:06:07",
                "batch_insert_ts": "2026-01-01T00:00:00Z",
            }
            for code in codes
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "exports").mkdir(parents=True, exist_ok=True)
        (folder / "exports" / "assets.txt").write_text(lines)
        attempt = ExportAttempt(LedgerRange(FIRST, LAST), "prefix", "2026-01-01T00:00:00Z")
        batch = Batch(
            attempt,
            "a network",
            LAST - FIRST + 1,
            "2026-01-01T00:00:00Z",
            last_closed_at,
            {"assets": ExportedFile("gs://exports/assets.txt", len(rows), len(lines))},
        )
        make_context.xcoms[VERIFY_TASK, "return_value"] = batch.to_json()
        results = []
        for build in (build_gcs_to_bq_task, build_check_task, build_apply_gcs_changes_to_bq_task):
            task = build(ASSETS)
            task.deferrable = False
            context = make_context(task.task_id, params, run_id=run_id)
            task.pre_execute(context)
            results.append(task.execute(context))
        return results

    return run


def codes(client, dataset):
    rows = client.query(f"SELECT asset_code FROM local.{dataset}.history_assets ORDER BY 1").result()
    return [row.asset_code for row in rows]


def test_rows_are_staged_once_and_published_in_both_datasets(client, public, run):
    load, _, merge = run()
    assert codes(client, "stellar") == codes(client, "public") == ["EUR", "USD"]
    assert len(load["jobs"]) == 1
    assert [job.rsplit("_merge_", 1)[1].split("_")[0] for job in merge["jobs"]] == ["private", "public"]
    assert [table.table_id for table in client.list_tables("public")] == ["history_assets"]


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"start_ledger": FIRST, "end_ledger": LAST}, "2026-01-01T00:00:00"),
        ({"start_time": "2026-03-04T05:06:07Z", "end_time": "2026-03-04T06:00:00Z"}, "2026-03-04T05:06:07"),
    ],
)
def test_rows_of_a_run_by_ledgers_have_the_close_time_of_the_ledgers(client, run, params, found):
    """They do not have the run's time: a query by `batch_run_date` finds repaired rows near their ledgers."""
    for run_id in ("first", "second"):
        run(run_id, params=params)
        rows = client.query("SELECT DISTINCT batch_run_date FROM local.stellar.history_assets").result()
        assert [row.batch_run_date.isoformat() for row in rows] == [found]


def test_without_a_public_dataset_there_is_one_target(client, run):
    assert len(run()[2]["jobs"]) == 1
    assert codes(client, "stellar") == ["EUR", "USD"]


@pytest.fixture
def shift_clock(monkeypatch):
    """Shift the clock of this process, for all modules of the DAGs that read it."""

    def shift_clock(by):
        class Shifted(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.now(tz) + by

        modules = [module for name, module in sys.modules.items() if name.startswith("stellar_etl_airflow")]
        readers = [module for module in modules if isinstance(getattr(module, "datetime", None), type)]
        assert len(readers) > 3
        for module in readers:
            monkeypatch.setattr(module, "datetime", Shifted)

    return shift_clock


@pytest.mark.parametrize("hours", [pytest.param(-1, marks=pytest.mark.slow), 1])
def test_a_worker_with_a_clock_an_hour_off_loses_and_duplicates_no_row(client, run, shift_clock, hours):
    """It loads the same ledgers after and before another worker: BigQuery determines the order of writers."""
    run("on-time", codes=("USD",))
    shift_clock(timedelta(hours=hours))
    *_, first = run("off")
    *_, again = run("off")
    shift_clock(timedelta())
    *_, last = run("on-time")
    assert codes(client, "stellar") == ["EUR", "USD"]
    merges = [client.get_job(result["jobs"][-1]) for result in (first, again, last)]
    assert all(before.ended <= after.created for before, after in itertools.pairwise(merges))
    staging = [table for table in client.list_tables("stellar") if "staging" in table.table_id]
    expiry = [client.get_table(table).expires - datetime.now(UTC) for table in staging]
    assert all(timedelta(days=6) < each < timedelta(days=8) for each in expiry) and expiry


def test_the_public_dataset_is_checked_too(client, public, run):
    guard_network(client, "local.public", "another network")
    with pytest.raises(WarehouseError, match="dataset local.public has the ledgers of another network"):
        run()
    assert [table.table_id for table in client.list_tables("public")] == []


def test_a_missing_public_dataset_is_named(client, public, run):
    client.delete_dataset("public")
    with pytest.raises(AirflowFailException, match="dataset local.public does not exist"):
        run()


def test_a_range_is_deleted_from_both_datasets(client, public, run, make_context):
    run()
    task = build_delete_data_task(ASSETS)
    task.deferrable = False
    context = make_context(task.task_id, {"start_ledger": FIRST, "end_ledger": FIRST}, run_id="delete")
    task.pre_execute(context)
    task.execute(context)
    assert codes(client, "stellar") == codes(client, "public") == []


@pytest.mark.slow
def test_a_long_range_is_deleted_in_parts_that_a_retry_finds_again(client, run, make_context, warehouse_environment):
    """The partitions are hours: BigQuery changes 4,000 of them by one job, which are five months."""
    field = {"type": "HOUR", "field": "closed_at"}
    warehouse_environment(partition_fields={"history_assets": field}, cluster_fields={})
    run()
    client.query(
        "INSERT INTO local.stellar.history_assets (asset_code, ledger_sequence, closed_at) VALUES "
        f"('OLD', {FIRST}, TIMESTAMP '2015-09-30'), ('NO TIME', {FIRST}, NULL), "
        "('OUTSIDE', 20001, TIMESTAMP '2015-09-30')"
    ).result()
    task = build_delete_data_task(ASSETS)
    task.deferrable = False
    context = make_context(task.task_id, {"start_ledger": 1, "end_ledger": 20000}, run_id="delete")
    task.pre_execute(context)
    jobs = task.execute(context)["jobs"]
    assert len(jobs) == 25, "parts of 4,000 hours, from 2015 to the run"
    assert len({job.rpartition("_")[0] for job in jobs}) == 25
    assert codes(client, "stellar") == ["OUTSIDE"]


def test_a_batch_with_too_many_partitions_is_refused_before_the_load(client, run, warehouse_environment):
    field = {"type": "HOUR", "field": "closed_at"}
    warehouse_environment(partition_fields={"history_assets": field}, cluster_fields={})
    with pytest.raises(WarehouseError, match=r"4344 partitions of history_assets \(HOUR\), .* at most 4000: load them"):
        run(last_closed_at="2026-06-30T23:59:59Z")
    assert [table.table_id for table in client.list_tables("stellar")] == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"public_dataset": "stellar"}, "'public_dataset' must be another dataset than 'bq_dataset'"),
        ({"public_project": "elsewhere"}, "'public_project' is set and 'public_dataset' is not"),
    ],
)
def test_invalid_targets_are_refused(run, warehouse_environment, changes, words):
    warehouse_environment(**changes)
    with pytest.raises(SettingsError, match=words):
        run()


def test_each_writer_of_a_table_uses_its_pool():
    writers = (build_apply_gcs_changes_to_bq_task, build_delete_data_task)
    assert {build(ASSETS).pool for build in writers} == {"write_history_assets"}
    assert build_gcs_to_bq_task(ASSETS).pool == build_check_task(ASSETS).pool == "default_pool"


def test_the_shipped_pools_match_the_tables():
    shipped = json.loads((REPO / "airflow_pools.json").read_text())
    assert shipped == POOLS
    assert all(pool["include_deferred"] for pool in shipped.values())
    assert all(pool["slots"] == 1 for name, pool in shipped.items() if name.startswith("write_"))
