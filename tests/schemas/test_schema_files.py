"""The schema files describe every column, use only BigQuery's types, and have every column of the exporter."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from stellar_etl_airflow.model.outbound import OUTBOUND_CLUSTERS
from stellar_etl_airflow.model.tables import (
    BATCH_COLUMNS,
    BATCH_STATS_TABLE_ID,
    CHANGES,
    COVERAGE_TABLE_ID,
    DERIVED,
    ENRICHED_OPERATIONS,
    LEDGER_AUDITS_TABLE_ID,
    LEDGER_BATCHES_TABLE_ID,
    OPERATIONS,
    PUBLISHED,
    TABLES,
    VIEWS,
    Publish,
)
from tests.shared import REPO, SHARED, needs_shared
from tests.stellar_etl.program import rows, succeed

FILES = sorted((REPO / "schemas").glob("*_schema.json"))
OF_FEE_BUMPS = {"fee_account", "fee_account_muxed", "inner_transaction_hash", "new_max_fee"}
"""The columns without values in the first ledgers of the sample network."""

TYPES = {"STRING", "INTEGER", "FLOAT", "NUMERIC", "BOOLEAN", "TIMESTAMP", "DATE", "DATETIME", "BYTES", "RECORD", "JSON"}

Field = Mapping[str, Any]


def read(path: Path) -> list[Field]:
    fields: list[Field] = json.loads(path.read_text())
    return fields


def all_fields(fields: list[Field], prefix: str = "") -> Iterator[tuple[str, Field]]:
    for field in fields:
        name = f"{prefix}{field['name']}"
        yield name, field
        yield from all_fields(field.get("fields", []), f"{name}.")


def test_the_details_of_an_operation_are_the_same_in_the_derived_table() -> None:
    """The derived table's query copies the record unchanged."""
    tables = (OPERATIONS, ENRICHED_OPERATIONS)
    one, other = (read(REPO / "schemas" / f"{table.table_id}_schema.json") for table in tables)
    assert [field for field in one if field["name"] == "details"] == [f for f in other if f["name"] == "details"]


def test_each_published_table_has_a_schema_file_and_there_are_no_others() -> None:
    published = (*TABLES.values(), *CHANGES.values(), *DERIVED.values())
    expected = {table.table_id for table in published} | {BATCH_STATS_TABLE_ID, COVERAGE_TABLE_ID}
    expected |= {*VIEWS, LEDGER_AUDITS_TABLE_ID, LEDGER_BATCHES_TABLE_ID, *OUTBOUND_CLUSTERS}
    assert {path.name.removesuffix("_schema.json") for path in FILES} == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_column_has_a_description_and_a_known_type(path: Path) -> None:
    fields = list(all_fields(read(path)))
    assert len({name.lower() for name, _ in fields}) == len(fields)
    for name, field in fields:
        assert field["type"] in TYPES, name
        assert field["mode"] in ("NULLABLE", "REQUIRED", "REPEATED"), name
        assert len(field.get("description", "")) > 8, name
        assert field["description"][-1] in ".;)", name
        assert (field["type"] == "RECORD") == bool(field.get("fields")), name


@pytest.mark.parametrize("table", PUBLISHED.values(), ids=lambda table: table.data_type)
def test_the_columns_of_the_registry_exist(table: Any) -> None:
    fields = {field["name"]: field for field in read(REPO / "schemas" / f"{table.table_id}_schema.json")}
    assert fields[table.ledger_column]["type"] == "INTEGER"
    assert fields[table.closed_at_column]["type"] == "TIMESTAMP"
    assert set(table.keys) <= fields.keys()
    assert set(BATCH_COLUMNS) <= fields.keys()


@needs_shared
@pytest.mark.parametrize("table", [*TABLES.values(), *CHANGES.values()], ids=lambda table: table.data_type)
def test_the_columns_equal_those_of_the_recorded_tables(table: Any) -> None:
    ours = dict(all_fields(read(REPO / "schemas" / f"{table.table_id}_schema.json")))
    with (SHARED / "facts" / "bigquery_columns.tsv").open() as file:
        recorded = [row for row in csv.DictReader(file, delimiter="\t") if row["table"] == table.table_id]
    assert recorded
    for row in recorded:
        field = ours[row["column"]]
        kind = {"BOOL": "BOOLEAN"}.get(row["type"], row["type"])  # two names of one type
        assert (field["type"], field["mode"] == "REPEATED") == (kind, row["mode"] == "REPEATED"), row["column"]


def export(lake: Path, first: int, last: int, folder: Path) -> None:
    """Export all types; a row that BigQuery would refuse fails the export (`tests/validator.py`)."""
    extra = "batch_id=x,batch_run_date=2026-01-01T00:00:00,batch_insert_ts=2026-01-01T00:00:00Z"
    arguments = ("-s", first, "-e", last, "--datastore-path", lake, "-o", folder, "-u", extra)
    succeed("export_all_history", *arguments)
    succeed("export_ledger_entry_changes", *arguments, "-b", last)


def test_the_rows_of_the_sample_network_fit_the_schemas(lake: Path, tmp_path: Path) -> None:
    export(lake, 3, 42, tmp_path)
    empty = {path.name for path in tmp_path.glob("*.txt") if not path.read_bytes()}
    assert empty <= {"3-42-restored_key.txt"}, "every type but one has rows in the first ledgers"
    for table in (*TABLES.values(), *CHANGES.values()):
        written = {column for row in rows(tmp_path / f"3-42-{table.data_type}.txt") for column in row}
        described = {field["name"] for field in read(REPO / "schemas" / f"{table.table_id}_schema.json")}
        if written:
            assert written | (OF_FEE_BUMPS & described) == described, table.data_type


def test_the_shipped_variables_partition_and_cluster_by_existing_columns() -> None:
    variables = json.loads((REPO / "airflow_variables.json").read_text())
    for table in PUBLISHED.values():
        types = {field["name"]: field["type"] for field in read(REPO / "schemas" / f"{table.table_id}_schema.json")}
        clusters = variables["cluster_fields"][table.table_id]
        assert set(clusters) <= types.keys() - set(BATCH_COLUMNS), table
        assert len(clusters) <= 4, "BigQuery's limit of clustering columns"
        assert not {types[column] for column in clusters} & {"FLOAT", "RECORD", "JSON", "BYTES"}, table
        partition = variables["partition_fields"].get(table.table_id)
        assert partition is None or partition["field"] == table.closed_at_column
        assert (partition is None) == (table.publish is Publish.KEEP_EARLIEST), "all tables except those matched by key"


@needs_shared
def test_the_rows_of_recorded_ledgers_fit_the_schemas(tmp_path: Path) -> None:
    export(SHARED / "ledgers" / "pubnet", 30822015, 30822019, tmp_path)
    assert (tmp_path / "30822015-30822019-accounts.txt").read_bytes()
