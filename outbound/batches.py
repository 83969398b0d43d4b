"""Batches in Parquet files: listed by their small columns, read one row group at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow.parquet as parquet

from outbound.objects import Objects

KEYS = ("batch", "key", "row_count", "byte_count", "sha256")
"""The columns that list a batch; `body` is read when it is sent."""


@dataclass(frozen=True)
class Reference:
    """The location of one batch, and its properties without its body.

    Attributes:
        name: the object that holds it.
        row_group: the row group within the object.
        row: the row within the row group.
        batch: the batch's number within its snapshot.
        key: its idempotency key.
        row_count: the number of rows in its body.
        byte_count: the size of its body.
        sha256: the digest of its body, in hexadecimal digits.
    """

    name: str
    row_group: int
    row: int
    batch: int
    key: str
    row_count: int
    byte_count: int
    sha256: str


def references(name: str, file: BinaryIO) -> Iterator[Reference]:
    """Yield the batches of one Parquet file, without reading their bodies."""
    content = parquet.ParquetFile(file)
    for row_group in range(content.num_row_groups):
        for row, values in enumerate(content.read_row_group(row_group, columns=list(KEYS)).to_pylist()):
            yield Reference(name, row_group, row, **values)


class Bodies:
    """Reads the bodies of batches; keeps one file open and one row group in memory."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._open: tuple[str, parquet.ParquetFile] | None = None
        self._group: tuple[tuple[str, int], list[bytes]] | None = None

    def read(self, reference: Reference) -> bytes:
        """Return the body of a batch."""
        place = (reference.name, reference.row_group)
        if self._group is None or self._group[0] != place:
            self._group = None  # two row groups at the same time would need twice the memory
            column = self._file(reference.name).read_row_group(reference.row_group, columns=["body"])["body"]
            self._group = (place, [value.as_py().encode() for value in column])
        return self._group[1][reference.row]

    def _file(self, name: str) -> parquet.ParquetFile:
        if self._open is None or self._open[0] != name:
            self._open = (name, parquet.ParquetFile(self._objects.open(name)))
        return self._open[1]
