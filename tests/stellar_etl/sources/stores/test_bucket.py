"""Exports from a lake in a bucket."""

from __future__ import annotations

import json
from pathlib import Path

import google.cloud.storage as gcs
import pytest

from tests.local import emulators
from tests.stellar_etl.program import as_set, fail, rows, succeed

CLOUD = ("--cloud-provider", "gcp", "--cloud-storage-bucket", emulators.BUCKET)


def test_a_lake_in_a_missing_bucket_is_named(tmp_path: Path, server: emulators.Server) -> None:
    place = "gs://no-such-bucket/lake"
    line = fail(
        *("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", place, "-o", tmp_path / "l.txt"),
        STORAGE_EMULATOR_HOST=server.url,
    )
    assert place in line


@pytest.fixture
def remote(lake: Path, storage: gcs.Client) -> str:
    """A copy of the lake in the bucket."""
    bucket = storage.bucket(emulators.BUCKET)
    for path in lake.rglob("*"):
        if path.is_file():
            bucket.blob(f"lakes/sample/{path.relative_to(lake)}").upload_from_filename(str(path))
    return f"gs://{emulators.BUCKET}/lakes/sample"


def test_a_lake_in_a_bucket_gives_the_rows_of_the_lake_in_the_folder(
    lake: Path, tmp_path: Path, server: emulators.Server, remote: str
) -> None:
    span = ("export_operations", "-s", 5, "-e", 30)
    succeed(*span, "--datastore-path", lake, "-o", tmp_path / "folder.txt")
    succeed(*span, "--datastore-path", remote, "-o", tmp_path / "bucket.txt", STORAGE_EMULATOR_HOST=server.url)
    assert as_set(rows(tmp_path / "bucket.txt")) == as_set(rows(tmp_path / "folder.txt"))
    times = ("get_ledger_range_from_times", "-s", "2026-01-01T00:00:10Z", "-e", "2026-01-01T00:01:00Z")
    done = succeed(*times, "--datastore-path", remote, "-o", "", STORAGE_EMULATOR_HOST=server.url)
    assert json.loads(done.stdout) == {"start": 5, "end": 15}


def test_the_end_and_gaps_of_a_lake_in_a_bucket_are_found(
    tmp_path: Path, server: emulators.Server, storage: gcs.Client, remote: str
) -> None:
    export = ("export_ledgers", "--datastore-path", remote, "-o", tmp_path / "out" / "l.txt")
    line = fail(*export, "-s", 40, "-e", 43, status=75, STORAGE_EMULATOR_HOST=server.url)
    assert "ledger 43 has not closed yet" in line
    bucket = storage.bucket(emulators.BUCKET)
    for sequence in (11, 12, 20):
        bucket.blob(f"lakes/sample/FFFFFFFF--0-63999/{0xFFFFFFFF - sequence:08X}--{sequence}.xdr.zst").delete()
    line = fail(*export, "-s", 5, "-e", 30, STORAGE_EMULATOR_HOST=server.url)
    assert "lacks ledgers 11-12, 20" in line
    assert not list((tmp_path / "out").iterdir())
    times = ("get_ledger_range_from_times", "-s", "2026-01-01T00:00:40Z", "-e", "2026-01-01T00:01:00Z")
    done = succeed(*times, "--datastore-path", remote, "-o", "", STORAGE_EMULATOR_HOST=server.url)
    assert json.loads(done.stdout) == {"start": 13, "end": 15}


def test_an_unreachable_service_is_named(tmp_path: Path) -> None:
    line = fail(
        *("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", "gs://bucket/lake", "-o", tmp_path / "l.txt"),
        STORAGE_EMULATOR_HOST=f"http://127.0.0.1:{emulators.free_port()}",
        STELLAR_ETL_PATIENCE_SECONDS="1",
    )
    assert "gs://bucket/lake" in line
