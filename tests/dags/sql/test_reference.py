"""The laptop's warehouse and Google's reference evaluator return the same rows, for difficult values of each kind.

Tables are small. They contain NULL, duplicates, NaN, infinity, negative zero, microseconds, nested repeated records,
JSON and tombstones.
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
from stellar_etl_airflow.model.coverage import AFTER_ALL, BEFORE_ALL, Fault, Finding, Window
from stellar_etl_airflow.model.ranges import LedgerRange, TimeRange
from stellar_etl_airflow.model.schema import column_names
from stellar_etl_airflow.model.tables import (
    BATCH_STATS_TABLE_ID,
    CONTRACT_EVENTS,
    COVERAGE_TABLE_ID,
    EFFECTS,
    LEDGERS,
    OFFERS,
    OPERATIONS,
    PUBLISHED,
    Publish,
    Table,
)
from stellar_etl_airflow.model.versions import OPEN_LEDGER, OPEN_TIME, Folded
from stellar_etl_airflow.sql import checks, coverage
from stellar_etl_airflow.sql.batch_stats import forget_stats, left_out_rows, loads_by_table, stats_row, upsert_stats
from stellar_etl_airflow.sql.newer import newer_loads, newer_rows
from stellar_etl_airflow.sql.publish import Attempt, count_rows, delete_range, publish
from stellar_etl_airflow.sql.records import moved, unchanged
from stellar_etl_airflow.sql.statement import Statement, range_parameters, table_name
from stellar_etl_airflow.sql.take_over import LOADS, bounds, copy, count, count_published, existing_ledgers
from stellar_etl_airflow.sql.versions import (
    ENDS,
    Log,
    begin,
    current_view,
    days_to_fold,
    days_to_open,
    differences,
    first_change,
    fold,
    history_view,
    last_close,
    open_again,
    replace_base,
    valid_at,
)
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


def version(of, end):
    """Return a version, which ends in a ledger or is still valid."""
    return {**of, "valid_to_ledger": end or OPEN_LEDGER, "valid_to": at(end) if end else OPEN_TIME.isoformat()}


FULL_LOAD = {(one["owner"], one["kind"]): {**one, "ledger_sequence": 14, "closed_at": at(14)} for one in STAGING}
"""One row per entry."""

CHANGES = Table("things", "things", keys=("owner", "kind", "ledger_sequence"), entry_keys=("owner", "kind"))
ASSETS = Table("things", "things", keys=("owner", "kind"), publish=Publish.KEEP_EARLIEST)
EVENTS = Table("things", "things", keys=("owner", "kind"), unique=False)
BATCH = range_parameters(10, 19, at(10), at(19))
TABLES = {
    name("target"): (FIELDS, TARGET),
    name("staging"): (OTHER, STAGING),
    name("full_load"): (OTHER, [*FULL_LOAD.values()]),
    name("empty"): (FIELDS, []),
    name("log"): (OTHER, [one for number, one in enumerate(STAGING) if one not in STAGING[:number]]),
    name("versions"): (
        [*FIELDS, *map(dict, ENDS)],
        [
            version(row("a", 1, 5, amount="NaN", details=PARTS, data={"b": [1, None], "a": {"c": 1.5}}), 9),
            version(row("a", 1, 9, amount="NaN", details=PARTS, tags=["x", "y"]), 14),
            version(row("b", 2, 8, amount="-Infinity", data=[1, 2]), None),
            version(row("c", 3, 11, details={"from": "g", "parts": [{"n": 9, "m": 8, "x": "NaN"}]}), 13),
            version(row("c", 3, 13), None),
            version(row("n", 7, 3), None),
            version(row("gone", 8, 3, tags=["x"]), 15),
        ],
    ),
}
INTO, FROM, BASE, EMPTY = name("target"), name("staging"), name("full_load"), name("empty")
MOVED = moved(OTHER, FIELDS, NAMES)
LOG = Log(CHANGES, name("log"), name("versions"), MOVED)
CLOSED = {ledger: datetime.fromisoformat(at(ledger)) for ledger in range(21)}
MARK = Folded(12, CLOSED[12])

MERGES = {
    "replace_range": publish(CHANGES, INTO, FROM, MOVED, BATCH),
    "replace_range of identical rows": publish(EVENTS, INTO, FROM, MOVED, BATCH),
    "replace_range of an attempt": publish(CHANGES, INTO, FROM, MOVED, BATCH, Attempt("2026-01-01T02:30:00Z")),
    "replace_range of a part": publish(
        CHANGES,
        INTO,
        FROM,
        MOVED,
        BATCH,
        Attempt("2026-01-01T02:30:00Z", [LedgerRange(11, 12), LedgerRange(18, 40)]),
    ),
    "keep_earliest": publish(ASSETS, INTO, FROM, MOVED, BATCH),
    "keep_earliest of an attempt": publish(ASSETS, INTO, FROM, MOVED, BATCH, Attempt("2026-01-01T02:30:00Z")),
    "replace_base": replace_base(INTO, BASE, MOVED),
    "fold": fold(LOG, MARK, 14, CLOSED[14]),
    "fold of everything": fold(LOG, Folded(), 19, CLOSED[19]),
    "open_again": open_again(LOG, MARK, (CLOSED[13], CLOSED[15])),
    "begin": begin(LOG, BASE, MOVED, Folded().begun(14, CLOSED[14])),
    "begin earlier": begin(LOG, BASE, MOVED, Folded().begun(10, CLOSED[10])),
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
    """Return a value in one canonical form, so that rows of both warehouses can be compared and sorted."""
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
def test_merges_and_deletions_give_the_rows_of_their_definition(laptop, reference, kind):
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


STATS = json.loads((REPO / "schemas" / f"{BATCH_STATS_TABLE_ID}_schema.json").read_text())


def load_of(table_id, first, last, rows, load=1, **values):
    times = {"first_closed_at": at(first), "last_closed_at": at(last), "published_at": f"2026-01-0{load}T00:00:00Z"}
    return {"table_id": table_id, "start_ledger": first, "end_ledger": last, "row_count": rows, **times, **values}


CHECKED_TABLES = {
    # DuckDB averages NUMERIC by way of DOUBLE, so the values here have no more digits than a DOUBLE.
    name("staging"): (FIELDS, [*TARGET, *({**one, "price": one.get("price") and "-2.5"} for one in STAGING)]),
    name("target"): (FIELDS, [*TARGET, row("x", 8, 5) | {"closed_at": at(15)}]),
    name("loads"): (
        STATS,
        [
            load_of("things", 5, 5, 1, first_closed_at=at(15), last_closed_at=at(15)),
            load_of("things", 20, 29, 1),
            load_of("history_ledgers", 1, 30, 1),
        ],
    ),
    name("headers"): (HEADERS, [header(9), header(10, 5), header(12), header(13, 2, "other"), header(20)]),
    name("staged_headers"): (HEADERS, [header(n) for n in (10, 11, 11, 13)] + [header(19, previous="other")]),
}


def rules_of(kind):
    if kind == "columns":
        return name("staging"), checks.column_rules(CHECKED, name("staging"), FIELDS)
    if kind == "ledgers":
        headers, staged = name("headers"), name("staged_headers")
        loaded = checks.Loaded(headers, "history_ledgers", name("loads"), headers)
        return staged, checks.own_rules(LEDGERS, staged, loaded)
    table = {"changes": CHANGES, "identified": IDENTIFIED}[kind]
    loaded = checks.Loaded(name("target"), table.table_id, name("loads"), name("headers"))
    return name("staging"), checks.own_rules(table, name("staging"), loaded, (10, 12, 13))


@pytest.mark.parametrize("kind", ["columns", "changes", "identified", "ledgers"])
def test_checks_count_and_show_the_same_rows(laptop, kind):
    laptop.load(CHECKED_TABLES)
    reference = reference_of(CHECKED_TABLES)
    staged, rules = rules_of(kind)
    counted_by = LEDGERS if kind == "ledgers" else None if kind == "columns" else CHANGES
    statement = checks.check_staging(staged, rules, BATCH, counted_by)
    (counted,) = expected = reference.query(statement)
    assert laptop.query(statement) == expected
    for rule in rules:
        if counted[rule.name] and rule.name != "not_as_promised":
            shown = Statement(checks.shown(rule, BATCH))
            assert rows_of(laptop.query(shown)) == rows_of(reference.query(shown)), rule
    assert sum(1 for count in counted.values() if count) > 1


def some_fields(table, *names):
    return [one for one in file_fields(table) if one["name"] in names]


COVERAGE = json.loads((REPO / "schemas" / f"{COVERAGE_TABLE_ID}_schema.json").read_text())


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
        some_fields(EFFECTS, "id", "ledger_sequence", "closed_at", "batch_insert_ts"),
        [
            {"id": f"{n}", "ledger_sequence": n, "closed_at": at(n), "batch_insert_ts": at(n % 4)}
            for n in (10, 11, 15, 15, 16)
        ],
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
    name("offers_versions"): (
        [*some_fields(OFFERS, "offer_id", "ledger_sequence", "deleted", "closed_at"), *map(dict, ENDS)],
        [
            version({"offer_id": offer, "ledger_sequence": n, "closed_at": at(n)}, end)
            for offer, n, end in ((1, 10, 16), (2, 11, None), (0, 12, 15), (9, 11, None))
        ],
    ),
    name(BATCH_STATS_TABLE_ID): (
        STATS,
        [
            load_of("history_operations", 10, 12, 4),
            load_of("history_effects", 10, 12, 3),
            load_of("history_effects", 15, 16, 5),
            load_of("history_effects", 15, 16, 3, 2, exported_at="2026-01-02T00:00:00Z"),
            load_of("history_operations", 15, 20, 4, 3, rows_per_ledger="2,0,0,0,0,2", left_out="12,15,15,20"),
            load_of("history_operations", 20, 20, 4, 4, rows_per_ledger="2", exported_at=at(9)),
            load_of("history_contract_events", 11, 11, 2, 2, rows_per_ledger="3"),
            load_of("history_ledgers", 9, 12, 4, 2),
            load_of("history_ledgers", 18, 20, 4, 2, exported_at="2026-01-09T00:00:00Z"),
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
WINDOW = coverage.window_parameters(
    Window(LedgerRange(9, 20), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 1, 41, tzinfo=UTC))
)
ALL_TIMES = (BEFORE_ALL, AFTER_ALL)
IDS = {table: table.table_id for table in PUBLISHED.values()}
HELD, LOADED = name("history_ledgers"), name(BATCH_STATS_TABLE_ID)
OFFERS_LOG = Log(
    OFFERS,
    name("offers"),
    name("offers_versions"),
    unchanged(["offer_id", "ledger_sequence", "deleted", "closed_at"]),
)
LOOKS = {
    **{
        f"check_rows of {table.data_type}": coverage.check_rows(
            table, name(table.table_id), HELD, LOADED, IDS, 16, WINDOW
        )
        for table in (LEDGERS, OPERATIONS, EFFECTS, CONTRACT_EVENTS, OFFERS)
    },
    "check_identity": coverage.check_identity(CONTRACT_EVENTS, name("history_contract_events"), WINDOW),
    "check_versions": coverage.check_versions(OFFERS_LOG, Folded(20, CLOSED[20]), WINDOW),
    "check_versions up to a mark": coverage.check_versions(OFFERS_LOG, Folded(12, CLOSED[12]), WINDOW),
    "check_versions after a full load": coverage.check_versions(OFFERS_LOG, Folded(20, CLOSED[20], 10), WINDOW),
    "days_to_fold": days_to_fold(OFFERS_LOG, Folded(11, CLOSED[11])),
    "days_to_fold of removed changes": days_to_fold(OFFERS_LOG, Folded(11, CLOSED[11]), 15, removed=True),
    "days_to_open": days_to_open(OFFERS_LOG, Folded(11, CLOSED[11])),
    "first_change": first_change(OFFERS_LOG, LedgerRange(11, 15)),
    "valid_at": valid_at(OFFERS_LOG, 12, CLOSED[12], ["offer_id"]),
    "last_close": last_close(OFFERS, name("offers")),
    "differences": differences(OFFERS_LOG, None, None, 10),
    "differences from a full load": differences(OFFERS_LOG, name("offers"), OFFERS_LOG.columns, 10),
    "history_view": Statement(history_view(OFFERS_LOG, Folded(12, CLOSED[12]))),
    "newest_loaded": coverage.newest_loaded(LOADED, ["history_effects", "offers", "absent"]),
    "check_loads": coverage.check_loads(
        LOADED, ["history_ledgers", "history_effects", "offers"], "history_ledgers", LedgerRange(8, 30), 16
    ),
    "newer_loads": newer_loads(LOADED, "history_effects", LedgerRange(11, 16), "2026-01-01T00:00:00Z"),
    "newer_rows": newer_rows(EFFECTS, name("history_effects"), BATCH, at(2)),
    "left_out_rows": Statement(left_out_rows(LOADED, "'history_operations'")),
    "headers_around": coverage.headers_around(
        HELD, TimeRange(datetime(2026, 1, 1, 0, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC)), *ALL_TIMES
    ),
    "headers_around all times": coverage.headers_around(HELD, TimeRange(*ALL_TIMES), *ALL_TIMES),
    "times_around": coverage.times_around(LOADED, LedgerRange(11, 15)),
    "closed_between": coverage.closed_between(HELD, 11, 15),
    "dirty_since": coverage.dirty_since(LOADED, "history_effects", LedgerRange(11, 16), CLOSED[0]),
    "loads_by_table": loads_by_table(LOADED, CLOSED[0]),
    "loaded_ranges": coverage.loaded_ranges(LOADED, ["history_effects"], LedgerRange(12, 15)),
    "existing_ledgers": existing_ledgers(HELD, LedgerRange(11, 20)),
    "bounds": bounds(OPERATIONS, name("history_operations")),
    "count": count(CONTRACT_EVENTS, name("history_contract_events"), (), BATCH),
    "count_published": count_published(OPERATIONS, name("history_operations"), BATCH),
    "count_rows": count_rows({"a": (LEDGERS, HELD), "b": (OFFERS, name("offers"))}, LedgerRange(11, 15)),
    "current_view": Statement(current_view(OFFERS_LOG, Folded(12, CLOSED[12]))),
}
FINDINGS = [Finding("ledgers", Fault.LAG, 1, 2, 3, 4), Finding("ledgers", Fault.MISSING, 1, 2, 3)]
STATS_ROWS = [
    stats_row(LedgerRange(10, 12), {"table_id": "history_effects", "row_count": 9, "estimated_cost": "0.000000001"}),
    stats_row(
        LedgerRange(10, 13), {"table_id": "new", "published_at": at(1, 7), "batch_run_date": "2026-01-01T00:00:00"}
    ),
    stats_row(LedgerRange(18, 20), {"table_id": "history_ledgers", "row_count": 7, "exported_at": at(8)}),
    stats_row(LedgerRange(20, 20), {"table_id": "history_operations", "row_count": 7, "exported_at": at(10)}),
]
WRITES = {
    "record": coverage.record(
        name(COVERAGE_TABLE_ID), "run", datetime(2026, 1, 2, tzinfo=UTC), {"ledgers": "l"}, FINDINGS
    )[0],
    "record of nothing": coverage.record(name(COVERAGE_TABLE_ID), "run", datetime(2026, 1, 2, tzinfo=UTC), {}, [])[0],
    "upsert_stats": upsert_stats(LOADED, STATS_ROWS),
    "forget_stats": forget_stats(LOADED, ["history_effects", "offers"], LedgerRange(12, 20)),
}


@pytest.fixture(scope="module")
def looked_at(warehouse_server):
    """Load the tables of coverage checks once, in the reference evaluator and on the laptop."""
    client = emulators.bigquery_client(warehouse_server[0])
    client.delete_dataset("stellar", delete_contents=True, not_found_ok=True)
    client.create_dataset("stellar")
    laptop = Laptop(client, warehouse_server[1])
    laptop.load(LOOKED_AT)
    return reference_of(LOOKED_AT), laptop


@pytest.mark.parametrize("kind", LOOKS)
def test_coverage_and_counts_have_the_same_findings(looked_at, kind):
    reference, laptop = looked_at
    expected = reference.query(LOOKS[kind])
    assert expected
    assert rows_of(laptop.query(LOOKS[kind])) == rows_of(expected)


@pytest.mark.parametrize("kind", WRITES)
def test_records_and_batch_stats_give_the_rows_of_their_definition(laptop, kind):
    laptop.load({quoted: LOOKED_AT[quoted] for quoted in LOOKED_AT if quoted in WRITES[kind].sql})
    expected = reference_of(LOOKED_AT).merged(WRITES[kind])
    assert rows_of(laptop.merged(WRITES[kind])) == rows_of(expected)


def test_both_refuse_rows_that_match_twice(laptop, reference):
    planted = Statement(
        f"MERGE {INTO} AS T\nUSING {FROM} AS S\nON T.`kind` = S.`kind`\n"
        "WHEN MATCHED THEN UPDATE SET `amount` = S.`amount`"
    )
    laptop.load({quoted: TABLES[quoted] for quoted in (INTO, FROM)})
    with pytest.raises(RefusedError, match="at most one source row"):
        reference.merged(planted)
    with pytest.raises(BadRequest):
        laptop.merged(planted)


# Statements of dbt -------------------------------------------------------------------------------------------------

T = name("target")
DISTINCT = f"""\
SELECT AS STRUCT ARRAY_AGG(DISTINCT owner IGNORE NULLS ORDER BY owner) AS owners,
  ARRAY_AGG(DISTINCT kind IGNORE NULLS ORDER BY kind) AS kinds
FROM {T}"""
OF_NONE = f"SELECT ARRAY_AGG(DISTINCT owner IGNORE NULLS) IS NULL AS found FROM {T} WHERE owner IS NULL"
TAGS = "FROM UNNEST(t.tags) AS tag"
FORMS = {
    "distinct elements": f"SELECT one.* FROM (SELECT ({DISTINCT}) AS one)",
    "distinct elements of none": OF_NONE,
    "elements of each row": f"SELECT t.owner, tag FROM {T} AS t, UNNEST(t.tags) AS tag",
    "elements of each row, or NULL": f"SELECT t.owner, tag FROM {T} AS t LEFT JOIN UNNEST(t.tags) AS tag",
    "records of each row": f"SELECT t.owner, part.n, part.m FROM {T} AS t CROSS JOIN UNNEST(t.details.parts) AS part",
    "a number for each row": f"SELECT t.owner, (SELECT COUNT(*) {TAGS} WHERE tag <> 'x') AS found FROM {T} AS t",
    "a text for each row": f"SELECT t.owner, (SELECT STRING_AGG(tag, '-' ORDER BY tag) {TAGS}) AS a FROM {T} AS t",
    "rows with an element": f"SELECT t.owner FROM {T} AS t WHERE EXISTS (SELECT 1 {TAGS} WHERE tag = 'y')",
}


@pytest.mark.parametrize("form", FORMS)
def test_aggregates_and_array_elements_are_the_same(laptop, reference, form):
    laptop.load({T: TABLES[T]})
    statement = Statement(FORMS[form])
    assert rows_of(laptop.query(statement)) == rows_of(reference.query(statement))


@pytest.mark.parametrize(
    "script",
    [
        "DECLARE o ARRAY<STRING>; DECLARE k ARRAY<INT64>; SET (o, k) = ({0}); SELECT o AS owners, k AS kinds;",
        (
            "DECLARE s STRUCT<owners ARRAY<STRING>, kinds ARRAY<INT64>>; SET s = ({0}); "
            "SELECT s.owners AS owners, s.kinds AS kinds;"
        ),
    ],
    ids=["of two variables", "of one"],
)
def test_script_variables_are_set_from_the_fields_of_a_struct(laptop, reference, script):
    laptop.load({T: TABLES[T]})
    expected = reference.query(Statement(FORMS["distinct elements"]))
    found = laptop.client.query(script.format(DISTINCT)).result()
    assert rows_of([dict(one.items()) for one in found]) == rows_of(expected)


def test_a_variable_in_parentheses_is_set_from_a_structs_only_field(laptop, reference):
    laptop.load({T: TABLES[T]})
    owners = f"SELECT AS STRUCT ARRAY_AGG(DISTINCT owner IGNORE NULLS) FROM {T}"
    counted = f"SELECT COUNT(*) AS found FROM {T} WHERE owner IN UNNEST(o)"
    found = laptop.client.query(f"DECLARE o ARRAY<STRING>; SET (o) = ({owners}); {counted};").result()
    expected = reference.query(Statement(f"SELECT COUNT(*) AS found FROM {T} WHERE owner IS NOT NULL"))
    assert [dict(one.items()) for one in found] == expected


def test_a_project_with_dashes_needs_no_backticks(laptop):
    other = bq.DatasetReference("my-own-project", "stellar")
    laptop.client.create_dataset(other, exists_ok=True)
    table = "my-own-project.stellar.dashed"
    try:
        for sql in (
            f"CREATE OR REPLACE TABLE {table} AS SELECT 7 - 2 AS n",
            f"INSERT INTO {table} (n) SELECT n + 1 FROM {table}",
            f"MERGE {table} AS t USING (SELECT 5 AS n) AS s ON t.n = s.n WHEN MATCHED THEN UPDATE SET n = 9",
        ):
            laptop.client.query(sql).result()
        read = f"SELECT d.n - 1 AS n FROM {table} AS d JOIN {table} AS e ON d.n = e.n ORDER BY 1"
        expected = reference_of({f"`{table}`": ([field("n", "INTEGER")], [{"n": 6}, {"n": 9}])})
        found = [dict(one.items()) for one in laptop.client.query(read).result()]
        quoted = Statement(read.replace(table, f"`{table}`"))
        assert found == expected.query(quoted) == [{"n": 5}, {"n": 8}]
    finally:
        laptop.client.delete_dataset(other, delete_contents=True)
