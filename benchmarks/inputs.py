"""The measured ledgers: recorded ones beside the project, and generated ones of the public network's size."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from local.sample_network.config import Upgrade
from local.sample_network.engine import Engine
from local.sample_network.final_state import final_state
from local.sample_network.keys import public_key
from local.sample_network.lake import is_whole, write
from local.sample_network.operations.payments import CreateAccount
from local.sample_network.run import Party
from local.sample_network.scenario.cast import XLM
from local.sample_network.scenario.everyday import People
from local.sample_network.scenario.town import Town
from local.sample_network.transactions import Request, memo_text
from stellar_etl.sources.lake import Lake, decompress, open_lake

REPO = Path(__file__).resolve().parent.parent
RECORDED = REPO.parent / "shared" / "ledgers"
"""Real ledgers and those of a load test, which a developer's machine can have."""
MADE = REPO / ".local" / "benchmarks"

TRANSACTIONS = 400
"""About the number of a ledger's transactions. On the public network they have 900 operations and 640 events."""
LEDGERS = 40
FIRST = 23
"""The first measured ledger: before it accounts and trust lines are created."""
LAST = FIRST + LEDGERS - 1
NEWEST = FIRST + 99
"""The last ledger, for benchmarks that need a longer range."""

_PEOPLE = 450
_AT_ONCE = 97
"""A transaction has 100 operations at most."""
_CLOSED = 1_767_225_600


class Crowd(People):
    """Accounts with more operations per transaction than in the small network."""

    def _request(self, source: bytes) -> Request:
        if self.dice.random() < 0.05:
            return super()._request(source)
        operations = tuple(self._operation(source) for _ in range(self.dice.choice((1, 1, 2, 3, 4, 5))))
        return Request(source=Party(source), operations=operations, memo=memo_text("invoice 7"))


class City(Town):
    """A network with enough accounts for a busy ledger: each sends one transaction at most."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, seed=1, transactions_per_ledger=TRANSACTIONS)
        self.people = Crowd(engine, self.people.dice, TRANSACTIONS)

    def ledger(self, number: int) -> tuple[list[Request], list[Upgrade]]:
        """Return the next ledger's transactions; from the second ledger on they create accounts until all exist."""
        here = len(self.people.keys)
        if not number or here >= _PEOPLE:
            return super().ledger(number)
        new = [public_key(f"person {place}") for place in range(here, min(here + _AT_ONCE, _PEOPLE))]
        self.people.keys += new
        operations = tuple(CreateAccount(key, 10_000 * XLM) for key in new)
        return [Request(source=Party(public_key("root")), operations=operations)], []


def _closed(engine: Engine) -> Iterator[tuple[int, bytes]]:
    city = City(engine)
    while engine.chain.sequence < NEWEST:
        number = engine.chain.sequence - 2
        meta = engine.close(*city.ledger(number), _CLOSED + 5 * number)
        yield engine.chain.sequence, meta


@cache
def network() -> Path:
    """A lake whose ledgers from `FIRST` on are of the public network's size; made once, in half a minute."""
    folder = MADE / f"network-{TRANSACTIONS}-{NEWEST}"
    if not is_whole(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        engine = Engine(first_ledger=3)
        write(folder, _closed(engine), lambda: final_state(engine))
    return folder


def raw(lake: Path, first: int, last: int) -> list[bytes]:
    """Return the XDR of a lake's objects."""
    opened: Lake = open_lake(str(lake), "pubnet")
    return [decompress(opened.store.read(span.name)) for span in opened.spans(first, last)]


@cache
def megabytes(first: int = FIRST, last: int = LAST) -> float:
    """Return the size of the generated network's XDR, in millions of bytes."""
    return sum(map(len, raw(network(), first, last))) / 1e6


def records(path: Path) -> list[bytes]:
    """The ledgers of a stream as stellar-core writes it, compressed by zstd: each follows its length, whose top bit
    is set (RFC 5531, section 11)."""
    data, place, found = decompress(path.read_bytes()), 0, []
    while place < len(data):
        end = place + 4 + (int.from_bytes(data[place : place + 4], "big") & 0x7FFFFFFF)
        found.append(data[place + 4 : end])
        place = end
    return found


def recorded() -> dict[str, list[bytes]]:
    """Return real ledgers, and those of stellar-core's load test, as `LedgerCloseMetaBatch`; empty without them."""
    if not RECORDED.is_dir():
        return {}
    alone = b"\0\0\0\0\0\0\0\0\0\0\0\1"  # a batch of one: decoders don't use its range
    load_test = [alone + ledger for ledger in records(RECORDED / "load-test-ledgers-v27.xdr.zstd")]
    mainnet = [decompress(path.read_bytes()) for path in sorted((RECORDED / "pubnet").rglob("*.xdr.zst*"))]
    return {"mainnet of July 2020": mainnet, "load test of stellar-core": load_test}
