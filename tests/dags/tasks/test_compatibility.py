"""The views for Hubble's public dbt project: columns compared with a copied list, rows on the laptop's warehouse."""

from __future__ import annotations

import json

import google.cloud.bigquery as bq
import pytest
from zetasql.wasi._pb2.zetasql.public import type_pb2 as types

from stellar_etl_airflow.bigquery.tables import WarehouseError
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.tables import CHANGES, CONTRACT_DATA, OPERATIONS, TABLES, TRANSACTIONS
from stellar_etl_airflow.operators.runtime import settings
from stellar_etl_airflow.settings.warehouse import WarehouseSettings
from stellar_etl_airflow.sql.compatibility import compatibility_view, compatibility_view_id
from stellar_etl_airflow.sql.statement import Statement
from tests.dags.sql.googlesql import Analyzer
from tests.dags.sql.statements import LIVE, name
from tests.dags.tasks.hubble_columns import FILE

LOADED = (*TABLES.values(), *CHANGES.values())
READ = json.loads(FILE.read_text())["columns"]
"""By source, the columns that the project declares or selects, as copied by `tests.dags.tasks.hubble_columns`."""

NOT_READ = {"history_operations": {"details.operation_result_code", "details.operation_trace_code"}}
"""Columns that the project declares inside a record and selects at the top level."""


def kinds_of(path, resolved):
    """Yield the path and type of a column and of each field in it; elements of an array have the array's path."""
    if resolved.type_kind == types.TYPE_ARRAY:
        resolved = resolved.array_type.element_type
    yield path, resolved.type_kind
    for part in resolved.struct_type.field:
        yield from kinds_of(f"{path}.{part.field_name}", part.field_type)


@pytest.fixture(scope="module")
def columns():
    """Return by view the type of each column and of the fields of records, as Google's analyzer resolves them."""
    analyzer = Analyzer({name(table.table_id).strip("`"): LIVE[name(table.table_id)] for table in LOADED})
    found = {}
    for table in LOADED:
        view = compatibility_view(table, name(table.table_id), LIVE[name(table.table_id)])
        resolved = analyzer.analyze(Statement(view)).resolved_query_stmt_node.output_column_list
        found[compatibility_view_id(table)] = {
            path: kind for one in resolved for path, kind in kinds_of(one.name, one.column.type)
        }
    return found


def test_each_source_has_a_view_with_all_columns_that_the_project_reads(columns):
    assert len(READ) == 19
    for source, read in READ.items():
        assert {*read} - NOT_READ.get(source, set()) <= columns[source].keys(), source


def test_missing_or_different_columns_have_the_types_that_the_project_expects(columns):
    assert columns["history_transactions"]["refundable_fee"] == types.TYPE_INT64
    assert columns["history_operations"]["details.ledgers_to_expire"] == types.TYPE_INT64
    assert {found["batch_run_date"] for found in columns.values()} == {types.TYPE_DATETIME}


@pytest.fixture
def warehouse(client, warehouse_environment):
    """The warehouse with a dataset for the views and with all loaded tables, which are empty."""
    client.delete_dataset("hubble", delete_contents=True, not_found_ok=True)
    client.create_dataset("hubble")
    warehouse_environment(compatibility_dataset="hubble")
    warehouse = Warehouse(client, settings(WarehouseSettings))
    for table in LOADED:
        warehouse.ensure_published(table)
    yield warehouse
    client.delete_dataset("hubble", delete_contents=True, not_found_ok=True)


def load(client, folder, table, rows):
    (folder / "bucket").mkdir(parents=True, exist_ok=True)
    (folder / "bucket" / "rows").write_text("".join(json.dumps(row) + "\n" for row in rows))
    target = f"local.stellar.{table.table_id}"
    config = bq.LoadJobConfig(
        source_format="NEWLINE_DELIMITED_JSON", schema=client.get_table(target).schema, write_disposition="WRITE_APPEND"
    )
    client.load_table_from_uri("gs://bucket/rows", target, job_config=config).result()


LATE = {"closed_at": "2026-01-02T03:04:05Z", "ledger_sequence": 7, "batch_run_date": "2026-06-01T00:00:00"}


def test_the_views_are_created_in_the_dataset_of_the_variable(client, warehouse, warehouse_server):
    for table in LOADED:
        warehouse.ensure_compatibility(table)
    assert {one.table_id for one in client.list_tables("hubble")} == {compatibility_view_id(table) for table in LOADED}
    load(client, warehouse_server[1], TRANSACTIONS, [{"id": 7 << 32 | 3 << 12, "transaction_hash": "h", **LATE}])
    (row,) = client.query("SELECT * FROM local.hubble.history_transactions").result()
    assert (row.batch_run_date.isoformat(), row.refundable_fee, row.application_order) == (
        "2026-01-02T03:04:05",
        None,
        3,
    )
    operation = {"id": 1, "type": 1, "details": {"amount": 1.5, "from": "G1"}, **LATE}
    load(client, warehouse_server[1], OPERATIONS, [operation, {"id": 2, "type": 1, **LATE}])
    rows = client.query(
        "SELECT details.ledgers_to_expire, details.amount FROM local.hubble.history_operations ORDER BY id"
    )
    assert [tuple(one.values()) for one in rows.result()] == [(None, 1.5), (None, None)]
    entries = [
        {"ledger_key_hash": "lives", "deleted": False, "last_modified_ledger": 7, **LATE},
        {"ledger_key_hash": "removed", "deleted": True, "last_modified_ledger": 6, **LATE},
        {"ledger_key_hash": "evicted", "deleted": True, "last_modified_ledger": None, **LATE},
    ]
    load(client, warehouse_server[1], CONTRACT_DATA, entries)
    rows = client.query("SELECT ledger_key_hash FROM local.hubble.contract_data ORDER BY 1").result()
    assert [one.ledger_key_hash for one in rows] == ["lives", "removed"]


def test_without_the_variable_there_are_no_views_and_an_invalid_dataset_is_named(
    client, warehouse, warehouse_environment
):
    warehouse_environment(compatibility_dataset="")
    Warehouse(client, settings(WarehouseSettings)).ensure_compatibility(TRANSACTIONS)
    assert list(client.list_tables("hubble")) == []
    for dataset, words in (("stellar", "has the published tables"), ("nowhere", "'compatibility_dataset'")):
        warehouse_environment(compatibility_dataset=dataset)
        with pytest.raises(WarehouseError, match=words):
            Warehouse(client, settings(WarehouseSettings)).ensure_compatibility(TRANSACTIONS)
