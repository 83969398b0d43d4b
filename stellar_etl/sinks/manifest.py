"""The manifest: the list of an export's files, written last. Without it the export is incomplete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stellar_etl import __version__
from stellar_etl.ledgers.ledger import Link
from stellar_etl.sinks.output import ExportFile

VERSION = 1


class Written(NamedTuple):
    """A finished file with the rows of a type, of the ledgers from `start` to `end`."""

    type: str
    start: int
    end: int
    file: ExportFile


def manifest(
    passphrase: str,
    start: int,
    end: int,
    first: Link,
    last: Link,
    files: Sequence[Written],
    left_out: Mapping[tuple[str, int], int],
    parquet_files: Sequence[Written] = (),
) -> dict[str, Any]:
    """The manifest of an export.

    Args:
        passphrase: the network's.
        start: the first requested ledger.
        end: the last requested ledger.
        first: the first ledger that was read.
        last: the last ledger that was read.
        files: the files.
        left_out: by type and ledger, the number of rows that could not be made and were left out.
        parquet_files: the Parquet files, which hold the same rows; without them the key is missing.
    """
    made = {
        "version": VERSION,
        "exporter": f"stellar-etl {__version__}",
        "network_passphrase": passphrase,
        "start_ledger": start,
        "end_ledger": end,
        "first_ledger_hash": first.hash.hex(),
        "first_previous_ledger_hash": first.previous_hash.hex(),
        "last_ledger_hash": last.hash.hex(),
        "first_closed_at": first.closed_at,
        "last_closed_at": last.closed_at,
        "ledgers": last.sequence - first.sequence + 1,
        "failed_transforms": sum(left_out.values()),
        "left_out": [
            {"type": type_, "ledger": ledger, "rows": rows} for (type_, ledger), rows in sorted(left_out.items())
        ],
        "files": _entries(files),
    }
    return made | {"parquet_files": _entries(parquet_files)} if parquet_files else made


def _entries(files: Sequence[Written]) -> list[dict[str, Any]]:
    return [
        {
            "type": type_,
            "name": file.name,
            "start_ledger": start,
            "end_ledger": end,
            "rows": file.rows,
            "bytes": file.bytes,
            "crc32c": file.crc32c,
        }
        for type_, start, end, file in files
    ]
