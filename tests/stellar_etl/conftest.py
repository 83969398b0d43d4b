"""A bucket, for the tests that write to one or read from one."""

from __future__ import annotations

from collections.abc import Iterator

import google.cloud.storage as gcs
import pytest

from tests.local import emulators


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[emulators.Server]:
    with emulators.running(emulators.bucket(tmp_path_factory.mktemp("bucket"))) as server:
        yield server


@pytest.fixture
def storage(server: emulators.Server) -> gcs.Client:
    return emulators.storage_client(server)
