"""All ledger entries at a checkpoint, from a history archive's bucket list.

The layout of archives: https://github.com/stellar/stellar-core/blob/master/docs/history.md. The bucket list has
levels of two buckets each. A bucket holds the last state of each entry that changed in some span of ledgers, or the
mark of its removal. An entry in a newer bucket replaces that in older ones. Its hash is in the ledger's header
(https://github.com/stellar/stellar-core/blob/master/src/bucket/readme.md).
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import Any

from stellar_etl.errors import ExportError, NotReachedError
from stellar_etl.ledgers.changes import CREATED, Change, ledger_key
from stellar_etl.ledgers.ledger import Ledger, LedgerError, cached, network_id
from stellar_etl.progress import Reading, StateProgress
from stellar_etl.sources.lake import PASSPHRASES
from stellar_etl.sources.records import gunzipped, records
from stellar_etl.sources.stores.base import Store
from stellar_etl.sources.stores.open import open_store
from stellar_etl.xdr import XdrError, decode_bucket_entry, decode_header, names

OPTION = "--history-archive-path"

NEWEST = ".well-known/stellar-history.json"

CHECKPOINT_LEDGERS = 64

Levels = list[tuple[bytes, bytes]]
"""The hashes of `curr` and `snap` of each level, newest first."""

_NO_BUCKET = bytes(32)
_LIVE, _INIT, _DEAD = (kind.to_bytes(4, "big") for kind in (names.LIVEENTRY, names.INITENTRY, names.DEADENTRY))


def checkpoint(sequence: int) -> int:
    """The newest checkpoint at or before a ledger.

    Raises:
        ExportError: the first one comes after it.
    """
    if sequence < CHECKPOINT_LEDGERS - 1:
        raise ExportError(
            f"--end-ledger {sequence}: archives hold the state at each 64th ledger, {CHECKPOINT_LEDGERS - 1} first"
        )
    return (sequence + 1) // CHECKPOINT_LEDGERS * CHECKPOINT_LEDGERS - 1


@dataclass(frozen=True)
class ArchiveState:
    """The content of an archive's state file.

    Attributes:
        sequence: the checkpoint's ledger.
        passphrase: the network's, None if the file does not contain it.
        live: the buckets of existing entries.
        hot: those of evicted entries that can be restored, None before protocol 23
            (https://github.com/stellar/stellar-protocol/blob/master/core/cap-0062.md).
    """

    sequence: int
    passphrase: str | None
    live: Levels
    hot: Levels | None

    @property
    def hash(self) -> bytes:
        """The hash of all buckets, as the ledger's header has it."""
        live = _list_hash(self.live)
        return live if self.hot is None else sha256(live + _list_hash(self.hot)).digest()

    @property
    def buckets(self) -> list[bytes]:
        """The hashes of the non-empty buckets of existing entries, newest first."""
        return [hash_ for level in self.live for hash_ in level if hash_ != _NO_BUCKET]


def _list_hash(levels: Levels) -> bytes:
    return sha256(b"".join(sha256(curr + snap).digest() for curr, snap in levels)).digest()


def parse_state(content: bytes) -> ArchiveState:
    """An archive's state file.

    Raises:
        AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError: it is not a state file.
    """
    document = json.loads(content)
    hot, passphrase = document.get("hotArchiveBuckets"), document.get("networkPassphrase")
    if passphrase is not None:
        passphrase.encode()
    return ArchiveState(
        int(document["currentLedger"]),
        passphrase,
        _levels(document["currentBuckets"]),
        None if hot is None else _levels(hot),
    )


def _levels(levels: list[dict[str, Any]]) -> Levels:
    return [(_hash(level["curr"]), _hash(level["snap"])) for level in levels]


def _hash(text: str) -> bytes:
    value = bytes.fromhex(text)
    if len(value) != len(_NO_BUCKET):
        raise ValueError(f"{text!r} is not a bucket's hash")
    return value


def file_name(kind: str, id_: str, ending: str) -> str:
    """Return the name of a file in an archive: of a checkpoint, by its ledger as eight hex digits, or of a bucket."""
    return f"{kind}/{id_[:2]}/{id_[2:4]}/{id_[4:6]}/{kind}-{id_}.{ending}"


@dataclass(eq=False)
class StatePart(Ledger):
    """Some of the entries at a ledger, as if the ledger had created them.

    Attributes:
        entries: the entries, by `LedgerEntryType`.
    """

    entries: dict[int, list[Change]]

    @cached
    def changes(self) -> dict[int, list[Change]]:
        """The entries."""
        return self.entries


class Archive:
    """A network's history archive, from which the state at a checkpoint is read.

    Attributes:
        store: its store.
        passphrase: its network.
    """

    def __init__(self, store: Store, passphrase: str, newest: int, entry_types: Collection[int]) -> None:
        """`newest` is its newest checkpoint; entries of each `LedgerEntryType` in `entry_types` are read."""
        self.store = store
        self.passphrase = passphrase
        self._newest = newest
        self._wanted = frozenset(type_.to_bytes(4, "big") for type_ in entry_types)
        self._reading = Reading()

    def progress(self, first: int, last: int, seconds: float) -> StateProgress:  # noqa: ARG002 it is one ledger
        """The progress of reading, reported at an interval of seconds."""
        return StateProgress(self._reading, seconds)

    def readers(self, first: int, last: int) -> int:  # noqa: ARG002 it is one ledger
        """Always one reader."""
        return 1

    def read(self, first: int, last: int, *, verify: bool = True, step: int = 1) -> Iterator[Ledger]:  # noqa: ARG002
        """Yield the entries at a checkpoint, which is the first and the last ledger, in one or more parts.

        The buckets' hashes are verified only when all parts were read.

        Memory grows with the entries that newer buckets hold and older ones can hold: 16 bytes of each hash are stored,
        about 100 bytes of memory. Entries of the oldest bucket, and initial entries of a bucket, are not stored: older
        buckets contain them only as removed (https://github.com/stellar/stellar-protocol/blob/master/core/cap-0020.md).

        Raises:
            NotReachedError: the archive ends before the checkpoint.
            ExportError: a file is missing, damaged, or of another ledger or network.
        """
        assert first == last == checkpoint(last), "an archive has the state only at checkpoints"
        state = self._state(last)
        header = self._header(last)
        ledger = Ledger(0, {"ledgerHeader": header}, network_id(self.passphrase))
        if verify:
            self._verify(ledger, state)

        def part(entries: dict[int, list[Change]]) -> StatePart:
            return StatePart(ledger.version, ledger.meta, ledger.network, entries)

        reading, buckets = self._reading, state.buckets
        reading.buckets = len(buckets)
        yield part({})
        seen: set[int] = set()
        for reading.bucket, hash_ in enumerate(buckets, start=1):
            name = file_name("bucket", hash_.hex(), "xdr.gz")
            digest = sha256()
            for some in self._records(name, digest):
                with problems_of(self.store, name):
                    entries = some_live(some, self._wanted, seen, remember=reading.bucket < len(buckets))
                yield part(entries)
            if verify and digest.digest() != hash_:
                raise ExportError(f"{self.store.location}/{name} has the hash {digest.hexdigest()}: it is damaged")

    def _state(self, sequence: int) -> ArchiveState:
        if sequence > self._newest:
            raise NotReachedError(
                f"the checkpoint {sequence} is not in {self.store.location} yet: its newest one is {self._newest}"
            )
        name = file_name("history", f"{sequence:08x}", "json")
        state = read_state(self.store, name)
        if state.sequence != sequence:
            raise ExportError(
                f"{self.store.location}/{name} is of ledger {state.sequence}, not {sequence}: it is damaged"
            )
        check_network(f"{self.store.location}/{name}", state.passphrase, self.passphrase)
        return state

    def _header(self, sequence: int) -> dict[str, Any]:
        """The `LedgerHeaderHistoryEntry` of the checkpoint's ledger."""
        name = file_name("ledger", f"{sequence:08x}", "xdr.gz")
        with problems_of(self.store, name):
            for some in records(gunzipped(self.store.stream(name))):
                for header in map(decode_header, some):
                    if header["header"]["ledgerSeq"] == sequence:
                        return header
        raise ExportError(f"{self.store.location}/{name} lacks ledger {sequence}: it is damaged")

    def _verify(self, ledger: Ledger, state: ArchiveState) -> None:
        try:
            ledger.verify_header()
        except LedgerError as error:
            raise ExportError(f"{self.store.location}: {error}") from None
        if state.hash != ledger.header["bucketListHash"]:
            raise ExportError(
                f"{self.store.location}: the buckets that it names for ledger {ledger.sequence} have the hash "
                f"{state.hash.hex()}, and the ledger's header {ledger.header['bucketListHash'].hex()}: one is damaged"
            )

    def _records(self, name: str, digest: Any) -> Iterator[list[bytes]]:
        """Yield a file's records, some at a time, and add its content to a digest."""

        def content() -> Iterator[bytes]:
            for piece in gunzipped(self.store.stream(name)):
                digest.update(piece)
                self._reading.bytes += len(piece)
                yield piece

        with problems_of(self.store, name):
            yield from records(content())


def some_live(
    entries: Iterable[bytes], wanted: Collection[bytes], seen: set[int], *, remember: bool
) -> dict[int, list[Change]]:
    """Yield the existing ones among a bucket's entries: no newer bucket contains or removes them.

    Args:
        entries: the XDR of `BucketEntry`s.
        wanted: the XDR of the `LedgerEntryType`s to yield; others are not decoded.
        seen: hashes of the keys in newer buckets; this bucket's are added.
        remember: whether older buckets exist.

    Raises:
        XdrError: one of them is not a `BucketEntry`, or of a newer protocol.
    """
    found: defaultdict[int, list[Change]] = defaultdict(list)
    for raw in entries:
        # A LedgerEntry begins with the ledger that changed it, a LedgerKey with its type.
        kind, type_ = raw[:4], raw[4:8] if raw[:4] == _DEAD else raw[8:12]
        if kind in (_LIVE, _INIT, _DEAD) and type_ not in wanted:
            continue
        decoded, entry = decode_bucket_entry(raw)
        if decoded == names.METAENTRY:
            continue
        key = raw[4:] if decoded == names.DEADENTRY else ledger_key(*entry["data"])
        digest = int.from_bytes(blake2b(key, digest_size=16).digest(), "big")  # takes less memory than bytes do
        if digest in seen:
            continue
        if remember and decoded != names.INITENTRY:
            seen.add(digest)
        if decoded != names.DEADENTRY:
            found[entry["data"][0]].append(Change(CREATED, entry["data"][0], key, None, entry))
    return found


def read_state(store: Store, name: str) -> ArchiveState:
    """An archive's state file.

    Raises:
        ExportError: it is missing, or is not a state file.
    """
    with problems_of(store, name):
        content = store.read(name)
    try:
        return parse_state(content)
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise ExportError(f"{store.location}/{name} can't be read: {error!r}") from None


@contextmanager
def problems_of(store: Store, name: str) -> Iterator[None]:
    """Turn errors of reading a file into one line.

    Raises:
        ExportError: naming the file.
    """
    location = f"{store.location}/{name}"
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise ExportError(f"{location} does not exist: give {OPTION} a whole history archive") from None
    except (zlib.error, XdrError) as error:
        raise ExportError(f"{location} can't be read: {error}") from None


def check_network(location: str, named: str | None, passphrase: str | None) -> None:
    """Compare the network that a file names with the required one, if both are known.

    Raises:
        ExportError: they differ.
    """
    if None not in (named, passphrase) and named != passphrase:
        raise ExportError(f"{location} holds the network {named!r}, not {passphrase!r}")


def open_archive(path: str, network: str, entry_types: Collection[int], passphrase: str | None = None) -> Archive:
    """Open the archive at a path: a folder, `file://…`, `gs://bucket/prefix` or `https://host/prefix`.

    Args:
        path: the archive.
        network: pubnet, testnet or futurenet; the network of an archive that names none.
        entry_types: each `LedgerEntryType` to read.
        passphrase: the required network, None for any.

    Raises:
        ExportError: the archive does not exist, or is of another network.
    """
    store = open_store(path, OPTION)
    state = read_state(store, NEWEST)
    check_network(f"{store.location}/{NEWEST}", state.passphrase, passphrase)
    return Archive(store, state.passphrase or passphrase or PASSPHRASES[network], state.sequence, entry_types)
