"""The manifest against the bucket: every kind of difference stops the batch, by name."""

from __future__ import annotations

import json

import pytest

from stellar_etl_airflow.batch import Batch, ExportAttempt, LedgerRange
from stellar_etl_airflow.manifest import ManifestError, StoredObject, verified_batch

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
    return json.dumps(whole | changes)


BUCKET = {LEDGERS: StoredObject(100, "AAAAAA=="), ASSETS: StoredObject(0, "AAAAAA==")}


def test_a_whole_export_becomes_a_batch():
    batch = verified_batch(manifest(), ATTEMPT, "bucket", NAMES, BUCKET)
    assert batch.files["ledgers"].uri == f"gs://bucket/{LEDGERS}"
    assert (batch.files["ledgers"].rows, batch.files["assets"].rows) == (10, 0)
    assert Batch.from_json(json.loads(json.dumps(batch.to_json()))) == batch


@pytest.mark.parametrize(
    ("text", "bucket", "message"),
    [
        (manifest(version=2), BUCKET, "version 2, and 1 is understood"),
        (manifest(end_ledger=11), BUCKET, "holds ledgers 3 to 11, not 3 to 12"),
        (manifest(ledgers=9), BUCKET, "9 ledgers were read, not 10"),
        (manifest(files=[file("ledgers", LEDGERS)]), BUCKET, "no file for assets"),
        (manifest(), {LEDGERS: BUCKET[LEDGERS]}, "3-12-assets.txt is not in the bucket"),
        (manifest(), {**BUCKET, LEDGERS: StoredObject(99, "AAAAAA==")}, "3-12-ledgers.txt has 99 bytes.*not 100"),
        (manifest(), {**BUCKET, LEDGERS: StoredObject(100, "BBBBBB==")}, "CRC32C BBBBBB==.*not 100 bytes and AAAAAA=="),
        (manifest(files=[file("ledgers", LEDGERS), file("assets", "elsewhere")]), BUCKET, "assets are in elsewhere"),
        (manifest(files=[file("trades", LEDGERS)]), BUCKET, "was not asked for"),
        ("not JSON", BUCKET, "can't be read"),
        ("{}", BUCKET, "can't be read"),
        ("[]", BUCKET, "can't be read"),
    ],
)
def test_a_difference_is_named(text, bucket, message):
    with pytest.raises(ManifestError, match=message):
        verified_batch(text, ATTEMPT, "bucket", NAMES, bucket)


def test_rows_that_could_not_be_made_stop_the_batch_above_the_limit():
    text = manifest(failed_transforms=3)
    with pytest.raises(ManifestError, match=r"3 rows .* could not be made.*'max_failed_transforms'"):
        verified_batch(text, ATTEMPT, "bucket", NAMES, BUCKET)
    assert verified_batch(text, ATTEMPT, "bucket", NAMES, BUCKET, max_failed_transforms=3).ledgers == 10


def test_all_differences_are_named_at_once():
    with pytest.raises(ManifestError, match="9 ledgers were read.*ledgers.txt is not in the bucket"):
        verified_batch(manifest(ledgers=9), ATTEMPT, "bucket", NAMES, {})
