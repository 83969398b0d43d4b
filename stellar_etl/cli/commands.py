"""The commands: from parsed options to results and exports."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stellar_etl import __version__
from stellar_etl.cli.options import (
    ENTRY_OPTIONS,
    PUBLIC_ARCHIVES,
    PUBLIC_LAKE,
    Action,
    build_parser,
    completion,
    one_line,
    parquet_name,
    plain_switches,
)
from stellar_etl.errors import EXIT_FAILED, ExportError, NotReachedError
from stellar_etl.plan import FileSet, RowOptions
from stellar_etl.progress import log_values
from stellar_etl.times import parse_time
from stellar_etl.transforms.registry import CHECKPOINT_TYPES, HISTORY, STATE

if TYPE_CHECKING:
    from stellar_etl.sources.archive import Archive
    from stellar_etl.sources.lake import Lake
    from stellar_etl.sources.read_ahead import Window
    from stellar_etl.sources.source import Source

FOLLOW_SECONDS = 5
"""Seconds for which an export that follows the network waits for new ledgers: about the time of one ledger."""

_BATCH_NAMES = {"token_transfers": "token_transfer"}
"""Types with another file name than the type, as in the Go program's batches."""

MOST_FILE_SETS = 100_000
"""The most file sets of one export: their names are in memory, and each has a file for every type."""


def _network(arguments: argparse.Namespace) -> str:
    return "testnet" if arguments.testnet else "futurenet" if arguments.futurenet else "pubnet"


def _lake(arguments: argparse.Namespace, window: Window | None = None) -> Lake:
    from stellar_etl.sources.lake import open_lake

    network = _network(arguments)
    path = arguments.datastore_path
    if path is None:
        if network != "pubnet":
            raise ExportError(
                f"--{network} needs --datastore-path: that network is reset from time to time, and its lake too "
                f"(of the test network: {PUBLIC_LAKE.removesuffix('pubnet')}testnet/<date of its last reset>)"
            )
        path = PUBLIC_LAKE
    return open_lake(path, network, arguments.network_passphrase, window)


def _archive(arguments: argparse.Namespace, types: Iterable[str]) -> Archive:
    from stellar_etl.sources.archive import open_archive
    from stellar_etl.sources.lake import PASSPHRASES

    network, path, passphrase = _network(arguments), arguments.history_archive_path, arguments.network_passphrase
    # A custom archive can hold any network, unless the options name one.
    if passphrase is None and (path is None or network != "pubnet"):
        passphrase = PASSPHRASES[network]
    entry_types = {STATE[type_].entry_type for type_ in types}
    return open_archive(path or PUBLIC_ARCHIVES[network], network, entry_types, passphrase)


def _ledger_range(arguments: argparse.Namespace) -> None:
    from stellar_etl.sources.ledger_range import ledger_range

    start, end = _time("--start-time", arguments.start_time), _time("--end-time", arguments.end_time)
    _write_answer(arguments, ledger_range(_lake(arguments), start, end))


def _time(option: str, text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError as error:
        raise ExportError(f"{option} {error}") from None


def _newest_ledger(arguments: argparse.Namespace) -> None:
    lake = _lake(arguments)
    ledger = lake.load(lake.newest)[-1]
    _write_answer(arguments, {"sequence": ledger.sequence, "closed_at": ledger.closed_at})


def _write_answer(arguments: argparse.Namespace, answer: Mapping[str, object]) -> None:
    from stellar_etl.sinks.output import write_whole

    text = json.dumps(answer, separators=(",", ":")) + "\n"
    if not arguments.output:
        sys.stdout.write(text)
        return
    write_whole(arguments.output, text)


def _export_one(arguments: argparse.Namespace) -> None:
    start, end = _span(arguments)
    if arguments.batch_size is None:
        _export_ledgers(arguments, [_files_of_one(arguments, start, end)], f"{arguments.output}.manifest.json")
        return
    type_ = arguments.type
    if arguments.output == f"exported_{type_}.txt":  # the default, which names a file
        arguments.output = f"exported_{type_}"
    _export_batches(arguments, {type_: _BATCH_NAMES.get(type_, type_)}, start, end)


def _export_one_state(arguments: argparse.Namespace) -> None:
    sequence = _checkpoint(arguments)
    _export_state(arguments, _files_of_one(arguments, sequence, sequence), f"{arguments.output}.manifest.json")


def _files_of_one(arguments: argparse.Namespace, start: int, end: int) -> FileSet:
    from stellar_etl.sinks.output import is_special

    type_, output = arguments.type, arguments.output
    folder = Path() if is_special(output) else Path(output).parent
    parquet = arguments.parquet_output or str(folder / parquet_name(type_))
    return FileSet(start, end, {type_: output}, {type_: parquet})


def _export_all(arguments: argparse.Namespace) -> None:
    start, end = _span(arguments)
    file_set, manifest_name = _files_of_several(arguments, HISTORY, start, end)
    _export_ledgers(arguments, [file_set], manifest_name)


def _export_all_state(arguments: argparse.Namespace) -> None:
    sequence = _checkpoint(arguments)
    _export_state(arguments, *_files_of_several(arguments, CHECKPOINT_TYPES, sequence, sequence))


def _files_of_several(
    arguments: argparse.Namespace, known: Collection[str], start: int, end: int
) -> tuple[FileSet, str]:
    """The files of the types that are asked for, and the manifest's name."""
    types = [type_ for type_ in arguments.types.split(",") if type_]
    for type_ in [*types, *arguments.file_names]:
        if type_ not in known:
            raise ExportError(f"--types: unknown type {type_!r}; known types are {', '.join(known)}")
    names = dict.fromkeys(arguments.file_names.values(), "--file-names")
    for name, option in (names | {arguments.manifest_name: "--manifest-name"}).items():
        if ".." in Path(name).parts:
            raise ExportError(f"{option}: {name!r} is outside the folder that --output names")
    stem, parquet_stem = _stems(arguments, start, end)
    file_set = FileSet(
        start,
        end,
        {type_: f"{stem}-{arguments.file_names.get(type_, f'{type_}.txt')}" for type_ in types},
        {type_: f"{parquet_stem}-{type_}.parquet" for type_ in types},
    )
    return file_set, f"{stem}-{arguments.manifest_name}"


def _export_changes(arguments: argparse.Namespace) -> None:
    options = vars(arguments)
    chosen = {type_ for option, types in ENTRY_OPTIONS.items() if options[option.replace("-", "_")] for type_ in types}
    types = [type_ for type_ in STATE if type_ in (chosen or STATE)]
    names = {type_: type_ for type_ in types}
    if arguments.end_ledger:
        _export_batches(arguments, names, *_span(arguments))
        return
    start = arguments.start_ledger
    while True:
        end = start + arguments.batch_size - 1
        _when_closed(partial(_export_batches, arguments, names, *_checked_span(start, end)))
        start = end + 1


def _when_closed(export: Callable[[], None]) -> None:
    """Run an export of ledgers as soon as the network has closed all of them."""
    while True:
        try:
            export()
        except NotReachedError:
            time.sleep(FOLLOW_SECONDS)
        else:
            return


def _export_batches(arguments: argparse.Namespace, names: Mapping[str, str], start: int, end: int) -> None:
    """Export ledgers into files of some ledgers each.

    Args:
        arguments: the options.
        names: for each type the name of its files.
        start: the first ledger.
        end: the last ledger.

    Raises:
        ExportError: too many files, or the export failed.
    """
    if (end - start) // arguments.batch_size >= MOST_FILE_SETS:
        raise ExportError(f"more than {MOST_FILE_SETS} batches at once: give a larger --batch-size, or fewer ledgers")
    file_sets = []
    for first in range(start, end + 1, arguments.batch_size):
        last = min(first + arguments.batch_size - 1, end)
        stem, parquet_stem = _stems(arguments, first, last)
        files = {type_: f"{stem}-{name}.txt" for type_, name in names.items()}
        parquet = {type_: f"{parquet_stem}-{name}.parquet" for type_, name in names.items()}
        file_sets.append(FileSet(first, last, files, parquet))
    _export_ledgers(arguments, file_sets, f"{_stems(arguments, start, end)[0]}-manifest.json")


def _span(arguments: argparse.Namespace) -> tuple[int, int]:
    return _checked_span(arguments.start_ledger, arguments.end_ledger)


def _checked_span(start: int, end: int) -> tuple[int, int]:
    if not 1 <= start <= end:
        raise ExportError(f"--start-ledger {start} must be at least 1 and at most --end-ledger {end}")
    return start, end


def _checkpoint(arguments: argparse.Namespace) -> int:
    from stellar_etl.sources.archive import checkpoint

    return checkpoint(arguments.end_ledger)


def _stems(arguments: argparse.Namespace, start: int, end: int) -> tuple[str, str]:
    """Return the prefix of the file names of some ledgers, and that of their Parquet files."""
    folders = arguments.output, arguments.parquet_output or arguments.output
    stem, parquet_stem = (f"{folder.rstrip('/')}/{start}-{end}" for folder in folders)
    return stem, parquet_stem


def _export_ledgers(arguments: argparse.Namespace, file_sets: Sequence[FileSet], manifest_name: str) -> None:
    from stellar_etl.sources.read_ahead import Window

    window = Window(arguments.num_workers, arguments.buffer_size)
    _export(arguments, lambda: _lake(arguments, window), file_sets, manifest_name)


def _export_state(arguments: argparse.Namespace, file_set: FileSet, manifest_name: str) -> None:
    _export(arguments, lambda: _archive(arguments, file_set.names), [file_set], manifest_name)


def _export(
    arguments: argparse.Namespace, open_source: Callable[[], Source], file_sets: Sequence[FileSet], manifest_name: str
) -> None:
    from stellar_etl.export import export_rows

    if not arguments.write_parquet:
        file_sets = [replace(file_set, parquet_names={}) for file_set in file_sets]
    written = [name for file_set in file_sets for name in (*file_set.names.values(), *file_set.parquet_names.values())]
    if not written or len({*written, manifest_name}) <= len(written):
        raise ExportError(
            "--types and --file-names must give at least one type, and each a file of its own, not the manifest's; "
            f"with --output and --parquet-output they give {', '.join([*written, manifest_name])}"
        )
    if arguments.cloud_provider and not arguments.cloud_storage_bucket:
        raise ExportError("--cloud-provider needs --cloud-storage-bucket")
    if arguments.cloud_credentials:
        os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = arguments.cloud_credentials
    statistics = export_rows(
        open_source(),
        file_sets,
        manifest_name,
        RowOptions(
            extra_fields=arguments.extra_fields,
            strict=arguments.strict_export,
            limit=arguments.limit if arguments.limit >= 0 else None,
            verify=not arguments.no_verify,
        ),
        # Like the Go program, upload only if a provider is named.
        bucket=arguments.cloud_storage_bucket if arguments.cloud_provider else None,
        progress_seconds=arguments.progress_seconds,
        processes=arguments.processes,
    )
    log_values(statistics.as_dict())


def _verify_certificate(arguments: argparse.Namespace) -> None:
    from stellar_etl.certificate import read_certificate, verify_certificate

    certificate = read_certificate(arguments.certificate)
    if problems := verify_certificate(certificate, _lake(arguments)):
        raise ExportError(f"{arguments.certificate} differs from the lake: {'; '.join(problems)}")
    rows = sum(table["rows"] for table in certificate["tables"].values())
    print(
        f"{arguments.certificate} agrees with the lake: ledgers {certificate['start_ledger']} to "
        f"{certificate['end_ledger']}, {rows} rows in {len(certificate['tables'])} tables"
    )


def _version(_: argparse.Namespace) -> None:
    from importlib.metadata import version

    print(f"stellar-etl {__version__}")
    print(f"stellar-sdk {version('stellar-sdk')} (XDR definitions)")


def _completion(arguments: argparse.Namespace) -> None:
    print(completion(build_parser(), arguments.shell))


_RUN: dict[Action, Callable[[argparse.Namespace], None]] = {
    Action.LEDGER_RANGE: _ledger_range,
    Action.NEWEST_LEDGER: _newest_ledger,
    Action.ONE_TYPE: _export_one,
    Action.HISTORY: _export_all,
    Action.CHANGES: _export_changes,
    Action.ONE_STATE_TYPE: _export_one_state,
    Action.STATE: _export_all_state,
    Action.VERIFY_CERTIFICATE: _verify_certificate,
    Action.COMPLETION: _completion,
    Action.VERSION: _version,
}


def _end(number: int, _frame: object) -> None:
    # An exception runs every clean-up.
    sys.exit(128 + number)


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command. Exit with status 1 after an error, or 75 if the network has not reached the ledgers yet."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    parser = build_parser()
    for argument in sys.argv[1:] if argv is None else argv:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            parser.error(f"{argument!r} is not UTF-8; rows and manifests contain only UTF-8")
    arguments = parser.parse_args(plain_switches(parser, sys.argv[1:] if argv is None else argv))
    try:
        _RUN[arguments.action](arguments)
    except ExportError as error:
        print(f"stellar-etl: {one_line(error)}", file=sys.stderr)
        sys.exit(error.exit_status)
    except OSError as error:
        print(f"stellar-etl: {one_line(error)}", file=sys.stderr)
        sys.exit(EXIT_FAILED)
