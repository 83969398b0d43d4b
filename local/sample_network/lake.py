"""The generated ledgers as a lake, in the layout of the public one, with the final state beside them."""

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
"""Not a name of a lake's objects: readers of the lake skip it."""


def is_whole(folder: Path) -> bool:
    """Whether a folder's lake is complete."""
    return (folder / CONFIG).exists()


def write_object(folder: Path, sequence: int, meta: bytes) -> int:
    """Write one ledger as an object of a lake.

    Args:
        folder: The lake's folder.
        sequence: The ledger's sequence.
        meta: The XDR of its `LedgerCloseMeta`.

    Returns:
        The number of written bytes of XDR.
    """
    batch = u32(sequence) + u32(sequence) + array([meta])
    start = sequence // PARTITION * PARTITION
    partition = folder / f"{0xFFFFFFFF - start:08X}--{start}-{start + PARTITION - 1}"
    partition.mkdir(parents=True, exist_ok=True)
    content = zstandard.ZstdCompressor(level=3).compress(batch)
    (partition / f"{0xFFFFFFFF - sequence:08X}--{sequence}.xdr.zst").write_bytes(content)
    return len(batch)


def write_configuration(folder: Path, passphrase: str) -> None:
    """Write a lake's configuration, which names its network: without it a lake is incomplete."""
    configuration = {
        "networkPassphrase": passphrase,
        "version": "1",
        "compression": "zstd",
        "ledgersPerBatch": 1,
        "batchesPerPartition": PARTITION,
    }
    (folder / CONFIG).write_text(json.dumps(configuration))


def write(folder: Path, ledgers: Iterable[tuple[int, bytes]], state: Callable[[], str]) -> int:
    """Write ledgers by sequence, the state after them, then the lake's configuration.

    Returns:
        The number of written bytes of XDR.
    """
    (folder / CONFIG).unlink(missing_ok=True)
    total = sum(write_object(folder, sequence, meta) for sequence, meta in ledgers)
    (folder / STATE).write_text(state())
    write_configuration(folder, PASSPHRASE)
    return total
