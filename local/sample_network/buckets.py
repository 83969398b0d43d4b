"""The bucket lists: every change of the state, in files that merge and sink as they age, under one hash.

As stellar-core keeps them from protocol 23 on (`BucketListBase`, `LiveBucket` and `HotArchiveBucket` in its
`src/bucket`; CAP-20, CAP-62): one list of live entries, one of evicted ones. Merges run at once; stellar-core starts
them and takes their results later, with the same content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from local.sample_network.encode import i32, u32
from local.sample_network.entries import Entry, order
from local.sample_network.keys import sha256

LEVELS = 11

META = i32(-1)
LIVE, DEAD, INIT = (u32(kind) for kind in range(3))
"""`BucketEntryType`: changed, removed, and created."""

ARCHIVED, RESTORED = (u32(kind) for kind in range(2))
"""`HotArchiveBucketEntryType`; the protocol calls the second LIVE."""

LAST_FRAGMENT = 1 << 31


def framed(records: Iterable[bytes]) -> bytes:
    """XDR in files: each record after its mark (RFC 5531, section 11)."""
    return b"".join([part for record in records for part in (u32(len(record) | LAST_FRAGMENT), record)])


@dataclass(frozen=True)
class Bucket:
    """A bucket, empty until the first entry is put into it.

    Attributes:
        meta: its first record, a METAENTRY; none in an empty bucket. That of a later protocol is greater.
        entries: its other records by sort key, in that order.
    """

    meta: bytes = b""
    entries: Mapping[bytes, bytes] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The bucket's file."""
        return framed((self.meta, *self.entries.values())) if self.meta else b""

    @cached_property
    def digest(self) -> bytes:
        """The hash of its file, zeros if it is empty."""
        return sha256(self.content) if self.meta else bytes(32)


@dataclass
class Level:
    """A level of a list: its current, previous and next buckets."""

    curr: Bucket = Bucket()
    snap: Bucket = Bucket()
    next: Bucket = Bucket()


def half(level: int) -> int:
    """The number of ledgers after which a level spills into the one below it."""
    return 2 << 2 * level


def spills(ledger: int, level: int) -> bool:
    """Whether a level spills at a ledger; the last one never does."""
    return level < LEVELS - 1 and ledger % half(level) == 0


def starts_empty(ledger: int, level: int) -> bool:
    """Whether what a level will gather begins empty, at a ledger that gives it something: next time it spills first."""
    return spills(ledger + half(level - 1), level)


class BucketList:
    """Levels, the newest changes in the first.

    Attributes:
        number: its `BucketListType`.
        tombstone: the type of records that only hide older ones: the last level needs none.
    """

    number: ClassVar[int]
    tombstone: ClassVar[bytes]

    def __init__(self) -> None:
        self.levels = [Level() for _ in range(LEVELS)]

    @staticmethod
    def joined(old: bytes, new: bytes) -> bytes | None:
        """Merge two records of one key; None if they cancel out."""
        raise NotImplementedError

    @property
    def digest(self) -> bytes:
        """The hash of all levels."""
        return sha256(b"".join(sha256(level.curr.digest + level.snap.digest) for level in self.levels))

    def add(self, ledger: int, protocol: int, changes: Mapping[bytes, bytes]) -> None:
        """Add a ledger's changes: records by ledger key. Ledgers must be consecutive."""
        for number in range(LEVELS - 1, 0, -1):
            if not spills(ledger, number - 1):
                continue
            above, level = self.levels[number - 1 : number + 1]
            above.snap, above.curr = above.curr, Bucket()
            level.curr = level.next
            begun = Bucket() if starts_empty(ledger, number) else level.curr
            level.next = self._merged(begun, above.snap, last=number == LEVELS - 1)
        fresh = {order(key): record for key, record in changes.items()}
        meta = META + u32(protocol) + u32(1) + u32(self.number)
        first = self.levels[0]
        first.curr = self._merged(first.curr, Bucket(meta, dict(sorted(fresh.items()))))

    def _merged(self, old: Bucket, new: Bucket, *, last: bool = False) -> Bucket:
        entries: dict[bytes, bytes | None] = {**old.entries, **new.entries}
        for key in old.entries.keys() & new.entries.keys():
            entries[key] = self.joined(old.entries[key], new.entries[key])
        kept = {
            key: record
            for key in sorted(entries)
            if (record := entries[key]) is not None and not (last and record.startswith(self.tombstone))
        }
        return Bucket(max(old.meta, new.meta), kept)


class LiveBucketList(BucketList):
    """The bucket list of live entries."""

    number = 0
    tombstone = DEAD

    @staticmethod
    def joined(old: bytes, new: bytes) -> bytes | None:
        """Records show whether an older list has the key: a created and removed entry leaves no record."""
        before, after = old[:4], new[:4]
        assert after != INIT or before == DEAD
        if before == INIT:
            return None if after == DEAD else INIT + new[4:]
        return LIVE + new[4:] if after == INIT else new


class HotArchiveBucketList(BucketList):
    """The bucket list of evicted entries that can be restored."""

    number = 1
    tombstone = RESTORED

    @staticmethod
    def joined(old: bytes, new: bytes) -> bytes:  # noqa: ARG004 - the older one, whatever it was
        """The newer one."""
        return new


def live_changes(before: Mapping[bytes, Entry | None], after: Mapping[bytes, Entry]) -> dict[bytes, bytes]:
    """Records of the live list, by ledger key.

    Args:
        before: the state before of each changed entry, None if it did not exist.
        after: all entries now.
    """
    changes = {}
    for key, known in before.items():
        entry = after.get(key)
        if entry is not None:
            changes[key] = (INIT if known is None else LIVE) + entry.xdr
        elif known is not None:
            changes[key] = DEAD + key
    return changes


def archive_changes(before: Mapping[bytes, Entry], after: Mapping[bytes, Entry]) -> dict[bytes, bytes]:
    """Records of the hot archive list, by ledger key; lives (TTL) are not archived.

    Args:
        before: the archived entries before.
        after: the archived entries now.
    """
    archived = {key: ARCHIVED + entry.xdr for key, entry in after.items() if key not in before}
    return archived | {key: RESTORED + key for key in before if key not in after}
