"""Which SQL runs alike on BigQuery and on the local warehouse: the forms that the pipeline is written in."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from decimal import Decimal

import google.cloud.bigquery as bq
import pytest

from tests.local.emulators import bigquery_client, running, warehouse

DATASET = "local.stellar"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> Iterator[bq.Client]:
    with running(warehouse(tmp_path_factory.mktemp("warehouse"))) as server:
        client = bigquery_client(server)
        client.create_dataset(DATASET)
        yield client


def run(client: bq.Client, sql: str, **values) -> bq.QueryJob:
    parameters = [parameter(name, value) for name, value in values.items()]
    job = client.query(sql, job_config=bq.QueryJobConfig(query_parameters=parameters), retry=None, job_retry=None)
    job.result(retry=None)
    return job


TYPES = {
    int: "INT64",
    str: "STRING",
    bool: "BOOL",
    float: "FLOAT64",
    bytes: "BYTES",
    Decimal: "NUMERIC",
    dt.datetime: "TIMESTAMP",
    dt.date: "DATE",
    dt.time: "TIME",
}


def parameter(name: str, value) -> bq.ScalarQueryParameter | bq.ArrayQueryParameter:
    if isinstance(value, list):
        return bq.ArrayQueryParameter(name, TYPES[type(value[0])], value)
    return bq.ScalarQueryParameter(name, TYPES[type(value)], value)


def rows(client: bq.Client, sql: str, **parameters) -> list[tuple]:
    return [tuple(row.values()) for row in run(client, sql, **parameters).result()]


@pytest.fixture
def table(client) -> str:
    return f"{DATASET}.t{next(_numbers)}"


def fill(client: bq.Client, table: str, first: int, last: int, v: str) -> None:
    """Rows with an id, ten of them to each seq."""
    run(
        client,
        f"INSERT INTO `{table}` (id, seq, v) "
        f"SELECT i, DIV(i, 10), '{v}' FROM UNNEST(GENERATE_ARRAY({first}, {last})) AS i",
    )


def test_on_false_replaces_a_range(client, table):
    for name in (table, f"{table}_staging"):
        run(client, f"CREATE TABLE `{name}` (id INT64, seq INT64, v STRING)")
    fill(client, table, 0, 99, "old")
    fill(client, f"{table}_staging", 20, 34, "new")
    job = run(
        client,
        f"""
        MERGE `{table}` AS T USING `{table}_staging` AS S ON FALSE
        WHEN NOT MATCHED BY SOURCE AND T.seq BETWEEN @start AND @end THEN DELETE
        WHEN NOT MATCHED THEN INSERT (id, seq, v) VALUES (S.id, S.seq, S.v)""",
        start=2,
        end=4,
    )
    assert (job.dml_stats.deleted_row_count, job.dml_stats.inserted_row_count) == (30, 15)
    assert job.num_dml_affected_rows == 45
    assert rows(client, f"SELECT v, COUNT(*) FROM `{table}` GROUP BY v ORDER BY v") == [
        ("new", 15),
        ("old", 70),
    ]
