"""Recorded or created ledgers as a lake, and the rows that the exporter writes for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import zstandard

from stellar_etl.export import export_rows
from stellar_etl.plan import FileSet, RowOptions
from stellar_etl.rows import Statistics
from stellar_etl.sources.lake import open_lake
from stellar_etl.transforms.registry import HISTORY
from stellar_etl.xdr import decode_ledger
from tests.stellar_etl.program import Row, rows


def records(data: bytes) -> Iterator[bytes]:
    """Return the objects of a stream with record marks."""
    position = 0
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big") & 0x7FFFFFFF
        yield data[position + 4 : position + 4 + size]
        position += 4 + size


def write_lake(folder: Path, ledgers: Sequence[bytes], passphrase: str) -> tuple[int, int]:
    """Write consecutive ledgers as a lake with one object; return the sequences of the first and the last one."""
    sequences = [decode_ledger(data)[1]["ledgerHeader"]["header"]["ledgerSeq"] for data in ledgers]
    first, last = sequences[0], sequences[-1]
    assert sequences == list(range(first, last + 1))
    batch = b"".join((*(number.to_bytes(4, "big") for number in (first, last, len(ledgers))), *ledgers))
    start = first // 64000 * 64000
    partition = folder / f"{0xFFFFFFFF - start:08X}--{start}-{start + 63999}"
    partition.mkdir(parents=True)
    (partition / f"{0xFFFFFFFF - first:08X}--{first}-{last}.xdr.zst").write_bytes(zstandard.compress(batch))
    (folder / ".config.json").write_text(json.dumps({"networkPassphrase": passphrase}))
    return first, last


class Export(NamedTuple):
    """The output of one export: rows by type, and its counts."""

    rows: dict[str, list[Row]]
    statistics: Statistics


def export(
    folder: Path, ledgers: Sequence[bytes], passphrase: str, *types: str, strict: bool = True, verify: bool = True
) -> Export:
    """Export ledgers in this process, by default all types of history; a row that cannot be created is an error."""
    first, last = write_lake(folder / "lake", ledgers, passphrase)
    names = {type_: str(folder / f"{type_}.txt") for type_ in types or HISTORY}
    file_sets, manifest = [FileSet(first, last, names)], str(folder / "manifest.json")
    lake = open_lake(str(folder / "lake"), "pubnet")
    statistics = export_rows(lake, file_sets, manifest, RowOptions(strict=strict, verify=verify))
    return Export({type_: rows(Path(name)) for type_, name in names.items()}, statistics)
