"""The generated ledgers as a lake, in the layout of the public one, with what they end in beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import zstandard

from local.sample_network.encode import array, u32
from local.sample_network.keys import PASSPHRASE

PARTITION = 64000
CONFIG = ".config.json"
RECORD = ".sample.json"
STATE = "state.json"
"""No name of a lake's objects: who reads the lake passes over it."""

GENERATOR = 2
"""Raised when the same arguments make other ledgers than before."""


class LakeError(Exception):
    """The folder can't take the lake; the message says why."""


def is_complete(folder: Path, arguments: dict[str, Any]) -> bool:
    """Whether the folder holds the lake that these arguments make.

    Raises:
        LakeError: it holds something else.
    """
    record = folder / RECORD
    if not folder.exists() or not any(folder.iterdir()):
        return False
    if not record.exists():
        raise LakeError(f"{folder} is not empty and holds no sample network: give --out a new folder")
    held = json.loads(record.read_text())
    if held.pop("generator", 1) != GENERATOR:
        raise LakeError(f"{folder} holds a sample network of an older generator: give --out a new folder, or delete it")
    if held != arguments:
        spelt = " ".join(f"--{key.replace('_', '-')} {value}" for key, value in held.items())
        raise LakeError(f"{folder} holds a sample network made with {spelt}: give --out a new folder, or delete it")
    return (folder / CONFIG).exists()


def write(
    folder: Path, arguments: dict[str, Any], ledgers: Iterable[tuple[int, bytes]], state: Callable[[], str]
) -> int:
    """Writes ledgers by sequence, the state after them, then the lake's configuration: without it a lake is not whole.

    Returns:
        How many bytes of XDR were written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).write_text(json.dumps({**arguments, "generator": GENERATOR}))
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
