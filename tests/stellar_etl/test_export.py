"""An export is complete or absent on every kind of output; the manifest is written last and names its neighbours."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stellar_etl import __version__
from stellar_etl.transforms.registry import HISTORY
from tests.local import emulators
from tests.stellar_etl.program import PROGRAM, fail, rows, succeed

NOT_YET = 75
CLOUD = ("--cloud-provider", "gcp", "--cloud-storage-bucket", emulators.BUCKET)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[emulators.Server]:
    with emulators.running(emulators.bucket(tmp_path_factory.mktemp("bucket"))) as server:
        yield server


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, including hidden files."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# The manifest ---------------------------------------------------------------------------------------------------


def test_the_manifest_has_all_fields(lake: Path, tmp_path: Path) -> None:
    succeed("export_all_history", "-s", 10, "-e", 12, "--datastore-path", lake, "-o", tmp_path)
    manifest = json.loads((tmp_path / "10-12-manifest.json").read_text())
    ledgers = rows(tmp_path / "10-12-ledgers.txt")
    files = manifest.pop("files")
    assert manifest == {
        "version": 1,
        "exporter": f"stellar-etl {__version__}",
        "network_passphrase": "Stellar Sample Network ; generated, not real ; 2026",
        "start_ledger": 10,
        "end_ledger": 12,
        "first_ledger_hash": ledgers[0]["ledger_hash"],
        "first_previous_ledger_hash": ledgers[0]["previous_ledger_hash"],
        "last_ledger_hash": ledgers[-1]["ledger_hash"],
        "first_closed_at": ledgers[0]["closed_at"],
        "last_closed_at": ledgers[-1]["closed_at"],
        "ledgers": 3,
        "failed_transforms": 0,
        "left_out": [],
    }
    assert [(file["type"], file["name"]) for file in files] == [
        (type_, f"{tmp_path}/10-12-{type_}.txt") for type_ in HISTORY
    ]


def test_manifests_of_neighbouring_ranges_are_chained(lake: Path, tmp_path: Path) -> None:
    manifests = []
    for first, last in ((3, 9), (10, 10), (11, 42)):
        succeed("export_ledgers", "-s", first, "-e", last, "--datastore-path", lake, "-o", tmp_path / f"{first}")
        manifests.append(json.loads((tmp_path / f"{first}.manifest.json").read_text()))
    for left, right in itertools.pairwise(manifests):
        assert left["end_ledger"] + 1 == right["start_ledger"]
        assert left["last_ledger_hash"] == right["first_previous_ledger_hash"]


def test_a_type_without_rows_has_an_empty_file(lake: Path, tmp_path: Path) -> None:
    export = ("export_all_history", "-s", 5, "-e", 6, "--datastore-path", lake, "-o", tmp_path)
    succeed(*export, "--types", "ledgers,assets", "--limit", 0)
    assert [(file["rows"], file["bytes"], file["crc32c"]) for file in manifest_files(tmp_path)] == [
        (0, 0, "AAAAAA==")
    ] * 2
    assert (tmp_path / "5-6-assets.txt").read_bytes() == b""


def manifest_files(folder: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((folder / "5-6-manifest.json").read_text())["files"]
    return found


def test_objects_are_written_before_their_manifest(lake: Path, server: emulators.Server) -> None:
    succeed(
        *("export_all_history", "-s", 5, "-e", 6, "--datastore-path", lake, "-o", "order", *CLOUD),
        STORAGE_EMULATOR_HOST=server.url,
    )
    blobs = list(emulators.storage_client(server).list_blobs(emulators.BUCKET, prefix="order/"))
    # An object's generation is larger than the generations of earlier objects.
    names = [blob.name for blob in sorted(blobs, key=lambda blob: blob.generation)]
    assert len(names) == len(HISTORY) + 1
    assert names[-1] == "order/5-6-manifest.json"


# Failures -------------------------------------------------------------------------------------------------------


def test_a_failed_export_leaves_an_earlier_one_unchanged(lake: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    names = ("--file-names", "ledgers=l,transactions=t,operations=o,assets=a")
    succeed("export_all_history", "-s", 5, "-e", 30, "--datastore-path", lake, "-o", output, *names)
    before = snapshot(output)
    damaged = Path(shutil.copytree(lake, tmp_path / "lake"))
    next(damaged.rglob("*--29.xdr.zst")).write_bytes(b"damaged")
    fail("export_all_history", "-s", 5, "-e", 30, "--datastore-path", damaged, "-o", output, *names)
    fail("export_all_history", "-s", 5, "-e", 99, "--datastore-path", lake, "-o", output, *names, status=NOT_YET)
    assert snapshot(output) == before


@pytest.mark.parametrize("name", ["file/l.txt", "file/deeper/l.txt"])
def test_an_output_below_a_file_is_named(lake: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    export = ("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", lake, "-o", tmp_path / name)
    assert "file" in fail(*export)
    assert snapshot(tmp_path) == {"file": b"mine"}


def test_a_full_disk_is_an_error(lake: Path) -> None:
    assert "No space left" in fail("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", lake, "-o", "/dev/full")


@pytest.mark.parametrize("status", [0, NOT_YET])
@pytest.mark.parametrize("to", ["bucket", "device", "folder"])
def test_no_temporary_file_is_left(lake: Path, tmp_path: Path, server: emulators.Server, to: str, status: int) -> None:
    """Temporary files for a bucket or a device are in the machine's temporary folder."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    output = {"bucket": "left/l.txt", "device": "/dev/stdout", "folder": str(tmp_path / "out" / "l.txt")}[to]
    done = subprocess.run(
        [
            *(PROGRAM, "export_ledgers", "-s", "5", "-e", "99" if status else "6", "--datastore-path", str(lake)),
            *("-o", output, *(CLOUD if to == "bucket" else ())),
        ],
        capture_output=True,
        timeout=120,
        env={**os.environ, "TMPDIR": str(temporary), "STORAGE_EMULATOR_HOST": server.url},
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert list(temporary.iterdir()) == []
    written = snapshot(tmp_path / "out").keys() if to == "folder" else set()
    assert written == ({"l.txt", "l.txt.manifest.json"} if to == "folder" and not status else set())


# Devices --------------------------------------------------------------------------------------------------------


def test_a_redirected_standard_output_is_written_and_not_replaced(lake: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    with path.open("wb") as target:
        subprocess.run(
            [PROGRAM, "export_ledgers", "-s", "5", "-e", "7", "--datastore-path", str(lake), "-o", "/dev/stdout"],
            stdout=target,
            stderr=subprocess.PIPE,
            timeout=120,
            check=True,
        )
        assert os.fstat(target.fileno()).st_ino == path.stat().st_ino
    assert [row["sequence"] for row in rows(path)] == [5, 6, 7]
    assert list(tmp_path.iterdir()) == [path]


def test_standard_output_has_rows_only(lake: Path) -> None:
    """Statistics and errors go to standard error."""
    done = succeed("export_operations", "-s", 5, "-e", 7, "--datastore-path", lake, "-o", "/dev/stdout")
    assert [json.loads(line)["ledger_sequence"] for line in done.stdout.splitlines()]
    assert "attempted_transforms" in done.stderr
