"""The network's history archive, as stellar-core publishes it: at each checkpoint headers, and the state in buckets.

Transactions, results and consensus messages are left out: the lake has them.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from local.sample_network.buckets import BucketList, framed
from local.sample_network.engine import Engine
from local.sample_network.keys import PASSPHRASE

CHECKPOINT = 64
"""Ledgers from one checkpoint to the next: 63, 127, and so on."""

ROOT = ".well-known/stellar-history.json"


def file_path(kind: str, name: str, suffix: str) -> str:
    """The path of a file, by its kind and its name in hexadecimal."""
    return f"{kind}/{name[:2]}/{name[2:4]}/{name[4:6]}/{kind}-{name}.{suffix}"


class Archive:
    """An archive that is being written.

    Attributes:
        checkpoints: the number of written checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self.checkpoints = 0
        self._folder = folder
        self._headers: list[bytes] = []
        self._buckets: set[bytes] = set()
        self._newest = ""

    def add(self, engine: Engine) -> None:
        """Add the ledger that was just closed; write the checkpoint if it ends one."""
        sequence = engine.chain.sequence
        self._headers.append(engine.header)
        if (sequence + 1) % CHECKPOINT:
            return
        for buckets in (engine.live, engine.hot_archive):
            self._write_buckets(buckets)
        self._write(file_path("ledger", f"{sequence:08x}", "xdr.gz"), _compressed(framed(self._headers)))
        self._newest = _state(sequence, engine.live, engine.hot_archive)
        self._write(file_path("history", f"{sequence:08x}", "json"), self._newest.encode())
        self._headers.clear()
        self.checkpoints += 1

    def finish(self) -> None:
        """Names the newest checkpoint, if there is any: readers begin there."""
        if self._newest:
            self._write(ROOT, self._newest.encode())

    def _write_buckets(self, buckets: BucketList) -> None:
        for bucket in (bucket for level in buckets.levels for bucket in (level.curr, level.snap)):
            if bucket.meta and bucket.digest not in self._buckets:
                self._buckets.add(bucket.digest)
                self._write(file_path("bucket", bucket.digest.hex(), "xdr.gz"), _compressed(bucket.content))

    def _write(self, path: str, data: bytes) -> None:
        file = self._folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _compressed(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=6, mtime=0)


def _state(sequence: int, live: BucketList, hot_archive: BucketList) -> str:
    """`HistoryArchiveState` in JSON, of the version that has a hot archive."""
    state = {
        "version": 2,
        "server": "sample_network",
        "currentLedger": sequence,
        "networkPassphrase": PASSPHRASE,
        "currentBuckets": _levels(live),
        "hotArchiveBuckets": _levels(hot_archive),
    }
    return json.dumps(state, indent=4) + "\n"


def _levels(buckets: BucketList) -> list[dict[str, Any]]:
    """Each level's buckets. As in stellar-core, pending merges are left to the reader."""
    return [
        {"curr": level.curr.digest.hex(), "next": {"state": 0}, "snap": level.snap.digest.hex()}
        for level in buckets.levels
    ]
