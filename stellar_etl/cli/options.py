"""Commands and options, a superset of those of the Go program `stellar-etl`."""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from typing import Any, NoReturn

from stellar_etl.errors import EXIT_FAILED
from stellar_etl.progress import PROGRESS_SECONDS
from stellar_etl.transforms.registry import CHECKPOINT_TYPES, HISTORY, STATE

PUBLIC_LAKE = "https://aws-public-blockchain.s3.us-east-2.amazonaws.com/v1.1/stellar/ledgers/pubnet"
"""The public network's ledgers, publicly readable (https://registry.opendata.aws/aws-public-blockchain/)."""

LAKE_VARIABLE = "STELLAR_ETL_DATASTORE_PATH"
"""The environment variable that stands for --datastore-path, for callers that share a command line with the Go program,
whose `get_ledger_range_from_times` has no such option."""

PUBLIC_ARCHIVES = {
    "pubnet": "https://history.stellar.org/prd/core-live/core_live_001",
    "testnet": "https://history.stellar.org/prd/core-testnet/core_testnet_001",
    "futurenet": "https://history-futurenet.stellar.org",
}
"""A publicly readable history archive of each network."""

ARCHIVE_VARIABLE = "STELLAR_ETL_HISTORY_ARCHIVE_PATH"
"""The environment variable that stands for --history-archive-path."""

ODD_COMMANDS = {"token_transfers": "export_token_transfer", "liquidity_pools": "export_pools"}
"""The other types' commands are named `export_{type}`."""

_GO_ENTRY_OPTIONS: dict[str, tuple[str, ...]] = {
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


def entry_options(types: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the options of `export_ledger_entry_changes`, each with the types of the files that it writes.

    The Go program's options come first. A type without one of these has an option of its own name.
    """
    known = {type_ for some in _GO_ENTRY_OPTIONS.values() for type_ in some}
    return _GO_ENTRY_OPTIONS | {f"export-{type_.replace('_', '-')}": (type_,) for type_ in types if type_ not in known}


ENTRY_OPTIONS = entry_options(STATE)

ENTRY_LETTERS = {
    "export-accounts": "a",
    "export-trustlines": "t",
    "export-offers": "f",
    "export-pools": "p",
    "export-balances": "l",
}
"""The options that have a short form too."""


class Action(Enum):
    """The function of a command: the default `action` of its options."""

    LEDGER_RANGE = auto()
    NEWEST_LEDGER = auto()
    ONE_TYPE = auto()
    HISTORY = auto()
    CHANGES = auto()
    ONE_STATE_TYPE = auto()
    STATE = auto()
    VERIFY_CERTIFICATE = auto()
    COMPLETION = auto()
    VERSION = auto()


def one_line(message: object) -> str:
    """Return a message as one line: messages quote options, which can contain line breaks."""
    return " ".join(str(message).splitlines())


class Parser(argparse.ArgumentParser):
    """A parser that exits with status 1 and one line if the command line is invalid, as the Go program does."""

    def error(self, message: str) -> NoReturn:
        """Print the error."""
        print(f"{self.prog}: {one_line(message)} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(EXIT_FAILED)


class MergePairs(argparse.Action):
    """An option that can be repeated: the fields of all occurrences count, as in the Go program."""

    def __call__(self, _parser: Any, namespace: argparse.Namespace, values: Any, _option: str | None = None) -> None:
        """Add the fields to those of earlier occurrences."""
        setattr(namespace, self.dest, {**getattr(namespace, self.dest), **values})


_TRUE, _FALSE = {"1", "t", "T", "true", "TRUE", "True"}, {"0", "f", "F", "false", "FALSE", "False"}
"""The Go program's values of a switch (https://pkg.go.dev/strconv#ParseBool)."""


def plain_switches(parser: argparse.ArgumentParser, argv: Sequence[str]) -> list[str]:
    """Return a command line with `--switch=true` as `--switch`, and without `--switch=false` and earlier `--switch`."""
    switches = _switches(parser)
    found: list[str] = []
    for argument in argv:
        option, equals, value = argument.partition("=")
        if not equals or option not in switches or value not in _TRUE | _FALSE:
            found.append(argument)
        elif value in _TRUE:
            found.append(option)
        else:
            found = [earlier for earlier in found if earlier not in switches[option]]
    return found


def _switches(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """Every option without a value, of all commands, with all its spellings."""
    found: dict[str, list[str]] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                found |= _switches(command)
        elif action.nargs == 0 and action.const is True:
            found |= {option: list(action.option_strings) for option in action.option_strings}
    return found


SHELLS = ("bash", "zsh", "fish", "powershell")


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return a script that completes commands and options in a shell."""
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    options = {
        name: " ".join(option for action in command._actions for option in action.option_strings)
        for name, command in commands.choices.items()
    }
    names = " ".join(options)
    if shell == "fish":
        lines = [f"complete -c stellar-etl -f -n __fish_use_subcommand -a '{names}'"]
        lines += [
            f"complete -c stellar-etl -n '__fish_seen_subcommand_from {name}' -a '{words}'"
            for name, words in options.items()
        ]
        return "\n".join(lines)
    if shell == "powershell":
        table = "; ".join(f"'{name}' = '{words}'" for name, words in options.items())
        return f"""\
Register-ArgumentCompleter -Native -CommandName stellar-etl -ScriptBlock {{
  param($word, $line, $position)
  $options = @{{ {table} }}
  $command = "$($line.CommandElements[1])"
  $words = if ($options.ContainsKey($command)) {{ $options[$command] }} else {{ '{names}' }}
  $words -split ' ' | Where-Object {{ $_ -like "$word*" }}
}}"""
    cases = "\n".join(f"    {name}) words='{words}' ;;" for name, words in options.items())
    begin = "autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return f"""\
{begin}_stellar_etl() {{
  local words='{names}'
  case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  [ "$COMP_CWORD" -eq 1 ] && words='{names}'
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _stellar_etl stellar-etl"""


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
        "-l", "--limit", type=int, default=-1, metavar="N", help="at most N rows per type (default: all)"
    )


def _network_options(parser: argparse.ArgumentParser) -> Any:
    group = parser.add_argument_group("network")
    group.add_argument("--testnet", action="store_true", help="read the test network (wins over --futurenet)")
    group.add_argument("--futurenet", action="store_true", help="read the future network")
    group.add_argument(
        "--network-passphrase",
        metavar="TEXT",
        help="the required network of a lake or an archive, and the network of one that names none",
    )
    return group


def _lake_options(parser: argparse.ArgumentParser) -> None:
    _network_options(parser).add_argument(
        "--datastore-path",
        default=os.environ.get(LAKE_VARIABLE),
        metavar="PATH",
        help="the lake of ledgers, or the parent of one lake per network: a folder, gs://bucket/prefix or "
        f"https://host/prefix (default: ${LAKE_VARIABLE}, else the public network's, {PUBLIC_LAKE})",
    )


def _archive_options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(processes=1)
    parser.add_argument(
        "-e", "--end-ledger", type=int, required=True, metavar="N", help="read the newest checkpoint at or before it"
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
    ignored = parser.add_argument_group("stellar-core: no effect, accepted for compatibility with the Go program")
    ignored.add_argument(
        "-x", "--core-executable", default="", metavar="FILE", help="no effect: ledgers always come from the lake"
    )
    ignored.add_argument(
        "-c", "--core-config", default="", metavar="FILE", help="no effect: ledgers always come from the lake"
    )


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
    parser.add_argument("--types", default=every, metavar="T,…", help=f"the types to export (default: {every})")
    parser.add_argument(
        "--file-names",
        type=pairs("--file-names"),
        default={},
        metavar="T=NAME,…",
        help=f"the file of each type, written as {start}-{{NAME}} (default: {{type}}.txt)",
    )
    parser.add_argument(
        "--manifest-name",
        default="manifest.json",
        metavar="NAME",
        help=f"the file of the manifest, written as {start}-{{NAME}} (default: manifest.json); exports into one folder "
        "need a name each",
    )
    _limit_option(parser)
    _export_options(parser, "DIR", "the folder for it (default: that of --output)")


def _range_options(parser: argparse.ArgumentParser, *, endless: bool = False) -> None:
    parser.add_argument("-s", "--start-ledger", type=int, default=2, metavar="N", help="first ledger (default 2)")
    parser.add_argument(
        "-e",
        "--end-ledger",
        type=int,
        required=not endless,
        default=0,
        metavar="N",
        help="last ledger, included" + (" (default: follow the network)" if endless else ""),
    )
    _lake_options(parser)
    parser.add_argument(
        "--processes",
        type=at_least_one,
        metavar="N",
        help="number of parallel processes (default: the number of usable processors, at most 4)",
    )
    ahead = parser.add_argument_group("reading ahead, from a lake that is not a folder")
    ahead.add_argument(
        "--num-workers",
        type=at_least_one,
        default=10,
        metavar="N",
        help="objects requested at the same time (default 10)",
    )
    ahead.add_argument(
        "--buffer-size",
        type=at_least_one,
        default=200,
        metavar="N",
        help="objects requested or waiting, within 32 MB (default 200)",
    )
    ignored = parser.add_argument_group("no effect, accepted for compatibility with the Go program")
    ignored.add_argument("--captive-core", action="store_true", help="no effect: ledgers always come from the lake")
    for name, default in (("--retry-limit", 3), ("--retry-wait", 5)):
        ignored.add_argument(name, type=int, default=default, metavar="N", help=f"default {default}")


def _export_options(parser: argparse.ArgumentParser, parquet_metavar: str, parquet_help: str) -> None:
    parser.add_argument(
        "-u",
        "--extra-fields",
        type=pairs("--extra-fields"),
        action=MergePairs,
        default={},
        metavar="K=V,…",
        help="fields to add to every row, as text; one CSV record; can be repeated",
    )
    parser.add_argument(
        "--strict-export", action="store_true", help="fail on a row that can't be made; otherwise count it"
    )
    parser.add_argument(
        "--no-verify",
        action="store_true",
        help="don't check hashes: for a lake or an archive with known irregularities",
    )
    parser.add_argument(
        "--progress-seconds",
        type=_seconds,
        default=PROGRESS_SECONDS,
        metavar="N",
        help=f"seconds between two reports of progress (default {PROGRESS_SECONDS})",
    )
    parquet = parser.add_argument_group("parquet")
    parquet.add_argument("--write-parquet", action="store_true", help="write the rows to a Parquet file too")
    parquet.add_argument(
        "--parquet-output",
        default="",
        metavar=parquet_metavar,
        help=f"{parquet_help}; no effect without --write-parquet",
    )
    cloud = parser.add_argument_group("cloud storage")
    cloud.add_argument(
        "--cloud-storage-bucket", default="", metavar="NAME", help="the bucket to upload to; needs a provider"
    )
    cloud.add_argument("--cloud-provider", default="", choices=("", "gcp"), help="gcp; without it nothing is uploaded")
    cloud.add_argument(
        "--cloud-credentials", default="", metavar="FILE", help="a key file (default: the machine's credentials)"
    )


def build_parser() -> Parser:
    """All commands and their options."""
    parser = Parser(prog="stellar-etl", description="Export the Stellar network's ledgers as rows.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command", parser_class=Parser)

    def command(name: str, help_: str, action: Action) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help_, description=help_, allow_abbrev=False)
        made.set_defaults(action=action)
        return made

    times = command(
        "get_ledger_range_from_times", "find the ledgers that closed between two times", Action.LEDGER_RANGE
    )
    times.add_argument("-s", "--start-time", required=True, metavar="T", help="2006-01-02T15:04:05-07:00")
    times.add_argument("-e", "--end-time", required=True, metavar="T", help="2006-01-02T15:04:05-07:00")
    times.add_argument("-o", "--output", default="exported_range.txt", metavar="FILE", help="empty for standard output")
    _lake_options(times)

    newest = command("get_newest_ledger", "find the newest ledger of the lake", Action.NEWEST_LEDGER)
    newest.add_argument("-o", "--output", default="", metavar="FILE", help="default: standard output")
    _lake_options(newest)

    for type_ in HISTORY:
        name = ODD_COMMANDS.get(type_, f"export_{type_}")
        single = command(name, f"export {type_.replace('_', ' ')}", Action.ONE_TYPE)
        _range_options(single)
        _single_options(single, type_)
        single.add_argument(
            "-b",
            "--batch-size",
            type=at_least_one,
            metavar="N",
            help="write a file for every N ledgers, {start}-{end}-{type}.txt, into the folder that --output names",
        )

    everything = command("export_all_history", "export several types in one pass over the ledgers", Action.HISTORY)
    _range_options(everything)
    _several_options(everything, HISTORY, "exported_history", "{start}-{end}")

    changes = command("export_ledger_entry_changes", "export ledger entry changes", Action.CHANGES)
    changes.add_argument("-o", "--output", default="changes_output", metavar="DIR", help="the folder to write to")
    changes.add_argument(
        "-b", "--batch-size", type=at_least_one, default=64, metavar="N", help="ledgers per file (default 64)"
    )
    _entry_options(changes)
    changes.set_defaults(limit=-1)
    _range_options(changes, endless=True)
    _export_options(changes, "DIR", "the folder for it (default: that of --output)")

    for type_ in CHECKPOINT_TYPES:
        name = ODD_COMMANDS.get(type_, f"export_{type_}")
        single = command(name, f"export all {type_.replace('_', ' ')} at a checkpoint", Action.ONE_STATE_TYPE)
        _archive_options(single)
        _single_options(single, type_)

    state = command("export_bucket_list", "export all ledger entries at a checkpoint, in one pass", Action.STATE)
    _archive_options(state)
    _several_options(state, CHECKPOINT_TYPES, "exported_bucket_list", "{checkpoint}-{checkpoint}")

    verify = command(
        "verify-certificate", "recompute a certificate of ledgers from the lake", Action.VERIFY_CERTIFICATE
    )
    verify.add_argument("certificate", metavar="FILE", help="the certificate")
    _lake_options(verify)

    script = command("completion", "print a script that completes commands and options", Action.COMPLETION)
    script.add_argument("shell", choices=SHELLS, help="the shell")

    command("version", "print the version, and that of the XDR definitions", Action.VERSION)
    return parser
