"""Lakes in all layouts, and lakes that contradict themselves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from stellar_etl.xdr import decode_batch
from tests.shared import REPO
from tests.stellar_etl.program import as_set, fail, rows, succeed

FIRST, LAST = 3, 42
"""The ledgers of the lake; 3 closed at 2026-01-01T00:00:00Z, then one every five seconds."""

NOT_YET = 75


@pytest.fixture
def own_lake(lake: Path, tmp_path: Path) -> Path:
    """A copy of the lake, for changes."""
    return Path(shutil.copytree(lake, tmp_path / "lake"))


@pytest.fixture(scope="module")
def other_chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of the same network with other ledgers."""
    folder = tmp_path_factory.mktemp("other") / "lake"
    subprocess.run(
        [
            *(sys.executable, "-m", "local.sample_network", "--out", str(folder)),
            *("--ledgers", "40", "--transactions-per-ledger", "4", "--seed", "2"),
        ],
        cwd=REPO,
        check=True,
        capture_output=True,
    )
    return folder


def ledger_file(lake: Path, sequence: int) -> Path:
    return next(lake.rglob(f"*--{sequence}.xdr.zst"))


def content(lake: Path, sequence: int) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(ledger_file(lake, sequence).read_bytes())


def repacked(lake: Path, into: Path, per_object: int, per_partition: int, ending: str) -> Path:
    """The same ledgers, several per object, and in small partitions."""
    into.mkdir()
    shutil.copy(lake / ".config.json", into)
    for first in range(FIRST, LAST + 1, per_object):
        last = min(first + per_object - 1, LAST)
        # A batch has its first ledger, its last, their number, and then the ledgers.
        ledgers = [content(lake, sequence)[12:] for sequence in range(first, last + 1)]
        batch = b"".join(number.to_bytes(4, "big") for number in (first, last, len(ledgers))) + b"".join(ledgers)
        begin = first // per_partition * per_partition
        partition = into / f"{0xFFFFFFFF - begin:08X}--{begin}-{begin + per_partition - 1}"
        partition.mkdir(exist_ok=True)
        span = str(first) if first == last else f"{first}-{last}"
        path = partition / f"{0xFFFFFFFF - first:08X}--{span}.xdr.{ending}"
        path.write_bytes(zstandard.ZstdCompressor().compress(batch))
    return into


def ledger_range(lake: Path, start: int, end: int) -> dict[str, int]:
    """Return the ledgers between two times, in seconds since the first ledger closed."""
    times = [f"2026-01-01T00:{second // 60:02d}:{second % 60:02d}Z" for second in (start, end)]
    done = succeed(
        *("get_ledger_range_from_times", "-s", times[0], "-e", times[1]), *("--datastore-path", lake, "-o", "")
    )
    found: dict[str, int] = json.loads(done.stdout)
    return found


# Layouts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("per_object", "per_partition", "ending"), [(1, 4, "zst"), (3, 12, "zst"), (3, 3, "zstd"), (40, 64000, "zstd")]
)
def test_a_layout_changes_neither_rows_nor_ranges(
    lake: Path, tmp_path: Path, per_object: int, per_partition: int, ending: str
) -> None:
    other = repacked(lake, tmp_path / "other", per_object, per_partition, ending)
    for first, last in ((FIRST, LAST), (10, 13)):
        for place, name in ((lake, "plain"), (other, "other")):
            span = ("-s", first, "-e", last, "--datastore-path", place)
            succeed("export_all_history", *span, "-o", tmp_path / name)
        for path in (tmp_path / "plain").glob(f"{first}-{last}-*.txt"):
            assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes(), path.name
    # Times on both sides of the edges between objects and partitions, and of both ends.
    for (start, first), (end, last) in (
        ((0, 3), (1, 4)),
        ((41, 12), (45, 12)),
        ((46, 13), (164, 36)),
        ((165, 36), (195, 42)),
    ):
        found = ledger_range(other, start, end)
        assert found == {"start": first, "end": last}, (start, end)


def test_a_missing_partition_is_named(lake: Path, tmp_path: Path) -> None:
    other = repacked(lake, tmp_path / "other", 3, 12, "zst")
    shutil.rmtree(next(other.glob("*--12-23")))
    line = fail("export_ledgers", "-s", 5, "-e", 30, "--datastore-path", other, "-o", tmp_path / "l.txt")
    assert "lacks ledgers 12-23" in line


def test_a_new_empty_partition_is_not_the_network_head(own_lake: Path, tmp_path: Path) -> None:
    (own_lake / "FFFF05FF--64000-127999").mkdir()
    export = ("export_ledgers", "--datastore-path", own_lake, "-o", tmp_path / "l.txt", "-s", 40)
    succeed(*export, "-e", LAST)
    assert "has not closed yet" in fail(*export, "-e", LAST + 1, status=NOT_YET)
    assert ledger_range(own_lake, 195, 195) == {"start": LAST, "end": LAST}


def test_an_incomplete_file_is_not_read_as_a_ledger(own_lake: Path, tmp_path: Path) -> None:
    path = ledger_file(own_lake, LAST)
    path.with_name(f"FFFFFFD4--{LAST + 1}.xdr.zst.tmp").write_bytes(path.read_bytes()[:100])
    export = ("export_ledgers", "--datastore-path", own_lake, "-o", tmp_path / "l.txt", "-s", 40)
    fail(*export, "-e", LAST + 1, status=NOT_YET)
    succeed(*export, "-e", LAST)


def test_a_folder_may_have_a_lake_per_network(lake: Path, tmp_path: Path) -> None:
    shutil.copytree(lake, tmp_path / "lakes" / "testnet")
    export = ("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", tmp_path / "lakes", "-o", tmp_path / "l.txt")
    succeed(*export, "--testnet")
    succeed(*export, "--testnet", "--futurenet")
    assert "is not a lake" in fail(*export)
    assert "is not a lake" in fail(*export, "--futurenet")


def test_a_file_url_names_the_folder(lake: Path, tmp_path: Path) -> None:
    succeed("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", f"file://{lake}", "-o", tmp_path / "l.txt")
    assert [row["sequence"] for row in rows(tmp_path / "l.txt")] == [5, 6]


# Networks -------------------------------------------------------------------------------------------------------


def test_a_lake_without_configuration_needs_its_passphrase(own_lake: Path, tmp_path: Path) -> None:
    passphrase = json.loads((own_lake / ".config.json").read_text())["networkPassphrase"]
    (own_lake / ".config.json").unlink()
    export = ("export_transactions", "-s", 5, "-e", 6, "--datastore-path", own_lake, "-o", tmp_path / "t.txt")
    assert "another network" in fail(*export)
    succeed(*export, "--network-passphrase", passphrase)
    manifest = json.loads((tmp_path / "t.txt.manifest.json").read_text())
    assert manifest["network_passphrase"] == passphrase


def test_ledgers_of_another_network_than_the_lakes_are_refused(own_lake: Path, tmp_path: Path) -> None:
    (own_lake / ".config.json").write_text('{"networkPassphrase": "Test SDF Network ; September 2015"}')
    export = ("export_transactions", "-s", 5, "-e", 6, "--datastore-path", own_lake, "-o", tmp_path / "out" / "t.txt")
    for extra in ((), ("--no-verify",)):
        assert "ledger 5" in fail(*export, *extra)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("text", ["", "{}", "[]", "no json"])
def test_an_invalid_configuration_is_named(own_lake: Path, tmp_path: Path, text: str) -> None:
    (own_lake / ".config.json").write_text(text)
    line = fail("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", own_lake, "-o", tmp_path / "l.txt")
    assert ".config.json can't be read" in line


# Contradictions -------------------------------------------------------------------------------------------------


def refused(lake: Path, tmp_path: Path, first: int = 5) -> str:
    """Run an export of a lake that must end without a file; return its line."""
    output = tmp_path / "out"
    line = fail("export_all_history", "-s", first, "-e", 30, "--datastore-path", lake, "-o", output)
    assert not output.exists() or not list(output.iterdir())
    return line


def test_a_ledger_of_another_chain_is_refused(own_lake: Path, tmp_path: Path, other_chain: Path) -> None:
    """Its own hashes are correct: only the chain shows the error."""
    shutil.copy(ledger_file(other_chain, 12), ledger_file(own_lake, 12))
    assert "ledger 12" in refused(own_lake, tmp_path)
    assert "the lake holds two chains" in refused(own_lake, tmp_path)
    assert "ledger 13" in refused(own_lake, tmp_path, first=12)


def test_a_ledger_with_another_ledgers_name_is_refused(own_lake: Path, tmp_path: Path) -> None:
    path = ledger_file(own_lake, 12)
    shutil.copy(ledger_file(own_lake, 13), path)
    assert path.name in refused(own_lake, tmp_path)


def flip(field: Callable[[dict], bytes], within: int) -> Callable[[bytes], bytes]:
    """Change a bit of a field that the decoder keeps as bytes."""

    def change(data: bytes) -> bytes:
        raw = field(decode_batch(data)["ledgerCloseMetas"][0][1])
        assert data.count(raw) >= 1
        place = data.index(raw) + within % len(raw)
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flip(lambda meta: meta["ledgerHeader"]["header"]["raw"], 10), "the header's hash"),
        (flip(lambda meta: meta["ledgerHeader"]["hash"], 0), "the header's hash"),
        (flip(lambda meta: meta["txProcessing"][0]["result_raw"], 39), "its results' hash"),
    ],
    ids=["header", "hash", "fee that was charged"],
)
def test_a_changed_bit_is_refused(own_lake: Path, tmp_path: Path, change: Callable[[bytes], bytes], words: str) -> None:
    changed = change(content(own_lake, 12))
    ledger_file(own_lake, 12).write_bytes(zstandard.ZstdCompressor().compress(changed))
    line = refused(own_lake, tmp_path)
    assert "ledger 12" in line
    assert words in line


def test_a_result_of_another_transaction_is_refused_even_without_verification(own_lake: Path, tmp_path: Path) -> None:
    """A result without its transaction gives no row."""

    def of_first_transaction(meta: dict) -> bytes:
        return next(
            envelope[1]["tx_raw"] for kind, phase in meta["txSet"][1]["phases"] for envelope in phase[0][1]["txs"]
        )

    changed = flip(of_first_transaction, 40)(content(own_lake, 12))
    ledger_file(own_lake, 12).write_bytes(zstandard.ZstdCompressor().compress(changed))
    line = refused(own_lake, tmp_path)
    assert "ledger 12" in line
    assert "damaged" in line
    export = ("export_transactions", "-s", 5, "-e", 30, "--datastore-path", own_lake, "-o", tmp_path / "t.txt")
    assert "ledger 12" in fail(*export, "--no-verify")


def test_a_change_outside_the_range_is_not_checked(own_lake: Path, lake: Path, tmp_path: Path) -> None:
    """A damaged ledger stops only the ranges that contain it."""
    ledger_file(own_lake, 31).write_bytes(b"damaged")
    for place, name in ((own_lake, "own"), (lake, "whole")):
        succeed("export_operations", "-s", 5, "-e", 30, "--datastore-path", place, "-o", tmp_path / f"{name}.txt")
    assert as_set(rows(tmp_path / "own.txt")) == as_set(rows(tmp_path / "whole.txt"))
