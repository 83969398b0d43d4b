"""The local bucket through Google's client: content, checksums, names, and what a kill leaves."""

from __future__ import annotations

import base64
import concurrent.futures
import io
import itertools
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import google.cloud.bigquery as bq
import google.cloud.storage as gcs
import google_crc32c
import pytest
from google.api_core.exceptions import NotFound

from tests.local.emulators import (
    BUCKET,
    Server,
    bigquery_client,
    bucket,
    running,
    storage_client,
    warehouse,
)

RUN = "exports/manual__2026-01-01T00%3A10%3A00%2B00%3A00/1"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("bucket")


@pytest.fixture(scope="module")
def server(folder) -> Iterator[Server]:
    with running(bucket(folder)) as server:
        yield server


@pytest.fixture
def objects(server) -> gcs.Bucket:
    return storage_client(server).bucket(BUCKET)


@pytest.fixture
def name() -> str:
    return f"{RUN}/{next(_numbers)}.txt"


def crc32c(content: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()


AWKWARD = b'{"a": "\xc3\xbc\\u003c"}\r\n\n\r\r\n--boundary--\r\n\x00\xff' + bytes(range(256)) + b"\r\n"


@pytest.mark.parametrize("content", [AWKWARD, b"", b"\r\n", b"x\n", AWKWARD * 100], ids=len)
@pytest.mark.parametrize("how", ["one request", "resumable", "from a file"])
def test_content_size_and_checksum_are_those_of_the_upload(objects, name, tmp_path, content, how):
    blob = objects.blob(name)
    if how == "from a file":
        (tmp_path / "f").write_bytes(content)
        blob.upload_from_filename(tmp_path / "f", checksum="crc32c")
    elif how == "resumable":  # what the client does when it does not know the size
        blob.upload_from_file(io.BytesIO(content), checksum="crc32c")
    else:
        blob.upload_from_string(content, checksum="crc32c")
    found = objects.get_blob(name)
    assert (found.size, found.crc32c) == (len(content), crc32c(content))
    assert found.download_as_bytes() == content
    assert objects.blob(name).download_as_bytes() == content


def test_a_large_object_in_several_chunks(objects, name, folder):
    content = os.urandom(9 << 20)
    blob = objects.blob(name, chunk_size=2 << 20)
    blob.upload_from_string(content)
    blob.reload()
    assert (blob.size, blob.crc32c) == (len(content), crc32c(content))
    assert (folder / "gcs" / BUCKET / name).read_bytes() == content


def test_a_percent_encoded_name_is_a_name(objects, server):
    encoded, plain = f"{RUN}/percent/a%2Fb%20c.txt", f"{RUN}/percent/a b:c.txt"
    for name in (encoded, plain):
        objects.blob(name).upload_from_string(name)
    found = list(storage_client(server).list_blobs(BUCKET, prefix=f"{RUN}/percent/"))
    assert [blob.name for blob in found] == sorted([encoded, plain])
    assert [blob.download_as_text() for blob in found] == sorted([encoded, plain])
    objects.blob(encoded).delete()
    assert objects.get_blob(encoded) is None
    assert objects.get_blob(plain).download_as_text() == plain


def test_overwrite_and_delete(objects, name):
    blob = objects.blob(name)
    blob.upload_from_string("old")
    before = objects.get_blob(name).generation
    blob.upload_from_string("newer")
    after = objects.get_blob(name)
    assert (after.size, after.crc32c, after.generation > before) == (5, crc32c(b"newer"), True)
    assert after.download_as_text() == "newer"
    after.delete()
    assert not objects.blob(name).exists()
    with pytest.raises(NotFound):
        objects.blob(name).download_as_bytes()


def test_a_silent_client_stops_no_other(server, objects, name):
    half = b"POST /upload/storage/v1/b/x/o?uploadType=media HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"
    with socket.create_connection(("127.0.0.1", server.port)) as silent:
        silent.sendall(half)
        objects.blob(name).upload_from_string("x", timeout=5)


def test_uploads_side_by_side(server):
    def upload(number: int) -> None:
        storage_client(server).bucket(BUCKET).blob(f"side/{number}").upload_from_string(str(number) * 9)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(upload, range(24)))
    found = storage_client(server).list_blobs(BUCKET, prefix="side/")
    assert {blob.name: blob.crc32c for blob in found} == {f"side/{n}": crc32c((str(n) * 9).encode()) for n in range(24)}


def test_a_kill_loses_and_halves_nothing(tmp_path):
    content = os.urandom(3 << 20)
    with running(bucket(tmp_path)) as server:
        kept: list[str] = []
        for _ in range(3):
            done = threading.Event()

            def upload_until_killed(kept=kept, done=done) -> None:
                objects = storage_client(server).bucket(BUCKET)
                while not done.is_set():
                    try:
                        objects.blob(f"{RUN}/new{len(kept)}").upload_from_string(content, retry=None, timeout=2)
                        kept.append(f"{RUN}/new{len(kept)}")
                        objects.blob("same").upload_from_string(content[: len(kept)], retry=None, timeout=2)
                    except Exception:
                        return

            uploader = threading.Thread(target=upload_until_killed)
            uploader.start()
            time.sleep(0.4)
            server.kill()
            done.set()
            uploader.join()
            server.start()
            found = {blob.name: blob for blob in storage_client(server).list_blobs(BUCKET)}
            assert set(kept) <= set(found)
            for blob in found.values():
                stored = blob.download_as_bytes()
                assert stored == content or blob.name == "same"
                assert (blob.size, blob.crc32c) == (len(stored), crc32c(stored))
        assert kept


def test_files_that_lie_there_are_objects(tmp_path):
    lake = tmp_path / "gcs" / "lake" / "ledgers" / "FF--0-9"
    lake.mkdir(parents=True)
    (lake / "a%3Ab.xdr.zst").write_bytes(AWKWARD)
    with running(bucket(tmp_path)) as server:
        (blob,) = storage_client(server).list_blobs("lake", prefix="ledgers/")
        assert (blob.name, blob.crc32c) == ("ledgers/FF--0-9/a%3Ab.xdr.zst", crc32c(AWKWARD))
        assert blob.download_as_bytes() == AWKWARD


def test_the_warehouse_loads_what_was_uploaded(objects, folder):
    for name, number in ((f"{RUN}/load.txt", 1), (f"{RUN}/load.txt".replace("%3A", ":"), 2)):
        objects.blob(name).upload_from_string(f'{{"id": {number}}}\n')
    with running(warehouse(folder)) as server:
        client = bigquery_client(server)
        client.create_dataset("stellar")
        config = bq.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", schema=[bq.SchemaField("id", "INTEGER")])
        client.load_table_from_uri(f"gs://{BUCKET}/{RUN}/load.txt", "stellar.loaded", job_config=config).result()
        assert [row.id for row in client.query("SELECT id FROM stellar.loaded").result()] == [1]
