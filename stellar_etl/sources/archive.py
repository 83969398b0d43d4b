"""All ledger entries that there are at a checkpoint, from a history archive's bucket list.

How archives are laid out: https://github.com/stellar/stellar-core/blob/master/docs/history.md. The bucket list has
levels of two buckets each. A bucket holds the last state of each entry that changed in some span of ledgers, or that it
is gone; what a newer bucket holds of an entry hides what older ones do. Its hash is in the ledger's header
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
    """What an archive's state file says.

    Attributes:
        sequence: the checkpoint's ledger.
        passphrase: the network's, None if it is not told.
        live: the buckets of what there is.
        hot: those of what was evicted and can be restored, None before protocol 23
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
        """The hashes of the buckets of what there is that hold anything, newest first."""
        return [hash_ for level in self.live for hash_ in level if hash_ != _NO_BUCKET]


def _list_hash(levels: Levels) -> bytes:
    return sha256(b"".join(sha256(curr + snap).digest() for curr, snap in levels)).digest()


def parse_state(content: bytes) -> ArchiveState:
    """An archive's state file.

    Raises:
        AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError: it is none.
    """
    told = json.loads(content)
    hot, passphrase = told.get("hotArchiveBuckets"), told.get("networkPassphrase")
    if passphrase is not None:
        passphrase.encode()
    return ArchiveState(
        int(told["currentLedger"]),
        passphrase,
        _levels(told["currentBuckets"]),
        None if hot is None else _levels(hot),
    )


def _levels(told: list[dict[str, Any]]) -> Levels:
    return [(_hash(level["curr"]), _hash(level["snap"])) for level in told]


def _hash(text: str) -> bytes:
    value = bytes.fromhex(text)
    if len(value) != len(_NO_BUCKET):
        raise ValueError(f"{text!r} is no bucket's hash")
    return value


def file_name(kind: str, id_: str, ending: str) -> str:
    """The name of a file in an archive: of a checkpoint, by its ledger as eight hex digits, or of a bucket."""
    return f"{kind}/{id_[:2]}/{id_[2:4]}/{id_[4:6]}/{kind}-{id_}.{ending}"


@dataclass(eq=False)
class StatePart(Ledger):
    """Some of what there is in a ledger, as if the ledger had created it.

    Attributes:
        entries: the entries, by `LedgerEntryType`.
    """

    entries: dict[int, list[Change]]

    @cached
    def changes(self) -> dict[int, list[Change]]:
        """The entries."""
        return self.entries


class Archive:
    """A network's history archive, of which the state at a checkpoint is read.

    Attributes:
        store: where it lies.
        passphrase: the network that it holds.
    """

    def __init__(self, store: Store, passphrase: str, newest: int, entry_types: Collection[int]) -> None:
        """`newest` is its newest checkpoint; entries of each `LedgerEntryType` in `entry_types` are read."""
        self.store = store
        self.passphrase = passphrase
        self._newest = newest
        self._wanted = frozenset(type_.to_bytes(4, "big") for type_ in entry_types)
        self._reading = Reading()

    def progress(self, first: int, last: int, seconds: float) -> StateProgress:  # noqa: ARG002 it is one ledger
        """What tells how far the reading is, every so many seconds."""
        return StateProgress(self._reading, seconds)

    def readers(self, first: int, last: int) -> int:  # noqa: ARG002 it is one ledger
        """One alone."""
        return 1

    def read(self, first: int, last: int, *, verify: bool = True, step: int = 1) -> Iterator[Ledger]:  # noqa: ARG002
        """What there is at a checkpoint, which is the first and the last ledger, in parts, at least one.

        Only once all were taken is it known that all buckets' hashes match.

        Memory grows with the entries that newer buckets hold and older ones may: 16 bytes of each one's hash are kept,
        some 100 bytes of memory. Those of the oldest bucket are not, nor those that a bucket calls initial: older ones
        don't hold them, unless as gone (https://github.com/stellar/stellar-protocol/blob/master/core/cap-0020.md).

        Raises:
            NotReachedError: the archive ends before the checkpoint.
            ExportError: a file is missing, damaged, or of another ledger or network.
        """
        assert first == last == checkpoint(last), "an archive has the state at checkpoints alone"
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
        """A file's records, some at a time; its content goes into a digest."""

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
    """What of some entries of a bucket there is: no newer bucket holds it, or says that it is gone.

    Args:
        entries: the XDR of `BucketEntry`s.
        wanted: the XDR of the `LedgerEntryType`s that matter; others are not even decoded.
        seen: what stands for the keys that newer buckets hold; this bucket's are added.
        remember: whether there are older buckets.

    Raises:
        XdrError: one of them is none, or of a newer protocol.
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
        ExportError: it is missing, or is none.
    """
    with problems_of(store, name):
        content = store.read(name)
    try:
        return parse_state(content)
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise ExportError(f"{store.location}/{name} can't be read: {error!r}") from None


@contextmanager
def problems_of(store: Store, name: str) -> Iterator[None]:
    """Turns what a file may lack into one line.

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


def check_network(location: str, told: str | None, passphrase: str | None) -> None:
    """Holds the network that a file tells of against the one that it must be of, if both are known.

    Raises:
        ExportError: they differ.
    """
    if None not in (told, passphrase) and told != passphrase:
        raise ExportError(f"{location} holds the network {told!r}, not {passphrase!r}")


def open_archive(path: str, network: str, entry_types: Collection[int], passphrase: str | None = None) -> Archive:
    """Opens the archive at a path: a folder, `file://…`, `gs://bucket/prefix` or `https://host/prefix`.

    Args:
        path: the archive.
        network: pubnet, testnet or futurenet; the passphrase of an archive that tells none.
        entry_types: each `LedgerEntryType` of which entries are read.
        passphrase: the network that it must be, None for any.

    Raises:
        ExportError: there is no such archive, or it is of another network.
    """
    store = open_store(path, OPTION)
    state = read_state(store, NEWEST)
    check_network(f"{store.location}/{NEWEST}", state.passphrase, passphrase)
    return Archive(store, state.passphrase or passphrase or PASSPHRASES[network], state.sequence, entry_types)
