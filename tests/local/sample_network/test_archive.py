"""The sample network's history archive has the state of its ledgers, in buckets whose hashes are in the headers."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import zstandard
from stellar_sdk import xdr

from local.sample import ensure_sample_lake
from local.sample_network.buckets import ARCHIVED, DEAD, INIT, LIVE, RESTORED, HotArchiveBucketList, LiveBucketList
from local.stack import StackError
from tests import forked_programs
from tests.shared import REPO
from tests.stellar_etl.made import ledger_key
from tests.stellar_etl.replay import Replay

LEDGERS = 330
CHECKPOINTS = (63, 127, 191, 255, 319)
EMPTY = "0" * 64
ROOT = Path(".well-known/stellar-history.json")

Kind = xdr.BucketEntryType
HotKind = xdr.HotArchiveBucketEntryType


def generate(*arguments: object) -> subprocess.CompletedProcess[str]:
    return forked_programs.run("local.sample_network", list(map(str, arguments)), env=os.environ, cwd=REPO)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("network") / "lake"
    done = generate("--out", folder, "--ledgers", LEDGERS, "--seed", 5)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def archive(lake: Path) -> Path:
    return lake.with_name("lake-archive")


# The state from the ledgers -------------------------------------------------------------------------------------


@dataclass
class ReplayedLedger:
    """A ledger from its changes.

    Attributes:
        state: the live entries after it, `LedgerEntry` by `LedgerKey`.
        archived: the entries that were evicted and not restored.
    """

    header: xdr.LedgerHeader
    state: dict[bytes, bytes] = field(default_factory=dict)
    archived: dict[bytes, bytes] = field(default_factory=dict)


@pytest.fixture(scope="module")
def ledgers(lake: Path) -> dict[int, ReplayedLedger]:
    """Return every ledger by its sequence, with the state for checkpoints only."""
    replay, expected, archived = Replay(), {}, {}
    for path in sorted(lake.rglob("*.zst"), reverse=True):
        batch = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
        before = dict(replay.known)
        # This is after the batch's range and its number of ledgers.
        for one in replay.ledger(batch[12:]):
            if one.restored:
                archived.pop(one.key.to_xdr_bytes(), None)
            elif one.evicted and lasts(one.key):
                entry = before[one.key.to_xdr_bytes()]
                assert entry is not None
                archived[one.key.to_xdr_bytes()] = entry.to_xdr_bytes()
        sequence = replay.header.ledger_seq.uint32
        expected[sequence] = ReplayedLedger(replay.header)
        if sequence in CHECKPOINTS:
            known = {key: entry.to_xdr_bytes() for key, entry in replay.known.items() if entry is not None}
            expected[sequence] = ReplayedLedger(replay.header, known, dict(archived))
    return expected


def lasts(key: xdr.LedgerKey) -> bool:
    persistent = xdr.ContractDataDurability.PERSISTENT
    return key.contract_code is not None or (
        key.contract_data is not None and key.contract_data.durability == persistent
    )


# Content of the archive -----------------------------------------------------------------------------------------


def records(data: bytes) -> Iterator[bytes]:
    while data:
        mark = int.from_bytes(data[:4], "big")
        assert mark & 0x80000000
        size = mark & 0x7FFFFFFF
        yield data[4 : 4 + size]
        data = data[4 + size :]


def inflated(archive: Path, kind: str, name: str) -> bytes:
    path = archive / kind / name[:2] / name[2:4] / name[4:6] / f"{kind}-{name}.xdr.gz"
    return gzip.decompress(path.read_bytes())


def state_at(archive: Path, sequence: int) -> dict[str, Any]:
    name = f"{sequence:08x}"
    path = archive / "history" / name[:2] / name[2:4] / name[4:6] / f"history-{name}.json"
    read: dict[str, Any] = json.loads(path.read_text())
    return read


def named(levels: list[dict[str, Any]]) -> list[str]:
    """Return the non-empty buckets of a list, newest first."""
    return [name for level in levels for name in (level["curr"], level["snap"]) if name != EMPTY]


def live_bucket(archive: Path, name: str) -> list[xdr.BucketEntry]:
    return [xdr.BucketEntry.from_xdr_bytes(record) for record in records(inflated(archive, "bucket", name))]


def hot_bucket(archive: Path, name: str) -> list[xdr.HotArchiveBucketEntry]:
    return [xdr.HotArchiveBucketEntry.from_xdr_bytes(record) for record in records(inflated(archive, "bucket", name))]


def live_key(one: xdr.BucketEntry) -> xdr.LedgerKey:
    return one.dead_entry or ledger_key(one.live_entry)


def hot_key(one: xdr.HotArchiveBucketEntry) -> xdr.LedgerKey:
    return one.key or ledger_key(one.archived_entry)


def comparable(value: Any) -> Any:
    """Return a value in the order of stellar-core: field by field, numbers as numbers, texts by their letters."""
    if value is None or isinstance(value, list):
        return tuple(comparable(item) for item in value or ())
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes | int):
        return value
    return tuple(comparable(item) for item in vars(value).values())


def test_the_archive_has_exactly_the_files_of_its_checkpoints(archive: Path) -> None:
    expected = {".sample.json", ROOT.as_posix()}
    for sequence in CHECKPOINTS:
        name = f"{sequence:08x}"
        place = f"{name[:2]}/{name[2:4]}/{name[4:6]}"
        expected |= {f"history/{place}/history-{name}.json", f"ledger/{place}/ledger-{name}.xdr.gz"}
        state = state_at(archive, sequence)
        for bucket in (*named(state["currentBuckets"]), *named(state["hotArchiveBuckets"])):
            expected.add(f"bucket/{bucket[:2]}/{bucket[2:4]}/{bucket[4:6]}/bucket-{bucket}.xdr.gz")
    assert set(files(archive)) == expected


def test_each_checkpoint_has_a_state_file_and_the_root_has_the_newest_one(lake: Path, archive: Path) -> None:
    passphrase = json.loads((lake / ".config.json").read_text())["networkPassphrase"]
    for sequence in CHECKPOINTS:
        state = state_at(archive, sequence)
        assert (state["version"], state["currentLedger"], state["networkPassphrase"]) == (2, sequence, passphrase)
        for levels in (state["currentBuckets"], state["hotArchiveBuckets"]):
            assert len(levels) == 11
            assert all(level["next"] == {"state": 0} for level in levels)
    assert json.loads((archive / ROOT).read_text()) == state_at(archive, CHECKPOINTS[-1])


def test_headers_equal_those_of_the_lake(archive: Path, ledgers: dict[int, ReplayedLedger]) -> None:
    found = [
        xdr.LedgerHeaderHistoryEntry.from_xdr_bytes(record)
        for sequence in CHECKPOINTS
        for record in records(inflated(archive, "ledger", f"{sequence:08x}"))
    ]
    assert [entry.header for entry in found] == [ledgers[sequence].header for sequence in range(3, 320)]
    for entry in found:
        assert entry.hash.hash == sha256(entry.header.to_xdr_bytes()).digest()


def test_buckets_are_named_by_their_hash_and_sorted_with_unique_keys(archive: Path) -> None:
    kinds: set[Any] = set()
    names: dict[str, set[str]] = {"currentBuckets": set(), "hotArchiveBuckets": set()}
    for sequence in CHECKPOINTS:
        for group, found in names.items():
            found.update(named(state_at(archive, sequence)[group]))
    for name in names["currentBuckets"] | names["hotArchiveBuckets"]:
        assert sha256(inflated(archive, "bucket", name)).hexdigest() == name
    for name in names["currentBuckets"]:
        first, *rest = live_bucket(archive, name)
        assert first == xdr.BucketEntry(Kind.METAENTRY, meta_entry=metadata(xdr.BucketListType.LIVE))
        keys = [comparable(live_key(one)) for one in rest]
        assert keys == sorted(set(keys))
        kinds.update(one.type for one in rest)
    for name in names["hotArchiveBuckets"]:
        first, *others = hot_bucket(archive, name)
        meta = metadata(xdr.BucketListType.HOT_ARCHIVE)
        assert first == xdr.HotArchiveBucketEntry(HotKind.HOT_ARCHIVE_METAENTRY, meta_entry=meta)
        keys = [comparable(hot_key(one)) for one in others]
        assert keys == sorted(set(keys))
        kinds.update(one.type for one in others)
    assert kinds == {*Kind, *HotKind} - {Kind.METAENTRY, HotKind.HOT_ARCHIVE_METAENTRY}


def metadata(list_type: xdr.BucketListType) -> xdr.BucketMetadata:
    return xdr.BucketMetadata(xdr.Uint32(25), xdr.BucketMetadataExt(1, list_type))


def list_hash(levels: list[dict[str, Any]]) -> bytes:
    hashes = [sha256(bytes.fromhex(level["curr"] + level["snap"])).digest() for level in levels]
    return sha256(b"".join(hashes)).digest()


def test_headers_have_the_hash_of_both_lists(archive: Path, ledgers: dict[int, ReplayedLedger]) -> None:
    for sequence in CHECKPOINTS:
        state = state_at(archive, sequence)
        both = list_hash(state["currentBuckets"]) + list_hash(state["hotArchiveBuckets"])
        assert ledgers[sequence].header.bucket_list_hash.hash == sha256(both).digest()


def test_the_skip_list_has_the_newest_hash_of_each_fiftieth_ledger(ledgers: dict[int, ReplayedLedger]) -> None:
    for sequence, ledger in ledgers.items():
        last = sequence // 50 * 50
        expected = ledgers[last].header.bucket_list_hash.hash if last else bytes(32)
        assert ledger.header.skip_list[0].hash == expected


def test_buckets_have_the_final_state_of_the_ledgers(archive: Path, ledgers: dict[int, ReplayedLedger]) -> None:
    for sequence in CHECKPOINTS:
        found: dict[bytes, bytes | None] = {}
        for name in named(state_at(archive, sequence)["currentBuckets"]):
            for one in live_bucket(archive, name)[1:]:
                found.setdefault(live_key(one).to_xdr_bytes(), one.live_entry and one.live_entry.to_xdr_bytes())
        assert {key: entry for key, entry in found.items() if entry is not None} == ledgers[sequence].state
        assert None in found.values()


def test_the_hot_archive_has_the_entries_that_were_evicted_and_not_restored(
    archive: Path, ledgers: dict[int, ReplayedLedger]
) -> None:
    for sequence in CHECKPOINTS:
        found: dict[bytes, bytes | None] = {}
        for name in named(state_at(archive, sequence)["hotArchiveBuckets"]):
            for one in hot_bucket(archive, name)[1:]:
                entry = one.archived_entry and one.archived_entry.to_xdr_bytes()
                found.setdefault(hot_key(one).to_xdr_bytes(), entry)
        assert {key: entry for key, entry in found.items() if entry is not None} == ledgers[sequence].archived
    assert ledgers[CHECKPOINTS[-1]].archived
    assert None in found.values()


def test_records_show_whether_an_older_bucket_has_the_key(archive: Path) -> None:
    """By CAP-20 an INIT entry has no older record, and a changed or deleted entry has one."""
    for sequence in CHECKPOINTS:
        alive: set[bytes] = set()
        for name in reversed(named(state_at(archive, sequence)["currentBuckets"])):
            for one in live_bucket(archive, name)[1:]:
                key = live_key(one).to_xdr_bytes()
                assert (key in alive) == (one.type != Kind.INITENTRY)
                if one.type == Kind.DEADENTRY:
                    alive.remove(key)
                else:
                    alive.add(key)


# The bucket lists -----------------------------------------------------------------------------------------------


def rounded(ledger: int, size: int) -> int:
    return ledger // size * size


@cache
def size_of_curr(ledger: int, level: int) -> int:
    """Return how many ledgers' changes a level collects (`BucketListBase::sizeOfCurr` in stellar-core)."""
    if level == 0:
        return 1 if ledger == 1 else 1 + ledger % 2
    size, half = 4 ** (level + 1), 4 ** (level + 1) // 2
    if level == 10 or not rounded(ledger, half):
        return ledger - sum(size_of_curr(ledger, above) + size_of_snap(ledger, above) for above in range(level))
    step = 2 ** (2 * level - 1)
    if ledger in (rounded(ledger, half), rounded(ledger, size)):
        return step
    above_size, above_half = 4**level, 4**level // 2
    relevant = max(rounded(ledger - 1, each) for each in (above_half, above_size, half, size))
    grows = ledger in (rounded(ledger, above_half), rounded(ledger, above_size))
    return size_of_curr(relevant, level) + (step if grows else 0)


@cache
def size_of_snap(ledger: int, level: int) -> int:
    """Return how many ledgers' changes a level collected before (`BucketListBase::sizeOfSnap`)."""
    if level == 10:
        return 0
    size = 4 ** (level + 1)
    if rounded(ledger, size):
        return size // 2
    above = sum(size_of_curr(ledger, each) + size_of_snap(ledger, each) for each in range(level))
    return ledger - above - size_of_curr(ledger, level)


def key(number: int) -> bytes:
    """Return the `LedgerKey` of an account."""
    return bytes(8) + number.to_bytes(32, "big")


def test_levels_spill_at_the_same_ledgers_as_in_stellar_core() -> None:
    buckets = LiveBucketList()
    for ledger in range(1, 700):
        buckets.add(ledger, 25, {key(ledger): INIT + key(ledger)})
        sizes = [len(bucket.entries) for level in buckets.levels for bucket in (level.curr, level.snap)]
        assert sizes == [size(ledger, level) for level in range(11) for size in (size_of_curr, size_of_snap)]


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ((INIT + b"old", LIVE + b"new"), INIT + b"new"),
        ((INIT + b"old", DEAD + b"key"), None),
        ((DEAD + b"key", INIT + b"new"), LIVE + b"new"),
        ((LIVE + b"old", LIVE + b"new"), LIVE + b"new"),
        ((LIVE + b"old", DEAD + b"key"), DEAD + b"key"),
    ],
)
def test_records_of_one_key_are_combined(changes: tuple[bytes, bytes], left: bytes | None) -> None:
    buckets = LiveBucketList()
    for ledger, record in zip((2, 3), changes, strict=True):
        buckets.add(ledger, 25, {key(1): record})
    assert list(buckets.levels[0].curr.entries.values()) == [record for record in (left,) if record is not None]


def test_the_last_level_drops_records_that_only_hide_older_ones() -> None:
    """The ledgers are far apart: the last level receives changes every 524,288 ledgers."""
    for buckets, gone, kept in (
        (LiveBucketList(), DEAD + key(1), LIVE + key(2)),
        (HotArchiveBucketList(), RESTORED + key(1), ARCHIVED + key(2)),
    ):
        buckets.add(1, 25, {key(1): gone, key(2): kept})
        buckets.levels[9].curr = buckets.levels[0].curr
        assert list(buckets.levels[9].curr.entries.values()) == [gone, kept]
        for ledger in (524_288, 1_048_576):
            buckets.add(ledger, 25, {})
        assert list(buckets.levels[10].curr.entries.values()) == [kept]


def test_an_empty_list_has_zeros_in_the_lower_levels() -> None:
    level = sha256(bytes(64)).digest()
    assert LiveBucketList().digest == HotArchiveBucketList().digest == sha256(level * 11).digest()


# Command line and laptop ----------------------------------------------------------------------------------------


def test_the_same_arguments_give_the_same_bytes_in_any_folder(archive: Path, tmp_path: Path) -> None:
    options = ("--ledgers", LEDGERS, "--seed", 5, "--archive", tmp_path / "elsewhere")
    assert generate("--out", tmp_path / "lake", *options).returncode == 0
    assert files(tmp_path / "elsewhere") == files(archive)
    assert not (tmp_path / "lake-archive").exists()


def test_a_lake_without_a_checkpoint_has_none_in_its_archive(tmp_path: Path) -> None:
    assert generate("--out", tmp_path / "lake", "--ledgers", 60).returncode == 0
    assert set(files(tmp_path / "lake-archive")) == {".sample.json"}
    assert generate("--out", tmp_path / "longer", "--ledgers", 61).returncode == 0
    assert (tmp_path / "longer-archive" / ROOT).exists()


def test_a_lake_without_its_archive_gets_one_and_another_folder_is_left_unchanged(tmp_path: Path) -> None:
    options = ("--out", tmp_path / "lake", "--ledgers", 61)
    assert generate(*options).returncode == 0
    whole = files(tmp_path)
    shutil.rmtree(tmp_path / "lake-archive")
    assert generate(*options).returncode == 0
    assert files(tmp_path) == whole
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note").write_text("mine")
    refused = generate(*options, "--archive", tmp_path / "mine")
    assert refused.returncode == 1
    assert "mine is not empty" in refused.stderr
    assert "--archive" in refused.stderr
    assert files(tmp_path / "mine") == {"note": b"mine"}


def test_the_laptops_sample_is_replaced_if_an_older_generator_made_it(tmp_path: Path) -> None:
    lake, archive = tmp_path / "lake", tmp_path / "archive"
    ensure_sample_lake(lake)
    assert (archive / ROOT).exists()
    whole = files(tmp_path)
    # The lake of a generator that wrote no archive.
    shutil.rmtree(archive)
    record = json.loads((lake / ".sample.json").read_text())
    (lake / ".sample.json").write_text(json.dumps({**record, "generator": 2}))
    (lake / "FFFFFFFF--0-63999" / "FFFFFFF0--15.xdr.zst").write_bytes(b"an older ledger")
    (lake / "older.json").write_text("a file that is written no more")
    ensure_sample_lake(lake)
    assert files(tmp_path) == whole


def test_the_laptop_does_not_overwrite_another_lake(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "note").write_text("mine")
    with pytest.raises(StackError, match="lake"):
        ensure_sample_lake(tmp_path / "lake")
    assert files(tmp_path) == {"lake/note": b"mine"}
