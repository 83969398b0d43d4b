"""`export_ledger_entry_changes`: its files, their content, and its manifest."""

from __future__ import annotations

import base64
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import google_crc32c
import pyarrow.parquet as pq
import pytest

from stellar_etl.transforms.registry import STATE
from tests.local import emulators
from tests.stellar_etl.program import PROGRAM, as_set, fail, rows, run, succeed
from tests.stellar_etl.sinks.test_parquet import assert_same_rows

CLOUD = ("--cloud-provider", "gcp", "--cloud-storage-bucket", emulators.BUCKET)

FIRST, LAST = 3, 42
"""The ledgers of the lake."""
NOT_YET = 75

TYPES = [
    *("accounts", "signers", "claimable_balances", "offers", "trustlines", "liquidity_pools", "contract_data"),
    *("contract_code", "config_settings", "ttl", "restored_key"),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[emulators.Server]:
    with emulators.running(emulators.bucket(tmp_path / "bucket")) as server:
        yield server


def export(lake: Path, folder: Path, *more: object, first: int = FIRST, last: int = LAST) -> dict[str, Any]:
    """Export, and return the manifest."""
    arguments = ("-s", first, "-e", last, "--datastore-path", lake, "-o", folder)
    succeed("export_ledger_entry_changes", *arguments, *more)
    manifest: dict[str, Any] = json.loads((folder / f"{first}-{last}-manifest.json").read_text())
    return manifest


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def files(types: list[str], *spans: str) -> set[str]:
    return {f"{span}-{type_}.txt" for span in spans for type_ in types}


def test_there_is_one_file_per_type_and_batch_and_one_manifest(lake: Path, tmp_path: Path) -> None:
    manifest = export(lake, tmp_path, "--batch-size", 16)
    spans = ("3-18", "19-34", "35-42")
    assert names(tmp_path) == files(TYPES, *spans) | {"3-42-manifest.json"}
    assert [(file["type"], file["start_ledger"], file["end_ledger"]) for file in manifest["files"]] == [
        (type_, first, last) for first, last in ((3, 18), (19, 34), (35, 42)) for type_ in TYPES
    ]
    for file in manifest["files"]:
        path = tmp_path / f"{file['start_ledger']}-{file['end_ledger']}-{file['type']}.txt"
        content = path.read_bytes()
        checksum = base64.b64encode(google_crc32c.Checksum(content).digest()).decode()
        assert file["name"] == str(path)
        assert (file["rows"], file["bytes"], file["crc32c"]) == (content.count(b"\n"), len(content), checksum)
        assert {row["ledger_sequence"] for row in rows(path)} <= set(
            range(file["start_ledger"], file["end_ledger"] + 1)
        )
    ledgers = {"start_ledger": 3, "end_ledger": 42, "ledgers": 40, "failed_transforms": 0, "version": 1}
    assert manifest.items() >= ledgers.items()


def test_the_batch_size_changes_no_row(lake: Path, tmp_path: Path) -> None:
    sizes = (1, 7, 40, 1000)
    for size in sizes:
        export(lake, tmp_path / str(size), "-b", size)
    for type_ in TYPES:
        together, *others = (
            as_set([row for path in (tmp_path / str(size)).glob(f"*-{type_}.txt") for row in rows(path)])
            for size in reversed(sizes)
        )
        assert together, type_
        assert all(other == together for other in others), type_


def test_a_batch_has_64_ledgers_by_default(lake: Path, tmp_path: Path) -> None:
    export(lake, tmp_path)
    assert names(tmp_path) == files(TYPES, "3-42") | {"3-42-manifest.json"}


def test_a_range_may_have_one_ledger_and_files_may_be_empty(lake: Path, tmp_path: Path) -> None:
    manifest = export(lake, tmp_path, first=7, last=7)
    assert names(tmp_path) == files(TYPES, "7-7") | {"7-7-manifest.json"}
    assert rows(tmp_path / "7-7-accounts.txt")
    assert (tmp_path / "7-7-restored_key.txt").read_bytes() == b""
    assert [file["rows"] for file in manifest["files"] if file["type"] == "restored_key"] == [0]


@pytest.mark.parametrize(
    ("options", "types"),
    [
        (["--export-accounts"], ["accounts", "signers"]),
        (["-a"], ["accounts", "signers"]),
        (["--export-trustlines"], ["trustlines"]),
        (["-t"], ["trustlines"]),
        (["--export-offers"], ["offers"]),
        (["-f"], ["offers"]),
        (["--export-pools"], ["liquidity_pools"]),
        (["-p"], ["liquidity_pools"]),
        (["--export-balances"], ["claimable_balances"]),
        (["-l"], ["claimable_balances"]),
        (["--export-contract-code"], ["contract_code"]),
        (["--export-contract-data"], ["contract_data"]),
        (["--export-config-settings"], ["config_settings"]),
        (["--export-ttl"], ["ttl"]),
        (["--export-restored-keys"], ["restored_key"]),
        (["-f", "--export-ttl", "-x", "stellar-core", "-c", "core.cfg"], ["offers", "ttl"]),
    ],
)
def test_types_are_chosen_by_options(lake: Path, tmp_path: Path, options: list[str], types: list[str]) -> None:
    export(lake, tmp_path, *options, first=20, last=21)
    assert names(tmp_path) == files(types, "20-21") | {"20-21-manifest.json"}


def test_a_choice_of_types_writes_the_same_rows(lake: Path, tmp_path: Path) -> None:
    export(lake, tmp_path / "all")
    export(lake, tmp_path / "some", "--export-restored-keys", "-a")
    for type_ in ("accounts", "signers", "restored_key"):
        some, of_all = (tmp_path / folder / f"3-42-{type_}.txt" for folder in ("some", "all"))
        assert some.read_bytes() == of_all.read_bytes()


def test_rows_have_the_columns_of_their_type_and_extra_fields(lake: Path, tmp_path: Path) -> None:
    export(lake, tmp_path, "-u", "batch_id=x,number=7")
    for type_ in TYPES:
        for row in rows(tmp_path / f"3-42-{type_}.txt"):
            assert row.keys() == {*STATE[type_].columns, "batch_id", "number"}
            assert (row["batch_id"], row["number"]) == ("x", "7")


def test_the_last_line_has_the_number_of_rows(lake: Path, tmp_path: Path) -> None:
    done = run("export_ledger_entry_changes", "-s", 3, "-e", 42, "--datastore-path", lake, "-o", tmp_path, "-b", 9)
    written = sum(len(rows(path)) for path in tmp_path.glob("*.txt"))
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    counts = {"attempted_transforms": written, "failed_transforms": 0, "successful_transforms": written}
    assert line.startswith('time="')
    assert json.loads(json.loads(line.split(" msg=")[1].split(" pid=")[0])) == counts


def test_parquet_files_hold_the_same_rows(lake: Path, tmp_path: Path) -> None:
    manifest = export(lake, tmp_path, "--write-parquet", "--parquet-output", tmp_path / "p", "-b", 20)
    assert names(tmp_path / "p") == {f"{span}-{type_}.parquet" for span in ("3-22", "23-42") for type_ in TYPES}
    for type_ in TYPES:
        found = 0
        for span in ("3-22", "23-42"):
            paths = tmp_path / "p" / f"{span}-{type_}.parquet", tmp_path / f"{span}-{type_}.txt"
            found += len(assert_same_rows(type_, *paths))
        assert found, type_
    files = [(file["type"], file["start_ledger"], file["rows"]) for file in manifest["files"]]
    assert [(file["type"], file["start_ledger"], file["rows"]) for file in manifest["parquet_files"]] == files
    assert pq.read_schema(tmp_path / "p" / "3-22-accounts.parquet").names == list(STATE["accounts"].columns)


def test_objects_of_all_batches_are_written_before_the_manifest(lake: Path, server: emulators.Server) -> None:
    arguments = ("-s", 5, "-e", 9, "--datastore-path", lake, "-o", "changes", "-b", 3, "-f", "--export-ttl")
    succeed("export_ledger_entry_changes", *arguments, *CLOUD, STORAGE_EMULATOR_HOST=server.url)
    blobs = list(emulators.storage_client(server).list_blobs(emulators.BUCKET, prefix="changes/"))
    found = [blob.name for blob in sorted(blobs, key=lambda blob: blob.generation)]
    assert set(found[:-1]) == {f"changes/{name}" for name in files(["offers", "ttl"], "5-7", "8-9")}
    assert found[-1] == "changes/5-9-manifest.json"


def test_a_range_beyond_the_network_head_leaves_no_file(lake: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = ("-s", 40, "-e", 43, "--datastore-path", lake, "-o", output, "-b", 1)
    assert "ledger 43 has not closed yet" in fail("export_ledger_entry_changes", *arguments, status=NOT_YET)
    assert not output.exists() or not names(output)


def test_a_later_batch_that_fails_removes_the_earlier_ones(lake: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(lake, tmp_path / "lake"))
    next(damaged.rglob("*--20.xdr.zst")).write_bytes(b"damaged")
    output = tmp_path / "out"
    arguments = ("-s", 3, "-e", 42, "--datastore-path", damaged, "-o", output, "-b", 5)
    assert "--20.xdr.zst can't be read" in fail("export_ledger_entry_changes", *arguments)
    assert names(output) == set()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-b", 0), "0 is less than 1"),
        (("-s", 9, "-e", 8), "--start-ledger 9 must be at least 1 and at most --end-ledger 8"),
        (("--limit", 5), "unrecognized arguments: --limit"),
    ],
)
def test_invalid_options_are_reported_in_one_line(
    lake: Path, tmp_path: Path, options: tuple[object, ...], words: str
) -> None:
    arguments = ("-s", 3, "-e", 4, "--datastore-path", lake, "-o", tmp_path / "out", *options)
    assert words in fail("export_ledger_entry_changes", *arguments)


def test_an_export_may_have_more_files_than_the_limit_of_open_files(lake: Path, tmp_path: Path) -> None:
    allowed = 64
    limits = (allowed, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    arguments = ("-s", FIRST, "-e", LAST, "--datastore-path", lake, "-o", tmp_path, "-b", 1)
    code = (
        "import os, resource, sys; "
        f"resource.setrlimit(resource.RLIMIT_NOFILE, {limits}); os.execv(sys.argv[1], sys.argv[1:])"
    )
    argv = [sys.executable, "-c", code, PROGRAM, "export_ledger_entry_changes", *map(str, arguments)]
    subprocess.run(argv, check=True, capture_output=True)
    assert len(names(tmp_path)) == 40 * len(STATE) + 1 > allowed
