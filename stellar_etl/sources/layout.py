"""Object names of a lake (SEP-54), as Galexie writes them. Pure.

`{HEX}--{first}-{last}/{HEX}--{first}[-{last}].xdr.zst`, where HEX is 0xFFFFFFFF minus the first ledger: names sort
newest first. The folder (a partition) is left out if it would hold one object, `-{last}` if an object holds one
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
    """Return the prefix of the name of a partition or object that begins with this ledger."""
    return f"{HIGHEST - sequence:08X}"


def parse(name: str) -> Span | None:
    """Return the object of a name, None for any other name: an unfinished file, a folder's marker."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    first = int(match["first"])
    last = int(match["last"] or first)
    return Span(first, last, name) if first <= last <= HIGHEST and match["hex"] == f"{HIGHEST - first:08X}" else None


def spans_of(names: Iterable[str]) -> Iterator[Span]:
    """The objects among names in order; names after a lake's objects are not requested."""
    return filter(None, map(parse, takewhile(lambda name: name < BEYOND, names)))


def compact(sequences: Iterable[tuple[int, int]]) -> str:
    """Return ranges in short form: `3-5, 9`."""
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in sequences)


@dataclass(frozen=True)
class LakeLayout:
    """The numbers of ledgers per object and objects per partition, from a lake's `.config.json`.

    Attributes:
        ending: the suffix of objects' names.
    """

    ledgers_per_batch: int
    batches_per_partition: int
    ending: str = ENDINGS[0]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> LakeLayout | None:
        """Return the layout that a configuration contains, None if it contains none.

        Raises:
            ValueError: it is invalid.
        """
        sizes = config.get("ledgersPerBatch"), config.get("batchesPerPartition")
        if None in sizes:
            return None
        if not all(isinstance(size, int) and 1 <= size <= HIGHEST for size in sizes):
            raise ValueError("ledgersPerBatch and batchesPerPartition must be numbers, at least 1")
        return cls(*sizes)  # type: ignore[arg-type]

    def span(self, sequence: int) -> Span:
        """Return the object of a ledger, whether it exists or not."""
        first, last = _part(sequence, self.ledgers_per_batch)
        name = f"{inverted(first)}--{first}" + (f"-{last}" if last > first else "") + self.ending
        if self.batches_per_partition > 1:
            begin, end = _part(sequence, self.ledgers_per_batch * self.batches_per_partition)
            name = f"{inverted(begin)}--{begin}-{end}/{name}"
        return Span(first, last, name)

    def spans(self, first: int, last: int) -> Iterator[Span]:
        """Return the objects of these ledgers, oldest first."""
        while first <= last:
            span = self.span(first)
            yield span
            first = span.last + 1

    def as_in(self, known: Span) -> LakeLayout | None:
        """This layout with the suffix of a known object's name, None if it would name the object otherwise."""
        layouts = (replace(self, ending=ending) for ending in ENDINGS)
        return next((layout for layout in layouts if layout.span(known.first) == known), None)


def _part(sequence: int, size: int) -> tuple[int, int]:
    first = sequence // size * size
    return first, min(first + size - 1, HIGHEST)
