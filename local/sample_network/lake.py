"""The generated ledgers as a lake, in the layout of the public one, with what they end in beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import zstandard

from local.sample_network.encode import array, u32
from local.sample_network.keys import PASSPHRASE

PARTITION = 64000
CONFIG = ".config.json"
STATE = "state.json"
"""No name of a lake's objects: who reads the lake passes over it."""


def is_whole(folder: Path) -> bool:
    """Whether a folder's lake was written to its end."""
    return (folder / CONFIG).exists()


def write(folder: Path, ledgers: Iterable[tuple[int, bytes]], state: Callable[[], str]) -> int:
    """Writes ledgers by sequence, the state after them, then the lake's configuration: without it a lake is not whole.

    Returns:
        How many bytes of XDR were written.
    """
    (folder / CONFIG).unlink(missing_ok=True)
    compressor = zstandard.ZstdCompressor(level=3)
    total = 0
    for sequence, meta in ledgers:
        batch = u32(sequence) + u32(sequence) + array([meta])
        start = sequence // PARTITION * PARTITION
        partition = folder / f"{0xFFFFFFFF - start:08X}--{start}-{start + PARTITION - 1}"
        partition.mkdir(exist_ok=True)
        (partition / f"{0xFFFFFFFF - sequence:08X}--{sequence}.xdr.zst").write_bytes(compressor.compress(batch))
        total += len(batch)
    (folder / STATE).write_text(state())
    configuration = {
        "networkPassphrase": PASSPHRASE,
        "version": "1",
        "compression": "zstd",
        "ledgersPerBatch": 1,
        "batchesPerPartition": PARTITION,
    }
    (folder / CONFIG).write_text(json.dumps(configuration))
    return total
