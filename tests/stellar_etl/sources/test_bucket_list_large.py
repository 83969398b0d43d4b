"""Buckets of any size: from an interrupted HTTP connection, from Cloud Storage, and in little memory."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local import emulators
from tests.stellar_etl.archives import CHECKPOINT, contract_code, live, ttl, write_archive
from tests.stellar_etl.program import fail, rows, succeed
from tests.stellar_etl.web_lake import Files, Server, served

CODES = 400


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Buckets that arrive in several pieces, because their content cannot be compressed."""
    entries = [contract_code(number, 4096) for number in range(CODES)]
    any_bytes = random.Random(1)
    for entry in entries:
        assert entry.data.contract_code is not None
        entry.data.contract_code.code = any_bytes.randbytes(4096)
    return write_archive(tmp_path_factory.mktemp("archive"), [[live(ttl(1, 2))], list(map(live, entries))])


@pytest.fixture
def objects(archive: Path) -> Files:
    return Files(archive)


@pytest.fixture
def server(objects: Files) -> Iterator[Server]:
    with served(objects) as server:
        yield server


def largest(objects: Files) -> str:
    return max(objects.files, key=lambda name: len(objects.files[name]))


def export(path: object, output: Path) -> tuple[object, ...]:
    return ("export_contract_code", "-e", CHECKPOINT, "--history-archive-path", path, "-o", output / "code.txt")


def test_an_interrupted_bucket_is_read_from_the_interruption_on(objects: Files, server: Server, tmp_path: Path) -> None:
    name, size = largest(objects), len(objects.files[largest(objects)])
    server.faults[name] = ["cut", 503, "cut"]
    succeed(*export(server.url, tmp_path))
    half = size // 2
    assert server.ranges == [f"bytes={half}-", f"bytes={half + (size - half) // 2}-"]
    assert len(rows(tmp_path / "code.txt")) == CODES
    assert len(server.reads) == 5 + 3
    assert not server.listings


def test_received_bytes_of_a_bucket_that_is_sent_again_are_skipped(
    objects: Files, server: Server, tmp_path: Path
) -> None:
    """The service now has another version with the same beginning."""
    name = largest(objects)

    def change() -> None:
        objects.files[name] += gzip.compress(b"")

    server.faults[name] = ["cut", change]
    succeed(*export(server.url, tmp_path))
    assert server.reads.count(name) == 3
    assert [int(row["contract_code_hash"], 16) for row in rows(tmp_path / "code.txt")] == list(range(CODES))


def test_a_bucket_that_changes_during_the_read_is_refused(objects: Files, server: Server, tmp_path: Path) -> None:
    name = largest(objects)

    def change() -> None:
        objects.files[name] = gzip.compress(gzip.decompress(objects.files[name])[::-1])

    server.faults[name] = ["cut", change]
    assert name in fail(*export(server.url, tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("fault", "words"), [(404, "does not exist"), (403, "HTTP 403"), (500, "HTTP 500")])
def test_an_unreadable_bucket_is_named(objects: Files, server: Server, tmp_path: Path, fault: int, words: str) -> None:
    server.faults[largest(objects)] = [fault, ...]
    line = fail(*export(server.url, tmp_path), STELLAR_ETL_PATIENCE_SECONDS="0.5")
    assert largest(objects) in line
    assert words in line


def test_an_archive_in_a_bucket_gives_the_rows_of_the_archive_in_the_folder(archive: Path, tmp_path: Path) -> None:
    with emulators.running(emulators.bucket(tmp_path / "storage")) as server:
        bucket = emulators.storage_client(server).bucket(emulators.BUCKET)
        for path in archive.rglob("*.*"):
            if path.is_file():
                bucket.blob(f"archive/{path.relative_to(archive)}").upload_from_filename(str(path))
        place = f"gs://{emulators.BUCKET}/archive"
        succeed(*export(place, tmp_path), STORAGE_EMULATOR_HOST=server.url)
        assert len(rows(tmp_path / "code.txt")) == CODES
        hash_ = max(archive.rglob("bucket-*"), key=lambda path: path.stat().st_size).relative_to(archive)
        bucket.blob(f"archive/{hash_}").delete()
        line = fail(*export(place, tmp_path / "no"), STORAGE_EMULATOR_HOST=server.url)
        assert f"{place}/{hash_} does not exist" in line


@pytest.mark.parametrize("path", ["http://example.com/archive", "s3://bucket/archive", "https://host/archive?x"])
def test_an_invalid_path_names_its_option(tmp_path: Path, path: str) -> None:
    assert f"--history-archive-path {path}" in fail(*export(path, tmp_path))


def peak(*arguments: object) -> int:
    """Return the peak memory of an export in kilobytes; `ru_maxrss` would include the memory of its parent."""
    program = (
        "import sys; from stellar_etl.cli import main; main(sys.argv[1:]); print(open('/proc/self/status').read())"
    )
    run = [sys.executable, "-c", program, *map(str, arguments)]
    status = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    return int(status.split("VmHWM:")[1].split()[0])


def test_memory_does_not_grow_with_a_bucket(tmp_path: Path) -> None:
    """The bucket has 150 MB of well compressible data, while a process uses 25: only a part is in memory at once."""

    def made(name: str, count: int) -> Path:
        codes = [live(contract_code(number, 60_000)) for number in range(count)]
        return write_archive(tmp_path / name, [codes[:1], codes])

    little, much = (peak(*export(made(name, count), tmp_path)) for name, count in (("little", 10), ("much", 2500)))
    assert len(rows(tmp_path / "code.txt")) == 2500
    assert much < 3 * little
