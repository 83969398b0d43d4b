"""Derived tables, run on the laptop's warehouse: made whole, again, and only from what is there."""

from __future__ import annotations

import json

import google.cloud.bigquery as bq
import pytest
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from stellar_etl_airflow.model.tables import ENRICHED_OPERATIONS
from stellar_etl_airflow.tasks.build_bq_insert_job_task import build_bq_insert_job_task, build_check_sources_task
from stellar_etl_airflow.tasks.build_cross_dependency_task import build_cross_dependency_task
from tests.dags.sql.statements import reversed_records
from tests.shared import REPO

LEDGERS = range(10, 14)
RANGE = {"start_ledger": 10, "end_ledger": 13}


def at(ledger):
    return f"2026-01-01T00:10:{ledger}Z"


def sources(ledgers=LEDGERS):
    """Ledgers with one transaction of two operations each."""
    return {
        "history_ledgers": [
            {
                "sequence": n,
                "closed_at": at(n),
                "ledger_hash": f"hash {n}",
                "successful_transaction_count": 1,
                "failed_transaction_count": 0,
                "tx_set_operation_count": 2,
            }
            for n in ledgers
        ],
        "history_transactions": [
            {"id": n << 32 | 4096, "ledger_sequence": n, "closed_at": at(n), "transaction_hash": f"tx {n}"}
            for n in ledgers
        ],
        "history_operations": [
            {
                "id": (n << 32 | 4096) + i,
                "transaction_id": n << 32 | 4096,
                "ledger_sequence": n,
                "closed_at": at(n),
                "type": 1,
                "details": {"amount": 1.5},
            }
            for n in ledgers
            for i in (1, 2)
        ],
    }


@pytest.fixture
def load(client, warehouse_server):
    """Makes the source tables anew, with rows."""
    _, folder = warehouse_server

    def load(tables, older=()):
        for table_id, rows in tables.items():
            fields = json.loads((REPO / "schemas" / f"{table_id}_schema.json").read_text())
            fields = reversed_records(fields) if table_id in older else fields
            schema = [bq.SchemaField.from_api_repr(field) for field in fields]
            client.delete_table(f"local.stellar.{table_id}", not_found_ok=True)
            client.create_table(bq.Table(f"local.stellar.{table_id}", schema=schema))
            (folder / "bucket").mkdir(parents=True, exist_ok=True)
            (folder / "bucket" / table_id).write_text("".join(json.dumps(row) + "\n" for row in rows))
            config = bq.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", schema=schema)
            client.load_table_from_uri(
                f"gs://bucket/{table_id}", f"local.stellar.{table_id}", job_config=config
            ).result()

    return load


@pytest.fixture
def run(warehouse_environment, make_context):
    """Runs the two tasks for a range."""

    def run(params=RANGE, **changes):
        for task in (build_check_sources_task(), build_bq_insert_job_task(ENRICHED_OPERATIONS)):
            context = make_context(task.task_id, params, **changes)
            task.deferrable = False
            task.pre_execute(context)
            make_context.xcoms[task.task_id, "return_value"] = task.execute(context)

    return run


def enriched(client):
    sql = (
        "SELECT op_id, transaction_hash, ledger_hash, ledger_sequence, details.amount, batch_id "
        "FROM local.stellar.enriched_history_operations ORDER BY op_id"
    )
    return [tuple(row.values()) for row in client.query(sql).result()]


def test_operations_get_their_transaction_and_ledger(client, load, run):
    load(sources())
    run(run_id="first")
    found = enriched(client)
    assert len(found) == 8
    assert found[0] == ((10 << 32 | 4096) + 1, "tx 10", "hash 10", 10, 1.5, "first")


def test_the_same_range_again_and_a_part_of_it_end_in_the_same_rows(client, load, run):
    load(sources())
    run(run_id="first")
    before = [row[:-1] for row in enriched(client)]
    run(run_id="second")
    run({"start_ledger": 11, "end_ledger": 12}, run_id="third")
    after = enriched(client)
    assert [row[:-1] for row in after] == before
    assert [row[-1] for row in after] == ["second"] * 2 + ["third"] * 4 + ["second"] * 2


def test_a_changed_source_is_taken_over(client, load, run):
    load(sources())
    run(run_id="first")
    changed = sources()
    changed["history_operations"][0]["details"] = {"amount": 9.0}
    load(changed)
    run(run_id="second")
    assert enriched(client)[0][4] == 9.0


def test_records_of_a_source_that_grew_otherwise_keep_each_value_in_its_field(client, load, run):
    tables = sources()
    details = {"amount": 1.5, "from": "G1", "to": "G2", "path": [{"asset_code": "A", "asset_issuer": "i"}]}
    tables["history_operations"][0]["details"] = details
    load(tables, older=("history_operations",))
    run(run_id="first")
    sql = "SELECT details FROM local.stellar.enriched_history_operations ORDER BY op_id LIMIT 1"
    (row,) = client.query(sql).result()
    assert {key: row.details[key] for key in ("amount", "from", "to")} == {"amount": 1.5, "from": "G1", "to": "G2"}
    assert row.details["path"] == [{"asset_code": "A", "asset_issuer": "i", "asset_type": None}]


def test_a_run_by_its_interval_takes_the_interval(client, load, run):
    load(sources())
    run({}, run_id="interval")
    assert len(enriched(client)) == 8


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda tables: tables["history_operations"].pop(), "7 operations are loaded, and the ledgers have 8"),
        (lambda tables: tables["history_transactions"].pop(), "3 transactions are loaded, and the ledgers have 4"),
        (lambda tables: tables["history_ledgers"].pop(1), "1 of 4 ledgers are not loaded"),
        (lambda tables: tables["history_ledgers"].pop(), "ledgers 10 to 12 are loaded, not all of"),
    ],
)
def test_sources_that_are_not_whole_are_named(load, run, damage, words):
    tables = sources()
    damage(tables)
    load(tables)
    with pytest.raises(AirflowException, match=words):
        run()


def test_a_range_that_is_not_loaded_fails_and_an_interval_without_ledgers_is_skipped(load, run):
    load(sources(()))
    with pytest.raises(AirflowException, match="no ledger of this range is loaded: start_ledger 10, end_ledger 13"):
        run()
    with pytest.raises(AirflowSkipException):
        run({})


def test_a_run_with_a_range_of_its_own_waits_for_no_other_dag(make_context):
    task = build_cross_dependency_task("another_dag")
    assert task.execute(make_context(task.task_id, RANGE)) is None
