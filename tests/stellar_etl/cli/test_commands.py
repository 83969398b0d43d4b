"""The program's contract: ranges, files, manifests, exit statuses, and one clear line per error."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
import zstandard

from stellar_etl import __version__
from stellar_etl.transforms.registry import STATE
from tests.stellar_etl.program import PROGRAM, as_set, fail, rows, run, succeed
from tests.waiting import PATIENCE, wait_until

TYPES = ("ledgers", "transactions", "operations", "assets")
NOT_YET = 75

FIRST, LAST = 3, 42
"""The ledgers of the lake."""


@pytest.fixture
def own_lake(lake: Path, tmp_path: Path) -> Path:
    """A copy of the lake, for damage."""
    return Path(shutil.copytree(lake, tmp_path / "lake"))


def ledger_file(lake: Path, sequence: int) -> Path:
    return next(lake.rglob(f"*--{sequence}.xdr.zst"))


def at(second: int) -> str:
    return f"2026-01-01T00:{second // 60:02d}:{second % 60:02d}+00:00"


def ledger_range(lake: Path, tmp_path: Path, start: str, end: str) -> dict[str, int]:
    output = tmp_path / "out" / "range.json"
    succeed("get_ledger_range_from_times", "-s", start, "-e", end, "--datastore-path", lake, "-o", output)
    found: dict[str, int] = json.loads(output.read_text())
    return found


# Times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (at(0), at(60), (3, 15)),
        (at(1), at(5), (4, 4)),
        (at(4), at(6), (4, 5)),
        ("2025-12-31T23:00:00Z", at(195), (3, 42)),
        ("2026-01-01T01:00:10+01:00", at(190), (5, 41)),
    ],
)
def test_times_become_a_half_open_range(
    lake: Path, tmp_path: Path, start: str, end: str, expected: tuple[int, int]
) -> None:
    assert ledger_range(lake, tmp_path, start, end) == {"start": expected[0], "end": expected[1]}


def test_neighbouring_intervals_cover_every_ledger_once(lake: Path, tmp_path: Path) -> None:
    edges = [at(second) for second in range(0, 196, 13)]
    ranges = [ledger_range(lake, tmp_path, *pair) for pair in itertools.pairwise(edges)]
    assert ranges[0]["start"] == FIRST
    assert all(left["end"] == right["start"] for left, right in itertools.pairwise(ranges))


def test_a_time_beyond_the_network_head_is_not_reached_yet(lake: Path, tmp_path: Path) -> None:
    output = tmp_path / "range.json"
    arguments = ["get_ledger_range_from_times", "-s", at(0), "-e", at(196), "--datastore-path", lake, "-o", output]
    line = fail(*arguments, status=NOT_YET)
    assert "--end-time" in line
    assert str(LAST) in line
    assert not output.exists()


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("noon", at(5), "--start-time 'noon' is not a time"),
        (at(0), "2026-01-01T00:00:05", "--end-time '2026-01-01T00:00:05' has no time zone"),
        (at(9), at(5), "is after --end-time"),
    ],
)
def test_invalid_times_are_named(lake: Path, start: str, end: str, words: str) -> None:
    assert words in fail("get_ledger_range_from_times", "-s", start, "-e", end, "--datastore-path", lake)


# Files and manifests --------------------------------------------------------------------------------------------


def test_one_pass_writes_the_files_of_the_single_exports(lake: Path, tmp_path: Path) -> None:
    span = ("-s", FIRST, "-e", LAST, "--datastore-path", lake)
    succeed("export_all_history", *span, "-o", tmp_path)
    for type_ in TYPES:
        succeed(f"export_{type_}", *span, "-o", tmp_path / f"{type_}.ndjson")
        single = rows(tmp_path / f"{type_}.ndjson")
        assert single
        assert as_set(single) == as_set(rows(tmp_path / f"{FIRST}-{LAST}-{type_}.txt"))


def assert_manifest_is_true(folder: Path, manifest: dict[str, Any]) -> None:
    for file in manifest["files"]:
        data = (folder / Path(file["name"]).name).read_bytes()
        checksum = base64.b64encode(google_crc32c.Checksum(data).digest()).decode()
        assert (file["rows"], file["bytes"], file["crc32c"]) == (data.count(b"\n"), len(data), checksum)


def test_exports_into_one_folder_write_separate_manifests(lake: Path, tmp_path: Path) -> None:
    span = ("-s", 10, "-e", 20, "--datastore-path", lake, "-o", tmp_path)
    succeed("export_ledger_entry_changes", *span, "--batch-size", 11)
    succeed("export_all_history", *span, "--types", "ledgers,assets", "--manifest-name", "history.json")
    types = {
        name: {file["type"] for file in json.loads((tmp_path / f"10-20-{name}").read_text())["files"]}
        for name in ("manifest.json", "history.json")
    }
    assert types == {"manifest.json": set(STATE), "history.json": {"ledgers", "assets"}}


def test_the_manifest_describes_the_written_files(lake: Path, tmp_path: Path) -> None:
    succeed(
        *("export_all_history", "-s", 10, "-e", 20, "--datastore-path", lake, "-o", tmp_path),
        *("--types", "ledgers,operations", "--file-names", "ledgers=l.txt,operations=o.ndjson"),
    )
    assert {path.name for path in tmp_path.iterdir()} == {"10-20-l.txt", "10-20-o.ndjson", "10-20-manifest.json"}
    manifest = json.loads((tmp_path / "10-20-manifest.json").read_text())
    ledgers = {row["sequence"]: row for row in rows(tmp_path / "10-20-l.txt")}
    assert manifest["network_passphrase"] == "Stellar Sample Network ; generated, not real ; 2026"
    assert (manifest["start_ledger"], manifest["end_ledger"], manifest["ledgers"]) == (10, 20, 11)
    assert manifest["first_ledger_hash"] == ledgers[10]["ledger_hash"]
    assert manifest["last_ledger_hash"] == ledgers[20]["ledger_hash"]
    assert (manifest["first_closed_at"], manifest["last_closed_at"]) == (
        "2026-01-01T00:00:35Z",
        "2026-01-01T00:01:25Z",
    )
    assert [file["type"] for file in manifest["files"]] == ["ledgers", "operations"]
    assert_manifest_is_true(tmp_path, manifest)


def test_a_single_export_has_a_manifest_beside_it(lake: Path, tmp_path: Path) -> None:
    succeed("export_transactions", "-s", 10, "-e", 12, "--datastore-path", lake, "-o", tmp_path / "t.txt")
    assert_manifest_is_true(tmp_path, json.loads((tmp_path / "t.txt.manifest.json").read_text()))


def test_a_repeated_export_writes_the_same_bytes(lake: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        succeed("export_all_history", "-s", 5, "-e", 30, "--datastore-path", lake, "-o", tmp_path / folder)
    for path in (tmp_path / "one").glob("*.txt"):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_every_row_has_the_extra_fields_with_any_value(lake: Path, tmp_path: Path) -> None:
    fields = 'batch_id=run_1,"note=a, ""b""; $(whoami)"'
    succeed(
        *("export_operations", "-s", 5, "-e", 8, "--datastore-path", lake, "-o", tmp_path / "o.txt"),
        *("-u", fields),
    )
    found = rows(tmp_path / "o.txt")
    assert found
    assert {(row["batch_id"], row["note"]) for row in found} == {("run_1", 'a, "b"; $(whoami)')}


def test_limit_applies_to_each_type(lake: Path, tmp_path: Path) -> None:
    succeed("export_all_history", "-s", 3, "-e", 30, "--datastore-path", lake, "-o", tmp_path, "--limit", 3)
    counts = {path.stem: len(rows(path)) for path in tmp_path.glob("*.txt")}
    assert max(counts.values()) == 3
    assert counts["3-30-ledgers"] == counts["3-30-operations"] == counts["3-30-effects"] == 3


def test_a_device_is_written_and_stays_a_device(lake: Path) -> None:
    before = Path("/dev/stdout").is_symlink()
    done = succeed("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", lake, "-o", "/dev/stdout")
    assert [json.loads(line)["sequence"] for line in done.stdout.splitlines()] == [5, 6]
    assert Path("/dev/stdout").is_symlink() == before


def test_statistics_are_the_last_line(lake: Path, tmp_path: Path) -> None:
    done = succeed("export_ledgers", "-s", 5, "-e", 9, "--datastore-path", lake, "-o", tmp_path / "l.txt")
    assert r"\"attempted_transforms\":5,\"failed_transforms\":0,\"successful_transforms\":5" in done.stderr


# Errors ---------------------------------------------------------------------------------------------------------


def assert_nothing_was_written(folder: Path) -> None:
    assert not folder.exists() or not list(folder.iterdir())


def test_a_gap_names_the_missing_ledgers(own_lake: Path, tmp_path: Path) -> None:
    for sequence in (11, 12, 20):
        ledger_file(own_lake, sequence).unlink()
    output = tmp_path / "out"
    line = fail("export_all_history", "-s", 5, "-e", 30, "--datastore-path", own_lake, "-o", output)
    assert "lacks ledgers 11-12, 20" in line
    assert_nothing_was_written(output)
    succeed("export_all_history", "-s", 21, "-e", 30, "--datastore-path", own_lake, "-o", output)


def test_ledgers_beyond_the_network_head_are_not_reached_yet(lake: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = ("export_all_history", "-s", 40, "-e", LAST + 1, "--datastore-path", lake, "-o", output)
    assert f"ledger {LAST + 1} has not closed yet" in fail(*arguments, status=NOT_YET)
    assert_nothing_was_written(output)


def damage(path: Path, change: bytes) -> None:
    """Change one byte of a ledger's content, in the fee pool of its header, so that it still decodes."""
    content = bytearray(zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes()))
    place = content.index(change)
    content[place + len(change) - 1] ^= 1
    path.write_bytes(zstandard.ZstdCompressor().compress(bytes(content)))


def test_a_changed_ledger_is_refused_and_named(own_lake: Path, tmp_path: Path) -> None:
    succeed("export_ledgers", "-s", 12, "-e", 12, "--datastore-path", own_lake, "-o", tmp_path / "before.txt")
    fee_pool = rows(tmp_path / "before.txt")[0]["fee_pool"]
    damage(ledger_file(own_lake, 12), int(fee_pool).to_bytes(8, "big"))
    output = tmp_path / "out"
    arguments = ("export_all_history", "-s", 5, "-e", 30, "--datastore-path", own_lake, "-o", output)
    assert "ledger 12" in fail(*arguments)
    assert_nothing_was_written(output)
    succeed(*arguments, "--no-verify")


def test_a_changed_signature_is_refused_and_named(own_lake: Path, tmp_path: Path) -> None:
    """Only the hash of the transaction set covers signatures."""
    path = ledger_file(own_lake, 12)
    succeed("export_transactions", "-s", 12, "-e", 12, "--datastore-path", own_lake, "-o", tmp_path / "before.txt")
    signature = base64.b64decode(rows(tmp_path / "before.txt")[0]["tx_envelope"])[-64:]
    damage(path, signature)
    line = fail("export_ledgers", "-s", 5, "-e", 30, "--datastore-path", own_lake, "-o", tmp_path / "l.txt")
    assert "ledger 12: its transactions' hash" in line


@pytest.mark.parametrize("content", [b"", b"no zstd", None])
def test_a_damaged_object_is_named(own_lake: Path, tmp_path: Path, content: bytes | None) -> None:
    path = ledger_file(own_lake, 12)
    path.write_bytes(path.read_bytes()[:-20] if content is None else content)
    output = tmp_path / "out"
    assert path.name in fail("export_ledgers", "-s", 5, "-e", 30, "--datastore-path", own_lake, "-o", output / "l")
    assert_nothing_was_written(output)


def test_a_lake_of_another_network_is_refused(lake: Path, tmp_path: Path) -> None:
    line = fail(
        *("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", lake, "-o", tmp_path / "l.txt"),
        *("--network-passphrase", "Test SDF Network ; September 2015"),
    )
    assert "Stellar Sample Network" in line
    assert "Test SDF Network" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-s", "9", "-e", "5"], "--start-ledger 9"),
        (["-s", "0", "-e", "5"], "--start-ledger 0"),
        (["-s", "x", "-e", "5"], "-s/--start-ledger"),
        (["-s", "5"], "-e/--end-ledger"),
        (["-s", "5", "-e", "6", "--types", "ledgers,trades_of_mars"], "trades_of_mars"),
        (["-s", "5", "-e", "6", "--file-names", "ledgers=x.txt,operations=x.txt"], "a file of its own"),
        (["-s", "5", "-e", "6", "--file-names", "ledgers=manifest.json"], "not the manifest's"),
        (["-s", "5", "-e", "6", "--manifest-name", "ledgers.txt"], "not the manifest's"),
        (["-s", "5", "-e", "6", "--manifest-name", "../m.json"], "--manifest-name: '../m.json' is outside the folder"),
        (["-s", "5", "-e", "6", "-u", "novalue"], "'novalue' must look like key=value"),
        (["-s", "5", "-e", "6", "--cloud-provider", "gcp"], "needs --cloud-storage-bucket"),
    ],
)
def test_an_invalid_command_line_is_named(lake: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    output = tmp_path / "out"
    assert words in fail("export_all_history", *arguments, "--datastore-path", lake, "-o", output)
    assert_nothing_was_written(output)


@pytest.mark.parametrize(
    ("path", "words"), [("nowhere", "does not exist"), (".", "is not a lake"), ("ftp://x", "ftp://x")]
)
def test_a_path_without_a_lake_is_named(tmp_path: Path, path: str, words: str) -> None:
    place = path if "://" in path else tmp_path / path
    assert words in fail("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", place, "-o", tmp_path / "l.txt")


def test_an_output_that_is_a_folder_is_named(lake: Path, tmp_path: Path) -> None:
    line = fail("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", lake, "-o", tmp_path)
    assert f"{tmp_path} is a folder" in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_export_leaves_no_file(lake: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Rows go to temporary files while the output's folder exists; a pipe as the lake keeps the export busy."""
    own = Path(shutil.copytree(lake, tmp_path / "lake"))
    path = ledger_file(own, 30)
    path.unlink()
    mkfifo(path)
    output = tmp_path / "out"
    process = subprocess.Popen(
        [PROGRAM, "export_all_history", "-s", "5", "-e", "40", "--datastore-path", str(own), "-o", str(output)],
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: output.exists() and list(output.iterdir()), "nothing is written")
    process.send_signal(number)
    assert process.wait(PATIENCE) == 128 + number
    assert_nothing_was_written(output)


def mkfifo(path: Path) -> None:
    import os

    os.mkfifo(path)


def test_help_and_version_are_printed() -> None:
    assert succeed("version").stdout.splitlines()[0] == f"stellar-etl {__version__}"
    text = succeed("export_all_history", "--help").stdout
    for option in ("--start-ledger", "--types", "--file-names", "--datastore-path", "--cloud-storage-bucket"):
        assert option in text
    assert run().returncode == 1
