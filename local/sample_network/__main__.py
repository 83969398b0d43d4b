"""Command line of the sample network."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from local.sample_network.engine import Engine
from local.sample_network.final_state import final_state
from local.sample_network.lake import LakeError, is_complete, write
from local.sample_network.scenario.town import Town

SECONDS_PER_LEDGER = 5
DEFAULT_START = "2026-01-01T00:00:00Z"


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return value


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like {DEFAULT_START}") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no time zone; write it like {DEFAULT_START}")
    return moment.astimezone(UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.sample_network",
        description="Writes a lake of generated ledgers: valid, hash-chained, the same bytes for the same arguments.",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the lake's folder")
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


def _ledgers(engine: Engine, arguments: argparse.Namespace) -> Iterator[tuple[int, bytes]]:
    town = Town(engine, arguments.seed, arguments.transactions_per_ledger)
    start, said = int(arguments.start_time.timestamp()), time.monotonic()
    for number in range(arguments.ledgers):
        requests, upgrades = town.ledger(number)
        meta = engine.close(requests, upgrades, start + SECONDS_PER_LEDGER * number)
        yield engine.chain.sequence, meta
        if time.monotonic() - said > 2:
            said = time.monotonic()
            print(f"{number + 1} of {arguments.ledgers} ledgers", file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the lake; status 1 if its folder can't take it."""
    arguments = _parser().parse_args(argv)
    record = {
        "ledgers": arguments.ledgers,
        "transactions_per_ledger": arguments.transactions_per_ledger,
        "seed": arguments.seed,
        "start_time": f"{arguments.start_time:%Y-%m-%dT%H:%M:%SZ}",
        "first_ledger": arguments.first_ledger,
    }
    try:
        if is_complete(arguments.out, record):
            print(f"{arguments.out} holds this sample network already")
            return 0
        engine = Engine(arguments.first_ledger)
        size = write(arguments.out, record, _ledgers(engine, arguments), lambda: final_state(engine))
    except LakeError as error:
        print(f"sample_network: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.out}: {arguments.ledgers} ledgers, {size / 1e6:.1f} MB of XDR")
    return 0


if __name__ == "__main__":
    sys.exit(main())
