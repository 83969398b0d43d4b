"""Versions of ledger entries in the laptop's warehouse: upgrade of an earlier release, and the documented queries."""

from __future__ import annotations

import re

import google.cloud.bigquery as bq
import pytest

from stellar_etl_airflow.bigquery.tables import WarehouseError
from stellar_etl_airflow.bigquery.versions import Versions, ensure_versions, versions_of
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.tables import ACCOUNTS, OFFERS
from stellar_etl_airflow.model.versions import OPEN_LEDGER
from stellar_etl_airflow.operators.runtime import settings
from stellar_etl_airflow.settings.warehouse import WarehouseSettings
from stellar_etl_airflow.sql.statement import Parameter, Statement
from stellar_etl_airflow.upgrade.steps import new_views, old_states
from tests.dags.sql.googlesql import Analyzer
from tests.dags.sql.statements import DATASETS, LIVE
from tests.shared import REPO


@pytest.fixture
def warehouse(client, warehouse_environment):
    return Warehouse(client, settings(WarehouseSettings))


def closed_at(ledger):
    return f"TIMESTAMP '2026-01-01 00:{ledger:02}:00+00'"


@pytest.fixture
def make(client, warehouse):
    """Create a table of offers or accounts as an earlier release did. A row is key, number, ledger, removed."""

    def make(table, suffix, rows=()):
        name = f"local.stellar.{table.table_id}{suffix}"
        fields = [bq.SchemaField.from_api_repr(one) for one in warehouse.schema(table.table_id)]
        made = bq.Table(name, fields)
        made.clustering_fields = list(table.entry_keys if suffix else table.cluster)
        if not suffix:
            made.time_partitioning = bq.TimePartitioning(field="closed_at")
        client.create_table(made)
        key, number = table.entry_keys[0], "amount" if table is OFFERS else "balance"
        values = ", ".join(f"({one}, {n}, {ledger}, {gone}, {closed_at(ledger)})" for one, n, ledger, gone in rows)
        if rows:
            columns = f"{key}, {number}, ledger_sequence, deleted, closed_at"
            client.query(f"INSERT INTO {name} ({columns}) VALUES {values}").result()
        return name

    return make


CHANGES = [(1, 1.0, 3, False), (1, 2.0, 12, False), (2, 5.0, 11, False), (2, 5.0, 13, True), (3, 7.0, 5, False)]


class Upgraded:
    """The part of a deployment that upgrade steps use."""

    def __init__(self, warehouse):
        self.warehouse = warehouse


@pytest.mark.parametrize("full_load", [False, True])
def test_an_upgrade_turns_a_point_in_time_table_into_versions(client, warehouse, make, full_load):
    """In the old table offer 1 is wrong, 2 is not removed, and 9 never existed. A full load at 10 lacks offer 3."""
    make(OFFERS, "", CHANGES)
    old = make(OFFERS, "_state", [(1, 9.0, 12, False), (2, 5.0, 11, False), (9, 1.0, 4, False), (3, 7.0, 5, False)])
    client.query(f"CREATE VIEW local.stellar.offers_current AS SELECT * FROM {old}").result()
    if full_load:
        base = client.get_table(make(OFFERS, "_base", [(1, 1.0, 10, False), (4, 6.0, 10, False)]))
        base.labels = {"base_ledger": "10"}
        client.update_table(base, ["labels"])
    (change,) = old_states(Upgraded(warehouse))
    wrong = "1 missing, 3 extra, 1 different" if full_load else "2 extra, 1 different"
    assert change.text == (
        f"local.stellar.offers_state has {wrong} entries: replace it by local.stellar.offers_versions"
    )
    with pytest.raises(WarehouseError, match="offers_state is a point-in-time table of an earlier release"):
        ensure_versions(warehouse, OFFERS)
    change.make()
    now = [(1, 2.0), (4, 6.0)] if full_load else [(1, 2.0), (3, 7.0)]
    assert read(client, "SELECT offer_id, amount FROM stellar.offers_current") == now
    ends = read(client, "SELECT offer_id, valid_from_ledger, valid_to_ledger FROM stellar.offers_history")
    begun = [(1, 10, 12), (1, 12, OPEN_LEDGER), (2, 11, 13), (4, 10, OPEN_LEDGER)]
    assert ends == (begun if full_load else [(1, 3, 12), (1, 12, OPEN_LEDGER), (2, 11, 13), (3, 5, OPEN_LEDGER)])
    assert read(client, "SELECT offer_id FROM stellar.offers_at(12)")[:2] == [(1,), (2,)]
    assert [*old_states(Upgraded(warehouse)), *new_views(Upgraded(warehouse))] == []
    ensure_versions(warehouse, OFFERS)
    assert {table.table_id for table in client.list_tables("stellar")}.isdisjoint({"offers_state"})


def test_the_variable_sets_how_long_versions_are_kept(client, warehouse, make, warehouse_environment):
    table = client.get_table(make(OFFERS, "", CHANGES))
    table.time_partitioning = bq.TimePartitioning(field="closed_at", expiration_ms=7)  # set by a user
    client.update_table(table, ["time_partitioning"])
    for days in (0, 90, 30, 0):
        warehouse_environment(history_days=days)
        ensure_versions(Warehouse(client, settings(WarehouseSettings)), OFFERS)
        partitioning = client.get_table("local.stellar.offers_versions").time_partitioning
        assert (partitioning.field, partitioning.expiration_ms) == ("valid_to", days * 24 * 3600 * 1000 or None)
        warehouse.ensure_published(OFFERS)
        assert client.get_table("local.stellar.offers").time_partitioning.expiration_ms == 7


def test_a_view_with_an_outdated_query_is_replaced(client, warehouse, make):
    make(OFFERS, "", CHANGES)
    ensure_versions(warehouse, OFFERS)
    view = client.get_table("local.stellar.offers_current")
    view.view_query = "SELECT 1 AS one"
    client.update_table(view, ["view_query"])
    (change,) = new_views(Upgraded(warehouse))
    assert change.text == "local.stellar.offers_current: change the view's query"
    change.make()
    assert read(client, "SELECT offer_id, amount FROM stellar.offers_current") == [(1, 2.0), (3, 7.0)]


def read(client, sql, *parameters):
    job = client.query(sql, bq.QueryJobConfig(query_parameters=list(parameters)))
    return sorted(tuple(row.values()) for row in job.result())


# The queries of docs/history.md --------------------------------------------------------------------------------------

QUERIES = re.findall(r"```sql\n(.*?)```", (REPO / "docs" / "history.md").read_text(), re.DOTALL)
ASKED = [
    bq.ScalarQueryParameter("account_id", "STRING", "a"),
    bq.ScalarQueryParameter("ledger", "INT64", 12),
    bq.ScalarQueryParameter("time", "TIMESTAMP", "2026-01-01T00:11:30Z"),
]


def test_the_queries_of_the_documentation_run(client, warehouse, make):
    changes = [("'a'", 10.0, 5, False), ("'b'", 1.0, 6, False), ("'a'", 30.0, 12, False), ("'b'", 1.0, 20, True)]
    make(ACCOUNTS, "", changes)
    ensure_versions(warehouse, ACCOUNTS)
    config = bq.QueryJobConfig(default_dataset="local.stellar", query_parameters=ASKED)
    answers = [[tuple(row.values())[:2] for row in client.query(query, config).result()] for query in QUERIES]
    assert answers == [[(30.0, None)], [(10.0, None)], [(5, 10.0), (12, 30.0)], [(2, 31.0)]]
    (versions,) = versions_of(warehouse, ACCOUNTS)
    assert isinstance(versions, Versions)


@pytest.mark.slow
def test_google_accepts_the_queries_of_the_documentation():
    analyzer = Analyzer({quoted.strip("`"): columns for quoted, columns in LIVE.items()})
    project, dataset = DATASETS[0]
    plain = [query for query in QUERIES if "accounts_at(" not in query]
    assert len(plain) == 3
    parameters = tuple(Parameter(one.name, one.type_, str(one.value)) for one in ASKED)
    for query in plain:
        text = query.replace("accounts_history", f"`{project}.{dataset}.accounts_history`")
        analyzer.analyze(Statement(text, parameters))
