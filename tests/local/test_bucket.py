"""The local bucket through Google's client: content, checksums, names, and recovery after a kill."""

from __future__ import annotations

import base64
import concurrent.futures
import gzip
import hashlib
import io
import itertools
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import google.cloud.bigquery as bq
import google.cloud.storage as gcs
import google_crc32c
import pytest
import requests
from google.api_core.exceptions import NotFound

from local.bucket.folder import METADATA, FolderStorage
from tests.local.emulators import (
    BUCKET,
    Server,
    bigquery_client,
    bucket,
    running,
    storage_client,
    warehouse,
)
from tests.waiting import PATIENCE, wait_until

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


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


AWKWARD = b'{"a": "\xc3\xbc\\u003c"}\r\n\n\r\r\n--boundary--\r\n\x00\xff' + bytes(range(256)) + b"\r\n"


@pytest.mark.parametrize("content", [AWKWARD, b"", b"\r\n", b"x\n", AWKWARD * 100], ids=len)
@pytest.mark.parametrize("how", ["one request", "resumable", "from a file"])
def test_an_object_has_the_content_size_and_checksum_of_its_upload(objects, name, tmp_path, content, how):
    blob = objects.blob(name)
    if how == "from a file":
        (tmp_path / "f").write_bytes(content)
        blob.upload_from_filename(tmp_path / "f", checksum="crc32c")
    elif how == "resumable":  # the client does this if it does not know the size
        blob.upload_from_file(io.BytesIO(content), checksum="crc32c")
    else:
        blob.upload_from_string(content, checksum="crc32c")
    found = objects.get_blob(name)
    assert (found.size, found.crc32c) == (len(content), crc32c(content))
    assert found.download_as_bytes() == content
    assert objects.blob(name).download_as_bytes() == content


def test_a_large_object_is_uploaded_in_several_chunks(objects, name, folder):
    content = os.urandom(9 << 20)
    blob = objects.blob(name, chunk_size=2 << 20)
    blob.upload_from_string(content)
    blob.reload()
    assert (blob.size, blob.crc32c) == (len(content), crc32c(content))
    assert (folder / "gcs" / BUCKET / name).read_bytes() == content


def test_a_percent_encoded_name_is_kept(objects, server):
    encoded, plain = f"{RUN}/percent/a%2Fb%20c.txt", f"{RUN}/percent/a b:c.txt"
    for name in (encoded, plain):
        objects.blob(name).upload_from_string(name)
    found = list(storage_client(server).list_blobs(BUCKET, prefix=f"{RUN}/percent/"))
    assert [blob.name for blob in found] == sorted([encoded, plain])
    assert [blob.download_as_text() for blob in found] == sorted([encoded, plain])
    objects.blob(encoded).delete()
    assert objects.get_blob(encoded) is None
    assert objects.get_blob(plain).download_as_text() == plain


def test_objects_can_be_overwritten_and_deleted(objects, name):
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


def test_a_silent_client_blocks_no_other(server, objects, name):
    half = b"POST /upload/storage/v1/b/x/o?uploadType=media HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"
    with socket.create_connection(("127.0.0.1", server.port)) as silent:
        silent.sendall(half)
        objects.blob(name).upload_from_string("x", timeout=PATIENCE)


def test_uploads_run_in_parallel(server):
    def upload(number: int) -> None:
        storage_client(server).bucket(BUCKET).blob(f"side/{number}").upload_from_string(str(number) * 9)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(upload, range(24)))
    found = storage_client(server).list_blobs(BUCKET, prefix="side/")
    assert {blob.name: blob.crc32c for blob in found} == {f"side/{n}": crc32c((str(n) * 9).encode()) for n in range(24)}


def test_a_kill_leaves_complete_objects_and_loses_none(tmp_path):
    content = os.urandom(3 << 20)
    with running(bucket(tmp_path)) as server:
        kept: list[str] = []
        for _ in range(3):
            done = threading.Event()

            def upload_until_killed(kept=kept, done=done) -> None:
                objects = storage_client(server).bucket(BUCKET)
                while not done.is_set():
                    try:
                        objects.blob(f"{RUN}/new{len(kept)}").upload_from_string(content, retry=None, timeout=PATIENCE)
                        kept.append(f"{RUN}/new{len(kept)}")
                        objects.blob("same").upload_from_string(content[: len(kept)], retry=None, timeout=PATIENCE)
                    except Exception:
                        return

            uploader = threading.Thread(target=upload_until_killed)
            uploader.start()
            enough = len(kept) + 1
            wait_until(lambda enough=enough: len(kept) >= enough, "nothing was uploaded")
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


def test_a_kill_loses_no_metadata(tmp_path):
    with running(bucket(tmp_path)) as server:
        objects = storage_client(server).bucket(BUCKET)
        for number in range(3):
            blob = objects.blob(f"{RUN}/{number}")
            blob.metadata = {"number": str(number)}
            blob.upload_from_string(b"content", content_type="application/x-of-a-client")
        objects.blob(f"{RUN}/0").delete()
        blob.metadata = {"number": "changed"}
        blob.patch()
        before = [blob._properties for blob in objects.list_blobs()]
        server.kill()
        with (tmp_path / "gcs" / METADATA).open("ab") as file:
            file.write(b'["a line that a kill has cut')
        server.start()
        blobs = list(storage_client(server).list_blobs(BUCKET))
        assert [blob._properties for blob in blobs] == before
        assert [blob.metadata["number"] for blob in blobs] == ["1", "changed"]
        assert {blob.content_type for blob in blobs} == {"application/x-of-a-client"}


def test_a_write_costs_the_same_with_any_number_of_objects(tmp_path, monkeypatch):
    monkeypatch.setattr("local.bucket.metadata.SPARE_LINES", 50)

    def written_by(objects: int) -> int:
        """Return the bytes that one more upload writes besides its content."""
        folder = FolderStorage(tmp_path / str(objects))
        folder.create_bucket(BUCKET, {"name": BUCKET})
        sizes = []
        for number in range(objects + 1):
            before = log.stat().st_size if (log := folder.folder / METADATA).exists() else 0
            folder.create_file(BUCKET, f"{number:05}", b"", {"generation": "1", "size": "0"})
            sizes.append(log.stat().st_size - before + (folder.folder / ".meta").stat().st_size)
        return sizes[-1]

    assert written_by(1) == written_by(200)


def test_outdated_metadata_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("local.bucket.metadata.SPARE_LINES", 50)
    folder = FolderStorage(tmp_path)
    folder.create_bucket(BUCKET, {"name": BUCKET})
    for number in range(200):
        folder.create_file(BUCKET, str(number % 3), b"", {"generation": str(number), "size": "0"})
    lines = (folder.folder / METADATA).read_text().splitlines()
    assert 3 <= len(lines) <= 54
    with (folder.folder / METADATA).open("a") as file:
        file.write('["a line that a full disk has cut')
    folder.create_file(BUCKET, "of the line after it", b"", {"generation": "0", "size": "0"})
    folder.delete_file(BUCKET, "of the line after it")
    assert FolderStorage(tmp_path).objects == folder.objects
    assert {one["generation"] for one in folder.objects[BUCKET].values()} == {"197", "198", "199"}


def test_existing_files_are_objects(tmp_path):
    lake = tmp_path / "gcs" / "lake" / "ledgers" / "FF--0-9"
    lake.mkdir(parents=True)
    (lake / "a%3Ab.xdr.zst").write_bytes(AWKWARD)
    with running(bucket(tmp_path)) as server:
        (blob,) = storage_client(server).list_blobs("lake", prefix="ledgers/")
        assert (blob.name, blob.crc32c) == ("ledgers/FF--0-9/a%3Ab.xdr.zst", crc32c(AWKWARD))
        assert blob.download_as_bytes() == AWKWARD


def test_files_that_other_processes_write_change_and_delete_are_visible(folder, server):
    path = folder / "gcs" / "from-outside" / "a" / "b.txt"
    bucket = storage_client(server).bucket("from-outside")
    assert not bucket.exists()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"first")
    assert bucket.exists()
    (listed,) = bucket.list_blobs(prefix="a/")
    assert (listed.name, listed.size, listed.crc32c) == ("a/b.txt", 5, crc32c(b"first"))
    path.write_bytes(b"second!")
    assert bucket.get_blob("a/b.txt").crc32c == crc32c(b"second!")
    assert bucket.blob("a/b.txt").download_as_bytes() == b"second!"
    copied = bucket.copy_blob(bucket.blob("a/b.txt"), bucket, "a/c.txt")
    assert copied.crc32c == crc32c(b"second!")
    path.unlink()
    assert bucket.get_blob("a/b.txt") is None
    assert [blob.name for blob in bucket.list_blobs()] == ["a/c.txt"]
    path.write_bytes(b"third")
    bucket.blob("a/b.txt").delete()
    assert not path.exists()


def peak_megabytes(server: Server) -> float:
    assert server.process is not None
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_memory_does_not_grow_with_an_object(tmp_path):
    content = os.urandom(1 << 20) * 48
    with running(bucket(tmp_path)) as server:
        objects = storage_client(server).bucket(BUCKET)
        objects.blob("small").upload_from_string("x")
        before = peak_megabytes(server)
        objects.blob("resumable").upload_from_string(content)
        objects.blob("chunks", chunk_size=16 << 20).upload_from_string(content)
        upload(server, "media", content, uploadType="media")
        blob = objects.get_blob("chunks")
        objects.copy_blob(blob, objects, "copy")
        objects.blob("composed").compose([blob, blob])
        assert blob.download_as_bytes() == content
        assert peak_megabytes(server) < before + 12


def upload(server: Server, name: str, data: object, headers: dict[str, str] | None = None, **query: str) -> None:
    url = f"{server.url}/upload/storage/v1/b/{BUCKET}/o"
    answer = requests.post(url, params={"name": name, **query}, data=data, headers=headers, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("content", [AWKWARD, b"", b"{}"], ids=["awkward", "empty", "JSON"])
@pytest.mark.parametrize("kind", ["text/x-rows", "application/json"])
def test_a_media_upload_is_stored_unchanged(server, objects, name, content, kind):
    upload(server, name, content, {"Content-Type": kind}, uploadType="media")
    found = objects.get_blob(name)
    assert (found.size, found.md5_hash, found.content_type) == (len(content), md5(content), kind)
    assert found.download_as_bytes() == content


def test_a_body_in_chunks_is_stored_unchanged(server, objects, name):
    upload(server, name, iter([AWKWARD] * 3), uploadType="media")
    assert objects.blob(name).download_as_bytes() == 3 * AWKWARD


@pytest.mark.parametrize("body", [gzip.compress(AWKWARD), gzip.compress(AWKWARD[:99]) + gzip.compress(AWKWARD[99:])])
def test_a_compressed_body_is_stored_decompressed(server, objects, name, body):
    upload(server, name, body, {"Content-Encoding": "gzip"}, uploadType="media")
    found = objects.get_blob(name)
    assert (found.crc32c, found.download_as_bytes()) == (crc32c(AWKWARD), AWKWARD)


@pytest.mark.parametrize("head", [b"Content-Length: 999999\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nffff\r\n"])
def test_a_client_that_dies_leaves_no_object_and_no_file(server, objects, name, folder, head):
    address = f"POST /upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={quote(name, '')} HTTP/1.1\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as dying:
        dying.sendall(address.encode() + head + b"half")
        dying.shutdown(socket.SHUT_WR)
        assert b" 400 " in dying.recv(1 << 16)
    assert objects.get_blob(name) is None
    assert not list((folder / "gcs" / "_partial").iterdir())


def test_objects_are_composed_and_read_in_part(objects, name):
    parts = [objects.blob(f"{name}-{number}") for number in range(3)]
    for part, content in zip(parts, (b"first,", b"", b"second,"), strict=True):
        part.upload_from_string(content)
    whole = objects.blob(name)
    whole.compose(parts)
    assert objects.get_blob(name).crc32c == crc32c(b"first,second,")
    whole = objects.blob(name)  # without the properties of the first one, which the client would send
    whole.compose([whole, *parts])
    assert objects.get_blob(name).download_as_bytes() == 2 * b"first,second,"
    assert whole.download_as_bytes(start=6, end=8) == b"sec"
    assert whole.download_as_bytes(start=20) == b"econd,"


def test_a_download_is_of_one_version_though_the_object_is_replaced(server, objects, name):
    content = os.urandom(1 << 20) * 32
    objects.blob(name).upload_from_string(content)
    address = f"{server.url}/download/storage/v1/b/{BUCKET}/o/{quote(name, '')}?alt=media"
    with requests.get(address, stream=True, timeout=PATIENCE) as answer:
        begun = answer.raw.read(1 << 10)
        objects.blob(name).upload_from_string("newer")
        assert begun + answer.raw.read() == content
    assert objects.blob(name).download_as_bytes() == b"newer"


# The requests of gcloud: https://github.com/google/apitools/blob/master/apitools/base/py/transfer.py


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize(
    "quoted", ["{}", "'{}'", '"{}"', "{}; charset=utf-8"], ids=["plain", "single", "double", "followed"]
)
@pytest.mark.parametrize("content", [AWKWARD, b"", b"\n\n", b"--"], ids=["awkward", "empty", "blank lines", "dashes"])
def test_a_multipart_upload_of_gcloud_is_accepted(server, objects, name, content, quoted, line_end):
    boundary = "===============7330845974216740156=="
    lines = [
        f"--{boundary}".encode(),
        b"Content-Type: application/json",
        b"MIME-Version: 1.0",
        b"",
        json.dumps({"name": name, "contentType": "text/x-rows", "md5Hash": md5(content)}).encode(),
        f"--{boundary}".encode(),
        b"Content-Type: text/x-rows",
        b"MIME-Version: 1.0",
        b"Content-Transfer-Encoding: binary",
        b"",
        content,
        f"--{boundary}--".encode(),
        b"",
    ]
    answer = requests.post(
        f"{server.url}/upload/storage/v1/b/{BUCKET}/o?alt=json&fields=name%2Cmd5Hash%2Csize&uploadType=multipart",
        data=line_end.join(lines),
        headers={"Content-Type": f"multipart/related; boundary={quoted.format(boundary)}"},
        timeout=PATIENCE,
    )
    assert answer.status_code == 200, answer.text
    found = objects.get_blob(name)
    assert (found.size, found.md5_hash, found.content_type) == (len(content), md5(content), "text/x-rows")
    assert found.download_as_bytes() == content


def test_a_body_without_the_parts_is_refused(server):
    answer = requests.post(
        f"{server.url}/upload/storage/v1/b/{BUCKET}/o?uploadType=multipart",
        data=b"--x\r\n\r\n{}",
        headers={"Content-Type": "multipart/related; boundary=x"},
        timeout=PATIENCE,
    )
    assert (answer.status_code, "the body cannot be read" in answer.text) == (400, True)


def test_a_resumable_upload_of_gcloud_is_stored_once(server, objects, name, folder):
    content, chunk = os.urandom(3 * (256 << 10) + 7), 256 << 10
    begun = requests.post(
        f"{server.url}/resumable/upload/storage/v1/b/{BUCKET}/o?alt=json&uploadType=resumable&name={quote(name, '')}",
        json={"name": name},
        headers={"X-Upload-Content-Type": "text/x-rows"},
        timeout=PATIENCE,
    )
    session = begun.headers["Location"]

    def put(content_range: str, part: bytes = b"") -> requests.Response:
        return requests.put(session, data=part, headers={"Content-Range": content_range}, timeout=PATIENCE)

    answer = put("bytes */*")
    assert (answer.status_code, answer.headers.get("Range")) == (308, None), "no byte has arrived"
    for start in range(0, 3 * chunk, chunk):  # from a pipe, whose length is unknown
        answer = put(f"bytes {start}-{start + chunk - 1}/*", content[start : start + chunk])
        assert (answer.status_code, answer.headers["Range"]) == (308, f"bytes=0-{start + chunk - 1}")
    assert put("bytes */*").headers["Range"] == f"bytes=0-{3 * chunk - 1}"
    assert put(f"bytes 0-{chunk - 1}/*", content[:chunk]).status_code == 400, "these bytes have arrived"
    assert objects.get_blob(name) is None
    (arriving,) = (folder / "gcs" / "_resumable").iterdir()
    inode = arriving.stat().st_ino
    answer = put(f"bytes {3 * chunk}-{len(content) - 1}/{len(content)}", content[3 * chunk :])
    assert (answer.status_code, answer.json()["md5Hash"]) == (200, md5(content))
    again = put("bytes */*")
    assert (again.status_code, again.json()["name"]) == (200, name), "as after a lost reply"
    assert objects.blob(name).download_as_bytes() == content
    assert (folder / "gcs" / BUCKET / name).stat().st_ino == inode, "the received bytes are the object"
    assert not list((folder / "gcs" / "_resumable").iterdir())


def test_a_resumable_upload_continues_after_a_kill(tmp_path):
    content, half = AWKWARD * 9, len(AWKWARD) * 4
    with running(bucket(tmp_path)) as server:
        session = requests.post(
            f"{server.url}/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable", json={"name": "x"}, timeout=PATIENCE
        ).headers["Location"]
        for start, end, status in ((0, half, 308), (half, len(content), 200)):
            headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}"}
            answer = requests.put(session, data=content[start:end], headers=headers, timeout=PATIENCE)
            assert answer.status_code == status
            server.kill()
            server.start()
        assert (answer.json()["crc32c"], answer.json()["md5Hash"]) == (crc32c(content), md5(content))
        assert storage_client(server).bucket(BUCKET).blob("x").download_as_bytes() == content


def test_an_upload_with_another_checksum_is_refused(server, objects, name):
    session = requests.post(
        f"{server.url}/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable",
        json={"name": name, "crc32c": crc32c(b"other")},
        timeout=PATIENCE,
    ).headers["Location"]
    answer = requests.put(session, data=b"sent", headers={"Content-Range": "bytes 0-3/4"}, timeout=PATIENCE)
    assert (answer.status_code, "doesn't match" in answer.text) == (400, True)
    assert objects.get_blob(name) is None


def test_the_warehouse_loads_an_uploaded_object(objects, folder):
    for name, number in ((f"{RUN}/load.txt", 1), (f"{RUN}/load.txt".replace("%3A", ":"), 2)):
        objects.blob(name).upload_from_string(f'{{"id": {number}}}\n')
    with running(warehouse(folder)) as server:
        client = bigquery_client(server)
        client.create_dataset("stellar")
        config = bq.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", schema=[bq.SchemaField("id", "INTEGER")])
        client.load_table_from_uri(f"gs://{BUCKET}/{RUN}/load.txt", "stellar.loaded", job_config=config).result()
        assert [row.id for row in client.query("SELECT id FROM stellar.loaded").result()] == [1]


def test_a_lifecycle_rule_is_returned_and_deletes_old_objects(tmp_path):
    """It runs at the start, and then from time to time."""
    old, newer = (tmp_path / "gcs" / BUCKET / "exports" / name for name in ("old.txt", "newer.txt"))
    old.parent.mkdir(parents=True)
    for path, days in ((old, 31), (newer, 29)):
        path.write_text("x")
        os.utime(path, 2 * (time.time() - days * 86_400,))
    server = bucket(tmp_path)
    server.arguments += ["--delete-after", "30"]
    with running(server):
        found = storage_client(server).get_bucket(BUCKET)
        assert [dict(rule) for rule in found.lifecycle_rules] == [
            {"action": {"type": "Delete"}, "condition": {"age": 30}}
        ]
        wait_until(lambda: not old.exists(), "the old object is still there")
        assert [blob.name for blob in found.list_blobs()] == ["exports/newer.txt"]
        made = storage_client(server).bucket("made-with-a-rule")
        made.add_lifecycle_delete_rule(age=1)
        made.create()
        (rule,) = storage_client(server).get_bucket("made-with-a-rule").lifecycle_rules
        assert rule["condition"] == {"age": 1}
