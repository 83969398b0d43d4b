"""Exports into a bucket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import google.cloud.storage as gcs

from tests.local import emulators
from tests.stellar_etl.program import PROGRAM, fail, succeed

CLOUD = ("--cloud-provider", "gcp", "--cloud-storage-bucket", emulators.BUCKET)


def test_objects_equal_the_files(lake: Path, tmp_path: Path, server: emulators.Server, storage: gcs.Client) -> None:
    span = ("export_all_history", "-s", 5, "-e", 12, "--datastore-path", lake)
    succeed(*span, "-o", tmp_path)
    succeed(*span, "-o", "run/1", *CLOUD, STORAGE_EMULATOR_HOST=server.url)
    objects = {blob.name: blob for blob in storage.list_blobs(emulators.BUCKET, prefix="run/1/")}
    assert {name.removeprefix("run/1/") for name in objects} == {path.name for path in tmp_path.iterdir()}
    for name, blob in objects.items():
        if name.endswith(".txt"):
            assert blob.download_as_bytes() == (tmp_path / Path(name).name).read_bytes()
    manifest = json.loads(objects["run/1/5-12-manifest.json"].download_as_text())
    for file in manifest["files"]:
        blob = objects[file["name"]]
        assert (file["bytes"], file["crc32c"]) == (blob.size, blob.crc32c)
        assert blob.time_created <= objects["run/1/5-12-manifest.json"].time_created


def test_a_failed_export_uploads_nothing(lake: Path, server: emulators.Server, storage: gcs.Client) -> None:
    arguments = ("export_all_history", "-s", 5, "-e", 99, "--datastore-path", lake, "-o", "run/2", *CLOUD)
    fail(*arguments, status=75, STORAGE_EMULATOR_HOST=server.url)
    assert not list(storage.list_blobs(emulators.BUCKET, prefix="run/2/"))


def test_a_missing_bucket_is_named(lake: Path, server: emulators.Server) -> None:
    line = fail(
        *("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", lake, "-o", "run/3"),
        *("--cloud-provider", "gcp", "--cloud-storage-bucket", "no-such-bucket"),
        STORAGE_EMULATOR_HOST=server.url,
    )
    assert "no-such-bucket" in line


def test_a_signal_ends_uploads_that_get_no_response(lake: Path, tmp_path: Path) -> None:
    """Several files are uploaded at a time; none of them keeps the program alive."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        program = subprocess.Popen(
            [
                *(PROGRAM, "export_all_history", "-s", "5", "-e", "6", "--datastore-path", lake, "-o", "run/4"),
                *CLOUD,
            ],
            env={
                **os.environ,
                "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{silent.getsockname()[1]}",
                "STELLAR_ETL_PATIENCE_SECONDS": "3600",
                "TMPDIR": str(tmp_path),
            },
        )
        connections = [silent.accept()[0] for _ in range(4)]
        program.send_signal(signal.SIGTERM)
        assert program.wait() == 128 + signal.SIGTERM
        for connection in connections:
            connection.close()
    assert not list(tmp_path.iterdir())
