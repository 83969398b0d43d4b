"""Looks over loaded history find each planted fault, and say what mends it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import google.cloud.bigquery as bq
import pytest
from airflow.sdk.exceptions import AirflowFailException
from hypothesis import given
from hypothesis import strategies as st

from stellar_etl_airflow.model.coverage import BLOCK_BITS, Fault, Finding, Round, backfill_round, healing
from stellar_etl_airflow.model.coverage import whole as whole_findings
from stellar_etl_airflow.model.ranges import LedgerRange, chunks, held_by_all, joined, without
from stellar_etl_airflow.model.tables import ENRICHED_OPERATIONS
from stellar_etl_airflow.tasks.build_coverage_tasks import (
    HEAD_TASK,
    build_look_task,
    build_plan_healing_task,
    build_record_task,
    build_report_task,
)
from tests.local import emulators

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
    "offers_state": "offer_id INT64, ledger_sequence INT64, deleted BOOL, closed_at TIMESTAMP",
    "history_archives_dag_runs": "table_id STRING, start_ledger INT64, end_ledger INT64, row_count INT64, "
    "first_closed_at TIMESTAMP, last_closed_at TIMESTAMP, published_at TIMESTAMP",
}


@pytest.fixture
def sql(client):
    def sql(text):
        return [tuple(row.values()) for row in client.query(text).result()]

    return sql


@pytest.fixture(scope="module")
def loaded(warehouse_server):
    """Ledgers 11 to 40, two operations and an effect each, an offer that changes with every tenth; loaded by tens.

    Made once, in a dataset of their own: six statements of many rows take seconds. Gives the dataset.
    """
    dataset = "local.loaded"
    client = emulators.bigquery_client(warehouse_server[0])
    client.create_dataset(dataset)
    for table_id, columns in SCHEMAS.items():
        fields = [bq.SchemaField(*column.split()) for column in columns.split(", ")]
        client.create_table(bq.Table(f"{dataset}.{table_id}", schema=fields))

    def insert(table_id, rows):
        values = ", ".join("(" + ", ".join(map(spelt, row)) + ")" for row in rows)
        client.query(f"INSERT INTO {dataset}.{table_id} VALUES {values}").result()

    ledgers = range(11, LAST + 1)
    insert("history_ledgers", [(n, f"h{n}", f"h{n - 1}", closed_at(n), 1, 0, OPERATIONS_A_LEDGER) for n in ledgers])
    insert("history_operations", [(n * 10 + i, n, closed_at(n)) for n in ledgers for i in range(OPERATIONS_A_LEDGER)])
    insert("history_effects", [(f"{n}-0", n, closed_at(n)) for n in ledgers])
    insert("history_contract_events", [(n, i, n, closed_at(n)) for n in ledgers for i in range(EVENTS_A_LEDGER)])
    insert("offers", [(1, n, False, closed_at(n)) for n in (20, 30, 40)])
    insert("offers_state", [(1, 40, False, closed_at(40))])
    loads = {
        "history_ledgers": 10,
        "history_operations": 20,
        "history_effects": 10,
        "history_contract_events": 30,
        "offers": 1,
    }
    insert(
        "history_archives_dag_runs",
        [
            (table_id, n, n + 9, rows, closed_at(n), closed_at(n + 9), BEGIN + timedelta(hours=1))
            for table_id, rows in loads.items()
            for n in (11, 21, 31)
        ],
    )
    yield dataset
    client.delete_dataset(dataset, delete_contents=True)


@pytest.fixture
def whole(client, loaded, warehouse_environment):
    """The tables of `loaded`, copied to the dataset of the test."""
    for table_id in SCHEMAS:
        client.copy_table(f"{loaded}.{table_id}", f"local.stellar.{table_id}").result()


def spelt(value):
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
def faults(do):
    """What a look finds, but for lags."""

    def faults(**params):
        findings = do(build_look_task(), **params)["findings"]
        return sorted(
            (one["data_type"], one["fault"], one["start_ledger"], one["end_ledger"], one["count"])
            for one in findings
            if one["fault"] != "lag"
        )

    return faults


def test_whole_history_has_no_fault_and_each_table_its_lag(whole, do, faults):
    assert faults() == []
    lags = [one for one in do(build_look_task())["findings"] if one["fault"] == "lag"]
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
            "DELETE FROM history_operations WHERE ledger_sequence = 40",  # the newest: the batch stats know of it
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
            [],  # not there yet: that is a lag
        ),
        (
            "UPDATE offers_state SET ledger_sequence = 30 WHERE TRUE",
            [("offers", "state_behind", 40, 40, 1)],
        ),
        ("DELETE FROM offers_state WHERE TRUE", [("offers", "state_behind", 40, 40, 1)]),
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
def test_each_planted_fault_is_found_and_no_other(client, whole, faults, fault, found):
    config = bq.QueryJobConfig(default_dataset="local.stellar")
    client.query(fault, config).result()
    assert faults() == found


def test_a_range_that_was_loaded_again_in_other_chunks_is_no_fault(client, whole, faults):
    values = "'history_effects', 15, 24, 10, TIMESTAMP '{}', TIMESTAMP '{}', TIMESTAMP '{}'"
    values = values.format(closed_at(15).isoformat(), closed_at(24).isoformat(), "2026-01-02T00:00:00Z")
    client.query(f"INSERT INTO local.stellar.history_archives_dag_runs VALUES ({values})").result()
    assert faults() == []


EDGE = 1 << BLOCK_BITS


def test_a_finding_over_the_end_of_a_block_is_one(client, whole, faults):
    """Ledgers are sorted block by block; loads of a million ledgers are unfolded in parts."""
    ledgers = range(EDGE - 2, EDGE + 2)
    headers = [(n, f"h{n}", f"h{n - 1}", closed_at(n), 1, 0, OPERATIONS_A_LEDGER) for n in ledgers]
    loads = [
        (table_id, 41, EDGE + 1, 0, closed_at(41), closed_at(EDGE + 1), BEGIN)
        for table_id in ("history_operations", "history_effects")
    ]
    for table_id, rows in {"history_ledgers": headers, "history_archives_dag_runs": loads}.items():
        values = ", ".join("(" + ", ".join(map(spelt, row)) + ")" for row in rows)
        client.query(f"INSERT INTO local.stellar.{table_id} VALUES {values}").result()
    times = {"start_time": closed_at(0).isoformat(), "end_time": closed_at(EDGE + 10).isoformat()}
    assert faults(**times) == [
        ("ledgers", "missing_ledgers", 41, EDGE - 3, EDGE - 43),
        ("operations", "wrong_count", EDGE - 2, EDGE + 1, 4),
    ]


def test_findings_are_joined_at_the_end_of_a_block_and_nowhere_else():
    def of(fault, *ranges):
        return [Finding("effects", fault, start, end, end - start + 1) for start, end in ranges]

    assert whole_findings(of(Fault.WRONG_COUNT, (5, EDGE - 1), (EDGE, 2 * EDGE - 1), (2 * EDGE, 2 * EDGE + 4))) == of(
        Fault.WRONG_COUNT, (5, 2 * EDGE + 4)
    )
    apart = of(Fault.WRONG_COUNT, (5, EDGE - 2), (EDGE, EDGE + 1), (EDGE + 3, EDGE + 4))
    for findings in (apart, of(Fault.LOST_ROWS, (5, EDGE - 1), (EDGE, EDGE + 9))):
        assert whole_findings(findings) == findings


def test_a_look_at_a_window_sees_no_more(client, whole, faults):
    client.query("DELETE FROM local.stellar.history_operations WHERE ledger_sequence IN (15, 25, 35)").result()
    found = [("operations", "wrong_count", 25, 25, 1)]
    assert faults(start_ledger=21, end_ledger=30) == found
    times = {"start_time": closed_at(21).isoformat(), "end_time": closed_at(31).isoformat()}
    assert faults(**times) == found
    with pytest.raises(AirflowFailException, match="900 to 901 none is loaded"):
        faults(start_ledger=900, end_ledger=901)


def test_coverage_days_say_how_far_back_a_look_goes(client, whole, faults, warehouse_environment):
    """Seen from the newest ledger, which here is moved some days on."""
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


def test_findings_are_written_down_once_however_often_the_task_runs(client, whole, do, sql):
    client.query("DELETE FROM local.stellar.history_operations WHERE ledger_sequence = 15").result()
    do(build_look_task())
    for _ in range(2):
        do(build_record_task())
    columns = "table_id, fault, start_ledger, end_ledger, found, lag_seconds"
    rows = sql(f"SELECT {columns} FROM local.stellar.ledger_coverage WHERE run_id = 'a-look' ORDER BY 2, 1")
    assert rows[-1] == ("history_operations", "wrong_count", 15, 15, 1, None)
    assert [row[0] for row in rows[:-1]] == [
        "history_contract_events",
        "history_effects",
        "history_ledgers",
        "history_operations",
        "offers",
    ]
    assert {row[1:] for row in rows[:-1]} == {("lag", 41, 42, 2, 10)}


def test_a_fault_fails_the_look_unless_it_is_healed(client, whole, do):
    do(build_look_task())
    do(build_report_task())
    client.query("DELETE FROM local.stellar.history_operations WHERE ledger_sequence = 15").result()
    do(build_look_task())
    with pytest.raises(
        AirflowFailException, match="history_operations, ledgers 15 to 15: 1 ledgers have fewer or more"
    ):
        do(build_report_task())
    do(build_report_task(), auto_heal=True)


def test_a_table_of_an_older_release_has_no_identity_to_look_at(client, whole, faults):
    client.delete_table("local.stellar.history_contract_events")
    columns = SCHEMAS["history_contract_events"].replace("event_index INT64, ", "")
    fields = [bq.SchemaField(*column.split()) for column in columns.split(", ")]
    client.create_table(bq.Table("local.stellar.history_contract_events", schema=fields))
    assert faults() == [("contract_events", "lost_rows", first, first + 9, 10) for first in (11, 21, 31)]


def test_rows_without_an_identity_are_counted_and_fail_nothing(client, whole, do, sql):
    client.query("UPDATE local.stellar.history_contract_events SET event_index = NULL WHERE TRUE").result()
    do(build_look_task())
    do(build_record_task())
    do(build_report_task())
    columns = "table_id, start_ledger, end_ledger, found"
    rows = sql(f"SELECT {columns} FROM local.stellar.ledger_coverage WHERE fault = 'unidentified'")
    assert rows == [("history_contract_events", 11, LAST, 30 * EVENTS_A_LEDGER)]
    assert do(build_plan_healing_task(), auto_heal=True) == {"loads": [], "derived": [], "rebuilds": []}


def test_a_table_that_is_too_far_behind_fails_the_look(whole, do, make_context, warehouse_environment):
    """Even if what is wrong is healed: nobody loads what the schedule doesn't."""
    make_context.xcoms[HEAD_TASK, "return_value"] = {"sequence": 400, "closed_at": closed_at(400).isoformat()}
    do(build_look_task())
    do(build_report_task())
    warehouse_environment(coverage_alert_lag=1799)
    with pytest.raises(AirflowFailException, match=r"ledgers 41 to 400: 360 ledgers .* not in this table yet, 1800 s"):
        do(build_report_task(), auto_heal=True)
    warehouse_environment(coverage_alert_lag=0)
    do(build_report_task())


def test_findings_are_healed_if_the_variable_or_the_run_says_so(client, whole, do, make_context, warehouse_environment):
    client.query("DELETE FROM local.stellar.history_operations WHERE ledger_sequence = 15").result()
    client.query("DELETE FROM local.stellar.offers_state WHERE TRUE").result()
    do(build_look_task())

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
        [{"trigger_dag_id": "enriched_history_operations", "trigger_run_id": "heal__a-look__15-15", "conf": conf}],
    ]


# Rules -------------------------------------------------------------------------------------------------------------


def found(data_type, fault, start, end):
    return Finding(data_type, fault, start, end, 1)


def test_exactly_what_is_wrong_is_loaded_again_and_what_is_made_of_it():
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
    assert [one for _, one in plan.derived] == [
        LedgerRange(15, 25),
        LedgerRange(30, 30),
        LedgerRange(40, 5039),
        LedgerRange(5040, 6000),
    ]


RANGES = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 15)).map(lambda p: LedgerRange(p[0], p[0] + p[1])))


def ledgers(ranges):
    return {ledger for one in ranges for ledger in range(one.start, one.end + 1)}


@given(RANGES, st.integers(1, 9))
def test_ranges_are_joined_cut_and_taken_away_without_losing_a_ledger(ranges, size):
    whole = joined(ranges)
    assert ledgers(whole) == ledgers(ranges)
    assert all(before.end + 1 < after.start for before, after in pairwise(whole))
    cut = chunks(whole, size)
    assert sum(one.end - one.start + 1 for one in cut) == len(ledgers(ranges))
    assert all(one.end - one.start < size for one in cut)
    wanted = LedgerRange(5, 40)
    assert ledgers(without(wanted, ranges)) == ledgers([wanted]) - ledgers(ranges)


A, B = "history_archive_with_captive_core", "history_archive_without_captive_core"


def test_a_backfill_loads_what_is_missing_oldest_first_and_derives_what_is_then_whole():
    found = backfill_round(LedgerRange(1, 100), {A: [LedgerRange(1, 30)], B: [LedgerRange(50, 100)]}, 20, 3)
    assert found.loads == ((B, LedgerRange(1, 20)), (B, LedgerRange(21, 40)), (A, LedgerRange(31, 50)))
    assert found.derived == (LedgerRange(1, 40), LedgerRange(50, 50))
    assert found.rest == 9 + 50
    assert backfill_round(LedgerRange(1, 30), {A: [LedgerRange(1, 90)]}, 20, 3) == Round()


@given(RANGES, RANGES, st.integers(1, 30), st.integers(1, 4))
def test_rounds_of_a_backfill_end_with_every_ledger_loaded_once_and_derived(one, other, chunk, parallel):
    wanted, held, derived = LedgerRange(5, 60), {A: list(one), B: list(other)}, []
    while (found := backfill_round(wanted, held, chunk, parallel)).loads:
        for dag_id, load in found.loads:
            assert not ledgers([load]) & ledgers(held[dag_id])
            held[dag_id].append(load)
        derived += found.derived
        both = ledgers(held_by_all([held[A], held[B]]))
        assert ledgers(found.derived) <= both
    assert found.rest == 0
    assert ledgers([wanted]) <= ledgers(held[A]) & ledgers(held[B])
    assert ledgers([wanted]) - (ledgers(one) & ledgers(other)) <= ledgers(derived)
