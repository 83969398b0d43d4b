"""Tables and datasets of the local warehouse: added columns, layout, expiry, labels, etags."""

from __future__ import annotations

import datetime as dt
import itertools
import time

import google.cloud.bigquery as bq
import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud.bigquery import SchemaField

from tests.local.emulators import DATASET

_numbers = itertools.count()


@pytest.fixture
def name() -> str:
    return f"{DATASET}.t{next(_numbers)}"


CLAIMANT = SchemaField("claimants", "RECORD", mode="REPEATED", fields=[SchemaField("to", "STRING")])
SCHEMA = [
    SchemaField("id", "INTEGER", mode="REQUIRED", description="the key"),
    SchemaField("details", "RECORD", fields=[SchemaField("from", "STRING"), CLAIMANT]),
]


def rows(client: bq.Client, sql: str) -> list[dict]:
    return [dict(row.items()) for row in client.query(sql).result()]


def patch_schema(client: bq.Client, name: str, *schema: SchemaField) -> bq.Table:
    table = client.get_table(name)
    table.schema = schema
    return client.update_table(table, ["schema"])


def test_columns_are_added_at_every_depth(client, name):
    client.create_table(bq.Table(name, SCHEMA))
    client.query(
        f"INSERT INTO `{name}` (id, details) VALUES (1, STRUCT('a' AS `from`, [STRUCT('b' AS `to`)] AS claimants))"
    ).result()
    grown = [
        SCHEMA[0],
        SchemaField(
            "details",
            "RECORD",
            fields=[
                SchemaField("from", "STRING", description="who pays"),
                SchemaField(
                    "claimants",
                    "RECORD",
                    mode="REPEATED",
                    fields=[
                        SchemaField("to", "STRING"),
                        SchemaField("and", "RECORD", mode="REPEATED", fields=[SchemaField("not", "INTEGER")]),
                    ],
                ),
                SchemaField("price", "RECORD", fields=[SchemaField("n", "INTEGER")]),
            ],
        ),
        SchemaField("tags", "STRING", mode="REPEATED"),
    ]
    patch_schema(client, name, *grown)
    assert client.get_table(name).schema == grown
    assert rows(client, f"SELECT * FROM `{name}`") == [
        {
            "id": 1,
            "details": {"from": "a", "claimants": [{"to": "b", "and": []}], "price": None},
            "tags": [],
        }
    ]
    client.query(
        f"INSERT INTO `{name}` (id, tags) VALUES (2, ['x'])",
    ).result()
    assert rows(client, f"SELECT tags FROM `{name}` WHERE id = 2") == [{"tags": ["x"]}]


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (SCHEMA[:1], "details is missing"),
        ([SchemaField("id", "STRING", mode="REQUIRED"), SCHEMA[1]], "id has changed type from INTEGER to STRING"),
        (
            [SCHEMA[0], SchemaField("details", "RECORD", fields=[CLAIMANT])],
            "details.from is missing",
        ),
        ([SCHEMA[0], SchemaField("details", "RECORD", mode="REPEATED", fields=SCHEMA[1].fields)], "changed mode"),
        ([*SCHEMA, SchemaField("new", "STRING", mode="REQUIRED")], "required"),
    ],
    ids=["removed", "type", "removed inside", "mode", "required"],
)
def test_a_schema_can_only_grow(client, name, schema, reason):
    client.create_table(bq.Table(name, SCHEMA))
    with pytest.raises(BadRequest, match=reason):
        patch_schema(client, name, *schema)
    assert client.get_table(name).schema == SCHEMA


def test_descriptions_change_and_columns_can_be_relaxed(client, name):
    client.create_table(bq.Table(name, SCHEMA))
    after = [SchemaField("id", "INTEGER", description="an id"), SCHEMA[1]]
    patch_schema(client, name, *after)
    assert client.get_table(name).schema == after
    table = client.get_table(name)
    table.description, table.labels = "all of it", {"kept": "1", "gone": "1"}
    client.update_table(table, ["description", "labels"])
    table = client.get_table(name)
    table.labels = {"gone": None, "new": "2"}
    client.update_table(table, ["labels"])
    table = client.get_table(name)
    assert (table.description, table.labels) == ("all of it", {"kept": "1", "new": "2"})


def test_a_stale_etag_is_refused(client, name):
    client.create_table(bq.Table(name, SCHEMA))
    first, second = client.get_table(name), client.get_table(name)
    first.description = "first"
    client.update_table(first, ["description"])
    second.description = "second"
    with pytest.raises(PreconditionFailed):
        client.update_table(second, ["description"])


def test_partitions_and_clusters_are_stored_and_a_partition_cannot_change(client, name):
    table = bq.Table(name, [*SCHEMA, SchemaField("closed_at", "TIMESTAMP"), SchemaField("run", "TIMESTAMP")])
    table.time_partitioning = bq.TimePartitioning(type_="MONTH", field="closed_at")
    table.clustering_fields = ["id"]
    client.create_table(table)
    made = client.get_table(name)
    assert (made.time_partitioning.type_, made.time_partitioning.field) == ("MONTH", "closed_at")
    assert made.clustering_fields == ["id"]
    made.time_partitioning = bq.TimePartitioning(type_="DAY", field="run")
    with pytest.raises(BadRequest, match="partitioning"):
        client.update_table(made, ["timePartitioning"])


def test_rows_are_counted_after_dml_too(client, name):
    client.create_table(bq.Table(name, [SchemaField("id", "INTEGER")]))
    client.query(f"INSERT INTO `{name}` (id) VALUES (1), (2)").result()
    assert client.get_table(name).num_rows == 2
    assert [row.id for row in client.list_rows(client.get_table(name))] == [1, 2]


def test_an_expired_table_is_removed(client, name):
    table = bq.Table(name, SCHEMA)
    table.expires = soon = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(seconds=2)
    client.create_table(table)
    client.create_table(bq.Table(f"{name}_kept", SCHEMA))
    assert client.get_table(name).expires == soon
    time.sleep(2.1)
    with pytest.raises(NotFound):
        client.get_table(name)
    with pytest.raises(NotFound):
        client.query(f"SELECT * FROM `{name}`").result()
    tables = {table.table_id for table in client.list_tables(DATASET)}
    assert name.split(".")[-1] not in tables
    assert f"{name}_kept".split(".")[-1] in tables
    client.create_table(table_without_expiry := bq.Table(name, SCHEMA))
    assert client.get_table(table_without_expiry).expires is None


def test_expiration_can_be_changed(client, name):
    client.create_table(bq.Table(name, SCHEMA))
    table = client.get_table(name)
    table.expires = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
    client.update_table(table, ["expires"])
    table = client.get_table(name)
    assert table.expires == dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
    table.expires = None
    client.update_table(table, ["expires"])
    assert client.get_table(name).expires is None


def test_labels_of_a_dataset_can_be_changed(client):
    dataset = client.get_dataset(DATASET)
    dataset.labels = {"network": "abc", "gone": "1"}
    client.update_dataset(dataset, ["labels"])
    dataset = client.get_dataset(DATASET)
    dataset.labels = {"gone": None}
    client.update_dataset(dataset, ["labels"])
    assert client.get_dataset(DATASET).labels == {"network": "abc"}


def test_existing_and_missing_tables_and_datasets_give_the_right_errors(client, name):
    with pytest.raises(Conflict):
        client.create_dataset(DATASET)
    client.create_dataset(DATASET, exists_ok=True)
    client.create_table(bq.Table(name, SCHEMA))
    with pytest.raises(Conflict):
        client.create_table(bq.Table(name, SCHEMA))
    client.create_table(bq.Table(name, SCHEMA), exists_ok=True)
    client.delete_table(name)
    with pytest.raises(NotFound):
        client.delete_table(name)
    client.delete_table(name, not_found_ok=True)
    with pytest.raises(NotFound):
        client.get_table(name)
    with pytest.raises(NotFound):
        client.create_table(bq.Table("local.absent.t", SCHEMA))


def test_a_view_shows_its_query(client, name):
    client.create_table(bq.Table(name, [SchemaField("id", "INTEGER"), SchemaField("deleted", "BOOLEAN")]))
    client.query(f"INSERT INTO `{name}` (id, deleted) VALUES (1, FALSE), (2, TRUE)").result()
    view = bq.Table(f"{name}_current")
    view.view_query = f"SELECT * EXCEPT (deleted) FROM `{name}` WHERE NOT deleted"
    client.create_table(view)
    assert rows(client, f"SELECT * FROM `{name}_current`") == [{"id": 1}]
    found = client.get_table(f"{name}_current")
    assert (found.table_type, found.view_query) == ("VIEW", view.view_query)
    found.view_query = f"SELECT id FROM `{name}` WHERE deleted"
    client.update_table(found, ["view_query"])
    assert client.get_table(f"{name}_current").view_query == found.view_query
    assert rows(client, f"SELECT * FROM `{name}_current`") == [{"id": 2}]
    client.delete_table(f"{name}_current")
    with pytest.raises(NotFound):
        client.get_table(f"{name}_current")
