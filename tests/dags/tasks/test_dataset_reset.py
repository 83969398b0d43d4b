"""Removal of loaded data: the meaning of params, the counted rows, and the rows and tables that are removed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import google.cloud.bigquery as bq
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from stellar_etl_airflow.bigquery.tables import NETWORK_LABEL
from stellar_etl_airflow.model.ranges import LAST_LEDGER, LedgerRange, RangeError
from stellar_etl_airflow.model.reset import Removal, requested_removal
from stellar_etl_airflow.model.tables import COVERAGE_TABLE_ID, LEDGERS, OFFERS, PUBLISHED, TRANSACTIONS
from stellar_etl_airflow.model.versions import OPEN_LEDGER, Folded
from stellar_etl_airflow.tasks.build_dataset_reset_task import (
    build_approve_reset_task,
    build_forget_network_task,
    build_plan_reset_task,
    build_remove_task,
)
from tests.shared import REPO


def test_a_range_is_removed_from_one_or_all_tables():
    assert requested_removal({"what": "range", "start_ledger": 3, "end_ledger": 9, "data_type": "trades"}) == Removal(
        ("trades",), LedgerRange(3, 9)
    )
    assert requested_removal({"what": "range", "start_ledger": 3, "end_ledger": 3}).data_types == tuple(PUBLISHED)


def test_only_a_removed_dataset_may_accept_another_network():
    assert requested_removal({"what": "table", "data_type": "offers"}) == Removal(("offers",))
    assert requested_removal({"what": "dataset"}) == Removal(tuple(PUBLISHED), network=True)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "param what must be one of range, table, dataset"),
        ({"what": "all"}, "param what must be one of"),
        ({"what": "table", "data_type": "users"}, "data_type one of ledgers"),
        ({"what": "range", "start_ledger": 3}, "start_ledger and end_ledger"),
        ({"what": "range", "start_ledger": 9, "end_ledger": 3}, "start_ledger and end_ledger"),
        ({"what": "table", "data_type": "offers", "start_ledger": 3, "end_ledger": 9}, "require what=range"),
        ({"what": "table"}, "set the param data_type to the table"),
        ({"what": "dataset", "data_type": "offers"}, "what=dataset removes all tables"),
    ],
)
def test_contradictory_params_are_refused(params, message):
    with pytest.raises(RangeError, match=message):
        requested_removal(params)


BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMAS = {
    "history_ledgers": "sequence INT64, closed_at TIMESTAMP",
    "offers": "offer_id INT64, ledger_sequence INT64, deleted BOOL, closed_at TIMESTAMP",
    "offers_versions": "offer_id INT64, ledger_sequence INT64, deleted BOOL, closed_at TIMESTAMP, "
    "valid_to_ledger INT64, valid_to TIMESTAMP",
    "history_archives_dag_runs": "table_id STRING, start_ledger INT64, end_ledger INT64",
    "somebody_elses": "sequence INT64",
}


@pytest.fixture
def loaded(client, warehouse_environment, tmp_path):
    """Load ledgers 10 to 19 and offers that changed in them, with the loads of both and an unrelated table."""
    (tmp_path / "offers_schema.json").write_text(
        '[{"name": "offer_id", "type": "INTEGER"}, {"name": "ledger_sequence", "type": "INTEGER"},'
        ' {"name": "deleted", "type": "BOOLEAN"}, {"name": "closed_at", "type": "TIMESTAMP"}]'
    )
    shutil.copy(REPO / "schemas" / f"{COVERAGE_TABLE_ID}_schema.json", tmp_path)
    warehouse_environment(schema_filepath=str(tmp_path))
    for table_id, columns in SCHEMAS.items():
        fields = [bq.SchemaField(*column.split()) for column in columns.split(", ")]
        client.create_table(bq.Table(f"local.stellar.{table_id}", schema=fields))
    ledgers = ", ".join(f"({n}, TIMESTAMP '2026-01-01')" for n in range(10, 20))
    client.query(f"INSERT INTO local.stellar.history_ledgers VALUES {ledgers}").result()
    offers = ", ".join(f"(1, {n}, FALSE, TIMESTAMP '2026-01-01')" for n in (10, 14, 18))
    client.query(f"INSERT INTO local.stellar.offers VALUES {offers}").result()
    ends = ((10, 14, "2026-01-01"), (14, 18, "2026-01-01"), (18, OPEN_LEDGER, "2100-01-01"))
    rows = ", ".join(f"(1, {n}, FALSE, TIMESTAMP '2026-01-01', {end}, TIMESTAMP '{day}')" for n, end, day in ends)
    client.query(f"INSERT INTO local.stellar.offers_versions VALUES {rows}").result()
    table = client.get_table("local.stellar.offers_versions")
    table.labels = {key: value for key, value in Folded(20, BEGIN).to_labels().items() if value}
    client.update_table(table, ["labels"])
    client.query(
        "INSERT INTO local.stellar.history_archives_dag_runs VALUES ('history_ledgers', 10, 14), "
        "('history_ledgers', 15, 19), ('offers', 10, 19), ('offers_versions', 10, 10)"
    ).result()
    client.query("INSERT INTO local.stellar.somebody_elses VALUES (15)").result()
    dataset = client.get_dataset("local.stellar")
    dataset.labels = {**dataset.labels, NETWORK_LABEL: "ours"}
    client.update_dataset(dataset, ["labels"])


@pytest.fixture
def do(make_context):
    def do(task, **params):
        task.deferrable = False
        context = make_context(task.task_id, {"dry_run": False, **params}, run_id="reset")
        task.pre_execute(context)
        return task.execute(context)

    return do


@pytest.fixture
def column(client):
    def column(sql):
        return [row[0] for row in client.query(f"{sql} ORDER BY 1").result()]

    return column


@pytest.fixture
def tables(client):
    def tables():
        return {table.table_id for table in client.list_tables("local.stellar")}

    return tables


RANGE = {"what": "range", "start_ledger": 14, "end_ledger": 19}


def test_the_plan_counts_the_rows_of_existing_tables(loaded, do):
    plan = do(build_plan_reset_task(), **RANGE)
    assert plan["rows"] == {"stellar.history_ledgers": 6, "stellar.offers": 2}
    assert "`stellar.offers`: 2 rows, of ledgers 14 to 19" in plan["text"]
    whole = do(build_plan_reset_task(), what="dataset")
    assert whole["rows"] == {"stellar.history_ledgers": 10, "stellar.offers": 3}
    assert "can then be used for another network" in whole["text"]


def test_the_plan_refuses_params_that_no_retry_can_fix(loaded, do):
    with pytest.raises(AirflowFailException, match="set the param data_type to the table"):
        do(build_plan_reset_task(), what="table")


def test_a_dry_run_needs_no_approval(make_context):
    task = build_approve_reset_task()
    with pytest.raises(AirflowSkipException, match="dry run"):
        task.execute(make_context(task.task_id, {**RANGE, "dry_run": True}))


def test_a_range_is_removed_and_the_state_is_rebuilt_from_the_remaining_rows(loaded, do, column):
    do(build_remove_task(LEDGERS), **RANGE)
    do(build_remove_task(OFFERS), **RANGE)
    assert column("SELECT sequence FROM local.stellar.history_ledgers") == [10, 11, 12, 13]
    assert column("SELECT ledger_sequence FROM local.stellar.offers") == [10]
    assert column("SELECT ledger_sequence FROM local.stellar.offers_current") == [10]
    assert column("SELECT valid_to_ledger FROM local.stellar.offers_history") == [OPEN_LEDGER]
    assert column(
        "SELECT CONCAT(table_id, ' ', CAST(start_ledger AS STRING)) FROM local.stellar.history_archives_dag_runs"
    ) == ["history_ledgers 10", "offers 10", "offers_versions 10"]


def test_a_removal_is_recorded_so_that_no_watermark_includes_it(loaded, do, client):
    do(build_remove_task(LEDGERS), **RANGE)
    do(build_remove_task(OFFERS), what="table", data_type="offers")
    sql = "SELECT table_id, fault, start_ledger, end_ledger FROM local.stellar.ledger_coverage ORDER BY 1"
    assert [tuple(row.values()) for row in client.query(sql).result()] == [
        ("history_ledgers", "removed", 14, 19),
        ("offers", "removed", 1, LAST_LEDGER),
    ]


def test_a_table_is_removed_with_its_dependents_and_others_stay(loaded, do, tables, column):
    do(build_remove_task(OFFERS), what="table", data_type="offers")
    assert tables() == (SCHEMAS.keys() - {"offers", "offers_versions"}) | {COVERAGE_TABLE_ID}
    with pytest.raises(AirflowSkipException, match="the run removes offers"):
        do(build_remove_task(LEDGERS), what="table", data_type="offers")
    assert set(column("SELECT table_id FROM local.stellar.history_archives_dag_runs")) == {"history_ledgers"}


def test_a_missing_table_is_no_error(loaded, do):
    do(build_remove_task(TRANSACTIONS), what="dataset")
    do(build_remove_task(TRANSACTIONS), **RANGE)


@pytest.mark.slow
def test_a_removed_dataset_accepts_another_network_and_keeps_unrelated_tables(client, loaded, do, tables):
    for table in PUBLISHED.values():
        do(build_remove_task(table), what="dataset")
    assert tables() == {"history_archives_dag_runs", COVERAGE_TABLE_ID, "somebody_elses"}
    do(build_forget_network_task(), what="dataset")
    assert NETWORK_LABEL not in client.get_dataset("local.stellar").labels


def test_the_network_label_stays_if_only_a_table_is_removed(client, loaded, do):
    with pytest.raises(AirflowSkipException):
        do(build_forget_network_task(), what="table", data_type="offers")
    assert client.get_dataset("local.stellar").labels[NETWORK_LABEL] == "ours"
