"""The command line, compatible with the Go program `stellar-etl` as far as it goes."""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from stellar_etl import __version__
from stellar_etl.errors import EXIT_FAILED, ExportError

DEFAULT_LAKE = "sdf-ledger-close-meta/v1/ledgers"
ODD_COMMANDS = {"token_transfers": "export_token_transfer"}
"""The other types' commands are named `export_{type}`."""


class Parser(argparse.ArgumentParser):
    """Ends with status 1 and one line for a wrong command line, as the Go program does."""

    def error(self, message: str) -> NoReturn:
        """Prints what is wrong."""
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
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


def _network_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("network")
    group.add_argument("--testnet", action="store_true", help="read the test network (wins over --futurenet)")
    group.add_argument("--futurenet", action="store_true", help="read the future network")
    group.add_argument(
        "--datastore-path",
        default=DEFAULT_LAKE,
        metavar="PATH",
        help="the lake of ledgers: a folder or gs://bucket/prefix, or what holds a lake for each network",
    )
    group.add_argument(
        "--network-passphrase",
        metavar="TEXT",
        help="refuse a lake of another network; names that of a lake without .config.json",
    )


def _export_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-s", "--start-ledger", type=int, default=2, metavar="N", help="first ledger (default 2)")
    parser.add_argument("-e", "--end-ledger", type=int, required=True, metavar="N", help="last ledger, included")
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
        "--no-verify", action="store_true", help="don't check hashes: for a lake that is known to be odd"
    )
    parser.add_argument(
        "-l", "--limit", type=int, default=-1, metavar="N", help="at most N rows of a type (default: all)"
    )
    _network_options(parser)
    cloud = parser.add_argument_group("cloud storage")
    cloud.add_argument("--cloud-storage-bucket", default="", metavar="NAME", help="upload to this bucket")
    cloud.add_argument("--cloud-provider", default="", choices=("", "gcp"), help="gcp, or nothing for no upload")
    cloud.add_argument("--cloud-credentials", default="", metavar="FILE", help="a key file; default: the machine's own")
    ignored = parser.add_argument_group("accepted for the Go program's sake, without effect")
    ignored.add_argument("--captive-core", action="store_true", help="ledgers always come from the lake")
    for name, default in (("--buffer-size", 200), ("--num-workers", 10), ("--retry-limit", 3), ("--retry-wait", 5)):
        ignored.add_argument(name, type=int, default=default, metavar="N", help=f"default {default}")
    parser.add_argument("--write-parquet", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--parquet-output", default="", help=argparse.SUPPRESS)


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
    _network_options(times)

    from stellar_etl.transforms import HISTORY

    for type_ in HISTORY:
        name = ODD_COMMANDS.get(type_, f"export_{type_}")
        single = command(name, f"export {type_.replace('_', ' ')}", _export_one)
        single.set_defaults(type=type_)
        single.add_argument(
            "-o", "--output", default=f"exported_{type_}.txt", metavar="FILE", help="the file or object to write"
        )
        _export_options(single)

    everything = command("export_all_history", "export several types in one pass over the ledgers", _export_all)
    everything.add_argument("-o", "--output", default="exported_history", metavar="DIR", help="the folder to write to")
    everything.add_argument(
        "--types", default=",".join(HISTORY), metavar="T,…", help=f"which types (default: {','.join(HISTORY)})"
    )
    everything.add_argument(
        "--file-names",
        type=pairs("--file-names"),
        default={},
        metavar="T=NAME,…",
        help="the file of each type, written as {start}-{end}-{NAME} (default: {type}.txt)",
    )
    _export_options(everything)

    command("version", "print the version", lambda _: print(f"stellar-etl {__version__}"))
    return parser


def _lake(arguments: argparse.Namespace) -> Any:
    from stellar_etl.lake import open_lake

    network = "testnet" if arguments.testnet else "futurenet" if arguments.futurenet else "pubnet"
    return open_lake(arguments.datastore_path, network, arguments.network_passphrase)


def _ledger_range(arguments: argparse.Namespace) -> None:
    from stellar_etl.ledger_range import ledger_range, parse_time
    from stellar_etl.output import write_whole

    start = parse_time("--start-time", arguments.start_time)
    end = parse_time("--end-time", arguments.end_time)
    text = json.dumps(ledger_range(_lake(arguments), start, end), separators=(",", ":")) + "\n"
    if not arguments.output:
        sys.stdout.write(text)
        return
    write_whole(arguments.output, text)


def _export_one(arguments: argparse.Namespace) -> None:
    _export(arguments, {arguments.type: arguments.output}, f"{arguments.output}.manifest.json")


def _export_all(arguments: argparse.Namespace) -> None:
    from stellar_etl.transforms import HISTORY

    types = [type_ for type_ in arguments.types.split(",") if type_]
    for type_ in [*types, *arguments.file_names]:
        if type_ not in HISTORY:
            raise ExportError(f"--types: there is no type {type_!r}; known are {', '.join(HISTORY)}")
    stem = f"{arguments.output.rstrip('/')}/{arguments.start_ledger}-{arguments.end_ledger}"
    names = {type_: f"{stem}-{arguments.file_names.get(type_, f'{type_}.txt')}" for type_ in types}
    manifest_name = f"{stem}-manifest.json"
    if len({*names.values(), manifest_name}) <= len(names) or not names:
        raise ExportError(
            "--types and --file-names must give at least one type, and each a file of its own, not manifest.json"
        )
    _export(arguments, names, manifest_name)


def _export(arguments: argparse.Namespace, names: dict[str, str], manifest_name: str) -> None:
    from stellar_etl.export import export_history

    start, end = arguments.start_ledger, arguments.end_ledger
    if not 1 <= start <= end:
        raise ExportError(f"--start-ledger {start} must be at least 1 and at most --end-ledger {end}")
    if arguments.write_parquet or arguments.parquet_output:
        raise ExportError("--write-parquet is not there yet: rows are written as NDJSON")
    if arguments.cloud_storage_bucket and not arguments.cloud_provider:
        raise ExportError("--cloud-storage-bucket needs --cloud-provider gcp")
    if arguments.cloud_provider and not arguments.cloud_storage_bucket:
        raise ExportError("--cloud-provider needs --cloud-storage-bucket")
    if arguments.cloud_credentials:
        os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = arguments.cloud_credentials
    statistics = export_history(
        _lake(arguments),
        start,
        end,
        names,
        manifest_name,
        bucket=arguments.cloud_storage_bucket or None,
        extra_fields=arguments.extra_fields,
        strict=arguments.strict_export,
        limit=arguments.limit if arguments.limit >= 0 else None,
        verify=not arguments.no_verify,
    )
    message = json.dumps(json.dumps(statistics.as_dict(), separators=(",", ":")))
    print(f'time="{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}" level=info msg={message} pid={os.getpid()}', file=sys.stderr)


def _ended(number: int, _frame: object) -> None:
    # As an exception it runs every clean-up on its way out.
    sys.exit(128 + number)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command; ends the process with status 1, or 75 if the network has not come so far."""
    signal.signal(signal.SIGTERM, _ended)
    signal.signal(signal.SIGINT, _ended)
    arguments = build_parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except ExportError as error:
        print(f"stellar-etl: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except OSError as error:
        print(f"stellar-etl: {error}", file=sys.stderr)
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
