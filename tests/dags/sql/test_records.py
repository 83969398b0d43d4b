"""Records keep their values when rows move between tables whose nested fields are in a different order."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import google.cloud.bigquery as bq
import pytest
from google.api_core.exceptions import BadRequest

from stellar_etl_airflow.bigquery.jobs import query_job
from stellar_etl_airflow.model.tables import Publish, Table
from stellar_etl_airflow.model.versions import Folded
from stellar_etl_airflow.sql.derived import selected_fields
from stellar_etl_airflow.sql.publish import publish
from stellar_etl_airflow.sql.records import moved, moved_rows, select_list, unchanged
from stellar_etl_airflow.sql.statement import range_parameters, table_name
from stellar_etl_airflow.sql.take_over import copy
from stellar_etl_airflow.sql.versions import ENDS, Log, begin, current_view, fold, history_view, replace_base
from tests.dags.sql.statements import aged_records, reversed_records

CHANGES = Table("things", "things", keys=("id", "ledger_sequence"), entry_keys=("id",))
FIRST_SEEN = Table("things", "things", keys=("id",), publish=Publish.KEEP_EARLIEST)
CLOSED = datetime(2026, 1, 1, tzinfo=UTC)
RANGE = range_parameters(1, 9, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z")


def field(name, type_="STRING", mode="NULLABLE", *fields):
    return {"name": name, "type": type_, "mode": mode, **({"fields": list(fields)} if fields else {})}


DEEP = field(
    "deep", "RECORD", "REPEATED", field("x"), field("y"), field("tags", mode="REPEATED"), field("n", "INTEGER")
)
FILE = [
    field("id", "INTEGER"),
    field("details", "RECORD", "NULLABLE", field("from"), field("to"), DEEP, field("amount", "FLOAT")),
    field("path", "RECORD", "REPEATED", field("code"), field("issuer"), field("price", "RECORD", "NULLABLE", DEEP)),
    field("ledger_sequence", "INTEGER"),
    field("deleted", "BOOLEAN"),
    field("closed_at", "TIMESTAMP"),
]
NAMES = [one["name"] for one in FILE]
ORDERS = {"as the file": FILE, "reversed": reversed_records(FILE), "aged": aged_records(FILE)}


def deep(n):
    return [{"x": f"x{n}-{i}", "y": f"y{n}-{i}", "tags": ["a", f"b{i}"], "n": i} for i in range(3)]


def row(n, details, path=()):
    common = {"ledger_sequence": n, "deleted": False, "closed_at": "2026-01-01T00:00:00Z"}
    return {"id": n, "details": details, "path": list(path), **common}


ROWS = [
    row(1, {"from": "f1", "to": "t1", "deep": deep(1), "amount": 1.5}, [{"code": "A", "issuer": "i", "price": None}]),
    row(2, {"from": "f2", "to": None, "deep": [], "amount": None}),
    row(3, None),
    row(4, None, [{"code": f"C{i}", "issuer": f"I{i}", "price": {"deep": deep(i)}} for i in range(4)]),
]


@pytest.fixture
def make(client, warehouse_server):
    """Create a table whose nested fields have the given order, with rows; return its quoted name."""
    _, folder = warehouse_server

    def make(table_id, order, rows=(), ends=()):
        name = f"local.stellar.{table_id}"
        fields = [*ORDERS[order], *map(dict, ends)]
        client.create_table(bq.Table(name, [bq.SchemaField.from_api_repr(one) for one in fields]))
        if rows:
            (folder / "exports").mkdir(parents=True, exist_ok=True)
            (folder / "exports" / table_id).write_text("".join(json.dumps(one) + "\n" for one in rows))
            config = bq.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON")
            client.load_table_from_uri(f"gs://exports/{table_id}", name, job_config=config).result()
        return table_name("local", "stellar", table_id)

    return make


@pytest.fixture
def contents(client):
    """Return the rows of the table, without the columns of an older release."""

    def without(value):
        if isinstance(value, dict):
            return {key: without(part) for key, part in value.items() if key != "of_an_older_release"}
        return [without(part) for part in value] if isinstance(value, list) else value

    def contents(name):
        rows = [dict(one.items()) for one in client.query(f"SELECT * FROM {name} ORDER BY id").result()]
        kept = {*NAMES} - {"closed_at"}
        return [{key: without(value) for key, value in one.items() if key in kept} for one in rows]

    return contents


@pytest.fixture
def run(client):
    def run(statement):
        configuration = query_job("test", statement, 1 << 40).configuration
        client.query(statement.sql, bq.QueryJobConfig.from_api_repr(configuration)).result()

    return run


def within(order, rows):
    """Return rows as a table with this order of nested fields can store them; missing values are empty."""
    lacks = {"amount", "price", "n"} if order == "aged" else set()

    def kept(value):
        if isinstance(value, dict):
            return {key: kept(part) for key, part in value.items() if key not in lacks}
        return [kept(part) for part in value] if isinstance(value, list) else value

    return [{key: kept(value) for key, value in one.items() if key != "closed_at"} for one in rows]


def statements(into, staging, columns):
    """Return each kind of statement that copies rows from a staging table."""
    return {
        "replace_range": publish(CHANGES, into, staging, columns, RANGE),
        "keep_earliest": publish(FIRST_SEEN, into, staging, columns, RANGE),
        "fold": fold(Log(CHANGES, staging, into, columns), Folded(), 9, CLOSED),
        "replace_base": replace_base(into, staging, columns),
        "begin": begin(Log(CHANGES, staging, into, columns), staging, columns, Folded().begun(9, CLOSED)),
        "copy": copy(CHANGES, into, staging, columns, (), RANGE),
    }


KINDS = list(statements("`a`", "`b`", unchanged(NAMES)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("source", "target"), [("reversed", "as the file"), ("as the file", "aged")])
def test_each_value_lands_in_the_field_of_the_same_name(make, contents, run, kind, source, target):
    staging = make("staging", source, ROWS)
    into = make("published", target, ends=ENDS if kind in ("fold", "begin") else ())
    columns = moved(ORDERS[source], ORDERS[target], NAMES)
    run(statements(into, staging, columns)[kind])
    assert contents(into) == within(target, ROWS)


@pytest.mark.parametrize("kind", ["replace_range", "fold", "begin"])
def test_the_laptop_refuses_a_record_that_bigquery_would_copy_into_the_wrong_field(make, run, kind):
    ends = ENDS if kind in ("fold", "begin") else ()
    staging, into = make("staging", "reversed", ROWS), make("published", "as the file", ends=ends)
    with pytest.raises(BadRequest, match=r"Column details: BigQuery matches the fields of a RECORD by position"):
        run(statements(into, staging, unchanged(NAMES))[kind])


@pytest.mark.parametrize("view", [current_view, history_view])
def test_views_match_full_load_versions_and_changes_by_field_name(make, contents, run, view):
    base, changes, into = (
        make("base", "aged", within("aged", ROWS[:2])),
        make("log", "reversed", ROWS),
        make("versions", "as the file", ends=ENDS),
    )
    log = Log(CHANGES, changes, into, moved(ORDERS["reversed"], FILE, NAMES))
    begun = Folded().begun(2, CLOSED)
    run(begin(log, base, moved(ORDERS["aged"], FILE, NAMES), begun))
    for folded in (begun, begun.folded_to(3, CLOSED), begun.folded_to(4, CLOSED)):
        if folded != begun:
            run(fold(log, begun, folded.ledger - 1, CLOSED))
        found = contents(f"({view(log, folded)})")
        assert found[2:] == within("reversed", ROWS[2:])
        assert found[0]["details"] == {
            **ROWS[0]["details"],
            "amount": None,
            "deep": [{**one, "n": None} for one in deep(1)],
        }
        assert found[0]["path"] == [{"code": "A", "issuer": "i", "price": None}]


def test_records_with_the_same_order_are_copied_unchanged():
    assert moved(FILE, FILE, NAMES) == unchanged(NAMES)
    assert moved_rows("`p.d.t`", unchanged(NAMES)) == "`p.d.t`"
    assert select_list(unchanged(["a", "b"])) == "`a`, `b`"


def test_only_records_with_a_different_order_are_rebuilt():
    target = [FILE[0], FILE[1], *reversed_records(FILE)[2:]]
    columns = moved(FILE, target, NAMES)
    assert [name for name, value in columns.items() if value != f"`{name}`"] == ["path"]


def test_a_column_that_is_missing_in_one_table_is_named():
    with pytest.raises(KeyError, match="path"):
        moved([one for one in FILE if one["name"] != "path"], FILE, NAMES)


def test_a_derived_table_gets_records_from_its_source_or_names_one_that_it_cannot_trace():
    source = [field("details", "RECORD", "NULLABLE", field("b"), field("a")), field("id", "INTEGER")]
    own = [field("details", "RECORD", "NULLABLE", field("a"), field("b")), field("op_id", "INTEGER"), field("batch_id")]
    query = "SELECT\n  o.`details`,\n  o.`id` AS op_id,\n  @batch_id AS batch_id\nFROM {operations} AS o"
    given = selected_fields(query, {"o": source}, own)
    assert [one["name"] for one in given] == ["details", "op_id", "batch_id"]
    assert given[0]["fields"] == source[0]["fields"]
    with pytest.raises(ValueError, match="must select the record details unchanged, on a line of its own"):
        selected_fields(query.replace("o.`details`", "IF(TRUE, o.`details`, NULL) AS details"), {"o": source}, own)
