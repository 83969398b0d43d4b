"""Manifests are compared with the bucket: each kind of difference stops the batch, with an error that names it."""

from __future__ import annotations

import json

import pytest

from stellar_etl_airflow.export.contents import Contents, ContentsError, RowCounter, reading_order
from stellar_etl_airflow.export.manifest import (
    ManifestError,
    RefusedExportError,
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


def test_a_complete_export_becomes_a_batch():
    batch = verified_batch(manifest(), ATTEMPT, "bucket", NAMES, BUCKET)
    assert batch.files["ledgers"].uri == f"gs://bucket/{LEDGERS}"
    assert (batch.files["ledgers"].rows, batch.files["assets"].rows) == (10, 0)
    assert Batch.from_json(json.loads(json.dumps(batch.to_json()))) == batch


@pytest.mark.parametrize(
    ("content", "bucket", "message"),
    [
        (manifest(version=2), BUCKET, "version 2, but only 1 is supported"),
        (manifest(end_ledger=11), BUCKET, "has ledgers 3 to 11, not 3 to 12"),
        (manifest(ledgers=9), BUCKET, "9 ledgers were read, not 10"),
        (manifest(files=[file("ledgers", LEDGERS)]), BUCKET, "no file for assets"),
        (manifest(), {LEDGERS: BUCKET[LEDGERS]}, "3-12-assets.txt does not exist"),
        (manifest(), {**BUCKET, LEDGERS: StoredObject(99, "AAAAAA==")}, "3-12-ledgers.txt has 99 bytes.*not 100"),
        (manifest(), {**BUCKET, LEDGERS: StoredObject(100, "BBBBBB==")}, "CRC32C BBBBBB==.*not 100 bytes and AAAAAA=="),
        (manifest(files=[file("ledgers", LEDGERS), file("assets", "elsewhere")]), BUCKET, "assets are in elsewhere"),
        (manifest(files=[file("trades", LEDGERS)]), BUCKET, "was not requested"),
        ({}, BUCKET, "can't be read"),
        (manifest(files=[7]), BUCKET, "can't be read"),
    ],
)
def test_a_difference_is_named(content, bucket, message):
    with pytest.raises(ManifestError, match=message):
        verified_batch(content, ATTEMPT, "bucket", NAMES, bucket)


def test_rows_that_could_not_be_exported_stop_the_batch_above_the_limit():
    content = manifest(failed_transforms=3)
    with pytest.raises(ManifestError, match=r"3 rows .* could not be made.*'max_failed_transforms'"):
        verified_batch(content, ATTEMPT, "bucket", NAMES, BUCKET)
    assert verified_batch(content, ATTEMPT, "bucket", NAMES, BUCKET, max_failed_transforms=3).ledgers == 10


def left_out(*rows):
    return {
        "left_out": [{"type": type_, "ledger": ledger, "rows": count} for type_, ledger, count in rows],
        "failed_transforms": sum(count for _, _, count in rows),
    }


def test_the_batch_lists_the_ledgers_with_omitted_rows():
    content = manifest(**left_out(("ledgers", 12, 1), ("ledgers", 4, 2), ("assets", 5, 1)))
    batch = verified_batch(content, ATTEMPT, "bucket", NAMES, BUCKET, max_failed_transforms=4)
    assert {type_: file.left_out for type_, file in batch.files.items()} == {"ledgers": (4, 4, 12), "assets": (5,)}
    assert Batch.from_json(json.loads(json.dumps(batch.to_json()))) == batch


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (left_out(("ledgers", 13, 1)), "rows of ledger 13 can't have been skipped"),
        (left_out(("ledgers", 12, 1)) | {"failed_transforms": 2}, "1 rows are listed as skipped, but 2 are counted"),
        ({"left_out": [], "failed_transforms": 1}, "0 rows are listed as skipped, but 1 are counted"),
    ],
)
def test_the_list_of_omitted_rows_must_agree_with_the_count(changes, message):
    with pytest.raises(ManifestError, match=message):
        verified_batch(manifest(**changes), ATTEMPT, "bucket", NAMES, BUCKET, max_failed_transforms=9)


def test_a_manifest_of_an_older_exporter_has_counts_without_a_list():
    batch = verified_batch(manifest(failed_transforms=1), ATTEMPT, "bucket", NAMES, BUCKET, max_failed_transforms=1)
    assert batch.files["ledgers"].left_out == ()


def test_one_error_names_all_differences():
    with pytest.raises(ManifestError, match="9 ledgers were read.*ledgers.txt does not exist"):
        verified_batch(manifest(ledgers=9), ATTEMPT, "bucket", NAMES, {})


@pytest.mark.parametrize("text", ["not JSON", "[]"])
def test_a_file_that_is_not_a_manifest_is_named(text):
    with pytest.raises(ManifestError, match=r"the manifest a/manifest\.json can't be read"):
        read_manifest(text, "a/manifest.json")


def test_a_network_other_than_the_variables_is_refused():
    with pytest.raises(ManifestError, match="'a network'.*'network_passphrase' is 'another'"):
        verified_batch(manifest(), ATTEMPT, "bucket", NAMES, BUCKET, passphrase="another")
    assert verified_batch(manifest(), ATTEMPT, "bucket", NAMES, BUCKET, passphrase="a network")


def test_file_names_may_begin_with_the_folder_of_the_pods_volume():
    files = [file("ledgers", f"/data/{LEDGERS}"), file("assets", f"/data/{ASSETS}", rows=0, bytes=0)]
    assert verified_batch(manifest(files=files), ATTEMPT, "bucket", NAMES, BUCKET).files["assets"].rows == 0


def test_the_manifests_of_several_pods_are_combined():
    one = manifest(files=[file("ledgers", LEDGERS)], **left_out(("ledgers", 3, 1)))
    two = manifest(files=[file("assets", ASSETS, rows=0, bytes=0)], **left_out(("assets", 3, 2)))
    combined = combined_manifest({"one": one, "two": two})
    assert combined == manifest(**left_out(("ledgers", 3, 1), ("assets", 3, 2)))


@pytest.mark.parametrize("changes", [{"network_passphrase": "b"}, {"last_closed_at": "c"}, {"last_ledger_hash": "d"}])
def test_manifests_of_different_ledgers_are_refused(changes):
    (key,) = changes
    with pytest.raises(ManifestError, match=f"one and two are of different ledgers: they differ in {key}"):
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


def transaction(ledger, number, successful=True):
    return {"id": ledger << 32 | number << 12, "ledger_sequence": ledger, "successful": successful}


def operation(ledger, number, type_=10, **details):
    """Return the operation with a number, in the first transactions of its ledger. The third transaction failed."""
    of = 1 + number % 3
    return {
        "id": ledger << 32 | of << 12 | number,
        "transaction_id": ledger << 32 | of << 12,
        "ledger_sequence": ledger,
        "type": type_,
        "details": details,
    }


TRANSACTIONS = [transaction(n, number, number < 3) for n in range(3, 13) for number in (1, 2, 3)]
OPERATIONS = [operation(n, number) for n in range(3, 13) for number in range(5)]


def write(contents, data_type, rows, torn=False):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    counter = contents.counter(data_type)
    for at in range(0, len(text), 700):  # in pieces that end within a row
        counter.write(text[at : at + 700].encode())
    if torn:
        counter.write(b'{"ledger_sequence": 3')


def derive(
    headers=HEADERS, transactions=TRANSACTIONS, operations=OPERATIONS, effects=7, torn=False, end="\n", allowed=0,
    **others,
):  # fmt: skip
    contents = Contents()
    write(contents, "transactions", transactions)
    write(contents, "operations", operations)
    write(contents, "effects", [{"ledger_sequence": 3}] * effects, torn)
    for data_type, rows in others.items():
        write(contents, data_type, rows)
    names = {**DERIVED_NAMES, **{data_type: f"{data_type}.txt" for data_type in others}}
    text = "\n".join(json.dumps(row) for row in headers) + end
    stored = {ATTEMPT.object_name(name): StoredObject(100, "AAAAAA==") for name in names.values()}
    derived = derived_manifest(ATTEMPT, "a network", text, contents, names, stored)
    return verified_batch(derived, ATTEMPT, "bucket", names, stored, max_failed_transforms=allowed)


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
        (
            {"transactions": TRANSACTIONS[:-1]},
            "1 rows are missing in .*: 1 transactions of ledgers 12. The",
        ),
        ({"operations": OPERATIONS[5:]}, "5 rows are missing in .*: 5 operations of ledgers 3. The headers or other"),
        ({"operations": [*OPERATIONS, operation(7, 9)]}, "has 51 operations, but the ledgers' headers have 50; for l"),
        ({"operations": [*OPERATIONS[1:], operation(7, 9)]}, "for ledger 7 it has 6, not 5"),
        ({"operations": []}, "3-12-o.txt is empty, but must have at least 50 operations"),
        ({"torn": True}, "3-12-e.txt end within a row"),
        ({"end": ""}, "3-12-l.txt end within a row"),
        ({"headers": HEADERS[:-1]}, "has 9 rows; missing: 12; outside the range: none"),
        ({"headers": [*HEADERS, header(13)]}, "outside the range: 13"),
        ({"headers": [*HEADERS, header(12)]}, "has 11 rows"),
        ({"headers": []}, "missing: 3, 4, 5, 6, 7, …"),
        ({"headers": [*HEADERS[:-1], header(12, previous_ledger_hash="x")]}, "ledger 12 doesn't follow 11"),
        ({"headers": [{"sequence": 3}]}, "missing: 4"),
        ({"headers": [*HEADERS[:-1], {"sequence": 12, "previous_ledger_hash": "hash 11"}]}, "can't be read"),
        ({"headers": ["x"]}, "can't be read"),
    ],
)
def test_a_derived_manifest_names_missing_rows(changes, message):
    with pytest.raises(ManifestError, match=message):
        derive(**changes)


def test_an_empty_file_is_complete_and_has_no_rows():
    made = RowCounter()
    made.write(b"")
    assert (made.rows, made.torn) == (0, False)
    for chunk in (b"a\nb", b"c\n"):
        made.write(chunk)
    assert (made.rows, made.torn) == (2, False)


PAYMENT = operation(5, 0, type_=1)
FAILED_PAYMENT = operation(5, 2, type_=1)
CONVERSION = operation(5, 0, type_=2, source_asset_type="native", asset_type="credit_alphanum4", asset_code="USD")
SAME_ASSET = operation(5, 0, type_=2, source_asset_type="native", asset_type="native")


def with_operation(one):
    return [one if (row["id"], row["ledger_sequence"]) == (one["id"], 5) else row for row in OPERATIONS]


def of_ledger(ledger, count):
    return [{"ledger_sequence": ledger, "history_operation_id": ledger << 32}] * count


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"operations": with_operation(PAYMENT), "effects": 0},
            "3-12-e.txt is empty, but must have at least 2 effects",
        ),
        ({"operations": with_operation(PAYMENT)}, "2 rows are missing in .*: 2 effects of ledgers 5. The headers or"),
        (
            {"operations": with_operation(CONVERSION), "effects": 0, "trades": of_ledger(5, 1)},
            "3-12-e.txt is empty",
        ),
        ({"accounts": []}, "3-12-accounts.txt is empty, but must have at least 10 accounts"),
        ({"accounts": [*of_ledger(3, 9), *of_ledger(4, 9)]}, "8 accounts of ledgers 5, 6, 7, 8, 9, …"),
    ],
)
def test_a_row_that_other_rows_imply_is_reported_missing(changes, message):
    with pytest.raises(RefusedExportError, match=message):
        derive(**changes)


def test_a_path_payment_between_two_assets_has_a_trade():
    operations = with_operation(CONVERSION)
    with pytest.raises(RefusedExportError, match=r"3-12-trades.txt is empty, but must have at least 1 trades"):
        derive(operations=operations, trades=[])
    with pytest.raises(RefusedExportError, match="1 trades of ledgers 5"):
        derive(operations=operations, trades=of_ledger(4, 1), allowed=2)
    assert derive(operations=operations, trades=of_ledger(5, 1), allowed=2).files["effects"].left_out == (5, 5)


@pytest.mark.parametrize("operations", [with_operation(FAILED_PAYMENT), OPERATIONS])
def test_an_empty_file_is_complete_if_no_row_is_implied(operations):
    assert derive(operations=operations, effects=0, trades=[]).files["effects"].rows == 0


def test_missing_rows_may_be_allowed_and_are_listed_by_ledger():
    batch = derive(operations=OPERATIONS[:-2], transactions=TRANSACTIONS[:-1], allowed=3)
    assert {type_: file.left_out for type_, file in batch.files.items() if file.left_out} == {
        "transactions": (12,), "operations": (12, 12),
    }  # fmt: skip
    with pytest.raises(RefusedExportError, match=r"'max_failed_transforms' allows 2"):
        derive(operations=OPERATIONS[:-2], transactions=TRANSACTIONS[:-1], allowed=2)


@pytest.mark.parametrize("row", [b"[]\n", b"{}\n", b"x\n", b'{"ledger_sequence": "x"}\n', b"\xff\n"])
def test_an_unreadable_row_is_named(row):
    with pytest.raises(ContentsError, match="row 2 of effects can't be read"):
        Contents().counter("effects").write(b'{"ledger_sequence": 5}\n' + row)


def test_transactions_are_read_first():
    assert reading_order(dict.fromkeys(["effects", "ledgers", "operations", "transactions"], "")) == [
        "transactions", "effects", "operations",
    ]  # fmt: skip
