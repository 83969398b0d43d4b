"""The exporter's manifest against the bucket: what was promised, and whether it lies there. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stellar_etl_airflow.batch import Batch, ExportAttempt, ExportedFile

VERSION = 1


class ManifestError(ValueError):
    """The manifest is unusable, or the bucket doesn't hold what it says; the message lists every difference."""


@dataclass(frozen=True)
class StoredObject:
    """An object as the bucket shows it: its size in bytes and its CRC32C, base64 of the big-endian value."""

    size: int
    crc32c: str


def verified_batch(
    text: str,
    attempt: ExportAttempt,
    bucket: str,
    file_names: Mapping[str, str],
    objects: Mapping[str, StoredObject],
    max_failed_transforms: int = 0,
) -> Batch:
    """Compares a manifest with what was asked for and with the bucket.

    Args:
        text: the manifest.
        attempt: the attempt that should have written it.
        bucket: the bucket's name.
        file_names: the file name for each data type that was asked for.
        objects: the objects below the attempt's prefix, by name.
        max_failed_transforms: how many rows may be left out.

    Raises:
        ManifestError: naming everything that doesn't match.
    """
    try:
        manifest = json.loads(text)
        files = {file["type"]: file for file in manifest["files"]}
        problems = list(_differences(manifest, files, attempt, file_names, objects))
        if problems:
            raise ManifestError(
                f"the export {attempt.prefix} is not whole: {'; '.join(problems)}. Clear the export task and what "
                f"follows it: it exports the range again, below a prefix of its own"
            )
        if (failed := manifest["failed_transforms"]) > max_failed_transforms:
            raise ManifestError(
                f"{failed} rows of the export {attempt.prefix} could not be made, and were left out: the export pod's "
                f"log names each. The Variable 'max_failed_transforms' says how many may be ({max_failed_transforms})"
            )
        return Batch(
            attempt=attempt,
            network_passphrase=manifest["network_passphrase"],
            ledgers=int(manifest["ledgers"]),
            first_closed_at=manifest["first_closed_at"],
            last_closed_at=manifest["last_closed_at"],
            files={
                data_type: ExportedFile(
                    f"gs://{bucket}/{file['name']}", rows=int(file["rows"]), bytes=int(file["bytes"])
                )
                for data_type, file in files.items()
            },
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(f"the manifest {attempt.manifest_object} can't be read: {error!r}") from error


def _differences(
    manifest: Mapping[str, Any],
    files: Mapping[str, Mapping[str, Any]],
    attempt: ExportAttempt,
    file_names: Mapping[str, str],
    objects: Mapping[str, StoredObject],
) -> Iterable[str]:
    if manifest.get("version") != VERSION:
        yield f"its manifest has version {manifest.get('version')!r}, and {VERSION} is understood"
    ledgers = attempt.ledgers
    if (manifest["start_ledger"], manifest["end_ledger"]) != (ledgers.start, ledgers.end):
        yield (
            f"it holds ledgers {manifest['start_ledger']} to {manifest['end_ledger']}, "
            f"not {ledgers.start} to {ledgers.end}"
        )
    if manifest["ledgers"] != ledgers.end - ledgers.start + 1:
        yield f"{manifest['ledgers']} ledgers were read, not {ledgers.end - ledgers.start + 1}"
    for data_type in file_names.keys() - files.keys():
        yield f"the manifest has no file for {data_type}"
    for data_type, file in files.items():
        name = file["name"]
        if data_type not in file_names:
            yield f"{name} ({data_type}) was not asked for"
        elif name != attempt.object_name(file_names[data_type]):
            yield f"{data_type} are in {name}, not in {attempt.object_name(file_names[data_type])}"
        elif name not in objects:
            yield f"{name} is not in the bucket"
        elif objects[name] != (promised := StoredObject(int(file["bytes"]), file["crc32c"])):
            stored = objects[name]
            yield (
                f"{name} has {stored.size} bytes and CRC32C {stored.crc32c}, "
                f"not {promised.size} bytes and {promised.crc32c}"
            )
