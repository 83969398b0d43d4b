"""Command line of the sample network."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from local.sample_network.archive import Archive
from local.sample_network.engine import Engine
from local.sample_network.final_state import final_state
from local.sample_network.folder import FolderError, claim, is_claimed
from local.sample_network.lake import is_whole, write
from local.sample_network.scenario.town import Town
from local.times import parse_utc

SECONDS_PER_LEDGER = 5
DEFAULT_START = "2026-01-01T00:00:00Z"


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return value


def _moment(text: str) -> datetime:
    try:
        return parse_utc(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.sample_network",
        description="Writes a lake of generated ledgers, valid and hash-chained, and a history archive: headers and "
        "buckets of each checkpoint, but no transactions, results and consensus messages. The same arguments give the "
        "same bytes.",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the lake's folder")
    parser.add_argument(
        "--archive", type=Path, metavar="DIR", help="the history archive's folder (default: the lake's, with -archive)"
    )
    parser.add_argument("--ledgers", type=_count, default=400, metavar="N", help="default 400")
    parser.add_argument("--transactions-per-ledger", type=_count, default=8, metavar="M", help="default 8")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="default 1")
    parser.add_argument(
        "--start-time", type=_moment, default=_moment(DEFAULT_START), metavar="T", help=f"default {DEFAULT_START}"
    )
    parser.add_argument(
        "--first-ledger", type=_count, default=3, metavar="K", help="default 3: a lake lacks ledgers 1 and 2"
    )
    return parser


def _ledgers(engine: Engine, archive: Archive, arguments: argparse.Namespace) -> Iterator[tuple[int, bytes]]:
    town = Town(engine, arguments.seed, arguments.transactions_per_ledger)
    start, reported_at = int(arguments.start_time.timestamp()), time.monotonic()
    for number in range(arguments.ledgers):
        requests, upgrades = town.ledger(number)
        meta = engine.close(requests, upgrades, start + SECONDS_PER_LEDGER * number)
        archive.add(engine)
        yield engine.chain.sequence, meta
        if time.monotonic() - reported_at > 2:
            reported_at = time.monotonic()
            print(f"{number + 1} of {arguments.ledgers} ledgers", file=sys.stderr, flush=True)
    archive.finish()


def main(argv: Sequence[str] | None = None) -> int:
    """Write the lake and its archive; exit with status 1 if a folder can't be used."""
    arguments = _parser().parse_args(argv)
    lake = arguments.out
    folders = {"--out": lake, "--archive": arguments.archive or Path(f"{lake.resolve()}-archive")}
    record = {
        "ledgers": arguments.ledgers,
        "transactions_per_ledger": arguments.transactions_per_ledger,
        "seed": arguments.seed,
        "start_time": f"{arguments.start_time:%Y-%m-%dT%H:%M:%SZ}",
        "first_ledger": arguments.first_ledger,
    }
    try:
        claimed = [is_claimed(folder, option, record) for option, folder in folders.items()]
    except FolderError as error:
        print(f"sample_network: {error}", file=sys.stderr)
        return 1
    if all(claimed) and is_whole(lake):
        print(f"{lake} contains this sample network already")
        return 0
    for folder in folders.values():
        claim(folder, record)
    engine, archive = Engine(arguments.first_ledger), Archive(folders["--archive"])
    size = write(lake, _ledgers(engine, archive, arguments), lambda: final_state(engine))
    print(f"{lake}: {arguments.ledgers} ledgers, {size / 1e6:.1f} MB of XDR")
    print(f"{folders['--archive']}: {archive.checkpoints} checkpoints")
    return 0


if __name__ == "__main__":
    sys.exit(main())
