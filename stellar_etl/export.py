"""One pass over a range of ledgers, or over the state at one: all is read and decoded once, for all types."""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from stellar_etl.errors import ExportError
from stellar_etl.ledgers.ledger import Ledger, LedgerError, Link
from stellar_etl.progress import PROGRESS_SECONDS, Progress
from stellar_etl.sinks.manifest import Written, manifest
from stellar_etl.sinks.output import ExportFile, Output, Piece, RowFile, encode_rows, unwritable, writing
from stellar_etl.transforms import HISTORY, STATE, Row
from stellar_etl.workers import LEDGERS_EACH, MOST, Workers, processors

TYPES = HISTORY | STATE

ROWS = 64
"""How many rows are written at once at most: so many are in memory as Python has them."""


class Source(Protocol):
    """Where ledgers come from: a lake, or what an archive has at one ledger.

    Attributes:
        passphrase: the network's.
    """

    passphrase: str

    def read(self, first: int, last: int, *, verify: bool = True, step: int = 1) -> Iterator[Ledger]:
        """The ledgers of a range, oldest first; each at least once, and what is too large for one in several parts.

        With a `step` those of every so many objects alone.

        Raises:
            NotReachedError: the network has not come to the last one.
            ExportError: they can't be read, or hashes don't match that were to be verified.
        """

    def readers(self, first: int, last: int) -> int:
        """How many processes may read a range side by side, each with a `step` of that many."""

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


@dataclass(frozen=True)
class Rules:
    """How rows are made, whoever makes them.

    Attributes:
        types: of which types.
        extra_fields: added to every row, as text.
        strict: whether a row that can't be made ends the export; it is counted otherwise.
        limit: how many rows to write to a file at most, None for all.
        verify: whether hashes are checked.
    """

    types: Sequence[str]
    extra_fields: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    limit: int | None = None
    verify: bool = True


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
    processes: int | None = 1,
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
        processes: how many work side by side, None for as many as pay. One does where rows are counted, where they go
            into Parquet files too, and where ledgers share objects.

    Raises:
        ExportError: nothing was exported.
    """
    rules = Rules(list(batches[0].names), dict(extra_fields or {}), strict, limit, verify)
    start, end = batches[0].start, batches[-1].end
    written: list[Written] = []
    parquet_written: list[Written] = []
    first = last = None
    with no_collector(), Output(bucket) as output, source.progress(start, end, progress_seconds) as progress:
        count = 1
        if limit is None and not batches[0].parquet_names:
            count = _useful(processes, end - start + 1)
        if count > 1:
            count = min(count, source.readers(start, end))
        if count > 1:
            makers: _Alone | _Together = _Together(source, count, start, end, rules, progress)
        else:
            makers = _Alone(source, batches, rules, progress)
        with makers:
            for batch in batches:
                files = {type_: output.open(name, RowFile) for type_, name in batch.names.items()}
                parquet = _open_parquet(output, batch.parquet_names, rules.extra_fields) if batch.parquet_names else {}
                for link in makers.write(batch, files, parquet):
                    if verify and last is not None and link.sequence > last.sequence:
                        link.check_follows(last)
                    first, last = first or link, link
                    progress.done(makers.statistics.attempted - makers.statistics.failed)
                output.close()
                written += [Written(type_, batch.start, batch.end, file) for type_, file in files.items()]
                parquet_written += [Written(type_, batch.start, batch.end, file) for type_, file in parquet.items()]
        assert first is not None and last is not None, "a range has at least one ledger"
        failed = makers.statistics.failed
        output.publish(
            manifest_name, manifest(source.passphrase, start, end, first, last, written, failed, parquet_written)
        )
    return makers.statistics


def _useful(processes: int | None, ledgers: int) -> int:
    """How many processes to use."""
    if processes is None:
        return min(processors(), MOST, ledgers // LEDGERS_EACH)
    return min(processes, ledgers)


class _Alone:
    """This process makes all rows."""

    def __init__(self, source: Source, batches: Sequence[Batch], rules: Rules, progress: Progress) -> None:
        self.statistics = Statistics()
        self._rules = rules
        self._log = progress.log
        self._seen = _seen(rules.types)
        ends = [batch.end for batch in batches]
        ledgers = source.read(batches[0].start, ends[-1], verify=rules.verify)
        self._batches = groupby(ledgers, lambda ledger: bisect_left(ends, ledger.sequence))
        # A batch is begun before its files are: where there are no ledgers nothing is made, not even a folder.
        self._batch = next(self._batches)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, batch: Batch, files: Mapping[str, RowFile], parquet: Mapping[str, ExportFile]) -> Iterator[Link]:
        """Writes the rows of the next batch; gives each ledger's link once its rows are written."""
        assert batch.names.keys() == files.keys(), "each type has a file"
        _, ledgers = self._batch
        exports = [
            _TypeExport(
                type_,
                # A row that doesn't fit its columns shows in the Parquet file, and must then be in neither.
                [*([parquet[type_]] if parquet else []), file],
                self._rules,
                self.statistics,
                self._seen[type_],
                self._log,
            )
            for type_, file in files.items()
        ]
        for ledger in ledgers:
            for export in exports:
                export.add(ledger)
            yield ledger.link
        self._batch = next(self._batches, self._batch)


class _Held:
    """Rows of a ledger that wait for their turn: as lines, or where first ones alone count as they are."""

    name = ""

    def __init__(self, *, as_lines: bool) -> None:
        self.rows = 0
        self.lines: list[bytes] = []
        self.kept: list[Row] | None = None if as_lines else []

    def write(self, rows: Sequence[Row]) -> None:
        """Holds rows: all, or none if one of them has no form in JSON."""
        lines = encode_rows(rows)
        self.rows += len(rows)
        if self.kept is None:
            self.lines.append(lines)
        else:
            self.kept += rows


class _Done(NamedTuple):
    """What became of a ledger whose turn it was: pieces of files, rows of which first ones count, counts, messages."""

    link: Link
    pieces: dict[str, Piece]
    kept: dict[str, list[Row]]
    attempted: int
    failed: int
    messages: list[tuple[str, str]]


_Places = dict[str, tuple[str, Path, int]]
"""For each type the file's final name, where it is written, and its checksum so far."""


class _Together:
    """Several processes make rows; each ledger's are written in turn."""

    def __init__(self, source: Source, count: int, start: int, end: int, rules: Rules, progress: Progress) -> None:
        self.statistics = Statistics()
        self._start, self._count = start, count
        self._progress = progress
        self._seen = _seen(rules.types)

        def results(number: int) -> Iterator[Callable[[_Places], _Done]]:
            seen = _seen(rules.types)
            ledgers = source.read(start + number, end, verify=rules.verify, step=count)
            return (_made(ledger, rules, seen) for ledger in ledgers)

        self._workers = Workers(count, results)

    def __enter__(self) -> Self:
        self._workers.__enter__()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._workers.__exit__(*problem)

    def write(self, batch: Batch, files: Mapping[str, RowFile], parquet: Mapping[str, ExportFile]) -> Iterator[Link]:
        """Has the rows of a batch written; gives each ledger's link once its rows are."""
        assert not parquet, "one process writes Parquet files"
        for sequence in range(batch.start, batch.end + 1):
            places = {type_: (file.name, file.path, file.checksum) for type_, file in files.items()}
            done: _Done = self._workers.turn((sequence - self._start) % self._count, places)
            for type_, piece in done.pieces.items():
                files[type_].written_elsewhere(piece)
            for type_, rows in done.kept.items():
                files[type_].write(_first_ones(type_, rows, self._seen[type_]))
            self.statistics.attempted += done.attempted
            self.statistics.failed += done.failed
            for level, message in done.messages:
                self._progress.log(level, message)
            yield done.link


def _made(ledger: Ledger, rules: Rules, seen: Mapping[str, set[Hashable]]) -> Callable[[_Places], _Done]:
    """Makes a ledger's rows; gives what writes them when their turn has come."""
    statistics, messages = Statistics(), list[tuple[str, str]]()
    held = {type_: _Held(as_lines=TYPES[type_].once is None) for type_ in rules.types}
    for type_, file in held.items():
        log = partial(_note, messages)
        _TypeExport(type_, [file], rules, statistics, seen[type_], log).add(ledger)
    link = ledger.link

    def write(places: _Places) -> _Done:
        pieces, kept = {}, {}
        for type_, rows in held.items():
            if rows.kept is not None:
                kept[type_] = rows.kept
                continue
            name, path, checksum = places[type_]
            with writing(name):
                file = RowFile(name, path, checksum)
                file.write_lines(b"".join(rows.lines), rows.rows)
                file.close()
            pieces[type_] = Piece(file.rows, file.bytes, file.checksum)
        return _Done(link, pieces, kept, statistics.attempted, statistics.failed, messages)

    return write


def _note(messages: list[tuple[str, str]], level: str, message: str) -> None:
    messages.append((level, message))


def _seen(types: Iterable[str]) -> dict[str, set[Hashable]]:
    return {type_: set() for type_ in types}


def _first_ones(type_: str, rows: Iterable[Row], seen: set[Hashable]) -> list[Row]:
    """The rows of what was not seen before, which is now; of most types all rows."""
    once = TYPES[type_].once
    if once is None:
        return list(rows)
    found = []
    for row in rows:
        what = once(row)
        if what not in seen:
            seen.add(what)
            found.append(row)
    return found


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
    from stellar_etl.sinks.parquet import ParquetFile

    return {
        type_: output.open(name, partial(ParquetFile, columns=COLUMNS[type_], extra_fields=extra))
        for type_, name in names.items()
    }


class _TypeExport:
    """The way of one type's rows from ledgers into files."""

    def __init__(
        self,
        type_: str,
        files: Sequence[ExportFile | _Held],
        rules: Rules,
        statistics: Statistics,
        seen: set[Hashable],
        log: Callable[[str, str], None],
    ) -> None:
        self._type = type_
        transform = TYPES[type_]
        self._items, self._make, self._once = transform.items, transform.row, transform.once
        self._files = files
        self._extra = rules.extra_fields
        self._statistics = statistics
        self._seen = seen
        self._log = log
        self._strict = rules.strict
        self._limit = rules.limit
        # One after the other where rows are counted, or where two files must hold the same ones.
        self._size = ROWS if len(files) == 1 and rules.limit is None else 1

    def add(self, ledger: Ledger) -> None:
        """Writes a ledger's rows.

        Raises:
            ExportError: the ledger contradicts itself, or a row of it can't be made or written.
        """
        limit, counted, size, make = self._limit, self._files[-1], self._size, self._row
        items: list[Any] = []
        rows: list[Row] = []
        try:
            for item in self._items(ledger):
                if limit is not None and counted.rows >= limit:
                    continue
                row = make(ledger, item)
                if row is not None:
                    items.append(item)
                    rows.append(row)
                    if len(rows) >= size:
                        self._write(ledger, items, rows)
                        items, rows = [], []
            if rows:
                self._write(ledger, items, rows)
        except ExportError:
            raise
        except Exception as error:
            # How many rows there would be is not known: they can't be counted as left out.
            raise ExportError(f"the {self._type} of ledger {ledger.sequence} can't be told: {error!r}") from error

    def _row(self, ledger: Ledger, item: Any) -> Row | None:
        self._statistics.attempted += 1
        try:
            row = self._make(ledger, item)
        except LedgerError:
            raise
        except Exception as error:
            self._leave_out(ledger, item, error)
            return None
        if row is None or (self._once is not None and not _first_ones(self._type, [row], self._seen)):
            return None
        if self._extra:
            row.update(self._extra)
        return row

    def _write(self, ledger: Ledger, items: list[Any], rows: list[Row]) -> None:
        try:
            for file in self._files:
                file.write(rows)
        except OSError as error:
            raise unwritable(file.name, error) from None
        except Exception as error:
            if len(rows) == 1:
                self._leave_out(ledger, items[0], error)
                return
            for item, row in zip(items, rows, strict=True):
                self._write(ledger, [item], [row])

    def _leave_out(self, ledger: Ledger, item: Any, error: Exception) -> None:
        self._statistics.failed += 1
        problem = f"{self._type} of {_place(ledger, item)}: {error!r}"
        if self._strict:
            raise ExportError(f"a row can't be made: {problem}") from error
        self._log("error", f"left out: {problem}")


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
