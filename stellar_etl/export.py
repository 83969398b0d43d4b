"""One pass over a range of ledgers, or over the state at one: all is read and decoded once, for all types."""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, Protocol

from stellar_etl.errors import ExportError
from stellar_etl.ledger import Ledger, LedgerError
from stellar_etl.manifest import Written, manifest
from stellar_etl.output import ExportFile, Output, RowFile, unwritable
from stellar_etl.progress import PROGRESS_SECONDS, Progress
from stellar_etl.transforms import HISTORY, STATE, Transform

TYPES = HISTORY | STATE


class Source(Protocol):
    """Where ledgers come from: a lake, or what an archive has at one ledger.

    Attributes:
        passphrase: the network's.
    """

    passphrase: str

    def read(self, first: int, last: int, *, verify: bool = True) -> Iterator[Ledger]:
        """The ledgers of a range, oldest first; each at least once, and what is too large for one in several parts.

        Raises:
            NotReachedError: the network has not come to the last one.
            ExportError: they can't be read, or hashes don't match that were to be verified.
        """

    def progress(self, first: int, last: int, seconds: float) -> Progress:
        """What tells how far the reading of a range is, every so many seconds."""


class Statistics:
    """How many rows were tried, and how many could not be made."""

    def __init__(self) -> None:
        self.attempted = 0
        self.failed = 0

    def as_dict(self) -> dict[str, int]:
        """The counts by the names that the reference exporter prints."""
        return {
            "attempted_transforms": self.attempted,
            "failed_transforms": self.failed,
            "successful_transforms": self.attempted - self.failed,
        }


@dataclass(frozen=True)
class Batch:
    """The files of some of an export's ledgers.

    Attributes:
        start: the first ledger.
        end: the last ledger.
        names: the file or object to write for each type.
        parquet_names: the Parquet file or object to write for each type beside the other, none for no Parquet.
    """

    start: int
    end: int
    names: Mapping[str, str]
    parquet_names: Mapping[str, str] = field(default_factory=dict)


def export_rows(
    source: Source,
    batches: Sequence[Batch],
    manifest_name: str,
    *,
    bucket: str | None = None,
    extra_fields: Mapping[str, str] | None = None,
    strict: bool = False,
    limit: int | None = None,
    verify: bool = True,
    progress_seconds: float = PROGRESS_SECONDS,
) -> Statistics:
    """Writes a file of rows for each batch and type, then the manifest.

    Args:
        source: where the ledgers are.
        batches: what to write, at least one, each beginning with the ledger after the one before; all of the same
            types.
        manifest_name: the file or object of the manifest.
        bucket: the bucket to upload to, None for this machine.
        extra_fields: added to every row, as text.
        strict: whether a row that can't be made ends the export; it is counted otherwise.
        limit: how many rows to write to a file at most, None for all.
        verify: whether hashes are checked.
        progress_seconds: how long to work between two reports of progress.

    Raises:
        ExportError: nothing was exported.
    """
    statistics = Statistics()
    extra = dict(extra_fields or {})
    start, end = batches[0].start, batches[-1].end
    transforms = {type_: TYPES[type_]() for type_ in batches[0].names}
    written: list[Written] = []
    parquet_written: list[Written] = []
    first = last = None
    with no_collector(), Output(bucket) as output, source.progress(start, end, progress_seconds) as progress:
        ends = [batch.end for batch in batches]
        ledgers = source.read(start, end, verify=verify)
        for place, ledgers_of_batch in groupby(ledgers, lambda ledger: bisect_left(ends, ledger.sequence)):
            batch = batches[place]
            files = {type_: output.open(name, RowFile) for type_, name in batch.names.items()}
            parquet = _open_parquet(output, batch.parquet_names, extra) if batch.parquet_names else {}
            exports = [
                _TypeExport(
                    type_,
                    transforms[type_],
                    # A row that doesn't fit its columns shows in the Parquet file, and must then be in neither.
                    [*([parquet[type_]] if parquet else []), file],
                    extra,
                    statistics,
                    progress,
                    strict,
                    limit,
                )
                for type_, file in files.items()
            ]
            for ledger in ledgers_of_batch:
                first, last = first or ledger, ledger
                for export in exports:
                    export.add(ledger)
                progress.done(statistics.attempted - statistics.failed)
            output.close()
            written += [Written(type_, batch.start, batch.end, file) for type_, file in files.items()]
            parquet_written += [Written(type_, batch.start, batch.end, file) for type_, file in parquet.items()]
        assert first is not None and last is not None, "a range has at least one ledger"
        output.publish(
            manifest_name,
            manifest(source.passphrase, start, end, first, last, written, statistics.failed, parquet_written),
        )
    return statistics


@contextmanager
def no_collector() -> Iterator[None]:
    """Without Python's cycle collector, which would walk every ledger's values again and again.

    They are trees: each is gone with the last reference to it. What else there is of cycles is small.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _open_parquet(output: Output, names: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, ExportFile]:
    # Only an export to Parquet needs its library.
    from stellar_etl.columns import COLUMNS
    from stellar_etl.parquet import ParquetFile

    return {
        type_: output.open(name, partial(ParquetFile, columns=COLUMNS[type_], extra_fields=extra))
        for type_, name in names.items()
    }


class _TypeExport:
    """The way of one type's rows from ledgers into files."""

    def __init__(
        self,
        type_: str,
        transform: Transform,
        files: Sequence[ExportFile],
        extra: Mapping[str, str],
        statistics: Statistics,
        progress: Progress,
        strict: bool,
        limit: int | None,
    ) -> None:
        self._type = type_
        self._transform = transform
        self._files = files
        self._extra = dict(extra)
        self._statistics = statistics
        self._progress = progress
        self._strict = strict
        self._limit = limit

    def add(self, ledger: Ledger) -> None:
        """Writes a ledger's rows.

        Raises:
            ExportError: the ledger contradicts itself, or a row of it can't be made or written.
        """
        limit, counted, write = self._limit, self._files[-1], self._write
        try:
            for item in self._transform.items(ledger):
                if limit is None or counted.rows < limit:
                    write(ledger, item)
        except ExportError:
            raise
        except LedgerError as error:
            raise ExportError(str(error)) from None
        except Exception as error:
            # How many rows there would be is not known: they can't be counted as left out.
            raise ExportError(f"the {self._type} of ledger {ledger.sequence} can't be told: {error!r}") from error

    def _write(self, ledger: Ledger, item: Any) -> None:
        self._statistics.attempted += 1
        try:
            row = self._transform.row(ledger, item)
            if row is None:
                return
            if self._extra:
                row = row | self._extra
            for file in self._files:
                file.write(row)
        except LedgerError:
            raise
        except OSError as error:
            raise unwritable(file.name, error) from None
        except Exception as error:
            self._statistics.failed += 1
            problem = f"{self._type} of {_place(ledger, item)}: {error!r}"
            if self._strict:
                raise ExportError(f"a row can't be made: {problem}") from error
            self._progress.log("error", f"left out: {problem}")


def _place(ledger: Ledger, item: Any) -> str:
    """Where in the ledger an item is: as it says itself, or of a transaction and an operation if it belongs to them."""
    if hasattr(item, "place"):
        return f"ledger {ledger.sequence}, {item.place}"
    operation = getattr(item, "operation", item)
    transaction = getattr(operation, "transaction", operation)
    place = f"ledger {ledger.sequence}"
    if transaction is not ledger:
        place += f", transaction {transaction.hash.hex()}"
    if transaction is not operation and operation.index >= 0:
        place += f", operation {operation.index + 1}"
    return place
