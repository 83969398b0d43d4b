"""The manifest against the bucket: every kind of difference stops the batch, by name."""

from __future__ import annotations

import json

import pytest

from stellar_etl_airflow.export.manifest import (
    ManifestError,
    RowCounter,
    StoredObject,
    combined_manifest,
    derived_manifest,
    read_manifest,
    verified_batch,
)
from stellar_etl_airflow.model.batch import Batch, ExportAttempt
from stellar_etl_airflow.model.ranges import LedgerRange

ATTEMPT = ExportAttempt(LedgerRange(3, 12), "exports/run/attempt", "2026-01-01T00:20:00Z")
NAMES = {"ledgers": "ledgers.txt", "assets": "assets.txt"}
LEDGERS, ASSETS = ATTEMPT.object_name("ledgers.txt"), ATTEMPT.object_name("assets.txt")


def file(data_type, name, **changes):
    return {"type": data_type, "name": name, "rows": 10, "bytes": 100, "crc32c": "AAAAAA=="} | changes


def manifest(**changes):
    whole = {
        "version": 1,
        "network_passphrase": "a network",
        "start_ledger": 3,
        "end_ledger": 12,
        "ledgers": 10,
        "first_closed_at": "2026-01-01T00:10:00Z",
        "last_closed_at": "2026-01-01T00:10:45Z",
        "failed_transforms": 0,
        "files": [file("ledgers", LEDGERS), file("assets", ASSETS, rows=0, bytes=0)],
    }
    return whole | changes


BUCKET = {LEDGERS: StoredObject(100, "AAAAAA=="), ASSETS: StoredObject(0, "AAAAAA==")}


def test_a_whole_export_becomes_a_batch():
    batch = verified_batch(manifest(), ATTEMPT, "bucket", NAMES, BUCKET)
    assert batch.files["ledgers"].uri == f"gs://bucket/{LEDGERS}"
    assert (batch.files["ledgers"].rows, batch.files["assets"].rows) == (10, 0)
    assert Batch.from_json(json.loads(json.dumps(batch.to_json()))) == batch


@pytest.mark.parametrize(
    ("content", "bucket", "message"),
    [
        (manifest(version=2), BUCKET, "version 2, and 1 is understood"),
        (manifest(end_ledger=11), BUCKET, "holds ledgers 3 to 11, not 3 to 12"),
        (manifest(ledgers=9), BUCKET, "9 ledgers were read, not 10"),
        (manifest(files=[file("ledgers", LEDGERS)]), BUCKET, "no file for assets"),
        (manifest(), {LEDGERS: BUCKET[LEDGERS]}, "3-12-assets.txt is not there"),
        (manifest(), {**BUCKET, LEDGERS: StoredObject(99, "AAAAAA==")}, "3-12-ledgers.txt has 99 bytes.*not 100"),
        (manifest(), {**BUCKET, LEDGERS: StoredObject(100, "BBBBBB==")}, "CRC32C BBBBBB==.*not 100 bytes and AAAAAA=="),
        (manifest(files=[file("ledgers", LEDGERS), file("assets", "elsewhere")]), BUCKET, "assets are in elsewhere"),
        (manifest(files=[file("trades", LEDGERS)]), BUCKET, "was not asked for"),
        ({}, BUCKET, "can't be read"),
        (manifest(files=[7]), BUCKET, "can't be read"),
    ],
)
def test_a_difference_is_named(content, bucket, message):
    with pytest.raises(ManifestError, match=message):
        verified_batch(content, ATTEMPT, "bucket", NAMES, bucket)


def test_rows_that_could_not_be_made_stop_the_batch_above_the_limit():
    content = manifest(failed_transforms=3)
    with pytest.raises(ManifestError, match=r"3 rows .* could not be made.*'max_failed_transforms'"):
        verified_batch(content, ATTEMPT, "bucket", NAMES, BUCKET)
    assert verified_batch(content, ATTEMPT, "bucket", NAMES, BUCKET, max_failed_transforms=3).ledgers == 10


def test_all_differences_are_named_at_once():
    with pytest.raises(ManifestError, match="9 ledgers were read.*ledgers.txt is not there"):
        verified_batch(manifest(ledgers=9), ATTEMPT, "bucket", NAMES, {})


@pytest.mark.parametrize("text", ["not JSON", "[]"])
def test_a_file_that_is_no_manifest_is_named(text):
    with pytest.raises(ManifestError, match=r"the manifest a/manifest\.json can't be read"):
        read_manifest(text, "a/manifest.json")


def test_another_network_than_the_variable_says_is_refused():
    with pytest.raises(ManifestError, match="'a network'.*'network_passphrase' says 'another'"):
        verified_batch(manifest(), ATTEMPT, "bucket", NAMES, BUCKET, passphrase="another")
    assert verified_batch(manifest(), ATTEMPT, "bucket", NAMES, BUCKET, passphrase="a network")


def test_names_may_have_the_folder_of_the_pods_volume_before_them():
    files = [file("ledgers", f"/data/{LEDGERS}"), file("assets", f"/data/{ASSETS}", rows=0, bytes=0)]
    assert verified_batch(manifest(files=files), ATTEMPT, "bucket", NAMES, BUCKET).files["assets"].rows == 0


def test_the_manifests_of_several_pods_become_one():
    one = manifest(files=[file("ledgers", LEDGERS)], failed_transforms=1)
    two = manifest(files=[file("assets", ASSETS, rows=0, bytes=0)], failed_transforms=2)
    combined = combined_manifest({"one": one, "two": two})
    assert combined == manifest(failed_transforms=3)


@pytest.mark.parametrize("changes", [{"network_passphrase": "b"}, {"last_closed_at": "c"}, {"last_ledger_hash": "d"}])
def test_manifests_of_other_ledgers_are_refused(changes):
    (key,) = changes
    with pytest.raises(ManifestError, match=f"one and two are not of the same ledgers: they differ in {key}"):
        combined_manifest({"one": manifest(), "two": manifest(**changes)})


def header(sequence, **changes):
    row = {
        "sequence": sequence,
        "ledger_hash": f"hash {sequence}",
        "previous_ledger_hash": f"hash {sequence - 1}",
        "successful_transaction_count": 2,
        "failed_transaction_count": 1,
        "tx_set_operation_count": "5",
        "closed_at": f"2026-01-01T00:10:{sequence:02d}Z",
    }
    return row | changes


HEADERS = [header(sequence) for sequence in range(3, 13)]
DERIVED_NAMES = {"transactions": "t.txt", "operations": "o.txt", "effects": "e.txt", "ledgers": "l.txt"}


def counter(rows, torn=False):
    made = RowCounter()
    made.rows, made.torn = rows, torn
    return made


def derive(headers=HEADERS, transactions=30, operations=50, torn=False, end="\n"):
    counted = {"transactions": counter(transactions), "operations": counter(operations), "effects": counter(7, torn)}
    text = "\n".join(json.dumps(row) for row in headers) + end
    stored = {ATTEMPT.object_name(name): StoredObject(100, "AAAAAA==") for name in DERIVED_NAMES.values()}
    derived = derived_manifest(ATTEMPT, "a network", text, counted, DERIVED_NAMES, stored)
    return verified_batch(derived, ATTEMPT, "bucket", DERIVED_NAMES, stored)


def test_a_manifest_is_derived_from_the_rows_and_the_headers():
    batch = derive()
    assert (batch.network_passphrase, batch.ledgers) == ("a network", 10)
    assert (batch.first_closed_at, batch.last_closed_at) == ("2026-01-01T00:10:03Z", "2026-01-01T00:10:12Z")
    assert {type_: file.rows for type_, file in batch.files.items()} == {
        "transactions": 30, "operations": 50, "effects": 7, "ledgers": 10,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transactions": 29}, "1 rows .* could not be made"),
        ({"operations": 45}, "5 rows .* could not be made"),
        ({"operations": 51}, "has 51 operations, and the ledgers' headers say 50"),
        ({"torn": True}, "3-12-e.txt end within a row"),
        ({"end": ""}, "3-12-l.txt end within a row"),
        ({"headers": HEADERS[:-1]}, "has 9 rows; missing: 12; not of the range: none"),
        ({"headers": [*HEADERS, header(13)]}, "not of the range: 13"),
        ({"headers": [*HEADERS, header(12)]}, "has 11 rows"),
        ({"headers": []}, "missing: 3, 4, 5, 6, 7, …"),
        ({"headers": [*HEADERS[:-1], header(12, previous_ledger_hash="x")]}, "ledger 12 doesn't follow 11"),
        ({"headers": [{"sequence": 3}]}, "missing: 4"),
        ({"headers": [*HEADERS[:-1], {"sequence": 12, "previous_ledger_hash": "hash 11"}]}, "can't be read"),
        ({"headers": ["x"]}, "can't be read"),
    ],
)
def test_what_a_derived_manifest_finds_missing_is_named(changes, message):
    with pytest.raises(ManifestError, match=message):
        derive(**changes)


def test_an_empty_file_has_no_rows_and_is_whole():
    made = RowCounter()
    made.write(b"")
    assert (made.rows, made.torn) == (0, False)
    for chunk in (b"a\nb", b"c\n"):
        made.write(chunk)
    assert (made.rows, made.torn) == (2, False)
