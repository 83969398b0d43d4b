"""Modified lakes and archives give rows, or one line without any output, in bounded memory."""

from __future__ import annotations

import gzip
import json
import shutil
import zlib

import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st
from stellar_sdk import Keypair, xdr

from stellar_etl.sources.lake import decompress
from stellar_etl.sources.layout import spans_of
from stellar_etl.sources.records import gunzipped, records
from stellar_etl.xdr import XdrError, decode_batch, decode_bucket_entry, decode_header
from tests.hostile.inputs import DEEP, anything, damaged, exporter, measured, outcome, tampered, texts, tried
from tests.stellar_etl.archives import CHECKPOINT, contract_data, record, write_archive
from tests.stellar_etl.made import BOB, account_id, claimable_balance

PARTITION = "FFFFFFFF--0-63999"


@pytest.fixture(scope="session")
def ledger(lake):
    """The largest ledger of the sample lake: its sequence, and its content."""
    span = max(
        spans_of(sorted(str(path.relative_to(lake)) for path in lake.rglob("*.zst"))), key=lambda s: size(lake, s)
    )
    return span, decompress((lake / span.name).read_bytes())


def size(lake, span):
    return (lake / span.name).stat().st_size


@pytest.fixture
def tampered_lake(tmp_path_factory, lake, ledger):
    """Replace the bytes of the ledger's object; return the lake."""
    folder = tmp_path_factory.mktemp("tampered") / "lake"
    (folder / ledger[0].name).parent.mkdir(parents=True)
    shutil.copy(lake / ".config.json", folder)

    def put(data):
        (folder / ledger[0].name).write_bytes(data)
        return folder

    return put


def export(target, folder, sequence, *options):
    """Export one ledger, and check that either all files exist, or none."""
    output = folder.parent / "out"
    line = exporter(
        target,
        *("export_all_history", "-s", sequence, "-e", sequence, "--datastore-path", folder, "-o", output, *options),
    )
    written = [path for path in output.rglob("*") if path.is_file()] if output.exists() else []
    assert bool(written) != bool(line), (line, written)
    assert not list(output.glob(".*")), "a temporary file is left"
    shutil.rmtree(output, ignore_errors=True)
    return line


# Ledgers -----------------------------------------------------------------------------------------------------------


@tried(100)
@given(data=st.data())
def test_ledgers_of_damaged_xdr_are_exported_or_refused(data, ledger, tampered_lake):
    span, content = ledger
    folder = tampered_lake(zstandard.compress(data.draw(damaged(content)), 1))
    options = data.draw(st.sampled_from([(), ("--no-verify",), ("--no-verify", "--strict-export")]))
    line = export("ledgers", folder, span.first, *options)
    assert not line or span.name in line or f"ledger {span.first}" in line


@tried(100)
@given(data=st.data())
def test_damaged_zstd_frames_are_exported_or_refused(data, ledger, lake, tampered_lake):
    span, _ = ledger
    folder = tampered_lake(data.draw(damaged((lake / span.name).read_bytes()) | st.binary(max_size=40)))
    line = export("zstd frames", folder, span.first)
    assert not line or span.name in line or f"ledger {span.first}" in line


@tried(300)
@given(data=st.data())
def test_damaged_objects_are_decoded_or_refused(data, ledger):
    outcome("decode_batch", lambda: decode_batch(data.draw(damaged(ledger[1]))), XdrError)


@tried(300)
@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(data):
    for decode in (decode_batch, decode_header, decode_bucket_entry):
        outcome("decoders", lambda d=decode: d(data), XdrError)
    outcome("decompress", lambda: decompress(data), zstandard.ZstdError)


def rle_frame(size):
    """Return a zstd frame of at least this many zeros; 128 KiB need four bytes of it (RFC 8878, section 3.1.1)."""
    block = 128 << 10
    blocks = -(-size // block)
    return (
        b"\x28\xb5\x2f\xfd\x00\x38"
        + ((1 << 1 | block << 3).to_bytes(3, "little") + b"\0") * (blocks - 1)
        + (1 | 1 << 1 | block << 3).to_bytes(3, "little")
        + b"\0"
    )


def test_the_bomb_is_a_valid_frame():
    assert decompress(rle_frame(1 << 20)) == bytes(1 << 20)


@pytest.mark.parametrize("stated_size", [None, 10 << 30])
def test_a_zstd_bomb_needs_little_memory(tmp_path, lake, ledger, tampered_lake, stated_size):
    span, _ = ledger
    arguments = ("export_all_history", "-s", span.first, "-e", span.first, "-o", tmp_path / "out", "--datastore-path")
    sound = measured("sound ledgers", *arguments, lake)
    frame = rle_frame(10 << 30)
    if stated_size:  # the header may have the size
        frame = frame[:4] + b"\xc0\x38" + stated_size.to_bytes(8, "little") + frame[6:]
    shutil.rmtree(tmp_path / "out")
    bomb = measured("bombs of zstd", *arguments, tampered_lake(frame))
    assert (sound.status, bomb.status) == (0, 1)
    assert span.name in bomb.line and "larger" in bomb.line
    assert bomb.memory < 8 * sound.memory  # the minimum, one piece more, and the program itself
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_a_frame_with_a_window_of_gigabytes_is_refused(ledger, tampered_lake):
    frame = b"\x28\xb5\x2f\xfd\x00\xf8" + b"\x01\x00\x00"
    assert "can't be read" in export("zstd frames", tampered_lake(frame), ledger[0].first)


def test_names_with_an_impossible_number_of_ledgers_are_refused(ledger, tmp_path, lake):
    """The newest name shows the end of the lake; a wrong one must not cost memory."""
    span, content = ledger
    for last in (span.first + (1 << 31), 0xFFFFFFFF, 10**19):
        folder = tmp_path / f"lake{last}"
        (folder / PARTITION).mkdir(parents=True)
        shutil.copy(lake / ".config.json", folder)
        name = f"{0xFFFFFFFF - span.first:08X}--{span.first}-{last}.xdr.zst"
        (folder / PARTITION / name).write_bytes(zstandard.compress(content))
        arguments = ("export_all_history", "-s", span.first, "-e", span.first, "--datastore-path", folder)
        ended = measured("names of ledgers", *arguments, "-o", tmp_path / "out")
        assert ended.status == 1, ended
        assert ended.memory < 500, ended
        assert not list(tmp_path.glob("out/*"))


# Deep values -------------------------------------------------------------------------------------------------------

INT, SYMBOL = b"\0\0\0\x03\0\0\0\x08", b"\0\0\0\x10\0\0\0\x01"


def nested_vectors(depth):
    """Return a contract's data: nested vectors, each an SCVal (type 16, present, one value)."""
    sound = contract_data(8).to_xdr_bytes()
    assert sound.count(INT) == 1
    return sound.replace(INT, (SYMBOL + b"\0\0\0\x01") * depth + INT)


def nested_predicates(depth):
    """Return a claimable balance with nested claim predicates: NOT … unconditional (types 3 and 0)."""
    claimant = xdr.Claimant(
        xdr.ClaimantType.CLAIMANT_TYPE_V0,
        xdr.ClaimantV0(account_id(BOB), xdr.ClaimPredicate(xdr.ClaimPredicateType.CLAIM_PREDICATE_UNCONDITIONAL)),
    )
    sound = claimable_balance(7, claimants=[claimant]).to_xdr_bytes()
    at = sound.index(OWNER) + len(OWNER)
    assert sound[at : at + 4] == bytes(4)
    return sound[:at] + b"\0\0\0\x03\0\0\0\x01" * depth + sound[at:]


OWNER = Keypair.from_public_key(BOB).raw_public_key()


@pytest.mark.parametrize("make", [nested_vectors, nested_predicates])
@pytest.mark.parametrize("depth", [1, 100, 200, 255, 300, 500, 980, 5000, 200_000])
def test_deeply_nested_values_are_omitted_or_refused(tmp_path, make, depth):
    """Rows that JSON cannot represent are omitted and counted; values too deep for the decoder are refused."""
    content = record(bytes(4) + make(depth))
    outcome("decoders", lambda: decode_bucket_entry(content[4:]), XdrError)
    folder = write_archive(tmp_path / "archive", [content])
    line = exporter(
        "nested values",
        *("export_bucket_list", "-e", CHECKPOINT, "--history-archive-path", folder, "-o", tmp_path / "out"),
    )
    manifest = tmp_path / "out" / f"{CHECKPOINT}-{CHECKPOINT}-manifest.json"
    assert manifest.exists() != bool(line)
    if not line:
        summary = json.loads(manifest.read_text())
        assert sum(file["rows"] for file in summary["files"]) + summary["failed_transforms"] == 1
    if depth < 100:
        assert not line and not summary["failed_transforms"]
    assert bool(line) == (depth > 900)


# Archives ----------------------------------------------------------------------------------------------------------


def export_state(target, folder, output, *options):
    line = exporter(
        target, "export_bucket_list", "-e", CHECKPOINT, "--history-archive-path", folder, "-o", output, *options
    )
    written = [path for path in output.rglob("*") if path.is_file()] if output.exists() else []
    assert bool(written) != bool(line), (line, written)
    shutil.rmtree(output, ignore_errors=True)
    return line


@pytest.fixture
def tampered_archive(tmp_path_factory, archive):
    folder = tmp_path_factory.mktemp("tampered") / "archive"
    shutil.copytree(archive, folder)

    def put(kind, data):
        (path,) = folder.glob(f"{kind}/**/{kind}-*")
        path.write_bytes(data)
        return folder

    return put


def content_of(archive, kind):
    (path,) = archive.glob(f"{kind}/**/{kind}-*")
    return gzip.decompress(path.read_bytes())


@tried(60)
@given(data=st.data())
def test_damaged_files_of_an_archive_are_read_or_refused(data, archive, tampered_archive, tmp_path):
    kind = data.draw(st.sampled_from(["bucket", "ledger"]))
    damage = data.draw(damaged(content_of(archive, kind)))
    packed = gzip.compress(damage, 1)
    if data.draw(st.booleans()):
        packed = data.draw(damaged(packed))
    folder = tampered_archive(kind, packed)
    export_state("archives", folder, tmp_path / "out", *data.draw(st.sampled_from([(), ("--no-verify",)])))
    sound = (path for path in archive.glob(f"{kind}/**/{kind}-*"))
    tampered_archive(kind, next(sound).read_bytes())


STATE = {
    "currentLedger": CHECKPOINT,
    "networkPassphrase": "net",
    "currentBuckets": [{"curr": "0" * 64, "snap": "0" * 64}],
}


@tried(150)
@given(tampered(STATE), st.sampled_from([".well-known/stellar-history.json", "history/00/00/00/history-0000007f.json"]))
@example({**STATE, "currentLedger": 1e999}, ".well-known/stellar-history.json")
@example({**STATE, "networkPassphrase": 5}, ".well-known/stellar-history.json")
@example({**STATE, "networkPassphrase": "\ud800"}, ".well-known/stellar-history.json")
def test_state_files_of_any_json_are_read_or_refused(tmp_path_factory, archive, state, name):
    folder = tmp_path_factory.getbasetemp() / "states"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(archive, folder / "archive")
    (folder / "archive" / name).write_text(json.dumps(state))
    line = export_state("state files", folder / "archive", folder / "out")
    assert line


@pytest.mark.parametrize("text", [DEEP, "", "9" * 5000, "\ufeff{}", "NaN"])
def test_invalid_state_files_are_refused(tmp_path, archive, text):
    folder = shutil.copytree(archive, tmp_path / "archive")
    (folder / ".well-known/stellar-history.json").write_text(text)
    assert "stellar-history.json can't be read" in export_state("state files", folder, tmp_path / "out")


@tried(200)
@given(st.lists(st.binary(max_size=40), max_size=8))
@example([b"\xff\xff\xff\xff", b"x"])
@example([b"\x7f\xff\xff\xff"])
@example([b"\x80\x00\x00\x00" * 3])
def test_invalid_record_marks_are_refused(pieces):
    found = outcome("records", lambda: [one for some in records(pieces) for one in some], XdrError)
    if isinstance(found, list):
        assert b"".join(map(record, found)) == b"".join(pieces)
    outcome("gunzipped", lambda: list(gunzipped(pieces)), zlib.error)


def test_a_gzip_bomb_needs_little_memory(tmp_path, archive):
    """The bucket has records of the maximum size and of a type that is not requested: they are skipped."""
    options = ("--types", "accounts", "-o", tmp_path / "out")
    sound = measured(
        "sound archives", "export_bucket_list", "-e", CHECKPOINT, "--history-archive-path", archive, *options
    )
    shutil.rmtree(tmp_path / "out")
    skipped = record(bytes(8) + (6).to_bytes(4, "big") + bytes((16 << 20) - 12))
    folder = write_archive(tmp_path / "archive", [b""])
    hash_ = "ab" * 32
    path = folder / "bucket" / "ab" / "ab" / "ab" / f"bucket-{hash_}.xdr.gz"
    path.parent.mkdir(parents=True)
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(16):
            file.write(skipped)
    for name in (".well-known/stellar-history.json", "history/00/00/00/history-0000007f.json"):
        state = json.loads((folder / name).read_text())
        state["currentBuckets"][0]["curr"] = hash_
        (folder / name).write_text(json.dumps(state))
    bomb = measured(
        "bombs of gzip",
        "export_bucket_list",
        "-e",
        CHECKPOINT,
        "--history-archive-path",
        folder,
        "--no-verify",
        *options,
    )
    assert path.stat().st_size * 100 < 16 * len(skipped)
    assert (sound.status, bomb.status) == (0, 0), bomb
    assert bomb.memory < 6 * sound.memory  # a few copies of the largest record, and the program itself


# Configurations and options ----------------------------------------------------------------------------------------

CONFIG = {"networkPassphrase": "net", "ledgersPerBatch": 1, "batchesPerPartition": 64000}


@tried(150)
@given(tampered(CONFIG) | anything)
@example({**CONFIG, "networkPassphrase": "\ud800"})
@example({**CONFIG, "ledgersPerBatch": 1e999})
def test_configurations_of_any_json_are_read_or_refused(lake, ledger, tampered_lake, config):
    span, content = ledger
    folder = tampered_lake(zstandard.compress(content, 1))
    (folder / ".config.json").write_text(json.dumps(config))
    line = export("configurations", folder, span.first)
    assert line  # the network is different or missing


@pytest.mark.parametrize("text", [DEEP, "", "\xff", "9" * 5000])
def test_invalid_configurations_are_refused(lake, ledger, tampered_lake, text):
    span, content = ledger
    folder = tampered_lake(zstandard.compress(content, 1))
    (folder / ".config.json").write_bytes(text.encode("latin-1"))
    assert ".config.json can't be read" in export("configurations", folder, span.first)


def test_a_configuration_that_is_a_folder_is_refused(ledger, tampered_lake):
    folder = tampered_lake(b"")
    (folder / ".config.json").unlink()
    (folder / ".config.json").mkdir()
    assert ".config.json" in export("configurations", folder, ledger[0].first)


arguments = texts.filter(lambda text: "\0" not in text)  # the kernel accepts none in arguments


@tried(100)
@given(arguments)
@example("=")
@example("a=\udcff")
@example("a=b,a=c,sequence=' OR 1=1 --")
@example('"a=b')
def test_extra_fields_of_any_content_are_written_or_refused(lake, ledger, tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp() / "extra"
    folder.mkdir(exist_ok=True)
    output = folder / "out"
    line = exporter(
        "--extra-fields",
        *(
            "export_ledgers",
            "-s",
            3,
            "-e",
            3,
            "--datastore-path",
            lake,
            "-o",
            output / "l.txt",
            f"--extra-fields={text}",
        ),
    )
    assert (output / "l.txt").exists() != bool(line)
    if not line:
        assert len((output / "l.txt").read_text().splitlines()) == 1
    shutil.rmtree(output, ignore_errors=True)


@tried(150)
@given(arguments)
@example("ledgers=../x.txt")
@example("ledgers=a/../../x.txt")
@example("ledgers=/../../x.txt")
@example("ledgers=" + "x" * 300)
@example("ledgers=manifest.json")
@example("ledgers=\udcff.txt")
@example("ledgers=operations.txt")
@example("ledgers=a/")
@example("ledgers=")
def test_file_names_stay_in_the_folder(lake, tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp() / "names"
    output = folder / "deep" / "out"
    name = text if "=" in text else f"ledgers={text}"
    line = exporter(
        "--file-names",
        *(
            "export_all_history",
            "-s",
            3,
            "-e",
            3,
            "--datastore-path",
            lake,
            "-o",
            output,
            "--types",
            "ledgers,operations",
        ),
        f"--file-names={name}",
    )
    everywhere = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    assert all(output in path.parents for path in everywhere), everywhere
    assert len(everywhere) == (0 if line else 3), everywhere
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("value", ["\udcff", "a\nb", "x" * 5000])
@pytest.mark.parametrize("option", ["--datastore-path", "-o", "--network-passphrase", "--types", "--cloud-provider"])
def test_options_of_any_text_are_used_or_refused(lake, tmp_path, monkeypatch, option, value):
    monkeypatch.chdir(tmp_path)
    given_ = {"--datastore-path": lake, "-o": tmp_path / "out", option: value}
    exporter("options", "export_all_history", "-s", 3, "-e", 3, *(part for pair in given_.items() for part in pair))


@pytest.mark.parametrize("end", [0xFFFFFFFF, 10**30])
def test_ranges_too_large_for_memory_are_refused(lake, tmp_path, end):
    ended = measured(
        "ranges",
        *("export_ledger_entry_changes", "-s", 3, "-e", end, "-b", 1, "--datastore-path", lake, "-o", tmp_path / "out"),
    )
    assert ended.status == 1 and "--batch-size" in ended.line
    assert ended.memory < 500


@tried(100)
@given(texts.filter(lambda text: "\0" not in text) | st.just("0001-01-01T00:00:00+23:59"))
def test_times_of_any_text_are_read_or_refused(lake, text):
    exporter(
        "times",
        *("get_ledger_range_from_times", f"-s={text}", "-e=2026-01-01T00:00:30Z", "--datastore-path", lake, "-o="),
    )


def test_close_times_beyond_the_calendar_are_refused(ledger, tampered_lake, lake):
    """The newest ledger's hash is not checked when times are compared with it."""
    span, content = ledger
    header = decode_batch(content)["ledgerCloseMetas"][0][1]["ledgerHeader"]["header"]
    moment = header["scpValue"]["txSetHash"] + header["scpValue"]["closeTime"].to_bytes(8, "big")
    assert moment in content
    for wrong in (b"\xff" * 8, b"\x00\x00\xff\xff" + bytes(4)):
        folder = tampered_lake(zstandard.compress(content.replace(moment, moment[:32] + wrong)))
        for command in (
            ("get_newest_ledger",),
            ("get_ledger_range_from_times", "-s=2026-01-01T00:00:00Z", "-e=2026-01-01T00:00:30Z", "-o="),
        ):
            exporter("close times", *command, "--datastore-path", folder)
        export("close times", folder, span.first, "--no-verify")
