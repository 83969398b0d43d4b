"""Rows of any content are loaded unchanged into the local warehouse or fail the job, and the server survives."""

from __future__ import annotations

import itertools
import json
import math

import google.cloud.bigquery as bq
import pytest
from google.api_core.exceptions import BadRequest
from google.cloud.bigquery import SchemaField
from hypothesis import example, given
from hypothesis import strategies as st

from tests.hostile.inputs import DEEP, NASTY, TALLIES, anything, damaged, tampered, texts, tried
from tests.local.emulators import bigquery_client, running, warehouse

DATASET = "local.stellar"
SCHEMA = [
    SchemaField("id", "INTEGER", mode="REQUIRED"),
    SchemaField("balance", "FLOAT"),
    SchemaField("amount", "NUMERIC"),
    SchemaField("ok", "BOOLEAN"),
    SchemaField("name", "STRING"),
    SchemaField("closed_at", "TIMESTAMP"),
    SchemaField("batch_run_date", "DATETIME"),
    SchemaField("wasm", "BYTES"),
    SchemaField("details_json", "JSON"),
    SchemaField("tags", "STRING", mode="REPEATED"),
    SchemaField("details", "RECORD", fields=[SchemaField("amount", "INTEGER"), SchemaField("to", "STRING")]),
    SchemaField("parts", "RECORD", mode="REPEATED", fields=[SchemaField("amount", "INTEGER")]),
]
ROW = {
    "id": 1,
    "balance": 1.5,
    "amount": "1.25",
    "ok": True,
    "name": "a",
    "closed_at": "2026-01-01T00:00:00Z",
    "batch_run_date": "2026-01-01T00:00:00",
    "wasm": "AAAA",
    "details_json": {"a": [1]},
    "tags": ["a", "b"],
    "details": {"amount": 1, "to": "x"},
    "parts": [{"amount": 1}],
}
numbers = itertools.count()


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """Load a file's bytes into a separate table; return the ids and names of its rows."""
    folder = tmp_path_factory.mktemp("warehouse")
    with running(warehouse(folder)) as server:
        client = bigquery_client(server)
        client.create_dataset(DATASET)
        (folder / "gcs" / "b").mkdir(parents=True, exist_ok=True)
        config = bq.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", schema=SCHEMA)

        def load(content, name="rows.txt"):
            (folder / "gcs" / "b" / "rows.txt").write_bytes(content)
            table = f"{DATASET}.t{next(numbers)}"
            client.create_table(bq.Table(table, schema=SCHEMA))
            try:
                client.load_table_from_uri(f"gs://b/{name}", table, job_config=config, retry=None).result(retry=None)
            finally:
                rows = [tuple(row) for row in client.query(f"SELECT id, name FROM `{table}`").result()]
                client.delete_table(table)
            return rows

        load.server = server
        assert load(json.dumps(ROW).encode() + b"\n") == [(1, "a")]
        yield load
        assert server.process.poll() is None, "the server died"
        assert load(json.dumps(ROW).encode() + b"\n") == [(1, "a")]


def refused_or_right(load, content, name="rows.txt"):
    """Return the rows, or the error, which must be the job's and not the server's."""
    try:
        rows = load(content, name)
    except BadRequest as error:
        assert "Traceback" not in str(error)
        TALLIES["loads"].outcomes["BadRequest"] += 1
        return error
    TALLIES["loads"].outcomes["rows"] += 1
    return rows


@tried(60)
@given(tampered(ROW))
@example({**ROW, "id": 10**400})
@example({**ROW, "id": 1.5})
@example({**ROW, "balance": math.inf})
@example({**ROW, "name": "\ud800"})
@example({**ROW, "parts": {"amount": "x"}})
@example({**ROW, "'); DROP TABLE t; --": 1})
def test_rows_are_loaded_or_refused(load, row):
    found = refused_or_right(load, json.dumps(row).encode() + b"\n")
    if isinstance(found, list) and isinstance(row, dict) and isinstance(row.get("name"), str):
        assert found == [(int(row["id"]), row["name"])]


@tried(40)
@given(damaged(b"".join(json.dumps({**ROW, "id": number}).encode() + b"\n" for number in range(3))))
def test_damaged_files_are_loaded_or_refused(load, content):
    refused_or_right(load, content)


@tried(30)
@given(st.binary(max_size=100) | anything.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_loaded_or_refused(load, content):
    refused_or_right(load, content)


@pytest.mark.parametrize(
    "content",
    [DEEP.encode(), b'{"id": 1, "details_json": ' + DEEP.encode() + b"}", b'{"id": ' + b"9" * 100_000 + b"}", b"\0\n"],
)
def test_unparsable_rows_are_refused(load, content):
    refused_or_right(load, content)


@pytest.mark.parametrize("name", [text for text in NASTY if "\ud800" not in text and "\0" not in text and text])
def test_names_of_files_stay_in_the_bucket(load, name):
    """A name reaches no file outside the bucket, and no SQL."""
    with pytest.raises(Exception, match=r"(?i)not found|400|404|invalid"):
        load(json.dumps(ROW).encode(), name)


@tried(40)
@given(texts.filter(lambda text: "\ud800" not in text))
def test_texts_are_returned_unchanged(load, text):
    assert refused_or_right(load, json.dumps({"id": 1, "name": text}).encode() + b"\n") == [(1, text)]
