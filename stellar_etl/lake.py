"""Lakes of ledgers in the layout of SEP-54, as Galexie writes them.

Objects lie in partitions: `{HEX}--{first}-{last}/{HEX}--{first}[-{last}].xdr.zst`, where HEX is 0xFFFFFFFF less the
first ledger, so that names sort newest first. An object is one zstd frame of a `LedgerCloseMetaBatch`.
"""

from __future__ import annotations

import json
import os
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import zstandard

from stellar_etl.errors import ExportError, NotReachedError
from stellar_etl.ledger import Ledger, LedgerError, network_id
from stellar_etl.xdr import XdrError, decode_batch

PASSPHRASES = {
    "pubnet": "Public Global Stellar Network ; September 2015",
    "testnet": "Test SDF Network ; September 2015",
    "futurenet": "Test SDF Future Network ; October 2022",
}

CONFIG = ".config.json"
_PARTITION = re.compile(r"[0-9A-F]{8}--(\d+)(?:-(\d+))?")
_OBJECT = re.compile(r"[0-9A-F]{8}--(\d+)(?:-(\d+))?\.xdr\.(?:zst|zstd)")


class Store(Protocol):
    """A folder of objects, wherever it lies."""

    place: str

    def partitions(self) -> Iterable[str]:
        """The names of its subfolders."""

    def names(self, partition: str) -> Iterable[str]:
        """The names of the objects in a subfolder."""

    def read(self, name: str) -> bytes:
        """An object's bytes.

        Raises:
            FileNotFoundError: there is no such object.
        """


class FolderStore:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._path = path

    def partitions(self) -> Iterable[str]:
        """The names of its subfolders."""
        with os.scandir(self._path) as entries:
            return [entry.name for entry in entries if entry.is_dir()]

    def names(self, partition: str) -> Iterable[str]:
        """The names of the files in a subfolder."""
        return [path.name for path in (self._path / partition).iterdir()]

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        return (self._path / name).read_bytes()


class BucketStore:
    """A folder of a Google Cloud Storage bucket; STORAGE_EMULATOR_HOST leads to an emulator."""

    def __init__(self, url: str) -> None:
        from stellar_etl.bucket import client

        self.place = url.rstrip("/")
        bucket, _, prefix = self.place.removeprefix("gs://").partition("/")
        self._bucket = client().bucket(bucket)
        self._prefix = f"{prefix}/" if prefix else ""

    def partitions(self) -> Iterable[str]:
        """The names of the folders below the prefix."""
        with self._listed():
            listing = self._bucket.client.list_blobs(self._bucket, prefix=self._prefix, delimiter="/")
            for _ in listing:  # the folders are known once the pages are read
                pass
        return [name.removeprefix(self._prefix).rstrip("/") for name in listing.prefixes]

    def names(self, partition: str) -> Iterable[str]:
        """The names of the objects in a folder."""
        folder = f"{self._prefix}{partition}/"
        with self._listed():
            blobs = list(self._bucket.client.list_blobs(self._bucket, prefix=folder))
        return [blob.name.removeprefix(folder) for blob in blobs]

    @contextmanager
    def _listed(self) -> Iterator[None]:
        from google.api_core.exceptions import NotFound

        from stellar_etl.bucket import problems_of

        try:
            with problems_of(f"{self.place} can't be listed"):
                yield
        except NotFound:
            raise ExportError(f"{self.place} can't be listed: there is no bucket of that name") from None

    def read(self, name: str) -> bytes:
        """An object's bytes."""
        from google.api_core.exceptions import NotFound

        from stellar_etl.bucket import problems_of

        try:
            with problems_of(f"{self.place}/{name} can't be read"):
                data: bytes = self._bucket.blob(self._prefix + name).download_as_bytes()
        except NotFound as error:
            raise FileNotFoundError(f"{self.place}/{name}") from error
        return data


@dataclass(frozen=True, order=True)
class Span:
    """Ledgers, both ends included, and where they lie."""

    first: int
    last: int
    name: str


def compact(sequences: Iterable[tuple[int, int]]) -> str:
    """Ranges as people write them: `3-5, 9`."""
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in sequences)


def decompress(data: bytes) -> bytes:
    """The content of a zstd frame.

    Raises:
        ZstdError: the frame is damaged, or ends too early.
    """
    frame = zstandard.ZstdDecompressor().decompressobj()
    content = frame.decompress(data)
    if not frame.eof:
        raise zstandard.ZstdError("the zstd frame is truncated")
    return content


class Lake:
    """A network's ledgers.

    Attributes:
        store: where they lie.
        passphrase: the network that the lake says it holds.
    """

    def __init__(self, store: Store, passphrase: str) -> None:
        self.store = store
        self.passphrase = passphrase
        self._network = network_id(passphrase)
        self._objects: dict[str, list[Span]] = {}

    @cached_property
    def partitions(self) -> list[Span]:
        """Its partitions, oldest first.

        Raises:
            ExportError: there is none.
        """
        try:
            names = list(self.store.partitions())
        except FileNotFoundError:
            raise ExportError(f"{self.store.place} does not exist: give --datastore-path a lake of ledgers") from None
        found = sorted(
            Span(int(match[1]), int(match[2] or match[1]), name)
            for name in names
            if (match := _PARTITION.fullmatch(name))
        )
        if not found:
            raise ExportError(f"{self.store.place} is no lake: it has no folder like FFFFFFFF--0-63999")
        return found

    def objects(self, partition: Span) -> list[Span]:
        """A partition's objects, oldest first."""
        if partition.name not in self._objects:
            self._objects[partition.name] = sorted(
                Span(int(match[1]), int(match[2] or match[1]), f"{partition.name}/{name}")
                for name in self.store.names(partition.name)
                if (match := _OBJECT.fullmatch(name))
            )
        return self._objects[partition.name]

    @cached_property
    def oldest(self) -> Span:
        """The object with the oldest ledger."""
        return self._end(self.partitions, 0)

    @cached_property
    def newest(self) -> Span:
        """The object with the newest ledger."""
        return self._end(self.partitions[::-1], -1)

    def _end(self, partitions: list[Span], index: int) -> Span:
        for partition in partitions:
            if objects := self.objects(partition):
                return objects[index]
        raise ExportError(f"{self.store.place} holds no ledgers")

    def spans(self, first: int, last: int) -> list[Span]:
        """The objects that hold these ledgers, oldest first.

        Raises:
            NotReachedError: the lake ends before the last one.
            ExportError: ledgers are missing in between, named.
        """
        tip = self.newest.last
        if last > tip:
            raise NotReachedError(
                f"ledger {last} has not closed yet: the newest ledger of {self.store.place} is {tip}, "
                f"{last - tip} before it"
            )
        found = [
            span
            for partition in self.partitions
            if partition.first <= last and partition.last >= first
            for span in self.objects(partition)
            if span.first <= last and span.last >= first
        ]
        edges = [(first - 1, first - 1), *((span.first, span.last) for span in found), (last + 1, last + 1)]
        missing = [(before[1] + 1, after[0] - 1) for before, after in pairwise(edges) if after[0] > before[1] + 1]
        if missing:
            raise ExportError(f"{self.store.place} lacks ledgers {compact(missing)}: nothing was exported")
        return found

    def load(self, span: Span) -> list[Ledger]:
        """An object's ledgers, oldest first.

        Raises:
            ExportError: the object is missing, truncated or damaged.
        """
        place = f"{self.store.place}/{span.name}"
        try:
            batch = decode_batch(decompress(self.store.read(span.name)))
        except (FileNotFoundError, zstandard.ZstdError, XdrError) as error:
            raise ExportError(f"{place} can't be read: {error}") from None
        ledgers = [Ledger(meta[0], meta[1], self._network) for meta in batch["ledgerCloseMetas"]]
        if [ledger.sequence for ledger in ledgers] != list(range(span.first, span.last + 1)):
            raise ExportError(f"{place} does not hold the ledgers of its name")
        return ledgers

    def read(self, first: int, last: int, *, verify: bool = True) -> Iterator[Ledger]:
        """The ledgers of a range, oldest first, each checked by its hashes and against the one before.

        Raises:
            NotReachedError: the lake ends before the last one.
            ExportError: a ledger is missing, damaged, or of another chain or network.
        """
        previous = None
        for span in self.spans(first, last):
            for ledger in self.load(span):
                if first <= ledger.sequence <= last:
                    if verify:
                        try:
                            ledger.verify(previous)
                        except LedgerError as error:
                            raise ExportError(str(error)) from None
                    yield ledger
                    previous = ledger

    def first_closed_at_or_after(self, seconds: int) -> int | None:
        """The smallest ledger that closed at or after a time, None if there is none yet.

        A binary search, first over partitions by their first ledger, then over the objects of one.
        """
        partitions = [partition for partition in self.partitions if self.objects_exist(partition)]
        # The answer lies in the last partition that begins before the time, or is the first ledger of the next.
        index = bisect_left(partitions, seconds, key=lambda partition: self._closed(self.objects(partition)[0], 0))
        for partition in partitions[max(index - 1, 0) : index + 1]:
            objects = self.objects(partition)
            place = bisect_left(objects, seconds, key=lambda span: self._closed(span, -1))
            if place < len(objects):
                return next(ledger.sequence for ledger in self.load(objects[place]) if ledger.close_time >= seconds)
        return None

    def objects_exist(self, partition: Span) -> bool:
        """Whether a partition has objects; the newest may be empty while the first one is written."""
        return partition is not self.partitions[-1] or bool(self.objects(partition))

    def _closed(self, span: Span, index: int) -> int:
        return self.load(span)[index].close_time


def open_lake(path: str, network: str, passphrase: str | None = None) -> Lake:
    """Opens the lake at a path: a folder, `file://…` or `gs://bucket/prefix`.

    Args:
        path: the lake itself, or the folder above it that holds one lake for each network.
        network: pubnet, testnet or futurenet; names the subfolder, and the passphrase of a lake without configuration.
        passphrase: the network that it must be, None for any.

    Raises:
        ExportError: there is no such lake, or it is of another network.
    """
    for place in (path, f"{path.rstrip('/')}/{network}"):
        store: Store = BucketStore(place) if place.startswith("gs://") else _folder(place)
        try:
            config = json.loads(store.read(CONFIG))
            found = str(config["networkPassphrase"])
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (KeyError, TypeError, ValueError) as error:
            raise ExportError(f"{store.place}/{CONFIG} can't be read: {error!r}") from None
        if passphrase is not None and passphrase != found:
            raise ExportError(f"{store.place} holds the network {found!r}, not {passphrase!r}")
        return Lake(store, found)
    store = BucketStore(path) if path.startswith("gs://") else _folder(path)
    return Lake(store, passphrase or PASSPHRASES[network])


def _folder(path: str) -> FolderStore:
    if re.match(r"[a-z][a-z0-9+]*://", path) and not path.startswith("file://"):
        raise ExportError(f"--datastore-path {path}: a lake lies in a folder or in gs://bucket/prefix")
    return FolderStore(Path(path.removeprefix("file://")))
