"""The command line, compatible with the Go program `stellar-etl` as far as it goes."""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from stellar_etl import __version__
from stellar_etl.errors import EXIT_FAILED, ExportError
from stellar_etl.progress import PROGRESS_SECONDS, log_values

if TYPE_CHECKING:
    from stellar_etl.export import Batch, Source

PUBLIC_LAKE = "https://aws-public-blockchain.s3.us-east-2.amazonaws.com/v1.1/stellar/ledgers/pubnet"
"""The public network's ledgers, for everyone to read (https://registry.opendata.aws/aws-public-blockchain/)."""

LAKE_VARIABLE = "STELLAR_ETL_DATASTORE_PATH"
"""The environment variable that stands for --datastore-path, for callers that share a command line with the Go program,
whose `get_ledger_range_from_times` has no such option."""

PUBLIC_ARCHIVES = {
    "pubnet": "https://history.stellar.org/prd/core-live/core_live_001",
    "testnet": "https://history.stellar.org/prd/core-testnet/core_testnet_001",
    "futurenet": "https://history-futurenet.stellar.org",
}
"""A history archive of each network, for everyone to read."""

ARCHIVE_VARIABLE = "STELLAR_ETL_HISTORY_ARCHIVE_PATH"
"""The environment variable that stands for --history-archive-path."""

ODD_COMMANDS = {"token_transfers": "export_token_transfer", "liquidity_pools": "export_pools"}
"""The other types' commands are named `export_{type}`."""

ENTRY_OPTIONS = {
    "export-accounts": ("accounts", "signers"),
    "export-trustlines": ("trustlines",),
    "export-offers": ("offers",),
    "export-pools": ("liquidity_pools",),
    "export-balances": ("claimable_balances",),
    "export-contract-code": ("contract_code",),
    "export-contract-data": ("contract_data",),
    "export-config-settings": ("config_settings",),
    "export-ttl": ("ttl",),
    "export-restored-keys": ("restored_key",),
}
"""For each option of `export_ledger_entry_changes` the types of which it writes files."""

ENTRY_LETTERS = {
    "export-accounts": "a",
    "export-trustlines": "t",
    "export-offers": "f",
    "export-pools": "p",
    "export-balances": "l",
}
"""The options that have a short form too."""


def _one_line(message: object) -> str:
    return " ".join(str(message).splitlines())  # options may hold line breaks, and messages name them


MOST_BATCHES = 100_000
"""How many batches one export may have: their names are in memory, and each has a file for every type."""


class Parser(argparse.ArgumentParser):
    """Ends with status 1 and one line for a wrong command line, as the Go program does."""

    def error(self, message: str) -> NoReturn:
        """Prints what is wrong."""
        print(f"{self.prog}: {_one_line(message)} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(EXIT_FAILED)


def pairs(option: str) -> Callable[[str], dict[str, str]]:
    """A parser of `k=v,k=v`, one CSV record (https://pkg.go.dev/github.com/spf13/pflag#StringToString)."""

    def parse(text: str) -> dict[str, str]:
        found: dict[str, str] = {}
        try:
            records = list(csv.reader([text], strict=True))
        except csv.Error as error:
            raise argparse.ArgumentTypeError(f"{option}: {text!r} is not one CSV record: {error}") from None
        for record in records:
            for pair in record:
                key, equals, value = pair.partition("=")
                if not equals or not key:
                    raise argparse.ArgumentTypeError(f"{option}: {pair!r} must look like key=value")
                found[key] = value
        return found

    return parse


def at_least_one(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def parquet_name(type_: str) -> str:
    """A type's Parquet file, as the Go program names it."""
    return f"exported_{type_}.parquet"


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < math.inf:
        raise ValueError
    return seconds


def _limit_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-l", "--limit", type=int, default=-1, metavar="N", help="at most N rows of a type (default: all)"
    )


def _network_options(parser: argparse.ArgumentParser) -> Any:
    group = parser.add_argument_group("network")
    group.add_argument("--testnet", action="store_true", help="read the test network (wins over --futurenet)")
    group.add_argument("--futurenet", action="store_true", help="read the future network")
    group.add_argument(
        "--network-passphrase",
        metavar="TEXT",
        help="refuse a lake or an archive of another network; names that of one which tells none",
    )
    return group


def _lake_options(parser: argparse.ArgumentParser) -> None:
    _network_options(parser).add_argument(
        "--datastore-path",
        default=os.environ.get(LAKE_VARIABLE),
        metavar="PATH",
        help="the lake of ledgers, or what holds a lake for each network: a folder, gs://bucket/prefix or "
        f"https://host/prefix (default: ${LAKE_VARIABLE}, else the public network's, {PUBLIC_LAKE})",
    )


def _archive_options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(processes=1)
    parser.add_argument(
        "-e", "--end-ledger", type=int, required=True, metavar="N", help="the newest checkpoint at or before it is read"
    )
    _network_options(parser).add_argument(
        "--history-archive-path",
        default=os.environ.get(ARCHIVE_VARIABLE),
        metavar="PATH",
        help="the history archive: a folder, gs://bucket/prefix or https://host/prefix "
        f"(default: ${ARCHIVE_VARIABLE}, else one of the network's, such as {PUBLIC_ARCHIVES['pubnet']})",
    )


def _entry_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("types of entries (default: all)")
    for option, types in ENTRY_OPTIONS.items():
        flags = (f"-{ENTRY_LETTERS[option]}",) if option in ENTRY_LETTERS else ()
        group.add_argument(*flags, f"--{option}", action="store_true", help=f"export {' and '.join(types)}")
    ignored = parser.add_argument_group("stellar-core, accepted for the Go program's sake, without effect")
    ignored.add_argument(
        "-x", "--core-executable", default="", metavar="FILE", help="ledgers always come from the lake"
    )
    ignored.add_argument("-c", "--core-config", default="", metavar="FILE", help="ledgers always come from the lake")


def _single_options(parser: argparse.ArgumentParser, type_: str) -> None:
    parser.set_defaults(type=type_)
    parser.add_argument(
        "-o", "--output", default=f"exported_{type_}.txt", metavar="FILE", help="the file or object to write"
    )
    _limit_option(parser)
    _export_options(parser, "FILE", f"the file or object for it (default: {parquet_name(type_)} beside --output)")


def _several_options(parser: argparse.ArgumentParser, types: Iterable[str], output: str, start: str) -> None:
    parser.add_argument("-o", "--output", default=output, metavar="DIR", help="the folder to write to")
    every = ",".join(types)
    parser.add_argument("--types", default=every, metavar="T,…", help=f"which types (default: {every})")
    parser.add_argument(
        "--file-names",
        type=pairs("--file-names"),
        default={},
        metavar="T=NAME,…",
        help=f"the file of each type, written as {start}-{{NAME}} (default: {{type}}.txt)",
    )
    _limit_option(parser)
    _export_options(parser, "DIR", "the folder for it (default: that of --output)")


def _range_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-s", "--start-ledger", type=int, default=2, metavar="N", help="first ledger (default 2)")
    parser.add_argument("-e", "--end-ledger", type=int, required=True, metavar="N", help="last ledger, included")
    _lake_options(parser)
    parser.add_argument(
        "--processes",
        type=at_least_one,
        metavar="N",
        help="how many work side by side (default: as many as processors are allowed, 4 at most)",
    )
    ahead = parser.add_argument_group("reading ahead, from a lake that is not a folder")
    ahead.add_argument(
        "--num-workers", type=at_least_one, default=10, metavar="N", help="objects on their way at once (default 10)"
    )
    ahead.add_argument(
        "--buffer-size",
        type=at_least_one,
        default=200,
        metavar="N",
        help="objects on their way or waiting, within 32 MB (default 200)",
    )
    ignored = parser.add_argument_group("accepted for the Go program's sake, without effect")
    ignored.add_argument("--captive-core", action="store_true", help="ledgers always come from the lake")
    for name, default in (("--retry-limit", 3), ("--retry-wait", 5)):
        ignored.add_argument(name, type=int, default=default, metavar="N", help=f"default {default}")


def _export_options(parser: argparse.ArgumentParser, parquet_metavar: str, parquet_help: str) -> None:
    parser.add_argument(
        "-u",
        "--extra-fields",
        type=pairs("--extra-fields"),
        default={},
        metavar="K=V,…",
        help="fields to add to every row, as text; one CSV record",
    )
    parser.add_argument("--strict-export", action="store_true", help="end on a row that can't be made; else count it")
    parser.add_argument(
        "--no-verify", action="store_true", help="don't check hashes: for a lake or an archive that is known to be odd"
    )
    parser.add_argument(
        "--progress-seconds",
        type=_seconds,
        default=PROGRESS_SECONDS,
        metavar="N",
        help=f"how long to work between two reports of progress (default {PROGRESS_SECONDS})",
    )
    parquet = parser.add_argument_group("parquet")
    parquet.add_argument("--write-parquet", action="store_true", help="write the rows to a Parquet file too")
    parquet.add_argument("--parquet-output", default="", metavar=parquet_metavar, help=parquet_help)
    cloud = parser.add_argument_group("cloud storage")
    cloud.add_argument("--cloud-storage-bucket", default="", metavar="NAME", help="upload to this bucket")
    cloud.add_argument("--cloud-provider", default="", choices=("", "gcp"), help="gcp, or nothing for no upload")
    cloud.add_argument("--cloud-credentials", default="", metavar="FILE", help="a key file; default: the machine's own")


def build_parser() -> Parser:
    """All commands and their options."""
    parser = Parser(
        prog="stellar-etl", description="Exports the Stellar network's ledgers as rows.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command", parser_class=Parser)

    def command(name: str, help_: str, run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help_, description=help_, allow_abbrev=False)
        made.set_defaults(run=run)
        return made

    times = command("get_ledger_range_from_times", "find the ledgers that closed between two times", _ledger_range)
    times.add_argument("-s", "--start-time", required=True, metavar="T", help="2006-01-02T15:04:05-07:00")
    times.add_argument("-e", "--end-time", required=True, metavar="T", help="2006-01-02T15:04:05-07:00")
    times.add_argument("-o", "--output", default="exported_range.txt", metavar="FILE", help="empty for standard output")
    _lake_options(times)

    newest = command("get_newest_ledger", "find the newest ledger of the lake", _newest_ledger)
    newest.add_argument("-o", "--output", default="", metavar="FILE", help="default: standard output")
    _lake_options(newest)

    from stellar_etl.sources.archive import ENTRY_TYPES
    from stellar_etl.transforms import HISTORY

    for type_ in HISTORY:
        name = ODD_COMMANDS.get(type_, f"export_{type_}")
        single = command(name, f"export {type_.replace('_', ' ')}", _export_one)
        _range_options(single)
        _single_options(single, type_)

    everything = command("export_all_history", "export several types in one pass over the ledgers", _export_all)
    _range_options(everything)
    _several_options(everything, HISTORY, "exported_history", "{start}-{end}")

    changes = command("export_ledger_entry_changes", "export what became of ledger entries", _export_changes)
    changes.add_argument("-o", "--output", default="changes_output", metavar="DIR", help="the folder to write to")
    changes.add_argument(
        "-b", "--batch-size", type=at_least_one, default=64, metavar="N", help="ledgers of a file (default 64)"
    )
    _entry_options(changes)
    changes.set_defaults(limit=-1)
    _range_options(changes)
    _export_options(changes, "DIR", "the folder for it (default: that of --output)")

    for type_ in ENTRY_TYPES:
        name = ODD_COMMANDS.get(type_, f"export_{type_}")
        single = command(
            name, f"export all {type_.replace('_', ' ')} that there are at a checkpoint", _export_one_state
        )
        _archive_options(single)
        _single_options(single, type_)

    state = command("export_bucket_list", "export all that there is at a checkpoint, in one pass", _export_all_state)
    _archive_options(state)
    _several_options(state, ENTRY_TYPES, "exported_bucket_list", "{checkpoint}-{checkpoint}")

    command("version", "print the version", lambda _: print(f"stellar-etl {__version__}"))
    return parser


def _network(arguments: argparse.Namespace) -> str:
    return "testnet" if arguments.testnet else "futurenet" if arguments.futurenet else "pubnet"


def _lake(arguments: argparse.Namespace, window: Any = None) -> Any:
    from stellar_etl.sources.lake import open_lake

    network = _network(arguments)
    path = arguments.datastore_path
    if path is None:
        if network != "pubnet":
            raise ExportError(
                f"--{network} needs --datastore-path: that network begins anew now and then, and its lake with it "
                f"(of the test network: {PUBLIC_LAKE.removesuffix('pubnet')}testnet/<date of its last reset>)"
            )
        path = PUBLIC_LAKE
    return open_lake(path, network, arguments.network_passphrase, window)


def _archive(arguments: argparse.Namespace, types: Iterable[str]) -> Any:
    from stellar_etl.sources.archive import open_archive
    from stellar_etl.sources.lake import PASSPHRASES

    network, path, passphrase = _network(arguments), arguments.history_archive_path, arguments.network_passphrase
    # An archive of one's own may hold any network, unless one is named.
    if passphrase is None and (path is None or network != "pubnet"):
        passphrase = PASSPHRASES[network]
    return open_archive(path or PUBLIC_ARCHIVES[network], network, list(types), passphrase)


def _ledger_range(arguments: argparse.Namespace) -> None:
    from stellar_etl.sources.ledger_range import ledger_range, parse_time

    start = parse_time("--start-time", arguments.start_time)
    end = parse_time("--end-time", arguments.end_time)
    _write_answer(arguments, ledger_range(_lake(arguments), start, end))


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
    _export_ledgers(arguments, [_batch_of_one(arguments, *_span(arguments))], f"{arguments.output}.manifest.json")


def _export_one_state(arguments: argparse.Namespace) -> None:
    sequence = _checkpoint(arguments)
    _export_state(arguments, _batch_of_one(arguments, sequence, sequence), f"{arguments.output}.manifest.json")


def _batch_of_one(arguments: argparse.Namespace, start: int, end: int) -> Batch:
    from stellar_etl.export import Batch
    from stellar_etl.sinks.output import is_special

    type_, output = arguments.type, arguments.output
    folder = Path() if is_special(output) else Path(output).parent
    parquet = arguments.parquet_output or str(folder / parquet_name(type_))
    return Batch(start, end, {type_: output}, {type_: parquet})


def _export_all(arguments: argparse.Namespace) -> None:
    from stellar_etl.transforms import HISTORY

    start, end = _span(arguments)
    batch, manifest_name = _batch_of_several(arguments, HISTORY, start, end)
    _export_ledgers(arguments, [batch], manifest_name)


def _export_all_state(arguments: argparse.Namespace) -> None:
    from stellar_etl.sources.archive import ENTRY_TYPES

    sequence = _checkpoint(arguments)
    _export_state(arguments, *_batch_of_several(arguments, ENTRY_TYPES, sequence, sequence))


def _batch_of_several(arguments: argparse.Namespace, known: Collection[str], start: int, end: int) -> tuple[Batch, str]:
    """The files of the types that are asked for, and the manifest's name."""
    from stellar_etl.export import Batch

    types = [type_ for type_ in arguments.types.split(",") if type_]
    for type_ in [*types, *arguments.file_names]:
        if type_ not in known:
            raise ExportError(f"--types: there is no type {type_!r}; known are {', '.join(known)}")
    for name in arguments.file_names.values():
        if ".." in Path(name).parts:
            raise ExportError(f"--file-names: {name!r} leads out of the folder that --output names")
    stem, parquet_stem = _stems(arguments, start, end)
    batch = Batch(
        start,
        end,
        {type_: f"{stem}-{arguments.file_names.get(type_, f'{type_}.txt')}" for type_ in types},
        {type_: f"{parquet_stem}-{type_}.parquet" for type_ in types},
    )
    return batch, f"{stem}-manifest.json"


def _export_changes(arguments: argparse.Namespace) -> None:
    from stellar_etl.export import Batch
    from stellar_etl.transforms import STATE

    options = vars(arguments)
    asked = {type_ for option, types in ENTRY_OPTIONS.items() if options[option.replace("-", "_")] for type_ in types}
    types = [type_ for type_ in STATE if type_ in (asked or STATE)]
    start, end = _span(arguments)
    if (end - start) // arguments.batch_size >= MOST_BATCHES:
        raise ExportError(f"more than {MOST_BATCHES} batches at once: give a larger --batch-size, or fewer ledgers")
    batches = []
    for first in range(start, end + 1, arguments.batch_size):
        last = min(first + arguments.batch_size - 1, end)
        stem, parquet_stem = _stems(arguments, first, last)
        names = {type_: f"{stem}-{type_}.txt" for type_ in types}
        batches.append(Batch(first, last, names, {type_: f"{parquet_stem}-{type_}.parquet" for type_ in types}))
    _export_ledgers(arguments, batches, f"{_stems(arguments, start, end)[0]}-manifest.json")


def _span(arguments: argparse.Namespace) -> tuple[int, int]:
    start, end = arguments.start_ledger, arguments.end_ledger
    if not 1 <= start <= end:
        raise ExportError(f"--start-ledger {start} must be at least 1 and at most --end-ledger {end}")
    return start, end


def _checkpoint(arguments: argparse.Namespace) -> int:
    from stellar_etl.sources.archive import checkpoint

    return checkpoint(arguments.end_ledger)


def _stems(arguments: argparse.Namespace, start: int, end: int) -> tuple[str, str]:
    """What the names of the files of some ledgers begin with, and those of their Parquet files."""
    folders = arguments.output, arguments.parquet_output or arguments.output
    stem, parquet_stem = (f"{folder.rstrip('/')}/{start}-{end}" for folder in folders)
    return stem, parquet_stem


def _export_ledgers(arguments: argparse.Namespace, batches: Sequence[Batch], manifest_name: str) -> None:
    from stellar_etl.sources.read_ahead import Window

    window = Window(arguments.num_workers, arguments.buffer_size)
    _export(arguments, lambda: _lake(arguments, window), batches, manifest_name)


def _export_state(arguments: argparse.Namespace, batch: Batch, manifest_name: str) -> None:
    _export(arguments, lambda: _archive(arguments, batch.names), [batch], manifest_name)


def _export(
    arguments: argparse.Namespace, open_source: Callable[[], Source], batches: Sequence[Batch], manifest_name: str
) -> None:
    from stellar_etl.export import export_rows

    if arguments.parquet_output and not arguments.write_parquet:
        raise ExportError("--parquet-output needs --write-parquet")
    if not arguments.write_parquet:
        batches = [replace(batch, parquet_names={}) for batch in batches]
    written = [name for batch in batches for name in (*batch.names.values(), *batch.parquet_names.values())]
    if not written or len({*written, manifest_name}) <= len(written):
        raise ExportError(
            "--types and --file-names must give at least one type, and each a file of its own, not manifest.json; "
            f"with --output and --parquet-output they give {', '.join([*written, manifest_name])}"
        )
    if arguments.cloud_storage_bucket and not arguments.cloud_provider:
        raise ExportError("--cloud-storage-bucket needs --cloud-provider gcp")
    if arguments.cloud_provider and not arguments.cloud_storage_bucket:
        raise ExportError("--cloud-provider needs --cloud-storage-bucket")
    if arguments.cloud_credentials:
        os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = arguments.cloud_credentials
    statistics = export_rows(
        open_source(),
        batches,
        manifest_name,
        bucket=arguments.cloud_storage_bucket or None,
        extra_fields=arguments.extra_fields,
        strict=arguments.strict_export,
        limit=arguments.limit if arguments.limit >= 0 else None,
        verify=not arguments.no_verify,
        progress_seconds=arguments.progress_seconds,
        processes=arguments.processes,
    )
    log_values(statistics.as_dict())


def _ended(number: int, _frame: object) -> None:
    # As an exception it runs every clean-up on its way out.
    sys.exit(128 + number)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command; ends the process with status 1, or 75 if the network has not come so far."""
    signal.signal(signal.SIGTERM, _ended)
    signal.signal(signal.SIGINT, _ended)
    parser = build_parser()
    for argument in sys.argv[1:] if argv is None else argv:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            parser.error(f"{argument!r} is not UTF-8, and so no text for rows and manifests")
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except ExportError as error:
        print(f"stellar-etl: {_one_line(error)}", file=sys.stderr)
        sys.exit(error.exit_status)
    except OSError as error:
        print(f"stellar-etl: {_one_line(error)}", file=sys.stderr)
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
