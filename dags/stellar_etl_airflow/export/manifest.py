"""Verification of the files in the bucket with the manifest of their export. Pure.

The exporter writes its manifest last. Several manifests, one per table, are combined. If an exporter writes none, the
manifest is derived from the rows and from the ledgers' headers, which have the expected row counts.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from stellar_etl_airflow.export.contents import Contents, RowCounter
from stellar_etl_airflow.model.batch import Batch, ExportAttempt, ExportedFile
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import LEDGERS, OPERATIONS, TRANSACTIONS

VERSION = 1

_TIME = "%Y-%m-%dT%H:%M:%SZ"

_AGAIN = "Clear the export task with its downstream tasks: it exports the range again, below its own prefix"


class ManifestError(ValueError):
    """The manifest is unusable, or the files differ from it; the message lists every difference."""


@dataclass(frozen=True)
class StoredObject:
    """An object's metadata in the bucket: size in bytes, and CRC32C as base64 of the big-endian value."""

    size: int
    crc32c: str


class RefusedExportError(ManifestError):
    """The files exist, but their content must not be published. A retry finds the same."""


def read_manifest(text: str, name: str) -> dict[str, Any]:
    """Return a manifest's content.

    Raises:
        ManifestError: the text is not a manifest.
    """
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"the manifest {name} can't be read: {error}") from error
    if not isinstance(manifest, dict):
        raise ManifestError(f"the manifest {name} can't be read: it is not an object")
    return manifest


_COMMON = (
    "version",
    "network_passphrase",
    "start_ledger",
    "end_ledger",
    "ledgers",
    "first_ledger_hash",
    "last_ledger_hash",
    "first_closed_at",
    "last_closed_at",
)
"""The keys that all manifests of one range have in common."""


def combined_manifest(manifests: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return one manifest for all types of a range, from one manifest per pod.

    Args:
        manifests: the manifests by name.

    Raises:
        ManifestError: they are of different ledgers.
    """
    (first_name, first), *others = manifests.items()
    for name, manifest in others:
        different = [key for key in _COMMON if manifest.get(key) != first.get(key)]
        if different:
            raise ManifestError(
                f"the manifests {first_name} and {name} are of different ledgers: they differ in "
                f"{', '.join(different)}. {_AGAIN}"
            )
    try:
        return {
            **first,
            "failed_transforms": sum(manifest["failed_transforms"] for manifest in manifests.values()),
            "left_out": [one for manifest in manifests.values() for one in manifest.get("left_out", [])],
            "files": [file for manifest in manifests.values() for file in manifest["files"]],
        }
    except (KeyError, TypeError) as error:
        raise ManifestError(f"the manifests {', '.join(manifests)} can't be read: {error!r}") from error


def derived_manifest(
    attempt: ExportAttempt,
    passphrase: str,
    headers: str,
    contents: Contents,
    file_names: Mapping[str, str],
    objects: Mapping[str, StoredObject],
) -> dict[str, Any]:
    """Return the manifest of an export that wrote none.

    Its `left_out` are the transactions and operations that the headers count and the files lack, and rows of other
    types that certainly exist and are missing. With `max_failed_transforms` 0 those exports run with `--strict-export`,
    and fail at a row that cannot be made.

    Args:
        attempt: the attempt that wrote the files.
        passphrase: the network's passphrase.
        headers: the rows of the ledgers, NDJSON.
        contents: the content of the files of all other types.
        file_names: the file name of each type.
        objects: the files by name.

    Raises:
        RefusedExportError: a file is cut off, or is empty but must have rows; or the ledgers are not exactly those of
            the range in an unbroken chain.
    """
    ledgers = RowCounter()
    ledgers.write(headers.encode())
    counters = {**contents.counters, LEDGERS.data_type: ledgers}
    torn = [attempt.object_name(file_names[type_]) for type_, counter in counters.items() if counter.torn]
    if torn:
        raise RefusedExportError(
            f"the export {attempt.prefix} is incomplete: {', '.join(torn)} end within a row. {_AGAIN}"
        )
    name = attempt.object_name(file_names[LEDGERS.data_type])
    try:
        rows = [json.loads(line) for line in headers.split("\n") if line]
        _check_chain(rows, attempt.ledgers, name)
        for row in rows:
            contents.header(row)
        lacking = {**_lacking_by_headers(attempt, rows, contents), **contents.lacking()}
        for type_, ledgers_lacking in lacking.items():
            if ledgers_lacking and not counters[type_].rows:
                raise RefusedExportError(
                    f"the export {attempt.prefix} is incomplete: {attempt.object_name(file_names[type_])} is empty, "
                    f"but must have at least {ledgers_lacking.total()} {type_}. {_AGAIN}"
                )
        left_out = [
            {"type": type_, "ledger": ledger, "rows": count}
            for type_, missing in lacking.items()
            for ledger, count in sorted(missing.items())
        ]
        return {
            "version": VERSION,
            "derived": True,
            "network_passphrase": passphrase,
            "start_ledger": rows[0]["sequence"],
            "end_ledger": rows[-1]["sequence"],
            "ledgers": len(rows),
            "first_closed_at": rows[0]["closed_at"],
            "last_closed_at": rows[-1]["closed_at"],
            "failed_transforms": sum(missing.total() for missing in lacking.values()),
            "left_out": left_out,
            "files": [
                {
                    "type": type_,
                    "name": attempt.object_name(file_name),
                    "rows": counters[type_].rows,
                    "bytes": objects[attempt.object_name(file_name)].size,
                    "crc32c": objects[attempt.object_name(file_name)].crc32c,
                }
                for type_, file_name in file_names.items()
            ],
        }
    except (KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        if isinstance(error, ManifestError):
            raise
        raise RefusedExportError(f"the ledgers' rows in {name} can't be read: {error!r}") from error


def _lacking_by_headers(
    attempt: ExportAttempt, headers: Sequence[Mapping[str, Any]], contents: Contents
) -> dict[str, Counter[int]]:
    """Return the number of rows that the headers count and the files lack, by type and ledger.

    Raises:
        RefusedExportError: a file has more rows.
    """
    promised = {
        TRANSACTIONS.data_type: Counter(
            {
                int(row["sequence"]): int(row["successful_transaction_count"]) + int(row["failed_transaction_count"])
                for row in headers
            }
        ),
        OPERATIONS.data_type: Counter({int(row["sequence"]): int(row["tx_set_operation_count"]) for row in headers}),
    }
    lacking = {}
    for type_ in promised.keys() & contents.counters.keys():
        found = contents.rows[type_]
        if more := found - promised[type_]:
            total, ledger = promised[type_].total(), min(more)
            raise RefusedExportError(
                f"the export {attempt.prefix} is invalid: it has {found.total()} {type_}, but the ledgers' headers "
                f"have {total}; for ledger {ledger} it has {found[ledger]}, not {promised[type_][ledger]}. {_AGAIN}"
            )
        lacking[type_] = promised[type_] - found
    return lacking


def _check_chain(rows: list[dict[str, Any]], ledgers: LedgerRange, name: str) -> None:
    """Sort the rows of ledgers, and check that they are exactly the range's and form an unbroken chain."""
    rows.sort(key=lambda row: int(row["sequence"]))
    found, wanted = [int(row["sequence"]) for row in rows], range(ledgers.start, ledgers.end + 1)
    if found != list(wanted):
        missing = sorted(set(wanted) - set(found))
        others = sorted(set(found) - set(wanted))
        raise RefusedExportError(
            f"{name} must have ledgers {ledgers.start} to {ledgers.end}, each once, but has {len(found)} rows; "
            f"missing: {_some(missing)}; outside the range: {_some(others)}. {_AGAIN}"
        )
    for before, row in pairwise(rows):
        if row["previous_ledger_hash"] != before["ledger_hash"]:
            raise RefusedExportError(f"{name}: ledger {row['sequence']} doesn't follow {before['sequence']}. {_AGAIN}")


def _some(ledgers: Sequence[int]) -> str:
    shown = ", ".join(map(str, ledgers[:5])) or "none"
    return f"{shown}, …" if len(ledgers) > len(ledgers[:5]) else shown


def verified_batch(
    manifest: Mapping[str, Any],
    attempt: ExportAttempt,
    bucket: str,
    file_names: Mapping[str, str],
    objects: Mapping[str, StoredObject],
    *,
    max_failed_transforms: int = 0,
    passphrase: str = "",
) -> Batch:
    """Compare a manifest with the requested export and with the files.

    Args:
        manifest: the manifest.
        attempt: the attempt that should have written it.
        bucket: the bucket's name.
        file_names: the file name of each requested data type.
        objects: the files below the attempt's prefix, by their name in the bucket.
        max_failed_transforms: the maximum number of skipped rows.
        passphrase: the network's passphrase; empty for any.

    Raises:
        ManifestError: there are differences; the message lists all.
    """
    try:
        files = {file["type"]: file for file in manifest["files"]}
        problems = "; ".join(_differences(manifest, files, attempt, file_names, objects))
        if problems:
            one_line = " ".join(problems.split())  # the manifest may contain line breaks
            raise ManifestError(f"the export {attempt.prefix} is incomplete: {one_line}. {_AGAIN}")
        if passphrase and manifest["network_passphrase"] != passphrase:
            raise RefusedExportError(
                f"the export {attempt.prefix} is of the network {manifest['network_passphrase']!r}, but the Variable "
                f"'network_passphrase' is {passphrase!r}: correct it, or 'txmeta_datastore_path'"
            )
        left_out = _left_out(manifest, attempt.ledgers)
        if (failed := _count(manifest["failed_transforms"])) > max_failed_transforms:
            limit = f"The Variable 'max_failed_transforms' allows {max_failed_transforms}"
            if manifest.get("derived"):
                raise RefusedExportError(
                    f"{failed} rows are missing in the export {attempt.prefix}: {_counted(left_out)}. The headers or "
                    f"other rows show that they exist. Either the exporter skipped them, see the export pod's log, or "
                    f"its files are incomplete. {limit}. {_AGAIN}"
                )
            raise RefusedExportError(
                f"{failed} rows of the export {attempt.prefix} could not be made and were skipped; the export pod's "
                f"log names each. {limit}"
            )
        return Batch(
            attempt=attempt,
            network_passphrase=manifest["network_passphrase"],
            ledgers=_count(manifest["ledgers"]),
            first_closed_at=_time(manifest["first_closed_at"]),
            last_closed_at=_time(manifest["last_closed_at"]),
            files={
                data_type: ExportedFile(
                    f"gs://{bucket}/{attempt.object_name(file_names[data_type])}",
                    rows=_count(file["rows"]),
                    bytes=_count(file["bytes"]),
                    crc32c=file["crc32c"],
                    left_out=tuple(sorted(left_out[data_type].elements())),
                )
                for data_type, file in files.items()
            },
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(f"the manifest of {attempt.prefix} can't be read: {error!r}") from error


def _left_out(manifest: Mapping[str, Any], ledgers: LedgerRange) -> defaultdict[str, Counter[int]]:
    """Return the skipped rows, by type and ledger; empty if the manifest does not list them.

    Raises:
        ValueError: their number differs from the manifest's count, or they are of other ledgers.
    """
    found: defaultdict[str, Counter[int]] = defaultdict(Counter)
    if "left_out" not in manifest:
        return found
    for one in manifest["left_out"]:
        if not ledgers.start <= _count(one["ledger"]) <= ledgers.end:
            raise ValueError(f"rows of ledger {one['ledger']} can't have been skipped")
        found[one["type"]][one["ledger"]] += _count(one["rows"])
    if (listed := sum(one.total() for one in found.values())) != manifest["failed_transforms"]:
        raise ValueError(f"{listed} rows are listed as skipped, but {manifest['failed_transforms']} are counted")
    return found


def _counted(left_out: Mapping[str, Counter[int]]) -> str:
    return ", ".join(
        f"{ledgers.total()} {type_} of ledgers {_some(sorted(ledgers))}"
        for type_, ledgers in left_out.items()
        if ledgers
    )


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value


def _time(value: Any) -> str:
    return f"{datetime.strptime(value, _TIME):{_TIME}}"


def _differences(
    manifest: Mapping[str, Any],
    files: Mapping[str, Mapping[str, Any]],
    attempt: ExportAttempt,
    file_names: Mapping[str, str],
    objects: Mapping[str, StoredObject],
) -> Iterable[str]:
    if manifest.get("version") != VERSION:
        yield f"its manifest has version {manifest.get('version')!r}, but only {VERSION} is supported"
    ledgers = attempt.ledgers
    if (manifest["start_ledger"], manifest["end_ledger"]) != (ledgers.start, ledgers.end):
        yield (
            f"it has ledgers {manifest['start_ledger']} to {manifest['end_ledger']}, not {ledgers.start} to "
            f"{ledgers.end}"
        )
    if manifest["ledgers"] != ledgers.end - ledgers.start + 1:
        yield f"{manifest['ledgers']} ledgers were read, not {ledgers.end - ledgers.start + 1}"
    for data_type in file_names.keys() - files.keys():
        yield f"the manifest has no file for {data_type}"
    for data_type, file in files.items():
        if data_type not in file_names:
            yield f"{file['name']} ({data_type}) was not requested"
            continue
        name = attempt.object_name(file_names[data_type])
        if not f"/{file['name']}".endswith(f"/{name}"):  # on a volume, the pod's folder precedes it
            yield f"{data_type} are in {file['name']}, not in {name}"
        elif name not in objects:
            yield f"{name} does not exist"
        elif objects[name] != (promised := StoredObject(_count(file["bytes"]), file["crc32c"])):
            stored = objects[name]
            yield (
                f"{name} has {stored.size} bytes and CRC32C {stored.crc32c}, not {promised.size} bytes and "
                f"{promised.crc32c}"
            )
