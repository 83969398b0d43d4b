"""Where a lake's ledgers lie: the arithmetic of object names in SEP-54, which Galexie writes. Nothing here reads.

`{HEX}--{first}-{last}/{HEX}--{first}[-{last}].xdr.zst`, where HEX is 0xFFFFFFFF less the first ledger: names sort
newest first. The folder (a partition) is left out where it would hold one object, `-{last}` where an object holds one
ledger.
Sources: https://github.com/stellar/stellar-protocol/blob/master/ecosystem/sep-0054.md and `DataStoreSchema` in
https://github.com/stellar/go/blob/master/support/datastore/schema.go, whose older versions ended names in `.zstd`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

HIGHEST = 0xFFFFFFFF
"""The highest sequence number that a ledger can have."""

BEYOND = "G"
"""Sorts after all objects of a lake: hexadecimal digits end with F."""

ENDINGS = (".xdr.zst", ".xdr.zstd")

EXAMPLE = "FFFFFFFF--0-63999/FFFFFFFC--3.xdr.zst"

_NAME = re.compile(
    r"(?:(?P<folder>[0-9A-F]{8})--\d+(?:-\d+)?/)?(?P<hex>[0-9A-F]{8})--(?P<first>\d+)(?:-(?P<last>\d+))?\.xdr\.zstd?"
)


@dataclass(frozen=True, order=True, slots=True)
class Span:
    """Ledgers, both ends included, and the name of the object that holds them."""

    first: int
    last: int
    name: str

    @property
    def folder(self) -> str:
        """The partition with a slash at its end; empty if the object lies in none."""
        return self.name[: self.name.rfind("/") + 1]


def inverted(sequence: int) -> str:
    """What the names of a partition or object that begins with this ledger begin with."""
    return f"{HIGHEST - sequence:08X}"


def parse(name: str) -> Span | None:
    """The object of a name, None if it is no ledgers' name: a file being written, a folder's own mark, any other."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    first = int(match["first"])
    last = int(match["last"] or first)
    return Span(first, last, name) if first <= last <= HIGHEST and match["hex"] == f"{HIGHEST - first:08X}" else None


def spans_of(names: Iterable[str]) -> Iterator[Span]:
    """The objects among names in order; names after a lake's objects are not asked for."""
    return filter(None, map(parse, takewhile(lambda name: name < BEYOND, names)))


def compact(sequences: Iterable[tuple[int, int]]) -> str:
    """Ranges as people write them: `3-5, 9`."""
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in sequences)


@dataclass(frozen=True)
class LakeLayout:
    """How many ledgers an object holds and how many objects a partition, as a lake's `.config.json` says.

    Attributes:
        ending: what names of objects end in.
    """

    ledgers_per_batch: int
    batches_per_partition: int
    ending: str = ENDINGS[0]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> LakeLayout | None:
        """The layout that a configuration tells, None if it tells none.

        Raises:
            ValueError: it makes no sense.
        """
        sizes = config.get("ledgersPerBatch"), config.get("batchesPerPartition")
        if None in sizes:
            return None
        if not all(isinstance(size, int) and 1 <= size <= HIGHEST for size in sizes):
            raise ValueError("ledgersPerBatch and batchesPerPartition must be numbers, at least 1")
        return cls(*sizes)  # type: ignore[arg-type]

    def span(self, sequence: int) -> Span:
        """The object that a ledger belongs to, whether it is there or not."""
        first, last = _part(sequence, self.ledgers_per_batch)
        name = f"{inverted(first)}--{first}" + (f"-{last}" if last > first else "") + self.ending
        if self.batches_per_partition > 1:
            begin, end = _part(sequence, self.ledgers_per_batch * self.batches_per_partition)
            name = f"{inverted(begin)}--{begin}-{end}/{name}"
        return Span(first, last, name)

    def spans(self, first: int, last: int) -> Iterator[Span]:
        """The objects that these ledgers belong to, oldest first."""
        while first <= last:
            span = self.span(first)
            yield span
            first = span.last + 1

    def as_in(self, known: Span) -> LakeLayout | None:
        """This layout with the ending of a known object's name, None if it does not give that name."""
        layouts = (replace(self, ending=ending) for ending in ENDINGS)
        return next((layout for layout in layouts if layout.span(known.first) == known), None)


def _part(sequence: int, size: int) -> tuple[int, int]:
    first = sequence // size * size
    return first, min(first + size - 1, HIGHEST)
