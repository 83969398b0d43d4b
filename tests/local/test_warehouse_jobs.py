"""Jobs of the local warehouse: ids, statistics, errors, and what a killed server still knows."""

from __future__ import annotations

from collections.abc import Iterator

import google.cloud.bigquery as bq
import pytest
from google.api_core.exceptions import Conflict, NotFound

from tests.local.emulators import Server, bigquery_client, running, warehouse

DATASET = "local.stellar"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    with running(warehouse(tmp_path_factory.mktemp("warehouse"))) as server:
        bigquery_client(server).create_dataset(DATASET)
        yield server


@pytest.fixture
def client(server) -> bq.Client:
    return bigquery_client(server)


def test_a_job_id_is_used_once(client):
    first = client.query("SELECT 1", job_id="once", retry=None, job_retry=None)
    with pytest.raises(Conflict):
        client.query("SELECT 2", job_id="once", retry=None, job_retry=None)
    assert client.get_job("once").query == first.query


def test_an_unknown_job_is_not_found(client):
    with pytest.raises(NotFound):
        client.get_job("never-ran")
