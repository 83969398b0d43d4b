"""Coverage checks find each planted fault, and name its fix."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import google.cloud.bigquery as bq
import pytest
from airflow.sdk.exceptions import AirflowFailException
from hypothesis import given
from hypothesis import strategies as st

from stellar_etl_airflow.model.coverage import BLOCK_BITS, MOST_RUNS, Fault, Finding, Round, backfill_round, healing
from stellar_etl_airflow.model.coverage import whole as whole_findings
from stellar_etl_airflow.model.ranges import LedgerRange, chunks, joined, without
from stellar_etl_airflow.model.schema import read_schema
from stellar_etl_airflow.model.tables import ENRICHED_OPERATIONS
from stellar_etl_airflow.model.versions import OPEN_LEDGER, OPEN_TIME, Folded
from stellar_etl_airflow.sql.coverage import MOST_RECORDED
from stellar_etl_airflow.tasks.build_coverage_tasks import (
    HEAD_TASK,
    build_coverage_check_task,
    build_plan_healing_task,
    build_record_task,
    build_report_task,
    found_by,
)
from tests.local import emulators
from tests.shared import REPO

SCHEMA_FILES = str(REPO / "schemas")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
OPERATIONS_A_LEDGER, EVENTS_A_LEDGER = 2, 3
LAST = 40


def closed_at(ledger):
    return BEGIN + timedelta(seconds=5 * ledger)


SCHEMAS = {
    "history_ledgers": "sequence INT64, ledger_hash STRING, previous_ledger_hash STRING, closed_at TIMESTAMP, "
    "successful_transaction_count INT64, failed_transaction_count INT64, tx_set_operation_count INT64",
    "history_operations": "id INT64, ledger_sequence INT64, closed_at TIMESTAMP",
    "history_effects": "id STRING, ledger_sequence INT64, closed_at TIMESTAMP",
    "history_contract_events": "transaction_id INT64, event_index INT64, ledger_sequence INT64, closed_at TIMESTAMP",
    "offers": "offer_id INT64, ledger_sequence INT64, deleted BOOL, closed_at TIMESTAMP",
    "offers_versions": "offer_id INT64, ledger_sequence INT64, deleted BOOL, closed_at TIMESTAMP, "
    "valid_to_ledger INT64, valid_to TIMESTAMP",
}
STATS = "history_archives_dag_runs"
LOAD = "table_id, start_ledger, end_ledger, row_count, first_closed_at, last_closed_at, published_at"


@pytest.fixture
def sql(client):
    def sql(text):
        return [tuple(row.values()) for row in client.query(text).result()]

    return sql


@pytest.fixture(scope="module")
def loaded(warehouse_server):
    """Load ledgers 11 to 40 in batches of ten: two operations and one effect per ledger, and an offer every tenth.

    The rows are created once, in a separate dataset, because six statements with many rows take seconds. Returns the
    dataset.
    """
    dataset = "local.loaded"
    client = emulators.bigquery_client(warehouse_server[0])
    client.create_dataset(dataset)
    for table_id, columns in SCHEMAS.items():
        fields = [bq.SchemaField(*column.split()) for column in columns.split(", ")]
        client.create_table(bq.Table(f"{dataset}.{table_id}", schema=fields))
    made = bq.Table(
        f"{dataset}.{STATS}", [bq.SchemaField.from_api_repr(one) for one in read_schema(SCHEMA_FILES, STATS)]
    )
    made.clustering_fields = ["table_id", "start_ledger"]
    client.create_table(made)

    def insert(table_id, rows, columns=""):
        values = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows)
        client.query(f"INSERT INTO {dataset}.{table_id} {columns} VALUES {values}").result()

    ledgers = range(11, LAST + 1)
    insert("history_ledgers", [(n, f"h{n}", f"h{n - 1}", closed_at(n), 1, 0, OPERATIONS_A_LEDGER) for n in ledgers])
    insert("history_operations", [(n * 10 + i, n, closed_at(n)) for n in ledgers for i in range(OPERATIONS_A_LEDGER)])
    insert("history_effects", [(f"{n}-0", n, closed_at(n)) for n in ledgers])
    insert("history_contract_events", [(n, i, n, closed_at(n)) for n in ledgers for i in range(EVENTS_A_LEDGER)])
    insert("offers", [(1, n, False, closed_at(n)) for n in (20, 30, 40)])
    ends = ((20, 30, closed_at(30)), (30, 40, closed_at(40)), (40, OPEN_LEDGER, OPEN_TIME))
    insert("offers_versions", [(1, n, False, closed_at(n), end, time) for n, end, time in ends])
    loads = {
        "history_ledgers": 10,
        "history_operations": 20,
        "history_effects": 10,
        "history_contract_events": 30,
        "offers": 1,
    }
    insert(
        STATS,
        [
            (table_id, n, n + 9, rows, closed_at(n), closed_at(n + 9), BEGIN + timedelta(hours=1))
            for table_id, rows in loads.items()
            for n in (11, 21, 31)
        ],
        f"({LOAD})",
    )
    yield dataset
    client.delete_dataset(dataset, delete_contents=True)


@pytest.fixture
def whole(client, loaded, warehouse_environment):
    """Copy the tables of `loaded` to the dataset of the test."""
    for table_id in (*SCHEMAS, STATS):
        client.copy_table(f"{loaded}.{table_id}", f"local.stellar.{table_id}").result()
    note(client, Folded(LAST + 1, closed_at(LAST)))


def note(client, folded):
    """Record the fold mark of offers."""
    table = client.get_table("local.stellar.offers_versions")
    table.labels = {**table.labels, **folded.to_labels()}
    client.update_table(table, ["labels"])


def literal(value):
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.isoformat()}'"
    return f"'{value}'" if isinstance(value, str) else str(value)


@pytest.fixture
def do(make_context):
    make_context.xcoms[HEAD_TASK, "return_value"] = {"sequence": LAST + 2, "closed_at": closed_at(LAST + 2).isoformat()}

    def do(task, **params):
        task.deferrable = False
        context = make_context(task.task_id, params, run_id="a-look")
        task.pre_execute(context)
        result = task.execute(context)
        if result is not None:
            make_context.xcoms[task.task_id, "return_value"] = result
        return result

    return do


@pytest.fixture
def findings(do, make_context):
    """Return the findings of a check, except lags and the checked ledgers."""

    def findings(**params):
        task = build_coverage_check_task()
        do(task, **params)
        found = found_by(make_context(task.task_id), task.warehouse)
        wrong = [one for one in found if one.fault not in ("lag", "looked_at")]
        return sorted(wrong, key=lambda one: (one.data_type, one.fault, one.start_ledger))

    return findings


@pytest.fixture
def faults(findings):
    """Return the same findings without the dataset."""

    def faults(**params):
        return [(one.data_type, one.fault, one.start_ledger, one.end_ledger, one.count) for one in findings(**params)]

    return faults


def test_complete_history_has_no_fault_and_a_lag_per_table(whole, do, faults):
    assert faults() == []
    lags = [one for one in do(build_coverage_check_task())["findings"] if one["fault"] == "lag"]
    assert {one["data_type"] for one in lags} == {"ledgers", "operations", "effects", "contract_events", "offers"}
    assert {(one["start_ledger"], one["end_ledger"], one["count"], one["lag_seconds"]) for one in lags} == {
        (41, 42, 2, 10)
    }


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (
            "DELETE FROM history_ledgers WHERE sequence BETWEEN 15 AND 17",
            [("ledgers", "missing_ledgers", 15, 17, 3)],
        ),
        (
            "UPDATE history_ledgers SET previous_ledger_hash = 'x' WHERE sequence = 25",
            [("ledgers", "broken_link", 25, 25, 1)],
        ),
        (
            "DELETE FROM history_operations WHERE ledger_sequence IN (20, 21) OR id = 301",
            [("operations", "wrong_count", 20, 21, 2), ("operations", "wrong_count", 30, 30, 1)],
        ),
        (
            "DELETE FROM history_operations WHERE ledger_sequence = 40",  # the newest load: the batch stats have it
            [("operations", "wrong_count", 40, 40, 1)],
        ),
        (
            "INSERT INTO history_operations SELECT * FROM history_operations WHERE id = 330",
            [("operations", "duplicates", 33, 33, 1), ("operations", "wrong_count", 33, 33, 1)],
        ),
        (
            "UPDATE history_effects SET closed_at = TIMESTAMP '2026-01-01T00:02:00Z' WHERE id = '12-0'",
            [("effects", "wrong_time", 12, 12, 1)],
        ),
        ("DELETE FROM history_effects WHERE id = '22-0'", [("effects", "lost_rows", 21, 30, 10)]),
        (
            "DELETE FROM history_archives_dag_runs WHERE table_id = 'history_effects' AND start_ledger = 21",
            [("effects", "not_loaded", 21, 30, 10)],
        ),
        (
            "DELETE FROM history_archives_dag_runs WHERE table_id = 'history_effects' AND start_ledger = 31",
            [],  # not loaded yet: that is a lag
        ),
        (
            "UPDATE offers_versions SET ledger_sequence = 39 WHERE ledger_sequence = 40",
            [("offers", "state_behind", 39, 40, 2)],
        ),
        (
            "UPDATE offers_versions SET valid_to_ledger = 31 WHERE ledger_sequence = 20",
            [("offers", "state_behind", 20, 20, 1)],
        ),
        ("DELETE FROM offers_versions WHERE valid_to_ledger > 40", [("offers", "state_behind", 40, 40, 1)]),
        ("DELETE FROM offers_versions WHERE TRUE", [("offers", "state_behind", 20, 40, 3)]),
        (
            "UPDATE history_contract_events SET event_index = 0 WHERE ledger_sequence IN (15, 16) AND event_index = 1",
            [("contract_events", "duplicates", 15, 16, 2)],
        ),
        (
            "UPDATE history_contract_events SET event_index = NULL WHERE ledger_sequence IN (15, 25)",
            [("contract_events", "unidentified", 15, 25, 6)],
        ),
    ],
)
def test_each_planted_fault_is_the_only_finding(client, whole, faults, fault, found):
    config = bq.QueryJobConfig(default_dataset="local.stellar")
    client.query(fault, config).result()
    assert faults() == found


@pytest.mark.slow
def test_old_ledgers_that_are_not_folded_are_reported(client, whole, faults, do):
    note(client, replace(Folded(LAST + 1, closed_at(LAST)), dirty_ledger=12, dirty_time=closed_at(12)))
    assert faults() == [("offers", "dirty", 12, LAST, LAST - 11)]
    do(build_report_task())
    note(client, Folded(LAST + 1, closed_at(LAST)))
    assert faults() == []


@pytest.mark.slow
def test_a_range_that_was_reloaded_in_other_chunks_is_no_fault(counted, load, faults):
    load("history_effects", 15, 24, 10, LATER, rows_per_ledger=",".join("1" * 10))
    assert faults() == []


EDGE = 1 << BLOCK_BITS


@pytest.mark.slow
def test_a_finding_across_the_end_of_a_block_is_one(client, whole, faults):
    """The check sorts ledgers block by block, and expands loads of a million ledgers in parts."""
    ledgers = range(EDGE - 2, EDGE + 2)
    headers = [(n, f"h{n}", f"h{n - 1}", closed_at(n), 1, 0, OPERATIONS_A_LEDGER) for n in ledgers]
    loads = [
        (table_id, 41, EDGE + 1, 0, closed_at(41), closed_at(EDGE + 1), BEGIN)
        for table_id in ("history_operations", "history_effects")
    ]
    for table_id, rows in {"history_ledgers": headers, f"{STATS} ({LOAD})": loads}.items():
        values = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows)
        client.query(f"INSERT INTO local.stellar.{table_id} VALUES {values}").result()
    times = {"start_time": closed_at(0).isoformat(), "end_time": closed_at(EDGE + 10).isoformat()}
    assert faults(**times) == [
        ("ledgers", "missing_ledgers", 41, EDGE - 3, EDGE - 43),
        ("operations", "wrong_count", EDGE - 2, EDGE + 1, 4),
    ]


def test_findings_are_joined_only_at_the_end_of_a_block():
    def of(fault, *ranges):
        return [Finding("effects", fault, start, end, end - start + 1) for start, end in ranges]

    assert whole_findings(of(Fault.WRONG_COUNT, (5, EDGE - 1), (EDGE, 2 * EDGE - 1), (2 * EDGE, 2 * EDGE + 4))) == of(
        Fault.WRONG_COUNT, (5, 2 * EDGE + 4)
    )
    apart = of(Fault.WRONG_COUNT, (5, EDGE - 2), (EDGE, EDGE + 1), (EDGE + 3, EDGE + 4))
    for findings in (apart, of(Fault.MISSING, (5, EDGE - 1), (EDGE, EDGE + 9))):
        assert whole_findings(findings) == findings


@pytest.mark.slow
def test_a_check_of_a_window_covers_that_window_only(client, whole, faults):
    client.query("DELETE FROM local.stellar.history_operations WHERE ledger_sequence IN (15, 25, 35)").result()
    found = [("operations", "wrong_count", 25, 25, 1)]
    assert faults(start_ledger=21, end_ledger=30) == found
    times = {"start_time": closed_at(21).isoformat(), "end_time": closed_at(31).isoformat()}
    assert faults(**times) == found
    with pytest.raises(AirflowFailException, match="none of ledgers 900 to 901 are loaded"):
        faults(start_ledger=900, end_ledger=901)


@pytest.mark.slow
def test_coverage_days_sets_how_far_back_a_check_goes(client, whole, faults, warehouse_environment):
    """The days count back from the newest ledger, which the test moves some days ahead."""
    client.query("DELETE FROM local.stellar.history_operations WHERE ledger_sequence = 15").result()
    client.query(
        "UPDATE local.stellar.history_archives_dag_runs SET last_closed_at = TIMESTAMP '2026-01-05T00:00:00Z' "
        "WHERE table_id = 'history_ledgers' AND start_ledger = 31"
    ).result()
    warehouse_environment(coverage_days=3)
    assert faults() == []
    warehouse_environment(coverage_days=5)
    assert len(faults()) == 1
    warehouse_environment(coverage_days=0)
    assert len(faults()) == 1


def test_a_repeated_task_records_findings_once(client, whole, do, sql):
    client.query("DELETE FROM local.stellar.history_operations WHERE ledger_sequence = 15").result()
    do(build_coverage_check_task())
    for _ in range(2):
        do(build_record_task())
    columns = "table_id, fault, start_ledger, end_ledger, found, lag_seconds"
    found = sql(f"SELECT {columns} FROM local.stellar.ledger_coverage WHERE run_id = 'a-look' ORDER BY 2, 1")
    rows = [row for row in found if row[1] != "looked_at"]
    assert {row[:2] for row in found if row not in rows} == {(row[0], "looked_at") for row in rows}
    assert rows[-1] == ("history_operations", "wrong_count", 15, 15, 1, None)
    assert [row[0] for row in rows[:-1]] == [
        "history_contract_events",
        "history_effects",
        "history_ledgers",
        "history_operations",
        "offers",
    ]
    assert {row[1:] for row in rows[:-1]} == {("lag", 41, 42, 2, 10)}


def test_a_fault_fails_the_check_unless_it_is_healed(client, whole, do):
    do(build_coverage_check_task())
    do(build_report_task())
    client.query("DELETE FROM local.stellar.history_operations WHERE ledger_sequence = 15").result()
    do(build_coverage_check_task())
    with pytest.raises(
        AirflowFailException, match="history_operations, ledgers 15 to 15: 1 ledgers have fewer or more"
    ):
        do(build_report_task())
    do(build_report_task(), auto_heal=True)


def test_a_table_of_an_older_release_has_no_identity_to_check(client, whole, faults):
    client.delete_table("local.stellar.history_contract_events")
    columns = SCHEMAS["history_contract_events"].replace("event_index INT64, ", "")
    fields = [bq.SchemaField(*column.split()) for column in columns.split(", ")]
    client.create_table(bq.Table("local.stellar.history_contract_events", schema=fields))
    assert faults() == [("contract_events", "lost_rows", first, first + 9, 10) for first in (11, 21, 31)]


def test_rows_without_an_identity_are_counted_and_fail_nothing(client, whole, do, sql):
    client.query("UPDATE local.stellar.history_contract_events SET event_index = NULL WHERE TRUE").result()
    do(build_coverage_check_task())
    do(build_record_task())
    do(build_report_task())
    columns = "table_id, start_ledger, end_ledger, found"
    rows = sql(f"SELECT {columns} FROM local.stellar.ledger_coverage WHERE fault = 'unidentified'")
    assert rows == [("history_contract_events", 11, LAST, 30 * EVENTS_A_LEDGER)]
    assert do(build_plan_healing_task(), auto_heal=True) == {"loads": [], "derived": [], "rebuilds": [], "folds": []}


def test_a_table_too_far_behind_fails_the_check(whole, do, make_context, warehouse_environment):
    """It fails with healing too, because healing does not load new ledgers."""
    make_context.xcoms[HEAD_TASK, "return_value"] = {"sequence": 400, "closed_at": closed_at(400).isoformat()}
    do(build_coverage_check_task())
    do(build_report_task())
    warehouse_environment(coverage_alert_lag=1799)
    with pytest.raises(AirflowFailException, match=r"ledgers 41 to 400: 360 ledgers .* not in this table yet, 1800 s"):
        do(build_report_task(), auto_heal=True)
    warehouse_environment(coverage_alert_lag=0)
    do(build_report_task())


def test_findings_are_healed_if_the_variable_or_the_run_requests_it(
    client, whole, do, make_context, warehouse_environment
):
    client.query("DELETE FROM local.stellar.history_operations WHERE ledger_sequence = 15").result()
    client.query("DELETE FROM local.stellar.offers_versions WHERE TRUE").result()
    do(build_coverage_check_task())

    def planned(**params):
        plan = do(build_plan_healing_task(), **params)
        return [plan[key] for key in ("loads", "rebuilds", "derived")]

    assert planned() == [[], [], []]
    warehouse_environment(coverage_auto_heal=True)
    assert planned(auto_heal=False) == [[], [], []]
    conf = {"start_ledger": 15, "end_ledger": 15}
    assert planned() == [
        [
            {
                "trigger_dag_id": "history_archive_with_captive_core",
                "trigger_run_id": "heal__a-look__15-15",
                "conf": conf,
            }
        ],
        [{"trigger_dag_id": "state_rebuild", "trigger_run_id": "heal__a-look__offers", "conf": {"table": "offers"}}],
        [],
    ]


# Loads with row counts by ledger -----------------------------------------------------------------------------------


@pytest.fixture
def counted(client, whole):
    """Return `whole` with loads that record the number of rows per ledger."""
    for table_id, rows in (("history_effects", "1,1,1,1,1,1,1,1,1,1"), ("offers", "0,0,0,0,0,0,0,0,0,1")):
        update = f"UPDATE local.stellar.{STATS} SET rows_per_ledger = '{rows}' WHERE table_id = '{table_id}'"
        client.query(update).result()


@pytest.fixture
def load(client):
    """Record a load."""

    def load(table_id, start, end, rows, published_at, **columns):
        names = ", ".join([LOAD, *columns])
        row = (table_id, start, end, rows, closed_at(start), closed_at(end), published_at, *columns.values())
        values = ", ".join(map(literal, row))
        client.query(f"INSERT INTO local.stellar.{STATS} ({names}) VALUES ({values})").result()

    return load


LATER = BEGIN + timedelta(days=1)


@pytest.mark.slow
def test_lost_rows_are_found_after_any_later_reload(client, counted, load, faults):
    assert faults() == []
    load("history_effects", 18, 25, 8, LATER, rows_per_ledger="1,1,1,1,1,1,1,1")
    assert faults() == []
    client.query("DELETE FROM local.stellar.history_effects WHERE ledger_sequence IN (14, 15, 16, 24, 28)").result()
    lost = [("effects", "lost_rows", *one) for one in ((14, 16, 3), (24, 24, 1), (28, 28, 1))]
    assert faults() == lost
    load("history_effects", 14, 16, 0, LATER + timedelta(hours=1), rows_per_ledger="0,0,0")  # a repair may record this
    assert faults() == lost[1:]


@pytest.mark.slow
def test_a_ledger_must_have_the_rows_of_the_newest_export_attempt(client, counted, load, faults):
    load("history_effects", 14, 15, 4, LATER, exported_at=LATER, rows_per_ledger="2,2")
    assert faults() == [("effects", "lost_rows", 14, 15, 2)]
    earlier = LATER - timedelta(hours=1)
    load("history_effects", 15, 15, 1, LATER + timedelta(hours=1), exported_at=earlier, rows_per_ledger="1")
    assert faults() == [("effects", "lost_rows", 14, 15, 2)]


@pytest.mark.slow
def test_partly_reloaded_rows_of_an_older_release_are_named(client, whole, load, faults):
    load("history_effects", 18, 25, 8, LATER, rows_per_ledger="1,1,1,1,1,1,1,1")
    assert faults() == [("effects", "uncounted", 11, 17, 7), ("effects", "uncounted", 26, 30, 5)]


@pytest.mark.slow
def test_rows_omitted_from_an_export_are_no_fault(client, whole, load, faults, do):
    client.query("DELETE FROM local.stellar.history_operations WHERE ledger_sequence = 15 OR id = 161").result()
    missing = [("operations", "wrong_count", 15, 16, 2)]
    assert faults() == missing
    load("history_operations", 15, 16, 1, LATER, rows_per_ledger="0,1", left_out="15,15,16")
    assert faults() == []
    client.query("DELETE FROM local.stellar.history_operations WHERE id = 160").result()
    assert faults() == [("operations", "wrong_count", 16, 16, 1)]
    load("history_operations", 16, 16, 2, LATER + timedelta(hours=1), rows_per_ledger="2")
    assert faults() == [("operations", "wrong_count", 16, 16, 1)]


@pytest.mark.slow
def test_without_the_header_the_load_has_the_number_of_rows(client, whole, load, faults):
    load("history_operations", 15, 16, 4, LATER, rows_per_ledger="2,2")
    client.query("DELETE FROM local.stellar.history_ledgers WHERE sequence = 15").result()
    assert faults() == [("ledgers", "missing_ledgers", 15, 15, 1)]
    client.query("DELETE FROM local.stellar.history_operations WHERE ledger_sequence = 15").result()
    assert faults() == [("ledgers", "missing_ledgers", 15, 15, 1), ("operations", "lost_rows", 15, 15, 1)]


# All history -------------------------------------------------------------------------------------------------------


def days_on(client, days):
    """Move the newest ledger's close time ahead in the batch stats."""
    moment = literal(closed_at(LAST) + timedelta(days=days))
    where = "table_id = 'history_ledgers' AND start_ledger = 31"
    client.query(f"UPDATE local.stellar.{STATS} SET last_closed_at = {moment} WHERE {where}").result()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "end"),
    [(22, 28), (11, 25), (38, 40), (11, 12)],
)
def test_missing_ledgers_at_an_end_of_the_window_are_found_completely(client, whole, faults, start, end):
    client.query(f"DELETE FROM local.stellar.history_ledgers WHERE sequence BETWEEN {start} AND {end}").result()
    found = ("ledgers", "missing_ledgers", start, end, end - start + 1)
    for first, last in ((start, end), (start + 1, end), (start, end - 1), (start - 3, start), (end, end + 3)):
        times = {"start_time": closed_at(first).isoformat(), "end_time": closed_at(last + 1).isoformat()}
        assert found in faults(**times), (first, last)
    assert faults() == [found]


def test_ledgers_that_were_never_loaded_are_found_in_all_history(client, whole, faults, warehouse_environment):
    """They are far before the rows of the window."""
    warehouse_environment(coverage_days=1)
    days_on(client, 30)
    assert faults() == []
    where = "start_ledger = 21 AND table_id IN ('history_ledgers', 'history_effects')"
    client.query(f"DELETE FROM local.stellar.{STATS} WHERE {where}").result()
    client.query("DELETE FROM local.stellar.history_ledgers WHERE sequence BETWEEN 21 AND 30").result()
    assert faults() == [("effects", "not_loaded", 21, 30, 10), ("ledgers", "missing_ledgers", 21, 30, 10)]


def test_a_table_that_starts_later_than_the_table_of_ledgers_has_a_gap(client, whole, faults):
    client.query(f"DELETE FROM local.stellar.{STATS} WHERE table_id = 'offers' AND start_ledger < 31").result()
    assert faults() == [("offers", "not_loaded", 11, 30, 20)]


@pytest.mark.slow
def test_every_target_is_checked(client, counted, findings, warehouse_environment):
    client.delete_dataset("mirror", delete_contents=True, not_found_ok=True)
    client.create_dataset("mirror")
    for table_id in SCHEMAS:
        client.copy_table(f"local.stellar.{table_id}", f"local.mirror.{table_id}").result()
    warehouse_environment(public_project="local", public_dataset="mirror")
    assert findings() == []
    for planted in (
        "DELETE FROM local.mirror.history_ledgers WHERE sequence BETWEEN 15 AND 17",
        "DELETE FROM local.mirror.history_operations WHERE ledger_sequence = 20",
        "DELETE FROM local.mirror.history_effects WHERE ledger_sequence = 25",
        "UPDATE local.mirror.history_contract_events SET event_index = 0 WHERE ledger_sequence = 15",
    ):
        client.query(planted).result()
    client.delete_table("local.mirror.offers")
    found = findings()
    assert {one.dataset for one in found} == {"local.mirror"}
    assert [(one.data_type, one.fault, one.start_ledger, one.end_ledger) for one in found] == [
        ("contract_events", "duplicates", 15, 15),
        ("effects", "lost_rows", 25, 25),
        ("ledgers", "missing_ledgers", 15, 17),
        ("offers", "lost_rows", 11, 40),
        ("operations", "wrong_count", 20, 20),
    ]
    assert found[1].text.startswith("local.mirror.history_effects, ledgers 25 to 25: 1 ledgers have")
    client.delete_dataset("mirror", delete_contents=True)


def test_a_deleted_published_table_is_found(client, whole, faults):
    client.delete_table("local.stellar.history_effects")
    assert faults() == [("effects", "lost_rows", 11, 40, 30)]


@pytest.mark.slow
def test_all_findings_are_recorded_and_a_message_lists_the_first(client, whole, do, sql):
    """Every second ledger is missing: the task's result stays small, and the records need several statements."""
    gaps = 2 * MOST_RECORDED + 10
    rows = f"UNNEST(GENERATE_ARRAY(42, {42 + 2 * (gaps - 1)}, 2)) AS n"
    client.query(
        "INSERT INTO local.stellar.history_ledgers (sequence, ledger_hash, previous_ledger_hash, closed_at) "
        f"SELECT n, 'h', 'h', TIMESTAMP_ADD({literal(BEGIN)}, INTERVAL 5 * n SECOND) FROM {rows}"
    ).result()
    result = do(build_coverage_check_task())
    assert len(json.dumps(result)) < 4000
    for _ in range(2):
        do(build_record_task())
    written = "SELECT COUNT(*), COUNT(DISTINCT start_ledger) FROM local.stellar.ledger_coverage WHERE fault = '{}'"
    assert sql(written.format("missing_ledgers")) == [(gaps, gaps)]
    with pytest.raises(AirflowFailException, match=f"(?s)^{gaps} findings.*and {gaps - 100} more in"):
        do(build_report_task())
    plan = do(build_plan_healing_task(), auto_heal=True)
    assert len(plan["loads"]) == MOST_RUNS
    assert plan["loads"][0]["conf"] == {"start_ledger": 41, "end_ledger": 41}


def test_findings_without_their_results_name_the_task_to_clear(whole, do, make_context):
    result = do(build_coverage_check_task())
    result["looks"][0][-1] += "_gone"
    make_context.xcoms["look", "return_value"] = result
    for build in (build_record_task, build_report_task, build_plan_healing_task):
        with pytest.raises(AirflowFailException, match="clear the task 'look' with its downstream tasks"):
            do(build(), auto_heal=True)


def test_runs_of_the_oldest_ledgers_come_first():
    data_types = ("operations", ENRICHED_OPERATIONS.data_type)
    findings = [found(one, Fault.WRONG_COUNT, 10 * n, 10 * n) for n in range(MOST_RUNS + 7) for one in data_types]
    plan = healing(findings[::-1])
    assert len(plan.loads) == len(plan.derived) == MOST_RUNS
    assert plan.rest == 14
    assert max(one.end for _, one in (*plan.loads, *plan.derived)) == 10 * (MOST_RUNS - 1)


# Rules -------------------------------------------------------------------------------------------------------------


def found(data_type, fault, start, end):
    return Finding(data_type, fault, start, end, 1)


def test_only_ledgers_with_findings_are_loaded_or_derived_again():
    plan = healing(
        [
            found("effects", Fault.LOST_ROWS, 10, 19),
            found("operations", Fault.WRONG_COUNT, 15, 25),
            found("ledgers", Fault.MISSING, 40, 6000),
            found("trades", Fault.LAG, 7000, 8000),
            found(ENRICHED_OPERATIONS.data_type, Fault.DUPLICATES, 30, 30),
        ]
    )
    assert plan.loads == (
        ("history_archive_with_captive_core", LedgerRange(10, 25)),
        ("history_archive_without_captive_core", LedgerRange(40, 5039)),
        ("history_archive_without_captive_core", LedgerRange(5040, 6000)),
    )
    assert plan.derived == ((ENRICHED_OPERATIONS.dag_id, LedgerRange(30, 30)),)


RANGES = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 15)).map(lambda p: LedgerRange(p[0], p[0] + p[1])))


def ledgers(ranges):
    return {ledger for one in ranges for ledger in range(one.start, one.end + 1)}


@given(RANGES, st.integers(1, 9))
def test_joining_cutting_and_subtracting_ranges_loses_no_ledger(ranges, size):
    whole = joined(ranges)
    assert ledgers(whole) == ledgers(ranges)
    assert all(before.end + 1 < after.start for before, after in pairwise(whole))
    cut = chunks(whole, size)
    assert sum(one.end - one.start + 1 for one in cut) == len(ledgers(ranges))
    assert all(one.end - one.start < size for one in cut)
    wanted = LedgerRange(5, 40)
    assert ledgers(without(wanted, ranges)) == ledgers([wanted]) - ledgers(ranges)


A, B = "history_archive_with_captive_core", "history_archive_without_captive_core"


def test_a_backfill_loads_the_oldest_missing_ledgers_first():
    found = backfill_round(LedgerRange(1, 100), {A: [LedgerRange(1, 30)], B: [LedgerRange(50, 100)]}, 20, 3)
    assert found.loads == ((B, LedgerRange(1, 20)), (B, LedgerRange(21, 40)), (A, LedgerRange(31, 50)))
    assert found.rest == 9 + 50
    assert backfill_round(LedgerRange(1, 30), {A: [LedgerRange(1, 90)]}, 20, 3) == Round()


@given(RANGES, RANGES, st.integers(1, 30), st.integers(1, 4))
def test_a_backfill_loads_every_ledger_exactly_once(one, other, chunk, parallel):
    wanted, loaded = LedgerRange(5, 60), {A: list(one), B: list(other)}
    while (found := backfill_round(wanted, loaded, chunk, parallel)).loads:
        for dag_id, load in found.loads:
            assert not ledgers([load]) & ledgers(loaded[dag_id])
            loaded[dag_id].append(load)
    assert found.rest == 0
    assert ledgers([wanted]) <= ledgers(loaded[A]) & ledgers(loaded[B])
