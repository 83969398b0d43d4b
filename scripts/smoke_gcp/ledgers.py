"""The ledgers to load: the conformance kit's, of the public network, and a generated network for the full load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import zstandard

from local.sample_network.lake import STATE, write_configuration, write_object
from local.stack.layout import REPO
from stellar_etl.sources.records import records

KIT = REPO / "tests" / "data" / "mainnet"
FIRST, LAST = 30822015, 30822019
"""The kit's consecutive ledgers."""
SAMPLE_LEDGERS = 80
CHECKPOINT = 63
"""A checkpoint within the generated ledgers, which begin with 3."""


@dataclass(frozen=True)
class Kit:
    """The kit's ledgers as a lake.

    Attributes:
        lake: Its folder.
        passphrase: The network's.
        first: The first ledger.
        last: The last ledger.
        counts: The number of the reference exporter's rows, by data type.
    """

    lake: Path
    passphrase: str
    first: int
    last: int
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Sample:
    """A generated network as a lake with a history archive.

    Attributes:
        lake: Its folder.
        archive: The archive's folder.
        passphrase: The network's.
        last: The last ledger.
        entries: The number of entries after the last ledger, by data type.
    """

    lake: Path
    archive: Path
    passphrase: str
    last: int
    entries: Mapping[str, int]


def kit_ledgers(folder: Path) -> Kit:
    """Write the kit's ledgers into a lake."""
    stem = KIT / f"{FIRST}-{LAST}"
    metas = [meta for found in records([_decompressed(stem.with_suffix(".xdr.zst"))]) for meta in found]
    if len(metas) != LAST - FIRST + 1:
        raise ValueError(f"{stem}.xdr.zst contains {len(metas)} ledgers, not {LAST - FIRST + 1}")
    for sequence, meta in enumerate(metas, FIRST):
        write_object(folder, sequence, meta)
    head, *facts = map(json.loads, _decompressed(stem.with_suffix(".jsonl.zst")).splitlines())
    write_configuration(folder, head["passphrase"])
    counts = Counter(fact["table"] for fact in facts if "row" in fact)
    return Kit(folder, head["passphrase"], FIRST, LAST, {kind: counts[kind] for kind in head["types"]})


def generated_network(folder: Path) -> Sample:
    """Generate a small network with a lake and an archive."""
    lake, archive = folder / "lake", folder / "archive"
    subprocess.run(
        [
            *(sys.executable, "-m", "local.sample_network", "--out", str(lake), "--archive", str(archive)),
            *("--ledgers", str(SAMPLE_LEDGERS), "--transactions-per-ledger", "4"),
        ],
        cwd=REPO,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    state = json.loads((lake / STATE).read_text())
    entries = {kind: len(listed) for kind, listed in state["entries"].items()}
    return Sample(lake, archive, state["network_passphrase"], state["ledger"], entries)


def _decompressed(path: Path) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
