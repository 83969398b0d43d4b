"""Params, run ids, manifests, schema files and job ids of any content are valid, or refused in one line."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stellar_etl.cli.options import pairs
from stellar_etl_airflow.bigquery.jobs import job_id_base
from stellar_etl_airflow.export.contents import Contents, ContentsError
from stellar_etl_airflow.export.exports import extra_fields
from stellar_etl_airflow.export.manifest import (
    ManifestError,
    RefusedExportError,
    StoredObject,
    combined_manifest,
    derived_manifest,
    read_manifest,
    verified_batch,
)
from stellar_etl_airflow.model.batch import Batch, ExportAttempt, run_folder, staging_table_id
from stellar_etl_airflow.model.ranges import LedgerRange, RangeError, TimeRange, requested_range
from stellar_etl_airflow.model.reset import Removal, requested_removal
from stellar_etl_airflow.model.schema import SchemaError, grown, has_grown, read_schema
from stellar_etl_airflow.model.tables import PUBLISHED
from tests.hostile.inputs import DEEP, NASTY, anything, outcome, scalars, tampered, texts, tried

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 10, tzinfo=UTC)

# Params ------------------------------------------------------------------------------------------------------------

times = st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00+01:00"])
ledgers = st.integers(-1, 200)


@tried(400)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "start_time": times | anything,
            "end_time": times | anything,
            "start_ledger": ledgers | anything,
            "end_ledger": ledgers | anything,
            "checkpoint_ledger": ledgers | anything,
        },
    )
)
@example({"start_time": "0001-01-01T00:00:00+14:00", "end_time": "2026-01-01T00:00:00Z"})
@example({"checkpoint_ledger": "x"})
@example({"start_ledger": 3.9, "end_ledger": 4})
@example({"start_ledger": 1e999, "end_ledger": 1e999})
def test_requested_ranges_are_valid_or_refused(params):
    requested = outcome("params", lambda: requested_range(params, TimeRange(START, END)), RangeError)
    if isinstance(requested, TimeRange):
        assert requested.start < requested.end
    elif isinstance(requested, LedgerRange):
        assert 1 <= requested.start <= requested.end
        assert {requested.start, requested.end} <= set(params.values()), "the number differs from the param"


@tried(200)
@given(
    st.fixed_dictionaries(
        {"what": st.sampled_from(["range", "table", "dataset"]) | anything},
        optional={
            "data_type": st.sampled_from(sorted(PUBLISHED)) | anything,
            "start_ledger": ledgers | anything,
            "end_ledger": ledgers | anything,
        },
    )
)
@example({"what": "range", "start_ledger": 3.9, "end_ledger": 4})
@example({"what": "table", "data_type": ["ledgers"]})
def test_requested_removals_are_valid_or_refused(params):
    removal = outcome("removals", lambda: requested_removal(params), RangeError)
    if isinstance(removal, Removal):
        assert set(removal.data_types) <= PUBLISHED.keys()
        if removal.ledgers:
            assert (removal.ledgers.start, removal.ledgers.end) == (params["start_ledger"], params["end_ledger"])
        assert (removal.ledgers is not None) == (params["what"] == "range")


@tried(200)
@given(st.fixed_dictionaries({}, optional={"start": ledgers | anything, "end": ledgers | anything}) | anything)
@example({"start": 1e999, "end": 5})
@example({"start": 3.9, "end": 5})
def test_results_of_the_time_pod_are_valid_or_refused(value):
    found = outcome("time pod's results", lambda: LedgerRange.from_half_open(value), RangeError)
    if isinstance(found, LedgerRange):
        assert found.start == int(value["start"]) == float(value["start"])
        assert found.start <= found.end


# Names -------------------------------------------------------------------------------------------------------------

run_ids = texts.filter(lambda text: not re.search("[\ud800-\udfff]", text))  # no database stores a single surrogate


@tried(200)
@given(run_ids, run_ids)
def test_run_ids_stay_within_their_folder(run_id, other):
    def begin(run_id):
        return ExportAttempt.begin(
            LedgerRange(3, 9), object_prefix="exports", run_id=run_id, started_at=START, suffix="ab"
        )

    attempt = outcome("run ids", lambda: begin(run_id))
    if run_id:
        parts = PurePosixPath(attempt.prefix).parts
        assert len(parts) == 3 and not {"..", "."} & set(parts), attempt.prefix
        assert len(attempt.prefix.split("/")) == 3
    assert (begin(other) == attempt) == (run_id == other)
    assert ExportAttempt.at(attempt.ledgers, attempt.prefix) == attempt
    assert ExportAttempt.from_json(json.loads(json.dumps(attempt.to_json()))) == attempt
    assert re.fullmatch(r"[\w.~%/-]+", attempt.manifest_object, re.ASCII)
    assert attempt.prefix.startswith(run_folder("exports", run_id) + "/")


@tried(200)
@given(texts)
def test_names_of_attempts_are_valid_or_refused(name):
    attempt = outcome("attempts", lambda: ExportAttempt.at(LedgerRange(3, 9), f"exports/run/{name}"), ValueError)
    if isinstance(attempt, ExportAttempt):
        assert datetime.fromisoformat(attempt.started_at).tzinfo


@tried(200)
@given(texts, texts, texts, texts)
@example("a", "b_c", "a_b", "c")
def test_tables_and_jobs_have_unique_valid_names(dag_id, run_id, other_dag, other_run):
    tables = {staging_table_id("accounts", *ids) for ids in ((dag_id, run_id), (other_dag, other_run))}
    jobs = {job_id_base(*ids, "merge", "load") for ids in ((dag_id, run_id), (other_dag, other_run))}
    assert len(tables) == len(jobs) == len({(dag_id, run_id), (other_dag, other_run)})
    for table in tables:
        assert re.fullmatch(r"accounts_staging_[0-9a-f]{16}", table)
    for job in jobs:  # https://cloud.google.com/bigquery/docs/running-jobs#generate-jobid
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,1000}", job)


@tried(200)
@given(st.dictionaries(run_ids.filter(lambda key: key and "=" not in key), run_ids, max_size=3))
def test_fields_for_all_rows_pass_the_command_line_unchanged(fields):
    assert outcome("extra fields", lambda: pairs("-u")(extra_fields(fields))) == fields


# Manifests ---------------------------------------------------------------------------------------------------------

ATTEMPT = ExportAttempt.begin(LedgerRange(3, 5), object_prefix="exports", run_id="r", started_at=START, suffix="ab")
FILE_NAMES = {"ledgers": "ledgers.txt", "operations": "operations.txt"}
OBJECTS = {ATTEMPT.object_name(name): StoredObject(100, "AAAAAA==") for name in FILE_NAMES.values()}
MANIFEST = {
    "version": 1,
    "network_passphrase": "net",
    "start_ledger": 3,
    "end_ledger": 5,
    "ledgers": 3,
    "first_ledger_hash": "aa",
    "last_ledger_hash": "bb",
    "first_closed_at": "2026-01-01T00:00:00Z",
    "last_closed_at": "2026-01-01T00:00:10Z",
    "failed_transforms": 0,
    "left_out": [],
    "files": [
        {"type": type_, "name": ATTEMPT.object_name(name), "rows": 3, "bytes": 100, "crc32c": "AAAAAA=="}
        for type_, name in FILE_NAMES.items()
    ],
}


REFUSALS = (ManifestError, RefusedExportError)


def verify(manifest):
    return verified_batch(manifest, ATTEMPT, "bucket", FILE_NAMES, OBJECTS, passphrase="net")


SOUND = verify(MANIFEST)


def check_batch(batch):
    """Check the values from which later tasks create parameters and conditions."""
    assert batch.network_passphrase == "net" and batch.ledgers == 3 and batch.range == LedgerRange(3, 5)
    assert batch.files.keys() == FILE_NAMES.keys()
    for data_type, file in batch.files.items():
        assert file.uri == f"gs://bucket/{ATTEMPT.object_name(FILE_NAMES[data_type])}"
        assert (type(file.rows), file.bytes, file.crc32c) == (int, 100, "AAAAAA==")
        assert file.rows >= 0
    for moment in (batch.first_closed_at, batch.last_closed_at):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment, re.ASCII), moment
    assert Batch.from_json(json.loads(json.dumps(batch.to_json()))) == batch


@tried(500)
@given(tampered(MANIFEST))
@example({**MANIFEST, "failed_transforms": float("nan")})
@example({**MANIFEST, "failed_transforms": -5})
@example({**MANIFEST, "left_out": [{"type": "operations", "ledger": 4, "rows": 1}]})
@example({**MANIFEST, "left_out": [{"type": [], "ledger": 4, "rows": 0}]})
@example({**MANIFEST, "left_out": [{"type": "operations", "ledger": 9, "rows": 0}]})
@example({**MANIFEST, "left_out": [{"type": "operations", "ledger": 4, "rows": 10**9}, {"type": "a"}]})
@example({**MANIFEST, "first_closed_at": "' OR 1=1 --"})
@example({**MANIFEST, "last_closed_at": {"a": 1}})
@example({**MANIFEST, "files": [{**file, "rows": 1e999} for file in MANIFEST["files"]]})
@example({**MANIFEST, "files": [{**file, "rows": -1} for file in MANIFEST["files"]]})
@example({**MANIFEST, "files": [{**file, "bytes": 100.9} for file in MANIFEST["files"]]})
def test_manifests_are_valid_or_refused(manifest):
    def read():
        return verify(read_manifest(json.dumps(manifest), "m.json"))

    batch = outcome("manifests", read, *REFUSALS)
    if isinstance(batch, Batch):
        check_batch(batch)


@tried(300)
@given(tampered(MANIFEST), tampered(MANIFEST))
def test_manifests_of_several_pods_are_combined_or_refused(first, second):
    def combined():
        read = {str(number): read_manifest(json.dumps(one), "m") for number, one in enumerate((first, second))}
        return combined_manifest(read)

    manifest = outcome("combined manifests", combined, ManifestError)
    if isinstance(manifest, dict):
        batch = outcome("combined manifests", lambda: verify(manifest), *REFUSALS)
        if isinstance(batch, Batch):
            check_batch(batch)


@pytest.mark.parametrize("text", [*NASTY, DEEP, '{"files": ' + DEEP + "}", "9" * 5000])
def test_invalid_manifests_are_refused(text):
    assert isinstance(outcome("manifests", lambda: verify(read_manifest(text, "m.json")), ManifestError), ManifestError)


HEADERS = [
    {
        "sequence": sequence,
        "ledger_hash": f"hash{sequence}",
        "previous_ledger_hash": f"hash{sequence - 1}",
        "closed_at": f"2026-01-01T00:00:0{sequence}Z",
        "successful_transaction_count": 1,
        "failed_transaction_count": 0,
        "tx_set_operation_count": 1,
    }
    for sequence in (3, 4, 5)
]


def contents_of(**rows):
    contents = Contents()
    for data_type, some in rows.items():
        contents.counter(data_type).write("".join(json.dumps(row) + "\n" for row in some).encode())
    return contents


OPERATION_ROWS = [
    {"ledger_sequence": n, "transaction_id": n << 32, "type": 1, "details": {"asset_type": "native"}} for n in (3, 4, 5)
]


def derive(headers):
    return derived_manifest(ATTEMPT, "net", headers, contents_of(operations=OPERATION_ROWS), FILE_NAMES, OBJECTS)


TRANSACTION_ROWS = [{"ledger_sequence": n, "id": n << 32, "successful": True} for n in (3, 4, 5)]


@tried(300)
@given(tampered(TRANSACTION_ROWS), tampered(OPERATION_ROWS))
def test_rows_for_a_derived_manifest_are_counted_or_refused(transactions, operations):
    def counted():
        rows = [value if isinstance(value, list) else [value] for value in (transactions, operations)]
        return contents_of(transactions=rows[0], operations=rows[1], effects=[])

    contents = outcome("rows", counted, ContentsError)
    if isinstance(contents, Contents):
        assert all(count >= 0 for counts in contents.lacking().values() for count in counts.values())


@tried(400)
@given(tampered(HEADERS))
@example([{**header, "tx_set_operation_count": 1e999} for header in HEADERS])
@example([{**HEADERS[0], "closed_at": [1]}, *HEADERS[1:]])
@example([{**HEADERS[0], "closed_at": "' OR 1=1 --"}, *HEADERS[1:]])
def test_rows_of_ledgers_for_a_manifest_are_read_or_refused(headers):
    lines = headers if isinstance(headers, list) else [headers]

    def derived():
        return verify(derive("".join(json.dumps(line) + "\n" for line in lines)))

    batch = outcome("derived manifests", derived, *REFUSALS)
    if isinstance(batch, Batch):
        check_batch(batch)


@pytest.mark.parametrize("text", [DEEP + "\n", "9" * 5000 + "\n", "\0\n", "\n\n\n", "{}\n{}\n{}\n"])
def test_invalid_rows_of_ledgers_are_refused(text):
    assert isinstance(outcome("derived manifests", lambda: derive(text), *REFUSALS), ManifestError)


def test_valid_manifests_pass():
    check_batch(SOUND)
    check_batch(verify(derive("".join(json.dumps(line) + "\n" for line in HEADERS))))


# Schema files ------------------------------------------------------------------------------------------------------

SCHEMA = [
    {"name": "id", "type": "INTEGER", "mode": "REQUIRED", "description": "its number"},
    {"name": "tags", "type": "STRING", "mode": "REPEATED"},
    {"name": "details", "type": "RECORD", "fields": [{"name": "amount", "type": "NUMERIC"}]},
]


@tried(400)
@given(tampered(SCHEMA), tampered(SCHEMA, scalars))
@example([{"name": 5, "type": "STRING"}], SCHEMA)
@example([{"name": "a"}], SCHEMA)
@example(SCHEMA, [{**SCHEMA[0], "type": "\x1e"}])
@example(SCHEMA, [{**SCHEMA[0], "mode": "\n"}])
@example([{"name": "details", "type": "RECORD", "fields": 5}], SCHEMA)
def test_schema_files_are_valid_or_refused(tmp_path_factory, first, second):
    folder = tmp_path_factory.getbasetemp() / "schemas"
    folder.mkdir(exist_ok=True)

    def read(value):
        (folder / "t_schema.json").write_text(json.dumps(value))
        return read_schema(str(folder), "t")

    fields = outcome("schema files", lambda: read(first), SchemaError)
    other = outcome("schema files", lambda: read(second), SchemaError)
    for existing, wanted in ((SCHEMA, fields), (fields, other)):
        if isinstance(existing, list) and isinstance(wanted, list):
            result = outcome("grown schemas", lambda e=existing, w=wanted: grown(e, w), SchemaError)
            if isinstance(result, list):
                assert [field["name"] for field in result][: len(existing)] == [field["name"] for field in existing]
                has_grown(existing, result)


@pytest.mark.parametrize("content", [DEEP.encode(), b"\xff\xfe", b"", b"9" * 5000, b"[1]", b'[{"name": "a"}]'])
def test_invalid_schema_files_are_refused(tmp_path, content):
    (tmp_path / "t_schema.json").write_bytes(content)
    assert isinstance(outcome("schema files", lambda: read_schema(str(tmp_path), "t"), SchemaError), SchemaError)


def test_an_unreadable_schema_file_is_refused(tmp_path):
    (tmp_path / "t_schema.json").mkdir()
    for folder in (str(tmp_path), f"{tmp_path}/t_schema.json/x", "\0", "x" * 5000):
        assert isinstance(outcome("schema files", lambda f=folder: read_schema(f, "t"), SchemaError), SchemaError)
