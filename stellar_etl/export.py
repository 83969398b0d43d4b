"""One pass over a range of ledgers, or over the state at one ledger: each is read and decoded once, for all types."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from stellar_etl.plan import FileSet, RowOptions
from stellar_etl.progress import PROGRESS_SECONDS, Progress
from stellar_etl.rows import Statistics
from stellar_etl.sinks.manifest import Written, manifest
from stellar_etl.sinks.output import ExportFile, Output, RowFile
from stellar_etl.sources.source import Source
from stellar_etl.transforms.registry import TYPES
from stellar_etl.workers import LEDGERS_EACH, MOST, processors
from stellar_etl.writers import ParallelWriter, SequentialWriter, Writer


def export_rows(
    source: Source,
    file_sets: Sequence[FileSet],
    manifest_name: str,
    options: RowOptions | None = None,
    *,
    bucket: str | None = None,
    progress_seconds: float = PROGRESS_SECONDS,
    processes: int | None = 1,
) -> Statistics:
    """Write a file of rows for each file set and type, then the manifest.

    Args:
        source: the source of the ledgers.
        file_sets: what to write, at least one, each beginning with the ledger after the one before; all of the same
            types.
        manifest_name: the file or object of the manifest.
        options: the options of rows.
        bucket: the bucket to upload to, None for this machine.
        progress_seconds: seconds between two reports of progress.
        processes: the number of parallel processes, None chooses automatically. It is 1 with a limit of rows, Parquet
            files, or several ledgers per object.

    Raises:
        ExportError: nothing was exported.
    """
    options = options or RowOptions()
    start, end = file_sets[0].start, file_sets[-1].end
    written: list[Written] = []
    parquet_written: list[Written] = []
    first = last = None
    with (
        without_cycle_collector(),
        Output(bucket) as output,
        source.progress(start, end, progress_seconds) as progress,
    ):
        with _writer(source, file_sets, options, progress, processes) as writer:
            for file_set in file_sets:
                files = {type_: output.open(name, RowFile) for type_, name in file_set.names.items()}
                parquet = _open_parquet(output, file_set.parquet_names, options.extra_fields)
                for link in writer.write(file_set, files, parquet):
                    if options.verify and last is not None and link.sequence > last.sequence:
                        link.check_follows(last)
                    first, last = first or link, link
                    progress.done(writer.statistics.attempted - writer.statistics.failed)
                output.close()
                written += _written(file_set, files)
                parquet_written += _written(file_set, parquet)
        assert first is not None and last is not None, "a range has at least one ledger"
        left_out = writer.statistics.left_out
        output.publish(
            manifest_name, manifest(source.passphrase, start, end, first, last, written, left_out, parquet_written)
        )
    return writer.statistics


def _writer(
    source: Source, file_sets: Sequence[FileSet], options: RowOptions, progress: Progress, processes: int | None
) -> Writer:
    start, end = file_sets[0].start, file_sets[-1].end
    count = 1
    if options.limit is None and not file_sets[0].parquet_names:
        count = _process_count(processes, end - start + 1)
    if count > 1:
        count = min(count, source.readers(start, end))
    if count > 1:
        return ParallelWriter(source, file_sets, options, progress, count)
    return SequentialWriter(source, file_sets, options, progress)


def _written(file_set: FileSet, files: Mapping[str, ExportFile]) -> list[Written]:
    return [Written(type_, file_set.start, file_set.end, file) for type_, file in files.items()]


def _process_count(processes: int | None, ledgers: int) -> int:
    """Return the number of processes to use for a number of ledgers."""
    if processes is None:
        return min(processors(), MOST, ledgers // LEDGERS_EACH)
    return min(processes, ledgers)


@contextmanager
def without_cycle_collector() -> Iterator[None]:
    """Turn off Python's cycle collector, which would repeatedly traverse every ledger's values.

    The values are trees: each is freed with the last reference to it. There are few other cycles.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _open_parquet(output: Output, names: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, ExportFile]:
    if not names:
        return {}
    # Import the library only for an export to Parquet.
    from stellar_etl.sinks.parquet import ParquetFile

    return {
        type_: output.open(name, partial(ParquetFile, columns=TYPES[type_].columns, extra_fields=extra))
        for type_, name in names.items()
    }
