"""Checks on staged rows: each check finds its faults on the laptop's warehouse, and its query shows them."""

from __future__ import annotations

import json

import google.cloud.bigquery as bq
import pytest
from airflow.sdk.exceptions import AirflowFailException

from stellar_etl_airflow.bigquery.jobs import query_job
from stellar_etl_airflow.model.batch import Batch, ExportAttempt, ExportedFile
from stellar_etl_airflow.model.checks import Check, Condition, Kind, Metric, accepted
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import LEDGERS, OPERATIONS, PUBLISHED, Table
from stellar_etl_airflow.operators.runtime import VERIFY_TASK
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.checks import check as check_variables
from stellar_etl_airflow.settings.parsing import load
from stellar_etl_airflow.settings.warehouse import CheckSettings
from stellar_etl_airflow.sql.checks import CheckError, Loaded, check_staging, column_rules, own_rules, shown
from stellar_etl_airflow.sql.statement import range_parameters, table_name
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task
from tests.shared import REPO

EVENTS = Table("events", "events", keys=("ledger_sequence", "name"))
TRADES = Table("trades", "trades", keys=("op", "n"), ledger_column="op", ledger_shift=32)
RANGE = range_parameters(10, 19, "2026-01-01T00:00:50Z", "2026-01-01T00:01:35Z")


@pytest.fixture
def make(client):
    """Create a table with a few columns and rows; return its quoted name."""

    def make(table_id, columns, values):
        client.delete_table(f"local.stellar.{table_id}", not_found_ok=True)
        client.create_table(bq.Table(f"local.stellar.{table_id}", schema=[bq.SchemaField(*c) for c in columns.items()]))
        name = table_name("local", "stellar", table_id)
        if values:
            client.query(f"INSERT INTO {name} VALUES {', '.join(f'({value})' for value in values)}").result()
        return name

    return make


@pytest.fixture
def counted(client):
    """Return the number of faults per rule, each with the rows of the query that shows them."""

    def counted(staging, rules):
        statement = check_staging(staging, rules, RANGE)
        configuration = query_job("test", statement, 1 << 40).configuration
        (row,) = client.query(statement.sql, bq.QueryJobConfig.from_api_repr(configuration)).result()
        for rule in rules:
            found = list(client.query(shown(rule, RANGE)).result())
            assert bool(found) or not row[rule.name], f"{rule.name}: count and shown rows differ"
        return {name: value for name, value in row.items() if value and name != "row_count"}

    return counted


EVENT = {"ledger_sequence": "INTEGER", "name": "STRING", "closed_at": "TIMESTAMP"}


def at(ledger):
    minute, second = divmod(ledger * 5, 60)
    return f"TIMESTAMP '2026-01-01 00:{minute:02}:{second:02}+00'"


def event(ledger, name="x"):
    return f"{ledger}, '{name}', {at(ledger)}"


def test_keys_ranges_and_times_are_checked(make, counted):
    staging = make(
        "events_staging",
        EVENT,
        [
            *[event(10)] * 3,  # repeats a key, twice
            event(20),  # ledger and time of another batch
            "NULL, 'x', TIMESTAMP '2026-01-01 00:01:00+00'",  # no key, no ledger
            "12, 'x', NULL",  # no time
        ],
    )
    assert counted(staging, own_rules(EVENTS, staging, Loaded(make("events", EVENT, []), EVENTS.table_id))) == {
        "keys_missing": 1,
        "keys_repeated": 2,
        "ledger_outside_range": 2,
        "closed_at_outside_range": 2,
    }


@pytest.mark.parametrize("rows", [[], [event(10), event(19), event(19, "y")]])
def test_valid_rows_and_empty_tables_pass(make, counted, rows):
    staging = make("events_staging", EVENT, rows)
    assert counted(staging, own_rules(EVENTS, staging, Loaded(staging, EVENTS.table_id))) == {}


def test_allowed_duplicates_are_no_fault(make, counted):
    table = Table("events", "events", keys=("ledger_sequence", "name"), unique=False)
    staging = make("events_staging", EVENT, [event(12), event(12)])
    assert counted(staging, own_rules(table, staging, Loaded(staging, table.table_id))) == {}


FLOATS = {"price": "FLOAT"}
NAN, MINUS_ZERO = "CAST('NaN' AS FLOAT64)", "-0.0"


@pytest.mark.parametrize(
    ("check", "values", "faults"),
    [
        (Check(Kind.RANGE, "price", minimum=0), [NAN, "1.0"], 1),
        (Check(Kind.RANGE, "price", maximum=5), [NAN, "1.0"], 1),
        (Check(Kind.RANGE, "price", minimum=0), [MINUS_ZERO, "0.0"], 0),
        (Check(Kind.ACCEPTED_VALUES, "price", values=(0, 1)), [MINUS_ZERO, NAN], 1),
        (Check(Kind.UNIQUE, "price"), [MINUS_ZERO, "0.0", NAN, NAN], 2),
        (Check(Kind.METRIC, "price", metric=Metric.MIN, minimum=0), [NAN, "1.0"], 1),
        (Check(Kind.METRIC, "price", metric=Metric.MAX, maximum=5), [NAN, "1.0"], 1),
        (Check(Kind.METRIC, "price", metric=Metric.SUM, minimum=0), [NAN, "1.0"], 1),
        (Check(Kind.METRIC, "price", metric=Metric.MIN, minimum=0), [MINUS_ZERO, "1.0"], 0),
        (Check(Kind.METRIC, "price", metric=Metric.MIN, minimum=0), [], 0),
    ],
)
def test_nan_and_minus_zero_are_compared_as_in_bigquery(make, counted, check, values, faults):
    staging = make("floats_staging", FLOATS, values)
    rules = column_rules([check], staging, [{"name": "price", "type": "FLOAT"}])
    assert counted(staging, rules) == ({"check_0": faults} if faults else {})


def test_an_identity_may_be_null_but_not_repeated(make, counted):
    table = Table("events", "events", keys=("ledger_sequence",), unique=False, identity=("ledger_sequence", "place"))
    columns = {"ledger_sequence": "INTEGER", "place": "INTEGER", "closed_at": "TIMESTAMP"}

    def row(ledger, place):
        return f"{ledger}, {place}, {at(ledger)}"

    good = [row(12, 0), row(12, 1), row(13, 0), *[row(12, "NULL")] * 3]
    staging = make("events_staging", columns, good)
    assert counted(staging, own_rules(table, staging, Loaded(staging, table.table_id))) == {}
    again = make("events_again", columns, [*good, row(12, 1), row(12, 1), row(13, 0)])
    assert counted(again, own_rules(table, again, Loaded(again, table.table_id))) == {"identity_repeated": 3}


def test_the_ledger_is_derived_from_the_ids_of_operations(make, counted):
    columns = {"op": "INTEGER", "n": "INTEGER", "closed_at": "TIMESTAMP"}
    rows = [f"{(ledger << 32) + order}, 0, {at(ledger)}" for ledger, order in ((10, 4097), (19, (1 << 32) - 1))]
    staging = make("trades_staging", columns, rows)
    assert counted(staging, own_rules(TRADES, staging, Loaded(staging, TRADES.table_id))) == {}


@pytest.mark.parametrize(
    ("ledger", "closed", "other"),
    [
        (25, 25, 0),  # a later ledger that closed later
        (5, 5, 0),
        (15, 15, 0),  # loaded before
        (25, 5, 1),  # a later ledger that closed earlier
        (5, 25, 1),
        (15, 25, 1),  # a ledger of the batch, at another time
    ],
)
def test_loads_of_another_chain_are_found(make, counted, ledger, closed, other):
    stats = make("history_archives_dag_runs", LOAD, [load_of(ledger, ledger, closed, closed), other_load()])
    staging = make("events_staging", EVENT, [event(12)])
    rules = own_rules(EVENTS, staging, Loaded(staging, "events", stats))
    assert counted(staging, rules) == ({"other_chain": 1} if other else {})


LOAD = {
    "table_id": "STRING",
    "start_ledger": "INTEGER",
    "end_ledger": "INTEGER",
    "first_closed_at": "TIMESTAMP",
    "last_closed_at": "TIMESTAMP",
}


def load_of(start, end, first, last, table_id="events"):
    return f"'{table_id}', {start}, {end}, {at(first)}, {at(last)}"


def other_load():
    """Return a load of another table that contradicts the batch."""
    return load_of(900, 901, 1, 2, "other_events")


@pytest.mark.parametrize(
    ("start", "end", "shift", "other"),
    [
        (1, 9, 0, 0),
        (20, 40, 0, 0),
        (5, 12, 0, 0),  # overlaps
        (15, 30, 0, 0),
        (5, 30, 0, 0),
        (12, 14, 0, 0),
        (10, 19, 0, 0),  # the same ledgers
        *((start, end, 900, 1) for start, end in ((1, 9), (5, 12), (15, 30), (5, 30), (12, 14), (10, 19))),
        *((start, end, -900, 1) for start, end in ((5, 12), (15, 30), (5, 30), (12, 14), (10, 19), (20, 40))),
    ],
)
def test_a_load_of_the_same_ledgers_with_other_close_times_is_of_another_chain(make, counted, start, end, shift, other):
    times = [f"TIMESTAMP_ADD({at(ledger)}, INTERVAL {shift} SECOND)" for ledger in (start, end)]
    stats = make("history_archives_dag_runs", LOAD, [f"'events', {start}, {end}, {', '.join(times)}"])
    staging = make("events_staging", EVENT, [event(12)])
    rules = own_rules(EVENTS, staging, Loaded(staging, "events", stats))
    assert counted(staging, rules) == ({"other_chain": 1} if other else {})


def test_the_check_of_the_chain_reads_the_same_bytes_for_any_table_size(client, make):
    """The check reads no published table. The laptop's warehouse counts all rows of the tables in a statement."""
    stats = make("history_archives_dag_runs", LOAD, [load_of(1, 9, 1, 9)])
    staging = make("events_staging", EVENT, [event(12)])

    def bytes_read(rows):
        published = make("events", EVENT, [event(5, f"{n:03}") for n in range(rows)])
        assert client.query(f"SELECT * FROM {published}").total_bytes_processed > rows
        statement = check_staging(staging, own_rules(EVENTS, staging, Loaded(published, "events", stats)), RANGE)
        configuration = query_job("test", statement, 1 << 40).configuration
        job = client.query(statement.sql, bq.QueryJobConfig.from_api_repr(configuration))
        job.result()
        return job.total_bytes_processed

    assert 0 < bytes_read(5) == bytes_read(500)


LEDGER = {
    "sequence": "INTEGER",
    "ledger_hash": "STRING",
    "previous_ledger_hash": "STRING",
    "closed_at": "TIMESTAMP",
    "tx_set_operation_count": "INTEGER",
}


def ledger(sequence, operations=0, hash_=None, previous=None):
    return f"{sequence}, '{hash_ or sequence}', '{previous or sequence - 1}', {at(sequence)}, {operations}"


@pytest.mark.parametrize(
    ("staged", "published", "broken"),
    [
        ([ledger(10), ledger(11)], [ledger(9), ledger(12), ledger(20)], 0),
        ([ledger(10), ledger(11, previous="x")], [], 1),
        ([ledger(10, previous="x")], [ledger(9)], 1),  # the previous ledger comes from another chain
        ([ledger(19)], [ledger(20, previous="x")], 1),  # the next ledger
        ([ledger(10)], [ledger(10, hash_="x"), ledger(11, previous="x")], 0),  # the batch replaces this row
    ],
)
def test_the_chain_is_checked_within_a_batch_and_with_neighbouring_ledgers(make, counted, staged, published, broken):
    staging = make("ledgers_staging", LEDGER, staged)
    rules = own_rules(LEDGERS, staging, Loaded(make("history_ledgers", LEDGER, published), LEDGERS.table_id))
    assert counted(staging, rules) == ({"broken_chain": 1} if broken else {})


def test_the_number_of_rows_is_compared_with_the_loaded_headers(make, counted):
    headers = make("history_ledgers", LEDGER, [ledger(10, 2), ledger(11, 2), ledger(12, 1), ledger(20, 5)])
    columns = {"id": "INTEGER", "type": "INTEGER", "ledger_sequence": "INTEGER", "closed_at": "TIMESTAMP"}
    found = {10: 2, 11: 1, 13: 1}  # one row of 11 and the row of 12 are missing; 13 has no header
    rows = [f"{sequence * 10 + i}, 1, {sequence}, {at(sequence)}" for sequence, n in found.items() for i in range(n)]
    staging = make("operations_staging", columns, rows)
    loaded = Loaded(staging, "history_operations", headers=headers)
    assert counted(staging, own_rules(OPERATIONS, staging, loaded)) == {"not_as_promised": 2}


@pytest.mark.parametrize(
    ("left_out", "wrong"),
    [((11, 12, 12), 0), ((11, 12), 1), ((11,), 1), ((10, 11, 12, 12), 1), ((11, 11, 12, 12), 1), ((19, 12, 12), 1)],
)
def test_only_the_rows_omitted_from_the_export_may_be_missing(make, counted, left_out, wrong):
    headers = make("history_ledgers", LEDGER, [ledger(10, 2), ledger(11, 2), ledger(12, 2)])
    columns = {"id": "INTEGER", "type": "INTEGER", "ledger_sequence": "INTEGER", "closed_at": "TIMESTAMP"}
    staging = make("operations_staging", columns, [f"{n}, 1, {n // 10}, {at(n // 10)}" for n in (100, 101, 110)])
    rules = own_rules(OPERATIONS, staging, Loaded(staging, "history_operations", headers=headers), left_out)
    assert counted(staging, rules) == ({"not_as_promised": wrong} if wrong else {})


COLUMNS = {"id": "INTEGER", "kind": "STRING", "amount": "FLOAT", "closed_at": "TIMESTAMP", "ok": "BOOLEAN"}
FIELDS = [{"name": name, "type": type_} for name, type_ in COLUMNS.items()]
ROWS = [
    f"1, 'a', 1.5, {at(10)}, TRUE",
    f"1, 'b', -2.0, {at(11)}, FALSE",
    f"2, NULL, 7.0, {at(12)}, TRUE",
    f'NULL, "it\'s", NULL, {at(13)}, TRUE',
]


@pytest.mark.parametrize(
    ("check", "count"),
    [
        (Check(Kind.NOT_NULL, "kind"), 1),
        (Check(Kind.NOT_NULL, "closed_at"), 0),
        (Check(Kind.UNIQUE, "id"), 1),
        (Check(Kind.UNIQUE, "kind"), 0),
        (Check(Kind.UNIQUE, "id", where=(Condition("ok", "=", True),)), 0),
        (accepted("kind", "a", "b"), 1),
        (accepted("kind", "a", "b", "it's"), 0),
        (accepted("id", 2), 2),
        (Check(Kind.RANGE, "amount", minimum=0), 1),
        (Check(Kind.RANGE, "amount", minimum=-2, maximum=6.5), 1),
        (Check(Kind.RANGE, "amount", minimum=0, where=(Condition("kind", "!=", "b"),)), 0),
        (Check(Kind.RANGE, "closed_at", maximum="2026-01-01T00:01:00Z"), 1),
        (Check(Kind.METRIC, "id", metric=Metric.COUNT, minimum=3), 0),
        (Check(Kind.METRIC, "id", metric=Metric.COUNT, minimum=4), 1),
        (Check(Kind.METRIC, "amount", metric=Metric.SUM, maximum=6.5), 0),
        (Check(Kind.METRIC, "amount", metric=Metric.SUM, maximum=6.4), 1),
        (Check(Kind.METRIC, "id", metric=Metric.AVG, minimum=1.3, maximum=1.4), 0),
        (Check(Kind.METRIC, "closed_at", metric=Metric.MIN, minimum="2026-01-01T00:00:50+00:00"), 0),
        (Check(Kind.METRIC, "kind", metric=Metric.MAX, maximum="b"), 1),
        (Check(Kind.METRIC, "amount", metric=Metric.MAX, minimum=0, where=(Condition("id", ">", 99),)), 0),
    ],
)
def test_each_kind_of_check_finds_its_own_fault_only(make, counted, check, count):
    staging = make("staging", COLUMNS, ROWS)
    assert counted(staging, column_rules([check], staging, FIELDS)) == ({"check_0": count} if count else {})


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (Check(Kind.NOT_NULL, "nothing"), "no column 'nothing'"),
        (Check(Kind.NOT_NULL, "id; DROP TABLE x"), "no column"),
        (Check(Kind.NOT_NULL, "id", where=(Condition("other", "=", 1),)), "no column 'other'"),
        (accepted("id", "1"), "'1' is not of type INT64"),
        (accepted("id", True), "True is not of type INT64"),
        (accepted("ok", 1), "1 is not of type BOOL"),
        (Check(Kind.RANGE, "closed_at", minimum="soon"), "'soon' is not of type TIMESTAMP"),
        (Check(Kind.METRIC, "kind", metric=Metric.SUM, maximum=1), "SUM needs a column of numbers"),
    ],
)
def test_a_check_that_does_not_fit_its_table_is_refused_with_the_reason(check, message):
    with pytest.raises(CheckError, match=message):
        column_rules([check], "staging", FIELDS)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"kind": Kind.RANGE}, "'range' needs minimum or maximum"),
        ({"kind": Kind.ACCEPTED_VALUES}, "'accepted_values' needs values"),
        ({"kind": Kind.METRIC, "minimum": 1}, "'metric' needs metric"),
        ({"kind": Kind.NOT_NULL, "values": (1,)}, "'not_null' must not have values"),
    ],
)
def test_an_incomplete_check_is_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        Check(column="id", **parts)


@pytest.mark.parametrize("table", PUBLISHED.values(), ids=lambda table: table.data_type)
def test_the_checks_of_the_registry_fit_the_schema_files(table):
    fields = json.loads((REPO / "schemas" / f"{table.table_id}_schema.json").read_text())
    assert len(column_rules(table.checks, "staging", fields)) == len(table.checks)
    promised = json.loads((REPO / "schemas" / "history_ledgers_schema.json").read_text())
    assert set(table.header_count.replace("+", " ").split()) <= {field["name"] for field in promised}


# The Variable ------------------------------------------------------------------------------------------------------

GOOD = {"table": "history_operations", "kind": "range", "column": "type", "minimum": 0, "maximum": 26}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({**GOOD, "table": "history_operation"}, "did you mean 'history_operations'"),
        ({**GOOD, "column": "typ"}, r"'checks'\[0\] \(history_operations\): there is no column 'typ'"),
        ({**GOOD, "kind": "sql"}, "'checks'"),
        ({**GOOD, "sql": "1 = 1"}, "'checks'"),
        ({**GOOD, "where": [{"column": "type", "operator": "OR 1 =", "value": 1}]}, "'checks'"),
        ({**GOOD, "minimum": None, "maximum": None}, "needs minimum or maximum"),
        ("type > 1", "a check is an object"),
    ],
)
def test_an_invalid_entry_of_the_variable_is_named_before_the_import(entry, message):
    shipped = json.loads((REPO / "airflow_variables.json").read_text())
    assert check_variables({**shipped, "checks": [GOOD]}) == []
    (found,) = check_variables({**shipped, "checks": [entry]})
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(found)


def test_the_variable_is_read_as_json():
    text = json.dumps([{**GOOD, "where": [{"column": "id", "operator": ">=", "value": 5}]}])
    (check,) = load(CheckSettings, {"checks": text}.get).of("history_operations")
    assert check == Check(Kind.RANGE, "type", minimum=0, maximum=26, where=(Condition("id", ">=", 5),))


BATCH = {"batch_id": "x", "batch_run_date": "2026-01-01T00:00:00", "batch_insert_ts": "2026-01-01T00:00:00Z"}


@pytest.fixture
def stage(warehouse_server, make_context, warehouse_environment):
    """Load operations, `(id, type)` of ledger 10, and check them."""
    _, folder = warehouse_server

    def stage(rows):
        lines = "".join(
            json.dumps({"id": id_, "type": type_, "ledger_sequence": 10, "closed_at": "2026-01-01T00:00:50Z", **BATCH})
            + "\n"
            for id_, type_ in rows
        )
        (folder / "exports").mkdir(parents=True, exist_ok=True)
        (folder / "exports" / "operations.txt").write_text(lines)
        attempt = ExportAttempt(LedgerRange(10, 10), "prefix", "2026-01-01T00:00:00Z")
        file = ExportedFile("gs://exports/operations.txt", len(rows), len(lines))
        moment = "2026-01-01T00:00:50Z"
        batch = Batch(attempt, "a network", 1, moment, moment, {"operations": file})
        make_context.xcoms[VERIFY_TASK, "return_value"] = batch.to_json()
        for build in (build_gcs_to_bq_task, build_check_task):
            task = build(OPERATIONS)
            task.deferrable = False
            context = make_context(task.task_id, run_id="a-run")
            task.pre_execute(context)
            result = task.execute(context)
        return result

    return stage


def test_checks_of_the_variable_reject_bad_rows(client, stage, warehouse_environment):
    warehouse_environment(checks=[{**GOOD, "maximum": 9}])
    staged = stage([(1, 9)])
    assert staged["counts"]["row_count"] == 1
    assert staged["rows_per_ledger"] == "1"
    with pytest.raises(AirflowFailException, match="1 rows whose `type` is not at least 0 and at most 9") as raised:
        stage([(1, 9), (2, 10)])
    sql = str(raised.value).rpartition("this query shows them:")[2]
    assert [(row["id"], row["type"]) for row in client.query(sql).result()] == [(2, 10)]
    assert client.get_table("local.stellar.history_operations").num_rows == 0


def test_an_operation_type_unknown_to_the_network_is_rejected(stage):
    with pytest.raises(AirflowFailException, match="1 rows whose `type` is not one of the accepted values"):
        stage([(1, 27)])


def test_the_error_of_a_misfitting_check_names_the_variable(stage, warehouse_environment):
    warehouse_environment(checks=[{**GOOD, "column": "typ"}])
    with pytest.raises(SettingsError, match="'checks', table history_operations: there is no column 'typ'"):
        stage([(1, 9)])
