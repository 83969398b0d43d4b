"""The writers of an export: one process, or several that write the rows of each ledger in turn."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from stellar_etl.ledgers.ledger import Ledger, Link
from stellar_etl.plan import FileSet, RowOptions
from stellar_etl.progress import Progress
from stellar_etl.rows import Statistics, TypeExport, unseen
from stellar_etl.sinks.output import ExportFile, Piece, RowFile, encode_rows, writing
from stellar_etl.sources.source import Source
from stellar_etl.transforms.registry import TYPES, Row
from stellar_etl.workers import Workers


class Writer(Protocol):
    """A writer of the rows of an export, file set by file set.

    A context manager: at the end, also after an error, all its processes have ended.

    Attributes:
        statistics: the attempted and failed rows so far.
    """

    statistics: Statistics

    def __enter__(self) -> Self: ...

    def __exit__(self, *problem: Any) -> None: ...

    def write(
        self, file_set: FileSet, files: Mapping[str, RowFile], parquet: Mapping[str, ExportFile]
    ) -> Iterator[Link]:
        """Write the rows of the next file set; yield each ledger's link once its rows are written."""


class SequentialWriter:
    """The writer with one process."""

    def __init__(self, source: Source, file_sets: Sequence[FileSet], options: RowOptions, progress: Progress) -> None:
        self.statistics = Statistics()
        self._options = options
        self._log = progress.log
        self._seen = _seen(file_sets[0].names)
        self._ledgers = source.read(file_sets[0].start, file_sets[-1].end, verify=options.verify)
        # Read the first ledger before opening files: without ledgers nothing is created, not even a folder.
        self._next: Ledger | None = next(self._ledgers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(
        self, file_set: FileSet, files: Mapping[str, RowFile], parquet: Mapping[str, ExportFile]
    ) -> Iterator[Link]:
        """Write the rows of the next file set; yield each ledger's link once its rows are written."""
        assert file_set.names.keys() == files.keys(), "each type has a file"
        exports = [
            TypeExport(
                type_,
                # Only the Parquet file detects a row that doesn't fit its columns; the row must then be in neither
                # file.
                [*([parquet[type_]] if parquet else []), file],
                self._options,
                self.statistics,
                self._seen[type_],
                self._log,
            )
            for type_, file in files.items()
        ]
        while self._next is not None and self._next.sequence <= file_set.end:
            for export in exports:
                export.add(self._next)
            link, self._next = self._next.link, None  # free a ledger before the next one is decoded
            yield link
            self._next = next(self._ledgers, None)


class BufferedRows:
    """The rows of one type and ledger until the ledger's turn.

    Attributes:
        rows: the number of rows.
        lines: the rows as lines of JSON.
        unique: the rows themselves instead of `lines`, for a type with rows that are written once: only the first
            process knows whether an earlier ledger has a row. None for other types.
    """

    name = ""

    def __init__(self, *, unique: bool) -> None:
        self.rows = 0
        self.lines: list[bytes] = []
        self.unique: list[Row] | None = [] if unique else None

    def write(self, rows: Sequence[Row]) -> None:
        """Buffer rows: all, or none if JSON cannot represent one of them."""
        lines = encode_rows(rows)
        self.rows += len(rows)
        if self.unique is None:
            self.lines.append(lines)
        else:
            self.unique += rows


class FilePosition(NamedTuple):
    """The position of the next rows of a file.

    Attributes:
        name: the file's final name.
        path: its temporary path.
        checksum: the CRC32C of its content.
    """

    name: str
    path: Path
    checksum: int


FilePositions = dict[str, FilePosition]
"""The position of each type's file."""


class LedgerResult(NamedTuple):
    """A process's report of a ledger at its turn.

    Attributes:
        link: the ledger's.
        pieces: the rows added to the file of each type.
        unique: the rows of each type with rows that are written once.
        attempted: the number of attempted rows.
        left_out: by type and ledger, the number of rows that could not be made.
        messages: level and text of each log message.
    """

    link: Link
    pieces: dict[str, Piece]
    unique: dict[str, list[Row]]
    attempted: int
    left_out: dict[tuple[str, int], int]
    messages: list[tuple[str, str]]


class ParallelWriter:
    """Several processes, each with every n-th ledger; the rows of each ledger are written in turn."""

    def __init__(
        self, source: Source, file_sets: Sequence[FileSet], options: RowOptions, progress: Progress, processes: int
    ) -> None:
        start, end, types = file_sets[0].start, file_sets[-1].end, list(file_sets[0].names)
        self.statistics = Statistics()
        self._start, self._processes = start, processes
        self._log = progress.log
        self._seen = _seen(types)

        def results(number: int) -> Iterator[Callable[[FilePositions], LedgerResult]]:
            seen = _seen(types)
            ledgers = source.read(start + number, end, verify=options.verify, step=processes)
            # Unlike a loop's variable, `map` keeps no ledger while the next one is decoded.
            return map(partial(_ledger_writer, options=options, seen=seen), ledgers)

        self._workers = Workers(processes, results)

    def __enter__(self) -> Self:
        self._workers.__enter__()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._workers.__exit__(*problem)

    def write(
        self, file_set: FileSet, files: Mapping[str, RowFile], parquet: Mapping[str, ExportFile]
    ) -> Iterator[Link]:
        """Have the rows of the next file set written; yield each ledger's link once its rows are written."""
        assert not parquet, "one process writes Parquet files"
        for sequence in range(file_set.start, file_set.end + 1):
            positions = {type_: FilePosition(file.name, file.path, file.checksum) for type_, file in files.items()}
            result: LedgerResult = self._workers.turn((sequence - self._start) % self._processes, positions)
            for type_, piece in result.pieces.items():
                files[type_].written_elsewhere(piece)
            for type_, rows in result.unique.items():
                files[type_].write(unseen(type_, rows, self._seen[type_]))
            self.statistics.attempted += result.attempted
            self.statistics.left_out.update(result.left_out)
            for level, message in result.messages:
                self._log(level, message)
            yield result.link


def _ledger_writer(
    ledger: Ledger, options: RowOptions, seen: Mapping[str, set[Hashable]]
) -> Callable[[FilePositions], LedgerResult]:
    """Make a ledger's rows; return the function that writes them when their turn has come."""
    statistics, messages = Statistics(), list[tuple[str, str]]()
    buffers = {type_: BufferedRows(unique=TYPES[type_].identity is not None) for type_ in seen}
    for type_, buffer in buffers.items():
        log = partial(_note, messages)
        TypeExport(type_, [buffer], options, statistics, seen[type_], log).add(ledger)
    link = ledger.link

    def write(positions: FilePositions) -> LedgerResult:
        pieces, unique = {}, {}
        for type_, buffer in buffers.items():
            if buffer.unique is not None:
                unique[type_] = buffer.unique
                continue
            name, path, checksum = positions[type_]
            with writing(name):
                file = RowFile(name, path, checksum)
                file.write_lines(b"".join(buffer.lines), buffer.rows)
                file.close()
            pieces[type_] = Piece(file.rows, file.bytes, file.checksum)
        return LedgerResult(link, pieces, unique, statistics.attempted, dict(statistics.left_out), messages)

    return write


def _note(messages: list[tuple[str, str]], level: str, message: str) -> None:
    messages.append((level, message))


def _seen(types: Iterable[str]) -> dict[str, set[Hashable]]:
    return {type_: set() for type_ in types}
