"""Loads of newline-delimited JSON into the local warehouse: accepted forms, refused forms, all or nothing."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from decimal import Decimal
from pathlib import Path

import google.cloud.bigquery as bq
import pytest
from google.api_core.exceptions import BadRequest, Conflict, GoogleAPICallError, NotFound
from google.cloud.bigquery import SchemaField

from tests.local.emulators import DATASET

_numbers = itertools.count()


@pytest.fixture
def bucket(folder) -> Path:
    """The folder of the bucket ``b``."""
    (folder / "gcs" / "b").mkdir(exist_ok=True)
    return folder / "gcs" / "b"


@pytest.fixture
def table() -> str:
    return f"{DATASET}.t{next(_numbers)}"


def load(client: bq.Client, table: str, *objects: str, **options) -> bq.LoadJob:
    config = bq.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", **options)
    job = client.load_table_from_uri([f"gs://b/{name}" for name in objects], table, job_config=config, retry=None)
    return job.result(retry=None)


def write(path: Path, *lines: dict | str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path.name


def only_row(client: bq.Client, table: str) -> dict:
    (row,) = client.query(f"SELECT * FROM `{table}`").result()
    return dict(row.items())


SCHEMA = [
    SchemaField("id", "INTEGER", mode="REQUIRED"),
    SchemaField("balance", "FLOAT"),
    SchemaField("amount", "NUMERIC"),
    SchemaField("ok", "BOOLEAN"),
    SchemaField("name", "STRING"),
    SchemaField("day", "DATE"),
    SchemaField("closed_at", "TIMESTAMP"),
    SchemaField("batch_run_date", "DATETIME"),
    SchemaField("wasm", "BYTES"),
    SchemaField("details_json", "JSON"),
    SchemaField("signers", "STRING", mode="REPEATED"),
    SchemaField(
        "details",
        "RECORD",
        fields=[
            SchemaField("from", "STRING"),
            SchemaField("amount", "INTEGER"),
            SchemaField(
                "claimants",
                "RECORD",
                mode="REPEATED",
                fields=[SchemaField("and", "INTEGER", mode="REPEATED"), SchemaField("not", "BOOLEAN")],
            ),
        ],
    ),
]
FULL = {
    "id": 132379546421882881,
    "balance": 1.5,
    "amount": "12345678901234567890.123456789",
    "ok": True,
    "name": "näme <&>",
    "day": "2026-11-21",
    "closed_at": "2020-07-28T00:10:40Z",
    "batch_run_date": "2020-07-28T00:10:00",
    "wasm": "AAECAw==",
    "details_json": {"b": [1, {"x": None}], "a": "ü"},
    "signers": ["x", "y"],
    "details": {"from": "G", "amount": 7, "claimants": [{"and": [1, 2], "not": False}, {"not": None}]},
}


def test_every_type_is_loaded(client, bucket, table):
    client.create_table(bq.Table(table, SCHEMA))
    job = load(client, table, write(bucket / "full.txt", FULL))
    assert job.output_rows == 1
    assert only_row(client, table) == {
        "id": 132379546421882881,
        "balance": 1.5,
        "amount": Decimal("12345678901234567890.123456789"),
        "ok": True,
        "name": "näme <&>",
        "day": dt.date(2026, 11, 21),
        "closed_at": dt.datetime(2020, 7, 28, 0, 10, 40, tzinfo=dt.UTC),
        "batch_run_date": dt.datetime(2020, 7, 28, 0, 10),
        "wasm": b"\x00\x01\x02\x03",
        "details_json": {"b": [1, {"x": None}], "a": "ü"},
        "signers": ["x", "y"],
        "details": {
            "from": "G",
            "amount": 7,
            "claimants": [{"and": [1, 2], "not": False}, {"and": [], "not": None}],
        },
    }


def test_missing_and_null_fields_become_null_or_empty_arrays(client, bucket, table):
    client.create_table(bq.Table(table, SCHEMA))
    nulls = {"id": 1, **{field.name: None for field in SCHEMA[1:]}}
    load(client, table, write(bucket / "nulls.txt", {"id": 1}, nulls))
    one, two = (dict(row.items()) for row in client.query(f"SELECT * FROM `{table}`").result())
    assert one == two == {**{field.name: None for field in SCHEMA}, "id": 1, "signers": []}


def test_one_record_in_place_of_an_array_becomes_its_only_element(client, bucket, table):
    """The exporter writes prices and predicates so, and the published tables have arrays of them."""
    client.create_table(bq.Table(table, SCHEMA))
    load(client, table, write(bucket / "one.txt", {"id": 1, "details": {"claimants": {"and": [1], "not": True}}}))
    assert only_row(client, table)["details"]["claimants"] == [{"and": [1], "not": True}]


RECORDS = SchemaField(
    "r",
    "RECORD",
    fields=[
        SchemaField("x", "RECORD", fields=[SchemaField("n", "NUMERIC"), SchemaField("all", "STRING", mode="REPEATED")]),
        SchemaField(
            "y",
            "RECORD",
            fields=[SchemaField("in", "RECORD", fields=[SchemaField("any", "JSON")]), SchemaField("n", "FLOAT")],
        ),
        SchemaField(
            "many",
            "RECORD",
            mode="REPEATED",
            fields=[SchemaField("a", "STRING"), SchemaField("b", "RECORD", fields=[SchemaField("n", "INTEGER")])],
        ),
    ],
)
NOTHING = {"x": None, "y": None, "many": []}


@pytest.mark.parametrize(
    ("given", "loaded"),
    [
        ({}, NOTHING),
        ({"x": {}}, NOTHING | {"x": {"n": None, "all": []}}),
        ({"x": {"n": "1.5", "all": ["a", 1]}}, NOTHING | {"x": {"n": Decimal("1.5"), "all": ["a", "1"]}}),
        ({"y": {}}, NOTHING | {"y": {"in": None, "n": None}}),
        ({"y": {"in": {"any": [1]}, "n": 2}}, NOTHING | {"y": {"in": {"any": "[1]"}, "n": 2.0}}),
        ({"many": []}, NOTHING),
        ({"many": {"a": 1}}, NOTHING | {"many": [{"a": "1", "b": None}]}),
        ({"many": [{"b": {}}, {"b": {"n": "7"}}]}, NOTHING | {"many": [{"a": None, "b": {"n": n}} for n in (None, 7)]}),
        ({"many": [{"b": {"n": 7}}, {}]}, NOTHING | {"many": [{"a": None, "b": b} for b in ({"n": 7}, None)]}),
    ],
    ids=str,
)
def test_a_line_loads_the_same_row_whatever_other_lines_have(client, bucket, table, given, loaded):
    schema = [SchemaField("id", "INTEGER"), RECORDS]
    full = {"x": {"n": 1, "all": []}, "y": {"in": {"any": {}}, "n": 1.5}, "many": [{"a": "a", "b": {"n": 1}}]}
    for others in ([], [{}], [{"r": None}], [{"r": {}}], [{"r": full}], [{"r": full}, {}, {"r": {"many": {"a": "a"}}}]):
        client.delete_table(table, not_found_ok=True)
        client.create_table(bq.Table(table, schema))
        load(client, table, write(bucket / "lines.txt", *others, {"id": 1, "r": given}, *others))
        (row,) = client.query(f"SELECT r FROM `{table}` WHERE id = 1").result()
        assert row["r"] == loaded


def test_seconds_since_1970_are_a_timestamp(client, bucket, table):
    client.create_table(bq.Table(table, [SchemaField("t", "TIMESTAMP")]))
    load(client, table, write(bucket / "epoch.txt", {"t": 1595895040}))
    assert only_row(client, table) == {"t": dt.datetime(2020, 7, 28, 0, 10, 40, tzinfo=dt.UTC)}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": None}, "id"),
        ({"id": 1.7}, "id"),
        ({"id": "x"}, "x"),
        ({"balance": "x"}, "x"),
        ({"amount": "0.1234567891"}, "amount"),
        ({"closed_at": "yesterday"}, "yesterday"),
        ({"batch_run_date": "2020-07-28T00:10:00Z"}, "batch_run_date"),
        ({"batch_run_date": "2020-07-28T00:10:00+00:00"}, "batch_run_date"),
        ({"unknown": 1}, "No such field: unknown"),
        ({"details": {"amount": 1.5}}, "details.amount"),
        ({"details": {"unknown": 1}}, "No such field: details.unknown"),
        ({"details": {"claimants": [1]}}, "record: details.claimants"),
        ({"details": {"claimants": {"and": [1.5]}}}, "details.claimants.and"),
        ({"details": {"claimants": [{"or": 1}]}}, "No such field: details.claimants.or"),
        ({"details": {"claimants": [{"not": True}, None]}}, "set to NULL. Field: details.claimants"),
        ({"details": {"claimants": [{"not": True}, 1]}}, "record: details.claimants"),
        ({"details": {"claimants": [{"not": {}}, {"not": True}]}}, "details.claimants.not"),
        ({"details": {"claimants": [{"and": [1, None]}]}}, "set to NULL. Field: details.claimants.and"),
        ({"signers": ["x", None]}, "set to NULL. Field: signers"),
        ({"signers": ["x", {}]}, "signers"),
    ],
    ids=str,
)
def test_rows_that_bigquery_refuses_are_refused(client, bucket, table, change, reason):
    client.create_table(bq.Table(table, SCHEMA))
    with pytest.raises(BadRequest, match=reason):
        load(client, table, write(bucket / "bad.txt", FULL, {**FULL, **change}))
    assert client.get_table(table).num_rows == 0


def test_a_line_that_is_not_json_is_refused(client, bucket, table):
    client.create_table(bq.Table(table, SCHEMA))
    with pytest.raises(BadRequest):
        load(client, table, write(bucket / "cut.txt", FULL, '{"id": 1, "na'))


def test_unknown_fields_can_be_ignored(client, bucket, table):
    client.create_table(bq.Table(table, SCHEMA))
    load(client, table, write(bucket / "more.txt", {"id": 1, "unknown": 1}), ignore_unknown_values=True)
    assert client.get_table(table).num_rows == 1


def test_an_empty_file_loads_no_rows(client, bucket, table):
    client.create_table(bq.Table(table, SCHEMA))
    (bucket / "empty.txt").touch()
    assert load(client, table, "empty.txt").output_rows == 0


def test_output_rows_counts_the_rows_of_the_load(client, bucket, table):
    client.create_table(bq.Table(table, SCHEMA))
    name = write(bucket / "rows.txt", {"id": 1}, {"id": 2})
    assert load(client, table, name).output_rows == 2
    assert load(client, table, name, name).output_rows == 4
    assert client.get_table(table).num_rows == 6


def test_a_missing_object_is_an_error_and_the_table_keeps_its_rows(client, bucket, table):
    client.create_table(bq.Table(table, SCHEMA))
    load(client, table, write(bucket / "kept.txt", {"id": 1}))
    with pytest.raises(NotFound, match="gs://b/absent.txt"):
        load(client, table, "absent.txt", write_disposition="WRITE_TRUNCATE")
    assert client.get_table(table).num_rows == 1


def test_truncate_replaces_all_rows_or_none(client, bucket, table):
    client.create_table(bq.Table(table, SCHEMA))
    load(client, table, write(bucket / "old.txt", {"id": 1}, {"id": 2}))
    with pytest.raises(BadRequest):
        load(client, table, write(bucket / "bad.txt", {"id": 3}, {"id": "x"}), write_disposition="WRITE_TRUNCATE")
    assert client.get_table(table).num_rows == 2
    job = load(client, table, write(bucket / "new.txt", {"id": 3}), write_disposition="WRITE_TRUNCATE")
    assert (job.output_rows, only_row(client, table)["id"]) == (1, 3)


def test_write_empty_refuses_a_table_with_rows(client, bucket, table):
    client.create_table(bq.Table(table, SCHEMA))
    name = write(bucket / "row.txt", {"id": 1})
    load(client, table, name, write_disposition="WRITE_EMPTY")
    with pytest.raises(Conflict):
        load(client, table, name, write_disposition="WRITE_EMPTY")


def test_create_never_needs_the_table(client, bucket, table):
    name = write(bucket / "row.txt", {"id": 1})
    with pytest.raises(NotFound):
        load(client, table, name, schema=SCHEMA, create_disposition="CREATE_NEVER")
    with pytest.raises(NotFound):
        client.get_table(table)


def test_a_load_creates_the_table_with_its_partitions_or_none(client, bucket, table):
    layout = {
        "schema": SCHEMA,
        "time_partitioning": bq.TimePartitioning(type_="DAY", field="closed_at"),
        "clustering_fields": ["id"],
    }
    with pytest.raises(BadRequest):
        load(client, table, write(bucket / "bad.txt", {"id": "x"}), **layout)
    with pytest.raises(NotFound):
        client.get_table(table)
    load(client, table, write(bucket / "row.txt", {"id": 1}), **layout)
    made = client.get_table(table)
    assert (made.num_rows, made.time_partitioning.field, made.clustering_fields) == (1, "closed_at", ["id"])


def test_an_explicit_schema_must_fit_the_table(client, bucket, table):
    client.create_table(bq.Table(table, SCHEMA[:2]))
    name = write(bucket / "row.txt", {"id": 1, "name": "x"})
    with pytest.raises(BadRequest):
        load(client, table, name, schema=[*SCHEMA[:2], SCHEMA[4]])
    load(client, table, name, schema=[*SCHEMA[:2], SCHEMA[4]], schema_update_options=["ALLOW_FIELD_ADDITION"])
    assert only_row(client, table) == {"id": 1, "balance": None, "name": "x"}


def test_an_object_name_is_used_unchanged(client, bucket, table):
    client.create_table(bq.Table(table, SCHEMA))
    run = "exports/manual__2026-01-01T00%3A10%3A00%2B00%3A00/1/[x]?.txt"
    write(bucket / run, {"id": 1})
    write(bucket / run.replace("%3A", ":").replace("%2B", "+"), {"id": 2})
    load(client, table, run)
    assert only_row(client, table)["id"] == 1


def test_an_asterisk_matches_any_text(client, bucket, table):
    client.create_table(bq.Table(table, SCHEMA))
    for n in range(3):
        write(bucket / "many" / str(n) / "row.txt", {"id": n})
    assert load(client, table, "many/*.txt").output_rows == 3


def test_a_failed_job_returns_its_error_when_it_is_read(client, table):
    with pytest.raises(GoogleAPICallError):
        load(client, table, "absent.txt", schema=SCHEMA)
    job = client.load_table_from_uri(
        "gs://b/absent.txt",
        table,
        job_id="looked-up",
        job_config=bq.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", schema=SCHEMA),
    )
    found = client.get_job(job.job_id)
    assert (found.state, found.error_result["reason"]) == ("DONE", "notFound")
