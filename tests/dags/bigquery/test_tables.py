"""Create, extend and guard datasets and tables through the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from google.api_core.exceptions import Forbidden

from stellar_etl_airflow.bigquery.tables import (
    TableLayout,
    WarehouseError,
    check_partition,
    ensure_table,
    guard_deployment,
    guard_network,
)
from stellar_etl_airflow.model.deployment import DEPLOYMENT_LABEL, DEPLOYMENT_VARIABLE, deployment_name
from stellar_etl_airflow.model.schema import SchemaError

NAME = "local.stellar.history_x"
FIELDS = [
    {"name": "sequence", "type": "INTEGER", "mode": "NULLABLE"},
    {"name": "closed_at", "type": "TIMESTAMP", "mode": "NULLABLE"},
    {"name": "details", "type": "RECORD", "mode": "NULLABLE", "fields": [{"name": "a", "type": "STRING"}]},
]
BY_DAY = {"partition_type": "DAY", "partition_field": "closed_at", "cluster_fields": ("sequence",)}


def test_a_missing_table_is_created_with_its_layout(client):
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=7)
    ensure_table(client, NAME, TableLayout(FIELDS, expires=expires, description="rows", **BY_DAY))
    table = client.get_table(NAME)
    assert [field.name for field in table.schema] == ["sequence", "closed_at", "details"]
    assert (table.time_partitioning.type_, table.time_partitioning.field) == ("DAY", "closed_at")
    assert table.clustering_fields == ["sequence"]
    assert table.expires == expires


def test_a_table_gains_columns_and_keeps_its_rows(client):
    ensure_table(client, NAME, TableLayout(FIELDS))
    client.query(f"INSERT INTO `{NAME}` (sequence, details) VALUES (1, STRUCT('x' AS a))").result()
    grown = [
        *FIELDS[:2],
        {**FIELDS[2], "fields": [{"name": "a", "type": "STRING"}, {"name": "b", "type": "INTEGER"}]},
        {"name": "fee", "type": "INTEGER", "mode": "REQUIRED"},
    ]
    ensure_table(client, NAME, TableLayout(grown))
    ensure_table(client, NAME, TableLayout(grown))
    client.query(f"INSERT INTO `{NAME}` (sequence, details, fee) VALUES (2, STRUCT('y' AS a, 5 AS b), 7)").result()
    result = client.query(f"SELECT sequence, details.a, details.b, fee FROM `{NAME}` ORDER BY 1").result()
    assert [tuple(row.values()) for row in result] == [(1, "x", None, None), (2, "y", 5, 7)]


def test_a_different_partitioning_is_refused_with_the_remedy(client):
    ensure_table(client, NAME, TableLayout(FIELDS))
    with pytest.raises(WarehouseError, match="history_x is partitioned by nothing.*has closed_at .DAY.*correct the"):
        ensure_table(client, NAME, TableLayout(FIELDS, **BY_DAY))


def test_a_different_clustering_is_refused_with_the_remedy(client):
    ensure_table(client, NAME, TableLayout(FIELDS, **BY_DAY))
    other = {**BY_DAY, "cluster_fields": ("closed_at", "sequence")}
    with pytest.raises(WarehouseError, match="clustered by sequence, .*has closed_at, sequence.*bq update"):
        ensure_table(client, NAME, TableLayout(FIELDS, **other))


def test_a_table_without_the_key_columns_of_rows_is_refused(client):
    """Another deployment made such a table: its rows would have no close time, and no load would replace them."""
    ensure_table(client, NAME, TableLayout(FIELDS[:1]))
    with pytest.raises(WarehouseError, match="history_x lacks closed_at.*Load into another dataset"):
        ensure_table(client, NAME, TableLayout(FIELDS, needed=("sequence", "closed_at")))
    assert [field.name for field in client.get_table(NAME).schema] == ["sequence"]


def test_a_different_column_type_is_refused_by_name(client):
    ensure_table(client, NAME, TableLayout(FIELDS))
    with pytest.raises(SchemaError, match="table local.stellar.history_x: column sequence is INTEGER"):
        ensure_table(client, NAME, TableLayout([{"name": "sequence", "type": "STRING"}]))


@pytest.mark.parametrize(
    ("field", "reason"),
    [("batch_run_date", "describes the load, not the row"), ("sequence", "close time")],
)
def test_a_partition_by_a_column_other_than_the_close_time_is_refused_with_the_reason(field, reason):
    with pytest.raises(WarehouseError, match=f"history_x by '{field}'; it must be 'closed_at', because .*{reason}"):
        check_partition("history_x", field, "closed_at")
    check_partition("history_x", "closed_at", "closed_at")


def test_a_dataset_accepts_one_network(client):
    guard_network(client, "local.stellar", "one network")
    guard_network(client, "local.stellar", "one network")
    assert list(client.get_dataset("local.stellar").labels) == ["stellar_network"]
    with pytest.raises(WarehouseError, match="has the ledgers of another network.*'another network' has"):
        guard_network(client, "local.stellar", "another network")


def test_a_missing_dataset_names_the_variables(client):
    with pytest.raises(WarehouseError, match="local.elsewhere does not exist.*'bq_project' and 'bq_dataset'"):
        guard_network(client, "local.elsewhere", "one network")


def test_a_dataset_belongs_to_the_first_deployment_that_writes_it(client):
    guard_deployment(client, "local.stellar", "first")
    guard_deployment(client, "local.stellar", "first")
    command = f"bq update --set_label {DEPLOYMENT_LABEL}:second local:stellar"
    with pytest.raises(WarehouseError, match=f"is written by the deployment 'first'.*this is 'second'.*{command}"):
        guard_deployment(client, "local.stellar", "second")
    assert client.get_dataset("local.stellar").labels == {DEPLOYMENT_LABEL: "first"}


def test_a_dataset_whose_labels_are_read_only_fails_with_the_command(client, monkeypatch):
    """The role bigquery.dataEditor, which the DAGs have, cannot set labels."""

    def update_dataset(*_):
        raise Forbidden("bigquery.datasets.update")

    monkeypatch.setattr(client, "update_dataset", update_dataset)
    with pytest.raises(WarehouseError, match=f"no label {DEPLOYMENT_LABEL}.*--set_label {DEPLOYMENT_LABEL}:ours local"):
        guard_deployment(client, "local.stellar", "ours")


@pytest.mark.parametrize(
    ("environment", "process", "name"),
    [
        ("", {}, "unnamed"),
        ("production", {}, "production"),
        ("", {DEPLOYMENT_VARIABLE: "p-us-central1-stellar-etl"}, "p-us-central1-stellar-etl"),
        ("EU", {DEPLOYMENT_VARIABLE: "a.b"}, "eu--a_b"),
    ],
)
def test_a_deployment_is_identified_by_its_environment_and_its_workers(environment, process, name):
    assert deployment_name(environment, process) == name
