"""The state at a checkpoint, from history archives that the SDK's own encoder wrote."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import google_crc32c
import pyarrow.parquet as pq
import pytest
from stellar_sdk import BumpSequence, Keypair, xdr

from stellar_etl.sinks.output import checksum_text
from stellar_etl.sources.archive import open_archive
from stellar_etl.transforms.registry import CHECKPOINT_TYPES
from stellar_etl.xdr import decode_bucket_entry, decode_header
from tests.stellar_etl.archives import (
    CHECKPOINT,
    EVERY_TYPE,
    Bucket,
    bucket_bytes,
    contract_code,
    contract_data,
    dead,
    header_entry,
    init,
    live,
    meta,
    path_of,
    record,
    setting,
    write,
    write_archive,
)
from tests.stellar_etl.lakes import write_lake
from tests.stellar_etl.made import ALICE, CAROL, CLOSED_AT, PASSPHRASE, Tx, account, change, ledger, pool
from tests.stellar_etl.program import Row, fail, rows, succeed
from tests.stellar_etl.xdr.test_decoder import assert_same

NOT_YET = 75
OTHER = "Test SDF Network ; September 2015"


def exported(archive: Path, output: Path, *options: object, **environment: str) -> dict[str, list[Row]]:
    """Return the rows of each type from one pass, all of them valid for BigQuery."""
    succeed("export_bucket_list", "-e", CHECKPOINT, "--history-archive-path", archive, "-o", output, *options)
    paths = output.glob("*.txt")
    return {path.stem.removeprefix(f"{CHECKPOINT}-{CHECKPOINT}-"): rows(path) for path in paths}


def refused(archive: Path, output: Path, *options: object, status: int = 1) -> str:
    """Run an export that must end without a file; return its line."""
    export = ("export_bucket_list", "-e", CHECKPOINT, "--history-archive-path", archive, "-o", output)
    line = fail(*export, *options, status=status)
    assert not output.exists() or not list(output.iterdir())
    return line


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two buckets with an entry of each type; the newer bucket's entries count."""
    older = [contract_code(9, 4), setting(1), contract_data(1), pool(1, 1, 1), account(ALICE, 1)]
    buckets: list[Bucket] = [[], [meta(), *map(live, EVERY_TYPE)], [], [meta(), *map(init, older)]]
    return write_archive(tmp_path_factory.mktemp("archive"), buckets, hot=[b""])


@pytest.fixture(scope="module")
def output(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    exported(archive, folder)
    return folder


# Rows -----------------------------------------------------------------------------------------------------------


def test_every_type_has_the_rows_of_a_creation(output: Path, tmp_path: Path) -> None:
    """A ledger that creates the same entries gives the same rows."""
    changes = [change(None, entry) for entry in EVERY_TYPE]
    created = ledger(Tx([BumpSequence(1)] * len(changes), changes=changes), sequence=CHECKPOINT)
    write_lake(tmp_path / "lake", [created], PASSPHRASE)
    export = ("export_ledger_entry_changes", "-s", CHECKPOINT, "-e", CHECKPOINT, "--datastore-path", tmp_path / "lake")
    succeed(*export, "-o", tmp_path / "changes")
    for type_ in CHECKPOINT_TYPES:
        name = f"{CHECKPOINT}-{CHECKPOINT}-{type_}.txt"
        found = rows(output / name)
        assert found
        assert found == rows(tmp_path / "changes" / name), type_
        assert {(row["ledger_entry_change"], row["deleted"]) for row in found} == {(0, False)}
        assert {(row["ledger_sequence"], row["closed_at"]) for row in found} == {(CHECKPOINT, CLOSED_AT)}
    assert not (output / f"{CHECKPOINT}-{CHECKPOINT}-restored_key.txt").exists()


def test_signers_come_from_accounts(output: Path) -> None:
    found = rows(output / f"{CHECKPOINT}-{CHECKPOINT}-signers.txt")
    assert [(row["account_id"] == ALICE, row["weight"], row["deleted"]) for row in found] == [
        (True, 1, False),
        (True, 3, False),
    ]


def test_the_manifest_names_the_checkpoint(output: Path, archive: Path) -> None:
    manifest = json.loads((output / f"{CHECKPOINT}-{CHECKPOINT}-manifest.json").read_text())
    headers = gzip.decompress(path_of(archive, "ledger", f"{CHECKPOINT:08x}").read_bytes())
    hash_ = headers[-len(header_entry(CHECKPOINT, bytes(32)).to_xdr_bytes()) :][:32].hex()
    assert (manifest["network_passphrase"], manifest["ledgers"], manifest["failed_transforms"]) == (PASSPHRASE, 1, 0)
    assert manifest["start_ledger"] == manifest["end_ledger"] == CHECKPOINT
    assert manifest["first_ledger_hash"] == manifest["last_ledger_hash"] == hash_
    assert manifest["first_closed_at"] == manifest["last_closed_at"] == CLOSED_AT
    assert [file["type"] for file in manifest["files"]] == list(CHECKPOINT_TYPES)
    for file in manifest["files"]:
        content = Path(file["name"]).read_bytes()
        assert (file["start_ledger"], file["end_ledger"]) == (CHECKPOINT, CHECKPOINT)
        assert (file["rows"], file["bytes"]) == (content.count(b"\n"), len(content))
        assert file["crc32c"] == checksum_text(google_crc32c.value(content))


@pytest.mark.parametrize("type_", CHECKPOINT_TYPES)
def test_the_command_of_one_type_writes_the_file_of_one_pass(
    archive: Path, output: Path, tmp_path: Path, type_: str
) -> None:
    command = {"liquidity_pools": "export_pools"}.get(type_, f"export_{type_}")
    path = tmp_path / "rows.txt"
    succeed(command, "-e", CHECKPOINT + 63, "--history-archive-path", archive, "-o", path)
    assert path.read_bytes() == (output / f"{CHECKPOINT}-{CHECKPOINT}-{type_}.txt").read_bytes()
    manifest = json.loads(Path(f"{path}.manifest.json").read_text())
    assert manifest["start_ledger"] == manifest["end_ledger"] == CHECKPOINT


# Newer and older buckets ----------------------------------------------------------------------------------------

Step = tuple[Callable[[xdr.LedgerEntry], xdr.BucketEntry], int] | None


@pytest.mark.parametrize("protocol", [10, 23], ids=["without meta", "with meta"])
def test_newer_buckets_hide_older_ones(tmp_path: Path, protocol: int) -> None:
    scenarios: list[tuple[list[Step], int | None]] = [
        ([(live, 1)], 1),
        ([(init, 1)], 1),
        ([(live, 2), (live, 1)], 2),
        ([(live, 2), None, (init, 1)], 2),
        ([(dead, 0), (live, 1)], None),
        ([(dead, 0), None, None, (live, 1)], None),
        ([(dead, 0)], None),
        ([(live, 3), (dead, 0), (live, 1)], 3),
        ([(init, 3), (dead, 0), (live, 1)], 3),
        ([(init, 3), None, (dead, 0), (live, 1)], 3),
        ([(live, 4), (init, 3), (dead, 0), (live, 1)], 4),
        ([(dead, 0), (init, 3), (dead, 0), (live, 1)], None),
        ([(live, 4), (live, 3), (live, 2), (live, 1)], 4),
        ([None, None, None, (dead, 0)], None),
        ([None, None, None, (live, 7)], 7),
    ]
    buckets: list[list[xdr.BucketEntry]] = [[meta(protocol)] if protocol > 10 else [] for _ in range(4)]
    expected = {}
    for number, (steps, balance) in enumerate(scenarios, start=1):
        address = Keypair.from_raw_ed25519_seed(number.to_bytes(32, "big")).public_key
        for bucket, step in zip(buckets, steps, strict=False):
            if step:
                bucket.append(step[0](account(address, step[1] * 10**7)))
        if balance is not None:
            expected[address] = balance
    made = write_archive(tmp_path / "archive", [buckets[0], [], [], *buckets[1:3], [], buckets[3]])
    found = exported(made, tmp_path / "out", "--types", "accounts,signers")
    assert {row["account_id"]: row["balance"] for row in found["accounts"]} == expected
    assert {row["account_id"]: row["weight"] for row in found["signers"]} == dict.fromkeys(expected, 1)
    assert [len(some) for some in found.values()] == [len(expected)] * 2


def test_keys_of_each_type_are_distinguished(tmp_path: Path) -> None:
    """A newer bucket removes one entry at a time, and no other entry disappears."""
    for entry in EVERY_TYPE:
        gone = write_archive(tmp_path / "gone", [[dead(entry)], list(map(live, EVERY_TYPE))])
        without = write_archive(tmp_path / "without", [[live(other) for other in EVERY_TYPE if other is not entry]])
        assert rows_in_process(gone) == rows_in_process(without), entry.data.type


def rows_in_process(archive: Path) -> dict[str, list[object]]:
    """Return the rows of an archive without a separate process."""
    found: dict[str, list[object]] = {type_: [] for type_ in CHECKPOINT_TYPES}
    entry_types = [transform.entry_type for transform in CHECKPOINT_TYPES.values()]
    for part in open_archive(str(archive), "pubnet", entry_types).read(CHECKPOINT, CHECKPOINT):
        for type_, transform in CHECKPOINT_TYPES.items():
            found[type_] += [transform.row(part, item) for item in transform.items(part)]
    return found


def test_an_archive_without_entries_has_files_without_rows(tmp_path: Path) -> None:
    made = write_archive(tmp_path / "archive", [])
    assert exported(made, tmp_path / "out") == {type_: [] for type_ in CHECKPOINT_TYPES}


@pytest.mark.parametrize("hot", [None, [b""], [b"", b"what was evicted"]])
def test_the_hash_of_evicted_entries_is_checked(tmp_path: Path, hot: list[bytes] | None) -> None:
    made = write_archive(tmp_path / "archive", [[live(EVERY_TYPE[0])]], hot=hot)
    assert len(rows_in_process(made)["accounts"]) == 1


def test_buckets_and_headers_decode_as_in_the_sdk() -> None:
    entries = [make(entry) for entry in EVERY_TYPE for make in (live, init, dead)]
    hot = xdr.BucketMetadata(xdr.Uint32(23), xdr.BucketMetadataExt(1, xdr.BucketListType.HOT_ARCHIVE))
    entries += [meta(), xdr.BucketEntry(xdr.BucketEntryType.METAENTRY, meta_entry=hot)]
    for entry in entries:
        assert_same(decode_bucket_entry(entry.to_xdr_bytes()), entry, entry.type.name)
    header = header_entry(CHECKPOINT, bytes([1]) * 32)
    assert_same(decode_header(header.to_xdr_bytes()), header, "header")


# Options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [CHECKPOINT, CHECKPOINT + 1, CHECKPOINT + 63])
def test_the_newest_checkpoint_at_or_before_the_end_is_read(archive: Path, tmp_path: Path, end: int) -> None:
    succeed("export_ttl", "-e", end, "--history-archive-path", archive, "-o", tmp_path / "ttl.txt")
    assert [row["ledger_sequence"] for row in rows(tmp_path / "ttl.txt")] == [CHECKPOINT]


def test_a_checkpoint_beyond_the_network_head_is_not_reached_yet(archive: Path, tmp_path: Path) -> None:
    export = ("export_bucket_list", "-e", CHECKPOINT + 64, "--history-archive-path", archive, "-o", tmp_path / "out")
    line = fail(*export, status=NOT_YET)
    assert f"the checkpoint {CHECKPOINT + 64} is not in {archive} yet: its newest one is {CHECKPOINT}" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("end", [-1, 0, 62])
def test_an_end_before_the_first_checkpoint_is_an_error(archive: Path, tmp_path: Path, end: int) -> None:
    line = fail("export_ttl", "-e", end, "--history-archive-path", archive, "-o", tmp_path / "ttl.txt")
    assert f"--end-ledger {end}" in line
    assert "63 first" in line


def test_types_names_fields_and_parquet_can_be_chosen(archive: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    succeed(
        *("export_bucket_list", "-e", CHECKPOINT, "-o", output, "--types", "accounts,ttl", "--write-parquet"),
        *("--file-names", "ttl=lives.txt", "-u", "batch_id=x", "--limit", 1, "--strict-export"),
        *("--network-passphrase", PASSPHRASE),
        STELLAR_ETL_HISTORY_ARCHIVE_PATH=str(archive),
    )
    stem = f"{CHECKPOINT}-{CHECKPOINT}"
    names = ["accounts.parquet", "accounts.txt", "lives.txt", "manifest.json", "ttl.parquet"]
    assert sorted(path.name for path in output.iterdir()) == [f"{stem}-{name}" for name in names]
    assert [row["batch_id"] for row in rows(output / f"{stem}-lives.txt")] == ["x"]
    assert len(rows(output / f"{stem}-accounts.txt")) == 1
    assert pq.read_table(output / f"{stem}-ttl.parquet").column("live_until_ledger_seq").to_pylist() == [90]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--types", "accounts,restored_key"), "unknown type 'restored_key'"),
        (("--types", ""), "at least one type"),
        (("--start-ledger", 5), "--start-ledger"),
    ],
)
def test_an_invalid_option_is_reported_in_one_line(
    archive: Path, tmp_path: Path, options: Sequence[object], words: str
) -> None:
    assert words in refused(archive, tmp_path / "out", *options)


def test_progress_names_buckets_and_rows(archive: Path, tmp_path: Path) -> None:
    export = ("export_accounts", "-e", CHECKPOINT, "--history-archive-path", archive, "-o", tmp_path / "a.txt")
    lines = succeed(*export, "--progress-seconds", 0).stderr.splitlines()
    values = [json.loads(json.loads(line.split("msg=")[1].rsplit(" pid=")[0])) for line in lines]
    assert [(value["bucket"], value["buckets"], value["rows"]) for value in values[:-1]] == [
        (0, 2, 0),
        (1, 2, 2),
        (2, 2, 2),
    ]
    assert values[-1]["attempted_transforms"] == 2


# Checks of hashes -----------------------------------------------------------------------------------------------


class Altered:
    """An archive with one bucket, whose files are modified."""

    def __init__(self, folder: Path) -> None:
        self.content = bucket_bytes([meta(), *map(live, EVERY_TYPE)])
        self.folder = write_archive(folder, [self.content])
        self.bucket = path_of(folder, "bucket", sha256(self.content).hexdigest())
        self.state = path_of(folder, "history", f"{CHECKPOINT:08x}", "json")
        self.newest = folder / ".well-known" / "stellar-history.json"
        self.headers = path_of(folder, "ledger", f"{CHECKPOINT:08x}")

    def bucket_holds(self, content: bytes) -> None:
        """Replace the bucket and update all hashes."""
        write_archive(self.folder, [content])
        self.bucket = path_of(self.folder, "bucket", sha256(content).hexdigest())

    def change_state(self, path: Path, **fields: object) -> None:
        change_state = json.loads(path.read_text()) | fields
        path.write_text(json.dumps({key: value for key, value in change_state.items() if value is not None}))

    def header(self, **fields: object) -> None:
        entry = header_entry(CHECKPOINT, bytes(32))
        for name, value in fields.items():
            setattr(entry.header if name != "hash" else entry, name, value)
        write(self.headers, gzip.compress(record(entry.to_xdr_bytes())))


@pytest.fixture
def altered(tmp_path: Path) -> Iterator[Altered]:
    return Altered(tmp_path / "archive")


ALTERATIONS: dict[str, tuple[Callable[[Altered], object], str, str]] = {
    "a bucket's byte": (
        lambda a: a.bucket.write_bytes(gzip.compress(a.content.replace(b"value", b"other"))),
        "bucket",
        "has the hash",
    ),
    "a bucket that is cut at a record": (
        lambda a: a.bucket.write_bytes(gzip.compress(a.content[: a.content.rindex(b"\x80")])),
        "bucket",
        "has the hash",
    ),
    "no bucket": (lambda a: a.bucket.unlink(), "bucket", "does not exist"),
    "truncated gzip": (lambda a: a.bucket.write_bytes(a.bucket.read_bytes()[:-30]), "bucket", "it is truncated"),
    "an empty file": (lambda a: a.bucket.write_bytes(b""), "bucket", "it is truncated"),
    "no gzip": (lambda a: a.bucket.write_bytes(a.content), "bucket", "incorrect header"),
    "damaged gzip": (
        lambda a: a.bucket.write_bytes(a.bucket.read_bytes()[:-6] + b"\0\0\0\0\0\0"),
        "bucket",
        "incorrect data check",
    ),
    "a truncated record": (
        lambda a: a.bucket.write_bytes(gzip.compress(a.content[:-4])),
        "bucket",
        "last record is truncated",
    ),
    "a truncated entry": (
        lambda a: a.bucket_holds(record(live(EVERY_TYPE[0]).to_xdr_bytes()[:-8])),
        "bucket",
        "are not a BucketEntry",
    ),
    "a new kind of entry": (lambda a: a.bucket_holds(record(bytes([0, 0, 0, 9]))), "bucket", "BucketEntry 9"),
    "a record of a gigabyte": (
        lambda a: a.bucket_holds((1 << 31 | 1 << 30).to_bytes(4, "big") + bytes(1 << 20)),
        "bucket",
        "larger than 16777216 bytes",
    ),
    "a record in fragments": (lambda a: a.bucket_holds(b"\0\0\0\4" + bytes(4)), "bucket", "begins with 00000004"),
    "another list": (lambda a: a.header(), "", "the buckets that it names for ledger 127 have the hash"),
    "evicted entries that no header knows": (
        lambda a: a.change_state(a.state, hotArchiveBuckets=[{"curr": "0" * 64, "snap": "0" * 64}] * 11),
        "",
        "the buckets that it names for ledger 127 have the hash",
    ),
    "another header's hash": (lambda a: a.header(hash=xdr.Hash(bytes(32))), "", "ledger 127: the header's hash is not"),
    "another ledger's header": (
        lambda a: a.header(ledger_seq=xdr.Uint32(126)),
        "ledger/00/00/00/ledger-0000007f.xdr.gz",
        "lacks ledger 127",
    ),
    "no headers": (lambda a: a.headers.unlink(), "ledger/00/00/00/ledger-0000007f.xdr.gz", "does not exist"),
    "invalid headers": (
        lambda a: write(a.headers, gzip.compress(record(b"none"))),
        "ledger/00/00/00/ledger-0000007f.xdr.gz",
        "are not a LedgerHeaderHistoryEntry",
    ),
    "another ledger's state": (
        lambda a: a.change_state(a.state, currentLedger=63),
        "history/00/00/00/history-0000007f.json",
        "is of ledger 63, not 127",
    ),
    "another network's state": (
        lambda a: a.change_state(a.state, networkPassphrase=OTHER),
        "history/00/00/00/history-0000007f.json",
        f"holds the network {OTHER!r}, not {PASSPHRASE!r}",
    ),
    "no state": (lambda a: a.state.unlink(), "history/00/00/00/history-0000007f.json", "does not exist"),
    "a state without buckets": (
        lambda a: a.change_state(a.state, currentBuckets=None),
        "history/00/00/00/history-0000007f.json",
        "currentBuckets",
    ),
    "a state with a path": (
        lambda a: a.change_state(a.state, currentBuckets=[{"curr": "../../../etc", "snap": "0" * 64}]),
        "history/00/00/00/history-0000007f.json",
        "can't be read",
    ),
    "a state with half a hash": (
        lambda a: a.change_state(a.state, currentBuckets=[{"curr": "0" * 32, "snap": "0" * 64}]),
        "history/00/00/00/history-0000007f.json",
        "is not a bucket",
    ),
    "no archive": (lambda a: a.newest.unlink(), ".well-known/stellar-history.json", "does not exist"),
    "no json": (lambda a: a.newest.write_text("<html>"), ".well-known/stellar-history.json", "can't be read"),
    "other json": (lambda a: a.newest.write_text("[]"), ".well-known/stellar-history.json", "can't be read"),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_a_modified_archive_is_refused(altered: Altered, tmp_path: Path, name: str) -> None:
    alter, file, words = ALTERATIONS[name]
    alter(altered)
    line = refused(altered.folder, tmp_path / "out")
    place = str(altered.bucket) if file == "bucket" else f"{altered.folder}/{file}".rstrip("/")
    assert place in line
    assert words in line


def test_concatenated_gzip_files_are_one_file(altered: Altered) -> None:
    halves = altered.content[:300], altered.content[300:]
    altered.bucket.write_bytes(b"".join(map(gzip.compress, halves)))
    assert len(rows_in_process(altered.folder)["ttl"]) == 1


def test_without_checks_hashes_may_differ(altered: Altered, tmp_path: Path) -> None:
    altered.header()
    altered.bucket.write_bytes(gzip.compress(altered.content + record(live(account(CAROL, 1)).to_xdr_bytes())))
    assert len(exported(altered.folder, tmp_path / "out", "--no-verify")["accounts"]) == 3


def test_only_requested_types_are_decoded(altered: Altered, tmp_path: Path) -> None:
    odd = record(live(EVERY_TYPE[0]).to_xdr_bytes()[:-8])
    altered.bucket_holds(odd + altered.content)
    assert "BucketEntry" in refused(altered.folder, tmp_path / "no", "--types", "signers")
    assert len(exported(altered.folder, tmp_path / "out", "--types", "ttl,offers")["ttl"]) == 1


@pytest.mark.parametrize(
    ("passphrase", "options", "words"),
    [
        (PASSPHRASE, ("--network-passphrase", OTHER), "holds the network"),
        (PASSPHRASE, ("--testnet",), f"holds the network {PASSPHRASE!r}, not {OTHER!r}"),
        (PASSPHRASE, ("--network-passphrase", PASSPHRASE, "--testnet"), ""),
        (OTHER, ("--testnet",), ""),
        (None, ("--testnet",), ""),
        (None, ("--network-passphrase", OTHER), ""),
    ],
)
def test_the_network_must_be_the_requested_one(
    tmp_path: Path, passphrase: str | None, options: Sequence[object], words: str
) -> None:
    made = write_archive(tmp_path / "archive", [], passphrase=passphrase)
    if words:
        assert words in refused(made, tmp_path / "out", *options)
        return
    exported(made, tmp_path / "out", *options)
    manifest = json.loads((tmp_path / "out" / f"{CHECKPOINT}-{CHECKPOINT}-manifest.json").read_text())
    assert manifest["network_passphrase"] == (passphrase or OTHER)
