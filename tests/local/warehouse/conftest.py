"""One local warehouse per test file, with an empty dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import google.cloud.bigquery as bq
import pytest

from tests.local.emulators import DATASET, Server, bigquery_client, running, warehouse


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The folder of the warehouse; a bucket `b` is its folder `gcs/b`."""
    return tmp_path_factory.mktemp("warehouse")


@pytest.fixture(scope="module")
def server(folder) -> Iterator[Server]:
    with running(warehouse(folder)) as server:
        bigquery_client(server).create_dataset(DATASET)
        yield server


@pytest.fixture(scope="module")
def client(server) -> bq.Client:
    return bigquery_client(server)
