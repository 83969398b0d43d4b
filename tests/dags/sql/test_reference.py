"""The laptop's warehouse ends in the same rows as Google's reference evaluator, on values of every awkward kind.

Tables are small. They hold NULL, duplicates, NaN, infinity, negative zero, microseconds, nested repeated records, JSON
and tombstones.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from decimal import Decimal

import google.cloud.bigquery as bq
import pytest
from google.api_core.exceptions import BadRequest

from stellar_etl_airflow.bigquery.jobs import query_job
from stellar_etl_airflow.model.checks import Check, Condition, Kind, Metric
from stellar_etl_airflow.model.coverage import Fault, Finding
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.schema import column_names
from stellar_etl_airflow.model.tables import (
    BATCH_STATS_TABLE_ID,
    CONTRACT_EVENTS,
    COVERAGE_TABLE_ID,
    EFFECTS,
    LEDGERS,
    OFFERS,
    OPERATIONS,
    Publish,
    Table,
)
from stellar_etl_airflow.sql import checks, coverage
from stellar_etl_airflow.sql.batch_stats import forget_stats, stats_row, upsert_stats
from stellar_etl_airflow.sql.publish import count_rows, delete_range, publish
from stellar_etl_airflow.sql.records import moved, unchanged
from stellar_etl_airflow.sql.state import current_view, merge_changes, merge_full_load, rebuild, replace_base
from stellar_etl_airflow.sql.statement import Statement, range_parameters, table_name
from stellar_etl_airflow.sql.take_over import LOADS, bounds, copy, count, count_published, ledgers_held
from tests.dags.sql.googlesql import RefusedError
from tests.dags.sql.reference import Reference
from tests.dags.sql.statements import fields as file_fields
from tests.dags.sql.statements import reversed_records
from tests.local import emulators
from tests.shared import REPO


def name(table_id):
    return table_name("local", "stellar", table_id)


def field(column, type_="STRING", mode="NULLABLE", *nested):
    return {"name": column, "type": type_, "mode": mode, **({"fields": list(nested)} if nested else {})}


FIELDS = [
    field("owner"),
    field("kind", "INTEGER"),
    field("amount", "FLOAT"),
    field("price", "NUMERIC"),
    field(
        "details",
        "RECORD",
        "NULLABLE",
        field("from"),
        field("parts", "RECORD", "REPEATED", field("n", "INTEGER"), field("m", "INTEGER"), field("x", "FLOAT")),
    ),
    field("tags", mode="REPEATED"),
    field("data", "JSON"),
    field("ledger_sequence", "INTEGER"),
    field("deleted", "BOOLEAN"),
    field("closed_at", "TIMESTAMP"),
    field("batch_insert_ts", "TIMESTAMP"),
    field("batch_run_date", "DATETIME"),
    field("batch_id"),
]
NAMES = column_names(FIELDS)
OTHER = reversed_records(FIELDS)


def at(ledger, micros=0):
    return f"2026-01-01T00:{ledger * 5 // 60:02}:{ledger * 5 % 60:02}.{micros:06}Z"


def row(owner, kind, ledger, load=1, micros=0, **values):
    return {
        "owner": owner,
        "kind": kind,
        "ledger_sequence": ledger,
        "deleted": False,
        "closed_at": at(ledger, micros),
        "batch_insert_ts": f"2026-01-0{load}T00:00:00.000001Z",
        "batch_run_date": "2026-01-01T00:00:00",
        "batch_id": f"load {load}",
        **values,
    }


PARTS = {"from": "f", "parts": [{"n": 1, "m": 2, "x": 0.1}, {"n": None, "m": 3, "x": "Infinity"}]}
TARGET = [
    row("a", 1, 9, amount="NaN", details=PARTS, tags=["x", "y"], data={"b": [1, None], "a": {"c": 1.5}}),
    row("a", 1, 10, amount=1.5, price="0.000000001"),
    row("b", 2, 10, amount="-Infinity", data=[1, 2]),
    row("c", 3, 19, deleted=True, details={"from": None, "parts": []}),
    row("d", 4, 20, amount=-0.0, data="text"),
    row(None, 5, 12),
    row("e", None, 12, tags=[]),
    row("late", 6, 12, micros=1),
]
STAGING = [
    row("a", 1, 12, 2, amount="Infinity", details=PARTS, data={"z": 1}),
    row("a", 1, 14, 2, deleted=True, tags=["", "é"]),
    row("b", 2, 10, 2, amount=-0.0, price="-99999999999999999999999999999.999999999", data=True),
    row("b", 2, 10, 2, amount=-0.0, price="-99999999999999999999999999999.999999999", data=True),
    row("c", 3, 11, 2, details={"from": "g", "parts": [{"n": 9, "m": 8, "x": "NaN"}]}),
    row("n", 7, 19, 2, amount=0.1),
    row("c", 3, 18, 2, data=None),
    row(None, 5, 13, 2),
    row("e", None, 13, 2),
]
FULL_LOAD = {(one["owner"], one["kind"]): {**one, "ledger_sequence": 14, "closed_at": at(14)} for one in STAGING}
"""One row for each entry."""

CHANGES = Table("things", "things", keys=("owner", "kind", "ledger_sequence"), entry_keys=("owner", "kind"))
ASSETS = Table("things", "things", keys=("owner", "kind"), publish=Publish.KEEP_EARLIEST)
EVENTS = Table("things", "things", keys=("owner", "kind"), unique=False)
BATCH = range_parameters(10, 19, at(10), at(19))
TABLES = {
    name("target"): (FIELDS, TARGET),
    name("staging"): (OTHER, STAGING),
    name("full_load"): (OTHER, [*FULL_LOAD.values()]),
    name("empty"): (FIELDS, []),
}
INTO, FROM, BASE, EMPTY = name("target"), name("staging"), name("full_load"), name("empty")
MOVED = moved(OTHER, FIELDS, NAMES)

MERGES = {
    "replace_range": publish(CHANGES, INTO, FROM, MOVED, BATCH),
    "replace_range of identical rows": publish(EVENTS, INTO, FROM, MOVED, BATCH),
    "keep_earliest": publish(ASSETS, INTO, FROM, MOVED, BATCH),
    "merge_changes": merge_changes(CHANGES, INTO, FROM, MOVED, 0),
    "merge_changes after a full load": merge_changes(CHANGES, INTO, FROM, MOVED, 12),
    "replace_base": replace_base(INTO, BASE, MOVED),
    "merge_full_load": merge_full_load(CHANGES, INTO, BASE, MOVED, 14),
    "rebuild": rebuild(CHANGES, INTO, FROM, MOVED),
    "rebuild on a full load": rebuild(CHANGES, INTO, FROM, MOVED, (BASE, MOVED), 14),
    "into an empty table": publish(CHANGES, EMPTY, FROM, MOVED, BATCH),
    "out of an empty table": publish(CHANGES, INTO, EMPTY, unchanged(NAMES), BATCH),
    "copy": copy(CHANGES, INTO, FROM, MOVED, LOADS, BATCH),
    "copy of identical rows": copy(EVENTS, INTO, FROM, MOVED, LOADS, BATCH),
    "copy that knows no loads": copy(EVENTS, INTO, FROM, MOVED, (), BATCH),
    "delete_range": delete_range(CHANGES, INTO, LedgerRange(10, 12)),
    "delete_range before": delete_range(
        CHANGES, INTO, LedgerRange(9, 20), (None, datetime(2026, 1, 1, 0, 1, tzinfo=UTC))
    ),
    "delete_range after": delete_range(
        CHANGES, INTO, LedgerRange(9, 20), (datetime(2026, 1, 1, 0, 1, tzinfo=UTC), None)
    ),
}


def same(value):
    """A value in one spelling: rows of two warehouses can be compared, and sorted."""
    match value:
        case dict():
            return {key: same(part) for key, part in value.items()}
        case list():
            return [same(part) for part in value]
        case float():
            return "NaN" if math.isnan(value) else value + 0.0
        case Decimal():
            return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
        case datetime():
            return value.isoformat()
    return value


def rows_of(found):
    return sorted(json.dumps(same(dict(one)), sort_keys=True, default=str) for one in found)


class Laptop:
    """The laptop's warehouse, with the same tables."""

    def __init__(self, client, folder):
        self.client, self.folder = client, folder

    def load(self, tables):
        (self.folder / "exports").mkdir(parents=True, exist_ok=True)
        config = bq.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", write_disposition="WRITE_TRUNCATE")
        for quoted, (fields, rows) in tables.items():
            table = quoted.strip("`")
            self.client.create_table(bq.Table(table, [bq.SchemaField.from_api_repr(one) for one in fields]))
            if rows:
                (self.folder / "exports" / table).write_text("".join(json.dumps(one) + "\n" for one in rows))
                self.client.load_table_from_uri(f"gs://exports/{table}", table, job_config=config).result()

    def query(self, statement):
        configuration = query_job("test", statement, 1 << 40).configuration
        job = self.client.query(statement.sql, bq.QueryJobConfig.from_api_repr(configuration))
        return [dict(one.items()) for one in job.result()]

    def merged(self, statement):
        self.query(statement)
        target = statement.sql.split("`")[1]
        return self.query(Statement(f"SELECT * FROM `{target}`"))


@pytest.fixture
def laptop(client, warehouse_server):
    return Laptop(client, warehouse_server[1])


def reference_of(tables):
    return Reference(*({quoted: part[index] for quoted, part in tables.items()} for index in (0, 1)))


@pytest.fixture(scope="module")
def reference():
    return reference_of(TABLES)


@pytest.mark.parametrize("kind", MERGES)
def test_merges_and_deletions_end_in_the_rows_of_their_definition(laptop, reference, kind):
    laptop.load({quoted: TABLES[quoted] for quoted in TABLES if quoted in MERGES[kind].sql})
    expected = reference.merged(MERGES[kind])
    assert rows_of(laptop.merged(MERGES[kind])) == rows_of(expected)


CHECKED = [
    *(
        check
        for column, low, high in (("amount", -1.5, 1.5), ("amount", 0, 0), ("kind", 2, 4), ("price", -1, 1))
        for check in (
            Check(Kind.NOT_NULL, column),
            Check(Kind.UNIQUE, column),
            Check(Kind.ACCEPTED_VALUES, column, values=(low, high)),
            Check(Kind.RANGE, column, minimum=low, maximum=high),
            Check(Kind.RANGE, column, minimum=low, where=(Condition("deleted", "=", False),)),
            *(
                Check(Kind.METRIC, column, metric=metric, minimum=int(low), maximum=int(high), where=where)
                for metric in Metric
                for where in ((), (Condition("owner", "=", "nobody"),))
            ),
        )
    ),
    Check(Kind.UNIQUE, "owner", where=(Condition("ledger_sequence", ">=", 11),)),
    Check(Kind.ACCEPTED_VALUES, "owner", values=("a", "é")),
    Check(Kind.RANGE, "closed_at", minimum="2026-01-01T00:01:00Z", maximum="2026-01-01T00:01:00.000001Z"),
    Check(Kind.METRIC, "closed_at", metric=Metric.MAX, maximum="2026-01-01T00:01:35Z"),
    Check(Kind.RANGE, "batch_run_date", minimum="2026-01-01", maximum="2026-01-01T00:00:00"),
    Check(Kind.NOT_NULL, "owner", where=(Condition("amount", "<", 5), Condition("amount", ">=", 0))),
]
IDENTIFIED = Table(
    "things", "things", keys=("owner",), unique=False, identity=("owner", "kind"), header_count="promised"
)
HEADERS = [
    field("sequence", "INTEGER"),
    field("promised", "INTEGER"),
    field("ledger_hash"),
    field("previous_ledger_hash"),
    field("closed_at", "TIMESTAMP"),
]


def header(ledger, promised=1, previous=None):
    hashes = {"ledger_hash": f"h{ledger}", "previous_ledger_hash": previous or f"h{ledger - 1}"}
    return {"sequence": ledger, "promised": promised, "closed_at": at(ledger), **hashes}


CHECKED_TABLES = {
    # DuckDB takes an average of NUMERIC by way of a DOUBLE: no values here of more digits than that has.
    name("staging"): (FIELDS, [*TARGET, *({**one, "price": one.get("price") and "-2.5"} for one in STAGING)]),
    name("target"): (FIELDS, [*TARGET, row("x", 8, 5) | {"closed_at": at(15)}]),
    name("headers"): (HEADERS, [header(9), header(10, 5), header(12), header(13, 2, "other"), header(20)]),
    name("staged_headers"): (HEADERS, [header(n) for n in (10, 11, 11, 13)] + [header(19, previous="other")]),
}


def rules_of(kind):
    if kind == "columns":
        return name("staging"), checks.column_rules(CHECKED, name("staging"), FIELDS)
    if kind == "ledgers":
        headers, staged = name("headers"), name("staged_headers")
        return staged, checks.own_rules(LEDGERS, staged, headers, headers)
    table = {"changes": CHANGES, "identified": IDENTIFIED}[kind]
    return name("staging"), checks.own_rules(table, name("staging"), name("target"), name("headers"))


@pytest.mark.parametrize("kind", ["columns", "changes", "identified", "ledgers"])
def test_checks_count_and_show_the_same_rows(laptop, kind):
    laptop.load(CHECKED_TABLES)
    reference = reference_of(CHECKED_TABLES)
    staged, rules = rules_of(kind)
    statement = checks.check_staging(staged, rules, BATCH)
    (counted,) = expected = reference.query(statement)
    assert laptop.query(statement) == expected
    for rule in rules:
        if counted[rule.name] and rule.name != "not_as_promised":
            shown = Statement(checks.shown(rule, BATCH))
            assert rows_of(laptop.query(shown)) == rows_of(reference.query(shown)), rule
    assert sum(1 for count in counted.values() if count) > 1


def some_fields(table, *names):
    return [one for one in file_fields(table) if one["name"] in names]


STATS = json.loads((REPO / "schemas" / f"{BATCH_STATS_TABLE_ID}_schema.json").read_text())
COVERAGE = json.loads((REPO / "schemas" / f"{COVERAGE_TABLE_ID}_schema.json").read_text())


def load_of(table_id, first, last, rows, load=1):
    times = {"first_closed_at": at(first), "last_closed_at": at(last), "published_at": f"2026-01-0{load}T00:00:00Z"}
    return {"table_id": table_id, "start_ledger": first, "end_ledger": last, "row_count": rows, **times}


COUNTS = {"successful_transaction_count": 1, "failed_transaction_count": 0, "tx_set_operation_count": 2}


def closed(ledger, previous=None):
    return {key: value for key, value in header(ledger, previous=previous).items() if key != "promised"} | COUNTS


LOOKED_AT = {
    name("history_ledgers"): (
        some_fields(LEDGERS, "sequence", "ledger_hash", "previous_ledger_hash", "closed_at", *COUNTS),
        [closed(n) for n in (10, 11, 12, 15, 16, 16, 20)] + [closed(21, "x")],
    ),
    name("history_operations"): (
        some_fields(OPERATIONS, "id", "ledger_sequence", "closed_at"),
        [{"id": n * 2 + i, "ledger_sequence": n, "closed_at": at(n, i)} for n in (10, 12, 15, 20) for i in (0, 1)]
        + [{"id": 24, "ledger_sequence": 12, "closed_at": at(12)}],
    ),
    name("history_effects"): (
        some_fields(EFFECTS, "id", "ledger_sequence", "closed_at"),
        [{"id": f"{n}", "ledger_sequence": n, "closed_at": at(n)} for n in (10, 11, 15, 15, 16)],
    ),
    name("history_contract_events"): (
        some_fields(CONTRACT_EVENTS, "transaction_id", "event_index", "ledger_sequence", "closed_at"),
        [
            {"transaction_id": n, "event_index": index, "ledger_sequence": n, "closed_at": at(n)}
            for n, index in ((10, 0), (10, 0), (11, None), (11, None), (12, 1))
        ],
    ),
    name("offers"): (
        some_fields(OFFERS, "offer_id", "ledger_sequence", "deleted", "closed_at"),
        [{"offer_id": n % 3, "ledger_sequence": n, "closed_at": at(n), "deleted": n == 16} for n in (10, 11, 12, 16)],
    ),
    name("offers_state"): (
        some_fields(OFFERS, "offer_id", "ledger_sequence", "deleted"),
        [{"offer_id": 1, "ledger_sequence": 10, "deleted": False}, {"offer_id": 2, "ledger_sequence": 11}],
    ),
    name(BATCH_STATS_TABLE_ID): (
        STATS,
        [
            load_of("history_operations", 10, 12, 4),
            load_of("history_effects", 10, 12, 3),
            load_of("history_effects", 15, 16, 5),
            load_of("history_effects", 15, 16, 3, 2),
            load_of("history_contract_events", 10, 12, 9),
            load_of("offers", 10, 11, 4),
            load_of("offers", 16, 16, 4),
        ],
    ),
    name(COVERAGE_TABLE_ID): (
        COVERAGE,
        [
            {"run_id": run, "checked_at": at(1, 5), "table_id": "t", "fault": "lag", "found": 1}
            for run in ("run", "run", "other")
        ],
    ),
}
WINDOW = coverage.window_parameters(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 1, 41, tzinfo=UTC))
HELD, LOADED = name("history_ledgers"), name(BATCH_STATS_TABLE_ID)
LOOKS = {
    **{
        f"look at {table.data_type}": coverage.look(table, name(table.table_id), HELD, LOADED, table.table_id, WINDOW)
        for table in (LEDGERS, OPERATIONS, EFFECTS, CONTRACT_EVENTS, OFFERS)
    },
    "look_at_identity": coverage.look_at_identity(CONTRACT_EVENTS, name("history_contract_events"), WINDOW),
    "look_at_state": coverage.look_at_state(OFFERS, name("offers"), name("offers_state"), 9, WINDOW),
    "look_at_state after a full load": coverage.look_at_state(OFFERS, name("offers"), name("offers_state"), 11, WINDOW),
    "newest_loaded": coverage.newest_loaded(LOADED, ["history_effects", "offers", "absent"]),
    "closed_between": coverage.closed_between(HELD, 11, 15),
    "loaded_ranges": coverage.loaded_ranges(LOADED, ["history_effects"], LedgerRange(12, 15)),
    "ledgers_held": ledgers_held(HELD, LedgerRange(11, 20)),
    "bounds": bounds(OPERATIONS, name("history_operations")),
    "count": count(CONTRACT_EVENTS, name("history_contract_events"), (), BATCH),
    "count_published": count_published(OPERATIONS, name("history_operations"), BATCH),
    "count_rows": count_rows({"a": (LEDGERS, HELD), "b": (OFFERS, name("offers"))}, LedgerRange(11, 15)),
    "current_view": Statement(current_view(name("offers_state"), ["offer_id", "ledger_sequence"])),
}
FINDINGS = [Finding("ledgers", Fault.LAG, 1, 2, 3, 4), Finding("ledgers", Fault.MISSING, 1, 2, 3)]
STATS_ROWS = [
    stats_row(LedgerRange(10, 12), {"table_id": "history_effects", "row_count": 9, "estimated_cost": "0.000000001"}),
    stats_row(
        LedgerRange(10, 13), {"table_id": "new", "published_at": at(1, 7), "batch_run_date": "2026-01-01T00:00:00"}
    ),
]
WRITES = {
    "record": coverage.record(
        name(COVERAGE_TABLE_ID), "run", datetime(2026, 1, 2, tzinfo=UTC), {"ledgers": "l"}, FINDINGS
    ),
    "record of nothing": coverage.record(name(COVERAGE_TABLE_ID), "run", datetime(2026, 1, 2, tzinfo=UTC), {}, []),
    "upsert_stats": upsert_stats(LOADED, STATS_ROWS),
    "forget_stats": forget_stats(LOADED, ["history_effects", "offers"], LedgerRange(12, 20)),
}


@pytest.fixture(scope="module")
def looked_at(warehouse_server):
    """The tables of coverage, in the reference evaluator and on the laptop, loaded once."""
    client = emulators.bigquery_client(warehouse_server[0])
    client.delete_dataset("stellar", delete_contents=True, not_found_ok=True)
    client.create_dataset("stellar")
    laptop = Laptop(client, warehouse_server[1])
    laptop.load(LOOKED_AT)
    return reference_of(LOOKED_AT), laptop


@pytest.mark.parametrize("kind", LOOKS)
def test_coverage_and_counts_find_the_same(looked_at, kind):
    reference, laptop = looked_at
    expected = reference.query(LOOKS[kind])
    assert expected
    assert rows_of(laptop.query(LOOKS[kind])) == rows_of(expected)


@pytest.mark.parametrize("kind", WRITES)
def test_records_and_batch_stats_end_in_the_rows_of_their_definition(laptop, kind):
    laptop.load({quoted: LOOKED_AT[quoted] for quoted in LOOKED_AT if quoted in WRITES[kind].sql})
    expected = reference_of(LOOKED_AT).merged(WRITES[kind])
    assert rows_of(laptop.merged(WRITES[kind])) == rows_of(expected)


def test_rows_that_match_twice_are_refused_by_both(laptop, reference):
    planted = merge_full_load(CHANGES, INTO, FROM, MOVED, 14)
    laptop.load({quoted: TABLES[quoted] for quoted in (INTO, FROM)})
    with pytest.raises(RefusedError, match="at most one source row"):
        reference.merged(planted)
    with pytest.raises(BadRequest):
        laptop.merged(planted)
