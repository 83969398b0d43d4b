"""An audit's statement names each kind of difference, in Google's reference evaluator and on the laptop alike."""

from __future__ import annotations

import pytest

from stellar_etl_airflow.model.schema import column_names
from stellar_etl_airflow.model.tables import Publish, Table
from stellar_etl_airflow.sql.audits import AUDIT_RUN_TYPES, AUDIT_TYPES, compare_rows, last_audits, record_audit
from stellar_etl_airflow.sql.records import moved
from stellar_etl_airflow.sql.statement import Statement, range_parameters
from tests.dags.sql.statements import START, reversed_records
from tests.dags.sql.statements import fields as file_fields
from tests.dags.sql.test_reference import FIELDS, PARTS, Laptop, at, field, name, reference_of, row, rows_of
from tests.local import emulators

CLAIMS = field(
    "claims",
    "RECORD",
    "REPEATED",
    field("predicates", "RECORD", "REPEATED", field("branches", "RECORD", "REPEATED", field("until", "INTEGER"))),
)
EXPORTED_FIELDS = [*FIELDS, CLAIMS]
PUBLISHED_FIELDS = reversed_records(EXPORTED_FIELDS)
"""A target that has grown: its nested columns are in a different order."""

CHANGES = Table("things", "things", keys=("owner", "kind", "ledger_sequence"))
EVENTS = Table("things", "things", keys=("owner", "data"), unique=False)
KEPT = Table("things", "things", keys=("owner", "kind"), publish=Publish.KEEP_EARLIEST)
BATCH = range_parameters(10, 19, at(10), at(19))
PUBLISHED, EXPORTED = name("published"), name("exported")

DEEP = [{"predicates": [{"branches": [{"until": 5}]}]}]
ROWS = [
    row("a", 1, 10, amount=1.5, details=PARTS, tags=["x", "y"], data={"b": [1, 2.5], "a": {"c": None}}, claims=DEEP),
    row("a", 1, 11, amount="NaN", price="0.000000001"),
    row("b", 2, 11, amount="-Infinity", data=[1, 2], deleted=True),
    row("c", 3, 12, details={"from": None, "parts": []}),
    row("d", 4, 19, amount=0.1, data="text"),
    row(None, 5, 12),
]


def changed(number, **values):
    """Return the rows, with changed values in one of them."""
    return [{**one, **values} if place == number else one for place, one in enumerate(ROWS)]


def without(number):
    return [one for place, one in enumerate(ROWS) if place != number]


def found(fault, first, last, count, columns=None):
    return {
        "fault": fault,
        "start_ledger": first,
        "end_ledger": last,
        "found": count,
        "differing_columns": columns,
    }


PLANTED = {
    "equal": (ROWS, []),
    "other load": ([{**one, "batch_id": "other", "batch_insert_ts": at(1)} for one in reversed(ROWS)], []),
    "other ledgers": ([*ROWS, row("a", 1, 9), row("a", 1, 20)], []),
    "changed": (changed(4, amount=0.2), [found("different_rows", 19, 19, 1, "amount")]),
    "two columns": (changed(4, amount=0.2, deleted=None), [found("different_rows", 19, 19, 1, "amount, deleted")]),
    "missing": (without(3), [found("missing_rows", 12, 12, 1)]),
    "all missing": ([], [found("missing_rows", 10, 12, 5), found("missing_rows", 19, 19, 1)]),
    "extra": ([*ROWS, row("x", 9, 15)], [found("extra_rows", 15, 15, 1)]),
    "doubled": ([*ROWS, ROWS[1]], [found("extra_rows", 11, 11, 1)]),
    "other ledger": (
        changed(3, ledger_sequence=13, closed_at=at(13)),
        [found("missing_rows", 12, 12, 1), found("extra_rows", 13, 13, 1)],
    ),
    "other time": (changed(3, closed_at=at(12, 1)), [found("different_rows", 12, 12, 1, "closed_at")]),
    "json": (changed(0, data={"b": [1, 2.5], "a": {"c": 0}}), [found("different_rows", 10, 10, 1, "data")]),
    "json fraction": (
        changed(0, data={"b": [1, 2.25], "a": {"c": None}}),
        [found("different_rows", 10, 10, 1, "data")],
    ),
    "json null": (changed(4, data=None), [found("different_rows", 19, 19, 1, "data")]),
    "nested": (
        changed(0, details={**PARTS, "parts": [{"n": 1, "m": 2, "x": 0.1}, {"n": 0, "m": 3, "x": "Infinity"}]}),
        [found("different_rows", 10, 10, 1, "details")],
    ),
    "nested order": (
        changed(0, details={**PARTS, "parts": PARTS["parts"][::-1]}),
        [found("different_rows", 10, 10, 1, "details")],
    ),
    "deep": (
        changed(0, claims=[{"predicates": [{"branches": [{"until": 6}]}]}]),
        [found("different_rows", 10, 10, 1, "claims")],
    ),
    "tags": (changed(0, tags=["xy"]), [found("different_rows", 10, 10, 1, "tags")]),
    "null for a value": (changed(0, amount=None), [found("different_rows", 10, 10, 1, "amount")]),
    "a value for null": (changed(3, amount=0.0), [found("different_rows", 12, 12, 1, "amount")]),
    "null for nan": (changed(1, amount=None), [found("different_rows", 11, 11, 1, "amount")]),
    "nan for infinity": (changed(2, amount="NaN"), [found("different_rows", 11, 11, 1, "amount")]),
    "last digit": (changed(1, price="0.000000002"), [found("different_rows", 11, 11, 1, "price")]),
    "null key": (changed(5, deleted=True), [found("different_rows", 12, 12, 1, "deleted")]),
    "other key": (
        changed(4, owner="D"),
        [found("missing_rows", 19, 19, 1), found("extra_rows", 19, 19, 1)],
    ),
    "neighbours": (
        [{**one, "deleted": None} for one in ROWS],
        [found("different_rows", 10, 12, 5, "deleted"), found("different_rows", 19, 19, 1, "deleted")],
    ),
}


def comparison(table, fields=EXPORTED_FIELDS):
    columns = moved(PUBLISHED_FIELDS, EXPORTED_FIELDS, column_names(EXPORTED_FIELDS))
    return compare_rows(table, PUBLISHED, EXPORTED, fields, columns, BATCH)


def tables(published, exported=ROWS):
    return {PUBLISHED: (PUBLISHED_FIELDS, published), EXPORTED: (EXPORTED_FIELDS, exported)}


def in_order(rows):
    return sorted(rows, key=lambda one: (one["start_ledger"], one["fault"]))


@pytest.fixture(scope="module")
def laptop(warehouse_server):
    """The laptop's warehouse; a table is missing until a test loads it."""
    client = emulators.bigquery_client(warehouse_server[0])
    laptop = Laptop(client, warehouse_server[1])

    def load(given):
        client.delete_dataset("stellar", delete_contents=True, not_found_ok=True)
        client.create_dataset("stellar")
        laptop.load(given)
        return laptop

    return load


@pytest.mark.parametrize("kind", PLANTED)
def test_each_kind_of_difference_is_named(kind):
    published, expected = PLANTED[kind]
    assert reference_of(tables(published)).query(comparison(CHANGES)) == in_order(expected)


ALL_AT_ONCE = [
    {**ROWS[0], "data": {"b": [1, 2.25], "a": {"c": None}}, "details": {**PARTS, "parts": PARTS["parts"][::-1]}},
    {**ROWS[1], "amount": None},
    {**ROWS[2], "amount": "NaN", "tags": ["x"]},
    {**ROWS[3], "amount": 0.0},
    *(ROWS[4], ROWS[4]),
    row("x", 9, 15),
]


def test_the_laptop_names_each_kind_of_difference(laptop):
    expected = [
        found("different_rows", 10, 12, 4, "amount, details, tags, data"),
        found("missing_rows", 12, 12, 1),
        found("extra_rows", 15, 15, 1),
        found("extra_rows", 19, 19, 1),
    ]
    assert reference_of(tables(ALL_AT_ONCE)).query(comparison(CHANGES)) == expected
    assert laptop(tables(ALL_AT_ONCE)).query(comparison(CHANGES)) == expected
    assert laptop(tables(ROWS[::-1])).query(comparison(CHANGES)) == []


def test_identical_rows_are_compared_by_their_number(laptop):
    """Surplus rows of one transaction on both sides are reported as rows that differ."""
    twice = [ROWS[1], ROWS[1], ROWS[1], {**ROWS[1], "kind": 7}]
    published = [ROWS[1], {**ROWS[1], "kind": 8}]
    given = tables(published, twice)
    expected = [found("different_rows", 11, 11, 1, "kind"), found("missing_rows", 11, 11, 2)]
    assert reference_of(given).query(comparison(EVENTS)) == expected
    assert laptop(given).query(comparison(EVENTS)) == expected


def test_older_rows_are_correct_in_a_table_that_keeps_the_earliest_row(laptop):
    exported = [row("old", 1, 12), row("old", 1, 15), row("new", 2, 13), row("late", 3, 14), row("gone", 4, 14)]
    published = [
        row("old", 1, 5),
        row("new", 2, 13, amount=1.0),
        row("late", 3, 30),
        row("nobody", 5, 16),
        row("other", 6, 40),
    ]
    given = tables(published, exported)
    expected = [
        found("different_rows", 13, 13, 1, "amount"),
        found("missing_rows", 14, 14, 2),
        found("kept_rows", 16, 16, 1),
    ]
    assert reference_of(given).query(comparison(KEPT)) == expected
    assert laptop(given).query(comparison(KEPT)) == expected


def test_a_repeated_audit_is_recorded_once(laptop):
    fields = file_fields(Table("ledger_audits", "ledger_audits", keys=()))
    assert {one["name"] for one in fields} == {*AUDIT_TYPES, *AUDIT_RUN_TYPES}
    given = {name("ledger_audits"): (fields, [])}
    warehouse, quoted = laptop(given), name("ledger_audits")
    run = {"run_id": "r", "start_ledger": "10", "end_ledger": "19", "is_healed": "false", "complete_ledgers": "500"}
    run |= {"runs_per_year": "8766.0", "detection_probability": "0.25"}
    plain = dict.fromkeys(AUDIT_TYPES, "0") | {"dataset": "p.d", "differing_columns": None}
    rows = [{**plain, "table_id": "a", "row_count": "7"}]
    rows += [{**plain, "table_id": "b", "different_rows": "2", "differing_columns": "x, y"}]
    for _ in range(2):
        warehouse.query(record_audit(quoted, START, run, rows))
    recorded = warehouse.query(Statement(f"SELECT table_id, different_rows, differing_columns FROM {quoted}"))
    assert rows_of(recorded) == rows_of(
        [
            {"table_id": "a", "different_rows": 0, "differing_columns": None},
            {"table_id": "b", "different_rows": 2, "differing_columns": "x, y"},
        ]
    )
    warehouse.query(record_audit(quoted, START, {**run, "run_id": "later"}, rows[:1]))
    (later, first) = sorted(warehouse.query(last_audits(quoted, START)), key=lambda one: one["table_count"])
    assert (later["run_id"], later["row_count"], later["different_rows"]) == ("later", 7, 0)
    assert (first["run_id"], first["table_count"], first["different_rows"], first["is_healed"]) == ("r", 2, 2, False)
    assert first["detection_probability"] == 0.25
