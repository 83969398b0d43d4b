"""Parquet files have the rows of the NDJSON files beside them, with the columns and types of BigQuery's tables."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import google_crc32c
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stellar_etl.schema_files import Columns
from stellar_etl.sinks.parquet import ParquetFile
from stellar_etl.sinks.parquet import schema as parquet_schema
from stellar_etl.transforms.registry import HISTORY, STATE, TYPES
from tests.local import emulators
from tests.shared import SHARED, needs_shared
from tests.stellar_etl.program import BATCH_COLUMNS, Row, command, fail, rows, schema, succeed

NOT_YET = 75
LOADED = [type_ for type_ in (*HISTORY, *STATE) if schema(type_)]
VECTORS = SHARED / "golden" / "vectors"

ARROW = {
    "STRING": pa.string(),
    "JSON": pa.string(),
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "NUMERIC": pa.decimal128(38, 9),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "BYTES": pa.binary(),
}


def table_fields(type_: str) -> list[Mapping[str, Any]]:
    """Return the columns of a type's table, except those that a load adds."""
    return [field for field in schema(type_) if field["name"] not in BATCH_COLUMNS]


# The registry ---------------------------------------------------------------------------------------------------


def as_schema(columns: Columns) -> list[dict[str, Any]]:
    return [
        {"name": name, "type": column.type, "mode": column.mode}
        | ({"fields": in_order(as_schema(column.fields))} if column.fields else {})
        for name, column in columns.items()
    ]


def described(fields: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"name": field["name"], "type": field["type"], "mode": field["mode"]}
        | ({"fields": in_order(described(field["fields"]))} if "fields" in field else {})
        for field in fields
    ]


def in_order(fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort, because the order inside a record has no meaning."""
    return sorted(fields, key=lambda field: field["name"])


def test_every_type_has_columns() -> None:
    assert TYPES.keys() == HISTORY.keys() | STATE.keys()
    assert all(transform.columns for transform in TYPES.values())
    assert TYPES.keys() - set(LOADED) == {"ledger_transaction"}


@pytest.mark.parametrize("type_", LOADED)
def test_the_columns_equal_the_tables(type_: str) -> None:
    assert as_schema(TYPES[type_].columns) == described(table_fields(type_))


@pytest.mark.parametrize(("type_", "record"), [("operations", "claimants.predicate"), ("effects", "predicate")])
def test_predicates_keep_their_earlier_order_in_files(type_: str, record: str) -> None:
    """Readers of many files compare their schemas including the order."""
    kind = parquet_schema(TYPES[type_].columns).field("details").type
    for name in record.split("."):
        kind = kind.field(name).type
        kind = kind.value_type if pa.types.is_list(kind) else kind

    def order(kind: pa.DataType) -> list[Any]:
        fields = kind.value_type if pa.types.is_list(kind) else kind
        return [[field.name, order(field.type)] if field.type.num_fields else field.name for field in fields]

    times = ["abs_before", "rel_before", "unconditional", "abs_before_epoch"]
    assert order(kind) == [
        *(["type"] if type_ == "effects" else []),
        *times,
        ["and", [*times, ["not", times], ["or", [*times, ["or", times]]], ["and", times]]],
        ["not", [*times, ["and", times], ["or", times], ["not", times]]],
        ["or", [*times, ["not", times], ["or", times], ["and", [*times, ["not", times]]]]],
    ]


# Rows -----------------------------------------------------------------------------------------------------------


def arrow_type(field: Mapping[str, Any]) -> pa.DataType:
    if field["type"] == "RECORD":
        single = pa.struct({inner["name"]: arrow_type(inner) for inner in in_order(field["fields"])})
    else:
        single = ARROW[field["type"]]
    return pa.list_(single) if field["mode"] == "REPEATED" else single


def sorted_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(sorted_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct({field.name: sorted_type(field.type) for field in sorted(kind, key=lambda field: field.name)})
    return kind


def expected(value: Any, field: Mapping[str, Any]) -> Any:
    """Return Parquet's value for a value of an NDJSON row, with all fields and without null lists."""
    if field["mode"] == "REPEATED":
        single = {**field, "mode": "NULLABLE"}
        items = value if isinstance(value, list) else [] if value is None else [value]
        return [expected(item, single) for item in items]
    if value is None:
        return None
    match field["type"]:
        case "RECORD":
            return {inner["name"]: expected(value.get(inner["name"]), inner) for inner in field["fields"]}
        case "INTEGER":
            return int(value)
        case "FLOAT":
            return float(value)
        case "NUMERIC":
            return Decimal(str(value))
        case "TIMESTAMP":
            if isinstance(value, int):
                return datetime.fromtimestamp(value, UTC)
            return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        case "BYTES":
            return base64.b64decode(value)
        case "JSON":
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
        case "STRING":
            return str(value)
    return value


def assert_same_rows(type_: str, parquet: Path, ndjson: Path) -> list[Row]:
    table = pq.read_table(parquet)
    fields = table_fields(type_) or described_ledger_transaction()
    assert table.column_names == [field["name"] for field in fields]
    assert {field.name: sorted_type(field.type) for field in table.schema} == {
        field["name"]: arrow_type(field) for field in fields
    }
    found: list[Row] = table.to_pylist()
    whole = {"type": "RECORD", "mode": "NULLABLE", "fields": fields}
    assert found == [expected(row, whole) for row in rows(ndjson)]
    return found


def described_ledger_transaction() -> list[Mapping[str, Any]]:
    """It has no table, so its columns come from its rows."""
    kinds = {"ledger_sequence": "INTEGER", "closed_at": "TIMESTAMP"}
    names = ("ledger_sequence", "tx_envelope", "tx_result", "tx_meta", "tx_fee_meta", "tx_ledger_history", "closed_at")
    return [{"name": name, "type": kinds.get(name, "STRING"), "mode": "NULLABLE"} for name in names]


@pytest.fixture(scope="module")
def exported(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parquet")
    succeed("export_all_history", "-s", 3, "-e", 42, "--datastore-path", lake, "-o", folder, "--write-parquet")
    return folder


@pytest.mark.parametrize("type_", HISTORY)
def test_parquet_has_the_rows_of_the_file_beside_it(exported: Path, type_: str) -> None:
    found = assert_same_rows(type_, exported / f"3-42-{type_}.parquet", exported / f"3-42-{type_}.txt")
    assert found or type_ == "trades"  # the sample network has none


@needs_shared
@pytest.mark.parametrize(
    ("type_", "slug"),
    [
        ("effects", "effects-liquidity_pool_trade"),
        ("effects", "effects-horizon_CreateClaimableBalanceEffectsTestSuite"),
        ("operations", "operations-all_operation_types"),
    ],
)
def test_parquet_has_rows_with_every_nested_column(tmp_path: Path, type_: str, slug: str) -> None:
    cases = json.loads((VECTORS / "vectors.json").read_text())
    sequence = next(case["ledger_sequence"] for case in cases if case["slug"] == slug)
    succeed(
        *(command(type_), "-s", sequence, "-e", sequence, "--datastore-path", VECTORS / "lake" / slug, "--no-verify"),
        *("-o", tmp_path / "rows.txt", "--write-parquet"),
    )
    assert assert_same_rows(type_, tmp_path / f"exported_{type_}.parquet", tmp_path / "rows.txt")


def test_extra_fields_are_text_columns(lake: Path, tmp_path: Path) -> None:
    export = ("export_assets", "-s", 3, "-e", 9, "--datastore-path", lake, "-o", tmp_path / "a.txt", "--write-parquet")
    succeed(*export, "-u", "batch_insert_ts=2026-01-01T00:00:00Z,number=7,ledger_sequence=none")
    table = pq.read_table(tmp_path / "exported_assets.parquet")
    assert {name: table.schema.field(name).type for name in ("batch_insert_ts", "number", "ledger_sequence")} == {
        "batch_insert_ts": pa.string(),
        "number": pa.string(),
        "ledger_sequence": pa.string(),
    }
    assert table.num_rows > 0
    assert {(row["number"], row["ledger_sequence"]) for row in table.to_pylist()} == {("7", "none")}


# Files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_", HISTORY)
def test_a_single_export_writes_a_file_beside_its_output(lake: Path, tmp_path: Path, type_: str) -> None:
    export = (command(type_), "-s", 3, "-e", 6, "--datastore-path", lake, "-o", tmp_path / "out" / "rows.txt")
    succeed(*export, "--write-parquet")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("rows.txt", "rows.txt.manifest.json", f"exported_{type_}.parquet")
    }


def test_parquet_output_names_the_file_or_the_folder_for_several_types(lake: Path, tmp_path: Path) -> None:
    span = ("-s", 3, "-e", 6, "--datastore-path", lake, "--write-parquet", "--parquet-output")
    succeed("export_ledgers", *span, tmp_path / "p" / "l.pq", "-o", tmp_path / "l.txt")
    assert pq.read_metadata(tmp_path / "p" / "l.pq").num_rows == 4
    types = ("--types", "ledgers,assets", "--file-names", "ledgers=l.ndjson")
    succeed("export_all_history", *span, tmp_path / "all", "-o", tmp_path / "out", *types)
    assert {path.name for path in (tmp_path / "all").iterdir()} == {"3-6-ledgers.parquet", "3-6-assets.parquet"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("3-6-l.ndjson", "3-6-assets.txt", "3-6-manifest.json")
    }


def test_rows_on_standard_output_have_a_parquet_file_too(lake: Path, tmp_path: Path) -> None:
    done = succeed(
        *("export_ledgers", "-s", 3, "-e", 6, "--datastore-path", lake, "-o", "/dev/stdout", "--write-parquet"),
        *("--parquet-output", tmp_path / "l.parquet"),
    )
    assert len(done.stdout.splitlines()) == pq.read_metadata(tmp_path / "l.parquet").num_rows == 4


def test_the_manifest_lists_parquet_files_under_a_separate_key(exported: Path) -> None:
    manifest = json.loads((exported / "3-42-manifest.json").read_text())
    assert [file["name"] for file in manifest["files"]] == [f"{exported}/3-42-{type_}.txt" for type_ in HISTORY]
    files = manifest["parquet_files"]
    assert [(file["type"], file["name"]) for file in files] == [
        (type_, f"{exported}/3-42-{type_}.parquet") for type_ in HISTORY
    ]
    for file, beside in zip(files, manifest["files"], strict=True):
        data = Path(file["name"]).read_bytes()
        checksum = base64.b64encode(google_crc32c.Checksum(data).digest()).decode()
        assert (file["rows"], file["bytes"], file["crc32c"]) == (beside["rows"], len(data), checksum)


def test_without_the_option_there_is_no_file_and_no_key(lake: Path, tmp_path: Path) -> None:
    succeed("export_ledgers", "-s", 3, "-e", 6, "--datastore-path", lake, "-o", tmp_path / "l.txt")
    assert {path.name for path in tmp_path.iterdir()} == {"l.txt", "l.txt.manifest.json"}
    assert "parquet_files" not in json.loads((tmp_path / "l.txt.manifest.json").read_text())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[emulators.Server]:
    with emulators.running(emulators.bucket(tmp_path / "bucket")) as server:
        yield server


def test_parquet_objects_equal_the_files(lake: Path, exported: Path, server: emulators.Server) -> None:
    succeed(
        *("export_all_history", "-s", 3, "-e", 42, "--datastore-path", lake, "-o", "run/1", "--write-parquet"),
        *("--cloud-provider", "gcp", "--cloud-storage-bucket", emulators.BUCKET),
        STORAGE_EMULATOR_HOST=server.url,
    )
    blobs = list(emulators.storage_client(server).list_blobs(emulators.BUCKET, prefix="run/1/"))
    assert max(blobs, key=lambda blob: blob.generation).name == "run/1/3-42-manifest.json"
    written = {blob.name.removeprefix("run/1/"): blob for blob in blobs}
    assert written.keys() == {path.name for path in exported.iterdir()}
    for type_ in HISTORY:
        blob = written[f"3-42-{type_}.parquet"]
        assert blob.content_type == "application/vnd.apache.parquet"
        assert blob.download_as_bytes() == (exported / f"3-42-{type_}.parquet").read_bytes()


def test_many_rows_are_written_in_groups(tmp_path: Path) -> None:
    """Memory does not grow with the file: groups are limited by rows, and by text if rows are large."""
    row = {"ledger_sequence": 5, "tx_meta": "x", "closed_at": "2026-01-01T00:00:00Z"}
    for name, text, count, groups in (("short", "x", 25_000, 3), ("long", "x" * (1 << 20), 20, 3)):
        file = ParquetFile(name, tmp_path / name, TYPES["ledger_transaction"].columns, ())
        for _ in range(count):
            file.write([row | {"tx_meta": text}])
        file.close()
        metadata = pq.read_metadata(tmp_path / name)
        assert (metadata.num_rows, metadata.num_row_groups) == (count, groups)


# Errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "row", "words"),
    [
        ("ledgers", {"total_byte_size_of_bucket_list": 2**63}, "total_byte_size_of_bucket_list: 9223372036854775808"),
        ("ledgers", {"closed_at": "noon"}, "closed_at: "),
        ("ledgers", {"planet": "Mars"}, "planet is not a column"),
        ("operations", {"details": {"path": [{"asset": 1}]}}, "details: path: asset is not a column"),
        ("effects", {"details": {"amount": "1.0123456789"}}, "details: amount: 1.0123456789 has more than"),
        ("token_transfers", {"from": "x"}, "is missing"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_name(tmp_path: Path, type_: str, row: Row, words: str) -> None:
    file = ParquetFile("p", tmp_path / "p", TYPES[type_].columns, ())
    with pytest.raises(ValueError, match=words):
        file.write([row])
    file.close()
    assert file.rows == pq.read_metadata(tmp_path / "p").num_rows == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--write-parquet", "--file-names", "ledgers=ledgers.parquet"), "a file of its own"),
    ],
)
def test_an_invalid_command_line_is_named(lake: Path, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    export = ("export_all_history", "-s", 5, "-e", 6, "--datastore-path", lake, "-o", tmp_path / "out")
    assert words in fail(*export, *arguments)
    assert not list(tmp_path.iterdir())


def test_a_missing_library_is_named(lake: Path, tmp_path: Path) -> None:
    (tmp_path / "library" / "pyarrow").mkdir(parents=True)
    (tmp_path / "library" / "pyarrow" / "__init__.py").write_text("raise ImportError('it is not installed')")
    line = fail(
        *("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", lake, "-o", tmp_path / "out" / "l.txt"),
        "--write-parquet",
        PYTHONPATH=os.pathsep.join((str(tmp_path / "library"), os.environ.get("PYTHONPATH", ""))),
    )
    assert "--write-parquet needs the package pyarrow: install stellar-etl[parquet]" in line
    assert not list((tmp_path / "out").glob("*"))


def test_a_failed_export_leaves_no_parquet_file(lake: Path, tmp_path: Path) -> None:
    export = ("export_all_history", "-s", 40, "-e", 43, "--datastore-path", lake, "-o", tmp_path, "--write-parquet")
    fail(*export, status=NOT_YET)
    assert not list(tmp_path.iterdir())
