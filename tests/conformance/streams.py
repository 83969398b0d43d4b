"""Streams of ledgers with the reference exporter's rows: the project's own, and those beside it.

The project's own are in `tests/data`: `NAME.xdr.zst` has the ledgers as records (RFC 5531). `NAME.jsonl.zst` has a
first line with the network's passphrase, and then a line per row and per fact. `../shared` has other files of the same
kind.
"""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

from stellar_etl.transforms.registry import HISTORY, STATE
from tests.shared import REPO, SHARED
from tests.stellar_etl.lakes import records

DATA = REPO / "tests" / "data"

MAINNET = ((30820015, 30820015, "30820015"), (30822015, 30822019, "30822015-30822019"))
"""The recorded mainnet ledgers: the first, the last, and the folder of their rows."""

SOURCES = (
    "ledgers/pubnet",
    "ledgers/core-tests",
    "golden/cases",
    "golden/core-tests",
    *(f"golden/{name}" for *_, name in MAINNET),
)
"""The folders in `SHARED` with ledgers and rows beside the project."""

CORE_TESTS = "(V) (;,,;) (V)"
"""The passphrase of stellar-core's own tests."""
PUBNET = "Public Global Stellar Network ; September 2015"

Row = dict[str, Any]


@dataclass
class Stream:
    """Consecutive ledgers, and the reference exporter's rows for them.

    Attributes:
        name: its name.
        passphrase: the network's.
        ledgers: the XDR of each `LedgerCloseMeta`.
        rows: the reference's rows by data type.
        types: the types that the reference exported.
        unread: the ledgers that the reference exporter could not read.
        lacks: the types without rows, because the reference exporter failed.
        right: by type, the right values of rows where the reference's are wrong: key columns and others.
    """

    name: str
    passphrase: str
    ledgers: Sequence[bytes]
    rows: Mapping[str, Sequence[Row]]
    types: frozenset[str] = frozenset((*HISTORY, *STATE))
    unread: frozenset[int] = frozenset()
    lacks: frozenset[str] = frozenset()
    right: Mapping[str, Sequence[Row]] = field(default_factory=dict)


def kit() -> Iterator[Stream]:
    """Yield the streams in the project."""
    for path in sorted(DATA.rglob("*.xdr.zst")):
        lines = _decompressed(path.with_name(path.name.replace(".xdr.zst", ".jsonl.zst"))).splitlines()
        head, *facts = map(json.loads, lines)
        yield _stream(
            path.relative_to(DATA).as_posix().removesuffix(".xdr.zst"),
            head["passphrase"],
            _decompressed(path),
            facts,
            head.get("types"),
        )


def _stream(
    name: str, passphrase: str, ledgers: bytes, facts: Sequence[Row], types: Sequence[str] | None = None
) -> Stream:
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    right: defaultdict[str, list[Row]] = defaultdict(list)
    unread, lacks = set(), set()
    for fact in facts:
        if "row" in fact:
            rows[fact["table"]].append(fact["row"])
        elif "right" in fact:
            right[fact["table"]].append(fact["right"])
        elif "lacks" in fact:
            lacks.add(fact["lacks"])
        else:
            unread.add(_unread(fact["failed"]))
    compared = frozenset(types or (*HISTORY, *STATE))
    return Stream(name, passphrase, list(records(ledgers)), rows, compared, frozenset(unread), frozenset(lacks), right)


def _unread(problem: str | int) -> int:
    """Return the ledger in a message of the reference's run."""
    found = re.match(r"DECODE \S*/(\d+)\.raw:", str(problem))
    if isinstance(problem, int):
        return problem
    assert found is not None, problem
    return int(found[1])


def _decompressed(path: Path) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())


def cases() -> Iterator[Stream]:
    """Yield the crafted ledgers beside the project."""
    for folder in sorted((SHARED / "golden" / "cases").glob("*/")):
        path = folder / "expected.json"
        stated = json.loads(path.read_text()) if path.exists() else {}
        rows = {
            file.stem: [json.loads(line) for line in file.read_text().splitlines()]
            for file in (folder / "reference").glob("*.ndjson")
        }
        yield Stream(
            folder.name,
            (folder / "passphrase").read_text().strip(),
            [b64decode(line) for line in (folder / "ledgers.b64").read_text().split()],
            rows,
            lacks=frozenset(stated.get("_tables_that_the_reference_lacks", ())),
            right={type_: _columns(stated.get(type_, ())) for type_ in (*HISTORY, *STATE)},
        )


def _columns(rows: Sequence[Row]) -> list[Row]:
    """Return the right values that name columns; the others are comments."""
    return [row for row in rows if not any(" " in name for name in row)]


def core_tests() -> Iterator[Stream]:
    """Yield the ledgers of stellar-core's own tests beside the project."""
    folder = SHARED / "golden" / "core-tests"
    for path in sorted(folder.rglob("*.jsonl.gz")):
        name = path.relative_to(folder).as_posix().removesuffix(".jsonl.gz")
        facts = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        ledgers = (SHARED / "ledgers" / "core-tests" / f"{name}.xdr").read_bytes()
        yield _stream(name, CORE_TESTS, ledgers, facts)


def mainnet() -> Iterator[Stream]:
    """Yield the mainnet ledgers beside the project."""
    lake = SHARED / "ledgers" / "pubnet"
    for first, last, name in MAINNET:
        ledgers = []
        for number in range(first, last + 1):
            (path,) = lake.rglob(f"*--{number}.xdr.zst")
            ledgers.append(_decompressed(path)[12:])  # a batch of one: its first and last ledger, and their number
        rows = {
            file.stem: [json.loads(line) for line in file.read_text().splitlines()]
            for file in (SHARED / "golden" / name).glob("*.ndjson")
        }
        yield Stream(name, PUBNET, ledgers, rows, frozenset(rows))
